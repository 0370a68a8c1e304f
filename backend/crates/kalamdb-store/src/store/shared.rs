//! What the handle and the store's two threads share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use kalamdb_commons::SeqId;
use parking_lot::{Condvar, Mutex, RwLock};

use crate::clock::Clock;
use crate::error::{OpenError, ReadError, StorageFault};
use crate::history::{LoggedBytes, LostNumbers, TrailEntry};
use crate::metrics;
use crate::options::{Durability, StoreOptions};
use crate::rocks::Rocks;
use crate::snapshot::Snapshot;
use crate::store::Listener;

/// Time between two looks at whether all readers have let go of the database.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// The state of an open store.
pub(crate) struct Shared {
    options: StoreOptions,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) durability: Durability,
    pub(crate) logged: Arc<LoggedBytes>,
    lost: Arc<LostNumbers>,
    source: RwLock<Source>,
    /// Why nothing is written at the moment.
    failing: Mutex<Option<StorageFault>>,
    listener: Mutex<Option<Listener>>,
    unsynced: AtomicBool,
    closing: Mutex<bool>,
    closes: Condvar,
}

/// What everything is read from.
struct Source {
    /// There is none while it cannot be opened again after a failure.
    rocks: Option<Arc<Rocks>>,
    /// The state as of the last commit. Everybody shares it, so taking a snapshot asks RocksDB for nothing.
    current: Snapshot,
}

/// What became of opening the database again.
pub(crate) enum Reopening {
    /// It is open.
    Done,
    /// Somebody was still reading; it is open as it was.
    InUse,
    /// It is closed, and could not be opened.
    Failed(OpenError),
}

impl Shared {
    pub(crate) fn new(
        rocks: Arc<Rocks>,
        options: StoreOptions,
        last: SeqId,
        lost: LostNumbers,
    ) -> Result<Shared, ReadError> {
        let lost = Arc::new(lost);
        let newest = TrailEntry::newest(&rocks)?;
        let logged = LoggedBytes::new(newest.map_or(0, |entry| entry.logged_after()));
        Ok(Shared {
            clock: Arc::clone(&options.clock),
            durability: options.durability,
            options,
            logged: Arc::new(logged),
            source: RwLock::new(Source { current: Snapshot::take(&rocks, last, &lost), rocks: Some(rocks) }),
            lost,
            failing: Mutex::new(None),
            listener: Mutex::new(None),
            unsynced: AtomicBool::new(false),
            closing: Mutex::new(false),
            closes: Condvar::new(),
        })
    }

    /// The database. Not to be kept: while anybody has it, it cannot be opened again after a failure.
    pub(crate) fn rocks(&self) -> Result<Arc<Rocks>, StorageFault> {
        self.source.read().rocks.clone().ok_or_else(StorageFault::not_open)
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        self.source.read().current.clone()
    }

    pub(crate) fn last_seq(&self) -> SeqId {
        self.source.read().current.seq()
    }

    /// Shows the state as of the commit `last` from now on. Only the committer knows that it is so.
    pub(crate) fn publish(&self, rocks: &Arc<Rocks>, last: SeqId) {
        let snapshot = Snapshot::take(rocks, last, &self.lost);
        let before = std::mem::replace(&mut self.source.write().current, snapshot);
        // Neither taking nor letting go of a snapshot is waited for by those who ask for one.
        drop(before);
    }

    /// Shows what has changed without a commit: the history may be shorter.
    pub(crate) fn refresh(&self) -> Result<(), ReadError> {
        // Locked first, or a commit's snapshot could be replaced by one that was taken before it.
        let mut source = self.source.write();
        let Some(rocks) = &source.rocks else { return Ok(()) };
        let refreshed = Snapshot::take_unnamed(rocks, &self.lost)?;
        if refreshed.seq() != source.current.seq() {
            // A commit is about to be shown by the committer, or has failed and nobody may know of it yet.
            return Ok(());
        }
        let before = std::mem::replace(&mut source.current, refreshed);
        drop(source);
        drop(before);
        Ok(())
    }

    /// Closes the database and opens it again, which is how RocksDB gets over what it holds for a grave
    /// error. Whoever begins to read meanwhile waits; those who are reading are waited for until `patience`
    /// is over, and `meanwhile` is called.
    pub(crate) fn reopen(&self, patience: Duration, meanwhile: &mut dyn FnMut()) -> Reopening {
        let mut source = self.source.write();
        if let Some(rocks) = &source.rocks {
            let begun = Instant::now();
            // One is ours, the other the current snapshot's.
            while !source.current.is_sole() || Arc::strong_count(rocks) > 2 {
                if begun.elapsed() >= patience {
                    return Reopening::InUse;
                }
                meanwhile();
                thread::park_timeout(LOOK_EVERY);
            }
        }
        source.current = Snapshot::unreadable(source.current.seq(), &self.lost);
        source.rocks = None;
        let opened = Rocks::open(&self.options).and_then(|rocks| {
            let rocks = Arc::new(rocks);
            Ok((Snapshot::take_unnamed(&rocks, &self.lost)?, rocks))
        });
        match opened {
            Ok((current, rocks)) => {
                *source = Source { rocks: Some(rocks), current };
                metrics::reopened();
                Reopening::Done
            }
            Err(error) => Reopening::Failed(error),
        }
    }

    pub(crate) fn options(&self) -> &StoreOptions {
        &self.options
    }

    /// The disk did not take something: nothing is committed until the committer has found that it does again.
    pub(crate) fn fails(&self, fault: &StorageFault) {
        let mut failing = self.failing.lock();
        if failing.is_none() {
            tracing::error!(error = %fault, "the disk does not take what is written; it is tried again every second");
            metrics::failing(true);
        }
        *failing = Some(fault.clone());
    }

    /// Why nothing is written at the moment, if that is so.
    pub(crate) fn failing(&self) -> Option<StorageFault> {
        self.failing.lock().clone()
    }

    /// The disk takes what is written again.
    pub(crate) fn works(&self) {
        if self.failing.lock().take().is_some() {
            tracing::info!("the disk takes what is written again");
            metrics::failing(false);
        }
    }

    pub(crate) fn set_listener(&self, listener: Option<Listener>) {
        let before = std::mem::replace(&mut *self.listener.lock(), listener);
        drop(before);
    }

    pub(crate) fn listener(&self) -> Option<Listener> {
        self.listener.lock().clone()
    }

    /// Something was written that is not on the disk yet.
    pub(crate) fn has_unsynced(&self) {
        self.unsynced.store(true, Ordering::Release);
    }

    /// Is there something to sync? The caller does it.
    pub(crate) fn take_unsynced(&self) -> bool {
        self.unsynced.swap(false, Ordering::AcqRel)
    }

    #[cfg(test)]
    pub(crate) fn is_unsynced(&self) -> bool {
        self.unsynced.load(Ordering::Acquire)
    }

    pub(crate) fn is_closing(&self) -> bool {
        *self.closing.lock()
    }

    pub(crate) fn begin_closing(&self) {
        *self.closing.lock() = true;
        self.closes.notify_all();
    }

    /// Waits until `deadline`, or less if the store closes: then the answer is yes.
    pub(crate) fn closes_before(&self, deadline: Instant) -> bool {
        let mut closing = self.closing.lock();
        while !*closing {
            if self.closes.wait_until(&mut closing, deadline).timed_out() {
                break;
            }
        }
        *closing
    }
}
