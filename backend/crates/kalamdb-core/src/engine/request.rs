//! One request: its statements in order, until one fails.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kalamdb_commons::protocol::{ErrorBody, ResponseStatus, SqlRequest, SqlResponse, StatementResult};
use kalamdb_commons::{ErrorCode, Name, Row, UserId};
use kalamdb_system::system_table::{DEFAULT_NAMESPACE, SYSTEM_NAMESPACE};

use super::acting::Acting;
use super::parts::EngineParts;
use super::script::{Failure, Script, Step};
use crate::context::{Caller, StatementContext};
use crate::error::SqlError;
use crate::metrics;
use crate::sql::statement::{Ddl, Statement, UserStatement};
use crate::sql::transaction::{self, Ending};
use crate::sql::users::departure;
use crate::sql::{audited, ddl, explain, kill, query, script, show, users};

/// Runs a request. The time it took is left to whoever measures it.
pub(super) async fn run(engine: Arc<EngineParts>, caller: Caller, request: SqlRequest) -> SqlResponse {
    let mut count = 0;
    let mut results = Vec::new();
    let outcome = all(engine, caller, request, &mut results, &mut count).await;
    let error = outcome.err().map(|failure| body_of(failure, count));
    let status = if error.is_some() { ResponseStatus::Error } else { ResponseStatus::Success };
    SqlResponse { status, results, took: 0.0, error }
}

/// The namespace of names written without one.
pub(super) fn namespace_of(wanted: Option<&str>) -> Result<Name, SqlError> {
    match wanted {
        None => Name::new(DEFAULT_NAMESPACE).map_err(SqlError::internal),
        Some(text) => Name::new(text)
            .map_err(|error| SqlError::new(ErrorCode::InvalidParameter, format!("\"namespace_id\": {error}"))),
    }
}

async fn all(
    engine: Arc<EngineParts>,
    caller: Caller,
    request: SqlRequest,
    results: &mut Vec<StatementResult>,
    count: &mut usize,
) -> Result<(), Failure> {
    let namespace = namespace_of(request.namespace_id.as_deref())?;
    let params: Arc<[serde_json::Value]> = request.params.unwrap_or_default().into();
    let tokens = script::split(&request.sql, &engine.limits)?;
    *count = tokens.len();
    let script = Script::parse(tokens, params.len(), &engine.limits)?;
    let acting = Acting::begin(&engine, caller)?;
    let mut running = Running { engine, acting, namespace, params, bytes: 0 };
    for step in &script.steps {
        match step {
            Step::Alone(number) => {
                let result = match script.statements.get(*number) {
                    Some(statement) => running.alone(statement).await,
                    None => Err(SqlError::internal("a step names a statement that is not there")),
                };
                results.push(result.map_err(|error| Failure::at(*number, error))?);
            }
            Step::Transaction { inner, ending } => {
                let statements = script.statements.get(inner.clone()).unwrap_or_default();
                let done = running.transaction(statements, *ending).await;
                results.extend(done.map_err(|(number, error)| Failure::at(inner.start.saturating_add(number), error))?);
            }
        }
    }
    Ok(())
}

fn body_of(failure: Failure, count: usize) -> ErrorBody {
    let number = failure.statement.filter(|_| count > 1);
    let details = number.map(|number| format!("statement {} of {count}", number.saturating_add(1)));
    failure.error.into_body(details)
}

/// A request on its way.
struct Running {
    engine: Arc<EngineParts>,
    acting: Acting,
    /// Changed by USE.
    namespace: Name,
    params: Arc<[serde_json::Value]>,
    /// Size of the results so far.
    bytes: usize,
}

impl Running {
    /// Runs a statement that stands by itself.
    async fn alone(&mut self, statement: &Statement) -> Result<StatementResult, SqlError> {
        let began = Instant::now();
        let outcome = match self.check_room().and_then(|()| self.acting.check(&self.engine)) {
            Ok(()) => self.statement(statement).await,
            Err(error) => Err(error),
        };
        count(statement.kind(), began.elapsed(), outcome.as_ref().err());
        let result = outcome?;
        self.bytes = self.bytes.saturating_add(size_of_rows(&result));
        // A write is done whatever its answer takes; it has bounded its RETURNING itself.
        if is_query(statement) {
            self.check_room()?;
        }
        Ok(result)
    }

    /// Runs what stands between BEGIN and what ends it; a result for each of them too.
    async fn transaction(
        &mut self,
        statements: &[Statement],
        ending: Ending,
    ) -> Result<Vec<StatementResult>, (usize, SqlError)> {
        let began = Instant::now();
        let statements: Vec<&Statement> = statements.iter().collect();
        let outcome = match self.check_room() {
            Ok(()) => {
                let gate = self.engine.row_gate().await;
                let (engine, caller) = (&self.engine, &self.acting.caller);
                match self.acting.check(engine) {
                    Ok(()) => {
                        let (namespace, params) = (&self.namespace, &self.params);
                        transaction::run(engine, caller, namespace, params, &statements, ending, &gate).await
                    }
                    Err(error) => Err((0, error)),
                }
            }
            Err(error) => Err((0, error)),
        };
        count("transaction", began.elapsed(), outcome.as_ref().err().map(|(_, error)| error));
        let inner = outcome?;
        self.bytes = inner.iter().map(size_of_rows).fold(self.bytes, usize::saturating_add);
        let mut end =
            said(if ending == Ending::Rollback { "transaction rolled back" } else { "transaction committed" });
        end.seq = inner.iter().find_map(|result| result.seq);
        Ok(std::iter::once(said("transaction begun")).chain(inner).chain([end]).collect())
    }

    /// Fails if the results so far have used up what one request may answer with.
    fn check_room(&self) -> Result<(), SqlError> {
        let max = self.engine.limits.result_bytes_max;
        if self.bytes > max {
            let text = format!("the results take more than {max} bytes; add a LIMIT");
            return Err(SqlError::new(ErrorCode::TooLarge, text));
        }
        Ok(())
    }

    /// Runs a statement; what no commit tells the audit log of it is written there.
    async fn statement(&mut self, statement: &Statement) -> Result<StatementResult, SqlError> {
        let outcome = self.dispatch(statement).await;
        let kills = matches!(statement, Statement::KillConnection(_) | Statement::KillLiveQuery(_));
        let refused =
            outcome.as_ref().err().map(|error| error.code).filter(|code| *code == ErrorCode::PermissionDenied);
        if let Some(entry) = audited::entry(&self.acting.caller, &self.namespace, statement) {
            if let Some(code) = refused {
                audited::record(&self.engine, &entry.refused(code)).await?;
            } else if kills && outcome.is_ok() {
                audited::record(&self.engine, &entry).await?;
            }
        }
        outcome
    }

    async fn dispatch(&mut self, statement: &Statement) -> Result<StatementResult, SqlError> {
        let (engine, caller) = (&self.engine, &self.acting.caller);
        match statement {
            Statement::Query(_) | Statement::Dml(_) => self.rows_of(&self.acting, statement).await,
            Statement::ExecuteAs { user, statement: inner } => {
                let other = self.in_the_name_of(user)?;
                let by = &caller.user;
                tracing::info!(%by, %user, kind = inner.kind(), "a statement is run in the name of another user");
                if let Some(entry) = audited::entry(caller, &self.namespace, statement) {
                    audited::record(engine, &entry).await?;
                }
                self.rows_of(&other, inner).await
            }
            Statement::Explain(explain) => explain::execute(engine, &self.context(caller).await, explain).await,
            Statement::ExplainLive(query) => explain::execute_live(engine, &self.context(caller).await, query).await,
            Statement::Use(name) => self.use_namespace(name),
            Statement::ShowNamespaces => show::namespaces(engine, caller),
            Statement::ShowTables(of) => show::tables(engine, caller, of.as_ref()),
            Statement::ShowGrants(of) => show::grants(engine, caller, &self.namespace, of),
            Statement::DescribeTable(table) => show::describe(engine, caller, &table.within(&self.namespace)),
            Statement::Ddl(ddl) => self.ddl(ddl.clone()).await,
            Statement::User(statement @ UserStatement::Drop { user, .. }) => self.drop_user(statement, user).await,
            Statement::User(statement) => users::execute(engine, caller, statement).await,
            Statement::KillConnection(_) | Statement::KillLiveQuery(_) => {
                kill::execute(engine, caller, statement).await
            }
            Statement::Begin | Statement::Commit | Statement::Rollback => {
                Err(SqlError::internal("the end of a transaction stands alone"))
            }
        }
    }

    /// Runs a query or a write for whoever acts.
    async fn rows_of(&self, acting: &Acting, statement: &Statement) -> Result<StatementResult, SqlError> {
        let caller = &acting.caller;
        if let Statement::Query(query) = statement {
            let ctx = self.context(caller).await;
            acting.check(&self.engine)?;
            return query::run(&self.engine.session, &ctx, query).await;
        }
        let gate = self.engine.row_gate().await;
        acting.check(&self.engine)?;
        let (engine, statements) = (&self.engine, [statement]);
        let done =
            transaction::run(engine, caller, &self.namespace, &self.params, &statements, Ending::Alone, &gate).await;
        let mut results = done.map_err(|(_, error)| error)?;
        results.pop().ok_or_else(|| SqlError::internal("a statement came to no result"))
    }

    async fn context(&self, caller: &Caller) -> StatementContext {
        self.engine.context_of_query(caller, &self.namespace, &self.params).await
    }

    fn in_the_name_of(&self, user: &UserId) -> Result<Acting, SqlError> {
        let caller = &self.acting.caller;
        if !caller.role.is_admin() {
            return Err(SqlError::denied("only administrators may act in the name of another user"));
        }
        let Some(record) = self.engine.users.get(user) else {
            return Err(SqlError::not_found(format!("user \"{user}\" does not exist")));
        };
        if record.role > caller.role {
            return Err(SqlError::denied("you may not act in the name of a user with a higher role"));
        }
        Ok(Acting::of(&record, caller.client))
    }

    fn use_namespace(&mut self, name: &Name) -> Result<StatementResult, SqlError> {
        if self.engine.catalog.state().namespace(name).is_none() && name.as_str() != SYSTEM_NAMESPACE {
            return Err(SqlError::not_found(format!("namespace \"{name}\" does not exist")));
        }
        self.namespace = name.clone();
        Ok(said(format!("names without a namespace are looked up in \"{name}\"")))
    }

    /// Changes the catalog, and answers when every live query has heard of it.
    async fn ddl(&self, ddl: Ddl) -> Result<StatementResult, SqlError> {
        let (engine, acting, namespace) = (Arc::clone(&self.engine), self.acting.clone(), self.namespace.clone());
        to_its_end(async move {
            let closed = Arc::clone(&engine.ddl_gate).write_owned().await;
            let changing = engine.progress.change();
            acting.check(&engine)?;
            let done = ddl::execute(&engine, &acting.caller, &namespace, &ddl).await?;
            drop((changing, closed));
            engine.live.settled().await;
            Ok(done)
        })
        .await
    }

    /// Drops a user while nobody writes: what it had begun to write is there, and it writes nothing more.
    async fn drop_user(&self, statement: &UserStatement, user: &UserId) -> Result<StatementResult, SqlError> {
        let (engine, acting) = (Arc::clone(&self.engine), self.acting.clone());
        let (statement, user) = (statement.clone(), user.clone());
        to_its_end(async move {
            let closed = Arc::clone(&engine.ddl_gate).write_owned().await;
            let changing = engine.progress.change();
            acting.check(&engine)?;
            let done = users::execute(&engine, &acting.caller, &statement).await?;
            drop((changing, closed));
            departure::finish(&engine, &user).await?;
            Ok(done)
        })
        .await
    }
}

/// Runs a change in a task of its own: one that has begun is brought to its end, and the gate kept closed
/// until then, even if the client goes away.
async fn to_its_end(
    change: impl Future<Output = Result<StatementResult, SqlError>> + Send + 'static,
) -> Result<StatementResult, SqlError> {
    match tokio::spawn(change).await {
        Ok(outcome) => outcome,
        Err(failed) => match failed.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(crate::sql::error_map::shutting_down()),
        },
    }
}

fn is_query(statement: &Statement) -> bool {
    match statement {
        Statement::Query(_) => true,
        Statement::ExecuteAs { statement, .. } => is_query(statement),
        _ => false,
    }
}

fn count(kind: &'static str, took: Duration, failure: Option<&SqlError>) {
    metrics::statement_run(kind, took, failure.map(|error| error.code));
}

fn said(message: impl Into<String>) -> StatementResult {
    StatementResult { message: Some(message.into()), ..StatementResult::default() }
}

fn size_of_rows(result: &StatementResult) -> usize {
    result.rows.iter().map(Row::size_bytes).fold(0, usize::saturating_add)
}
