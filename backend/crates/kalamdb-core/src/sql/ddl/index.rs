//! Indexes that are built: an entry for every row that is there already.
//!
//! A build of few rows is one commit with the change of the table. One of many rows spills: entries are
//! committed as they gather, under a number that the first of those commits takes for good, and the
//! table learns of the index with the last. The gate keeps the rows still meanwhile. What a build that
//! fails has spilled is deleted again; after a crash it stays, where no index ever looks.

use std::ops::ControlFlow;

use kalamdb_commons::IndexId;
use kalamdb_store::{BuiltIndexEntry, CommitError, Committed, ReadError, Store, WriteSet};
use kalamdb_system::{TableDef, TableRevision};

use crate::error::SqlError;
use crate::sql::dml::column_list;
use crate::sql::error_map;

/// How much of an index is committed at once.
#[derive(Debug, Clone, Copy)]
struct Spill {
    entries_max: usize,
    bytes_max: usize,
}

const SPILL: Spill = Spill { entries_max: 1 << 14, bytes_max: 8 << 20 };

/// Commits a table's change, and entries in its new indexes for all its rows.
///
/// # Errors
/// `CONSTRAINT_VIOLATION` when the rows do not fit a unique index. Inside: why the commit failed.
pub(super) async fn commit(store: &Store, revision: TableRevision) -> Result<Result<Committed, CommitError>, SqlError> {
    if revision.build.is_empty() {
        return Ok(store.commit(revision.writes).await);
    }
    let (store, table) = (store.clone(), revision.table.clone());
    let built = tokio::task::spawn_blocking(move || build(&store, revision, SPILL)).await;
    match built.map_err(SqlError::internal)? {
        Ok(Err(CommitError::UniqueViolation { index })) => Err(violation(&table, index)),
        Ok(outcome) => Ok(outcome),
        Err(error) => Err(error_map::from_read(&error)),
    }
}

fn build(store: &Store, revision: TableRevision, spill: Spill) -> Result<Result<Committed, CommitError>, ReadError> {
    let TableRevision { mut writes, mut counters, table, build } = revision;
    let (mut entries, mut bytes) = (Vec::new(), 0_usize);
    let (mut spilled, mut is_number_taken) = (Ok(()), false);
    let scanned = store.snapshot().scan_all_rows(table.id, &mut |scope, stored| {
        bytes = bytes.saturating_add(stored.row.size_bytes());
        entries.extend(build.iter().map(|index| BuiltIndexEntry {
            index: index.clone(),
            scope: scope.clone(),
            key: stored.key.clone(),
            row: stored.row.clone(),
        }));
        if entries.len() < spill.entries_max && bytes < spill.bytes_max {
            return ControlFlow::Continue(());
        }
        bytes = 0;
        let (records, build_index) = (counters.take().into_iter().collect(), std::mem::take(&mut entries));
        spilled = store.commit_blocking(WriteSet { records, build_index, ..WriteSet::default() }).map(drop);
        if spilled.is_err() {
            return ControlFlow::Break(());
        }
        is_number_taken = true;
        ControlFlow::Continue(())
    });
    let outcome = scanned.map(|()| {
        spilled?;
        writes.records.extend(counters);
        writes.build_index = entries;
        store.commit_blocking(writes)
    });
    // Before the number is taken it may be another index's.
    if is_number_taken && !matches!(outcome, Ok(Ok(_))) {
        let purge_indexes = build.iter().map(|index| index.id).collect();
        if let Err(error) = store.commit_blocking(WriteSet { purge_indexes, ..WriteSet::default() }) {
            tracing::warn!(%error, "entries of an index that was not built could not be deleted");
        }
    }
    outcome
}

/// Why a unique index cannot be built.
fn violation(table: &TableDef, id: IndexId) -> SqlError {
    SqlError::constraint(match table.indexes.iter().find(|index| index.id == id) {
        Some(index) => format!(
            "unique index \"{}\" cannot be made: rows of table \"{}\" have the same {}",
            index.name,
            table.name,
            column_list(table, &index.slots)
        ),
        None => "a unique index cannot be made: rows have the same values".to_owned(),
    })
}

#[cfg(test)]
mod tests;
