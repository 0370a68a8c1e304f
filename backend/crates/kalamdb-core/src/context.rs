//! What one statement sees: who asks, when, which catalog, and rows exactly as of one SeqId.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use kalamdb_commons::{Name, Role, SeqId, TableId, UserId};
use kalamdb_store::{RowKey, Scope, Snapshot, StoredRow};
use kalamdb_system::{AuditEntry, AuditKind, CatalogState, Right, TableDef, TableKind};

/// Who asks. The role comes from the stored user, never from a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Whose rows are meant in USER and STREAM tables.
    pub user: UserId,
    /// What it may do.
    pub role: Role,
    /// Address of the client, for the audit log; `None` where nothing is written to it.
    pub client: Option<IpAddr>,
}

impl Caller {
    /// A user of this role, at an address that does not matter.
    #[must_use]
    pub const fn new(user: UserId, role: Role) -> Self {
        Caller { user, role, client: None }
    }

    /// The beginning of an entry in the audit log about what this caller does.
    #[must_use]
    pub fn audit(&self, kind: AuditKind, action: &'static str) -> AuditEntry {
        AuditEntry::new(kind, action).by(&self.user).from(self.client)
    }

    /// The scope in which this caller sees `table`.
    #[must_use]
    pub fn scope_of(&self, table: &TableDef) -> Scope {
        match table.kind {
            TableKind::Shared => Scope::Shared,
            TableKind::User | TableKind::Stream => Scope::User(self.user.clone()),
        }
    }

    /// May this caller do this with the rows that it sees of `table`?
    #[must_use]
    pub fn may(&self, right: Right, table: &TableDef) -> bool {
        table.allows(&self.user, self.role, right)
    }

    /// May this caller know that there is such a table?
    #[must_use]
    pub fn sees(&self, table: &TableDef) -> bool {
        table.is_visible_to(&self.user, self.role)
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
    /// A table whose rows a write has to find, though its statement reads none of their columns: the
    /// right to read is not needed.
    pub finds_in: Option<TableId>,
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
