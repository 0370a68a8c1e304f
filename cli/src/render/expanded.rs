//! Rows one value a line, for results that are too wide to stand side by side.

use std::io;

use super::cell::harmless;
use super::table::{text_of, width};
use super::{Grid, Style};

/// Writes each row under a line with its number.
pub fn write(out: &mut dyn io::Write, grid: &Grid, style: &Style) -> io::Result<()> {
    let names: Vec<String> = grid.columns.iter().map(|column| harmless(&column.name)).collect();
    let widest = names.iter().map(|name| width(name)).max().unwrap_or(0);
    for (number, row) in grid.rows.iter().enumerate() {
        writeln!(out, "-- row {} --", number + 1)?;
        for (at, (name, cell)) in names.iter().zip(row).enumerate() {
            let blanks = " ".repeat(widest - width(name));
            let text = text_of(grid, at, cell);
            if text.is_null && style.colour {
                writeln!(out, "{name}{blanks} | \x1b[2m{}\x1b[22m", text.text)?;
            } else {
                writeln!(out, "{name}{blanks} | {}", text.text)?;
            }
        }
    }
    Ok(())
}
