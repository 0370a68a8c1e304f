//! Guards around functions that could ask for unbounded memory or time.
//!
//! `repeat('x', 2000000000)` is a short text and a large answer, made in one piece where no memory
//! pool sees it coming. Just before a plan is run such a function is put into a `Bounded` one, which
//! fails when what it is given, or what it would make of it, is too large. All calls of a statement share
//! `ALL_BYTES_MAX`, because each may hold its result at the same time.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use datafusion::arrow::datatypes::{DataType as ArrowType, Field, FieldRef, Int64Type, Schema};
use datafusion::common::tree_node::{Transformed, TreeNode as _, TreeNodeRecursion};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::binary::BinaryTypeCoercer;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable as _, LogicalPlan, Operator, ReturnFieldArgs, ScalarFunctionArgs,
    ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{BinaryExpr as PhysicalBinary, Column};
use kalamdb_commons::ErrorCode;

use crate::error::SqlError;
use crate::tables::external;

/// Bytes that one call may make of one batch of rows, where it is among few.
pub const BYTES_MAX: u64 = 64 << 20;

/// Bytes that all calls of one statement may make of one batch of rows.
const ALL_BYTES_MAX: u64 = 512 << 20;

/// Bytes that one call may make of constants.
const CONSTANT_BYTES_MAX: u64 = 1 << 20;

/// Bytes that are given to a call of any query, such as the numbers of a batch of rows.
const SMALL_BYTES: u64 = 64 << 10;

/// Steps that one call may take for one batch of rows.
const STEPS_MAX: u64 = 200_000_000;

/// Bytes of an element of an array, roughly.
const ELEMENT_BYTES: u64 = 16;

/// Bytes that each call of a plan may make of one batch of rows.
///
/// # Errors
/// When the planner cannot walk over the plan.
pub fn share(plan: &LogicalPlan) -> Result<u64> {
    let mut calls = 0_u64;
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                let grows = match expr {
                    Expr::ScalarFunction(call) => Growth::of(call.func.name()).is_some(),
                    Expr::BinaryExpr(binary) => binary.op == Operator::StringConcat,
                    _ => false,
                };
                calls = calls.saturating_add(u64::from(grows));
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(ALL_BYTES_MAX.checked_div(calls).unwrap_or(BYTES_MAX).min(BYTES_MAX))
}

/// The call with its guard, if it needs one.
#[must_use]
pub fn guarded(expr: Expr, bytes_max: u64) -> Transformed<Expr> {
    let Expr::ScalarFunction(ScalarFunction { func, args }) = expr else { return Transformed::no(expr) };
    let Some(growth) = Growth::of(func.name()) else {
        return Transformed::no(Expr::ScalarFunction(ScalarFunction { func, args }));
    };
    // The function is put into another, not an argument: that would have to know the other arguments too, and
    // nested calls would double with every level.
    let func = Arc::new(ScalarUDF::new_from_impl(Bounded { inner: func, growth, bytes_max }));
    Transformed::yes(Expr::ScalarFunction(ScalarFunction { func, args }))
}

/// The same, for a text put behind another as well.
///
/// # Errors
/// When the types of the operands cannot be told.
pub fn guarded_in(expr: Expr, schema: &DFSchema, bytes_max: u64) -> Result<Transformed<Expr>> {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::StringConcat, right }) => {
            let data_type =
                BinaryTypeCoercer::new(&left.get_type(schema)?, &Operator::StringConcat, &right.get_type(schema)?)
                    .get_result_type()?;
            let func = Arc::new(ScalarUDF::new_from_impl(Joined::new(data_type, bytes_max)));
            Ok(Transformed::yes(Expr::ScalarFunction(ScalarFunction { func, args: vec![*left, *right] })))
        }
        other => Ok(guarded(other, bytes_max)),
    }
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
    /// The same, where the replacement may name parts of what it replaces.
    ReplacePattern,
    /// All arguments, one after the other.
    Sum,
    /// Two characters for a byte.
    Double,
    /// Every place of one text compared with every place of another.
    Compare,
}

impl Growth {
    fn of(function: &str) -> Option<Growth> {
        Some(match function {
            "repeat" => Growth::Repeat,
            "lpad" | "rpad" => Growth::Pad,
            "array_repeat" | "array_resize" => Growth::Elements,
            "replace" => Growth::Replace,
            "regexp_replace" => Growth::ReplacePattern,
            "concat" | "concat_ws" | "array_concat" | "array_append" | "array_prepend" | "make_array" => Growth::Sum,
            "encode" => Growth::Double,
            "levenshtein" => Growth::Compare,
            _ => return None,
        })
    }

    /// What the call costs for one row, beside what it is given.
    fn cost(self, row: usize, args: &[ArrayRef]) -> u64 {
        let length = |at: usize| args.get(at).map_or(0, |array| length_at(array, row));
        let number = |at: usize| args.get(at).map_or(0, |array| number_at(array, row));
        match self {
            Growth::Repeat => number(1).saturating_mul(length(0)),
            Growth::Pad => number(1).saturating_mul(4),
            Growth::Elements => {
                let element = length(0).max(length(2)).saturating_add(ELEMENT_BYTES);
                number(1).saturating_mul(element)
            }
            Growth::Replace => {
                let places = length(0).checked_div(length(1)).unwrap_or(length(0)).saturating_add(1);
                length(0).saturating_add(places.saturating_mul(length(2)))
            }
            Growth::ReplacePattern => {
                // Without the flag for all places there is one.
                let places = if length(3) == 0 { 1 } else { length(0).saturating_add(1) };
                let references = length(0).saturating_mul(args.get(2).map_or(0, |array| references_at(array, row)));
                length(0).saturating_add(places.saturating_mul(length(2))).saturating_add(references)
            }
            Growth::Sum => 0,
            Growth::Double => length(0).saturating_mul(2),
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
        ArrowType::Binary => array.as_binary::<i32>().value(row).len(),
        ArrowType::List(_) => return bytes_of(&array.as_list::<i32>().value(row)),
        _ => 0,
    };
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// How often a replacement names a part of what it replaces, at most.
fn references_at(array: &ArrayRef, row: usize) -> u64 {
    let text = match array.data_type() {
        _ if array.is_null(row) => "",
        ArrowType::Utf8 => array.as_string::<i32>().value(row),
        ArrowType::LargeUtf8 => array.as_string::<i64>().value(row),
        ArrowType::Utf8View => array.as_string_view().value(row),
        _ => "",
    };
    let signs = text.bytes().filter(|byte| matches!(byte, b'\\' | b'$')).count();
    u64::try_from(signs).unwrap_or(u64::MAX)
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

/// Bytes of the values of an array, and no others of its buffers.
fn bytes_of(array: &ArrayRef) -> u64 {
    let bytes = array.to_data().get_slice_memory_size().unwrap_or(usize::MAX);
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

fn too_large() -> DataFusionError {
    external(SqlError::new(ErrorCode::TooLarge, "a function's result would be too large"))
}

/// Rows for which a call is made, and bytes that it may make.
///
/// Constants alone are one row; what is made of them becomes part of the plan, which the planner copies and
/// names as it goes, so it is to be smaller.
fn bounds_of(args: &ScalarFunctionArgs, bytes_max: u64) -> (usize, u64) {
    let constant = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
    if constant { (1, bytes_max.min(CONSTANT_BYTES_MAX)) } else { (args.number_rows, bytes_max) }
}

/// Fails for arguments that are too large.
fn check_given(args: &ScalarFunctionArgs, rows: usize, bytes_max: u64) -> Result<()> {
    let mut given = 0_u64;
    for arg in &args.args {
        // A constant beside a column is written out for each row.
        let bytes = match arg {
            ColumnarValue::Array(array) => bytes_of(array),
            ColumnarValue::Scalar(scalar) => u64::try_from(scalar.size().saturating_mul(rows)).unwrap_or(u64::MAX),
        };
        given = given.saturating_add(bytes);
    }
    if given > bytes_max.max(SMALL_BYTES) { Err(too_large()) } else { Ok(()) }
}

/// `a || b`, which fails where it would cost too much.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Joined {
    data_type: ArrowType,
    bytes_max: u64,
    signature: Signature,
}

impl Joined {
    fn new(data_type: ArrowType, bytes_max: u64) -> Self {
        Joined { data_type, bytes_max, signature: Signature::any(2, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Joined {
    fn name(&self) -> &'static str {
        "joined"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[ArrowType]) -> Result<ArrowType> {
        Ok(self.data_type.clone())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let nullable = args.arg_fields.iter().any(|field| field.is_nullable());
        Ok(Arc::new(Field::new(self.name(), self.data_type.clone(), nullable)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let (rows, bytes_max) = bounds_of(&args, self.bytes_max);
        check_given(&args, rows, bytes_max)?;
        let constant = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let arrays = args.args.iter().map(|arg| arg.to_array(rows)).collect::<Result<Vec<_>>>()?;
        let fields: Vec<Field> = arrays.iter().map(|array| Field::new("", array.data_type().clone(), true)).collect();
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?;
        let operand = |at| Arc::new(Column::new("", at)) as Arc<dyn PhysicalExpr>;
        let joined = PhysicalBinary::new(operand(0), Operator::StringConcat, operand(1)).evaluate(&batch)?;
        if constant {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&joined.to_array(rows)?, 0)?));
        }
        Ok(joined)
    }
}

/// A function that fails where it would cost too much.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Bounded {
    inner: Arc<ScalarUDF>,
    growth: Growth,
    bytes_max: u64,
}

impl Bounded {
    /// Fails for arguments that are too large, or of which too much would be made.
    fn check(&self, args: &ScalarFunctionArgs) -> Result<()> {
        let (rows, bytes_max) = bounds_of(args, self.bytes_max);
        check_given(args, rows, bytes_max)?;
        if self.growth == Growth::Sum {
            return Ok(());
        }
        let arrays: Vec<ArrayRef> = args.args.iter().map(|arg| arg.to_array(rows)).collect::<Result<_>>()?;
        let most = if self.growth == Growth::Compare { STEPS_MAX } else { bytes_max };
        let mut cost = 0_u64;
        for row in 0..rows {
            cost = cost.saturating_add(self.growth.cost(row, &arrays));
            if cost > most {
                return Err(too_large());
            }
        }
        Ok(())
    }
}

impl ScalarUDFImpl for Bounded {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, arg_types: &[ArrowType]) -> Result<ArrowType> {
        self.inner.return_type(arg_types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.inner.return_field_from_args(args)
    }

    fn coerce_types(&self, arg_types: &[ArrowType]) -> Result<Vec<ArrowType>> {
        self.inner.coerce_types(arg_types)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        self.check(&args)?;
        self.inner.invoke_with_args(args)
    }
}
