//! The one thread that turns write sets into commits.
//!
//! It takes all sets that wait, refuses those whose expectations no longer hold, numbers the changes
//! of the rest and writes them as one batch with one sync. While that is under way the next ones
//! gather; a set that comes alone waits for nobody. Then, in order: the new state is there for
//! snapshots, the listener hears of each commit, the writers are answered.
//!
//! A batch that RocksDB reports as failed fails its whole group, unless it turns out to be there all
//! the same (`recovery`). Its numbers are not used again by this process.

mod group;
mod index_entry;
mod numbers;
mod overlay;
mod recovery;

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{mpsc, oneshot};

use self::group::{Answers, Group};
pub(crate) use self::numbers::Numbers;
use self::recovery::{Outcome, Recovery, Unsettled};
use crate::error::StorageFault;
use crate::metrics;
use crate::options::Durability;
use crate::rocks::Rocks;
use crate::store::Shared;
use crate::write_set::{Commit, CommitError, Committed, WriteSet};

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
    recovery: Recovery,
}

/// A group was not written.
struct Failure {
    fault: StorageFault,
    /// Bytes of the change log with it, if RocksDB was given it.
    logged: Option<u64>,
}

impl Committer {
    /// A committer, and where to send to. The queue is bounded; who finds it full waits.
    pub(crate) fn new(shared: Arc<Shared>, numbers: Numbers) -> (Committer, mpsc::Sender<Message>) {
        let group_max = shared.options().commit_batch_max.max(1);
        let (sender, waiting) = mpsc::channel(group_max.saturating_mul(GROUPS_WAITING));
        (Committer { shared, numbers, waiting, group_max, recovery: Recovery::new() }, sender)
    }

    /// Commits until the store closes and nothing waits any more.
    pub(crate) fn run(mut self) {
        while let Some(message) = self.waiting.blocking_recv() {
            let group = self.gather(message);
            self.commit(group);
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

    /// Commits a group; an empty one only looks whether the disk works again.
    fn commit(&mut self, sets: Vec<(WriteSet, Answer)>) {
        let shared = Arc::clone(&self.shared);
        if let Some(fault) = shared.failing()
            && self.recovery.look(&shared) == Outcome::Failing
        {
            refuse_all(sets, &shared.failing().unwrap_or(fault));
            self.reopen();
            return;
        }
        let rocks = match shared.rocks() {
            Ok(rocks) => rocks,
            Err(fault) => {
                refuse_all(sets, &fault);
                return;
            }
        };
        let mut group = Group::new(&rocks, self.numbers.last(), shared.clock.now_micros());
        for (set, answer) in sets {
            group.offer(set, answer);
        }
        let written = if group.is_empty() { Ok(()) } else { self.write(&rocks, &mut group) };
        let (commits, answers) = group.end();
        match written {
            Ok(()) => {
                if let Some(listener) = shared.listener() {
                    commits.iter().for_each(|commit| listener(commit));
                }
                answers.send();
            }
            Err(failure) => {
                // Whoever opens the database again must be the only one to have it.
                drop(rocks);
                self.fail(failure, commits, answers);
            }
        }
    }

    /// Stores the group and makes it visible.
    fn write(&mut self, rocks: &Arc<Rocks>, group: &mut Group<'_>) -> Result<(), Failure> {
        let shared = &self.shared;
        let last = group.last();
        self.numbers.reserve(rocks, last).map_err(|fault| Failure { fault, logged: None })?;
        let (batch, logged) = group.finish(shared.logged.get());
        let sync = matches!(shared.durability, Durability::Sync);
        self.numbers.used(last);
        let started = Instant::now();
        rocks.commit(batch, sync).map_err(|fault| Failure { fault, logged: Some(logged) })?;
        metrics::written(group.len(), started.elapsed());
        shared.logged.set(logged);
        if !sync {
            shared.has_unsynced();
        }
        shared.publish(rocks, last);
        Ok(())
    }

    /// Finds out what became of a group whose write has failed, as far as that can be known now.
    fn fail(&mut self, Failure { fault, logged }: Failure, commits: Vec<Arc<Commit>>, answers: Answers) {
        metrics::storage_failed();
        self.shared.fails(&fault);
        let last = self.numbers.last();
        let unsettled = logged.map(|logged| Unsettled { commits, last, logged });
        let may_be_there = unsettled.is_some() && !fault.left_nothing();
        self.recovery.begin(unsettled.filter(|_| may_be_there));
        match self.recovery.look(&self.shared) {
            Outcome::Stored => answers.send(),
            Outcome::NotStored => answers.fail(&CommitError::NotStored(fault)),
            Outcome::Failing => {
                let unknown = if may_be_there { CommitError::Unsettled } else { CommitError::NotStored };
                answers.fail(&unknown(fault));
                self.reopen();
            }
        }
    }

    /// Tries to open the database again. Whoever wants to commit meanwhile is refused.
    fn reopen(&mut self) {
        if self.shared.is_closing() {
            // The next start opens it.
            return;
        }
        let (shared, waiting) = (&self.shared, &mut self.waiting);
        let mut refuse = || {
            while let Ok(message) = waiting.try_recv() {
                let fault = shared.failing().unwrap_or_else(StorageFault::not_open);
                match message {
                    Message::Commit(set, answer) => refuse_all(vec![(set, answer)], &fault),
                    Message::Wake => {}
                }
            }
        };
        self.recovery.reopen(shared, &mut refuse);
    }
}

/// Nothing of these is written.
fn refuse_all(sets: Vec<(WriteSet, Answer)>, fault: &StorageFault) {
    for (_, answer) in sets {
        let error = CommitError::NotStored(fault.clone());
        metrics::refused(&error);
        // A writer that has gone away does not want to know.
        let _gone = answer.send(Err(error));
    }
}

#[cfg(test)]
mod tests;
