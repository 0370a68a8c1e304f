//! The planner's words as a client may read them.
//!
//! Types are called as SQL calls them, literals are not repeated, and whatever is the planner's own
//! form of a statement is cut off.

/// Longest message of a library that is passed on, in characters.
pub(super) const MESSAGE_CHARS_MAX: usize = 300;

/// What follows these is about the planner rather than the statement.
const ENDS: [&str; 7] = [
    "\n",
    ". Valid fields are",
    "No function matches the given name",
    " Consider aliasing",
    ": While expanding wildcard",
    " { ",
    ". This was likely caused",
];

/// Arrow's type names and SQL's.
const TYPES: [(&str, &str); 21] = [
    ("Boolean", "BOOLEAN"),
    ("Int8", "SMALLINT"),
    ("Int16", "SMALLINT"),
    ("Int32", "INT"),
    ("Int64", "BIGINT"),
    ("UInt8", "SMALLINT"),
    ("UInt16", "INT"),
    ("UInt32", "BIGINT"),
    ("UInt64", "BIGINT"),
    ("Float16", "FLOAT"),
    ("Float32", "FLOAT"),
    ("Float64", "DOUBLE"),
    ("Utf8", "TEXT"),
    ("LargeUtf8", "TEXT"),
    ("Utf8View", "TEXT"),
    ("Binary", "BYTES"),
    ("LargeBinary", "BYTES"),
    ("BinaryView", "BYTES"),
    ("Date32", "DATE"),
    ("Decimal128", "DECIMAL"),
    ("Decimal256", "DECIMAL"),
];

/// A message of the planner, shortened to what it says of the statement.
pub(super) fn plain(message: &str) -> String {
    let end = ENDS.iter().filter_map(|end| message.find(end)).min().unwrap_or(message.len());
    let message = message.get(..end).unwrap_or(message);
    let text = in_sql_words(message);
    text.trim().trim_end_matches(['.', ',', ':']).chars().take(MESSAGE_CHARS_MAX).collect()
}

/// Type names in SQL's words, and a call of one, such as `Int64(5)`, as a literal.
fn in_sql_words(message: &str) -> String {
    let mut out = String::with_capacity(message.len());
    let mut rest = message;
    while let Some(start) = rest.find(|c: char| c.is_ascii_alphabetic()) {
        let (before, from_word) = rest.split_at(start);
        out.push_str(before);
        let end = from_word.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(from_word.len());
        let (word, behind) = from_word.split_at(end);
        rest = behind;
        if let Some((length, inner)) = parenthesised(behind) {
            let is_type = TYPES.iter().any(|(arrow, _)| *arrow == word);
            if word == "Literal" || (is_type && !is_precision(inner)) {
                out.push_str("a literal");
                rest = behind.get(length..).unwrap_or_default();
                continue;
            }
            if let Some(sql) = time_type(word, inner) {
                out.push_str(sql);
                rest = behind.get(length..).unwrap_or_default();
                continue;
            }
        }
        let sql = TYPES.iter().find(|(arrow, _)| *arrow == word).map(|(_, sql)| *sql);
        out.push_str(sql.unwrap_or(word));
    }
    out.push_str(rest);
    out
}

fn is_precision(inner: &str) -> bool {
    inner.contains(',') && inner.chars().all(|c| c.is_ascii_digit() || matches!(c, ',' | ' ' | '-'))
}

fn time_type(word: &str, inner: &str) -> Option<&'static str> {
    match word {
        "Timestamp" if inner.contains('"') => Some("DATETIME"),
        "Timestamp" => Some("TIMESTAMP"),
        "Time64" | "Time32" => Some("TIME"),
        "Interval" | "Duration" => Some("INTERVAL"),
        _ => None,
    }
}

/// What stands in parentheses at the beginning of a text, and how long that is with them.
fn parenthesised(text: &str) -> Option<(usize, &str)> {
    let mut depth = 0_usize;
    let mut quoted = false;
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '(' if !quoted => depth = depth.saturating_add(1),
            ')' if !quoted => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Some((at.saturating_add(1), text.get(1..at)?));
                }
            }
            _ if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests;
