//! Arithmetic on whole numbers that fails when it overflows.
//!
//! The planner's `+`, `-` and `*` wrap around. Just before a plan is run they are replaced by these
//! functions, which fail as PostgreSQL does; decimals and times fail by themselves.

use std::sync::Arc;

use datafusion::arrow::compute::kernels::numeric;
use datafusion::arrow::datatypes::{DataType as ArrowType, FieldRef};
use datafusion::common::DFSchema;
use datafusion::common::tree_node::Transformed;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, Operator, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};
use datafusion::physical_expr_common::datum::apply;
use datafusion::scalar::ScalarValue;

/// The expression with its outermost operation replaced, if that is one on whole numbers.
///
/// # Errors
/// When the types of the operands cannot be told.
pub fn checked(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let call = |operation, args| {
        let func = Arc::new(ScalarUDF::new_from_impl(Checked::new(operation)));
        Transformed::yes(Expr::ScalarFunction(ScalarFunction { func, args }))
    };
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let Some(operation) = Operation::of(op) else {
                return Ok(Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right })));
            };
            let left_type = left.get_type(schema)?;
            if left_type.is_integer() && left_type == right.get_type(schema)? {
                return Ok(call(operation, vec![*left, *right]));
            }
            Ok(Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right })))
        }
        Expr::Negative(inner) => {
            let data_type = inner.get_type(schema)?;
            if !data_type.is_signed_integer() {
                return Ok(Transformed::no(Expr::Negative(inner)));
            }
            let zero = Expr::Literal(ScalarValue::new_zero(&data_type)?, None);
            Ok(call(Operation::Minus, vec![zero, *inner]))
        }
        other => Ok(Transformed::no(other)),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Operation {
    Plus,
    Minus,
    Times,
}

impl Operation {
    fn of(op: Operator) -> Option<Operation> {
        match op {
            Operator::Plus => Some(Operation::Plus),
            Operator::Minus => Some(Operation::Minus),
            Operator::Multiply => Some(Operation::Times),
            _ => None,
        }
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Checked {
    operation: Operation,
    signature: Signature,
}

impl Checked {
    fn new(operation: Operation) -> Self {
        Checked { operation, signature: Signature::any(2, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Checked {
    fn name(&self) -> &str {
        match self.operation {
            Operation::Plus => "plus",
            Operation::Minus => "minus",
            Operation::Times => "times",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arg_types: &[ArrowType]) -> Result<ArrowType> {
        let first = arg_types.first().cloned();
        first.ok_or_else(|| DataFusionError::Internal("arithmetic without operands".to_owned()))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let types: Vec<ArrowType> = args.arg_fields.iter().map(|field| field.data_type().clone()).collect();
        let nullable = args.arg_fields.iter().any(|field| field.is_nullable());
        Ok(Arc::new(datafusion::arrow::datatypes::Field::new(self.name(), self.return_type(&types)?, nullable)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [left, right] = args.args.as_slice() else {
            return Err(DataFusionError::Internal("arithmetic takes two operands".to_owned()));
        };
        match self.operation {
            Operation::Plus => apply(left, right, numeric::add),
            Operation::Minus => apply(left, right, numeric::sub),
            Operation::Times => apply(left, right, numeric::mul),
        }
    }
}
