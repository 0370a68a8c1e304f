//! JSON and UUIDs, which travel as text: casts that look at what they cast, and literals in any of
//! the notations that a column takes.
//!
//! `CAST(x AS UUID)` gives the one notation that is stored, or fails. A literal that is compared
//! with a column of UUIDs, bytes or times becomes what an assignment to the column would make of it.

use std::sync::Arc;

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::{DataType as ArrowType, FieldRef};
use datafusion::common::DFSchema;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::expr::{Between, Cast, InList, ScalarFunction};
use datafusion::logical_expr::expr_rewriter::FunctionRewrite;
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, Operator, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};
use datafusion::scalar::ScalarValue;
use kalamdb_commons::{DataType, Value};

use crate::error::SqlError;
use crate::tables::arrow::{arrow_field, arrow_type, data_type_of, typed_scalar, value_at, values_to_array};
use crate::tables::external;

/// Rewrites casts and literals before types are settled.
#[derive(Debug)]
pub struct Leniency;

impl FunctionRewrite for Leniency {
    fn name(&self) -> &str {
        "leniency"
    }

    fn rewrite(&self, expr: Expr, schema: &DFSchema, _: &ConfigOptions) -> Result<Transformed<Expr>> {
        Ok(match expr {
            Expr::Cast(Cast { expr, field }) => match data_type_of(&field) {
                Ok(wanted @ (DataType::Uuid | DataType::Json)) => Transformed::yes(parsed(*expr, wanted)),
                _ => Transformed::no(Expr::Cast(Cast { expr, field })),
            },
            Expr::BinaryExpr(BinaryExpr { left, op, right }) if compares(op) => {
                let left = adapt(*left, &right, schema);
                let right = adapt(*right, &left, schema);
                Transformed::yes(Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right))))
            }
            Expr::InList(InList { expr, list, negated }) => {
                let list = list.into_iter().map(|item| adapt(item, &expr, schema)).collect();
                Transformed::yes(Expr::InList(InList { expr, list, negated }))
            }
            Expr::Between(Between { expr, negated, low, high }) => {
                let (low, high) = (adapt(*low, &expr, schema), adapt(*high, &expr, schema));
                Transformed::yes(Expr::Between(Between { expr, negated, low: Box::new(low), high: Box::new(high) }))
            }
            other => Transformed::no(other),
        })
    }
}

fn compares(op: Operator) -> bool {
    matches!(
        op,
        Operator::Eq
            | Operator::NotEq
            | Operator::Lt
            | Operator::LtEq
            | Operator::Gt
            | Operator::GtEq
            | Operator::IsDistinctFrom
            | Operator::IsNotDistinctFrom
    )
}

fn parsed(expr: Expr, wanted: DataType) -> Expr {
    let text = Expr::Cast(Cast::new(Box::new(expr), ArrowType::Utf8));
    let func = Arc::new(ScalarUDF::new_from_impl(Parse::new(wanted)));
    Expr::ScalarFunction(ScalarFunction { func, args: vec![text] })
}

/// A literal as it compares with `other`; anything else as it is.
fn adapt(expr: Expr, other: &Expr, schema: &DFSchema) -> Expr {
    let literal = match &expr {
        Expr::Literal(ScalarValue::Utf8(Some(text)), _) => Value::text(text.as_str()),
        Expr::Literal(ScalarValue::Int64(Some(number)), _) => Value::BigInt(*number),
        _ => return expr,
    };
    if matches!(other, Expr::Literal(..)) {
        return expr;
    }
    let Ok((_, field)) = other.to_field(schema) else { return expr };
    let Ok(wanted) = data_type_of(&field) else { return expr };
    let takes = match wanted {
        DataType::Uuid | DataType::Bytes => matches!(literal, Value::Text(_)),
        DataType::Timestamp | DataType::DateTime | DataType::Date | DataType::Time => {
            field.data_type() == &arrow_type(&wanted)
        }
        _ => false,
    };
    match literal.assign_to(&wanted) {
        Ok(value) if takes => Expr::Literal(typed_scalar(&value, &wanted), None),
        _ => expr,
    }
}

/// Reads a text as a UUID or a JSON document.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Parse {
    wanted: DataType,
    signature: Signature,
}

impl Parse {
    fn new(wanted: DataType) -> Self {
        Parse { wanted, signature: Signature::exact(vec![ArrowType::Utf8], Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Parse {
    fn name(&self) -> &str {
        match self.wanted {
            DataType::Uuid => "as_uuid",
            _ => "as_json",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[ArrowType]) -> Result<ArrowType> {
        Ok(arrow_type(&self.wanted))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let nullable = args.arg_fields.iter().any(|field| field.is_nullable());
        Ok(arrow_field(self.name(), &self.wanted, nullable).into())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [text] = args.args.as_slice() else {
            return Err(DataFusionError::Internal("a cast takes one operand".to_owned()));
        };
        match text {
            ColumnarValue::Scalar(scalar) => {
                let array = self.parse(&scalar.to_array()?)?;
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?))
            }
            ColumnarValue::Array(array) => Ok(ColumnarValue::Array(self.parse(array)?)),
        }
    }
}

impl Parse {
    fn parse(&self, texts: &ArrayRef) -> Result<ArrayRef> {
        let one = |row| match value_at(texts, row, &DataType::Text).assign_to(&self.wanted) {
            Ok(value) => Ok(value),
            Err(error) => Err(external(SqlError::constraint(error.to_string()))),
        };
        let values = (0..texts.len()).map(one).collect::<Result<Vec<Value>>>()?;
        Ok(values_to_array(&self.wanted, values.iter()))
    }
}
