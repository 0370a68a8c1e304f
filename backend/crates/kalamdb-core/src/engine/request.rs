//! One request: its statements in order, until one fails.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kalamdb_commons::protocol::{ErrorBody, ResponseStatus, SqlRequest, SqlResponse, StatementResult};
use kalamdb_commons::{ErrorCode, Name, Row, UserId};
use kalamdb_system::system_table::{DEFAULT_NAMESPACE, SYSTEM_NAMESPACE};

use super::parts::EngineParts;
use super::script::{Failure, Script, Step};
use crate::context::{Caller, StatementContext};
use crate::error::SqlError;
use crate::metrics;
use crate::sql::statement::{Ddl, Statement};
use crate::sql::transaction::{self, Ending};
use crate::sql::{ddl, explain, kill, query, script, show, users};

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
    let mut running = Running { engine, caller, namespace, params, bytes: 0 };
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
    caller: Caller,
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
        let outcome = match self.check_room() {
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
                let (engine, caller) = (&self.engine, &self.caller);
                transaction::run(engine, caller, &self.namespace, &self.params, &statements, ending, &gate).await
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

    async fn statement(&mut self, statement: &Statement) -> Result<StatementResult, SqlError> {
        let engine = &self.engine;
        match statement {
            Statement::Query(_) | Statement::Dml(_) => self.rows_of(&self.caller, statement).await,
            Statement::ExecuteAs { user, statement } => {
                let other = self.in_the_name_of(user)?;
                let by = &self.caller.user;
                tracing::info!(%by, %user, kind = statement.kind(), "a statement is run in the name of another user");
                self.rows_of(&other, statement).await
            }
            Statement::Explain(explain) => explain::execute(engine, &self.context(&self.caller).await, explain).await,
            Statement::ExplainLive(query) => {
                explain::execute_live(engine, &self.context(&self.caller).await, query).await
            }
            Statement::Use(name) => self.use_namespace(name),
            Statement::ShowNamespaces => show::namespaces(engine, &self.caller),
            Statement::ShowTables(of) => show::tables(engine, &self.caller, of.as_ref()),
            Statement::DescribeTable(table) => show::describe(engine, &self.caller, &table.within(&self.namespace)),
            Statement::Ddl(ddl) => self.ddl(ddl.clone()).await,
            Statement::User(statement) => users::execute(engine, &self.caller, statement).await,
            Statement::KillConnection(_) | Statement::KillLiveQuery(_) => {
                kill::execute(engine, &self.caller, statement).await
            }
            Statement::Begin | Statement::Commit | Statement::Rollback => {
                Err(SqlError::internal("the end of a transaction stands alone"))
            }
        }
    }

    /// Runs a query or a write for `caller`.
    async fn rows_of(&self, caller: &Caller, statement: &Statement) -> Result<StatementResult, SqlError> {
        if let Statement::Query(query) = statement {
            return query::run(&self.engine.session, &self.context(caller).await, query).await;
        }
        let gate = self.engine.row_gate().await;
        let (engine, statements) = (&self.engine, [statement]);
        let done =
            transaction::run(engine, caller, &self.namespace, &self.params, &statements, Ending::Alone, &gate).await;
        let mut results = done.map_err(|(_, error)| error)?;
        results.pop().ok_or_else(|| SqlError::internal("a statement came to no result"))
    }

    async fn context(&self, caller: &Caller) -> StatementContext {
        self.engine.context_of_query(caller, &self.namespace, &self.params).await
    }

    fn in_the_name_of(&self, user: &UserId) -> Result<Caller, SqlError> {
        if !self.caller.role.is_admin() {
            return Err(SqlError::denied("only administrators may act in the name of another user"));
        }
        let Some(record) = self.engine.users.get(user) else {
            return Err(SqlError::not_found(format!("user \"{user}\" does not exist")));
        };
        if record.role > self.caller.role {
            return Err(SqlError::denied("you may not act in the name of a user with a higher role"));
        }
        Ok(Caller { user: record.id.clone(), role: record.role })
    }

    fn use_namespace(&mut self, name: &Name) -> Result<StatementResult, SqlError> {
        if self.engine.catalog.state().namespace(name).is_none() && name.as_str() != SYSTEM_NAMESPACE {
            return Err(SqlError::not_found(format!("namespace \"{name}\" does not exist")));
        }
        self.namespace = name.clone();
        Ok(said(format!("names without a namespace are looked up in \"{name}\"")))
    }

    /// Changes the catalog, in a task of its own: a change that has begun is brought to its end, and the
    /// gate kept closed until then, even if the client goes away.
    async fn ddl(&self, ddl: Ddl) -> Result<StatementResult, SqlError> {
        let (engine, caller, namespace) = (Arc::clone(&self.engine), self.caller.clone(), self.namespace.clone());
        let change = tokio::spawn(async move {
            let _closed = Arc::clone(&engine.ddl_gate).write_owned().await;
            let _changing = engine.progress.change();
            ddl::execute(&engine, &caller, &namespace, &ddl).await
        });
        match change.await {
            Ok(outcome) => outcome,
            Err(failed) => match failed.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(crate::sql::error_map::shutting_down()),
            },
        }
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
