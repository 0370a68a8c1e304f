//! Values as Arrow columns and back.
//!
//! Every column type has one Arrow form, and every Arrow type that an expression can have is read
//! as one column type. JSON and UUID travel as text whose field says what it is, so that they
//! compare with text literals; a cast to TEXT takes that away again. Lists, structs and maps are
//! read as JSON, intervals as text.

mod read;
mod write;

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType as ArrowType, Field, TimeUnit};
use datafusion::common::ScalarValue;
use kalamdb_commons::value::Decimal;
use kalamdb_commons::{DataType, Value};

use crate::error::SqlError;

pub use read::{rows_of, value_at};
pub use write::{batch_of, values_to_array};

/// Metadata key under which a field says what its text is; casts to plain types drop it.
const EXTENSION: &str = "ARROW:extension:name";
const EXTENSION_JSON: &str = "arrow.json";
const EXTENSION_UUID: &str = "kalamdb.uuid";

/// Time zone of DATETIME columns.
const UTC: &str = "UTC";

/// The Arrow field of a column.
#[must_use]
pub fn arrow_field(name: &str, data_type: &DataType, nullable: bool) -> Field {
    let field = Field::new(name, arrow_type(data_type), nullable);
    let extension = match data_type {
        DataType::Json => EXTENSION_JSON,
        DataType::Uuid => EXTENSION_UUID,
        _ => return field,
    };
    field.with_metadata(HashMap::from([(EXTENSION.to_owned(), extension.to_owned())]))
}

/// The Arrow type of a column.
#[must_use]
pub fn arrow_type(data_type: &DataType) -> ArrowType {
    match data_type {
        DataType::Boolean => ArrowType::Boolean,
        DataType::SmallInt => ArrowType::Int16,
        DataType::Int => ArrowType::Int32,
        DataType::BigInt => ArrowType::Int64,
        DataType::Float => ArrowType::Float32,
        DataType::Double => ArrowType::Float64,
        DataType::Text | DataType::Json | DataType::Uuid => ArrowType::Utf8,
        DataType::Timestamp => ArrowType::Timestamp(TimeUnit::Microsecond, None),
        DataType::DateTime => ArrowType::Timestamp(TimeUnit::Microsecond, Some(UTC.into())),
        DataType::Date => ArrowType::Date32,
        DataType::Time => ArrowType::Time64(TimeUnit::Microsecond),
        DataType::Bytes => ArrowType::Binary,
        DataType::Decimal { precision, scale } => {
            ArrowType::Decimal128(*precision, i8::try_from(*scale).unwrap_or(i8::MAX))
        }
    }
}

/// The column type that a field of a plan stands for.
///
/// # Errors
/// `UNSUPPORTED` for a type that no cell can show.
pub fn data_type_of(field: &Field) -> Result<DataType, SqlError> {
    if matches!(field.data_type(), ArrowType::Utf8 | ArrowType::Utf8View | ArrowType::LargeUtf8) {
        return Ok(match extension_of(field) {
            Some(EXTENSION_JSON) => DataType::Json,
            Some(EXTENSION_UUID) => DataType::Uuid,
            _ => DataType::Text,
        });
    }
    column_type(field.data_type())
}

/// What a field says of its text, beyond its type.
#[must_use]
pub fn extension_of(field: &Field) -> Option<&str> {
    field.metadata().get(EXTENSION).map(String::as_str)
}

fn column_type(arrow: &ArrowType) -> Result<DataType, SqlError> {
    Ok(match arrow {
        ArrowType::Boolean => DataType::Boolean,
        ArrowType::Int8 | ArrowType::UInt8 | ArrowType::Int16 => DataType::SmallInt,
        ArrowType::UInt16 | ArrowType::Int32 => DataType::Int,
        ArrowType::UInt32 | ArrowType::Int64 | ArrowType::UInt64 => DataType::BigInt,
        ArrowType::Float16 | ArrowType::Float32 => DataType::Float,
        ArrowType::Float64 => DataType::Double,
        ArrowType::Null | ArrowType::Utf8 | ArrowType::LargeUtf8 | ArrowType::Utf8View => DataType::Text,
        ArrowType::Interval(_) | ArrowType::Duration(_) => DataType::Text,
        ArrowType::Timestamp(_, None) | ArrowType::Date64 => DataType::Timestamp,
        ArrowType::Timestamp(_, Some(_)) => DataType::DateTime,
        ArrowType::Date32 => DataType::Date,
        ArrowType::Time32(_) | ArrowType::Time64(_) => DataType::Time,
        ArrowType::Binary | ArrowType::LargeBinary | ArrowType::BinaryView | ArrowType::FixedSizeBinary(_) => {
            DataType::Bytes
        }
        ArrowType::Decimal32(precision, scale)
        | ArrowType::Decimal64(precision, scale)
        | ArrowType::Decimal128(precision, scale)
        | ArrowType::Decimal256(precision, scale) => decimal_type(*precision, *scale),
        ArrowType::List(_)
        | ArrowType::LargeList(_)
        | ArrowType::ListView(_)
        | ArrowType::LargeListView(_)
        | ArrowType::FixedSizeList(..)
        | ArrowType::Struct(_)
        | ArrowType::Map(..)
        | ArrowType::Union(..) => DataType::Json,
        ArrowType::Dictionary(_, values) => column_type(values)?,
        ArrowType::RunEndEncoded(_, values) => column_type(values.data_type())?,
    })
}

/// A scale below zero stands for trailing zeros; more than 38 digits are cut off behind the point.
fn decimal_type(precision: u8, scale: i8) -> DataType {
    let digits = i16::from(precision).saturating_sub(i16::from(scale.min(0)));
    let precision = u8::try_from(digits).unwrap_or(u8::MAX).clamp(1, Decimal::MAX_PRECISION);
    let scale = u8::try_from(scale).unwrap_or(0).min(precision);
    DataType::Decimal { precision, scale }
}

/// A value as a literal of a plan. `NULL` has no type.
#[must_use]
pub fn scalar_of(value: &Value) -> ScalarValue {
    match value {
        Value::Null => ScalarValue::Null,
        Value::Bool(b) => ScalarValue::Boolean(Some(*b)),
        Value::SmallInt(n) => ScalarValue::Int16(Some(*n)),
        Value::Int(n) => ScalarValue::Int32(Some(*n)),
        Value::BigInt(n) => ScalarValue::Int64(Some(*n)),
        Value::Float(x) => ScalarValue::Float32(Some(*x)),
        Value::Double(x) => ScalarValue::Float64(Some(*x)),
        Value::Decimal(d) => {
            ScalarValue::Decimal128(Some(d.unscaled), Decimal::MAX_PRECISION, i8::try_from(d.scale).unwrap_or(i8::MAX))
        }
        Value::Text(s) | Value::Json(s) => ScalarValue::Utf8(Some(s.as_ref().to_owned())),
        Value::Timestamp(t) => ScalarValue::TimestampMicrosecond(Some(*t), None),
        Value::DateTime(t) => ScalarValue::TimestampMicrosecond(Some(*t), Some(UTC.into())),
        Value::Date(d) => ScalarValue::Date32(Some(*d)),
        Value::Time(t) => ScalarValue::Time64Microsecond(Some(*t)),
        Value::Bytes(b) => ScalarValue::Binary(Some(b.to_vec())),
        Value::Uuid(_) => ScalarValue::Utf8(Some(value.to_text())),
    }
}

/// A value as a literal of a column's type, so that `NULL` has a type too.
///
/// A value of another type is given as it is.
#[must_use]
pub fn typed_scalar(value: &Value, data_type: &DataType) -> ScalarValue {
    let wanted = arrow_type(data_type);
    match (value, &wanted) {
        (Value::Null, _) => ScalarValue::try_from(&wanted).unwrap_or(ScalarValue::Null),
        (Value::Decimal(d), ArrowType::Decimal128(precision, scale)) => {
            let rescaled = u8::try_from(*scale).ok().and_then(|scale| d.rescale(scale));
            rescaled.map_or_else(|| scalar_of(value), |d| ScalarValue::Decimal128(Some(d.unscaled), *precision, *scale))
        }
        _ => scalar_of(value),
    }
}

/// The value of a literal that has exactly the Arrow form of a column's type; `None` for any other.
#[must_use]
pub fn value_of_scalar(scalar: &ScalarValue, data_type: &DataType) -> Option<Value> {
    if scalar.is_null() {
        return Some(Value::Null);
    }
    Some(match (scalar, data_type) {
        (ScalarValue::Boolean(Some(b)), DataType::Boolean) => Value::Bool(*b),
        (ScalarValue::Int16(Some(n)), DataType::SmallInt) => Value::SmallInt(*n),
        (ScalarValue::Int32(Some(n)), DataType::Int) => Value::Int(*n),
        (ScalarValue::Int64(Some(n)), DataType::BigInt) => Value::BigInt(*n),
        (ScalarValue::Float32(Some(x)), DataType::Float) => Value::Float(*x),
        (ScalarValue::Float64(Some(x)), DataType::Double) => Value::Double(*x),
        (ScalarValue::Decimal128(Some(unscaled), _, scale), DataType::Decimal { .. }) => {
            Value::Decimal(Decimal { unscaled: *unscaled, scale: u8::try_from(*scale).ok()? })
        }
        (ScalarValue::TimestampMicrosecond(Some(t), None), DataType::Timestamp) => Value::Timestamp(*t),
        (ScalarValue::TimestampMicrosecond(Some(t), Some(_)), DataType::DateTime) => Value::DateTime(*t),
        (ScalarValue::Date32(Some(d)), DataType::Date) => Value::Date(*d),
        (ScalarValue::Time64Microsecond(Some(t)), DataType::Time) => Value::Time(*t),
        (ScalarValue::Binary(Some(b)), DataType::Bytes) => Value::Bytes(Arc::from(b.as_slice())),
        (
            ScalarValue::Utf8(Some(s)) | ScalarValue::Utf8View(Some(s)) | ScalarValue::LargeUtf8(Some(s)),
            DataType::Text | DataType::Json | DataType::Uuid,
        ) => return text_as(s, data_type),
        _ => return None,
    })
}

/// Text in the form in which a column of text, JSON or UUIDs has it.
fn text_as(text: &str, data_type: &DataType) -> Option<Value> {
    match data_type {
        DataType::Json => Some(Value::Json(text.into())),
        DataType::Uuid => {
            let value = Value::from_text(text, &DataType::Uuid).ok()?;
            // Any other notation of the same UUID is a text that no row holds.
            (value.to_text() == text).then_some(value)
        }
        _ => Some(Value::text(text)),
    }
}

#[cfg(test)]
mod tests;
