//! What one statement sees: who asks, when, which catalog, and rows exactly as of one SeqId.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use kalamdb_commons::{Name, Role, SeqId, TableId, UserId};
use kalamdb_store::{RowKey, Scope, Snapshot, StoredRow};
use kalamdb_system::{CatalogState, TableDef, TableKind};

/// Who asks. The role comes from the stored user, never from a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Whose rows are meant in USER and STREAM tables.
    pub user: UserId,
    /// What it may do.
    pub role: Role,
}

impl Caller {
    /// The scope in which this caller sees `table`.
    #[must_use]
    pub fn scope_of(&self, table: &TableDef) -> Scope {
        match table.kind {
            TableKind::Shared => Scope::Shared,
            TableKind::User | TableKind::Stream => Scope::User(self.user.clone()),
        }
    }
}

/// What one statement sees. Cheap to clone.
#[derive(Debug, Clone)]
pub struct StatementContext {
    /// Who asks.
    pub caller: Caller,
    /// Namespace of table names written without one.
    pub namespace: Name,
    /// Values of `$1`, `$2` …
    pub params: Arc<[serde_json::Value]>,
    /// The statement's `NOW()`, in microseconds since the Unix epoch.
    pub now_micros: i64,
    /// Tables and namespaces.
    pub catalog: Arc<CatalogState>,
    /// Rows, exactly as of one SeqId.
    pub snapshot: Snapshot,
    /// Rows that differ from the snapshot: a transaction's own writes, or history.
    pub overlay: Arc<Overlay>,
    /// Look at the sources as they were at this SeqId instead of the snapshot's.
    pub as_of: Option<SeqId>,
}

/// Rows that stand in front of a snapshot: changed (`Some`) or gone (`None`).
#[derive(Debug, Clone, Default)]
pub struct Overlay {
    tables: HashMap<(TableId, Scope), BTreeMap<RowKey, Option<StoredRow>>>,
}

impl Overlay {
    /// The rows in front of one table and scope, by key.
    #[must_use]
    pub fn of(&self, table: TableId, scope: &Scope) -> Option<&BTreeMap<RowKey, Option<StoredRow>>> {
        self.tables.get(&(table, scope.clone()))
    }

    /// Puts a row in front; `None` hides the snapshot's row.
    pub fn put(&mut self, table: TableId, scope: Scope, key: RowKey, row: Option<StoredRow>) {
        self.tables.entry((table, scope)).or_default().insert(key, row);
    }

    /// Does nothing stand in front?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }
}
