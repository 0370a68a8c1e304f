//! How far the catalog has come, for those who read without holding up its changes.
//!
//! A commit is visible to new snapshots a moment before the catalog has taken it over. A query that
//! caught that moment would look for an index that is gone, or read rows by columns they no longer
//! have; so while the catalog changes, a query waits until it has caught up with the snapshot.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use kalamdb_commons::SeqId;

/// Between two looks at how far the catalog has come.
const LOOK_EVERY: Duration = Duration::from_micros(200);

/// Is the catalog changing, and which commits has it taken over?
#[derive(Debug)]
pub struct CatalogProgress {
    changing: AtomicBool,
    applied: AtomicU64,
}

impl CatalogProgress {
    /// A catalog at rest that stands at `seq`.
    #[must_use]
    pub fn at(seq: SeqId) -> Self {
        CatalogProgress { changing: AtomicBool::new(false), applied: AtomicU64::new(seq.0) }
    }

    /// The catalog has taken over the commit of this name.
    pub fn applied(&self, seq: SeqId) {
        self.applied.store(seq.0, Ordering::Release);
    }

    /// Says that the catalog changes until the answer is dropped.
    pub fn change(self: &Arc<Self>) -> Changing {
        self.changing.store(true, Ordering::SeqCst);
        Changing(Arc::clone(self))
    }

    pub(super) fn is_changing(&self) -> bool {
        self.changing.load(Ordering::SeqCst)
    }

    /// Returns when the catalog has taken over every commit up to `seq`.
    pub(super) async fn reaches(&self, seq: SeqId) {
        while self.applied.load(Ordering::Acquire) < seq.0 {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// The catalog changes while this is there.
#[derive(Debug)]
pub struct Changing(Arc<CatalogProgress>);

impl Drop for Changing {
    fn drop(&mut self) {
        self.0.changing.store(false, Ordering::SeqCst);
    }
}
