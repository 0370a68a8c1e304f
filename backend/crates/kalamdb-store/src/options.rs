//! What can be set about a store. Every bound of this crate is here or a named constant.

use std::path::PathBuf;
use std::sync::Arc;

use crate::clock::{Clock, SystemClock};

/// When a commit is on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Before its writer is answered: it survives a power loss. Commits that wait together share one sync.
    Sync,
    /// Within this many milliseconds: it survives the end of the process, and the last moments may be
    /// lost with the power. A number that was told is never given out again even then.
    Interval {
        /// Time between two syncs.
        millis: u64,
    },
}

/// How a store is opened.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// The directory; made if it is not there.
    pub dir: PathBuf,
    /// When a commit is on the disk.
    pub durability: Durability,
    /// How long a change is kept for those who resume.
    pub history_max_age_secs: u64,
    /// How many bytes of changes are kept for those who resume, before compression.
    pub history_max_bytes: u64,
    /// Memory for blocks that were read, shared by everything in the store.
    pub block_cache_bytes: usize,
    /// Memory for what was written and is not in a table file yet, shared by everything in the store.
    pub write_buffer_bytes: usize,
    /// Most write sets that are written together; as many again, times four, may wait.
    pub commit_batch_max: usize,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// What is to go wrong below.
    #[cfg(any(test, feature = "faults"))]
    pub faults: Option<crate::faults::Faults>,
}

impl StoreOptions {
    /// The defaults: synced commits, one day or 1 GiB of history.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        StoreOptions {
            dir: dir.into(),
            durability: Durability::Sync,
            history_max_age_secs: 86_400,
            history_max_bytes: 1 << 30,
            block_cache_bytes: 128 << 20,
            write_buffer_bytes: 64 << 20,
            commit_batch_max: 1024,
            clock: Arc::new(SystemClock),
            #[cfg(any(test, feature = "faults"))]
            faults: None,
        }
    }
}
