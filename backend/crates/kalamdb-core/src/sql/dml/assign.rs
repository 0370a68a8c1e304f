//! `SET column = …` of UPDATE and of ON CONFLICT DO UPDATE, and the rows that come of it.

use datafusion::sql::sqlparser::ast::{self, AssignmentTarget, Expr};
use kalamdb_commons::{Row, Value};
use kalamdb_store::StoredRow;
use kalamdb_system::ColumnDef;

use super::defaults;
use super::target::{Target, position_of};
use super::value::{Simple, is_default};
use crate::context::StatementContext;
use crate::error::SqlError;
use crate::sql::transaction::{Transaction, WriteRef};

/// One assignment to one column.
pub(super) struct Assignment<'a> {
    pub column: &'a ColumnDef,
    pub how: How<'a>,
}

/// Where an assigned value comes from.
pub(super) enum How<'a> {
    Simple(Simple),
    Default,
    Expr(&'a Expr),
}

/// A row that is there, and what the [`expressions`] gave for it.
pub(super) struct Evaluated {
    pub row: StoredRow,
    pub values: Vec<Value>,
}

/// A row that is there, and what its columns become.
pub(super) struct RowChange {
    pub old: StoredRow,
    /// By slot.
    pub new: Vec<Value>,
}

/// The assignments of a SET clause.
pub(super) fn read<'a>(
    target: &'a Target,
    ctx: &StatementContext,
    list: &'a [ast::Assignment],
) -> Result<Vec<Assignment<'a>>, SqlError> {
    let mut assignments: Vec<Assignment<'a>> = Vec::with_capacity(list.len());
    for (column, expr) in pairs(target, list)? {
        if assignments.iter().any(|known| known.column.slot == column.slot) {
            return Err(SqlError::invalid(format!("column \"{}\" is assigned twice", column.name)));
        }
        let how = if is_default(expr) {
            How::Default
        } else {
            match Simple::of(target, ctx, column, expr)? {
                Some(simple) => How::Simple(simple),
                None => How::Expr(expr),
            }
        };
        assignments.push(Assignment { column, how });
    }
    Ok(assignments)
}

/// Columns and their values; `(a, b) = (1, 2)` taken apart.
fn pairs<'a>(target: &'a Target, list: &'a [ast::Assignment]) -> Result<Vec<(&'a ColumnDef, &'a Expr)>, SqlError> {
    let mut pairs = Vec::with_capacity(list.len());
    for ast::Assignment { target: place, value } in list {
        match place {
            AssignmentTarget::ColumnName(name) => pairs.push((target.column(name)?, value)),
            AssignmentTarget::Tuple(names) => {
                let Expr::Tuple(values) = value else {
                    return Err(
                        SqlError::unsupported("a list of columns takes a list of values").at(position_of(value))
                    );
                };
                if names.len() != values.len() {
                    let text = format!("{} columns are assigned {} values", names.len(), values.len());
                    return Err(SqlError::invalid(text).at(position_of(value)));
                }
                for (name, value) in names.iter().zip(values) {
                    pairs.push((target.column(name)?, value));
                }
            }
        }
    }
    Ok(pairs)
}

/// The expressions among the assignments that only the row, or the planner, can answer; in order.
pub(super) fn expressions<'a>(assignments: &[Assignment<'a>]) -> Vec<&'a Expr> {
    assignments
        .iter()
        .filter_map(|assignment| match assignment.how {
            How::Expr(expr) => Some(expr),
            How::Simple(_) | How::Default => None,
        })
        .collect()
}

/// What the rows become.
pub(super) async fn changes(
    transaction: &Transaction<'_>,
    target: &Target,
    assignments: &[Assignment<'_>],
    rows: Vec<Evaluated>,
) -> Result<Vec<RowChange>, SqlError> {
    let mut changes = Vec::with_capacity(rows.len());
    let mut evaluated = Vec::with_capacity(rows.len());
    for Evaluated { row: old, values } in rows {
        changes.push(RowChange { new: target.values_of(&old.row), old });
        evaluated.push(values.into_iter());
    }
    for Assignment { column, how } in assignments {
        let mut defaults = match how {
            How::Default => defaults::values(transaction, target, column, changes.len()).await?,
            How::Simple(_) | How::Expr(_) => Vec::new(),
        }
        .into_iter();
        for (change, values) in changes.iter_mut().zip(&mut evaluated) {
            let value = match how {
                How::Simple(simple) => simple.value(transaction, target, column)?,
                How::Default => defaults.next().unwrap_or(Value::Null),
                How::Expr(expr) => {
                    let value = values.next().unwrap_or(Value::Null);
                    target.convert(column, &value).map_err(|error| error.at(position_of(expr)))?
                }
            };
            if let Some(place) = change.new.get_mut(usize::from(column.slot)) {
                *place = value;
            }
        }
    }
    Ok(changes)
}

/// Writes the changes. Rows whose primary key changes leave their old place before any takes its new
/// one, so that rows may change places with each other.
pub(super) fn apply(
    transaction: &mut Transaction<'_>,
    target: &Target,
    changes: Vec<RowChange>,
) -> Result<Vec<(WriteRef, Row)>, SqlError> {
    let mut moves = Vec::with_capacity(changes.len());
    for change in &changes {
        target.check_not_null(&change.new)?;
        let key = target.key_of(&change.new).filter(|key| *key != change.old.key);
        if key.is_some() {
            target.write(transaction, &change.old.key, Some(change.old.clone()), None)?;
        }
        moves.push(key);
    }
    let mut written = Vec::with_capacity(changes.len());
    for (RowChange { old, new }, moved_to) in changes.into_iter().zip(moves) {
        let row = Row::new(new);
        let write = match moved_to {
            None => {
                let key = old.key.clone();
                target.write(transaction, &key, Some(old), Some(row.clone()))?
            }
            Some(key) => {
                if target.get(transaction, &key)?.is_some() {
                    return Err(target.duplicate_key());
                }
                target.write(transaction, &key, None, Some(row.clone()))?
            }
        };
        written.push((write, row));
    }
    Ok(written)
}
