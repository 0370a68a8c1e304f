//! Reading rows into types of the program, with serde.
//!
//! What a cell means is decided by its column's type and by what the program asks for: the digits of a BIGINT become
//! an integer where an integer is wanted and stay text where text is. Nothing is ever rounded in silence, except
//! where a float is asked for a number that is none.

use kalamdb_commons::{DataType, Value};
use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{DeserializeOwned, Error as _, IntoDeserializer, Visitor};
use serde::{Deserializer, forward_to_deserialize_any};
use serde_json::Value as Json;

use crate::error::{Error, Result};
use crate::row::Row;

type JsonError = serde_json::Error;

/// See [`Row::to`].
pub(crate) fn from_row<T: DeserializeOwned>(row: &Row) -> Result<T> {
    T::deserialize(RowReader { row }).map_err(|error| Error::Decode(error.to_string()))
}

struct RowReader<'a> {
    row: &'a Row,
}

impl<'a> RowReader<'a> {
    fn cells(&self) -> impl Iterator<Item = Cell<'a>> {
        let fields = self.row.schema().fields().iter();
        fields.zip(self.row.cells()).map(|(field, json)| Cell { name: &field.name, data_type: &field.data_type, json })
    }

    fn only_cell(&self) -> std::result::Result<Cell<'a>, JsonError> {
        let mut cells = self.cells();
        match (cells.next(), cells.next()) {
            (Some(cell), None) => Ok(cell),
            _ => {
                let count = self.row.cells().len();
                Err(JsonError::custom(format!("a single value was asked for, the row has {count} columns")))
            }
        }
    }
}

macro_rules! of_the_only_cell {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> std::result::Result<V::Value, JsonError> {
            let cell = self.only_cell()?;
            named(cell.name, cell.$method(visitor))
        }
    )*};
}

/// Says which column an error is about. The message of serde may repeat a value, so only its kind is kept.
fn named<T>(column: &str, result: std::result::Result<T, JsonError>) -> std::result::Result<T, JsonError> {
    result.map_err(|error| {
        let text = error.to_string();
        let said = text.starts_with("column \"");
        if said { error } else { JsonError::custom(format!("column \"{column}\": {}", without_value(&text))) }
    })
}

/// Serde writes `invalid type: string "secret", expected i64`; what stands in quotes or backticks goes.
fn without_value(text: &str) -> String {
    if let Some(expected) = text.find(", expected ")
        && let Some(colon) = text.find(": ")
        && colon < expected
    {
        let kind = text.get(colon.saturating_add(2)..expected).unwrap_or_default();
        let kind = kind.split(['"', '`']).next().unwrap_or_default().trim();
        let head = text.get(..colon).unwrap_or_default();
        let tail = text.get(expected..).unwrap_or_default();
        return format!("{head}: {kind}{tail}");
    }
    text.to_owned()
}

impl<'de> Deserializer<'de> for RowReader<'de> {
    type Error = JsonError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> std::result::Result<V::Value, JsonError> {
        self.deserialize_map(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> std::result::Result<V::Value, JsonError> {
        visitor.visit_map(MapDeserializer::new(self.cells().map(|cell| (cell.name, cell))))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> std::result::Result<V::Value, JsonError> {
        self.deserialize_map(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> std::result::Result<V::Value, JsonError> {
        visitor.visit_seq(SeqDeserializer::new(self.cells()))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> std::result::Result<V::Value, JsonError> {
        let count = self.row.cells().len();
        if count != len {
            return Err(JsonError::custom(format!("{len} columns were asked for, the row has {count}")));
        }
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        len: usize,
        visitor: V,
    ) -> std::result::Result<V::Value, JsonError> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> std::result::Result<V::Value, JsonError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> std::result::Result<V::Value, JsonError> {
        visitor.visit_unit()
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> std::result::Result<V::Value, JsonError> {
        visitor.visit_unit()
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> std::result::Result<V::Value, JsonError> {
        let cell = self.only_cell()?;
        named(cell.name, cell.deserialize_enum(name, variants, visitor))
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> std::result::Result<V::Value, JsonError> {
        visitor.visit_unit()
    }

    of_the_only_cell! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
        deserialize_f32 deserialize_f64 deserialize_char deserialize_str deserialize_string
        deserialize_bytes deserialize_byte_buf deserialize_option deserialize_identifier
    }
}

/// One cell with the type of its column.
#[derive(Clone, Copy)]
struct Cell<'a> {
    name: &'a str,
    data_type: &'a DataType,
    json: &'a Json,
}

impl<'a> IntoDeserializer<'a, JsonError> for Cell<'a> {
    type Deserializer = NamedCell<'a>;

    fn into_deserializer(self) -> NamedCell<'a> {
        NamedCell(self)
    }
}

impl Cell<'_> {
    fn digits(&self) -> Option<&str> {
        match (self.data_type, self.json) {
            (DataType::BigInt | DataType::Decimal { .. }, Json::String(digits)) => Some(digits),
            _ => None,
        }
    }

    /// Whole numbers hidden in text, as far as they are whole.
    fn whole(&self) -> Option<i128> {
        let digits = self.digits()?;
        let digits = match digits.split_once('.') {
            Some((whole, fraction)) if fraction.bytes().all(|digit| digit == b'0') => whole,
            Some(_) => return None,
            None => digits,
        };
        digits.parse().ok()
    }

    fn bytes(&self) -> Option<std::result::Result<Vec<u8>, JsonError>> {
        if !matches!(self.data_type, DataType::Bytes) || self.json.is_null() {
            return None;
        }
        Some(match Value::from_json(self.json, &DataType::Bytes) {
            Ok(Value::Bytes(bytes)) => Ok(bytes.to_vec()),
            _ => Err(JsonError::custom("the cell is not base64")),
        })
    }

    fn document(&self) -> Option<std::result::Result<Json, JsonError>> {
        match (self.data_type, self.json) {
            (DataType::Json, Json::String(text)) => Some(serde_json::from_str(text)),
            _ => None,
        }
    }
}

macro_rules! whole_numbers {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> std::result::Result<V::Value, JsonError> {
            match (self.whole(), self.document()) {
                (Some(number), _) => visit_whole(number, visitor),
                (None, Some(document)) => document?.$method(visitor),
                (None, None) => self.json.$method(visitor),
            }
        }
    )*};
}

macro_rules! floats {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> std::result::Result<V::Value, JsonError> {
            match (self.digits().and_then(|digits| digits.parse::<f64>().ok()), self.document()) {
                (Some(number), _) => visitor.visit_f64(number),
                (None, Some(document)) => document?.$method(visitor),
                (None, None) => self.json.$method(visitor),
            }
        }
    )*};
}

macro_rules! through_the_document {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> std::result::Result<V::Value, JsonError> {
            match self.document() {
                Some(document) => document?.$method(visitor),
                None => self.json.$method(visitor),
            }
        }
    )*};
}

fn visit_whole<'de, V: Visitor<'de>>(number: i128, visitor: V) -> std::result::Result<V::Value, JsonError> {
    match (i64::try_from(number), u64::try_from(number)) {
        (Ok(number), _) => visitor.visit_i64(number),
        (_, Ok(number)) => visitor.visit_u64(number),
        _ => visitor.visit_i128(number),
    }
}

impl<'de> Deserializer<'de> for Cell<'de> {
    type Error = JsonError;

    /// Who does not say what it wants gets the exact value: digits as text, documents as what they hold.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> std::result::Result<V::Value, JsonError> {
        match self.document() {
            Some(document) => document?.deserialize_any(visitor),
            None => self.json.deserialize_any(visitor),
        }
    }

    whole_numbers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
    }

    floats! { deserialize_f32 deserialize_f64 }

    through_the_document! { deserialize_bool deserialize_map deserialize_unit }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> std::result::Result<V::Value, JsonError> {
        if self.json.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> std::result::Result<V::Value, JsonError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> std::result::Result<V::Value, JsonError> {
        match (self.bytes(), self.document()) {
            (Some(bytes), _) => visitor.visit_seq(SeqDeserializer::new(bytes?.into_iter())),
            (None, Some(document)) => document?.deserialize_seq(visitor),
            (None, None) => self.json.deserialize_seq(visitor),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _len: usize, visitor: V) -> std::result::Result<V::Value, JsonError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _len: usize,
        visitor: V,
    ) -> std::result::Result<V::Value, JsonError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> std::result::Result<V::Value, JsonError> {
        self.deserialize_byte_buf(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> std::result::Result<V::Value, JsonError> {
        match self.bytes() {
            Some(bytes) => visitor.visit_byte_buf(bytes?),
            None => self.json.deserialize_byte_buf(visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> std::result::Result<V::Value, JsonError> {
        match self.document() {
            Some(document) => document?.deserialize_struct(name, fields, visitor),
            None => self.json.deserialize_struct(name, fields, visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> std::result::Result<V::Value, JsonError> {
        match self.document() {
            Some(document) => document?.deserialize_enum(name, variants, visitor),
            None => self.json.deserialize_enum(name, variants, visitor),
        }
    }

    /// Text is always the cell's own text, that of a document too.
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> std::result::Result<V::Value, JsonError> {
        self.json.deserialize_str(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> std::result::Result<V::Value, JsonError> {
        self.json.deserialize_string(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> std::result::Result<V::Value, JsonError> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! { char identifier unit_struct }
}

/// A cell whose errors name its column.
struct NamedCell<'a>(Cell<'a>);

macro_rules! named_methods {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> std::result::Result<V::Value, JsonError> {
            named(self.0.name, self.0.$method(visitor))
        }
    )*};
}

impl<'de> Deserializer<'de> for NamedCell<'de> {
    type Error = JsonError;

    named_methods! {
        deserialize_any deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_i128 deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
        deserialize_f32 deserialize_f64 deserialize_char deserialize_str deserialize_string deserialize_bytes
        deserialize_byte_buf deserialize_option deserialize_unit deserialize_seq deserialize_map
        deserialize_identifier deserialize_ignored_any
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> std::result::Result<V::Value, JsonError> {
        named(self.0.name, self.0.deserialize_unit_struct(name, visitor))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> std::result::Result<V::Value, JsonError> {
        named(self.0.name, self.0.deserialize_newtype_struct(name, visitor))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> std::result::Result<V::Value, JsonError> {
        named(self.0.name, self.0.deserialize_tuple(len, visitor))
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> std::result::Result<V::Value, JsonError> {
        named(self.0.name, self.0.deserialize_tuple_struct(name, len, visitor))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> std::result::Result<V::Value, JsonError> {
        named(self.0.name, self.0.deserialize_struct(name, fields, visitor))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> std::result::Result<V::Value, JsonError> {
        named(self.0.name, self.0.deserialize_enum(name, variants, visitor))
    }
}

#[cfg(test)]
mod tests;
