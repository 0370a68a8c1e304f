//! Constants that can be read from the SQL without planning it.
//!
//! The value is of the literal's own type (a whole number is a BIGINT, one with a point a DECIMAL,
//! a quoted text a TEXT); whoever needs another type assigns it to that. What this module does not
//! know is no error: the planner gets it.

use datafusion::sql::sqlparser::ast::{self, UnaryOperator};
use kalamdb_commons::value::Decimal;
use kalamdb_commons::{DataType, Value};

use crate::sql::grammar;

/// Signs and parentheses around a constant that are looked through.
const WRAPPERS_MAX: usize = 16;

/// The value of a literal, a parameter, a negated number or a typed literal (`DATE '2013-01-31'`).
///
/// `None` for any other expression, and for a parameter that was not given.
#[must_use]
pub fn constant(expr: &ast::Expr, params: &[serde_json::Value]) -> Option<Value> {
    let mut expr = expr;
    let mut sign = None;
    for _ in 0..WRAPPERS_MAX {
        match expr {
            ast::Expr::Nested(inner) => expr = inner,
            ast::Expr::UnaryOp { op: UnaryOperator::Plus, expr: inner } => {
                sign = sign.or(Some(Sign::Plus));
                expr = inner;
            }
            ast::Expr::UnaryOp { op: UnaryOperator::Minus, expr: inner } => {
                sign = Some(if sign == Some(Sign::Minus) { Sign::Plus } else { Sign::Minus });
                expr = inner;
            }
            ast::Expr::Value(value) => return literal(&value.value, sign, params),
            ast::Expr::TypedString(typed) if sign.is_none() => return typed_literal(typed),
            _ => return None,
        }
    }
    None
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sign {
    Plus,
    Minus,
}

/// Only a number may have a sign; `-$1` is the planner's business.
fn literal(value: &ast::Value, sign: Option<Sign>, params: &[serde_json::Value]) -> Option<Value> {
    Some(match value {
        ast::Value::Number(digits, _) => return number(digits, sign == Some(Sign::Minus)),
        _ if sign.is_some() => return None,
        ast::Value::Null => Value::Null,
        ast::Value::Boolean(truth) => Value::Bool(*truth),
        ast::Value::SingleQuotedString(text)
        | ast::Value::EscapedStringLiteral(text)
        | ast::Value::NationalStringLiteral(text)
        | ast::Value::UnicodeStringLiteral(text) => Value::text(text.as_str()),
        ast::Value::DollarQuotedString(text) => Value::text(text.value.as_str()),
        ast::Value::HexStringLiteral(digits) => Value::from_text(&format!("\\x{digits}"), &DataType::Bytes).ok()?,
        ast::Value::Placeholder(name) => return parameter(name, params),
        _ => return None,
    })
}

fn number(digits: &str, negative: bool) -> Option<Value> {
    let text = if negative { format!("-{digits}") } else { digits.to_owned() };
    if let Ok(whole) = text.parse::<i64>() {
        return Some(Value::BigInt(whole));
    }
    if let Some(exact) = Decimal::parse(&text) {
        return Some(Value::Decimal(exact));
    }
    text.parse().ok().map(Value::Double)
}

fn parameter(name: &str, params: &[serde_json::Value]) -> Option<Value> {
    let number: usize = name.strip_prefix('$')?.parse().ok()?;
    let given = params.get(number.checked_sub(1)?)?;
    Some(match given {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(truth) => Value::Bool(*truth),
        serde_json::Value::String(text) => Value::text(text.as_str()),
        serde_json::Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(whole), _) => Value::BigInt(whole),
            (None, Some(large)) => Value::Decimal(Decimal { unscaled: i128::from(large), scale: 0 }),
            (None, None) => Value::Double(number.as_f64()?),
        },
        serde_json::Value::Array(_) | serde_json::Value::Object(_) => Value::Json(given.to_string().into()),
    })
}

fn typed_literal(typed: &ast::TypedString) -> Option<Value> {
    let wanted = grammar::data_type(&typed.data_type).ok()?;
    let ast::Value::SingleQuotedString(text) = &typed.value.value else {
        return None;
    };
    let in_notation = match wanted {
        DataType::Date | DataType::Timestamp | DataType::DateTime => text.contains('-'),
        DataType::Time => text.contains(':'),
        _ => false,
    };
    if in_notation { Value::from_text(text, &wanted).ok() } else { None }
}

#[cfg(test)]
mod tests;
