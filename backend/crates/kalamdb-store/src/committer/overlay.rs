//! The store as the sets accepted into a group have made it, before any of it is written.
//!
//! Says whether a further set's expectations hold: against what earlier sets of the group leave
//! behind, and under that against RocksDB.

use kalamdb_commons::{IndexId, SeqId, TableId};
use rustc_hash::{FxHashMap, FxHashSet};

use super::index_entry::IndexEntry;
use crate::error::ReadError;
use crate::key::{RowKey, layout};
use crate::rocks::Rocks;
use crate::row_codec;
use crate::write_set::{CommitError, Expect, RecordSpace, RecordWrite, RowWrite, WriteSet};

/// Why a set is not accepted.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) error: CommitError,
    /// It lost against a set of its own group, so the answer stands only when that one is written.
    pub(super) within_group: bool,
}

/// A set that may be written, with the keys it is written under.
#[derive(Debug, Default)]
pub(super) struct Accepted {
    /// Key of each row, in the order of the set's rows.
    pub(super) rows: Vec<Vec<u8>>,
    /// Index entries that go. They go before others come.
    pub(super) removed: Vec<IndexEntry>,
    /// Index entries that come, each with the key of its row.
    pub(super) added: Vec<(IndexId, IndexEntry, RowKey)>,
}

/// What the group has changed so far.
pub(super) struct Overlay<'a> {
    rocks: &'a Rocks,
    rows: FxHashMap<Vec<u8>, Option<SeqId>>,
    sole_entries: FxHashMap<Vec<u8>, Option<RowKey>>,
    records: FxHashMap<(RecordSpace, Vec<u8>), Option<Vec<u8>>>,
    purged_tables: FxHashSet<TableId>,
    purged_indexes: FxHashSet<IndexId>,
}

impl<'a> Overlay<'a> {
    pub(super) fn new(rocks: &'a Rocks) -> Overlay<'a> {
        Overlay {
            rocks,
            rows: FxHashMap::default(),
            sole_entries: FxHashMap::default(),
            records: FxHashMap::default(),
            purged_tables: FxHashSet::default(),
            purged_indexes: FxHashSet::default(),
        }
    }

    /// Does everything the set expects hold?
    pub(super) fn check(&self, set: &WriteSet) -> Result<Accepted, Refusal> {
        let mut accepted = Accepted { rows: Vec::with_capacity(set.rows.len()), ..Accepted::default() };
        for write in &set.rows {
            let key = layout::row_key(write.table, &write.scope, &write.key);
            self.check_row(set, write, &key)?;
            accepted.rows.push(key);
        }
        if accepted.rows.len() > 1 && accepted.rows.iter().collect::<FxHashSet<_>>().len() < accepted.rows.len() {
            // A row has one state before a commit and one after it.
            return Err(Refusal { error: CommitError::Conflict, within_group: false });
        }
        for record in &set.records {
            self.check_record(record)?;
        }
        for write in &set.rows {
            accepted.move_entries(write);
        }
        for built in &set.build_index {
            let entry = IndexEntry::of(&built.index, &built.scope, &built.key, &built.row);
            accepted.added.push((built.index.id, entry, built.key.clone()));
        }
        self.check_sole_entries(set, &accepted)?;
        Ok(accepted)
    }

    /// Notes an accepted set; the `n`-th of its rows has the SeqId `first` plus `n`.
    pub(super) fn accept(&mut self, set: &WriteSet, accepted: &Accepted, first: SeqId) {
        for table in &set.purge_tables {
            self.rows.retain(|key, _| !key.starts_with(&table.0.to_be_bytes()));
            self.purged_tables.insert(*table);
        }
        for index in &set.purge_indexes {
            self.sole_entries.retain(|key, _| !key.starts_with(&index.0.to_be_bytes()));
            self.purged_indexes.insert(*index);
        }
        let mut seq = first;
        for (write, key) in set.rows.iter().zip(&accepted.rows) {
            self.rows.insert(key.clone(), write.new.as_ref().map(|_| seq));
            seq = seq.next();
        }
        for entry in accepted.removed.iter().filter(|entry| entry.is_sole) {
            self.sole_entries.insert(entry.key.clone(), None);
        }
        for (_, entry, row_key) in accepted.added.iter().filter(|(_, entry, _)| entry.is_sole) {
            self.sole_entries.insert(entry.key.clone(), Some(row_key.clone()));
        }
        for record in &set.records {
            self.records.insert((record.space, record.key.clone()), record.value.clone());
        }
    }

    fn check_row(&self, set: &WriteSet, write: &RowWrite, key: &[u8]) -> Result<(), Refusal> {
        let (current, within_group) = if set.purge_tables.contains(&write.table) {
            (None, false)
        } else if let Some(seq) = self.rows.get(key) {
            (*seq, true)
        } else if self.purged_tables.contains(&write.table) {
            (None, true)
        } else {
            (self.stored_seq(key)?, false)
        };
        if current == write.old.as_ref().map(|old| old.seq) {
            return Ok(());
        }
        Err(Refusal { error: CommitError::Conflict, within_group })
    }

    fn check_record(&self, record: &RecordWrite) -> Result<(), Refusal> {
        let expected = match &record.expect {
            Expect::Any => return Ok(()),
            Expect::Absent => None,
            Expect::Value(value) => Some(value.as_slice()),
        };
        if let Some(current) = self.records.get(&(record.space, record.key.clone())) {
            if current.as_deref() == expected {
                return Ok(());
            }
            return Err(Refusal { error: CommitError::Conflict, within_group: true });
        }
        let family = self.rocks.families().records(record.space);
        if self.rocks.get(family, &record.key)?.as_deref() == expected {
            return Ok(());
        }
        Err(Refusal { error: CommitError::Conflict, within_group: false })
    }

    /// No entry that may stand only once comes to stand twice. What the set takes away is gone by then.
    fn check_sole_entries(&self, set: &WriteSet, accepted: &Accepted) -> Result<(), Refusal> {
        let sole = |(_, entry, _): &&(IndexId, IndexEntry, RowKey)| entry.is_sole;
        let mut within_set: FxHashMap<&[u8], Option<&RowKey>> = FxHashMap::default();
        if accepted.added.iter().any(|added| sole(&added)) {
            within_set.extend(accepted.removed.iter().map(|entry| (entry.key.as_slice(), None)));
        }
        for (index, entry, row_key) in accepted.added.iter().filter(sole) {
            let violation =
                |within_group| Refusal { error: CommitError::UniqueViolation { index: *index }, within_group };
            match within_set.insert(&entry.key, Some(row_key)) {
                Some(Some(holder)) if holder != row_key => return Err(violation(false)),
                Some(_) => continue,
                None => {}
            }
            if set.purge_indexes.contains(index) {
                continue;
            }
            if let Some(holder) = self.sole_entries.get(&entry.key) {
                if holder.as_ref().is_some_and(|holder| holder != row_key) {
                    return Err(violation(true));
                }
            } else if !self.purged_indexes.contains(index)
                && let Some(holder) = self.rocks.get(self.rocks.families().index, &entry.key)?
                && *holder != *row_key.as_bytes()
            {
                return Err(violation(false));
            }
        }
        Ok(())
    }

    fn stored_seq(&self, key: &[u8]) -> Result<Option<SeqId>, ReadError> {
        let stored = self.rocks.get(self.rocks.families().rows, key)?;
        stored.map(|bytes| row_codec::decode_stored_seq(&bytes)).transpose()
    }
}

impl Accepted {
    /// The index entries that go and come with a row. Where columns stay, so does the entry.
    fn move_entries(&mut self, write: &RowWrite) {
        for index in write.indexes.iter() {
            let entry = |row| IndexEntry::of(index, &write.scope, &write.key, row);
            let old = write.old.as_ref().map(|old| entry(&old.row));
            let new = write.new.as_ref().map(entry);
            if old == new {
                continue;
            }
            self.removed.extend(old);
            self.added.extend(new.map(|new| (index.id, new, write.key.clone())));
        }
    }
}

impl From<ReadError> for Refusal {
    fn from(error: ReadError) -> Self {
        Refusal { error: CommitError::NotStored(error.into()), within_group: false }
    }
}

impl From<rocksdb::Error> for Refusal {
    fn from(error: rocksdb::Error) -> Self {
        Refusal::from(ReadError::from(error))
    }
}
