//! What a statement wants to change, and what became of it.
//!
//! A [`WriteSet`] is complete: it holds what each touched row must still look like, what it
//! becomes, and the index entries that go with it, so the committer needs no schema.

use std::sync::Arc;

use kalamdb_commons::{IndexId, Row, SeqId, TableId, Value};

use crate::error::StorageFault;
use crate::key::{RowKey, Scope};

/// One commit to be.
#[derive(Debug, Clone, Default)]
pub struct WriteSet {
    /// Row changes, in the order in which they get their SeqIds; at most one per row.
    pub rows: Vec<RowWrite>,
    /// Records of the catalog and the users.
    pub records: Vec<RecordWrite>,
    /// Tables whose history begins with this commit: from before it nobody can be told of their changes.
    pub new_tables: Vec<TableId>,
    /// Tables whose rows, index entries and history go.
    pub purge_tables: Vec<TableId>,
    /// Indexes whose entries go.
    pub purge_indexes: Vec<IndexId>,
    /// Entries of an index that is being built, for rows that do not change.
    pub build_index: Vec<BuiltIndexEntry>,
}

/// One row, before and after.
#[derive(Debug, Clone)]
pub struct RowWrite {
    /// The row's table.
    pub table: TableId,
    /// Whose row it is.
    pub scope: Scope,
    /// Its primary key.
    pub key: RowKey,
    /// The row as the statement saw it, which must still stand; `None`: there must be none.
    pub old: Option<StoredRow>,
    /// The row as it becomes; `None` deletes it.
    pub new: Option<Row>,
    /// The table's indexes, for keeping them in step.
    pub indexes: Arc<[IndexSpec]>,
}

/// What the store must know of a secondary index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexSpec {
    /// The index.
    pub id: IndexId,
    /// Its columns: slot, and the value of rows that are older than the column.
    pub columns: Vec<(u16, Value)>,
    /// No two rows of one scope may have equal columns, unless one of them is NULL.
    pub unique: bool,
}

/// An entry of an index that is being built.
#[derive(Debug, Clone)]
pub struct BuiltIndexEntry {
    /// The index.
    pub index: IndexSpec,
    /// Whose row it is.
    pub scope: Scope,
    /// The row's key.
    pub key: RowKey,
    /// The row.
    pub row: Row,
}

/// A row as it stands in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRow {
    /// Its primary key.
    pub key: RowKey,
    /// The change that wrote it last.
    pub seq: SeqId,
    /// Its values by slot.
    pub row: Row,
}

/// Which kind of record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RecordSpace {
    /// Namespaces, tables, counters.
    Catalog,
    /// Users and revoked tokens.
    Auth,
    /// Live queries of running processes.
    LiveQueries,
}

/// One record, before and after.
#[derive(Debug, Clone)]
pub struct RecordWrite {
    /// Which kind of record.
    pub space: RecordSpace,
    /// Its key.
    pub key: Vec<u8>,
    /// What must be there now.
    pub expect: Expect,
    /// What will be there; `None` deletes it.
    pub value: Option<Vec<u8>>,
}

/// What must stand at a record's key for the commit to go through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expect {
    /// Anything or nothing.
    Any,
    /// Nothing.
    Absent,
    /// Exactly this.
    Value(Vec<u8>),
}

/// A commit that has happened, as everything that follows the database sees it.
#[derive(Debug, Clone)]
pub struct Commit {
    /// SeqId of its first change.
    pub first: SeqId,
    /// SeqId of its last change; names the commit.
    pub last: SeqId,
    /// When it happened, in microseconds since the Unix epoch.
    pub at_micros: i64,
    /// Its row changes, ascending by SeqId.
    pub changes: Vec<Change>,
    /// Its records.
    pub records: Vec<RecordWrite>,
    /// Tables that are gone with it.
    pub dropped_tables: Vec<TableId>,
}

/// One row change of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The row's table.
    pub table: TableId,
    /// Whose row it is.
    pub scope: Scope,
    /// Its primary key.
    pub key: RowKey,
    /// SeqId of this change.
    pub seq: SeqId,
    /// SeqId of the commit it belongs to (its last change).
    pub commit: SeqId,
    /// The row before, with the SeqId that wrote it; `None` if there was none.
    pub old: Option<(SeqId, Row)>,
    /// The row after; `None` if it was deleted.
    pub new: Option<Row>,
}

/// Where a write set came to stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// SeqId of the first row write; the n-th has this plus n.
    pub first: SeqId,
    /// SeqId of the commit.
    pub last: SeqId,
}

/// Why a write set did not become a commit. Unless it says otherwise, nothing of it was written.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CommitError {
    /// Something it touches has changed since; the statement may be tried again on a new snapshot.
    #[error("a row or record changed since the statement read it")]
    Conflict,
    /// Two rows would be equal in a unique index.
    #[error("a unique index would hold two equal rows")]
    UniqueViolation {
        /// The index.
        index: IndexId,
    },
    /// The disk did not take it (full, or failing), and nothing of it was written.
    #[error("the write could not be stored: {0}")]
    NotStored(StorageFault),
    /// The disk failed while it was written. It is there wholly or not at all; which of the two shows
    /// when the disk works again, and then it is told like any commit.
    #[error("it is not known whether the write was stored: {0}")]
    Unsettled(StorageFault),
    /// The store is shutting down.
    #[error("the store is shutting down")]
    Closed,
}
