//! The SeqIds: which comes next, and what is promised about those that may be lost.
//!
//! In interval mode a commit is told before it is on the disk. So a mark is kept ahead, and synced
//! before any number behind it is told; after an unclean stop counting goes on behind the mark, and
//! what lies before it and is not in the data is lost for good.

use kalamdb_commons::SeqId;
use rocksdb::WriteBatch;

use crate::error::{OpenError, StorageFault};
use crate::history::LostNumbers;
use crate::meta;
use crate::options::Durability;
use crate::rocks::Rocks;

/// How far ahead the mark is set: one sync in so many changes.
const RESERVED_AHEAD: u64 = 1 << 20;

/// Gives out SeqIds.
#[derive(Debug)]
pub(crate) struct Numbers {
    /// The last number that was ever given out.
    last: SeqId,
    /// In interval mode, the mark.
    reserved: Option<SeqId>,
}

impl Numbers {
    /// Goes on where the last process stopped. Its last commit is at [`Numbers::last`] of the result.
    pub(crate) fn open(rocks: &Rocks, durability: Durability) -> Result<(Numbers, LostNumbers), OpenError> {
        let families = rocks.families();
        let mut batch = WriteBatch::default();
        let mut last = SeqId(meta::read_number(rocks, meta::LAST_SEQ)?.unwrap_or_default());
        let mut lost = match rocks.get(families.meta, meta::LOST)? {
            Some(bytes) => LostNumbers::decode(&bytes)?,
            None => LostNumbers::default(),
        };
        if let Some(reserved) = meta::read_number(rocks, meta::RESERVED)? {
            let through = SeqId(reserved).max(last);
            tracing::warn!(
                after = last.0,
                through = through.0,
                "the last stop was not clean; these SeqIds are skipped"
            );
            lost.add(last, through);
            last = through.next();
            batch.put_cf(families.meta, meta::LOST, lost.encode());
            batch.put_cf(families.meta, meta::LAST_SEQ, meta::encode_number(last.0));
            batch.delete_cf(families.meta, meta::RESERVED);
        }
        let reserved = match durability {
            Durability::Sync => None,
            Durability::Interval { .. } => {
                let mark = ahead_of(last);
                batch.put_cf(families.meta, meta::RESERVED, meta::encode_number(mark.0));
                Some(mark)
            }
        };
        if !batch.is_empty() {
            rocks.write(batch, true)?;
        }
        Ok((Numbers { last, reserved }, lost))
    }

    /// The last number that was given out.
    pub(crate) const fn last(&self) -> SeqId {
        self.last
    }

    /// Makes sure that the numbers up to `last` may be told.
    pub(crate) fn reserve(&mut self, rocks: &Rocks, last: SeqId) -> Result<(), StorageFault> {
        if self.reserved.is_none_or(|reserved| reserved >= last) {
            return Ok(());
        }
        let mark = ahead_of(last);
        let mut batch = WriteBatch::default();
        batch.put_cf(rocks.families().meta, meta::RESERVED, meta::encode_number(mark.0));
        rocks.write(batch, true)?;
        self.reserved = Some(mark);
        Ok(())
    }

    /// The numbers up to `last` are used up, written or not.
    pub(crate) const fn used(&mut self, last: SeqId) {
        self.last = last;
    }

    /// Notes that all numbers are on the disk.
    pub(crate) fn close(rocks: &Rocks) -> Result<(), StorageFault> {
        // Everything first: the mark must not go while a number that was told could still be lost.
        rocks.sync()?;
        let mut batch = WriteBatch::default();
        batch.delete_cf(rocks.families().meta, meta::RESERVED);
        rocks.write(batch, true)
    }
}

const fn ahead_of(last: SeqId) -> SeqId {
    SeqId(last.0.saturating_add(RESERVED_AHEAD))
}
