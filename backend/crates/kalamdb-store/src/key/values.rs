//! Values as bytes whose order is the order of the values.
//!
//! Each value is a tag for its type and then bytes that never begin those of another value of the
//! type, so lists of values compare one by one. `NULL` comes first; values of different types
//! compare by type, as [`Value`]'s own order has it. Tags are stored: a number is never used again.

use kalamdb_commons::Value;
use kalamdb_commons::value::Decimal;

/// Why bytes are not a list of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// They end too early.
    #[error("the key ends too early")]
    Truncated,
    /// They hold something that no value becomes.
    #[error("the key holds a part that no value becomes")]
    Malformed,
}

const NULL: u8 = 0x00;
const BOOL: u8 = 0x01;
const SMALL_INT: u8 = 0x02;
const INT: u8 = 0x03;
const BIG_INT: u8 = 0x04;
const FLOAT: u8 = 0x05;
const DOUBLE: u8 = 0x06;
const DECIMAL: u8 = 0x07;
const TEXT: u8 = 0x08;
const TIMESTAMP: u8 = 0x09;
const DATE_TIME: u8 = 0x0a;
const DATE: u8 = 0x0b;
const TIME: u8 = 0x0c;
const JSON: u8 = 0x0d;
const BYTES: u8 = 0x0e;
const UUID: u8 = 0x0f;

const DECIMAL_NEGATIVE: u8 = 0x00;
const DECIMAL_ZERO: u8 = 0x01;
const DECIMAL_POSITIVE: u8 = 0x02;

/// Values as bytes that sort like the list of the values.
#[must_use]
pub fn encode_values<'a>(values: impl IntoIterator<Item = &'a Value>) -> Vec<u8> {
    let mut out = Vec::with_capacity(16);
    for value in values {
        encode_value(&mut out, value);
    }
    out
}

/// The values that [`encode_values`] made these bytes of; decimals without their trailing zeros.
///
/// # Errors
/// [`KeyError`] when they were not made by it.
pub fn decode_values(mut bytes: &[u8]) -> Result<Vec<Value>, KeyError> {
    let mut values = Vec::new();
    while !bytes.is_empty() {
        values.push(decode_value(&mut bytes)?);
    }
    Ok(values)
}

/// Adds bytes of any content and length so that they end themselves: shorter sorts first, and
/// none begins another.
pub(super) fn encode_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.reserve(bytes.len().saturating_add(2));
    for &byte in bytes {
        out.push(byte);
        if byte == 0 {
            out.push(0xff);
        }
    }
    out.extend_from_slice(&[0, 0]);
}

/// Takes what [`encode_bytes`] added.
pub(super) fn decode_bytes(bytes: &mut &[u8]) -> Result<Vec<u8>, KeyError> {
    let mut out = Vec::new();
    loop {
        match take::<1>(bytes)? {
            [0] => match take::<1>(bytes)? {
                [0] => return Ok(out),
                [0xff] => out.push(0),
                _ => return Err(KeyError::Malformed),
            },
            [byte] => out.push(byte),
        }
    }
}

/// Takes a fixed number of bytes.
pub(super) fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], KeyError> {
    let (head, rest) = bytes.split_first_chunk::<N>().ok_or(KeyError::Truncated)?;
    *bytes = rest;
    Ok(*head)
}

fn encode_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => out.push(NULL),
        Value::Bool(b) => out.extend_from_slice(&[BOOL, u8::from(*b)]),
        Value::SmallInt(n) => {
            out.push(SMALL_INT);
            out.extend_from_slice(&(n.cast_unsigned() ^ (1 << 15)).to_be_bytes());
        }
        Value::Int(n) => encode_i32(out, INT, *n),
        Value::BigInt(n) => encode_i64(out, BIG_INT, *n),
        Value::Float(x) => {
            let bits = x.to_bits();
            let ordered = if bits >> 31 == 1 { !bits } else { bits ^ (1 << 31) };
            out.push(FLOAT);
            out.extend_from_slice(&ordered.to_be_bytes());
        }
        Value::Double(x) => {
            let bits = x.to_bits();
            let ordered = if bits >> 63 == 1 { !bits } else { bits ^ (1 << 63) };
            out.push(DOUBLE);
            out.extend_from_slice(&ordered.to_be_bytes());
        }
        Value::Decimal(d) => encode_decimal(out, *d),
        Value::Text(s) => {
            out.push(TEXT);
            encode_bytes(out, s.as_bytes());
        }
        Value::Timestamp(t) => encode_i64(out, TIMESTAMP, *t),
        Value::DateTime(t) => encode_i64(out, DATE_TIME, *t),
        Value::Date(d) => encode_i32(out, DATE, *d),
        Value::Time(t) => encode_i64(out, TIME, *t),
        Value::Json(s) => {
            out.push(JSON);
            encode_bytes(out, s.as_bytes());
        }
        Value::Bytes(b) => {
            out.push(BYTES);
            encode_bytes(out, b);
        }
        Value::Uuid(u) => {
            out.push(UUID);
            out.extend_from_slice(&u.to_be_bytes());
        }
    }
}

fn encode_i32(out: &mut Vec<u8>, tag: u8, n: i32) {
    out.push(tag);
    out.extend_from_slice(&(n.cast_unsigned() ^ (1 << 31)).to_be_bytes());
}

fn encode_i64(out: &mut Vec<u8>, tag: u8, n: i64) {
    out.push(tag);
    out.extend_from_slice(&(n.cast_unsigned() ^ (1 << 63)).to_be_bytes());
}

/// Sign, place of the first digit, digits: equal numbers have equal bytes whatever their scale.
fn encode_decimal(out: &mut Vec<u8>, d: Decimal) {
    out.push(DECIMAL);
    if d.unscaled == 0 {
        out.push(DECIMAL_ZERO);
        return;
    }
    let digits = d.unscaled.unsigned_abs().to_string();
    // At most 39 digits and a scale of at most 255: always within an i16.
    let exponent = i16::try_from(digits.len()).unwrap_or(i16::MAX).saturating_sub(i16::from(d.scale));
    let mut magnitude = (exponent.cast_unsigned() ^ (1 << 15)).to_be_bytes().to_vec();
    // An ASCII digit is never 0, so 0 ends the digits and sorts before any further one.
    magnitude.extend_from_slice(digits.trim_end_matches('0').as_bytes());
    magnitude.push(0);
    if d.unscaled > 0 {
        out.push(DECIMAL_POSITIVE);
        out.extend_from_slice(&magnitude);
    } else {
        out.push(DECIMAL_NEGATIVE);
        out.extend(magnitude.iter().map(|byte| !byte));
    }
}

fn decode_value(bytes: &mut &[u8]) -> Result<Value, KeyError> {
    let [tag] = take::<1>(bytes)?;
    Ok(match tag {
        NULL => Value::Null,
        BOOL => match take::<1>(bytes)? {
            [0] => Value::Bool(false),
            [1] => Value::Bool(true),
            _ => return Err(KeyError::Malformed),
        },
        SMALL_INT => Value::SmallInt((u16::from_be_bytes(take(bytes)?) ^ (1 << 15)).cast_signed()),
        INT => Value::Int(decode_i32(bytes)?),
        BIG_INT => Value::BigInt(decode_i64(bytes)?),
        FLOAT => {
            let ordered = u32::from_be_bytes(take(bytes)?);
            Value::Float(f32::from_bits(if ordered >> 31 == 0 { !ordered } else { ordered ^ (1 << 31) }))
        }
        DOUBLE => {
            let ordered = u64::from_be_bytes(take(bytes)?);
            Value::Double(f64::from_bits(if ordered >> 63 == 0 { !ordered } else { ordered ^ (1 << 63) }))
        }
        DECIMAL => Value::Decimal(decode_decimal(bytes)?),
        TEXT => Value::Text(decode_text(bytes)?.into()),
        TIMESTAMP => Value::Timestamp(decode_i64(bytes)?),
        DATE_TIME => Value::DateTime(decode_i64(bytes)?),
        DATE => Value::Date(decode_i32(bytes)?),
        TIME => Value::Time(decode_i64(bytes)?),
        JSON => Value::Json(decode_text(bytes)?.into()),
        BYTES => Value::Bytes(decode_bytes(bytes)?.into()),
        UUID => Value::Uuid(u128::from_be_bytes(take(bytes)?)),
        _ => return Err(KeyError::Malformed),
    })
}

fn decode_i32(bytes: &mut &[u8]) -> Result<i32, KeyError> {
    Ok((u32::from_be_bytes(take(bytes)?) ^ (1 << 31)).cast_signed())
}

fn decode_i64(bytes: &mut &[u8]) -> Result<i64, KeyError> {
    Ok((u64::from_be_bytes(take(bytes)?) ^ (1 << 63)).cast_signed())
}

fn decode_text(bytes: &mut &[u8]) -> Result<String, KeyError> {
    String::from_utf8(decode_bytes(bytes)?).map_err(|_| KeyError::Malformed)
}

fn decode_decimal(bytes: &mut &[u8]) -> Result<Decimal, KeyError> {
    let flip = match take::<1>(bytes)? {
        [DECIMAL_ZERO] => return Ok(Decimal { unscaled: 0, scale: 0 }),
        [DECIMAL_POSITIVE] => 0x00,
        [DECIMAL_NEGATIVE] => 0xff,
        _ => return Err(KeyError::Malformed),
    };
    let [high, low] = take::<2>(bytes)?;
    let exponent = i32::from((u16::from_be_bytes([high ^ flip, low ^ flip]) ^ (1 << 15)).cast_signed());
    let mut unscaled: i128 = 0;
    let mut digits: i32 = 0;
    loop {
        let [byte] = take::<1>(bytes)?;
        match byte ^ flip {
            0 => break,
            digit @ b'0'..=b'9' => {
                // Counted down from zero, because the most negative number has no positive twin.
                unscaled = unscaled
                    .checked_mul(10)
                    .and_then(|n| n.checked_sub(i128::from(digit.wrapping_sub(b'0'))))
                    .ok_or(KeyError::Malformed)?;
                digits = digits.saturating_add(1);
            }
            _ => return Err(KeyError::Malformed),
        }
    }
    let mut scale = digits.saturating_sub(exponent);
    while scale < 0 {
        unscaled = unscaled.checked_mul(10).ok_or(KeyError::Malformed)?;
        scale = scale.saturating_add(1);
    }
    if flip == 0 {
        unscaled = unscaled.checked_neg().ok_or(KeyError::Malformed)?;
    }
    Ok(Decimal { unscaled, scale: u8::try_from(scale).map_err(|_| KeyError::Malformed)? })
}
