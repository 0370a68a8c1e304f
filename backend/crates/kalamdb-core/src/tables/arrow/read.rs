//! Arrow arrays as values: those of our own column types, and whatever else an expression can give.

use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UnionArray};
use datafusion::arrow::datatypes::{
    DataType as ArrowType, Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type, Field,
    Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, Time32MillisecondType,
    Time32SecondType, Time64MicrosecondType, Time64NanosecondType, TimeUnit, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type, i256,
};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use kalamdb_commons::value::Decimal;
use kalamdb_commons::{DataType, Row, Value};
use serde_json::Value as Json;

use crate::error::SqlError;

/// The rows of a batch whose columns are of these types.
///
/// # Errors
/// `CONSTRAINT_VIOLATION` for a number that the widest type cannot hold.
pub fn rows_of(batch: &RecordBatch, types: &[DataType]) -> Result<Vec<Row>, SqlError> {
    for array in batch.columns() {
        check_range(array)?;
    }
    let columns = || batch.columns().iter().zip(types);
    let row = |index| columns().map(|(array, data_type)| value_at(array, index, data_type)).collect();
    Ok((0..batch.num_rows()).map(row).collect())
}

/// Unsigned and very long numbers have no type of their own here, and may be too large for ours.
fn check_range(array: &ArrayRef) -> Result<(), SqlError> {
    let fits = match array.data_type() {
        ArrowType::UInt64 => array.as_primitive::<UInt64Type>().iter().flatten().all(|n| i64::try_from(n).is_ok()),
        ArrowType::Decimal256(_, scale) => {
            array.as_primitive::<Decimal256Type>().iter().flatten().all(|n| wide_decimal(n, *scale).is_some())
        }
        _ => true,
    };
    if fits { Ok(()) } else { Err(SqlError::constraint("a result is out of range for its type")) }
}

/// The value at `index` of an array, as one of `data_type`, which is the type the array's field stands for.
#[must_use]
pub fn value_at(array: &ArrayRef, index: usize, data_type: &DataType) -> Value {
    if array.is_null(index) {
        return Value::Null;
    }
    match array.data_type() {
        ArrowType::Null => Value::Null,
        ArrowType::Boolean => Value::Bool(array.as_boolean().value(index)),
        ArrowType::Utf8 | ArrowType::LargeUtf8 | ArrowType::Utf8View => match text_at(array, index) {
            Some(text) => text_value(text, data_type),
            None => Value::Null,
        },
        ArrowType::Binary => Value::Bytes(array.as_binary::<i32>().value(index).into()),
        ArrowType::LargeBinary => Value::Bytes(array.as_binary::<i64>().value(index).into()),
        ArrowType::BinaryView => Value::Bytes(array.as_binary_view().value(index).into()),
        ArrowType::FixedSizeBinary(_) => Value::Bytes(array.as_fixed_size_binary().value(index).into()),
        ArrowType::Float16 => Value::Float(array.as_primitive::<Float16Type>().value(index).to_f32()),
        ArrowType::Float32 => Value::Float(array.as_primitive::<Float32Type>().value(index)),
        ArrowType::Float64 => Value::Double(array.as_primitive::<Float64Type>().value(index)),
        ArrowType::Interval(_) | ArrowType::Duration(_) => Value::text(display(array, index)),
        ArrowType::Dictionary(..) => match array.as_any_dictionary_opt() {
            Some(dictionary) => {
                let key = dictionary.normalized_keys().get(index).copied();
                key.map_or(Value::Null, |key| value_at(dictionary.values(), key, data_type))
            }
            None => Value::Null,
        },
        ArrowType::List(_)
        | ArrowType::LargeList(_)
        | ArrowType::ListView(_)
        | ArrowType::LargeListView(_)
        | ArrowType::FixedSizeList(..)
        | ArrowType::Struct(_)
        | ArrowType::Map(..)
        | ArrowType::Union(..)
        | ArrowType::RunEndEncoded(..) => match json_at(array, index) {
            Json::Null => Value::Null,
            json => Value::Json(json.to_string().into()),
        },
        _ => number_at(array, index, data_type).unwrap_or(Value::Null),
    }
}

fn text_at(array: &ArrayRef, index: usize) -> Option<&str> {
    Some(match array.data_type() {
        ArrowType::Utf8 => array.as_string::<i32>().value(index),
        ArrowType::LargeUtf8 => array.as_string::<i64>().value(index),
        ArrowType::Utf8View => array.as_string_view().value(index),
        _ => return None,
    })
}

fn text_value(text: &str, data_type: &DataType) -> Value {
    match data_type {
        DataType::Json => Value::Json(text.into()),
        DataType::Uuid => Value::from_text(text, data_type).unwrap_or_else(|_| Value::text(text)),
        _ => Value::text(text),
    }
}

/// Whole numbers, decimals and times.
fn number_at(array: &ArrayRef, index: usize, data_type: &DataType) -> Option<Value> {
    let wanted = *data_type;
    let integer = |n: i64| match wanted {
        DataType::SmallInt => i16::try_from(n).ok().map(Value::SmallInt),
        DataType::Int => i32::try_from(n).ok().map(Value::Int),
        _ => Some(Value::BigInt(n)),
    };
    let instant = |micros: i64| match wanted {
        DataType::DateTime => Value::DateTime(micros),
        _ => Value::Timestamp(micros),
    };
    macro_rules! raw {
        ($primitive:ident) => {
            array.as_primitive::<$primitive>().value(index)
        };
    }
    match array.data_type() {
        ArrowType::Int8 => integer(raw!(Int8Type).into()),
        ArrowType::Int16 => integer(raw!(Int16Type).into()),
        ArrowType::Int32 => integer(raw!(Int32Type).into()),
        ArrowType::Int64 => integer(raw!(Int64Type)),
        ArrowType::UInt8 => integer(raw!(UInt8Type).into()),
        ArrowType::UInt16 => integer(raw!(UInt16Type).into()),
        ArrowType::UInt32 => integer(raw!(UInt32Type).into()),
        ArrowType::UInt64 => integer(i64::try_from(raw!(UInt64Type)).unwrap_or(i64::MAX)),
        ArrowType::Date32 => Some(Value::Date(raw!(Date32Type))),
        ArrowType::Date64 => Some(instant(raw!(Date64Type).saturating_mul(1_000))),
        ArrowType::Time32(TimeUnit::Second) => {
            Some(Value::Time(i64::from(raw!(Time32SecondType)).saturating_mul(1_000_000)))
        }
        ArrowType::Time32(_) => Some(Value::Time(i64::from(raw!(Time32MillisecondType)).saturating_mul(1_000))),
        ArrowType::Time64(TimeUnit::Nanosecond) => Some(Value::Time(raw!(Time64NanosecondType).div_euclid(1_000))),
        ArrowType::Time64(_) => Some(Value::Time(raw!(Time64MicrosecondType))),
        ArrowType::Timestamp(TimeUnit::Second, _) => Some(instant(raw!(TimestampSecondType).saturating_mul(1_000_000))),
        ArrowType::Timestamp(TimeUnit::Millisecond, _) => {
            Some(instant(raw!(TimestampMillisecondType).saturating_mul(1_000)))
        }
        ArrowType::Timestamp(TimeUnit::Microsecond, _) => Some(instant(raw!(TimestampMicrosecondType))),
        ArrowType::Timestamp(TimeUnit::Nanosecond, _) => Some(instant(raw!(TimestampNanosecondType).div_euclid(1_000))),
        ArrowType::Decimal32(_, scale) => decimal(raw!(Decimal32Type).into(), *scale),
        ArrowType::Decimal64(_, scale) => decimal(raw!(Decimal64Type).into(), *scale),
        ArrowType::Decimal128(_, scale) => decimal(raw!(Decimal128Type), *scale),
        ArrowType::Decimal256(_, scale) => wide_decimal(raw!(Decimal256Type), *scale),
        _ => None,
    }
}

fn decimal(unscaled: i128, scale: i8) -> Option<Value> {
    let decimal = match u8::try_from(scale) {
        Ok(scale) => Decimal { unscaled, scale },
        // A scale below zero stands for trailing zeros.
        Err(_) => {
            let factor = 10_i128.checked_pow(u32::from(scale.unsigned_abs()))?;
            Decimal { unscaled: unscaled.checked_mul(factor)?, scale: 0 }
        }
    };
    Some(Value::Decimal(decimal))
}

/// A decimal of up to 76 digits; digits behind the 38th place are cut off.
fn wide_decimal(unscaled: i256, scale: i8) -> Option<Value> {
    const MAX_SCALE: i8 = 38;
    let surplus = u32::try_from(scale.saturating_sub(MAX_SCALE)).unwrap_or(0);
    let divisor = i256::from_i128(10).checked_pow(surplus)?;
    decimal(unscaled.checked_div(divisor)?.to_i128()?, scale.min(MAX_SCALE))
}

fn display(array: &ArrayRef, index: usize) -> String {
    let options = FormatOptions::default();
    ArrayFormatter::try_new(array.as_ref(), &options)
        .ok()
        .and_then(|formatter| formatter.value(index).try_to_string().ok())
        .unwrap_or_default()
}

/// A value within a list, struct or map, in JSON's own notation.
fn json_at(array: &ArrayRef, index: usize) -> Json {
    if array.is_null(index) {
        return Json::Null;
    }
    match array.data_type() {
        ArrowType::List(field) => json_list(&array.as_list::<i32>().value(index), field),
        ArrowType::LargeList(field) => json_list(&array.as_list::<i64>().value(index), field),
        ArrowType::ListView(field) => json_list(&array.as_list_view::<i32>().value(index), field),
        ArrowType::LargeListView(field) => json_list(&array.as_list_view::<i64>().value(index), field),
        ArrowType::FixedSizeList(field, _) => json_list(&array.as_fixed_size_list().value(index), field),
        ArrowType::Struct(fields) => {
            let columns = array.as_struct().columns();
            fields.iter().zip(columns).map(|(field, column)| (field.name().clone(), json_at(column, index))).collect()
        }
        ArrowType::Map(..) => {
            let entries = array.as_map().value(index);
            let (Some(keys), Some(values)) = (entries.columns().first(), entries.columns().get(1)) else {
                return Json::Null;
            };
            (0..entries.len()).map(|at| (json_text(&json_at(keys, at)), json_at(values, at))).collect()
        }
        ArrowType::Union(..) => {
            array.as_any().downcast_ref::<UnionArray>().map_or(Json::Null, |u| json_of_union(u, index))
        }
        ArrowType::Boolean => Json::Bool(array.as_boolean().value(index)),
        ArrowType::Float16 | ArrowType::Float32 | ArrowType::Float64 => {
            let number = match value_at(array, index, &DataType::Double) {
                Value::Float(x) => f64::from(x),
                Value::Double(x) => x,
                _ => return Json::Null,
            };
            serde_json::Number::from_f64(number).map_or(Json::Null, Json::Number)
        }
        _ => match value_at(array, index, &super::column_type(array.data_type()).unwrap_or(DataType::Text)) {
            Value::Null => Json::Null,
            Value::SmallInt(n) => n.into(),
            Value::Int(n) => n.into(),
            Value::BigInt(n) => n.into(),
            Value::Json(text) => serde_json::from_str(&text).unwrap_or(Json::Null),
            other => other.to_text().into(),
        },
    }
}

fn json_list(elements: &ArrayRef, field: &Field) -> Json {
    let are_documents = super::data_type_of(field) == Ok(DataType::Json) && !field.data_type().is_nested();
    let element = |at| match json_at(elements, at) {
        Json::String(text) if are_documents => serde_json::from_str(&text).unwrap_or(Json::String(text)),
        other => other,
    };
    (0..elements.len()).map(element).collect()
}

fn json_text(json: &Json) -> String {
    json.as_str().map_or_else(|| json.to_string(), str::to_owned)
}

/// What the JSON functions give: one of JSON's kinds, documents within it as their text.
fn json_of_union(union: &UnionArray, index: usize) -> Json {
    let type_id = union.type_id(index);
    let ArrowType::Union(fields, _) = union.data_type() else { return Json::Null };
    let Some((_, field)) = fields.iter().find(|(id, _)| *id == type_id) else { return Json::Null };
    let value = json_at(union.child(type_id), union.value_offset(index));
    match (field.name().as_str(), &value) {
        ("array" | "object", Json::String(text)) => serde_json::from_str(text).unwrap_or(value),
        _ => value,
    }
}
