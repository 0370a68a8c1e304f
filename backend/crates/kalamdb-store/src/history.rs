//! How far back the change log reaches, and what makes it shorter.
//!
//! Changes are kept by table and scope, so that a resume reads only its own; what is oldest cannot
//! be seen from such keys. So every group of commits leaves a **trail**: one small entry per table
//! and scope it touched, keyed by SeqId, with the group's time and the bytes logged before it. The
//! trail's front is what goes next, by age and by bytes; nothing ever looks through the whole log,
//! and a change needs no time of its own.
//!
//! Each table has a **floor**, the last of its changes that was trimmed. It is raised in the very
//! batch that deletes, so a snapshot sees both or neither: from its floor on, a table's changes are
//! complete. A new table's floor is the commit that made it: whoever read an older table of its name
//! has rows that are no business of this one.
//!
//! SeqIds that an unclean stop may have lost are **lost numbers**: no resume is served from them.

mod lost;
mod trail;
mod trim;

use std::sync::atomic::{AtomicU64, Ordering};

pub(crate) use lost::LostNumbers;
pub(crate) use trail::{Touched, TrailEntry};
pub(crate) use trim::{TrimError, Trimmer};

/// Bytes that were ever written to the change log, as far as differences tell.
#[derive(Debug, Default)]
pub(crate) struct LoggedBytes(AtomicU64);

impl LoggedBytes {
    pub(crate) const fn new(bytes: u64) -> Self {
        LoggedBytes(AtomicU64::new(bytes))
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// Only the committer counts.
    pub(crate) fn set(&self, bytes: u64) {
        self.0.store(bytes, Ordering::Release);
    }
}

#[cfg(test)]
mod tests;
