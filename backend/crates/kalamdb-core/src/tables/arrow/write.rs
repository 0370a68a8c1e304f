//! Columns of values as Arrow arrays, and rows as batches.

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, BinaryBuilder, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int16Array,
    Int32Array, Int64Array, RecordBatch, RecordBatchOptions, StringBuilder, Time64MicrosecondArray,
    TimestampMicrosecondArray,
};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::error::ArrowError;
use kalamdb_commons::{DataType, Row, Value};

use super::{UTC, arrow_type};

/// Rows as a batch; cells in the order of the schema, whose fields are of these types.
///
/// # Errors
/// When a row has a `NULL` where the schema says that there is none.
pub fn batch_of(schema: SchemaRef, types: &[DataType], rows: &[Row]) -> Result<RecordBatch, ArrowError> {
    let column = |(at, data_type): (usize, &DataType)| {
        values_to_array(data_type, rows.iter().map(|row| row.at(at).unwrap_or(&Value::Null)))
    };
    let columns = types.iter().enumerate().map(column).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    RecordBatch::try_new_with_options(schema, columns, &options)
}

/// Values of one column as an Arrow array.
///
/// A value that is not of the column's type is converted to it as an assignment would; one that
/// cannot be is `NULL`. Columns never hold such a value.
pub fn values_to_array<'a>(data_type: &DataType, values: impl Iterator<Item = &'a Value>) -> ArrayRef {
    macro_rules! numbers {
        ($array:ident, $variant:ident) => {{
            let pick = |value: &Value| match value {
                Value::$variant(n) => Some(*n),
                Value::Null => None,
                other => match other.assign_to(data_type) {
                    Ok(Value::$variant(n)) => Some(n),
                    _ => None,
                },
            };
            values.map(pick).collect::<$array>()
        }};
    }
    match data_type {
        DataType::Boolean => Arc::new(numbers!(BooleanArray, Bool)),
        DataType::SmallInt => Arc::new(numbers!(Int16Array, SmallInt)),
        DataType::Int => Arc::new(numbers!(Int32Array, Int)),
        DataType::BigInt => Arc::new(numbers!(Int64Array, BigInt)),
        DataType::Float => Arc::new(numbers!(Float32Array, Float)),
        DataType::Double => Arc::new(numbers!(Float64Array, Double)),
        DataType::Timestamp => Arc::new(numbers!(TimestampMicrosecondArray, Timestamp)),
        DataType::DateTime => Arc::new(numbers!(TimestampMicrosecondArray, DateTime).with_timezone(UTC)),
        DataType::Date => Arc::new(numbers!(Date32Array, Date)),
        DataType::Time => Arc::new(numbers!(Time64MicrosecondArray, Time)),
        DataType::Decimal { scale, .. } => {
            let array: Decimal128Array = values.map(|value| unscaled(value, data_type, *scale)).collect();
            Arc::new(array.with_data_type(arrow_type(data_type)))
        }
        DataType::Text | DataType::Json | DataType::Uuid => texts(data_type, values),
        DataType::Bytes => bytes(values),
    }
}

fn unscaled(value: &Value, data_type: &DataType, scale: u8) -> Option<i128> {
    match value {
        Value::Decimal(d) if d.scale == scale => Some(d.unscaled),
        Value::Null => None,
        other => match other.assign_to(data_type) {
            Ok(Value::Decimal(d)) => Some(d.unscaled),
            _ => None,
        },
    }
}

fn texts<'a>(data_type: &DataType, values: impl Iterator<Item = &'a Value>) -> ArrayRef {
    let mut out = StringBuilder::new();
    for value in values {
        match value {
            Value::Text(s) | Value::Json(s) => out.append_value(s),
            Value::Null => out.append_null(),
            Value::Uuid(_) => out.append_value(value.to_text()),
            other => match other.assign_to(data_type) {
                Ok(value) => out.append_value(value.to_text()),
                Err(_) => out.append_null(),
            },
        }
    }
    Arc::new(out.finish())
}

fn bytes<'a>(values: impl Iterator<Item = &'a Value>) -> ArrayRef {
    let mut out = BinaryBuilder::new();
    for value in values {
        match value {
            Value::Bytes(b) => out.append_value(b),
            Value::Null => out.append_null(),
            other => match other.assign_to(&DataType::Bytes) {
                Ok(Value::Bytes(b)) => out.append_value(b),
                _ => out.append_null(),
            },
        }
    }
    Arc::new(out.finish())
}
