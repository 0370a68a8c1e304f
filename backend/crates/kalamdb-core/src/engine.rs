//! The front door: SQL in, results out, and live queries planned.
//!
//! The engine joins the parts: it tells them of every commit in a fixed order, runs statements on
//! threads of its own, turns a panic into an error, and knows when the last statement has ended.
//! A request whose client goes away ends at the next moment it waits; what it had committed stays,
//! and a commit that had begun is either made whole or not at all.

pub mod catalog_progress;
pub mod parts;

mod acting;
mod request;
mod runtime;
mod script;

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kalamdb_auth::Auth;
use kalamdb_commons::protocol::{ResponseStatus, SqlRequest, SqlResponse};
use kalamdb_commons::{Name, UserId};
use kalamdb_store::{Commit, ReadError, Store};
use kalamdb_system::{AuditLog, Catalog, Users};
use tokio::sync::{RwLock, Semaphore};

use crate::context::Caller;
use crate::error::SqlError;
use crate::live::plan::LivePlan;
use crate::live::{LiveQueries, LiveStartError};
use crate::metrics;
use crate::options::EngineOptions;
use crate::sql::query::QuerySession;
use crate::sql::transaction::WriteState;
use crate::sql::users::departure;
use crate::sql::{error_map, grammar, live_plan};
use crate::stream_expiry::StreamExpiry;
use crate::tables::system::SystemSources;
use catalog_progress::CatalogProgress;
use parts::EngineParts;
use runtime::SqlRuntime;

/// Statements that run at one time, at most; far beyond what the doors let in.
const RUNNING_MAX: u32 = 1 << 20;

/// Longest wait for running statements at shutdown.
const SHUTDOWN_WAIT: Duration = Duration::from_secs(30);

/// The engine; a handle that is cheap to clone.
#[derive(Clone, Debug)]
pub struct Engine(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    parts: Arc<EngineParts>,
    expiry: StreamExpiry,
    /// A permit for each statement that runs; shutdown takes them all.
    running: Semaphore,
    /// Last, so that it ends after what runs on it.
    runtime: SqlRuntime,
}

/// A live query, planned.
#[derive(Clone, Debug)]
pub struct PlannedLive {
    /// The plan.
    pub plan: Arc<LivePlan>,
    /// The namespace in which names written without one were looked up.
    pub namespace: Name,
}

/// Why an engine could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum EngineOpenError {
    /// The threads could not be started.
    #[error("the threads for SQL could not be started")]
    Threads(#[source] std::io::Error),
    /// The live side could not be started.
    #[error("live queries could not be started")]
    LiveQueries(#[from] LiveStartError),
    /// The query planner could not be set up.
    #[error("the query planner could not be set up: {0}")]
    Planner(SqlError),
    /// The notes about the age of rows could not be read.
    #[error("the age of the rows of STREAM tables could not be read")]
    StreamExpiry(#[source] ReadError),
}

impl Engine {
    /// Joins the parts and starts what runs by itself: the SQL threads, the live loop, the expiry of
    /// STREAM rows.
    ///
    /// # Errors
    /// [`EngineOpenError`].
    pub fn open(
        store: Store,
        catalog: Arc<Catalog>,
        users: Arc<Users>,
        auth: Arc<Auth>,
        audit: AuditLog,
        options: EngineOptions,
    ) -> Result<Engine, EngineOpenError> {
        let EngineOptions { node_id, limits, live, settings } = options;
        let runtime = SqlRuntime::start().map_err(EngineOpenError::Threads)?;
        let handle = runtime.handle().clone();
        let live = LiveQueries::start(store.clone(), catalog.clone(), users.clone(), handle.clone(), node_id, live)?;
        let clock = Arc::clone(store.clock());
        let sources = SystemSources { users: users.clone(), live: live.clone(), audit: audit.clone(), settings };
        let session = QuerySession::new(&limits, sources, clock).map_err(EngineOpenError::Planner)?;
        let progress = Arc::new(CatalogProgress::at(store.snapshot().seq()));
        let parts = Arc::new(EngineParts {
            store,
            catalog,
            users,
            auth,
            audit,
            live,
            session,
            limits,
            writes: WriteState::default(),
            ddl_gate: Arc::new(RwLock::new(())),
            progress,
        });
        let expiry = StreamExpiry::start(&parts, &handle).map_err(EngineOpenError::StreamExpiry)?;
        follow(&parts, &expiry);
        let running = Semaphore::new(RUNNING_MAX as usize);
        let engine = Engine(Arc::new(Inner { parts, expiry, running, runtime }));
        for user in engine.0.parts.users.leaving() {
            handle.spawn(engine.clone().see_off(user));
        }
        Ok(engine)
    }

    /// Deletes what is left of a user who was dropped before the last start.
    async fn see_off(self, user: UserId) {
        loop {
            let (parts, of) = (Arc::clone(&self.0.parts), user.clone());
            // A statement of its own each time, so that a shutdown waits for one portion at most.
            match self.run(async move { departure::step(&parts, &of).await }).await.and_then(|more| more) {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    tracing::warn!(%error, "rows of a user who was dropped are still there; they go after the next start");
                    return;
                }
            }
        }
    }

    /// Runs the request's statements, in order, until one fails.
    pub async fn execute(&self, caller: Caller, request: SqlRequest) -> SqlResponse {
        let began = Instant::now();
        let work = request::run(Arc::clone(&self.0.parts), caller, request);
        let mut response = self.run(work).await.unwrap_or_else(|error| SqlResponse {
            status: ResponseStatus::Error,
            results: Vec::new(),
            took: 0.0,
            error: Some(error.into_body(None)),
        });
        response.took = milliseconds(began.elapsed());
        response
    }

    /// Plans `sql`, which must be one SELECT, as a live query of `caller`.
    ///
    /// # Errors
    /// What running it as a statement would fail with, before it reads a row.
    pub async fn plan_live(
        &self,
        caller: &Caller,
        sql: &str,
        params: Vec<serde_json::Value>,
        namespace: Option<&str>,
    ) -> Result<PlannedLive, SqlError> {
        let namespace = request::namespace_of(namespace)?;
        let work = plan(Arc::clone(&self.0.parts), caller.clone(), sql.to_owned(), params.into(), namespace);
        self.run(work).await?
    }

    /// What was done and refused.
    #[must_use]
    pub fn audit(&self) -> &AuditLog {
        &self.0.parts.audit
    }

    /// Connections and live queries.
    #[must_use]
    pub fn live(&self) -> &LiveQueries {
        &self.0.parts.live
    }

    /// Takes no more statements, closes all connections, and returns when what was running has ended.
    pub async fn shutdown(&self) {
        let all_ended = self.0.running.acquire_many(RUNNING_MAX);
        let ended = async {
            let (ended, (), ()) = tokio::join!(
                tokio::time::timeout(SHUTDOWN_WAIT, all_ended),
                self.0.parts.live.shutdown(),
                self.0.expiry.stop(),
            );
            ended.is_ok()
        };
        if !ended.await {
            tracing::warn!("statements are still running; they end with the process");
        }
        self.0.running.close();
    }

    /// Runs `work` on the SQL threads.
    async fn run<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Result<T, SqlError> {
        // Fails as soon as the shutdown waits for the permits, and for ever after.
        let Ok(_running) = self.0.running.try_acquire() else { return Err(error_map::shutting_down()) };
        self.0.runtime.run(work).await.map_err(|failed| match failed.try_into_panic() {
            // Its text may hold what a client sent, so it is not repeated.
            Ok(_) => {
                metrics::panic_caught();
                SqlError::internal("a statement panicked")
            }
            Err(_) => error_map::shutting_down(),
        })
    }
}

/// Tells everything that follows the database of each commit: first what knows the rules, then what
/// acts on them.
fn follow(parts: &Arc<EngineParts>, expiry: &StreamExpiry) {
    let (catalog, users, auth) = (parts.catalog.clone(), parts.users.clone(), parts.auth.clone());
    let (progress, live, expiry) = (parts.progress.clone(), parts.live.clone(), expiry.clone());
    let audit = parts.audit.clone();
    parts.store.listen(Arc::new(move |commit: &Arc<Commit>| {
        catalog.apply(commit);
        progress.applied(commit.last);
        users.apply(commit);
        auth.apply(commit);
        audit.apply(commit);
        live.on_commit(commit);
        expiry.on_commit(commit, &catalog.state());
    }));
}

async fn plan(
    parts: Arc<EngineParts>,
    caller: Caller,
    sql: String,
    params: Arc<[serde_json::Value]>,
    namespace: Name,
) -> Result<PlannedLive, SqlError> {
    let tokens = crate::sql::script::split(&sql, &parts.limits)?;
    script::check_params(&tokens, params.len(), &parts.limits).map_err(|failure| failure.error)?;
    let query = grammar::parse_live_query(&sql, &parts.limits)?;
    let ctx = parts.context_of_query(&caller, &namespace, &params).await;
    let plan = live_plan::plan(&parts.session, &ctx, &query).await?;
    Ok(PlannedLive { plan: Arc::new(plan), namespace })
}

/// In milliseconds, to the microsecond.
fn milliseconds(time: std::time::Duration) -> f64 {
    (time.as_secs_f64() * 1_000_000.0).round() / 1_000.0
}

#[cfg(test)]
pub(crate) mod tests;
