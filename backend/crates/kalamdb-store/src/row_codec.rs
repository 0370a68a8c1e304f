//! Rows as stored bytes: a count, then each value as a tag and its bytes.
//!
//! The bytes need no schema to be read, and a row written before a column was added stays as it
//! is. Tags are stored: a number is never used again, not even for a type that is gone. Reading
//! never panics, whatever the bytes; how values become *keys* is in `key`.

use std::sync::Arc;

use kalamdb_commons::value::Decimal;
use kalamdb_commons::{Row, SeqId, Value};

use crate::error::ReadError;

const NULL: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
const SMALL_INT: u8 = 3;
const INT: u8 = 4;
const BIG_INT: u8 = 5;
const FLOAT: u8 = 6;
const DOUBLE: u8 = 7;
const DECIMAL: u8 = 8;
const TEXT: u8 = 9;
const TIMESTAMP: u8 = 10;
const DATE_TIME: u8 = 11;
const DATE: u8 = 12;
const TIME: u8 = 13;
const JSON: u8 = 14;
const BYTES: u8 = 15;
const UUID: u8 = 16;

/// Adds a row.
pub(crate) fn encode_row(out: &mut Vec<u8>, row: &Row) {
    encode_length(out, row.len());
    for value in row.iter() {
        encode_value(out, value);
    }
}

/// A row as it stands under its key: the change that wrote it, and its values.
pub(crate) fn encode_stored(out: &mut Vec<u8>, seq: SeqId, row: &Row) {
    out.extend_from_slice(&seq.0.to_be_bytes());
    encode_row(out, row);
}

/// Reads what [`encode_stored`] wrote.
pub(crate) fn decode_stored(bytes: &[u8]) -> Result<(SeqId, Row), ReadError> {
    let mut reader = Reader::new(bytes, "row");
    let seq = reader.seq()?;
    let row = reader.row()?;
    reader.end()?;
    Ok((seq, row))
}

/// Reads only which change wrote a stored row.
pub(crate) fn decode_stored_seq(bytes: &[u8]) -> Result<SeqId, ReadError> {
    Reader::new(bytes, "row").seq()
}

/// Adds a length, small ones in one byte.
pub(crate) fn encode_length(out: &mut Vec<u8>, length: usize) {
    let mut rest = length;
    while rest >= 0x80 {
        // Seven bits at a time, the top bit says that more follow.
        out.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.push((rest & 0x7f) as u8);
}

fn encode_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => out.push(NULL),
        Value::Bool(false) => out.push(FALSE),
        Value::Bool(true) => out.push(TRUE),
        Value::SmallInt(n) => encode_fixed(out, SMALL_INT, n.to_le_bytes()),
        Value::Int(n) => encode_fixed(out, INT, n.to_le_bytes()),
        Value::BigInt(n) => encode_fixed(out, BIG_INT, n.to_le_bytes()),
        Value::Float(x) => encode_fixed(out, FLOAT, x.to_bits().to_le_bytes()),
        Value::Double(x) => encode_fixed(out, DOUBLE, x.to_bits().to_le_bytes()),
        Value::Decimal(d) => {
            encode_fixed(out, DECIMAL, [d.scale]);
            out.extend_from_slice(&d.unscaled.to_le_bytes());
        }
        Value::Text(s) => encode_sized(out, TEXT, s.as_bytes()),
        Value::Timestamp(t) => encode_fixed(out, TIMESTAMP, t.to_le_bytes()),
        Value::DateTime(t) => encode_fixed(out, DATE_TIME, t.to_le_bytes()),
        Value::Date(d) => encode_fixed(out, DATE, d.to_le_bytes()),
        Value::Time(t) => encode_fixed(out, TIME, t.to_le_bytes()),
        Value::Json(s) => encode_sized(out, JSON, s.as_bytes()),
        Value::Bytes(b) => encode_sized(out, BYTES, b),
        Value::Uuid(u) => encode_fixed(out, UUID, u.to_le_bytes()),
    }
}

fn encode_fixed<const N: usize>(out: &mut Vec<u8>, tag: u8, bytes: [u8; N]) {
    out.push(tag);
    out.extend_from_slice(&bytes);
}

fn encode_sized(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    out.push(tag);
    encode_length(out, bytes.len());
    out.extend_from_slice(bytes);
}

/// Takes stored bytes apart; every step says so when they are too short or make no sense.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    what: &'static str,
}

impl<'a> Reader<'a> {
    /// Reads `bytes`; `what` names them in errors.
    pub(crate) const fn new(bytes: &'a [u8], what: &'static str) -> Self {
        Reader { rest: bytes, what }
    }

    /// There must be nothing left.
    pub(crate) const fn end(&self) -> Result<(), ReadError> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.damaged("it is longer than its parts")) }
    }

    /// Everything that is left.
    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn byte(&mut self) -> Result<u8, ReadError> {
        let [byte] = self.fixed::<1>()?;
        Ok(byte)
    }

    pub(crate) fn seq(&mut self) -> Result<SeqId, ReadError> {
        Ok(SeqId(u64::from_be_bytes(self.fixed()?)))
    }

    pub(crate) fn sized(&mut self) -> Result<&'a [u8], ReadError> {
        let length = self.length()?;
        let (head, rest) = self.rest.split_at_checked(length).ok_or(self.damaged("it ends too early"))?;
        self.rest = rest;
        Ok(head)
    }

    pub(crate) fn row(&mut self) -> Result<Row, ReadError> {
        let count = self.length()?;
        // Every value takes at least a byte: a torn count cannot ask for much memory.
        if count > self.rest.len() {
            return Err(self.damaged("it ends too early"));
        }
        let mut values = Vec::with_capacity(count);
        for _ in 0..count {
            values.push(self.value()?);
        }
        Ok(Row::new(values))
    }

    pub(crate) const fn damaged(&self, reason: &'static str) -> ReadError {
        ReadError::Corrupt { what: self.what, reason }
    }

    pub(crate) fn fixed<const N: usize>(&mut self) -> Result<[u8; N], ReadError> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(self.damaged("it ends too early"))?;
        self.rest = rest;
        Ok(*head)
    }

    fn length(&mut self) -> Result<usize, ReadError> {
        let mut length: u64 = 0;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.byte()?;
            length |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return usize::try_from(length).map_err(|_| self.damaged("a length is out of range"));
            }
        }
        Err(self.damaged("a length is out of range"))
    }

    fn text(&mut self) -> Result<Arc<str>, ReadError> {
        let bytes = self.sized()?;
        std::str::from_utf8(bytes).map(Arc::from).map_err(|_| self.damaged("a text is not UTF-8"))
    }

    fn value(&mut self) -> Result<Value, ReadError> {
        Ok(match self.byte()? {
            NULL => Value::Null,
            FALSE => Value::Bool(false),
            TRUE => Value::Bool(true),
            SMALL_INT => Value::SmallInt(i16::from_le_bytes(self.fixed()?)),
            INT => Value::Int(i32::from_le_bytes(self.fixed()?)),
            BIG_INT => Value::BigInt(i64::from_le_bytes(self.fixed()?)),
            FLOAT => Value::Float(f32::from_bits(u32::from_le_bytes(self.fixed()?))),
            DOUBLE => Value::Double(f64::from_bits(u64::from_le_bytes(self.fixed()?))),
            DECIMAL => {
                let [scale] = self.fixed::<1>()?;
                Value::Decimal(Decimal { unscaled: i128::from_le_bytes(self.fixed()?), scale })
            }
            TEXT => Value::Text(self.text()?),
            TIMESTAMP => Value::Timestamp(i64::from_le_bytes(self.fixed()?)),
            DATE_TIME => Value::DateTime(i64::from_le_bytes(self.fixed()?)),
            DATE => Value::Date(i32::from_le_bytes(self.fixed()?)),
            TIME => Value::Time(i64::from_le_bytes(self.fixed()?)),
            JSON => Value::Json(self.text()?),
            BYTES => Value::Bytes(self.sized()?.into()),
            UUID => Value::Uuid(u128::from_le_bytes(self.fixed()?)),
            _ => return Err(self.damaged("a value has an unknown tag")),
        })
    }
}

#[cfg(test)]
mod tests;
