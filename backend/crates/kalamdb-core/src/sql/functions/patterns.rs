//! Regular expressions that differ from row to row.
//!
//! The planner's operators compile each different pattern of a batch and keep it until the batch is done; a short
//! pattern such as `(\w{100}){100}` becomes megabytes. One constant pattern is bounded by the library that
//! compiles it; what a column of patterns may become together is bounded here, by an estimate.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::{DataType as ArrowType, FieldRef};
use datafusion::common::tree_node::Transformed;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, Operator, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, Volatility,
};
use kalamdb_commons::ErrorCode;
use rustc_hash::FxHashSet;

use crate::error::SqlError;
use crate::tables::external;

/// Bytes that all patterns of one batch of rows may become.
const BYTES_MAX: u64 = 256 << 20;

/// Bytes that one pattern becomes at most; the library refuses what is larger.
const PATTERN_BYTES_MAX: u64 = 10 << 20;

/// Bytes that a character of a pattern becomes where it stands for many, as `\w` does.
const CHARACTER_BYTES: u64 = 8 << 10;

/// The expression with its pattern looked at, if it has one that is no constant.
#[must_use]
pub fn bounded(expr: Expr) -> Transformed<Expr> {
    use Operator::{RegexIMatch, RegexMatch, RegexNotIMatch, RegexNotMatch};
    match expr {
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: op @ (RegexMatch | RegexIMatch | RegexNotMatch | RegexNotIMatch),
            right,
        }) if !is_constant(&right) => {
            Transformed::yes(Expr::BinaryExpr(BinaryExpr { left, op, right: Box::new(looked_at(*right)) }))
        }
        Expr::ScalarFunction(ScalarFunction { func, mut args })
            if func.name().starts_with("regexp_") && args.get(1).is_some_and(|pattern| !is_constant(pattern)) =>
        {
            if let Some(pattern) = args.get_mut(1) {
                *pattern = looked_at(std::mem::take(pattern));
            }
            Transformed::yes(Expr::ScalarFunction(ScalarFunction { func, args }))
        }
        other => Transformed::no(other),
    }
}

fn is_constant(pattern: &Expr) -> bool {
    matches!(pattern, Expr::Literal(..))
}

fn looked_at(pattern: Expr) -> Expr {
    let func = Arc::new(ScalarUDF::new_from_impl(Patterns(Signature::any(1, Volatility::Immutable))));
    Expr::ScalarFunction(ScalarFunction { func, args: vec![pattern] })
}

/// What a pattern becomes, roughly: its characters, as often as they are repeated.
fn weight(pattern: &str) -> u64 {
    let mut bytes = u64::try_from(pattern.len()).unwrap_or(u64::MAX).saturating_mul(CHARACTER_BYTES);
    for repetition in pattern.split('{').skip(1) {
        let numbers = repetition.split('}').next().unwrap_or_default().split(',');
        let most = numbers.filter_map(|number| number.trim().parse::<u64>().ok()).max();
        bytes = bytes.saturating_mul(most.unwrap_or(1).max(1));
    }
    bytes.min(PATTERN_BYTES_MAX)
}

fn text_at(array: &ArrayRef, row: usize) -> Option<&str> {
    match array.data_type() {
        _ if array.is_null(row) => None,
        ArrowType::Utf8 => Some(array.as_string::<i32>().value(row)),
        ArrowType::LargeUtf8 => Some(array.as_string::<i64>().value(row)),
        ArrowType::Utf8View => Some(array.as_string_view().value(row)),
        _ => None,
    }
}

/// Gives its argument on, or fails.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Patterns(Signature);

impl ScalarUDFImpl for Patterns {
    fn name(&self) -> &'static str {
        "patterns"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, arg_types: &[ArrowType]) -> Result<ArrowType> {
        arg_types.first().cloned().ok_or_else(without_pattern)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        args.arg_fields.first().cloned().ok_or_else(without_pattern)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let pattern = args.args.into_iter().next().ok_or_else(without_pattern)?;
        if let ColumnarValue::Array(array) = &pattern {
            let (mut known, mut bytes) = (FxHashSet::default(), 0_u64);
            for text in (0..array.len()).filter_map(|row| text_at(array, row)) {
                if known.insert(text) {
                    bytes = bytes.saturating_add(weight(text));
                }
            }
            if bytes > BYTES_MAX {
                let text = "the patterns of the rows are too many, or too large, to be held at once";
                return Err(external(SqlError::new(ErrorCode::TooLarge, text)));
            }
        }
        Ok(pattern)
    }
}

fn without_pattern() -> DataFusionError {
    DataFusionError::Internal("a pattern is missing".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s16_a_pattern_weighs_what_it_repeats() {
        assert!(weight("abc") < weight("a{10}bc"));
        assert_eq!(weight(r"(\w{100}){100}"), PATTERN_BYTES_MAX);
        assert_eq!(weight("a{x}{,}{"), 8 * CHARACTER_BYTES);
        assert_eq!(weight("a{99999999999999999999999}"), 26 * CHARACTER_BYTES);
    }
}
