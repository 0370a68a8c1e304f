//! Rows as JSON objects, cells as on the wire: BIGINT and DECIMAL as strings, times as numbers.

use std::io;

use serde_json::Map;

use super::cell::{Cell, harmless_json};
use super::{Column, Grid};

/// Writes one array, one row a line.
pub fn write_array(out: &mut dyn io::Write, grid: &Grid) -> io::Result<()> {
    for (at, row) in grid.rows.iter().enumerate() {
        let before = if at == 0 { "[\n  " } else { ",\n  " };
        write!(out, "{before}{}", object(&grid.columns, row))?;
    }
    let end = if grid.rows.is_empty() { "[]" } else { "\n]" };
    writeln!(out, "{end}")
}

/// Writes one row a line.
pub fn write_lines(out: &mut dyn io::Write, grid: &Grid) -> io::Result<()> {
    for row in &grid.rows {
        writeln!(out, "{}", object(&grid.columns, row))?;
    }
    Ok(())
}

/// One row. A name that is there already gets `_2`, `_3` …, as in a live query's rows.
pub fn object(columns: &[Column], row: &[Cell]) -> String {
    let mut object = Map::new();
    for (column, cell) in columns.iter().zip(row) {
        let mut name = column.name.clone();
        let mut number = 1_usize;
        while object.contains_key(&name) {
            number += 1;
            name = format!("{}_{number}", column.name);
        }
        object.insert(name, cell.clone());
    }
    harmless_json(serde_json::Value::Object(object).to_string())
}
