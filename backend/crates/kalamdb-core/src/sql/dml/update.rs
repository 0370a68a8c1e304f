//! UPDATE: planned as a SELECT of keys and new values.

use datafusion::sql::sqlparser::ast::{Expr, TableWithJoins, Update};
use kalamdb_commons::Value;
use kalamdb_store::RowKey;
use kalamdb_system::{Right, Rights};

use super::Outcome;
use super::assign::{self, Assignment, Evaluated};
use super::direct::Direct;
use super::lookup::{Lookup, lookup};
use super::reads::{reads, returning_reads};
use super::returning::returned;
use super::select::{column_of, item, select};
use super::target::Target;
use crate::context::StatementContext;
use crate::error::SqlError;
use crate::sql::query;
use crate::sql::transaction::Transaction;

/// The hidden column that holds a row's key.
pub(super) const KEY: &str = "_key";

/// Runs an UPDATE.
pub(super) async fn execute(transaction: &mut Transaction<'_>, update: &Update) -> Result<Outcome, SqlError> {
    check_clauses(update)?;
    let target = Target::of_from(transaction, &update.table, needed(update))?;
    let assignments = assign::read(&target, &transaction.ctx, &update.assignments)?;
    let rows = match directly(transaction, &target, &assignments, update.selection.as_ref())? {
        Some(rows) => rows,
        None => planned(transaction, &target, &assignments, update).await?,
    };
    let changes = assign::changes(transaction, &target, &assignments, rows).await?;
    let affected = changes.len();
    let written = assign::apply(transaction, &target, changes)?;
    let returned = returned(transaction, &target, update.returning.as_ref(), written).await?;
    Ok(Outcome::of(affected, returned))
}

/// The rights that an UPDATE needs on its table: that to read it only if it reads something of it.
fn needed(update: &Update) -> Rights {
    let values = update.assignments.iter().map(|assignment| &assignment.value);
    if values.chain(&update.selection).any(reads) || returning_reads(update.returning.as_ref()) {
        return Rights::from(Right::Update).with(Right::Select);
    }
    Right::Update.into()
}

fn check_clauses(update: &Update) -> Result<(), SqlError> {
    let unsupported = if update.from.is_some() {
        "UPDATE … FROM is not supported; use a subquery in SET or WHERE"
    } else if update.or.is_some() {
        "UPDATE OR … is not supported"
    } else if !update.order_by.is_empty() || update.limit.is_some() {
        "UPDATE takes no ORDER BY and no LIMIT"
    } else if update.output.is_some() {
        "OUTPUT is not supported; use RETURNING"
    } else {
        return Ok(());
    };
    Err(SqlError::unsupported(unsupported))
}

/// The row that the WHERE names by its primary key, and its new values, if the planner is not needed for them.
fn directly(
    transaction: &Transaction<'_>,
    target: &Target,
    assignments: &[Assignment<'_>],
    selection: Option<&Expr>,
) -> Result<Option<Vec<Evaluated>>, SqlError> {
    let params = &transaction.ctx.params;
    let Some(found) = selection.and_then(|selection| lookup(target, selection, params)) else { return Ok(None) };
    let exprs = assign::expressions(assignments);
    let direct = exprs.into_iter().map(|expr| Direct::of(target, None, params, expr)).collect::<Option<Vec<_>>>();
    let Some(direct) = direct else { return Ok(None) };
    let row = match found {
        Lookup::Nothing => None,
        Lookup::Key(key) => target.get(transaction, &key)?,
    };
    let Some(row) = row else { return Ok(Some(Vec::new())) };
    let values = direct.iter().map(|expr| expr.value(&row.row, None)).collect::<Option<Vec<_>>>();
    Ok(values.map(|values| vec![Evaluated { row, values }]))
}

/// The rows that the WHERE finds, and their new values.
async fn planned(
    transaction: &Transaction<'_>,
    target: &Target,
    assignments: &[Assignment<'_>],
    update: &Update,
) -> Result<Vec<Evaluated>, SqlError> {
    let exprs = assign::expressions(assignments);
    find(transaction, target, &exprs, &update.table, update.selection.as_ref()).await
}

/// The target's rows that `selection` finds, each with the values of `exprs`.
pub(super) async fn find(
    transaction: &Transaction<'_>,
    target: &Target,
    exprs: &[&Expr],
    table: &TableWithJoins,
    selection: Option<&Expr>,
) -> Result<Vec<Evaluated>, SqlError> {
    let mut items = vec![item(column_of(&target.name, KEY), KEY)];
    items.extend(exprs.iter().enumerate().map(|(n, expr)| item((*expr).clone(), &format!("#{n}"))));
    let query = select(items, vec![table.clone()], selection.cloned());
    let session = &transaction.engine.session;
    // What the statement needs has been asked for; without a column in it the rows are found, not read.
    let finds_in = (!exprs.iter().copied().chain(selection).any(reads)).then_some(target.def().id);
    let ctx = &StatementContext { finds_in, ..transaction.ctx.clone() };
    let planned = query::plan(session, ctx, &query).await?;
    let mut found = Vec::new();
    for row in query::collect(session, ctx, &planned).await? {
        let mut cells = row.iter().cloned();
        let Some(Value::Bytes(key)) = cells.next() else {
            return Err(SqlError::internal("a row was found without its key"));
        };
        // The row is read again: the planner's copy of it is in another form.
        if let Some(stored) = target.get(transaction, &RowKey(key))? {
            found.push(Evaluated { row: stored, values: cells.collect() });
        }
    }
    Ok(found)
}
