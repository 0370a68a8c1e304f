//! One cell: as the wire has it, as people read it, and made harmless for a terminal.

use kalamdb_commons::{DataType, Value};
use serde_json::Value as Json;

/// A cell as it travels.
pub type Cell = Json;

/// The cell as people read it; `None` for NULL. A cell that is not of its column's type is
/// shown as it came.
#[must_use]
pub fn readable(cell: &Cell, data_type: &DataType) -> Option<String> {
    if cell.is_null() {
        return None;
    }
    let as_it_came = || cell.as_str().map_or_else(|| cell.to_string(), str::to_owned);
    Some(match data_type {
        DataType::Text | DataType::Json | DataType::Uuid | DataType::Bytes => as_it_came(),
        DataType::Timestamp | DataType::DateTime => Value::from_json(cell, data_type)
            .map_or_else(|_| as_it_came(), |value| value.to_text().replacen('T', " ", 1)),
        _ => Value::from_json(cell, data_type).map_or_else(|_| as_it_came(), |value| value.to_text()),
    })
}

/// The cell as CSV holds it and `kalam import` reads it; `None` for NULL.
#[must_use]
pub fn exact(cell: &Cell, data_type: &DataType) -> Option<String> {
    match data_type {
        DataType::Timestamp | DataType::DateTime if !cell.is_null() => {
            Some(Value::from_json(cell, data_type).map_or_else(|_| cell.to_string(), |value| value.to_text()))
        }
        _ => readable(cell, data_type),
    }
}

/// Could a terminal obey `c`, or could it change the order in which the text around it reads?
#[must_use]
pub fn is_dangerous(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

/// `text` with everything in it that a terminal could obey written as an escape.
#[must_use]
pub fn harmless(text: &str) -> String {
    if !text.contains(is_dangerous) {
        return text.to_owned();
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\n' => safe.push_str("\\n"),
            '\r' => safe.push_str("\\r"),
            '\t' => safe.push_str("\\t"),
            c if is_dangerous(c) => safe.extend(c.escape_unicode()),
            c => safe.push(c),
        }
    }
    safe
}

/// [`harmless`], but line ends stay: for messages of several lines.
#[must_use]
pub fn harmless_lines(text: &str) -> String {
    text.split('\n').map(harmless).collect::<Vec<_>>().join("\n")
}

/// JSON text in which the characters that JSON lets through raw and terminals obey are escaped.
/// They can stand only within strings, so the JSON says the same.
#[must_use]
pub fn harmless_json(text: String) -> String {
    if !text.contains(|c| is_dangerous(c) && c != '\n') {
        return text;
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_dangerous(c) && c != '\n' {
            safe.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            safe.push(c);
        }
    }
    safe
}
