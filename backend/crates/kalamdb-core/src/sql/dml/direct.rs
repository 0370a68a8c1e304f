//! Expressions over one row that need no planner: columns, and sums of whole numbers.
//!
//! They are what counters and upserts are made of. Whatever cannot be answered with certainty, an
//! overflow included, is left to the planner.

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr, Ident};
use kalamdb_commons::{DataType, Row, Value};
use kalamdb_system::{ColumnDef, TableDef};

use super::target::{Target, same_name};
use crate::sql::expression;
use crate::sql::grammar::name_of;

/// An expression over the row that is there and, in ON CONFLICT, the row that was proposed.
#[derive(Debug)]
pub(super) enum Direct<'a> {
    Constant(Value),
    Current(&'a ColumnDef),
    Proposed(&'a ColumnDef),
    Sum { left: Box<Direct<'a>>, right: Box<Direct<'a>>, minus: bool },
}

/// Operators that one expression may have.
const OPERATORS_MAX: usize = 8;

impl<'a> Direct<'a> {
    /// `expr`, if it is of this kind. `proposed` is the name of the proposed row, where there is one;
    /// a column without a table's name could mean either then.
    pub fn of(
        target: &'a Target,
        proposed: Option<&Ident>,
        params: &[serde_json::Value],
        expr: &Expr,
    ) -> Option<Direct<'a>> {
        Reader { target, proposed, params }.read(expr, OPERATORS_MAX)
    }

    /// Its value; `None` if only the planner knows.
    pub fn value(&self, current: &Row, proposed: Option<&Row>) -> Option<Value> {
        match self {
            Direct::Constant(value) => Some(value.clone()),
            Direct::Current(column) => Some(TableDef::value(column, current).clone()),
            Direct::Proposed(column) => Some(TableDef::value(column, proposed?).clone()),
            Direct::Sum { left, right, minus } => {
                sum(&left.value(current, proposed)?, &right.value(current, proposed)?, *minus)
            }
        }
    }
}

struct Reader<'a, 'r> {
    target: &'a Target,
    proposed: Option<&'r Ident>,
    params: &'r [serde_json::Value],
}

impl<'a> Reader<'a, '_> {
    fn read(&self, expr: &Expr, operators: usize) -> Option<Direct<'a>> {
        match expr {
            Expr::Nested(inner) => self.read(inner, operators),
            Expr::Identifier(ident) if self.proposed.is_none() => self.column(ident).map(Direct::Current),
            Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                [table, ident] if same_name(table, &self.target.name) => self.column(ident).map(Direct::Current),
                [table, ident] if self.proposed.is_some_and(|proposed| same_name(table, proposed)) => {
                    self.column(ident).map(Direct::Proposed)
                }
                _ => None,
            },
            Expr::BinaryOp { left, op: op @ (BinaryOperator::Plus | BinaryOperator::Minus), right } => {
                let operators = operators.checked_sub(1)?;
                Some(Direct::Sum {
                    left: Box::new(self.read(left, operators)?),
                    right: Box::new(self.read(right, operators)?),
                    minus: *op == BinaryOperator::Minus,
                })
            }
            constant => expression::constant(constant, self.params).map(Direct::Constant),
        }
    }

    fn column(&self, ident: &Ident) -> Option<&'a ColumnDef> {
        self.target.def().column(name_of(ident, "column").ok()?.as_str())
    }
}

/// The sum of two whole numbers, of the wider of their types.
fn sum(left: &Value, right: &Value, minus: bool) -> Option<Value> {
    let (a, a_type) = whole(left)?;
    let (b, b_type) = whole(right)?;
    let (Some(a), Some(b)) = (a, b) else { return Some(Value::Null) };
    let total = if minus { a.checked_sub(b)? } else { a.checked_add(b)? };
    let widest = if a_type == DataType::BigInt || b_type == DataType::BigInt {
        DataType::BigInt
    } else if a_type == DataType::Int || b_type == DataType::Int {
        DataType::Int
    } else {
        DataType::SmallInt
    };
    Value::BigInt(total).assign_to(&widest).ok()
}

/// A whole number and its type; an inner `None` for NULL.
fn whole(value: &Value) -> Option<(Option<i64>, DataType)> {
    Some(match value {
        Value::SmallInt(n) => (Some(i64::from(*n)), DataType::SmallInt),
        Value::Int(n) => (Some(i64::from(*n)), DataType::Int),
        Value::BigInt(n) => (Some(*n), DataType::BigInt),
        Value::Null => (None, DataType::SmallInt),
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
