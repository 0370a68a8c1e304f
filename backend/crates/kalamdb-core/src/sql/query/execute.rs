//! Running a plan, within bounds of rows, bytes, memory and time.

use std::sync::Arc;

use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures_util::StreamExt as _;
use kalamdb_commons::protocol::SchemaField;
use kalamdb_commons::{DataType, ErrorCode, Row};

use super::restraint::restrained;
use super::session::QuerySession;
use super::{PlannedQuery, bind};
use crate::context::StatementContext;
use crate::error::SqlError;
use crate::options::Limits;
use crate::sql::error_map::from_datafusion;
use crate::tables::arrow::rows_of;

/// An optimised plan without any placeholder.
#[derive(Debug)]
pub(super) struct Execution {
    pub schema: Arc<[SchemaField]>,
    pub plan: LogicalPlan,
    pub use_indexes: bool,
}

impl Execution {
    /// Makes a planned query ready to run now.
    ///
    /// # Errors
    /// [`SqlError`] when the planner finds that it cannot be run.
    pub(super) fn of(
        session: &QuerySession,
        ctx: &StatementContext,
        planned: &PlannedQuery,
    ) -> Result<Execution, SqlError> {
        let plan = bind::for_running(planned.plan.clone(), ctx).map_err(|error| from_datafusion(&error))?;
        let plan = session
            .state()
            .optimizer()
            .optimize(plan, session.state(), |_, _| {})
            .map_err(|error| from_datafusion(&error))?;
        Ok(Execution { schema: Arc::clone(&planned.schema), plan, use_indexes: planned.uses_indexes })
    }

    /// Runs it; cells in the order of the schema.
    ///
    /// # Errors
    /// [`SqlError`] when it fails or is over a limit.
    pub(super) async fn run(&self, session: &QuerySession, ctx: &StatementContext) -> Result<Vec<Row>, SqlError> {
        let run = async {
            let physical = self.physical(session, ctx).await?;
            collect(physical, session.task(), &self.schema, session.limits()).await
        };
        in_time(session.limits(), run).await
    }

    /// Its operators.
    ///
    /// # Errors
    /// [`SqlError`] when the planner finds that it cannot be run.
    pub(super) async fn physical(
        &self,
        session: &QuerySession,
        ctx: &StatementContext,
    ) -> Result<Arc<dyn ExecutionPlan>, SqlError> {
        let state = session.state_for(ctx, self.use_indexes);
        let physical = state.query_planner().create_physical_plan(&self.plan, &state).await;
        let physical = physical.and_then(|plan| restrained(plan, session.limits()));
        physical.map_err(|error| from_datafusion(&error))
    }

    /// Runs its operators.
    ///
    /// # Errors
    /// [`SqlError`] when one fails or the result is over a limit.
    pub(super) async fn run_physical(
        &self,
        session: &QuerySession,
        physical: Arc<dyn ExecutionPlan>,
    ) -> Result<Vec<Row>, SqlError> {
        in_time(session.limits(), collect(physical, session.task(), &self.schema, session.limits())).await
    }
}

async fn in_time(limits: &Limits, run: impl Future<Output = Result<Vec<Row>, SqlError>>) -> Result<Vec<Row>, SqlError> {
    match tokio::time::timeout(limits.query_timeout, run).await {
        Ok(rows) => rows,
        Err(_) => Err(too_slow(limits)),
    }
}

/// What a query is told whose time is up.
pub(super) fn too_slow(limits: &Limits) -> SqlError {
    let text = format!("the query ran longer than {} seconds", limits.query_timeout.as_secs());
    SqlError::new(ErrorCode::TooLarge, text)
}

/// All rows of a plan.
///
/// # Errors
/// [`SqlError`] when it fails or is over a limit.
pub(super) async fn collect(
    physical: Arc<dyn ExecutionPlan>,
    task: Arc<datafusion::execution::TaskContext>,
    schema: &[SchemaField],
    limits: &Limits,
) -> Result<Vec<Row>, SqlError> {
    let types: Vec<DataType> = schema.iter().map(|field| field.data_type).collect();
    let mut stream = execute_stream(physical, task).map_err(|error| from_datafusion(&error))?;
    let mut rows = Vec::new();
    let mut bytes = 0_usize;
    while let Some(batch) = stream.next().await {
        let batch = batch.map_err(|error| from_datafusion(&error))?;
        if rows.len().saturating_add(batch.num_rows()) > limits.result_rows_max {
            let text = format!("a query may give at most {} rows", limits.result_rows_max);
            return Err(SqlError::new(ErrorCode::TooLarge, text));
        }
        let batch = rows_of(&batch, &types)?;
        bytes = batch.iter().map(Row::size_bytes).fold(bytes, usize::saturating_add);
        if bytes > limits.result_bytes_max {
            let text = format!("the result is larger than {} bytes", limits.result_bytes_max);
            return Err(SqlError::new(ErrorCode::TooLarge, text));
        }
        rows.extend(batch);
    }
    Ok(rows)
}
