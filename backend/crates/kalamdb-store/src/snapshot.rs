//! Everything as of the end of one commit.
//!
//! A snapshot never changes, whatever is written, purged or trimmed after it: rows, index entries,
//! changes and how far the history reaches are all those of its commit. It costs nothing to clone;
//! while one is held, RocksDB keeps what it shows on the disk.

use std::fmt;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use kalamdb_commons::{IndexId, SeqId, TableId};
use rocksdb::{ColumnFamily, DBPinnableSlice, ReadOptions};
use self_cell::self_cell;

use crate::change_log;
use crate::error::{ReadError, StorageFault};
use crate::history::LostNumbers;
use crate::key::layout::{self, ByteRange};
use crate::key::{KeyRange, RowKey, Scope};
use crate::meta;
use crate::rocks::{Families, Pinned, Rocks, Visit};
use crate::row_codec;
use crate::write_set::{Change, StoredRow};

/// The database as it was, and how to read single keys of it.
struct Pin<'a> {
    /// Last, so that what points at it goes first.
    point: ReadOptions,
    pinned: Pinned<'a>,
}

self_cell!(
    struct View {
        owner: Arc<Rocks>,

        #[covariant]
        dependent: Pin,
    }
);

/// Which of the column families.
type Find = for<'a> fn(&Families<'a>) -> &'a ColumnFamily;

/// All rows exactly as of one commit; cheap to clone.
#[derive(Clone)]
pub struct Snapshot(Arc<Stand>);

struct Stand {
    seq: SeqId,
    /// There is none while the database cannot be opened again after a failure.
    view: Option<View>,
    lost: Arc<LostNumbers>,
}

impl Snapshot {
    /// The state as it is now. The caller knows that `seq` is its last commit.
    pub(crate) fn take(rocks: &Arc<Rocks>, seq: SeqId, lost: &Arc<LostNumbers>) -> Snapshot {
        Snapshot(Arc::new(Stand { seq, view: Some(pin(rocks)), lost: Arc::clone(lost) }))
    }

    /// The state at `seq`, of a database that is not open: whatever is read of it is an error.
    pub(crate) fn unreadable(seq: SeqId, lost: &Arc<LostNumbers>) -> Snapshot {
        Snapshot(Arc::new(Stand { seq, view: None, lost: Arc::clone(lost) }))
    }

    /// The state as it is now, which says itself where it stands.
    pub(crate) fn take_unnamed(rocks: &Arc<Rocks>, lost: &Arc<LostNumbers>) -> Result<Snapshot, ReadError> {
        let mut stand = Stand { seq: SeqId::ZERO, view: Some(pin(rocks)), lost: Arc::clone(lost) };
        let seq = match stand.point(|families| families.meta, meta::LAST_SEQ)? {
            Some(bytes) => meta::decode_seq(&bytes)?,
            None => SeqId::ZERO,
        };
        stand.seq = seq;
        Ok(Snapshot(Arc::new(stand)))
    }

    /// Does nobody else have it?
    pub(crate) fn is_sole(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }

    /// The commit it stands at.
    #[must_use]
    pub fn seq(&self) -> SeqId {
        self.0.seq
    }

    /// One row.
    ///
    /// # Errors
    /// [`ReadError`] when the row cannot be read.
    pub fn get(&self, table: TableId, scope: &Scope, key: &RowKey) -> Result<Option<StoredRow>, ReadError> {
        let Some(bytes) = self.0.point(|families| families.rows, &layout::row_key(table, scope, key))? else {
            return Ok(None);
        };
        let (seq, row) = row_codec::decode_stored(&bytes)?;
        Ok(Some(StoredRow { key: key.clone(), seq, row }))
    }

    /// The rows of a table and scope within `range`, in key order.
    ///
    /// # Errors
    /// [`ReadError`] when a row cannot be read; those before it have been visited.
    pub fn scan_rows(
        &self,
        table: TableId,
        scope: &Scope,
        range: &KeyRange,
        visit: &mut dyn FnMut(StoredRow) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        let prefix = layout::table_prefix(table, scope);
        self.0.scan(|families| families.rows, layout::within(&prefix, range), &mut |key, value| {
            let key = key.get(prefix.len()..).unwrap_or_default();
            Ok(visit(stored_row(key, value)?))
        })
    }

    /// The rows of a table in every scope, scope by scope, each in key order.
    ///
    /// # Errors
    /// [`ReadError`] when a row cannot be read; those before it have been visited.
    pub fn scan_all_rows(
        &self,
        table: TableId,
        visit: &mut dyn FnMut(Scope, StoredRow) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        let mut current: Option<(Vec<u8>, Scope)> = None;
        self.0.scan(|families| families.rows, layout::whole(table.0), &mut |key, value| {
            // No prefix begins another, so one look tells whether the scope is still the same.
            if let Some((prefix, scope)) = &current
                && let Some(key) = key.strip_prefix(prefix.as_slice())
            {
                return Ok(visit(scope.clone(), stored_row(key, value)?));
            }
            let damaged = |_| ReadError::Corrupt { what: "key", reason: "it does not begin with a table and a scope" };
            let (_, scope, row_key) = layout::split_prefix(key).map_err(damaged)?;
            let row = stored_row(row_key, value)?;
            current = key.strip_suffix(row_key).map(|prefix| (prefix.to_vec(), scope.clone()));
            Ok(visit(scope, row))
        })
    }

    /// The keys of the rows whose index columns are within `range`, in index order.
    ///
    /// # Errors
    /// [`ReadError`] when an entry cannot be read; those before it have been visited.
    pub fn scan_index(
        &self,
        index: IndexId,
        scope: &Scope,
        range: &KeyRange,
        visit: &mut dyn FnMut(RowKey) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        let prefix = layout::index_prefix(index, scope);
        self.0.scan(|families| families.index, layout::within(&prefix, range), &mut |_, row_key| {
            Ok(visit(RowKey(row_key.into())))
        })
    }

    /// The changes of a table and scope after `after`, ascending, up to this snapshot.
    ///
    /// They are all there are only if [`Snapshot::history_reaches`] back to `after`.
    ///
    /// # Errors
    /// [`ReadError`] when a change cannot be read; those before it have been visited.
    pub fn changes(
        &self,
        table: TableId,
        scope: &Scope,
        after: SeqId,
        visit: &mut dyn FnMut(Change) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        let prefix = layout::table_prefix(table, scope);
        let range = KeyRange { start: Bound::Excluded(after.0.to_be_bytes().to_vec()), end: Bound::Unbounded };
        self.0.scan(|families| families.changes, layout::within(&prefix, &range), &mut |key, value| {
            Ok(visit(change_log::decode(table, scope, key, value)?))
        })
    }

    /// Are all changes of the table after `from` still in the change log?
    ///
    /// No, if some were trimmed, if `from` is not in the past of this snapshot, or if an unclean
    /// stop lost what `from` once stood for, or the table is younger than `from`.
    ///
    /// # Errors
    /// [`ReadError`] when it cannot be read how far the history goes.
    pub fn history_reaches(&self, table: TableId, from: SeqId) -> Result<bool, ReadError> {
        if from > self.0.seq || self.0.lost.contains(from) {
            return Ok(false);
        }
        match self.0.point(|families| families.meta, &meta::floor_key(table))? {
            Some(bytes) => Ok(from >= meta::decode_seq(&bytes)?),
            None => Ok(true),
        }
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").field("seq", &self.0.seq).finish_non_exhaustive()
    }
}

impl Stand {
    fn view(&self) -> Result<&View, ReadError> {
        self.view.as_ref().ok_or_else(|| ReadError::Storage(StorageFault::not_open()))
    }

    fn point(&self, family: Find, key: &[u8]) -> Result<Option<DBPinnableSlice<'_>>, ReadError> {
        let view = self.view()?;
        let rocks = view.borrow_owner();
        Ok(rocks.db().get_pinned_cf_opt(family(rocks.families()), key, &view.borrow_dependent().point)?)
    }

    fn scan(&self, family: Find, range: ByteRange, visit: &mut Visit<'_>) -> Result<(), ReadError> {
        let view = self.view()?;
        let rocks = view.borrow_owner();
        let mut read = ReadOptions::default();
        read.set_snapshot(&view.borrow_dependent().pinned);
        rocks.scan(family(rocks.families()), range, read, visit)
    }
}

fn pin(rocks: &Arc<Rocks>) -> View {
    View::new(Arc::clone(rocks), |rocks| {
        let pinned = rocks.db().snapshot();
        let mut point = ReadOptions::default();
        point.set_snapshot(&pinned);
        Pin { point, pinned }
    })
}

fn stored_row(key: &[u8], value: &[u8]) -> Result<StoredRow, ReadError> {
    let (seq, row) = row_codec::decode_stored(value)?;
    Ok(StoredRow { key: RowKey(key.into()), seq, row })
}

#[cfg(test)]
mod tests;
