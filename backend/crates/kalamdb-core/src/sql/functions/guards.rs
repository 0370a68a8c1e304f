//! Guards around functions that could ask for unbounded memory or time.
//!
//! `repeat('x', 2000000000)` is a short text and a large answer, made in one piece where no memory
//! pool sees it coming. Just before a plan is run, one argument of such a call is wrapped into a
//! guard that gives it on unchanged, or fails when the call's result would be too large.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::{DataType as ArrowType, FieldRef, Int64Type};
use datafusion::common::tree_node::Transformed;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use kalamdb_commons::ErrorCode;

use crate::error::SqlError;
use crate::tables::external;

/// Bytes that one call may make of one batch of rows.
const BYTES_MAX: u64 = 64 << 20;

/// Steps that one call may take for one row.
const STEPS_MAX: u64 = 50_000_000;

/// Bytes of an element of an array, roughly.
const ELEMENT_BYTES: u64 = 16;

/// The call with its guard, if it needs one.
#[must_use]
pub fn guarded(expr: Expr) -> Transformed<Expr> {
    let Expr::ScalarFunction(ScalarFunction { func, mut args }) = expr else { return Transformed::no(expr) };
    let Some(growth) = Growth::of(func.name()) else {
        return Transformed::no(Expr::ScalarFunction(ScalarFunction { func, args }));
    };
    let at = growth.guarded_argument();
    let Some(argument) = args.get(at).cloned() else {
        return Transformed::no(Expr::ScalarFunction(ScalarFunction { func, args }));
    };
    let others = args.iter().enumerate().filter(|(place, _)| *place != at).map(|(_, other)| other.clone());
    let guard_args = std::iter::once(argument).chain(others).collect();
    let guard = Arc::new(ScalarUDF::new_from_impl(Guard::new(growth)));
    if let Some(argument) = args.get_mut(at) {
        *argument = Expr::ScalarFunction(ScalarFunction { func: guard, args: guard_args });
    }
    Transformed::yes(Expr::ScalarFunction(ScalarFunction { func, args }))
}

/// How a function's result grows with its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Growth {
    /// A text, so many times.
    Repeat,
    /// A text of so many characters.
    Pad,
    /// An array of so many elements.
    Elements,
    /// A text with parts of it replaced.
    Replace,
    /// Every place of one text compared with every place of another.
    Compare,
}

impl Growth {
    fn of(function: &str) -> Option<Growth> {
        Some(match function {
            "repeat" => Growth::Repeat,
            "lpad" | "rpad" => Growth::Pad,
            "array_repeat" | "array_resize" => Growth::Elements,
            "replace" | "regexp_replace" => Growth::Replace,
            "levenshtein" => Growth::Compare,
            _ => return None,
        })
    }

    /// Which argument is wrapped; the others tell the guard what it must know.
    const fn guarded_argument(self) -> usize {
        match self {
            Growth::Repeat | Growth::Pad | Growth::Elements => 1,
            Growth::Replace | Growth::Compare => 0,
        }
    }

    /// What the call costs for one row; the guarded argument comes first.
    fn cost(self, row: usize, args: &[ArrayRef]) -> u64 {
        let length = |at: usize| args.get(at).map_or(0, |array| length_at(array, row));
        let number = |at: usize| args.get(at).map_or(0, |array| number_at(array, row));
        match self {
            Growth::Repeat => number(0).saturating_mul(length(1)),
            Growth::Pad => number(0).saturating_mul(4),
            Growth::Elements => number(0).saturating_mul(ELEMENT_BYTES.saturating_add(length(1))),
            Growth::Replace => {
                let places = length(0).checked_div(length(1)).unwrap_or(length(0)).saturating_add(1);
                length(0).saturating_add(places.saturating_mul(length(2)))
            }
            Growth::Compare => length(0).saturating_mul(length(1)),
        }
    }
}

fn length_at(array: &ArrayRef, row: usize) -> u64 {
    if array.is_null(row) {
        return 0;
    }
    let length = match array.data_type() {
        ArrowType::Utf8 => array.as_string::<i32>().value(row).len(),
        ArrowType::LargeUtf8 => array.as_string::<i64>().value(row).len(),
        ArrowType::Utf8View => array.as_string_view().value(row).len(),
        _ => 0,
    };
    u64::try_from(length).unwrap_or(u64::MAX)
}

fn number_at(array: &ArrayRef, row: usize) -> u64 {
    match array.as_primitive_opt::<Int64Type>() {
        Some(numbers) if !numbers.is_null(row) => u64::try_from(numbers.value(row)).unwrap_or(0),
        Some(_) => 0,
        None => {
            // Other whole numbers are cast by the planner; a type unknown here counts as too many.
            if array.data_type().is_null() { 0 } else { u64::MAX }
        }
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Guard {
    growth: Growth,
    signature: Signature,
}

impl Guard {
    fn new(growth: Growth) -> Self {
        Guard { growth, signature: Signature::variadic_any(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Guard {
    fn name(&self) -> &str {
        "bounded"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arg_types: &[ArrowType]) -> Result<ArrowType> {
        let first = arg_types.first().cloned();
        first.ok_or_else(|| DataFusionError::Internal("a guard without an argument".to_owned()))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let first = args.arg_fields.first().cloned();
        first.ok_or_else(|| DataFusionError::Internal("a guard without an argument".to_owned()))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let rows = arrays.first().map_or(0, |array| array.len());
        let mut bytes = 0_u64;
        for row in 0..rows {
            let cost = self.growth.cost(row, &arrays);
            bytes = bytes.saturating_add(cost);
            let too_much = match self.growth {
                Growth::Compare => cost > STEPS_MAX,
                Growth::Repeat | Growth::Pad | Growth::Elements | Growth::Replace => bytes > BYTES_MAX,
            };
            if too_much {
                return Err(external(SqlError::new(ErrorCode::TooLarge, "a function's result would be too large")));
            }
        }
        let first = args.args.into_iter().next();
        first.ok_or_else(|| DataFusionError::Internal("a guard without an argument".to_owned()))
    }
}
