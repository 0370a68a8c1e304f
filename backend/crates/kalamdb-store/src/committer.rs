//! The one thread that turns write sets into commits.
//!
//! It takes all sets that wait, refuses those whose expectations no longer hold, numbers the changes
//! of the rest and writes them as one batch with one sync. While that is under way the next ones
//! gather; a set that comes alone waits for nobody. Then, in order: the new state is there for
//! snapshots, the listener hears of each commit, the writers are answered.
//!
//! A batch that RocksDB reports as failed fails its whole group. Its numbers are not used again by
//! this process, for RocksDB may have put some of it on the disk; later groups may well succeed.

mod group;
mod index_entry;
mod numbers;
mod overlay;

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{mpsc, oneshot};

use self::group::Group;
pub(crate) use self::numbers::Numbers;
use crate::error::StorageFault;
use crate::metrics;
use crate::options::{Durability, StoreOptions};
use crate::store::Shared;
use crate::write_set::{CommitError, Committed, WriteSet};

/// Rows of the sets that are written together, unless one alone has more. Bounds what one batch can take.
const GROUP_ROWS_MAX: usize = 1 << 16;

/// How many full groups may wait.
const GROUPS_WAITING: usize = 4;

/// Where a writer waits.
pub(crate) type Answer = oneshot::Sender<Result<Committed, CommitError>>;

/// What is sent to the committer.
#[derive(Debug)]
pub(crate) enum Message {
    /// A set to commit, and whom to answer.
    Commit(WriteSet, Answer),
    /// Look whether the store is closing.
    Wake,
}

/// Makes commits, on its own thread.
pub(crate) struct Committer {
    shared: Arc<Shared>,
    numbers: Numbers,
    waiting: mpsc::Receiver<Message>,
    group_max: usize,
}

impl Committer {
    /// A committer, and where to send to. The queue is bounded; who finds it full waits.
    pub(crate) fn new(
        shared: Arc<Shared>,
        numbers: Numbers,
        options: &StoreOptions,
    ) -> (Committer, mpsc::Sender<Message>) {
        let group_max = options.commit_batch_max.max(1);
        let (sender, waiting) = mpsc::channel(group_max.saturating_mul(GROUPS_WAITING));
        (Committer { shared, numbers, waiting, group_max }, sender)
    }

    /// Commits until the store closes and nothing waits any more.
    pub(crate) fn run(mut self) {
        while let Some(message) = self.waiting.blocking_recv() {
            let group = self.gather(message);
            if !group.is_empty() {
                self.commit(group);
            }
            if self.shared.is_closing() {
                // What waits is still taken; whoever comes now is told.
                self.waiting.close();
            }
        }
    }

    /// The first set and those that wait behind it, up to a group's size.
    fn gather(&mut self, first: Message) -> Vec<(WriteSet, Answer)> {
        let mut group = Vec::new();
        let mut rows = 0_usize;
        let mut next = Some(first);
        while let Some(message) = next {
            if let Message::Commit(set, answer) = message {
                rows = rows.saturating_add(set.rows.len()).saturating_add(set.build_index.len());
                group.push((set, answer));
            }
            let full = group.len() >= self.group_max || rows >= GROUP_ROWS_MAX;
            next = if full { None } else { self.waiting.try_recv().ok() };
        }
        group
    }

    fn commit(&mut self, sets: Vec<(WriteSet, Answer)>) {
        let shared = Arc::clone(&self.shared);
        let mut group = Group::new(&shared.rocks, self.numbers.last(), shared.clock.now_micros());
        for (set, answer) in sets {
            group.offer(set, answer);
        }
        if !group.is_empty() {
            match self.write(&mut group) {
                Ok(()) => {
                    if let Some(listener) = shared.listener() {
                        group.tell(&listener);
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "a group of commits could not be stored");
                    metrics::storage_failed();
                    group.fail(&error);
                }
            }
        }
        group.answer();
    }

    /// Stores the group and makes it visible.
    fn write(&mut self, group: &mut Group<'_>) -> Result<(), StorageFault> {
        let shared = &self.shared;
        let last = group.last();
        self.numbers.reserve(&shared.rocks, last)?;
        let (batch, logged) = group.finish(shared.logged.get());
        let sync = matches!(shared.durability, Durability::Sync);
        self.numbers.used(last);
        let started = Instant::now();
        shared.rocks.commit(batch, sync)?;
        metrics::written(group.len(), started.elapsed());
        shared.logged.set(logged);
        if !sync {
            shared.has_unsynced();
        }
        shared.publish(last);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
