//! `WHERE` that names one whole primary key, and so needs no planner.
//!
//! Only comparisons that mean the same to the planner are taken: a constant of the column's own
//! kind. Whatever else there is goes the long way.

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr};
use kalamdb_commons::{DataType, Value};
use kalamdb_store::RowKey;

use super::target::{Target, same_name};
use super::value::parameter;
use crate::sql::expression;
use crate::sql::grammar::name_of;

/// What a WHERE over the primary key can find.
pub(super) enum Lookup {
    /// At most the row of this key.
    Key(RowKey),
    /// No row whatever the table holds.
    Nothing,
}

/// The row that `selection` names, if it is `key = constant` for every column of the primary key and no more.
pub(super) fn lookup(target: &Target, selection: &Expr, params: &[serde_json::Value]) -> Option<Lookup> {
    let slots = &target.def().primary_key;
    if slots.is_empty() {
        return None;
    }
    let mut found: Vec<(u16, Option<Value>)> = Vec::with_capacity(slots.len());
    for conjunct in conjuncts(selection, slots.len())? {
        let (slot, value) = equality(target, conjunct, params)?;
        if !slots.contains(&slot) || found.iter().any(|(known, _)| *known == slot) {
            return None;
        }
        found.push((slot, value));
    }
    let of_slot = |slot: &u16| found.iter().find(|(known, _)| known == slot).map(|(_, value)| value.clone());
    let values: Vec<Option<Value>> = slots.iter().map(of_slot).collect::<Option<_>>()?;
    Some(match values.into_iter().collect::<Option<Vec<Value>>>() {
        Some(values) => Lookup::Key(RowKey::new(&values)),
        None => Lookup::Nothing,
    })
}

/// The parts of `a AND b AND …`, if there are exactly `wanted`.
fn conjuncts(selection: &Expr, wanted: usize) -> Option<Vec<&Expr>> {
    let mut parts = Vec::with_capacity(wanted);
    let mut rest = vec![selection];
    while let Some(expr) = rest.pop() {
        match expr {
            Expr::Nested(inner) => rest.push(inner),
            Expr::BinaryOp { left, op: BinaryOperator::And, right } => rest.extend([left.as_ref(), right.as_ref()]),
            other => parts.push(other),
        }
        if parts.len().saturating_add(rest.len()) > wanted {
            return None;
        }
    }
    (parts.len() == wanted).then_some(parts)
}

/// `column = constant`, either way round. The value is `None` if no row can hold it.
fn equality(target: &Target, expr: &Expr, params: &[serde_json::Value]) -> Option<(u16, Option<Value>)> {
    let Expr::BinaryOp { left, op: BinaryOperator::Eq, right } = expr else { return None };
    let (column, constant) = match column_of(target, left) {
        Some(column) => (column, right),
        None => (column_of(target, right)?, left),
    };
    let value = match parameter(constant, params) {
        Some((_, json)) => Value::from_json_untyped(json),
        None => expression::constant(constant, params)?,
    };
    Some((column.0, exact(&value, &column.1)?))
}

fn column_of(target: &Target, expr: &Expr) -> Option<(u16, DataType)> {
    let ident = match expr {
        Expr::Identifier(ident) => ident,
        Expr::CompoundIdentifier(parts) => match parts.as_slice() {
            [table, ident] if same_name(table, &target.name) => ident,
            _ => return None,
        },
        _ => return None,
    };
    let column = target.def().column(name_of(ident, "column").ok()?.as_str())?;
    Some((column.slot, column.data_type))
}

/// The value of the column's type that equals `value`; an inner `None` if there is none. `None` where
/// only the planner knows.
#[expect(clippy::option_option, reason = "not known is not the same as known to be nothing")]
fn exact(value: &Value, data_type: &DataType) -> Option<Option<Value>> {
    match (value, data_type) {
        (Value::Null, _) => Some(None),
        (
            Value::SmallInt(_) | Value::Int(_) | Value::BigInt(_),
            DataType::SmallInt | DataType::Int | DataType::BigInt,
        ) => Some(value.assign_to(data_type).ok()),
        (Value::Text(text), DataType::SmallInt | DataType::Int | DataType::BigInt) => {
            let number: i64 = text.parse().ok()?;
            Some(Value::BigInt(number).assign_to(data_type).ok())
        }
        (Value::Text(text), DataType::Uuid) => {
            let uuid = Value::from_text(text, data_type).ok()?;
            (uuid.to_text() == **text).then_some(Some(uuid))
        }
        (Value::Text(_), DataType::Text)
        | (Value::Bool(_), DataType::Boolean)
        | (Value::Bytes(_), DataType::Bytes)
        | (Value::Uuid(_), DataType::Uuid) => Some(Some(value.clone())),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
