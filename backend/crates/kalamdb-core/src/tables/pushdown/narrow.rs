//! What one condition says of one column: a list of values, or bounds.

use std::collections::BTreeSet;
use std::ops::Bound;

use datafusion::common::{DFSchema, ScalarValue};
use datafusion::logical_expr::execution_props::ExecutionProps;
use datafusion::logical_expr::expr::{Between, InList, Like, ScalarFunction};
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{BinaryExpr, ColumnarValue, Expr, Operator};
use datafusion::physical_expr::create_physical_expr;
use kalamdb_commons::{DataType, Value};
use kalamdb_system::{ColumnDef, TableDef};

use crate::tables::arrow::value_of_scalar;

/// What a column may hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Narrow {
    /// One of these.
    In(BTreeSet<Value>),
    /// What lies between these bounds.
    Between(Bound<Value>, Bound<Value>),
}

impl Narrow {
    /// Can no row meet it?
    pub(super) fn is_nothing(&self) -> bool {
        match self {
            Narrow::In(values) => values.is_empty(),
            Narrow::Between(start, end) => match (start, end) {
                (Bound::Included(a), Bound::Included(b)) => a > b,
                (Bound::Included(a) | Bound::Excluded(a), Bound::Included(b) | Bound::Excluded(b)) => a >= b,
                (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
            },
        }
    }

    /// What meets both.
    pub(super) fn and(self, other: Narrow) -> Narrow {
        match (self, other) {
            (Narrow::In(a), Narrow::In(b)) => Narrow::In(a.intersection(&b).cloned().collect()),
            (Narrow::In(mut values), between) | (between, Narrow::In(mut values)) => {
                values.retain(|value| between.admits(value));
                Narrow::In(values)
            }
            (Narrow::Between(a, b), Narrow::Between(c, d)) => Narrow::Between(later(a, c), earlier(b, d)),
        }
    }

    fn admits(&self, value: &Value) -> bool {
        match self {
            Narrow::In(values) => values.contains(value),
            Narrow::Between(start, end) => std::ops::RangeBounds::contains(&(start.as_ref(), end.as_ref()), value),
        }
    }

    /// The bounds around all of it.
    pub(super) fn bounds(&self) -> (Bound<&Value>, Bound<&Value>) {
        match self {
            Narrow::In(values) => {
                let include = |value: Option<_>| value.map_or(Bound::Unbounded, Bound::Included);
                (include(values.first()), include(values.last()))
            }
            Narrow::Between(start, end) => (start.as_ref(), end.as_ref()),
        }
    }
}

fn later(a: Bound<Value>, b: Bound<Value>) -> Bound<Value> {
    match (&a, &b) {
        (Bound::Unbounded, _) => b,
        (_, Bound::Unbounded) => a,
        (Bound::Included(x) | Bound::Excluded(x), Bound::Included(y) | Bound::Excluded(y)) => {
            if x > y || (x == y && matches!(a, Bound::Excluded(_))) { a } else { b }
        }
    }
}

fn earlier(a: Bound<Value>, b: Bound<Value>) -> Bound<Value> {
    match (&a, &b) {
        (Bound::Unbounded, _) => b,
        (_, Bound::Unbounded) => a,
        (Bound::Included(x) | Bound::Excluded(x), Bound::Included(y) | Bound::Excluded(y)) => {
            if x < y || (x == y && matches!(a, Bound::Excluded(_))) { a } else { b }
        }
    }
}

/// The column that a condition narrows once its constants are known.
pub(super) fn column_of(condition: &Expr, table: &TableDef) -> Option<u16> {
    read(condition, table, &mut |expr, _| is_constant(expr).then_some(None)).map(|(slot, _)| slot)
}

/// The column that a condition narrows, and what to.
pub(super) fn of(condition: &Expr, table: &TableDef) -> Option<(u16, Narrow)> {
    let (slot, narrow) =
        read(condition, table, &mut |expr, column| value_of_scalar(&constant(expr)?, &column.data_type).map(Some))?;
    Some((slot, narrow?))
}

/// Gives the value of a constant for a column: `None` if it is none, or not of the column's type;
/// `Some(None)` if its value is not known yet.
type Values<'a> = dyn FnMut(&Expr, &ColumnDef) -> Option<Option<Value>> + 'a;

/// Column and narrowing of a condition; a narrowing of `None` depends on values not known yet.
fn read(condition: &Expr, table: &TableDef, values: &mut Values<'_>) -> Option<(u16, Option<Narrow>)> {
    match condition {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            let (slot, left) = read(left, table, values)?;
            let (other, right) = read(right, table, values)?;
            if slot != other {
                return None;
            }
            let (Some(left), Some(right)) = (left, right) else { return Some((slot, None)) };
            match (left, right) {
                (Narrow::In(mut a), Narrow::In(b)) => {
                    a.extend(b);
                    Some((slot, Some(Narrow::In(a))))
                }
                _ => None,
            }
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => match (column(left, table), column(right, table)) {
            (Some(column), None) => comparison(column, *op, values(right, column)?),
            (None, Some(column)) => comparison(column, op.swap()?, values(left, column)?),
            _ => None,
        },
        Expr::InList(InList { expr, list, negated: false }) => {
            let column = column(expr, table)?;
            let known: Vec<Option<Value>> = list.iter().map(|item| values(item, column)).collect::<Option<_>>()?;
            let known: Option<BTreeSet<Value>> = known.into_iter().collect();
            Some((column.slot, known.map(one_of)))
        }
        Expr::Between(Between { expr, negated: false, low, high }) => {
            let column = column(expr, table)?;
            let (_, low) = comparison(column, Operator::GtEq, values(low, column)?)?;
            let (_, high) = comparison(column, Operator::LtEq, values(high, column)?)?;
            Some((column.slot, low.zip(high).map(|(low, high)| low.and(high))))
        }
        Expr::IsNull(expr) => Some((column(expr, table)?.slot, Some(Narrow::In(BTreeSet::from([Value::Null]))))),
        Expr::Column(_) | Expr::IsTrue(_) => boolean(condition, table, true),
        Expr::Not(expr) | Expr::IsFalse(expr) => boolean(expr, table, false),
        Expr::Like(Like { negated: false, expr, pattern, escape_char: None, case_insensitive: false }) => {
            let column = column(expr, table)?;
            let narrow = match values(pattern, column)? {
                None => None,
                Some(Value::Text(pattern)) => Some(beginning_with(&pattern, true)?),
                Some(_) => return None,
            };
            Some((column.slot, narrow))
        }
        Expr::ScalarFunction(ScalarFunction { func, args }) if func.name() == "starts_with" => {
            let [text, prefix] = args.as_slice() else { return None };
            let column = column(text, table)?;
            let narrow = match values(prefix, column)? {
                None => None,
                Some(Value::Text(prefix)) => Some(beginning_with(&prefix, false)?),
                Some(_) => return None,
            };
            Some((column.slot, narrow))
        }
        _ => None,
    }
}

fn column<'a>(expr: &Expr, table: &'a TableDef) -> Option<&'a ColumnDef> {
    match expr {
        Expr::Column(column) => table.column(&column.name),
        _ => None,
    }
}

fn boolean(expr: &Expr, table: &TableDef, wanted: bool) -> Option<(u16, Option<Narrow>)> {
    let expr = match expr {
        Expr::IsTrue(inner) => inner,
        other => other,
    };
    let column = column(expr, table).filter(|column| column.data_type == DataType::Boolean)?;
    Some((column.slot, Some(Narrow::In(BTreeSet::from([Value::Bool(wanted)])))))
}

fn comparison(column: &ColumnDef, op: Operator, value: Option<Value>) -> Option<(u16, Option<Narrow>)> {
    let narrow = |value: Value| -> Option<Narrow> {
        Some(match op {
            // Comparing with NULL is never true.
            Operator::Eq | Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq if value.is_null() => {
                Narrow::In(BTreeSet::new())
            }
            Operator::Eq | Operator::IsNotDistinctFrom => Narrow::In(BTreeSet::from([value])),
            Operator::Lt => Narrow::Between(Bound::Excluded(Value::Null), Bound::Excluded(value)),
            Operator::LtEq => Narrow::Between(Bound::Excluded(Value::Null), Bound::Included(value)),
            Operator::Gt => Narrow::Between(Bound::Excluded(value), Bound::Unbounded),
            Operator::GtEq => Narrow::Between(Bound::Included(value), Bound::Unbounded),
            _ => return None,
        })
    };
    let Some(value) = value else {
        let narrows = narrow(Value::Null).is_some();
        return narrows.then_some((column.slot, None));
    };
    Some((column.slot, Some(narrow(value)?)))
}

fn one_of(mut values: BTreeSet<Value>) -> Narrow {
    values.remove(&Value::Null);
    Narrow::In(values)
}

/// Texts that begin as a pattern does, up to its first wildcard.
fn beginning_with(pattern: &str, wildcards: bool) -> Option<Narrow> {
    let end = if wildcards { pattern.find(['%', '_', '\\']).unwrap_or(pattern.len()) } else { pattern.len() };
    let prefix = pattern.get(..end).filter(|prefix| !prefix.is_empty())?;
    let end = text_behind(prefix).map_or(Bound::Unbounded, |behind| Bound::Excluded(Value::text(behind)));
    Some(Narrow::Between(Bound::Included(Value::text(prefix)), end))
}

/// The first text behind all those that begin with `prefix`.
fn text_behind(prefix: &str) -> Option<String> {
    let mut text = prefix.to_owned();
    while let Some(last) = text.pop() {
        let mut code = u32::from(last);
        // Surrogates are no characters; the next one stands behind them.
        let next = loop {
            code = code.saturating_add(1);
            if code > u32::from(char::MAX) {
                break None;
            }
            if let Some(next) = char::from_u32(code) {
                break Some(next);
            }
        };
        if let Some(next) = next {
            text.push(next);
            return Some(text);
        }
    }
    None
}

/// Is the expression the same for every row, and without a subquery?
fn is_constant(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(..) | Expr::Placeholder(_) => true,
        _ => !expr.any_column_refs() && !expr.is_volatile() && !has_subquery(expr),
    }
}

fn has_subquery(expr: &Expr) -> bool {
    use datafusion::common::tree_node::TreeNode as _;
    let subquery = |expr: &Expr| {
        Ok(matches!(
            expr,
            Expr::ScalarSubquery(_)
                | Expr::Exists(_)
                | Expr::InSubquery(_)
                | Expr::SetComparison(_)
                | Expr::OuterReferenceColumn(..)
        ))
    };
    expr.exists(subquery).unwrap_or(true)
}

/// The value of an expression that is the same for every row.
fn constant(expr: &Expr) -> Option<ScalarValue> {
    if let Expr::Literal(scalar, _) = expr {
        return Some(scalar.clone());
    }
    if matches!(expr, Expr::Placeholder(_)) || !is_constant(expr) {
        return None;
    }
    let schema = DFSchema::empty();
    let physical =
        create_physical_expr(expr, &schema, &ExecutionProps::new(), &PhysicalPlanningContext::default()).ok()?;
    let batch = datafusion::arrow::array::RecordBatch::new_empty(schema.inner().clone());
    match physical.evaluate(&batch).ok()? {
        ColumnarValue::Scalar(scalar) => Some(scalar),
        ColumnarValue::Array(_) => None,
    }
}
