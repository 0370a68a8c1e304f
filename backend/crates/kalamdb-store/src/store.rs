//! The handle on everything: one per data directory, cheap to clone.
//!
//! Commits go to the `committer`; reads go to the [`Snapshot`] of the last commit, which is taken
//! once per group of commits and handed to everybody. Opening goes on where the last process
//! stopped. Closing drains what waits, and dropping the last handle closes too.

mod block_on;
mod shared;

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use kalamdb_commons::SeqId;
use parking_lot::Mutex;
use rocksdb::{ReadOptions, WriteBatch};
use tokio::sync::{mpsc, oneshot};

pub(crate) use self::shared::{Reopening, Shared};
use crate::clock::Clock;
use crate::committer::{Committer, Message, Numbers};
use crate::error::{OpenError, ReadError, WriteError};
use crate::history::Trimmer;
use crate::key::layout;
use crate::meta;
use crate::options::StoreOptions;
use crate::rocks::Rocks;
use crate::snapshot::Snapshot;
use crate::upkeep::Upkeep;
use crate::write_set::{Commit, CommitError, Committed, RecordSpace, WriteSet};

/// Told of each commit.
pub type Listener = Arc<dyn Fn(&Arc<Commit>) + Send + Sync>;

/// Key and value of a record.
pub type Record = (Vec<u8>, Vec<u8>);

/// The data of one directory. Clones are handles on the same store.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    committer: mpsc::Sender<Message>,
    epoch: u64,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Store {
    /// Opens the directory, making it if it is not there, and goes on where the last process stopped.
    ///
    /// # Errors
    /// [`OpenError`] when the directory cannot be used, is in use, or holds something else.
    pub fn open(options: StoreOptions) -> Result<Store, OpenError> {
        let rocks = Arc::new(Rocks::open(&options)?);
        let epoch = meta::read_number(&rocks, meta::EPOCH)?.ok_or_else(|| meta::damaged(meta::EPOCH))?;
        let (numbers, lost) = Numbers::open(&rocks, options.durability)?;
        let shared = Arc::new(Shared::new(rocks, options, numbers.last(), lost)?);
        let (committer, sender) = Committer::new(Arc::clone(&shared), numbers);
        let trimmer = Trimmer::new(shared.options(), Arc::clone(&shared.logged));
        let upkeep = Upkeep::new(Arc::clone(&shared), trimmer, sender.downgrade());
        let store = Store(Arc::new(Inner { shared, committer: sender, epoch, threads: Mutex::default() }));
        // The threads hold no handle: it is dropping the last one that ends them.
        store.0.start("committer", move || committer.run())?;
        store.0.start("upkeep", move || upkeep.run())?;
        Ok(store)
    }

    /// Says who is told of every commit from now on, on the committer's thread: in order, once the
    /// commit is durable and seen by new snapshots, before its writer is answered. To be called once.
    pub fn listen(&self, listener: Listener) {
        self.0.shared.set_listener(Some(listener));
    }

    /// Commits a write set, all or nothing. May be awaited on any runtime; once it was polled the
    /// commit may happen even if nobody waits for the answer.
    ///
    /// # Errors
    /// [`CommitError`] when it did not become a commit.
    pub async fn commit(&self, writes: WriteSet) -> Result<Committed, CommitError> {
        let (answer, answered) = oneshot::channel();
        self.0.committer.send(Message::Commit(writes, answer)).await.map_err(|_| CommitError::Closed)?;
        answered.await.unwrap_or(Err(CommitError::Closed))
    }

    /// [`Store::commit`], for threads that may wait.
    ///
    /// # Errors
    /// [`CommitError`] when it did not become a commit.
    pub fn commit_blocking(&self, writes: WriteSet) -> Result<Committed, CommitError> {
        block_on::block_on(self.commit(writes))
    }

    /// Everything exactly as of the last commit.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.0.shared.snapshot()
    }

    /// SeqId of the last commit.
    #[must_use]
    pub fn last_seq(&self) -> SeqId {
        self.0.shared.last_seq()
    }

    /// Which history the SeqIds belong to; made up when the directory was made.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.0.epoch
    }

    /// The clock of the options.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.shared.clock
    }

    /// The record at `key`, as it is now.
    ///
    /// # Errors
    /// [`ReadError`] when it cannot be read.
    pub fn get_record(&self, space: RecordSpace, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        let rocks = self.0.shared.rocks()?;
        Ok(rocks.get(rocks.families().records(space), key)?.map(|value| value.to_vec()))
    }

    /// Key and value of all records whose keys begin with `prefix`, as they are now, in key order.
    ///
    /// # Errors
    /// [`ReadError`] when they cannot be read.
    pub fn scan_records(&self, space: RecordSpace, prefix: &[u8]) -> Result<Vec<Record>, ReadError> {
        let rocks = self.0.shared.rocks()?;
        let mut found = Vec::new();
        let (family, range) = (rocks.families().records(space), layout::beginning_with(prefix));
        rocks.scan(family, range, ReadOptions::default(), &mut |key, value| {
            found.push((key.to_vec(), value.to_vec()));
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    /// The first `max` of the records whose keys begin with `prefix` and come behind the key `after`, as they
    /// are now, in key order.
    ///
    /// # Errors
    /// [`ReadError`] when they cannot be read.
    pub fn scan_records_after(
        &self,
        space: RecordSpace,
        prefix: &[u8],
        after: &[u8],
        max: usize,
    ) -> Result<Vec<Record>, ReadError> {
        let rocks = self.0.shared.rocks()?;
        let mut found = Vec::new();
        let (family, mut range) = (rocks.families().records(space), layout::beginning_with(prefix));
        if after >= range.lower.as_slice() {
            range.lower = [after, &[0]].concat();
        }
        rocks.scan(family, range, ReadOptions::default(), &mut |key, value| {
            if found.len() >= max {
                return Ok(ControlFlow::Break(()));
            }
            found.push((key.to_vec(), value.to_vec()));
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    /// Writes a record outside of any commit. It survives the end of the process; a power loss may undo it.
    ///
    /// # Errors
    /// [`WriteError`] when it cannot be stored.
    pub fn put_record(&self, space: RecordSpace, key: &[u8], value: &[u8]) -> Result<(), WriteError> {
        self.write_records(space, [(key.to_vec(), Some(value.to_vec()))])
    }

    /// Deletes a record outside of any commit, as [`Store::put_record`] writes one.
    ///
    /// # Errors
    /// [`WriteError`] when it cannot be stored.
    pub fn delete_record(&self, space: RecordSpace, key: &[u8]) -> Result<(), WriteError> {
        self.write_records(space, [(key.to_vec(), None)])
    }

    /// Writes (`Some`) and deletes (`None`) records in this order, all or none, as [`Store::put_record`] writes one.
    ///
    /// # Errors
    /// [`WriteError`] when they cannot be stored.
    pub fn write_records(
        &self,
        space: RecordSpace,
        writes: impl IntoIterator<Item = (Vec<u8>, Option<Vec<u8>>)>,
    ) -> Result<(), WriteError> {
        let shared = &self.0.shared;
        let rocks = shared.rocks()?;
        let family = rocks.families().records(space);
        let mut batch = WriteBatch::default();
        for (key, value) in writes {
            match value {
                Some(value) => batch.put_cf(family, key, value),
                None => batch.delete_cf(family, key),
            }
        }
        Ok(rocks.write(batch, false).inspect_err(|fault| shared.fails(fault))?)
    }

    /// Commits what waits, ends the threads and lets the listener go; when it returns everything is
    /// on the disk. Later commits are told [`CommitError::Closed`], reads go on. The directory stays
    /// locked until the last handle and snapshot are gone.
    pub fn close(&self) {
        self.0.close();
    }

    #[cfg(test)]
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.0.shared
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("last_seq", &self.last_seq()).finish_non_exhaustive()
    }
}

impl Inner {
    fn start(&self, name: &'static str, run: impl FnOnce() + Send + 'static) -> Result<(), OpenError> {
        let builder = thread::Builder::new().name(format!("kalamdb-{name}"));
        let thread = builder.spawn(run).map_err(OpenError::Thread)?;
        self.threads.lock().push(thread);
        Ok(())
    }

    fn close(&self) {
        let mut threads = self.threads.lock();
        if threads.is_empty() {
            return;
        }
        self.shared.begin_closing();
        // If the queue is full the committer is awake, and will look by itself.
        let _full = self.committer.try_send(Message::Wake);
        for thread in threads.drain(..) {
            // The listener may have held the last handle: then this is the committer, which is about to end.
            if thread.thread().id() != thread::current().id() && thread.join().is_err() {
                tracing::error!("a thread of the store has panicked");
            }
        }
        self.shared.set_listener(None);
        let closed = self.shared.rocks().and_then(|rocks| Numbers::close(&rocks));
        if let Err(error) = closed {
            tracing::error!(%error, "the store could not be closed cleanly");
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests;
