//! When rows of STREAM tables were written, noted in the store now and then.
//!
//! A note says: what the table held up to this SeqId was written by this time. A row's age is that
//! of the first note after it, so it is never taken for older than it is, and for younger by at
//! most the time between two notes. Notes are written outside commits: they are this node's own
//! memory, and without them a row only stays a little longer.

use std::collections::VecDeque;

use kalamdb_commons::{SeqId, TableId};
use kalamdb_store::{ReadError, RecordSpace, Store};
use kalamdb_system::record_key::CatalogKey;
use rustc_hash::FxHashMap;

/// Shortest and longest time between two notes, in microseconds.
const BETWEEN_MIN: i64 = 1_000_000;
const BETWEEN_MAX: i64 = 3_600_000_000;

/// Notes that one table's time to live takes, roughly.
const NOTES_PER_TTL: i64 = 10_000;

/// The notes of all tables.
#[derive(Debug, Default)]
pub(super) struct Ages(FxHashMap<TableId, VecDeque<Note>>);

/// Rows up to `seq` were written at `at` or before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Note {
    seq: SeqId,
    at: i64,
}

impl Ages {
    /// Reads the notes.
    ///
    /// # Errors
    /// [`ReadError`] when the store cannot be read.
    pub fn load(store: &Store) -> Result<Ages, ReadError> {
        let mut ages = Ages::default();
        // The keys ascend by table and SeqId.
        for (key, value) in store.scan_records(RecordSpace::Catalog, &CatalogKey::StreamAge.prefix())? {
            if let Some((table, note)) = read(&key, &value) {
                ages.0.entry(table).or_default().push_back(note);
            }
        }
        Ok(ages)
    }

    /// Drops the notes about tables that are gone.
    pub fn keep_only(&mut self, store: &Store, is_there: impl Fn(TableId) -> bool) {
        let gone: Vec<TableId> = self.0.keys().copied().filter(|&table| !is_there(table)).collect();
        gone.into_iter().for_each(|table| self.forget(store, table));
    }

    /// A time by which the row that was written as `seq` had been written.
    pub fn written_at(&self, table: TableId, seq: SeqId) -> Option<i64> {
        let notes = self.0.get(&table)?;
        notes.get(notes.partition_point(|note| note.seq < seq)).map(|note| note.at)
    }

    /// Notes the newest row of a table, unless the last note is young enough for its time to live.
    pub fn note(&mut self, store: &Store, table: TableId, newest: Option<(SeqId, i64)>, ttl: i64) {
        let Some((seq, at)) = newest else { return };
        let between = ttl.checked_div(NOTES_PER_TTL).unwrap_or(0).clamp(BETWEEN_MIN, BETWEEN_MAX);
        let last = self.0.get(&table).and_then(VecDeque::back);
        if last.is_none_or(|last| last.seq < seq && last.at.saturating_add(between) <= at) {
            self.put(store, table, Note { seq, at });
        }
    }

    /// Notes the newest rows of all tables.
    pub fn note_all(&mut self, store: &Store, newest: &[(TableId, (SeqId, i64))]) {
        for &(table, (seq, at)) in newest {
            if self.0.get(&table).and_then(VecDeque::back).is_none_or(|last| last.seq < seq) {
                self.put(store, table, Note { seq, at });
            }
        }
    }

    /// Drops the notes about rows that were written before `before` and so are gone.
    pub fn trim(&mut self, store: &Store, table: TableId, before: i64) {
        let Some(notes) = self.0.get_mut(&table) else { return };
        while let Some(note) = notes.pop_front_if(|note| note.at < before) {
            delete(store, table, note);
        }
    }

    /// Drops all notes about a table.
    pub fn forget(&mut self, store: &Store, table: TableId) {
        for note in self.0.remove(&table).unwrap_or_default() {
            delete(store, table, note);
        }
    }

    fn put(&mut self, store: &Store, table: TableId, note: Note) {
        let key = CatalogKey::stream_age(table, note.seq);
        match store.put_record(RecordSpace::Catalog, &key, &note.at.to_be_bytes()) {
            Ok(()) => self.0.entry(table).or_default().push_back(note),
            Err(error) => tracing::warn!(%error, "the age of rows could not be noted"),
        }
    }
}

fn delete(store: &Store, table: TableId, note: Note) {
    if let Err(error) = store.delete_record(RecordSpace::Catalog, &CatalogKey::stream_age(table, note.seq)) {
        tracing::warn!(%error, "a note about the age of rows could not be deleted");
    }
}

fn read(key: &[u8], value: &[u8]) -> Option<(TableId, Note)> {
    let (CatalogKey::StreamAge, rest) = CatalogKey::split(key)? else { return None };
    let (table, seq) = rest.split_first_chunk::<4>()?;
    let table = TableId(u32::from_be_bytes(*table));
    let seq = SeqId(u64::from_be_bytes(<[u8; 8]>::try_from(seq).ok()?));
    Some((table, Note { seq, at: i64::from_be_bytes(<[u8; 8]>::try_from(value).ok()?) }))
}

#[cfg(test)]
mod tests;
