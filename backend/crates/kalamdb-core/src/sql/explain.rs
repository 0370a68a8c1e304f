//! `EXPLAIN`: how a query is planned and run, and `EXPLAIN LIVE`: how it would be kept.

use std::sync::Arc;

use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{ExecutionPlan, displayable};
use datafusion::sql::sqlparser::ast;
use kalamdb_commons::protocol::{SchemaField, StatementResult};
use kalamdb_commons::{DataType, Row, Value};

use super::live_plan;
use super::query::{self, Explained};
use super::statement::Explain;
use crate::context::StatementContext;
use crate::engine::parts::EngineParts;
use crate::error::SqlError;
use crate::live::plan::{LivePlan, Strategy};

/// `EXPLAIN [ANALYZE] [VERBOSE] SELECT …`: one row per plan.
///
/// # Errors
/// As planning and, with ANALYZE, running the query.
pub async fn execute(
    engine: &EngineParts,
    ctx: &StatementContext,
    explain: &Explain,
) -> Result<StatementResult, SqlError> {
    let Explained { analysed, optimised, physical } =
        query::explained(&engine.session, ctx, &explain.query, explain.analyze).await?;
    let mut rows = Vec::new();
    if explain.verbose {
        rows.push(("analysed", logical(&analysed)));
    }
    rows.push(("optimised", logical(&optimised)));
    rows.push((if explain.analyze { "run" } else { "physical" }, shown(&physical, explain.analyze, explain.verbose)));
    Ok(table(["plan", "steps"], rows.into_iter().map(|(plan, steps)| (plan.to_owned(), steps))))
}

fn logical(plan: &LogicalPlan) -> String {
    plan.display_indent().to_string()
}

fn shown(plan: &Arc<dyn ExecutionPlan>, with_metrics: bool, verbose: bool) -> String {
    use datafusion::physical_plan::display::DisplayableExecutionPlan;
    if with_metrics {
        return DisplayableExecutionPlan::with_metrics(plan.as_ref()).indent(verbose).to_string();
    }
    displayable(plan.as_ref()).indent(verbose).to_string()
}

/// `EXPLAIN LIVE SELECT …`: what a subscription to the query would be.
///
/// # Errors
/// As subscribing to the query.
pub async fn execute_live(
    engine: &EngineParts,
    ctx: &StatementContext,
    query: &ast::Query,
) -> Result<StatementResult, SqlError> {
    let plan = live_plan::plan(&engine.session, ctx, query).await?;
    Ok(table(
        ["property", "value"],
        live_properties(ctx, &plan).into_iter().map(|(name, value)| (name.to_owned(), value)),
    ))
}

fn live_properties(ctx: &StatementContext, plan: &LivePlan) -> Vec<(&'static str, String)> {
    let mut rows = vec![("strategy", plan.strategy.name().to_owned())];
    let tables: Vec<&str> = plan.sources.iter().map(|source| source.name.as_str()).collect();
    rows.push(("tables", tables.join(", ")));
    let columns: Vec<&str> = plan.schema.iter().map(|field| field.name.as_str()).collect();
    rows.push(("columns", columns.join(", ")));
    rows.push((
        "key",
        match &plan.key_columns {
            Some(columns) => columns.join(", "),
            None => "opaque".to_owned(),
        },
    ));
    rows.push(("rows carry _seq", yes_or_no(plan.rows_have_seq)));
    let order = plan.order_by.as_deref().unwrap_or_default().iter().map(|term| {
        let direction = if term.desc { "DESC" } else { "ASC" };
        let nulls = if term.nulls_first { "NULLS FIRST" } else { "NULLS LAST" };
        format!("{} {direction} {nulls}", term.column)
    });
    if plan.order_by.is_some() {
        rows.push(("order", order.collect::<Vec<_>>().join(", ")));
    }
    rows.push((
        "one commit costs",
        match &plan.strategy {
            Strategy::Filter(_) => "a look at each changed row, before and after".to_owned(),
            Strategy::Rerun(_) => "the query is run again, at most once per tick, and compared".to_owned(),
        },
    ));
    if let Strategy::Filter(filter) = &plan.strategy {
        let names = filter.equalities().iter().map(|(slot, _)| column_name(ctx, plan, *slot));
        let route = names.collect::<Vec<_>>().join(", ");
        rows.push(("found by", if route.is_empty() { "its table".to_owned() } else { format!("equality of {route}") }));
    }
    rows
}

fn column_name(ctx: &StatementContext, plan: &LivePlan, slot: u16) -> String {
    let table = plan.sources.first().and_then(|source| ctx.catalog.table_by_id(source.table));
    let column = table.and_then(|table| table.column_at(slot));
    column.map(|column| column.name.to_string()).unwrap_or_default()
}

fn yes_or_no(yes: bool) -> String {
    if yes { "yes" } else { "no" }.to_owned()
}

/// A result of two columns of text.
fn table(names: [&str; 2], rows: impl Iterator<Item = (String, String)>) -> StatementResult {
    let field = |(index, name): (usize, &str)| SchemaField {
        name: name.to_owned(),
        data_type: DataType::Text,
        index: u32::try_from(index).unwrap_or(u32::MAX),
        flags: Vec::new(),
    };
    let rows: Vec<Row> = rows.map(|(a, b)| Row::new(vec![Value::text(a), Value::text(b)])).collect();
    StatementResult {
        schema: names.into_iter().enumerate().map(field).collect(),
        row_count: u64::try_from(rows.len()).unwrap_or(u64::MAX),
        rows,
        message: None,
        seq: None,
    }
}

#[cfg(test)]
mod tests;
