//! What happens when the disk did not take a group: finding out what became of it, and going on.
//!
//! RocksDB refuses everything after a failed write. From some failures (no space) it recovers by
//! itself; from all others only by being opened again, which is done here as soon as the disk takes
//! a file as large as what opening will write. Until then commits are refused, and reads go on.
//!
//! A group whose write was reported as failed may all the same be in RocksDB's log, whole. While
//! that is not known it is **unsettled**: nothing is committed behind it. When the database works
//! again its last SeqId tells; if the group is there it is shown and told like any other.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kalamdb_commons::SeqId;
use rocksdb::WriteBatch;

use crate::error::StorageFault;
use crate::meta;
use crate::rocks::{Rocks, room};
use crate::store::{Reopening, Shared};
use crate::write_set::Commit;

/// Time between two tries to open the database again.
const RETRY_EVERY: Duration = Duration::from_secs(1);

/// How long those who read are waited for at the first try, and at the most.
const PATIENCE: Duration = Duration::from_millis(250);
const PATIENCE_MAX: Duration = Duration::from_secs(2);

/// A group of which it is not known whether it is in the database.
#[derive(Debug)]
pub(super) struct Unsettled {
    pub(super) commits: Vec<Arc<Commit>>,
    /// SeqId of its last commit.
    pub(super) last: SeqId,
    /// Bytes of the change log with it.
    pub(super) logged: u64,
}

/// What is known about the disk and the unsettled group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The store works, and the group is there.
    Stored,
    /// The store works, and the group is not there, or there was none.
    NotStored,
    /// The store does not work.
    Failing,
}

/// The way back from a failure.
#[derive(Debug)]
pub(super) struct Recovery {
    unsettled: Option<Unsettled>,
    next_try: Instant,
    patience: Duration,
    /// Commits that were told are not in the database any more: nothing that is known here is true of it.
    has_lost: bool,
}

impl Recovery {
    pub(super) fn new() -> Recovery {
        Recovery { unsettled: None, next_try: Instant::now(), patience: PATIENCE, has_lost: false }
    }

    /// A write has failed; with it the group, if it may be there nevertheless.
    pub(super) fn begin(&mut self, unsettled: Option<Unsettled>) {
        self.unsettled = unsettled;
        self.next_try = Instant::now();
        self.patience = PATIENCE;
    }

    /// Looks whether the database works (again).
    pub(super) fn look(&mut self, shared: &Shared) -> Outcome {
        if self.has_lost {
            return Outcome::Failing;
        }
        shared.rocks().and_then(|rocks| self.settle(shared, &rocks)).unwrap_or_else(|fault| {
            shared.fails(&fault);
            Outcome::Failing
        })
    }

    /// Opens the database again if it is time to try that and there is room for what it takes, and looks.
    ///
    /// A writer holds a snapshot until it is answered, so `refuse` must answer all that wait; it is called
    /// again and again until nobody reads any more.
    pub(super) fn reopen(&mut self, shared: &Shared, refuse: &mut dyn FnMut()) {
        if self.has_lost || Instant::now() < self.next_try {
            return;
        }
        let told = shared.last_seq();
        let is_open = self.try_to_open(shared, refuse);
        self.next_try = Instant::now().checked_add(RETRY_EVERY).unwrap_or(self.next_try);
        if !is_open {
            return;
        }
        let found = shared.last_seq();
        if found < told {
            self.has_lost = true;
            shared.fails(&StorageFault::new("the disk has lost commits"));
            tracing::error!(
                found = found.0,
                told = told.0,
                "the disk has lost commits that were told; nothing more is committed until the server is started again"
            );
            return;
        }
        self.look(shared);
    }

    /// Writes something without meaning, to see whether that can be done and to have what was written
    /// before on the disk, and then looks what is there.
    fn settle(&mut self, shared: &Shared, rocks: &Arc<Rocks>) -> Result<Outcome, StorageFault> {
        let mut batch = WriteBatch::default();
        batch.delete_cf(rocks.families().meta, meta::TRIAL);
        rocks.write(batch, true)?;
        let last = rocks.get(rocks.families().meta, meta::LAST_SEQ)?;
        let last = last.map(|bytes| meta::decode_seq(&bytes)).transpose()?.unwrap_or_default();
        let stored = self.unsettled.take().filter(|group| group.last <= last);
        shared.works();
        let Some(group) = stored else { return Ok(Outcome::NotStored) };
        shared.logged.set(group.logged);
        shared.publish(rocks, group.last);
        if let Some(listener) = shared.listener() {
            group.commits.iter().for_each(|commit| listener(commit));
        }
        Ok(Outcome::Stored)
    }

    /// Says whether the database is open anew.
    fn try_to_open(&mut self, shared: &Shared, refuse: &mut dyn FnMut()) -> bool {
        // Opening writes, and so must not happen where a test has cut the power.
        #[cfg(any(test, feature = "faults"))]
        if shared.options().faults.as_ref().is_some_and(crate::faults::Faults::is_cut) {
            return false;
        }
        if let Err(error) = room::probe(&shared.options().dir) {
            tracing::debug!(%error, "there is no room to open the database again");
            return false;
        }
        match shared.reopen(self.patience, refuse) {
            Reopening::Done => true,
            Reopening::InUse => {
                self.patience = self.patience.saturating_mul(2).min(PATIENCE_MAX);
                false
            }
            Reopening::Failed(error) => {
                tracing::error!(%error, "the database could not be opened again; nothing can be read until it is");
                false
            }
        }
    }
}

#[cfg(test)]
mod tests;
