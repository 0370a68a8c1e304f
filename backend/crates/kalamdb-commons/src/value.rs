//! A value as users see it: one cell of a row.
//!
//! Values are equal and hash alike by their bits, so that they can key a map: a NaN equals
//! itself here and `NULL` equals `NULL`. SQL's three-valued comparison is the business of
//! whoever evaluates SQL.

mod decimal;
mod json;
mod text;

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

pub use decimal::Decimal;

use crate::data_type::DataType;

/// One cell.
#[derive(Debug, Clone)]
pub enum Value {
    /// No value.
    Null,
    /// BOOLEAN.
    Bool(bool),
    /// SMALLINT.
    SmallInt(i16),
    /// INT.
    Int(i32),
    /// BIGINT.
    BigInt(i64),
    /// FLOAT.
    Float(f32),
    /// DOUBLE.
    Double(f64),
    /// DECIMAL.
    Decimal(Decimal),
    /// TEXT.
    Text(Arc<str>),
    /// TIMESTAMP: microseconds since the Unix epoch.
    Timestamp(i64),
    /// DATETIME: microseconds since the Unix epoch, UTC.
    DateTime(i64),
    /// DATE: days since the Unix epoch.
    Date(i32),
    /// TIME: microseconds since midnight.
    Time(i64),
    /// JSON: the document's text.
    Json(Arc<str>),
    /// BYTES.
    Bytes(Arc<[u8]>),
    /// UUID, most significant byte first.
    Uuid(u128),
}

/// Why a value cannot become one of the wanted type. The value itself is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// The input is of a kind that the type does not take.
    #[error("expected {expected}, got {got}")]
    Mismatch {
        /// The wanted type.
        expected: DataType,
        /// The kind of input that came.
        got: &'static str,
    },
    /// The text does not read as the type.
    #[error("the text is not a valid {0}")]
    Malformed(DataType),
    /// The number does not fit the type.
    #[error("the value is out of range for {0}")]
    OutOfRange(DataType),
}

impl Value {
    /// Is this `NULL`?
    #[must_use]
    pub const fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// A text value.
    #[must_use]
    pub fn text(text: impl Into<Arc<str>>) -> Self {
        Value::Text(text.into())
    }

    /// The type of the value; `None` for `NULL`, which is of every type.
    #[must_use]
    pub fn data_type(&self) -> Option<DataType> {
        Some(match self {
            Value::Null => return None,
            Value::Bool(_) => DataType::Boolean,
            Value::SmallInt(_) => DataType::SmallInt,
            Value::Int(_) => DataType::Int,
            Value::BigInt(_) => DataType::BigInt,
            Value::Float(_) => DataType::Float,
            Value::Double(_) => DataType::Double,
            Value::Decimal(d) => DataType::Decimal { precision: Decimal::MAX_PRECISION, scale: d.scale },
            Value::Text(_) => DataType::Text,
            Value::Timestamp(_) => DataType::Timestamp,
            Value::DateTime(_) => DataType::DateTime,
            Value::Date(_) => DataType::Date,
            Value::Time(_) => DataType::Time,
            Value::Json(_) => DataType::Json,
            Value::Bytes(_) => DataType::Bytes,
            Value::Uuid(_) => DataType::Uuid,
        })
    }

    /// Memory held by the value, in bytes, roughly.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        let heap = match self {
            Value::Text(s) | Value::Json(s) => s.len(),
            Value::Bytes(b) => b.len(),
            _ => 0,
        };
        heap.saturating_add(size_of::<Value>())
    }

    /// What kind of value this is, for an error message.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Null => "NULL",
            Value::Bool(_) => "a boolean",
            Value::SmallInt(_) | Value::Int(_) | Value::BigInt(_) => "an integer",
            Value::Float(_) | Value::Double(_) | Value::Decimal(_) => "a number",
            Value::Text(_) => "a text",
            Value::Timestamp(_) | Value::DateTime(_) => "a point in time",
            Value::Date(_) => "a date",
            Value::Time(_) => "a time of day",
            Value::Json(_) => "a JSON document",
            Value::Bytes(_) => "bytes",
            Value::Uuid(_) => "a UUID",
        }
    }

    /// The value as one of `wanted`, as an assignment to a column converts it.
    ///
    /// Widening is free; narrowing fails when it would lose the integer part of a number.
    /// Text becomes any type whose notation it is in. `NULL` stays `NULL`.
    ///
    /// # Errors
    /// [`ValueError`] when there is no such value of the type.
    pub fn assign_to(&self, wanted: &DataType) -> Result<Value, ValueError> {
        let mismatch = || ValueError::Mismatch { expected: *wanted, got: self.kind() };
        Ok(match (self, wanted) {
            (Value::Null, _) => Value::Null,
            (Value::Text(s), DataType::Text) => Value::Text(s.clone()),
            (Value::Json(s), DataType::Text) => Value::Text(s.clone()),
            (Value::Text(s) | Value::Json(s), _) => return Value::from_text(s, wanted),
            (Value::SmallInt(n), _) => return Value::from_i64(i64::from(*n), wanted),
            (Value::Int(n), _) => return Value::from_i64(i64::from(*n), wanted),
            (Value::BigInt(n), _) => return Value::from_i64(*n, wanted),
            (Value::Float(x), DataType::Float) => Value::Float(*x),
            (Value::Float(x), _) => return Value::from_f64(f64::from(*x), wanted),
            (Value::Double(x), _) => return Value::from_f64(*x, wanted),
            (Value::Decimal(d), _) => return d.assign_to(wanted),
            (Value::Bool(b), DataType::Boolean) => Value::Bool(*b),
            (Value::Bool(b), DataType::Json) => Value::Json(if *b { "true" } else { "false" }.into()),
            (Value::Timestamp(t) | Value::DateTime(t), DataType::Timestamp) => Value::Timestamp(*t),
            (Value::Timestamp(t) | Value::DateTime(t), DataType::DateTime) => Value::DateTime(*t),
            (Value::Timestamp(t) | Value::DateTime(t), DataType::Date) => {
                Value::Date(i32::try_from(t.div_euclid(MICROS_PER_DAY)).map_err(|_| ValueError::OutOfRange(*wanted))?)
            }
            (Value::Timestamp(t) | Value::DateTime(t), DataType::Time) => Value::Time(t.rem_euclid(MICROS_PER_DAY)),
            (Value::Date(d), DataType::Date) => Value::Date(*d),
            (Value::Date(d), DataType::Timestamp) => Value::Timestamp(i64::from(*d).saturating_mul(MICROS_PER_DAY)),
            (Value::Date(d), DataType::DateTime) => Value::DateTime(i64::from(*d).saturating_mul(MICROS_PER_DAY)),
            (Value::Time(t), DataType::Time) => Value::Time(*t),
            (Value::Bytes(b), DataType::Bytes) => Value::Bytes(b.clone()),
            (Value::Uuid(u), DataType::Uuid) => Value::Uuid(*u),
            (_, DataType::Text) => Value::text(self.to_text()),
            _ => return Err(mismatch()),
        })
    }

    fn from_i64(n: i64, wanted: &DataType) -> Result<Value, ValueError> {
        let out_of_range = || ValueError::OutOfRange(*wanted);
        Ok(match wanted {
            DataType::SmallInt => Value::SmallInt(i16::try_from(n).map_err(|_| out_of_range())?),
            DataType::Int => Value::Int(i32::try_from(n).map_err(|_| out_of_range())?),
            DataType::BigInt => Value::BigInt(n),
            DataType::Float => Value::Float(n as f32),
            DataType::Double => Value::Double(n as f64),
            DataType::Decimal { .. } => return Decimal { unscaled: i128::from(n), scale: 0 }.assign_to(wanted),
            DataType::Timestamp => Value::Timestamp(n),
            DataType::DateTime => Value::DateTime(n),
            DataType::Date => Value::Date(i32::try_from(n).map_err(|_| out_of_range())?),
            DataType::Time if (0..MICROS_PER_DAY).contains(&n) => Value::Time(n),
            DataType::Time => return Err(out_of_range()),
            DataType::Text => Value::text(n.to_string()),
            DataType::Json => Value::Json(n.to_string().into()),
            DataType::Boolean | DataType::Bytes | DataType::Uuid => {
                return Err(ValueError::Mismatch { expected: *wanted, got: "an integer" });
            }
        })
    }

    fn from_f64(x: f64, wanted: &DataType) -> Result<Value, ValueError> {
        let out_of_range = || ValueError::OutOfRange(*wanted);
        let mismatch = || ValueError::Mismatch { expected: *wanted, got: "a number" };
        Ok(match wanted {
            DataType::Double => Value::Double(x),
            DataType::Float => Value::Float(x as f32),
            DataType::Decimal { .. } => Decimal::parse(&format!("{x}")).ok_or_else(out_of_range)?.assign_to(wanted)?,
            DataType::SmallInt
            | DataType::Int
            | DataType::BigInt
            | DataType::Timestamp
            | DataType::DateTime
            | DataType::Date
            | DataType::Time => {
                let rounded = x.round();
                // 2^63 is the first double beyond the range; the cast below it is exact.
                if !(-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&rounded) {
                    return Err(out_of_range());
                }
                return Value::from_i64(rounded as i64, wanted);
            }
            DataType::Text => Value::text(Value::Double(x).to_text()),
            DataType::Json if x.is_finite() => Value::Json(Value::Double(x).to_text().into()),
            DataType::Json => return Err(out_of_range()),
            DataType::Boolean | DataType::Bytes | DataType::Uuid => return Err(mismatch()),
        })
    }

    /// Rank of the variant, so that values of different types have an order too.
    fn rank(&self) -> u8 {
        match self {
            Value::Null => 0,
            Value::Bool(_) => 1,
            Value::SmallInt(_) => 2,
            Value::Int(_) => 3,
            Value::BigInt(_) => 4,
            Value::Float(_) => 5,
            Value::Double(_) => 6,
            Value::Decimal(_) => 7,
            Value::Text(_) => 8,
            Value::Timestamp(_) => 9,
            Value::DateTime(_) => 10,
            Value::Date(_) => 11,
            Value::Time(_) => 12,
            Value::Json(_) => 13,
            Value::Bytes(_) => 14,
            Value::Uuid(_) => 15,
        }
    }
}

/// Microseconds in a day.
pub const MICROS_PER_DAY: i64 = 86_400_000_000;

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Value {}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Value {
    /// Total order: `NULL` first, then by type, then by value (floats by `total_cmp`).
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
            (Value::SmallInt(a), Value::SmallInt(b)) => a.cmp(b),
            (Value::Int(a), Value::Int(b)) | (Value::Date(a), Value::Date(b)) => a.cmp(b),
            (Value::BigInt(a), Value::BigInt(b))
            | (Value::Timestamp(a), Value::Timestamp(b))
            | (Value::DateTime(a), Value::DateTime(b))
            | (Value::Time(a), Value::Time(b)) => a.cmp(b),
            (Value::Float(a), Value::Float(b)) => a.total_cmp(b),
            (Value::Double(a), Value::Double(b)) => a.total_cmp(b),
            (Value::Decimal(a), Value::Decimal(b)) => a.cmp(b),
            (Value::Text(a), Value::Text(b)) | (Value::Json(a), Value::Json(b)) => a.cmp(b),
            (Value::Bytes(a), Value::Bytes(b)) => a.cmp(b),
            (Value::Uuid(a), Value::Uuid(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.rank().hash(state);
        match self {
            Value::Null => {}
            Value::Bool(b) => b.hash(state),
            Value::SmallInt(n) => n.hash(state),
            Value::Int(n) | Value::Date(n) => n.hash(state),
            Value::BigInt(n) | Value::Timestamp(n) | Value::DateTime(n) | Value::Time(n) => n.hash(state),
            Value::Float(x) => x.to_bits().hash(state),
            Value::Double(x) => x.to_bits().hash(state),
            Value::Decimal(d) => d.hash(state),
            Value::Text(s) | Value::Json(s) => s.hash(state),
            Value::Bytes(b) => b.hash(state),
            Value::Uuid(u) => u.hash(state),
        }
    }
}

#[cfg(test)]
mod tests;
