//! SELECTs: planned, run, and turned into results.
//!
//! A query is planned with its parameters as placeholders ([`plan`]), so that the plan can be kept
//! and run again (`cache`); a query that names whole primary keys is answered without a plan
//! (`direct`). Names are looked up in the statement's own catalog, and what the caller may not
//! read is refused there (`names`). Results are bounded in rows, bytes, memory and time.

mod bind;
mod cache;
mod column_names;
mod direct;
mod execute;
mod hidden;
mod names;
mod notation;
mod params;
mod prepare;
mod restraint;
mod session;
mod shape;
mod types;
mod weight;

use std::sync::Arc;

use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::sql::sqlparser::ast;
use kalamdb_commons::protocol::{SchemaField, StatementResult};
use kalamdb_commons::{DataType, Row};
use kalamdb_store::Scope;
use kalamdb_system::TableDef;

use crate::context::StatementContext;
use crate::error::SqlError;
use execute::Execution;
use prepare::Prepared;

pub use session::QuerySession;

/// A query, planned: names resolved, rights checked, parameters bound.
///
/// `NOW()` is still in it; it is put in whenever the plan is run.
#[derive(Debug, Clone)]
pub struct PlannedQuery {
    /// Columns of the result.
    pub schema: Arc<[SchemaField]>,
    /// The analysed plan.
    pub plan: LogicalPlan,
    /// Every base table that is read.
    pub tables: Vec<PlannedTable>,
    /// Is a system table read?
    pub system_tables: bool,
    /// Does the result depend on time or chance?
    pub volatile: bool,
    /// Does the result depend on who asks, other than through the tables' scopes?
    pub depends_on_caller: bool,
    /// May it use the secondary indexes it was planned with?
    pub uses_indexes: bool,
}

impl PlannedQuery {
    /// The query as one that outlives its statement: it reads no secondary index, since one that
    /// has been dropped meanwhile would look empty.
    #[must_use]
    pub fn outliving_its_statement(self) -> Self {
        PlannedQuery { uses_indexes: false, ..self }
    }
}

/// A table that a query reads.
#[derive(Debug, Clone)]
pub struct PlannedTable {
    /// The table.
    pub def: Arc<TableDef>,
    /// The scope the query sees of it.
    pub scope: Scope,
    /// Slots of the columns that the query uses.
    pub slots: Vec<u16>,
}

/// Rows that stand in a query's FROM under a name.
#[derive(Debug, Clone)]
pub struct InlineTable {
    /// The name.
    pub name: String,
    /// Its columns.
    pub columns: Vec<(String, DataType)>,
    /// Its rows, cells in column order.
    pub rows: Vec<Row>,
}

/// Runs a query and gives its result.
///
/// # Errors
/// [`SqlError`] when it cannot be planned, fails, or is over a limit.
pub async fn run(
    session: &QuerySession,
    ctx: &StatementContext,
    query: &ast::Query,
) -> Result<StatementResult, SqlError> {
    if let Some(result) = direct::run(ctx, query)? {
        return Ok(result);
    }
    let execution = match session.cache().find(query, ctx) {
        Some(kept) => match kept.bind(ctx)? {
            Some(execution) => execution,
            None => fresh(session, ctx, query)?,
        },
        None if session.cache().is_worth_keeping(query, ctx) => {
            let prepared = Prepared::new(session, ctx, query, &[])?;
            match session.cache().keep(session, ctx, query, prepared)?.bind(ctx)? {
                Some(execution) => execution,
                None => fresh(session, ctx, query)?,
            }
        }
        None => fresh(session, ctx, query)?,
    };
    let rows = execution.run(session, ctx).await?;
    let row_count = u64::try_from(rows.len()).unwrap_or(u64::MAX);
    Ok(StatementResult { schema: execution.schema.to_vec(), rows, row_count, message: None, seq: None })
}

fn fresh(session: &QuerySession, ctx: &StatementContext, query: &ast::Query) -> Result<Execution, SqlError> {
    Execution::of(session, ctx, &Prepared::new(session, ctx, query, &[])?.bind(ctx)?)
}

/// A query as `EXPLAIN` shows it.
#[derive(Debug)]
pub struct Explained {
    /// As it was understood.
    pub analysed: LogicalPlan,
    /// As it is going to be run.
    pub optimised: LogicalPlan,
    /// Its operators; with what they did, if it was run.
    pub physical: Arc<dyn ExecutionPlan>,
}

/// Plans a query in full, and runs it if that is wished for.
///
/// # Errors
/// [`SqlError`] when it cannot be planned, fails, or is over a limit.
pub async fn explained(
    session: &QuerySession,
    ctx: &StatementContext,
    query: &ast::Query,
    run: bool,
) -> Result<Explained, SqlError> {
    let planned = plan(session, ctx, query).await?;
    let execution = Execution::of(session, ctx, &planned)?;
    let physical = execution.physical(session, ctx).await?;
    if run {
        execution.run_physical(session, Arc::clone(&physical)).await?;
    }
    Ok(Explained { analysed: planned.plan, optimised: execution.plan, physical })
}

/// Plans a query and binds its parameters.
///
/// # Errors
/// [`SqlError`] when it names what is not there or may not be read, or makes no sense.
pub async fn plan(
    session: &QuerySession,
    ctx: &StatementContext,
    query: &ast::Query,
) -> Result<PlannedQuery, SqlError> {
    Prepared::new(session, ctx, query, &[])?.bind(ctx)
}

/// Runs a planned query on the context's snapshot; cells in the order of its schema.
///
/// # Errors
/// [`SqlError`] when it fails or is over a limit.
pub async fn collect(
    session: &QuerySession,
    ctx: &StatementContext,
    planned: &PlannedQuery,
) -> Result<Vec<Row>, SqlError> {
    Execution::of(session, ctx, planned)?.run(session, ctx).await
}

/// Runs a query whose FROM may name tables given with it; those names come first.
///
/// # Errors
/// [`SqlError`] when it cannot be planned, fails, or is over a limit.
pub async fn run_over(
    session: &QuerySession,
    ctx: &StatementContext,
    query: &ast::Query,
    inline: Vec<InlineTable>,
) -> Result<(Vec<SchemaField>, Vec<Row>), SqlError> {
    let planned = Prepared::new(session, ctx, query, &inline)?.bind(ctx)?;
    let rows = collect(session, ctx, &planned).await?;
    Ok((planned.schema.to_vec(), rows))
}

#[cfg(test)]
mod tests;
