//! What a transaction has written so far, as one write per row.
//!
//! However often statements touch a row, there is one write: from what the snapshot holds to what
//! the row became last. A row that came and went again leaves no write at all.

use std::collections::hash_map::Entry;
use std::sync::Arc;

use kalamdb_commons::{ErrorCode, IndexId, Row, SeqId, TableId};
use kalamdb_store::{RowKey, RowWrite, Scope, Snapshot, StoredRow, WriteSet};
use rustc_hash::FxHashMap;

use crate::context::Overlay;
use crate::error::SqlError;
use crate::options::Limits;
use crate::sql::transaction::WriteTable;

/// The writes of a transaction.
#[derive(Debug)]
pub struct Pending {
    writes: Vec<PendingWrite>,
    places: FxHashMap<(TableId, Scope, RowKey), usize>,
    /// The same rows, in front of the snapshot, where later statements may read them.
    overlay: Option<Arc<Overlay>>,
    /// Unique indexes on which ON CONFLICT has decided; a violation means that it must decide again.
    retry_on: Vec<IndexId>,
    bytes: usize,
    rows_max: usize,
    bytes_max: usize,
    row_bytes_max: usize,
}

/// A write of a transaction, by which its SeqId can be had after the commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriteRef(pub(super) usize);

#[derive(Debug)]
struct PendingWrite {
    table: TableId,
    scope: Scope,
    key: RowKey,
    /// The row in the snapshot.
    old: Option<StoredRow>,
    new: Option<Row>,
    indexes: Arc<[kalamdb_store::IndexSpec]>,
}

/// The row of a write that has not been committed: it has no SeqId yet.
fn provisional(key: &RowKey, row: &Row) -> StoredRow {
    StoredRow { key: key.clone(), seq: SeqId::ZERO, row: row.clone() }
}

impl Pending {
    /// No writes yet. `readable`: later statements read them through [`Pending::overlay`].
    #[must_use]
    pub fn new(limits: &Limits, readable: bool) -> Self {
        Pending {
            writes: Vec::new(),
            places: FxHashMap::default(),
            overlay: readable.then(Arc::default),
            retry_on: Vec::new(),
            bytes: 0,
            rows_max: limits.transaction_rows_max,
            bytes_max: limits.transaction_bytes_max,
            row_bytes_max: limits.row_bytes_max,
        }
    }

    /// The rows written so far, in front of the snapshot.
    #[must_use]
    pub fn overlay(&self) -> Arc<Overlay> {
        self.overlay.clone().unwrap_or_default()
    }

    /// The row under `key` as the transaction sees it now.
    ///
    /// # Errors
    /// `INTERNAL` when the store cannot be read.
    pub fn get(
        &self,
        snapshot: &Snapshot,
        table: TableId,
        scope: &Scope,
        key: &RowKey,
    ) -> Result<Option<StoredRow>, SqlError> {
        if let Some(write) = self.find(table, scope, key) {
            return Ok(write.new.as_ref().map(|row| provisional(key, row)));
        }
        snapshot.get(table, scope, key).map_err(SqlError::internal)
    }

    fn find(&self, table: TableId, scope: &Scope, key: &RowKey) -> Option<&PendingWrite> {
        if self.writes.is_empty() {
            return None;
        }
        let place = self.places.get(&(table, scope.clone(), key.clone()))?;
        self.writes.get(*place)
    }

    /// Has the transaction written the row under `key`, and what has it become?
    #[must_use]
    pub fn written(&self, table: TableId, scope: &Scope, key: &RowKey) -> Option<Option<&Row>> {
        self.find(table, scope, key).map(|write| write.new.as_ref())
    }

    /// The rows of one table and scope that the transaction has written and that stand.
    pub fn rows_of(&self, table: TableId, scope: &Scope) -> impl Iterator<Item = (&RowKey, &Row)> {
        let of_table = move |write: &&PendingWrite| write.table == table && write.scope == *scope;
        self.writes.iter().filter(of_table).filter_map(|write| Some((&write.key, write.new.as_ref()?)))
    }

    /// Says that ON CONFLICT has looked into this unique index.
    pub fn decided_by(&mut self, index: IndexId) {
        if !self.retry_on.contains(&index) {
            self.retry_on.push(index);
        }
    }

    /// Makes the row under `key` become `new`. `current` is what [`Pending::get`] gave for it.
    ///
    /// # Errors
    /// `TOO_LARGE` when the row or the transaction is over its limit.
    pub fn write(
        &mut self,
        table: &WriteTable,
        scope: &Scope,
        key: &RowKey,
        current: Option<StoredRow>,
        new: Option<Row>,
    ) -> Result<WriteRef, SqlError> {
        self.account(table, current.as_ref(), new.as_ref())?;
        if let Some(overlay) = &mut self.overlay {
            let row = new.as_ref().map(|row| provisional(key, row));
            Arc::make_mut(overlay).put(table.def.id, scope.clone(), key.clone(), row);
        }
        let next = self.writes.len();
        match self.places.entry((table.def.id, scope.clone(), key.clone())) {
            Entry::Occupied(place) => {
                let place = *place.get();
                if let Some(write) = self.writes.get_mut(place) {
                    write.new = new;
                }
                Ok(WriteRef(place))
            }
            Entry::Vacant(place) => {
                if next >= self.rows_max {
                    let text = format!("a transaction may change at most {} rows", self.rows_max);
                    return Err(SqlError::new(ErrorCode::TooLarge, text));
                }
                place.insert(next);
                self.writes.push(PendingWrite {
                    table: table.def.id,
                    scope: scope.clone(),
                    key: key.clone(),
                    old: current,
                    new,
                    indexes: Arc::clone(&table.indexes),
                });
                Ok(WriteRef(next))
            }
        }
    }

    /// Counts a write against the limits. Rows written twice are counted twice.
    fn account(&mut self, table: &WriteTable, current: Option<&StoredRow>, new: Option<&Row>) -> Result<(), SqlError> {
        let new = new.map_or(0, Row::size_bytes);
        if new > self.row_bytes_max {
            let text = format!("a row of table \"{}\" is larger than {} bytes", table.def.name, self.row_bytes_max);
            return Err(SqlError::new(ErrorCode::TooLarge, text));
        }
        let old = current.map_or(0, |current| current.row.size_bytes());
        self.bytes = self.bytes.saturating_add(new).saturating_add(old);
        if self.bytes > self.bytes_max {
            let text = format!("a transaction may hold at most {} bytes of rows", self.bytes_max);
            return Err(SqlError::new(ErrorCode::TooLarge, text));
        }
        Ok(())
    }

    /// The write set; for every [`WriteRef`] its place in it, unless it came to nothing; and the
    /// unique indexes whose violation asks for another attempt.
    #[must_use]
    pub fn into_write_set(self) -> (WriteSet, Vec<Option<u64>>, Vec<IndexId>) {
        let mut rows = Vec::with_capacity(self.writes.len());
        let mut offsets = Vec::with_capacity(self.writes.len());
        for PendingWrite { table, scope, key, old, new, indexes } in self.writes {
            if old.is_none() && new.is_none() {
                offsets.push(None);
                continue;
            }
            offsets.push(u64::try_from(rows.len()).ok());
            rows.push(RowWrite { table, scope, key, old, new, indexes });
        }
        (WriteSet { rows, ..WriteSet::default() }, offsets, self.retry_on)
    }
}

#[cfg(test)]
mod tests;
