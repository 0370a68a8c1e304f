//! Rows as CSV with a header, as `kalam import` reads them.

use std::borrow::Cow;
use std::io;

use super::cell::{exact, harmless};
use super::{Grid, Style};

/// Writes header and rows. Nothing for a result without columns.
pub fn write(out: &mut dyn io::Write, grid: &Grid, style: &Style) -> io::Result<()> {
    if grid.columns.is_empty() {
        return Ok(());
    }
    let shown = |text: String| if style.terminal { harmless(&text) } else { text };
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(grid.columns.iter().map(|column| shown(column.name.clone())))?;
    for row in &grid.rows {
        let cells = grid.columns.iter().zip(row).map(|(column, cell)| match exact(cell, &column.data_type) {
            None => Cow::Borrowed(style.csv_null.as_str()),
            Some(text) => Cow::Owned(shown(text)),
        });
        for cell in cells {
            writer.write_field(cell.as_bytes())?;
        }
        writer.write_record(None::<&[u8]>)?;
    }
    writer.flush()
}
