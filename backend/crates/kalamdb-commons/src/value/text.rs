//! Values from the notations people write, and back.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Timelike as _};

use super::{Decimal, MICROS_PER_DAY, Value, ValueError};
use crate::data_type::DataType;

impl Value {
    /// Reads `text` as a value of type `wanted`.
    ///
    /// Times take RFC 3339 and ISO notations, with a space or a `T`; BYTES take base64 or `\x` and
    /// hex digits; JSON must be a valid document and is kept as written.
    ///
    /// # Errors
    /// [`ValueError`] when the text is not in a notation of the type or out of its range.
    pub fn from_text(text: &str, wanted: &DataType) -> Result<Value, ValueError> {
        let malformed = || ValueError::Malformed(*wanted);
        let trimmed = text.trim();
        Ok(match wanted {
            DataType::Text => Value::text(text),
            DataType::Boolean => match trimmed.to_ascii_lowercase().as_str() {
                "true" | "t" | "yes" | "on" | "1" => Value::Bool(true),
                "false" | "f" | "no" | "off" | "0" => Value::Bool(false),
                _ => return Err(malformed()),
            },
            DataType::SmallInt | DataType::Int | DataType::BigInt => match trimmed.parse::<i64>() {
                Ok(n) => return Value::BigInt(n).assign_to(wanted),
                Err(_) => Decimal::parse(trimmed).ok_or_else(malformed)?.assign_to(wanted)?,
            },
            DataType::Float => Value::Float(trimmed.parse().map_err(|_| malformed())?),
            DataType::Double => Value::Double(trimmed.parse().map_err(|_| malformed())?),
            DataType::Decimal { .. } => Decimal::parse(trimmed).ok_or_else(malformed)?.assign_to(wanted)?,
            DataType::Timestamp => Value::Timestamp(micros_from_text(trimmed).ok_or_else(malformed)?),
            DataType::DateTime => Value::DateTime(micros_from_text(trimmed).ok_or_else(malformed)?),
            DataType::Date => Value::Date(days_from_text(trimmed).ok_or_else(malformed)?),
            DataType::Time => Value::Time(time_from_text(trimmed).ok_or_else(malformed)?),
            DataType::Json => {
                serde_json::from_str::<serde::de::IgnoredAny>(text).map_err(|_| malformed())?;
                Value::Json(text.into())
            }
            DataType::Bytes => Value::Bytes(bytes_from_text(trimmed).ok_or_else(malformed)?.into()),
            DataType::Uuid => Value::Uuid(uuid::Uuid::try_parse(trimmed).map_err(|_| malformed())?.as_u128()),
        })
    }

    /// The value in the notation that [`Value::from_text`] reads; empty for `NULL`.
    #[must_use]
    pub fn to_text(&self) -> String {
        match self {
            Value::Null => String::new(),
            Value::Bool(b) => b.to_string(),
            Value::SmallInt(n) => n.to_string(),
            Value::Int(n) => n.to_string(),
            Value::BigInt(n) => n.to_string(),
            Value::Float(x) => x.to_string(),
            Value::Double(x) => x.to_string(),
            Value::Decimal(d) => d.to_string(),
            Value::Text(s) | Value::Json(s) => s.to_string(),
            Value::Timestamp(t) => micros_to_text(*t, ""),
            Value::DateTime(t) => micros_to_text(*t, "Z"),
            Value::Date(d) => date_of(*d).map_or_else(|| d.to_string(), |date| date.to_string()),
            Value::Time(t) => time_of(*t).map_or_else(|| t.to_string(), |time| time.to_string()),
            Value::Bytes(b) => BASE64.encode(b),
            Value::Uuid(u) => uuid::Uuid::from_u128(*u).hyphenated().to_string(),
        }
    }
}

fn micros_from_text(text: &str) -> Option<i64> {
    if let Ok(n) = text.parse::<i64>() {
        return Some(n);
    }
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.timestamp_micros());
    }
    // Years outside 0 to 9999, which RFC 3339 does not have, are written with a sign.
    let unzoned = text.strip_suffix('Z').unwrap_or(text);
    for format in ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"] {
        if let Ok(time) = NaiveDateTime::parse_from_str(unzoned, format) {
            return Some(time.and_utc().timestamp_micros());
        }
    }
    for format in ["%Y-%m-%d %H:%M:%S%.f%:z", "%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f %:z"] {
        if let Ok(time) = DateTime::parse_from_str(text, format) {
            return Some(time.timestamp_micros());
        }
    }
    days_from_text(text).and_then(|days| i64::from(days).checked_mul(MICROS_PER_DAY))
}

fn days_from_text(text: &str) -> Option<i32> {
    if let Ok(n) = text.parse::<i32>() {
        return Some(n);
    }
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    i32::try_from(date.signed_duration_since(NaiveDate::default()).num_days()).ok()
}

fn time_from_text(text: &str) -> Option<i64> {
    if let Ok(n) = text.parse::<i64>() {
        return (0..MICROS_PER_DAY).contains(&n).then_some(n);
    }
    let time = ["%H:%M:%S%.f", "%H:%M"].iter().find_map(|format| NaiveTime::parse_from_str(text, format).ok())?;
    let seconds = i64::from(time.num_seconds_from_midnight());
    seconds.checked_mul(1_000_000)?.checked_add(i64::from(time.nanosecond() / 1_000))
}

fn bytes_from_text(text: &str) -> Option<Vec<u8>> {
    let Some(hex) = text.strip_prefix("\\x") else {
        return BASE64.decode(text).ok();
    };
    if hex.len() % 2 != 0 || !hex.is_ascii() {
        return None;
    }
    hex.as_bytes()
        .chunks(2)
        .map(|pair| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok()))
        .collect()
}

fn micros_to_text(micros: i64, zone: &str) -> String {
    let Some(time) = DateTime::from_timestamp_micros(micros) else {
        return micros.to_string();
    };
    let mut text = time.format("%Y-%m-%dT%H:%M:%S").to_string();
    let fraction = micros.rem_euclid(1_000_000);
    if fraction != 0 {
        let _ = write!(text, ".{fraction:06}");
    }
    text.push_str(zone);
    text
}

fn date_of(days: i32) -> Option<NaiveDate> {
    NaiveDate::default().checked_add_signed(chrono::TimeDelta::try_days(i64::from(days))?)
}

fn time_of(micros: i64) -> Option<NaiveTime> {
    let seconds = u32::try_from(micros.div_euclid(1_000_000)).ok()?;
    let nanos = u32::try_from(micros.rem_euclid(1_000_000)).ok()?.checked_mul(1_000)?;
    NaiveTime::from_num_seconds_from_midnight_opt(seconds, nanos)
}
