//! The second opinion: SQLite, given the same statements.

use rusqlite::Connection;
use rusqlite::types::ValueRef;
use serde_json::Value as Json;

/// A database in memory.
#[derive(Debug)]
pub struct Second(Connection);

impl Second {
    pub fn new() -> Self {
        let connection = Connection::open_in_memory().unwrap();
        // Ours tells upper from lower case.
        connection.execute_batch("PRAGMA case_sensitive_like = ON").unwrap();
        Second(connection)
    }

    /// Runs a statement; how many rows it returned or changed, and the rows as text, for columns of these types.
    pub fn run(&self, sql: &str, types: &[Json]) -> rusqlite::Result<(usize, Vec<Vec<String>>)> {
        let mut statement = self.0.prepare(sql)?;
        let columns = statement.column_count();
        if columns == 0 {
            return Ok((statement.execute([])?, Vec::new()));
        }
        let mut found = statement.query([])?;
        let mut rows = Vec::new();
        while let Some(row) = found.next()? {
            let cell = |at: usize| Ok::<_, rusqlite::Error>(text_of(row.get_ref(at)?, &types[at]));
            rows.push((0..columns).map(cell).collect::<rusqlite::Result<Vec<_>>>()?);
        }
        Ok((rows.len(), rows))
    }

    pub fn batch(&self, sql: &str) -> rusqlite::Result<()> {
        self.0.execute_batch(sql)
    }
}

fn text_of(value: ValueRef<'_>, data_type: &Json) -> String {
    let is_float = matches!(data_type.as_str(), Some("Float" | "Double"));
    match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Integer(n) if is_float => float(n as f64),
        ValueRef::Integer(n) => n.to_string(),
        ValueRef::Real(x) => float(x),
        ValueRef::Text(text) => format!("'{}'", String::from_utf8_lossy(text)),
        ValueRef::Blob(_) => panic!("nothing is kept as a blob"),
    }
}

/// A cell of ours as the same text.
pub fn text_of_cell(cell: &Json, data_type: &Json) -> String {
    if cell.is_null() {
        return "NULL".to_owned();
    }
    let Some(name) = data_type.as_str() else {
        assert_eq!(data_type["Decimal"]["scale"], 2, "hundredths");
        let digits = cell.as_str().expect("a decimal is text").replace('.', "");
        return digits.parse::<i64>().expect("a decimal has digits").to_string();
    };
    match name {
        "Boolean" => u8::from(cell == true).to_string(),
        "Float" | "Double" => float(cell.as_f64().expect("a number")),
        "Text" | "Uuid" | "Json" | "Bytes" => format!("'{}'", cell.as_str().expect("text")),
        _ => cell.to_string().trim_matches('"').to_owned(),
    }
}

fn float(x: f64) -> String {
    // There is one zero.
    format!("{:?}", x + 0.0)
}
