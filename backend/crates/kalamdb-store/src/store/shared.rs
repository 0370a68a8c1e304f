//! What the handle and the store's two threads share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use kalamdb_commons::SeqId;
use parking_lot::{Condvar, Mutex, RwLock};

use crate::clock::Clock;
use crate::error::ReadError;
use crate::history::{LoggedBytes, LostNumbers, TrailEntry};
use crate::options::{Durability, StoreOptions};
use crate::rocks::Rocks;
use crate::snapshot::Snapshot;
use crate::store::Listener;

/// The state of an open store.
pub(crate) struct Shared {
    pub(crate) rocks: Arc<Rocks>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) durability: Durability,
    pub(crate) logged: Arc<LoggedBytes>,
    lost: Arc<LostNumbers>,
    /// The state as of the last commit. Everybody shares it, so taking a snapshot asks RocksDB for nothing.
    current: RwLock<Snapshot>,
    listener: Mutex<Option<Listener>>,
    unsynced: AtomicBool,
    closing: Mutex<bool>,
    closes: Condvar,
}

impl Shared {
    pub(crate) fn new(
        rocks: Arc<Rocks>,
        options: &StoreOptions,
        last: SeqId,
        lost: LostNumbers,
    ) -> Result<Shared, ReadError> {
        let lost = Arc::new(lost);
        let newest = TrailEntry::newest(&rocks)?;
        let logged = LoggedBytes::new(newest.map_or(0, |entry| entry.logged_after()));
        Ok(Shared {
            clock: Arc::clone(&options.clock),
            durability: options.durability,
            logged: Arc::new(logged),
            current: RwLock::new(Snapshot::take(&rocks, last, &lost)),
            lost,
            rocks,
            listener: Mutex::new(None),
            unsynced: AtomicBool::new(false),
            closing: Mutex::new(false),
            closes: Condvar::new(),
        })
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        self.current.read().clone()
    }

    pub(crate) fn last_seq(&self) -> SeqId {
        self.current.read().seq()
    }

    /// Shows the state as of the commit `last` from now on. Only the committer knows that it is so.
    pub(crate) fn publish(&self, last: SeqId) {
        let snapshot = Snapshot::take(&self.rocks, last, &self.lost);
        let before = std::mem::replace(&mut *self.current.write(), snapshot);
        // Neither taking nor letting go of a snapshot is waited for by those who ask for one.
        drop(before);
    }

    /// Shows what has changed without a commit: the history may be shorter.
    pub(crate) fn refresh(&self) -> Result<(), ReadError> {
        // Locked first, or a commit's snapshot could be replaced by one that was taken before it.
        let mut current = self.current.write();
        let refreshed = Snapshot::take_unnamed(&self.rocks, &self.lost)?;
        let before = std::mem::replace(&mut *current, refreshed);
        drop(current);
        drop(before);
        Ok(())
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
