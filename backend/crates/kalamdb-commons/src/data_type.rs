//! The types a column can have.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Type of a column, as it travels in `schema[].data_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum DataType {
    /// True or false.
    Boolean,
    /// 16-bit integer.
    SmallInt,
    /// 32-bit integer.
    Int,
    /// 64-bit integer; a string of digits on the wire.
    BigInt,
    /// 32-bit floating point.
    Float,
    /// 64-bit floating point.
    Double,
    /// UTF-8 text.
    Text,
    /// Microseconds since the Unix epoch, without a time zone.
    Timestamp,
    /// Microseconds since the Unix epoch, in UTC.
    DateTime,
    /// Days since the Unix epoch.
    Date,
    /// Microseconds since midnight.
    Time,
    /// A JSON document, kept as its text.
    Json,
    /// Bytes; base64 on the wire.
    Bytes,
    /// A UUID; lower case with hyphens on the wire.
    Uuid,
    /// Exact decimal number.
    Decimal {
        /// Digits in all, 1 to 38.
        precision: u8,
        /// Digits behind the point, 0 to `precision`.
        scale: u8,
    },
}

impl fmt::Display for DataType {
    /// The type as SQL writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            DataType::Boolean => "BOOLEAN",
            DataType::SmallInt => "SMALLINT",
            DataType::Int => "INT",
            DataType::BigInt => "BIGINT",
            DataType::Float => "FLOAT",
            DataType::Double => "DOUBLE",
            DataType::Text => "TEXT",
            DataType::Timestamp => "TIMESTAMP",
            DataType::DateTime => "DATETIME",
            DataType::Date => "DATE",
            DataType::Time => "TIME",
            DataType::Json => "JSON",
            DataType::Bytes => "BYTES",
            DataType::Uuid => "UUID",
            DataType::Decimal { precision, scale } => return write!(f, "DECIMAL({precision},{scale})"),
        };
        f.write_str(name)
    }
}
