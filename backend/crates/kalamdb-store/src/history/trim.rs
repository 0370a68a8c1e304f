//! Takes from the change log what is too old or too much, in small steps.
//!
//! A step is one batch of bounded size, so commits never wait long behind it. A reader on a
//! snapshot that is already there sees none of it.

use std::ops::ControlFlow;
use std::sync::Arc;

use kalamdb_commons::{SeqId, TableId};
use rocksdb::{ReadOptions, WriteBatch};
use rustc_hash::FxHashMap;

use super::{LoggedBytes, TrailEntry};
use crate::clock::Clock;
use crate::error::{ReadError, WriteError};
use crate::key::layout::{self, ByteRange};
use crate::meta;
use crate::options::StoreOptions;
use crate::rocks::Rocks;

/// Most deletions of one step.
const STEP_MAX: usize = 1024;

const MICROS_PER_SEC: u64 = 1_000_000;

/// Why a step was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TrimError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// What a step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Trimmed {
    /// So many changes went.
    pub(crate) changes: usize,
    /// Is there more to trim?
    pub(crate) more: bool,
}

/// Trims the history; there is one per store.
pub(crate) struct Trimmer {
    clock: Arc<dyn Clock>,
    logged: Arc<LoggedBytes>,
    max_age_micros: u64,
    max_bytes: u64,
    /// Entries of the trail up to here are gone: looking further on spares RocksDB the way through their graves.
    gone: SeqId,
    /// Changes up to here of the entry after that are gone.
    gone_within: SeqId,
    /// Bytes of the log before the oldest entry that is there.
    logged_before: u64,
}

/// One step in the making.
#[derive(Default)]
struct Step {
    batch: WriteBatch,
    floors: FxHashMap<TableId, SeqId>,
    changes: usize,
    entries: usize,
    gone: SeqId,
    gone_within: SeqId,
}

impl Trimmer {
    pub(crate) fn new(options: &StoreOptions, logged: Arc<LoggedBytes>) -> Trimmer {
        let logged_before = logged.get();
        Trimmer {
            clock: Arc::clone(&options.clock),
            logged,
            max_age_micros: options.history_max_age_secs.saturating_mul(MICROS_PER_SEC),
            max_bytes: options.history_max_bytes,
            gone: SeqId::ZERO,
            gone_within: SeqId::ZERO,
            logged_before,
        }
    }

    /// Bytes of the change log that are kept, before compression.
    pub(crate) fn kept_bytes(&self) -> u64 {
        self.logged.get().saturating_sub(self.logged_before)
    }

    /// Trims the oldest of what is too old or too much.
    pub(crate) fn step(&mut self, rocks: &Rocks) -> Result<Trimmed, TrimError> {
        let now = self.clock.now_micros();
        let logged = self.logged.get();
        let mut step = Step { gone: self.gone, gone_within: self.gone_within, ..Step::default() };
        let mut more = false;
        let mut logged_before = logged;
        let trail = meta::trail_behind(self.gone);
        rocks.scan(rocks.families().meta, trail, ReadOptions::default(), &mut |key, value| {
            let entry = TrailEntry::decode(key, value)?;
            logged_before = entry.logged_before;
            if !self.is_due(&entry, now, logged) {
                return Ok(ControlFlow::Break(()));
            }
            more = !step.delete(rocks, &entry)?;
            if more {
                return Ok(ControlFlow::Break(()));
            }
            logged_before = logged;
            Ok(ControlFlow::Continue(()))
        })?;
        self.logged_before = logged_before;
        if step.changes == 0 && step.entries == 0 {
            return Ok(Trimmed { changes: 0, more: false });
        }
        step.raise_floors(rocks)?;
        rocks.write(step.batch, false).map_err(WriteError::from)?;
        (self.gone, self.gone_within) = (step.gone, step.gone_within);
        Ok(Trimmed { changes: step.changes, more })
    }

    /// Is the entry too old, or the log too long with it? A time far from now in either direction says
    /// that the clock was wrong; its entry goes, lest it stay for ever.
    fn is_due(&self, entry: &TrailEntry, now: i64, logged: u64) -> bool {
        now.abs_diff(entry.at_micros) >= self.max_age_micros
            || logged.saturating_sub(entry.logged_before) > self.max_bytes
    }
}

impl Step {
    /// Deletes the entry's changes, and the entry itself if they are all gone with it.
    fn delete(&mut self, rocks: &Rocks, entry: &TrailEntry) -> Result<bool, ReadError> {
        let mut room = STEP_MAX.saturating_sub(self.changes).saturating_sub(self.entries);
        let first = entry.first.max(self.gone_within.next());
        let range = ByteRange { lower: entry.change_key(first), upper: entry.change_key(entry.last.next()) };
        let families = rocks.families();
        rocks.scan(families.changes, range, ReadOptions::default(), &mut |key, _| {
            if room == 0 {
                return Ok(ControlFlow::Break(()));
            }
            room = room.saturating_sub(1);
            self.batch.delete_cf(families.changes, key);
            self.took(key)?;
            Ok(ControlFlow::Continue(()))
        })?;
        if room == 0 {
            return Ok(false);
        }
        self.batch.delete_cf(families.meta, meta::trail_key(entry.last));
        self.entries = self.entries.saturating_add(1);
        (self.gone, self.gone_within) = (entry.last, SeqId::ZERO);
        Ok(true)
    }

    fn took(&mut self, key: &[u8]) -> Result<(), ReadError> {
        let damaged = |reason| ReadError::Corrupt { what: "change", reason };
        let (table, ..) = layout::split_prefix(key).map_err(|_| damaged("its key names no table and scope"))?;
        let seq = layout::change_seq(key).ok_or(damaged("its key is too short"))?;
        let floor = self.floors.entry(TableId(table)).or_default();
        *floor = seq.max(*floor);
        self.changes = self.changes.saturating_add(1);
        self.gone_within = seq;
        Ok(())
    }

    /// Floors only rise: a table's entries may come in another order than its changes.
    fn raise_floors(&mut self, rocks: &Rocks) -> Result<(), ReadError> {
        let meta = rocks.families().meta;
        for (table, floor) in &self.floors {
            let key = meta::floor_key(*table);
            let current = rocks.get(meta, &key)?.map(|bytes| meta::decode_seq(&bytes)).transpose()?;
            if current.is_none_or(|current| current < *floor) {
                self.batch.put_cf(meta, key, meta::encode_number(floor.0));
            }
        }
        Ok(())
    }
}
