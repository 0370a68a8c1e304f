//! The rows that an INSERT proposes: from VALUES, from a query, or nothing but defaults.

use datafusion::sql::sqlparser::ast::{Expr, Insert, ObjectName, Query, SetExpr, Values};
use kalamdb_commons::Value;
use kalamdb_system::ColumnDef;

use super::select::{item, select};
use super::target::{Target, position_of};
use super::value::{Simple, is_default};
use crate::error::SqlError;
use crate::sql::query;
use crate::sql::transaction::Transaction;

/// Expressions of a VALUES list that one SELECT evaluates.
const EXPRESSIONS_PER_SELECT: usize = 200;

/// A row to be.
pub(super) struct Proposal {
    /// Values in the order of the table's columns; `None` asks for the DEFAULT.
    pub cells: Vec<Option<Value>>,
}

/// The rows that `insert` proposes.
pub(super) async fn proposals(
    transaction: &Transaction<'_>,
    target: &Target,
    insert: &Insert,
) -> Result<Vec<Proposal>, SqlError> {
    let places = places(target, &insert.columns)?;
    let Some(source) = &insert.source else {
        return Ok(vec![Proposal::empty(target)]);
    };
    match values_of(source) {
        Some(values) => from_values(transaction, target, insert, &places, values).await,
        None => from_query(transaction, target, insert, &places, source).await,
    }
}

impl Proposal {
    fn empty(target: &Target) -> Self {
        Proposal { cells: vec![None; target.def().columns.len()] }
    }

    fn put(&mut self, place: usize, value: Value) {
        if let Some(cell) = self.cells.get_mut(place) {
            *cell = Some(value);
        }
    }
}

/// The rows of a query that is VALUES and nothing else.
fn values_of(query: &Query) -> Option<&Values> {
    let SetExpr::Values(values) = query.body.as_ref() else { return None };
    let alone = query.with.is_none()
        && query.order_by.is_none()
        && query.limit_clause.is_none()
        && query.fetch.is_none()
        && query.pipe_operators.is_empty();
    alone.then_some(values)
}

/// For each value of a source row the place of its column among the table's; all in order without a list.
fn places<'a>(target: &'a Target, columns: &[ObjectName]) -> Result<Vec<(usize, &'a ColumnDef)>, SqlError> {
    let all = || target.def().columns.iter().enumerate();
    if columns.is_empty() {
        return Ok(all().collect());
    }
    let mut places: Vec<(usize, &ColumnDef)> = Vec::with_capacity(columns.len());
    for name in columns {
        let wanted = target.column(name)?;
        if places.iter().any(|(_, column)| column.slot == wanted.slot) {
            return Err(SqlError::invalid(format!("column \"{}\" is given twice", wanted.name)));
        }
        places.extend(all().filter(|(_, column)| column.slot == wanted.slot));
    }
    Ok(places)
}

/// Fails unless a source row of `found` values goes with the column list.
fn check_count(insert: &Insert, wanted: usize, found: usize) -> Result<(), SqlError> {
    if found > wanted {
        return Err(SqlError::invalid(format!("INSERT has {found} values for {wanted} columns")));
    }
    // Without a column list a row may be shorter than the table is wide.
    if found < wanted && !insert.columns.is_empty() {
        return Err(SqlError::invalid(format!("INSERT has {wanted} columns and only {found} values")));
    }
    Ok(())
}

async fn from_values(
    transaction: &Transaction<'_>,
    target: &Target,
    insert: &Insert,
    places: &[(usize, &ColumnDef)],
    values: &Values,
) -> Result<Vec<Proposal>, SqlError> {
    let mut proposals = Vec::with_capacity(values.rows.len());
    let mut planned = Vec::new();
    for (number, row) in values.rows.iter().enumerate() {
        check_count(insert, places.len(), row.content.len())
            .map_err(|error| error.at(row.content.last().and_then(position_of)))?;
        let mut proposal = Proposal::empty(target);
        for (expr, &(place, column)) in row.content.iter().zip(places) {
            if is_default(expr) {
                continue;
            }
            match Simple::of(target, &transaction.ctx, column, expr)? {
                Some(simple) => proposal.put(place, simple.value(transaction, target, column)?),
                None => planned.push(Planned { row: number, place, column, expr }),
            }
        }
        proposals.push(proposal);
    }
    for chunk in planned.chunks(EXPRESSIONS_PER_SELECT) {
        let values = evaluate(transaction, chunk).await?;
        for (cell, value) in chunk.iter().zip(values) {
            let value = target.convert(cell.column, &value).map_err(|error| error.at(position_of(cell.expr)))?;
            if let Some(proposal) = proposals.get_mut(cell.row) {
                proposal.put(cell.place, value);
            }
        }
    }
    Ok(proposals)
}

/// A value of a VALUES list that needs the planner.
struct Planned<'a> {
    row: usize,
    place: usize,
    column: &'a ColumnDef,
    expr: &'a Expr,
}

/// The values of expressions over no table.
async fn evaluate(transaction: &Transaction<'_>, cells: &[Planned<'_>]) -> Result<Vec<Value>, SqlError> {
    let items = cells.iter().enumerate().map(|(n, cell)| item(cell.expr.clone(), &format!("#{n}")));
    let query = select(items.collect(), Vec::new(), None);
    let (_, rows) = query::run_over(&transaction.engine.session, &transaction.ctx, &query, Vec::new()).await?;
    let row = rows.first().ok_or_else(|| SqlError::internal("a SELECT without FROM gave no row"))?;
    Ok(row.to_vec())
}

async fn from_query(
    transaction: &Transaction<'_>,
    target: &Target,
    insert: &Insert,
    places: &[(usize, &ColumnDef)],
    source: &Query,
) -> Result<Vec<Proposal>, SqlError> {
    let session = &transaction.engine.session;
    let planned = query::plan(session, &transaction.ctx, source).await?;
    check_count(insert, places.len(), planned.schema.len())?;
    let rows = query::collect(session, &transaction.ctx, &planned).await?;
    let mut proposals = Vec::with_capacity(rows.len());
    for row in rows {
        let mut proposal = Proposal::empty(target);
        for (value, &(place, column)) in row.iter().zip(places) {
            proposal.put(place, target.convert(column, value)?);
        }
        proposals.push(proposal);
    }
    Ok(proposals)
}
