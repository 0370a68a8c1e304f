//! `SUM` of whole numbers that fails when it overflows; of everything else as the planner's.
//!
//! Added up in 128 bits, so that only a sum that does not fit in the end is an error, whatever the
//! order of the rows.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::{DataType as ArrowType, Decimal128Type, Field, FieldRef, Int64Type};
use datafusion::arrow::error::ArrowError;
use datafusion::error::{DataFusionError, Result};
use datafusion::functions_aggregate::sum::Sum;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, GroupsAccumulator, ReversedUDAF, Signature};
use datafusion::scalar::ScalarValue;

/// Type of a sum on its way.
const STATE: ArrowType = ArrowType::Decimal128(38, 0);

/// `SUM`.
#[derive(Debug, PartialEq, Eq, Hash, Default)]
pub struct CheckedSum(Sum);

fn is_ours(return_type: &ArrowType, is_distinct: bool) -> bool {
    *return_type == ArrowType::Int64 && !is_distinct
}

impl AggregateUDFImpl for CheckedSum {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn signature(&self) -> &Signature {
        self.0.signature()
    }

    fn return_type(&self, arg_types: &[ArrowType]) -> Result<ArrowType> {
        self.0.return_type(arg_types)
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        if is_ours(args.return_field.data_type(), args.is_distinct) {
            return Ok(Box::<WideSum>::default());
        }
        self.0.accumulator(args)
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        if is_ours(args.return_field.data_type(), args.is_distinct) {
            return Ok(vec![Arc::new(Field::new(format_state_name(args.name, "sum"), STATE, true))]);
        }
        self.0.state_fields(args)
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        !is_ours(args.return_field.data_type(), args.is_distinct) && self.0.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        self.0.create_groups_accumulator(args)
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        if is_ours(args.return_field.data_type(), args.is_distinct) {
            return Ok(Box::<WideSum>::default());
        }
        self.0.create_sliding_accumulator(args)
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        self.0.reverse_expr()
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        self.0.order_sensitivity()
    }
}

/// A sum in 128 bits, and how many numbers are in it.
#[derive(Debug, Default)]
struct WideSum {
    sum: i128,
    numbers: u64,
}

impl WideSum {
    fn of(values: &[ArrayRef]) -> Result<(i128, u64)> {
        let array = values.first().ok_or_else(|| DataFusionError::Internal("SUM without an argument".to_owned()))?;
        let numbers = array.as_primitive_opt::<Int64Type>();
        let numbers = numbers.ok_or_else(|| DataFusionError::Internal("SUM of another type".to_owned()))?;
        // As many numbers as a 64-bit count can tell fit into 128 bits.
        let sum = numbers.iter().flatten().map(i128::from).fold(0, i128::saturating_add);
        let count = numbers.len().saturating_sub(numbers.null_count());
        Ok((sum, u64::try_from(count).unwrap_or(u64::MAX)))
    }
}

impl Accumulator for WideSum {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let (sum, numbers) = Self::of(values)?;
        self.sum = self.sum.saturating_add(sum);
        self.numbers = self.numbers.saturating_add(numbers);
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let (sum, numbers) = Self::of(values)?;
        self.sum = self.sum.saturating_sub(sum);
        self.numbers = self.numbers.saturating_sub(numbers);
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        if self.numbers == 0 {
            return Ok(ScalarValue::Int64(None));
        }
        let sum = i64::try_from(self.sum).map_err(|_| ArrowError::ArithmeticOverflow("SUM".to_owned()))?;
        Ok(ScalarValue::Int64(Some(sum)))
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let sum = (self.numbers > 0).then_some(self.sum);
        Ok(vec![ScalarValue::Decimal128(sum, 38, 0)])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let states = states.first().and_then(|array| array.as_primitive_opt::<Decimal128Type>());
        let states = states.ok_or_else(|| DataFusionError::Internal("SUM of another state".to_owned()))?;
        for sum in states.iter().flatten() {
            self.sum = self.sum.saturating_add(sum);
            self.numbers = self.numbers.saturating_add(1);
        }
        Ok(())
    }
}
