//! Values as JSON cells, the way they travel on every wire.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::ser::{Serialize, Serializer};

use super::{Decimal, Value, ValueError};
use crate::data_type::DataType;

impl Serialize for Value {
    /// Writes the cell: BIGINT and DECIMAL as strings, times as numbers, JSON as its text.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(b) => serializer.serialize_bool(*b),
            Value::SmallInt(n) => serializer.serialize_i16(*n),
            Value::Int(n) | Value::Date(n) => serializer.serialize_i32(*n),
            Value::BigInt(n) => serializer.collect_str(n),
            Value::Float(x) if x.is_finite() => serializer.serialize_f32(*x),
            Value::Double(x) if x.is_finite() => serializer.serialize_f64(*x),
            Value::Float(_) | Value::Double(_) => serializer.serialize_unit(),
            Value::Decimal(d) => serializer.collect_str(d),
            Value::Text(s) | Value::Json(s) => serializer.serialize_str(s),
            Value::Timestamp(n) | Value::DateTime(n) | Value::Time(n) => serializer.serialize_i64(*n),
            Value::Bytes(b) => serializer.serialize_str(&BASE64.encode(b)),
            Value::Uuid(u) => serializer.collect_str(&uuid::Uuid::from_u128(*u).hyphenated()),
        }
    }
}

impl Value {
    /// Appends the cell as JSON text.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        // Writing a cell into memory fails only for types JSON cannot hold, and there are none here.
        if serde_json::to_writer(&mut *out, self).is_err() {
            out.extend_from_slice(b"null");
        }
    }

    /// Reads a JSON cell or parameter as a value of type `wanted`, leniently where it is safe.
    ///
    /// # Errors
    /// [`ValueError`] when the JSON does not stand for a value of the type.
    pub fn from_json(json: &serde_json::Value, wanted: &DataType) -> Result<Value, ValueError> {
        if matches!(wanted, DataType::Json) && !json.is_null() {
            // A string is the document's text if it reads as one, else a document of its own.
            return Ok(match json.as_str() {
                Some(text) if serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() => Value::Json(text.into()),
                _ => Value::Json(json.to_string().into()),
            });
        }
        Value::from_json_untyped(json).assign_to(wanted)
    }

    /// Reads a JSON parameter as the value it most naturally stands for: whole numbers as BIGINT,
    /// other numbers as DOUBLE, strings as TEXT, arrays and objects as JSON.
    #[must_use]
    pub fn from_json_untyped(json: &serde_json::Value) -> Value {
        match json {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(b) => Value::Bool(*b),
            serde_json::Value::Number(n) => match (n.as_i64(), n.as_u64(), n.as_f64()) {
                (Some(n), _, _) => Value::BigInt(n),
                (None, Some(n), _) => Value::Decimal(Decimal { unscaled: i128::from(n), scale: 0 }),
                (None, None, Some(x)) => Value::Double(x),
                (None, None, None) => Value::Null,
            },
            serde_json::Value::String(s) => Value::text(s.as_str()),
            serde_json::Value::Array(_) | serde_json::Value::Object(_) => Value::Json(json.to_string().into()),
        }
    }
}
