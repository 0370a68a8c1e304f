//! The parts of an engine, as statements use them.

use std::sync::Arc;

use kalamdb_auth::Auth;
use kalamdb_commons::Name;
use kalamdb_store::Store;
use kalamdb_system::{Catalog, Users};
use tokio::sync::RwLock;

use crate::context::{Caller, Overlay, StatementContext};
use crate::live::LiveQueries;
use crate::options::Limits;
use crate::sql::query::QuerySession;
use crate::sql::transaction::WriteState;

/// What every statement works with; one per engine.
#[derive(Debug)]
pub struct EngineParts {
    /// Rows, history, commits.
    pub store: Store,
    /// Tables and namespaces.
    pub catalog: Arc<Catalog>,
    /// Users.
    pub users: Arc<Users>,
    /// Passwords.
    pub auth: Arc<Auth>,
    /// Connections and live queries.
    pub live: LiveQueries,
    /// The query planner.
    pub session: QuerySession,
    /// Bounds of one request.
    pub limits: Limits,
    /// What writing statements share.
    pub writes: WriteState,
    /// Held for reading while rows are changed, for writing while the catalog is, so that a write
    /// always meets the catalog it was planned with. The engine takes it; what it calls does not.
    pub ddl_gate: RwLock<()>,
}

impl EngineParts {
    /// What a statement that begins now sees.
    ///
    /// The catalog is read before the rows: a table that appears in between is not seen, and one
    /// that disappears reads as empty.
    #[must_use]
    pub fn context(&self, caller: &Caller, namespace: &Name, params: &Arc<[serde_json::Value]>) -> StatementContext {
        let catalog = self.catalog.state();
        StatementContext {
            caller: caller.clone(),
            namespace: namespace.clone(),
            params: Arc::clone(params),
            now_micros: self.store.clock().now_micros(),
            catalog,
            snapshot: self.store.snapshot(),
            overlay: Arc::new(Overlay::default()),
            as_of: None,
        }
    }
}
