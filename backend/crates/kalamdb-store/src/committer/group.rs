//! Sets that are written together: one batch, and what is to be said about it afterwards.

use std::sync::Arc;

use kalamdb_commons::{SeqId, TableId};
use rocksdb::WriteBatch;

use super::Answer;
use super::overlay::{Accepted, Overlay, Refusal};
use crate::change_log;
use crate::history::Touched;
use crate::key::layout;
use crate::meta;
use crate::metrics;
use crate::rocks::Rocks;
use crate::row_codec;
use crate::write_set::{Change, Commit, CommitError, Committed, RecordWrite, RowWrite, WriteSet};

/// A group in the making, then waiting for its answers.
pub(super) struct Group<'a> {
    rocks: &'a Rocks,
    overlay: Overlay<'a>,
    at_micros: i64,
    last: SeqId,
    batch: WriteBatch,
    touched: Touched,
    commits: Vec<Arc<Commit>>,
    answers: Answers,
    /// Encoded rows pass through here.
    scratch: Vec<u8>,
}

/// The writers that wait for a group, and what they are told if it is stored.
#[derive(Debug, Default)]
pub(super) struct Answers(Vec<(Answer, Result<Committed, CommitError>)>);

impl Answers {
    /// The group is stored.
    pub(super) fn send(self) {
        for (answer, result) in self.0 {
            // A writer that has gone away does not want to know.
            let _gone = answer.send(result);
        }
    }

    /// The group is not, or it is not known: whoever was refused because of another of its sets is told the same.
    pub(super) fn fail(self, error: &CommitError) {
        for (answer, _) in self.0 {
            let _gone = answer.send(Err(error.clone()));
        }
    }
}

impl<'a> Group<'a> {
    /// An empty group, whose changes are numbered from the one after `last`.
    pub(super) fn new(rocks: &'a Rocks, last: SeqId, at_micros: i64) -> Group<'a> {
        Group {
            rocks,
            overlay: Overlay::new(rocks),
            at_micros,
            last,
            batch: WriteBatch::default(),
            touched: Touched::default(),
            commits: Vec::new(),
            answers: Answers::default(),
            scratch: Vec::new(),
        }
    }

    /// Takes the set in, or refuses it. A refusal that no other set of the group has a part in is
    /// answered here and now.
    pub(super) fn offer(&mut self, set: WriteSet, answer: Answer) {
        match self.overlay.check(&set) {
            Ok(accepted) => {
                let committed = self.add(set, accepted);
                self.answers.0.push((answer, Ok(committed)));
            }
            Err(Refusal { error, within_group }) => {
                metrics::refused(&error);
                if within_group {
                    self.answers.0.push((answer, Err(error)));
                } else {
                    let _gone = answer.send(Err(error));
                }
            }
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.commits.is_empty()
    }

    pub(super) const fn len(&self) -> usize {
        self.commits.len()
    }

    /// SeqId of its last commit.
    pub(super) const fn last(&self) -> SeqId {
        self.last
    }

    /// The whole group as one batch, and the bytes of the change log with it.
    pub(super) fn finish(&mut self, logged_before: u64) -> (WriteBatch, u64) {
        let mut batch = std::mem::take(&mut self.batch);
        let touched = std::mem::take(&mut self.touched);
        let logged = touched.write(self.rocks, &mut batch, self.at_micros, logged_before);
        batch.put_cf(self.rocks.families().meta, meta::LAST_SEQ, meta::encode_number(self.last.0));
        (batch, logged)
    }

    /// Its commits in order, and what is to be answered once they are told.
    pub(super) fn end(self) -> (Vec<Arc<Commit>>, Answers) {
        (self.commits, self.answers)
    }

    fn add(&mut self, set: WriteSet, accepted: Accepted) -> Committed {
        let first = self.last.next();
        self.overlay.accept(&set, &accepted, first);
        let changes = set.rows.len().max(1) as u64;
        self.last = SeqId(self.last.0.saturating_add(changes));
        let committed = Committed { first, last: self.last };
        self.purge(&set);
        self.begin_history(&set.new_tables, committed.last);
        let index = self.rocks.families().index;
        for entry in &accepted.removed {
            self.batch.delete_cf(index, &entry.key);
        }
        for (_, entry, row_key) in &accepted.added {
            self.batch.put_cf(index, &entry.key, row_key.as_bytes());
        }
        let mut seq = first;
        let mut changes = Vec::with_capacity(set.rows.len());
        for (write, key) in set.rows.into_iter().zip(&accepted.rows) {
            changes.push(self.write_row(write, key, seq));
            seq = seq.next();
        }
        self.write_records(&set.records);
        self.commits.push(Arc::new(Commit {
            first,
            last: committed.last,
            at_micros: self.at_micros,
            changes,
            records: set.records,
            dropped_tables: set.purge_tables,
        }));
        committed
    }

    fn purge(&mut self, set: &WriteSet) {
        let families = self.rocks.families();
        for table in &set.purge_tables {
            let all = layout::whole(table.0);
            self.batch.delete_range_cf(families.rows, &all.lower, &all.upper);
            self.batch.delete_range_cf(families.changes, &all.lower, &all.upper);
            self.batch.delete_cf(families.meta, meta::floor_key(*table));
        }
        for index in &set.purge_indexes {
            let all = layout::whole(index.0);
            self.batch.delete_range_cf(families.index, &all.lower, &all.upper);
        }
    }

    /// Whoever knows a table of the same name from before has other rows, which no change here takes away.
    fn begin_history(&mut self, tables: &[TableId], floor: SeqId) {
        let meta = self.rocks.families().meta;
        for table in tables {
            self.batch.put_cf(meta, meta::floor_key(*table), meta::encode_number(floor.0));
        }
    }

    fn write_row(&mut self, write: RowWrite, key: &[u8], seq: SeqId) -> Change {
        let families = self.rocks.families();
        if let Some(row) = &write.new {
            self.scratch.clear();
            row_codec::encode_stored(&mut self.scratch, seq, row);
            self.batch.put_cf(families.rows, key, &self.scratch);
        } else {
            self.batch.delete_cf(families.rows, key);
        }
        let change = Change {
            table: write.table,
            scope: write.scope,
            key: write.key,
            seq,
            commit: self.last,
            old: write.old.map(|old| (old.seq, old.row)),
            new: write.new,
        };
        let (logged_key, logged) = change_log::encode(&change);
        self.batch.put_cf(families.changes, &logged_key, &logged);
        let prefix = layout::change_prefix(&logged_key);
        self.touched.add(prefix, seq, logged_key.len().saturating_add(logged.len()));
        change
    }

    fn write_records(&mut self, records: &[RecordWrite]) {
        for record in records {
            let family = self.rocks.families().records(record.space);
            match &record.value {
                Some(value) => self.batch.put_cf(family, &record.key, value),
                None => self.batch.delete_cf(family, &record.key),
            }
        }
    }
}
