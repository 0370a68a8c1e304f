//! The parts of an engine, as statements use them.

use std::sync::Arc;

use kalamdb_auth::Auth;
use kalamdb_commons::Name;
use kalamdb_store::{CommitError, Committed, Store, WriteSet};
use kalamdb_system::{AuditLog, Catalog, Users};
use tokio::sync::{OwnedRwLockReadGuard, RwLock};

use super::catalog_progress::CatalogProgress;
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
    /// What was done and refused.
    pub audit: AuditLog,
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
    pub ddl_gate: Arc<RwLock<()>>,
    /// How far the catalog has come.
    pub progress: Arc<CatalogProgress>,
}

/// While one of these is held the catalog stays as it is.
#[derive(Debug, Clone)]
pub struct RowGate(#[expect(dead_code, reason = "it is held, not read")] Arc<OwnedRwLockReadGuard<()>>);

impl EngineParts {
    /// Waits until the catalog is at rest, and keeps it so.
    pub async fn row_gate(&self) -> RowGate {
        RowGate(Arc::new(Arc::clone(&self.ddl_gate).read_owned().await))
    }

    /// Commits row changes.
    ///
    /// A commit that has begun is brought to its end, and the gate held until then, even if whoever
    /// asked for it goes away: otherwise a catalog change could overtake rows of the old shape.
    ///
    /// # Errors
    /// [`CommitError`]; unless it says otherwise nothing was written.
    pub async fn commit(&self, writes: WriteSet, gate: &RowGate) -> Result<Committed, CommitError> {
        let (store, gate) = (self.store.clone(), gate.clone());
        let commit = tokio::spawn(async move {
            let outcome = store.commit(writes).await;
            drop(gate);
            outcome
        });
        match commit.await {
            Ok(outcome) => outcome,
            Err(failed) => match failed.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // Only the end of the runtime cancels it.
                Err(_) => Err(CommitError::Closed),
            },
        }
    }

    /// What a statement that begins now sees. Whoever calls this holds the gate.
    #[must_use]
    pub fn context(&self, caller: &Caller, namespace: &Name, params: &Arc<[serde_json::Value]>) -> StatementContext {
        StatementContext {
            caller: caller.clone(),
            namespace: namespace.clone(),
            params: Arc::clone(params),
            now_micros: self.store.clock().now_micros(),
            catalog: self.catalog.state(),
            snapshot: self.store.snapshot(),
            overlay: Arc::new(Overlay::default()),
            as_of: None,
            finds_in: None,
        }
    }

    /// What a query that begins now sees; the gate is not needed, so no catalog change that waits for a
    /// long write holds up reads.
    pub async fn context_of_query(
        &self,
        caller: &Caller,
        namespace: &Name,
        params: &Arc<[serde_json::Value]>,
    ) -> StatementContext {
        loop {
            let was_changing = self.progress.is_changing();
            let ctx = self.context(caller, namespace, params);
            if was_changing || self.progress.is_changing() {
                self.progress.reaches(ctx.snapshot.seq()).await;
            }
            // The same before and after: it is the catalog of the snapshot.
            if Arc::ptr_eq(&ctx.catalog, &self.catalog.state()) {
                return ctx;
            }
        }
    }
}
