//! Results as text, in the four formats.
//!
//! `table` is for people: aligned, cut to the terminal, times readable, nothing in it that a
//! terminal would obey. `csv`, `json` and `ndjson` are for programs: whole values, cells in JSON
//! as they travel on the wire. Pure: what is known of the terminal is handed in.

pub mod cell;
mod csv;
mod expanded;
mod json;
mod table;

use std::io;

use kalamdb_commons::DataType;

use self::cell::Cell;

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Aligned columns, for people.
    Table,
    /// Comma-separated, with a header.
    Csv,
    /// One array of objects per result.
    Json,
    /// One object per line.
    Ndjson,
}

impl Format {
    /// The word that chooses it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Format::Table => "table",
            Format::Csv => "csv",
            Format::Json => "json",
            Format::Ndjson => "ndjson",
        }
    }
}

/// Are rows of a table written one value a line?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expanded {
    /// Never.
    Off,
    /// Always.
    On,
    /// When the columns do not fit side by side.
    Auto,
}

/// How to write, and what is known of where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Style {
    /// The format.
    pub format: Format,
    /// Of the table format only.
    pub expanded: Expanded,
    /// What stands for NULL in CSV.
    pub csv_null: String,
    /// Columns of the terminal; `None` writes everything in full width.
    pub width: Option<usize>,
    /// May colours be used?
    pub colour: bool,
    /// Is it a terminal that reads? Then control characters are escaped in every format.
    pub terminal: bool,
}

#[cfg(test)]
impl Style {
    /// A format with everything else as it is for a file.
    #[must_use]
    pub fn plain(format: Format) -> Self {
        Style { format, expanded: Expanded::Auto, csv_null: String::new(), width: None, colour: false, terminal: false }
    }
}

/// A column of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name, as the server gave it.
    pub name: String,
    /// Its type.
    pub data_type: DataType,
}

impl Column {
    /// Do its values stand at the right, so that digits line up?
    fn is_number(&self) -> bool {
        matches!(
            self.data_type,
            DataType::SmallInt
                | DataType::Int
                | DataType::BigInt
                | DataType::Float
                | DataType::Double
                | DataType::Decimal { .. }
        )
    }
}

/// The rows of one result.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grid {
    /// The columns.
    pub columns: Vec<Column>,
    /// The rows, cells in column order.
    pub rows: Vec<Vec<Cell>>,
}

/// Writes one result.
///
/// # Errors
/// When `out` cannot be written.
pub fn write(out: &mut dyn io::Write, grid: &Grid, style: &Style) -> io::Result<()> {
    match style.format {
        Format::Csv => csv::write(out, grid, style),
        Format::Json => json::write_array(out, grid),
        Format::Ndjson => json::write_lines(out, grid),
        Format::Table => {
            let expand = match style.expanded {
                Expanded::On => true,
                Expanded::Off => false,
                Expanded::Auto => !table::fits(grid, style),
            };
            if expand {
                expanded::write(out, grid, style)?
            } else {
                table::write(out, grid, style, None)?
            }
            writeln!(out, "({})", counted(grid.rows.len(), "row"))
        }
    }
}

/// The lines of a table whose rows are marked at the left, one mark per row, without its count.
///
/// # Errors
/// When `out` cannot be written.
pub fn write_marked(out: &mut dyn io::Write, grid: &Grid, style: &Style, marks: &[char]) -> io::Result<()> {
    table::write(out, grid, style, Some(marks))
}

/// One row as a JSON object, as the wire has its cells.
#[must_use]
pub fn json_object(columns: &[Column], row: &[Cell]) -> String {
    json::object(columns, row)
}

/// Columns that `text` takes on a terminal.
#[must_use]
pub fn width(text: &str) -> usize {
    table::width(text)
}

/// `3 rows`, `1 row`.
#[must_use]
pub fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

#[cfg(test)]
mod tests;
