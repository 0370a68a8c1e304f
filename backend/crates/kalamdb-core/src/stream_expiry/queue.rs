//! Which rows are next, per table, the oldest first. Bounded; knows what it does not know.

use std::collections::VecDeque;

use kalamdb_commons::{SeqId, TableId};
use kalamdb_store::{RowKey, Scope};
use rustc_hash::FxHashMap;

/// Rows that a scan may find even if the queue is full.
const ROOM_MIN: usize = 1_000;

/// A row that waits for its end, unless it is written again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Waiting {
    /// When it was written, in microseconds since the Unix epoch; perhaps a little before that.
    pub written_at: i64,
    /// The change that wrote it.
    pub seq: SeqId,
    pub scope: Scope,
    pub key: RowKey,
}

/// The rows that wait, of all tables.
#[derive(Debug)]
pub(super) struct Queue {
    tables: FxHashMap<TableId, TableQueue>,
    /// Rows of all tables.
    rows: usize,
    rows_max: usize,
}

#[derive(Debug, Default)]
struct TableQueue {
    /// Ascending by age, the oldest first.
    rows: VecDeque<Waiting>,
    known: Known,
    /// The last row written, and when.
    newest: Option<(SeqId, i64)>,
}

/// Which rows of a table are in the queue.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Known {
    /// None: the table has not been read.
    #[default]
    Nothing,
    /// The oldest. Younger ones are not taken in before those are gone and the table is read again.
    Oldest,
    /// All.
    All,
}

impl Queue {
    pub fn new(rows_max: usize) -> Self {
        Queue { tables: FxHashMap::default(), rows: 0, rows_max }
    }

    /// Begins anew with a table that may hold rows of which nothing is known.
    pub fn add(&mut self, table: TableId) {
        let newest = self.tables.get(&table).and_then(|table| table.newest);
        self.forget(table);
        self.tables.insert(table, TableQueue { newest, ..TableQueue::default() });
    }

    pub fn forget(&mut self, table: TableId) {
        if let Some(table) = self.tables.remove(&table) {
            self.rows = self.rows.saturating_sub(table.rows.len());
        }
    }

    pub fn tables(&self) -> impl Iterator<Item = TableId> {
        self.tables.keys().copied()
    }

    /// A row was written. A table that was never heard of has just been created, so this is its first row.
    pub fn note(&mut self, table: TableId, row: Waiting) {
        let new = || TableQueue { known: Known::All, ..TableQueue::default() };
        let table = self.tables.entry(table).or_insert_with(new);
        table.newest = Some((row.seq, row.written_at));
        if table.known != Known::All {
            return;
        }
        if self.rows >= self.rows_max {
            table.known = Known::Oldest;
            return;
        }
        table.rows.push_back(row);
        self.rows = self.rows.saturating_add(1);
    }

    /// The last row written to a table, and when.
    pub fn newest_of(&self, table: TableId) -> Option<(SeqId, i64)> {
        self.tables.get(&table)?.newest
    }

    /// The last row written to each table, and when.
    pub fn newest(&self) -> Vec<(TableId, (SeqId, i64))> {
        self.tables.iter().filter_map(|(id, table)| Some((*id, table.newest?))).collect()
    }

    /// When the next row of a table was written.
    pub fn next(&self, table: TableId) -> Option<i64> {
        Some(self.tables.get(&table)?.rows.front()?.written_at)
    }

    /// Takes at most `max` rows that were written at `before` or earlier.
    pub fn take_due(&mut self, table: TableId, before: i64, max: usize) -> Vec<Waiting> {
        let Some(table) = self.tables.get_mut(&table) else { return Vec::new() };
        let due = table.rows.iter().take(max).take_while(|row| row.written_at <= before).count();
        self.rows = self.rows.saturating_sub(due);
        table.rows.drain(..due).collect()
    }

    /// Puts back rows that were taken.
    pub fn put_back(&mut self, table: TableId, rows: Vec<Waiting>) {
        let Some(table) = self.tables.get_mut(&table) else { return };
        self.rows = self.rows.saturating_add(rows.len());
        for row in rows.into_iter().rev() {
            table.rows.push_front(row);
        }
    }

    /// Must the table be read to know what is next?
    pub fn wants_scan(&self, table: TableId) -> bool {
        self.tables.get(&table).is_some_and(|table| match table.known {
            Known::Nothing => true,
            Known::Oldest => table.rows.is_empty(),
            Known::All => false,
        })
    }

    /// The table is about to be read. Says how many rows may be found.
    pub fn begin_scan(&mut self, table: TableId) -> usize {
        if let Some(table) = self.tables.get_mut(&table) {
            table.known = Known::All;
        }
        self.rows_max.saturating_sub(self.rows).max(ROOM_MIN)
    }

    /// The table was read, and these are its oldest rows, or all of them.
    pub fn end_scan(&mut self, table: TableId, found: Vec<Waiting>, is_complete: bool) {
        let Some(table) = self.tables.get_mut(&table) else { return };
        if !is_complete {
            // Rows noted meanwhile are younger than some that were not found, and must not come before them.
            table.known = Known::Oldest;
            self.rows = self.rows.saturating_sub(table.rows.len());
            table.rows.clear();
        }
        self.rows = self.rows.saturating_add(found.len());
        for row in found.into_iter().rev() {
            table.rows.push_front(row);
        }
    }
}

#[cfg(test)]
mod tests;
