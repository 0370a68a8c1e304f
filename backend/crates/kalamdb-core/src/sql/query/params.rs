//! Parameters: which type each has, and its value as a literal of that type.
//!
//! A parameter has the type of what it is compared or combined with, as far as that tells; otherwise
//! the one its JSON most naturally stands for. A number that its type cannot hold exactly widens
//! the type instead of changing the number: `id < 2.5` with an INT column compares as numbers do.

use std::ops::ControlFlow;

use datafusion::arrow::datatypes::{DataType as ArrowType, Field, FieldRef};
use datafusion::common::ScalarValue;
use datafusion::common::metadata::FieldMetadata;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::error::Result as PlanResult;
use datafusion::logical_expr::expr::Placeholder;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::sql::sqlparser::ast::{Query, Value as SqlValue, ValueWithSpan, Visit, Visitor};
use kalamdb_commons::value::{Decimal, ValueError};
use kalamdb_commons::{DataType, ErrorCode, Value};
use rustc_hash::FxHashMap;
use serde_json::Value as Json;

use crate::error::SqlError;
use crate::tables::arrow::{arrow_field, data_type_of, typed_scalar};
use crate::tables::external;

/// Checks that every placeholder of a query has a parameter, and says how many the query uses.
///
/// # Errors
/// `INVALID_PARAMETER`, with the place of the placeholder.
pub(super) fn count(query: &Query, given: usize) -> Result<usize, SqlError> {
    let mut placeholders = Placeholders { given, used: 0 };
    match query.visit(&mut placeholders) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(placeholders.used),
    }
}

struct Placeholders {
    given: usize,
    used: usize,
}

impl Visitor for Placeholders {
    type Break = SqlError;

    fn pre_visit_value(&mut self, value: &ValueWithSpan) -> ControlFlow<SqlError> {
        let SqlValue::Placeholder(id) = &value.value else { return ControlFlow::Continue(()) };
        let position = u32::try_from(value.span.start.column).ok().filter(|&column| column > 0);
        let fail = |text: String| ControlFlow::Break(SqlError::new(ErrorCode::InvalidParameter, text).at(position));
        match place(id) {
            None => fail("parameters are written $1, $2 and so on".to_owned()),
            Some(place) if place >= self.given => {
                fail(format!("there is no value for parameter {id}; the request has {}", self.given))
            }
            Some(place) => {
                self.used = self.used.max(place.saturating_add(1));
                ControlFlow::Continue(())
            }
        }
    }
}

/// The place of `$1` among the parameters: 0.
fn place(id: &str) -> Option<usize> {
    id.strip_prefix('$')?.parse::<usize>().ok()?.checked_sub(1)
}

/// The type of a parameter.
#[derive(Debug, Clone)]
pub(super) struct ParamType {
    /// The type, as the planner has it.
    pub field: FieldRef,
    /// It comes from the parameter's JSON alone, nothing in the query tells it.
    pub natural: bool,
}

/// A parameter's value, seen from a type.
pub(super) enum Fit {
    /// A literal of the type.
    Exact(ScalarValue),
    /// It needs another type to be what it is.
    Wider(FieldRef),
}

/// The types that a plan gave its placeholders, by place; `None` where it could not tell.
///
/// # Errors
/// Never for a plan of a query; the planner's traversal may fail.
pub(super) fn inferred(plan: &LogicalPlan, count: usize) -> PlanResult<Vec<Option<FieldRef>>> {
    let mut found: FxHashMap<usize, Option<FieldRef>> = FxHashMap::default();
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                if let Expr::Placeholder(Placeholder { id, field: Some(field) }) = expr
                    && let Some(place) = place(id)
                    && !field.data_type().is_null()
                {
                    let known = found.entry(place).or_insert_with(|| Some(field.clone()));
                    // Used as two types, it is neither.
                    if known.as_ref().is_some_and(|known| known.data_type() != field.data_type()) {
                        *known = None;
                    }
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok((0..count).map(|place| found.remove(&place).flatten()).collect())
}

/// The type that a parameter's JSON most naturally stands for.
pub(super) fn natural(json: &Json) -> FieldRef {
    let value = Value::from_json_untyped(json);
    match value.data_type() {
        Some(DataType::Decimal { scale, .. }) => decimal_field(scale),
        Some(data_type) => arrow_field("", &data_type, true).into(),
        None => Field::new("", ArrowType::Null, true).into(),
    }
}

fn decimal_field(scale: u8) -> FieldRef {
    arrow_field("", &DataType::Decimal { precision: Decimal::MAX_PRECISION, scale }, true).into()
}

/// A parameter's value as a literal of a type, or the type it needs instead.
///
/// # Errors
/// `INVALID_PARAMETER` when the JSON does not stand for a value of the type; never repeats the value.
pub(super) fn fit(place: usize, json: &Json, field: &Field) -> Result<Fit, SqlError> {
    let wrong = |cause: &dyn std::fmt::Display| {
        let number = place.saturating_add(1);
        SqlError::new(ErrorCode::InvalidParameter, format!("parameter ${number}: {cause}"))
    };
    let wanted = data_type_of(field)?;
    if json.is_null() {
        return ScalarValue::try_from(field.data_type()).map(Fit::Exact).map_err(|error| wrong(&error));
    }
    if let Some(wider) = wider(json, &wanted).map_err(|error| wrong(&error))? {
        return Ok(Fit::Wider(wider));
    }
    let value = Value::from_json(json, &wanted).map_err(|error| wrong(&error))?;
    let scalar = typed_scalar(&value, &wanted);
    if scalar.data_type() == *field.data_type() {
        return Ok(Fit::Exact(scalar));
    }
    let cast = scalar.cast_to(field.data_type());
    cast.map(Fit::Exact).map_err(|_| wrong(&format!("expected {}, got {}", wanted, value.kind())))
}

/// The type that a number needs to stay what it is, if that is not `wanted`.
fn wider(json: &Json, wanted: &DataType) -> Result<Option<FieldRef>, ValueError> {
    let text = match json {
        Json::Number(number) => number.to_string(),
        Json::String(text) => text.trim().to_owned(),
        _ => return Ok(None),
    };
    let number = Decimal::parse(&text);
    let exact = |number: Decimal| match Value::Decimal(number).assign_to(wanted) {
        Ok(Value::Decimal(fitted)) => fitted == number,
        Ok(_) => number.rescale(0).is_some_and(|whole| whole == number),
        Err(_) => false,
    };
    Ok(match (wanted, number) {
        (DataType::SmallInt | DataType::Int | DataType::BigInt, None) if json.is_number() => Some(natural(json)),
        (DataType::SmallInt | DataType::Int | DataType::BigInt, Some(number)) if !exact(number) => match json {
            // A text that is no whole number is a mistake rather than a number of another type.
            Json::String(_) => return Err(ValueError::Malformed(*wanted)),
            _ => Some(natural(json)),
        },
        (DataType::Decimal { .. }, Some(number)) if !exact(number) => Some(decimal_field(number.scale)),
        _ => None,
    })
}

/// An expression with its placeholders replaced by what their JSON most naturally stands for, and
/// whether there were any.
///
/// # Errors
/// When a placeholder has no value.
pub(super) fn literals(expr: Expr, params: &[Json]) -> PlanResult<(Expr, bool)> {
    let replaced = expr.transform_up(|expr| {
        let Expr::Placeholder(Placeholder { id, .. }) = &expr else { return Ok(Transformed::no(expr)) };
        let json = place(id).and_then(|place| params.get(place));
        let json = json.ok_or_else(|| {
            external(SqlError::new(ErrorCode::InvalidParameter, format!("there is no value for parameter {id}")))
        })?;
        let field = natural(json);
        let wanted = data_type_of(&field).map_err(external)?;
        let value = Value::from_json(json, &wanted).unwrap_or(Value::Null);
        Ok(Transformed::yes(Expr::Literal(typed_scalar(&value, &wanted), None)))
    })?;
    Ok((replaced.data, replaced.transformed))
}

/// The literal that takes a placeholder's place.
pub(super) fn literal(scalar: ScalarValue, field: &Field) -> Expr {
    let metadata = (!field.metadata().is_empty()).then(|| FieldMetadata::from(field.metadata()));
    Expr::Literal(scalar, metadata)
}

/// The values of parameters, by placeholder.
pub(super) fn value_of<'a>(id: &str, values: &'a [(ScalarValue, FieldRef)]) -> Option<&'a (ScalarValue, FieldRef)> {
    place(id).and_then(|place| values.get(place))
}
