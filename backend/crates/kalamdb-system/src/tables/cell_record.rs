//! A value in stored bytes, exact to the bit: what old rows hold in a column added later.

use kalamdb_commons::Value;
use kalamdb_commons::value::Decimal;
use serde::{Deserialize, Serialize};

/// A stored value. Numbers that JSON cannot hold exactly travel as bits or digits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum CellRecord {
    Null,
    Bool(bool),
    SmallInt(i16),
    Int(i32),
    BigInt(i64),
    FloatBits(u32),
    DoubleBits(u64),
    Decimal { digits: String, scale: u8 },
    Text(String),
    Timestamp(i64),
    DateTime(i64),
    Date(i32),
    Time(i64),
    Json(String),
    Bytes(Vec<u8>),
    Uuid(String),
}

impl CellRecord {
    pub(super) fn of(value: &Value) -> Self {
        match value {
            Value::Null => CellRecord::Null,
            Value::Bool(b) => CellRecord::Bool(*b),
            Value::SmallInt(n) => CellRecord::SmallInt(*n),
            Value::Int(n) => CellRecord::Int(*n),
            Value::BigInt(n) => CellRecord::BigInt(*n),
            Value::Float(x) => CellRecord::FloatBits(x.to_bits()),
            Value::Double(x) => CellRecord::DoubleBits(x.to_bits()),
            Value::Decimal(d) => CellRecord::Decimal { digits: d.unscaled.to_string(), scale: d.scale },
            Value::Text(s) => CellRecord::Text(s.to_string()),
            Value::Timestamp(n) => CellRecord::Timestamp(*n),
            Value::DateTime(n) => CellRecord::DateTime(*n),
            Value::Date(n) => CellRecord::Date(*n),
            Value::Time(n) => CellRecord::Time(*n),
            Value::Json(s) => CellRecord::Json(s.to_string()),
            Value::Bytes(b) => CellRecord::Bytes(b.to_vec()),
            Value::Uuid(u) => CellRecord::Uuid(format!("{u:032x}")),
        }
    }

    /// The value; `None` if the record's digits are none.
    pub(super) fn into_value(self) -> Option<Value> {
        Some(match self {
            CellRecord::Null => Value::Null,
            CellRecord::Bool(b) => Value::Bool(b),
            CellRecord::SmallInt(n) => Value::SmallInt(n),
            CellRecord::Int(n) => Value::Int(n),
            CellRecord::BigInt(n) => Value::BigInt(n),
            CellRecord::FloatBits(bits) => Value::Float(f32::from_bits(bits)),
            CellRecord::DoubleBits(bits) => Value::Double(f64::from_bits(bits)),
            CellRecord::Decimal { digits, scale } => Value::Decimal(Decimal { unscaled: digits.parse().ok()?, scale }),
            CellRecord::Text(s) => Value::text(s),
            CellRecord::Timestamp(n) => Value::Timestamp(n),
            CellRecord::DateTime(n) => Value::DateTime(n),
            CellRecord::Date(n) => Value::Date(n),
            CellRecord::Time(n) => Value::Time(n),
            CellRecord::Json(s) => Value::Json(s.into()),
            CellRecord::Bytes(b) => Value::Bytes(b.into()),
            CellRecord::Uuid(u) => Value::Uuid(u128::from_str_radix(&u, 16).ok()?),
        })
    }
}
