//! The rows of one table and scope as a statement sees them, in portions.
//!
//! What stands in front of the snapshot (a transaction's own writes, or history) is merged in. Rows
//! come in the order of their keys, whichever way they are found.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use kalamdb_commons::{ErrorCode, IndexId, SeqId};
use kalamdb_store::{Change, KeyRange, RowKey, Scope, StoredRow};
use kalamdb_system::TableDef;

use super::View;
use super::pushdown::Access;
use crate::error::SqlError;
use crate::sql::error_map::from_read;

/// Bytes of rows in one portion, roughly.
const PORTION_BYTES_MAX: usize = 4 << 20;

/// Entries that a range of an index may have; beyond that reading the whole table is cheaper.
const RANGE_ENTRIES_MAX: usize = 4_096;

/// The same for equalities, of which few entries are to be expected.
const EQUAL_ENTRIES_MAX: usize = 65_536;

/// Rows that stand in front of the snapshot: changed or gone.
type Front = BTreeMap<RowKey, Option<StoredRow>>;

/// Reads the rows of one table and scope.
#[derive(Debug)]
pub(super) struct RowReader {
    view: Arc<View>,
    table: Arc<TableDef>,
    scope: Scope,
    /// Rows as they were at the statement's `as_of`, and the statement's own in front of them.
    history: Option<Front>,
    state: State,
}

#[derive(Debug)]
enum State {
    Ahead(Access),
    Keys(VecDeque<RowKey>),
    Ranges(VecDeque<KeyRange>),
}

impl RowReader {
    pub(super) fn new(view: Arc<View>, table: Arc<TableDef>, scope: Scope, access: Access) -> Self {
        RowReader { view, table, scope, history: None, state: State::Ahead(access) }
    }

    /// The next rows, at most `rows_max`; none when all have been given.
    ///
    /// # Errors
    /// `INTERNAL` when the store cannot be read.
    pub(super) fn next(&mut self, rows_max: usize) -> Result<Vec<StoredRow>, SqlError> {
        loop {
            match &mut self.state {
                State::Ahead(access) => {
                    let access = std::mem::replace(access, Access::All);
                    self.begin(access)?;
                }
                State::Keys(keys) => {
                    if keys.is_empty() {
                        return Ok(Vec::new());
                    }
                    let mut keys = std::mem::take(keys);
                    let rows = self.by_keys(&mut keys, rows_max)?;
                    self.state = State::Keys(keys);
                    if !rows.is_empty() {
                        return Ok(rows);
                    }
                }
                State::Ranges(ranges) => {
                    let Some(range) = ranges.pop_front() else { return Ok(Vec::new()) };
                    let (rows, rest) = self.portion(range, rows_max)?;
                    if let (State::Ranges(ranges), Some(rest)) = (&mut self.state, rest) {
                        ranges.push_front(rest);
                    }
                    if !rows.is_empty() {
                        return Ok(rows);
                    }
                }
            }
        }
    }

    fn begin(&mut self, access: Access) -> Result<(), SqlError> {
        if let Some(as_of) = self.view.ctx.as_of {
            self.history = Some(self.history_since(as_of)?);
        }
        self.state = match access {
            Access::All => State::Ranges(VecDeque::from([KeyRange::all()])),
            Access::Ranges(ranges) => State::Ranges(ranges.into()),
            Access::Keys(keys) => State::Keys(keys.into()),
            Access::Index { index, ranges, exact } => {
                let limit = if exact { EQUAL_ENTRIES_MAX } else { RANGE_ENTRIES_MAX };
                match self.keys_by_index(index, &ranges, limit)? {
                    Some(keys) => State::Keys(keys.into()),
                    None => State::Ranges(VecDeque::from([KeyRange::all()])),
                }
            }
        };
        Ok(())
    }

    /// What every row that has changed after `as_of` was then, and the statement's own writes in front.
    fn history_since(&self, as_of: SeqId) -> Result<Front, SqlError> {
        let ctx = &self.view.ctx;
        let mut front = Front::new();
        let mut bytes = 0_usize;
        let mut visit = |change: Change| {
            let Change { key, old, .. } = change;
            if let Entry::Vacant(first) = front.entry(key.clone()) {
                let row_bytes = old.as_ref().map_or(0, |(_, row)| row.size_bytes());
                bytes = bytes.saturating_add(row_bytes).saturating_add(key.as_bytes().len().saturating_mul(2));
                first.insert(old.map(|(seq, row)| StoredRow { key, seq, row }));
            }
            if bytes > self.view.memory_bytes_max { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        ctx.snapshot.changes(self.table.id, &self.scope, as_of, &mut visit).map_err(|error| from_read(&error))?;
        if bytes > self.view.memory_bytes_max {
            let text = format!("more of table \"{}\" has changed since than one query may look at", self.table.name);
            return Err(SqlError::new(ErrorCode::TooLarge, text));
        }
        if let Some(own) = ctx.overlay.of(self.table.id, &self.scope) {
            front.extend(own.iter().map(|(key, row)| (key.clone(), row.clone())));
        }
        Ok(front)
    }

    fn front(&self) -> Option<&Front> {
        match &self.history {
            Some(history) => Some(history),
            None => self.view.ctx.overlay.of(self.table.id, &self.scope),
        }
    }

    fn by_keys(&self, keys: &mut VecDeque<RowKey>, rows_max: usize) -> Result<Vec<StoredRow>, SqlError> {
        let mut rows = Vec::new();
        let mut bytes = 0_usize;
        while rows.len() < rows_max && bytes < PORTION_BYTES_MAX {
            let Some(key) = keys.pop_front() else { break };
            if let Some(row) = self.get(key)? {
                bytes = bytes.saturating_add(row.row.size_bytes());
                rows.push(row);
            }
        }
        Ok(rows)
    }

    fn get(&self, key: RowKey) -> Result<Option<StoredRow>, SqlError> {
        if let Some(row) = self.front().and_then(|front| front.get(&key)) {
            return Ok(row.clone());
        }
        self.view.ctx.snapshot.get(self.table.id, &self.scope, &key).map_err(|error| from_read(&error))
    }

    /// The keys of an index's entries and, since the index does not know them, of all rows in front.
    /// `None`: there are more entries than `limit`.
    fn keys_by_index(
        &self,
        index: IndexId,
        ranges: &[KeyRange],
        limit: usize,
    ) -> Result<Option<Vec<RowKey>>, SqlError> {
        let mut keys = Vec::new();
        for range in ranges {
            let mut visit = |key: RowKey| {
                keys.push(key);
                if keys.len() > limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            let snapshot = &self.view.ctx.snapshot;
            snapshot.scan_index(index, &self.scope, range, &mut visit).map_err(|error| from_read(&error))?;
            if keys.len() > limit {
                return Ok(None);
            }
        }
        keys.extend(self.front().into_iter().flat_map(BTreeMap::keys).cloned());
        keys.sort_unstable();
        keys.dedup();
        Ok(Some(keys))
    }

    /// The first rows of a range, and the range behind them if there may be more.
    fn portion(&self, range: KeyRange, rows_max: usize) -> Result<(Vec<StoredRow>, Option<KeyRange>), SqlError> {
        let mut rows: Vec<StoredRow> = Vec::new();
        let mut bytes = 0_usize;
        let mut visit = |row: StoredRow| {
            bytes = bytes.saturating_add(row.row.size_bytes());
            rows.push(row);
            if rows.len() >= rows_max || bytes >= PORTION_BYTES_MAX {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };
        let snapshot = &self.view.ctx.snapshot;
        snapshot.scan_rows(self.table.id, &self.scope, &range, &mut visit).map_err(|error| from_read(&error))?;
        let full = rows.len() >= rows_max || bytes >= PORTION_BYTES_MAX;
        let last = rows.last().filter(|_| full).map(|row| row.key.clone());
        let (part, rest) = match last {
            Some(last) => {
                let until_last = Bound::Included(last.as_bytes().to_vec());
                let behind = Bound::Excluded(last.as_bytes().to_vec());
                let rest = KeyRange { start: behind, end: range.end };
                (KeyRange { start: range.start, end: until_last }, Some(rest))
            }
            None => (range, None),
        };
        Ok((self.merge(rows, &part), rest))
    }

    /// Puts the rows that stand in front into `rows`, which are all of `part`.
    fn merge(&self, rows: Vec<StoredRow>, part: &KeyRange) -> Vec<StoredRow> {
        let Some(front) = self.front().filter(|front| !front.is_empty()) else { return rows };
        let within = front.iter().filter(|(key, _)| contains(part, key));
        let mut within = within.peekable();
        let mut merged = Vec::with_capacity(rows.len());
        for row in rows {
            while let Some((_, new)) = within.next_if(|(key, _)| **key < row.key) {
                merged.extend(new.clone());
            }
            match within.next_if(|(key, _)| **key == row.key) {
                Some((_, new)) => merged.extend(new.clone()),
                None => merged.push(row),
            }
        }
        merged.extend(within.filter_map(|(_, new)| new.clone()));
        merged
    }
}

/// Is the key within the range?
fn contains(range: &KeyRange, key: &RowKey) -> bool {
    let key = key.as_bytes();
    let behind_start = match &range.start {
        Bound::Unbounded => true,
        Bound::Included(start) => key >= start.as_slice(),
        Bound::Excluded(start) => key > start.as_slice() && !key.starts_with(start),
    };
    let before_end = match &range.end {
        Bound::Unbounded => true,
        Bound::Included(end) => key < end.as_slice() || key.starts_with(end),
        Bound::Excluded(end) => key < end.as_slice(),
    };
    behind_start && before_end
}

#[cfg(test)]
mod tests;
