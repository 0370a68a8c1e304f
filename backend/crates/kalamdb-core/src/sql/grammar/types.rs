//! SQL type names to the types a column can have.

use datafusion::sql::sqlparser::ast::{DataType as SqlType, ExactNumberInfo, ObjectName, TimezoneInfo};
use kalamdb_commons::DataType;
use kalamdb_commons::value::Decimal;

use crate::error::SqlError;

/// Scale of a DECIMAL that was given neither precision nor scale.
const DEFAULT_SCALE: u8 = 10;

/// The column type that a SQL type name means.
///
/// Lengths, as in `VARCHAR(80)`, are read and not kept: every text is bounded by the row's size.
///
/// # Errors
/// `UNSUPPORTED` naming the type, `INVALID_SQL` for a precision out of range.
pub(crate) fn data_type(sql_type: &SqlType) -> Result<DataType, SqlError> {
    Ok(match sql_type {
        SqlType::Boolean | SqlType::Bool => DataType::Boolean,
        SqlType::TinyInt(_) | SqlType::SmallInt(_) | SqlType::Int2(_) | SqlType::Int16 => DataType::SmallInt,
        SqlType::MediumInt(_) | SqlType::Int(_) | SqlType::Int4(_) | SqlType::Integer(_) | SqlType::Int32 => {
            DataType::Int
        }
        SqlType::BigInt(_) | SqlType::Int8(_) | SqlType::Int64 => DataType::BigInt,
        SqlType::Real | SqlType::Float4 | SqlType::Float32 => DataType::Float,
        SqlType::Float(precision) => float(precision),
        SqlType::Double(_) | SqlType::DoublePrecision | SqlType::Float8 | SqlType::Float64 => DataType::Double,
        SqlType::Numeric(size) | SqlType::Decimal(size) | SqlType::Dec(size) => decimal(size)?,
        SqlType::Character(_)
        | SqlType::Char(_)
        | SqlType::CharacterVarying(_)
        | SqlType::CharVarying(_)
        | SqlType::Varchar(_)
        | SqlType::Nvarchar(_)
        | SqlType::CharacterLargeObject(_)
        | SqlType::CharLargeObject(_)
        | SqlType::Clob(_)
        | SqlType::Text
        | SqlType::TinyText
        | SqlType::MediumText
        | SqlType::LongText
        | SqlType::String(_) => DataType::Text,
        SqlType::Timestamp(_, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) | SqlType::TimestampNtz(_) => {
            DataType::Timestamp
        }
        SqlType::Timestamp(_, TimezoneInfo::WithTimeZone | TimezoneInfo::Tz) | SqlType::Datetime(_) => {
            DataType::DateTime
        }
        SqlType::Date | SqlType::Date32 => DataType::Date,
        SqlType::Time(_, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => DataType::Time,
        SqlType::JSON | SqlType::JSONB => DataType::Json,
        SqlType::Bytes(_)
        | SqlType::Bytea
        | SqlType::Binary(_)
        | SqlType::Varbinary(_)
        | SqlType::Blob(_)
        | SqlType::TinyBlob
        | SqlType::MediumBlob
        | SqlType::LongBlob => DataType::Bytes,
        SqlType::Uuid => DataType::Uuid,
        SqlType::Custom(name, _) => return custom(name),
        other => return Err(unsupported(&other.to_string())),
    })
}

/// Types that the parser knows only as a name.
fn custom(name: &ObjectName) -> Result<DataType, SqlError> {
    let name = name.to_string();
    match name.to_ascii_uppercase().as_str() {
        "STRING" => Ok(DataType::Text),
        "DATETIME" | "TIMESTAMPTZ" => Ok(DataType::DateTime),
        "BYTES" | "BLOB" | "BINARY" | "VARBINARY" => Ok(DataType::Bytes),
        "DOUBLE" => Ok(DataType::Double),
        "JSONB" => Ok(DataType::Json),
        "INT16" => Ok(DataType::SmallInt),
        "INT32" => Ok(DataType::Int),
        "INT64" | "LONG" => Ok(DataType::BigInt),
        "SERIAL" | "BIGSERIAL" | "SMALLSERIAL" => Err(SqlError::unsupported(format!(
            "type {} is not supported; use BIGINT DEFAULT SNOWFLAKE_ID()",
            name.to_ascii_uppercase()
        ))),
        _ => Err(unsupported(&name)),
    }
}

fn unsupported(name: &str) -> SqlError {
    SqlError::unsupported(format!("type {} is not supported", name.chars().take(64).collect::<String>()))
}

/// `FLOAT` alone is our FLOAT; with a precision it is the type that holds so many bits.
fn float(precision: &ExactNumberInfo) -> DataType {
    match precision {
        ExactNumberInfo::None => DataType::Float,
        ExactNumberInfo::Precision(bits) | ExactNumberInfo::PrecisionAndScale(bits, _) if *bits <= 24 => {
            DataType::Float
        }
        ExactNumberInfo::Precision(_) | ExactNumberInfo::PrecisionAndScale(..) => DataType::Double,
    }
}

fn decimal(size: &ExactNumberInfo) -> Result<DataType, SqlError> {
    let (precision, scale) = match size {
        ExactNumberInfo::None => (Some(Decimal::MAX_PRECISION), Some(DEFAULT_SCALE)),
        ExactNumberInfo::Precision(precision) => (u8::try_from(*precision).ok(), Some(0)),
        ExactNumberInfo::PrecisionAndScale(precision, scale) => {
            (u8::try_from(*precision).ok(), u8::try_from(*scale).ok())
        }
    };
    match (precision, scale) {
        (Some(precision @ 1..=Decimal::MAX_PRECISION), Some(scale)) if scale <= precision => {
            Ok(DataType::Decimal { precision, scale })
        }
        _ => Err(SqlError::invalid("DECIMAL takes a precision from 1 to 38 and a scale from 0 to the precision")),
    }
}
