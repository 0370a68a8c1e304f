//! Rows in aligned columns, cut to the terminal's width.

use std::io;

use kalamdb_commons::DataType;
use unicode_width::UnicodeWidthChar as _;

use super::cell::{harmless, readable};
use super::{Column, Grid, Style};

/// A column of texts is not cut below this. Other columns are not cut at all: half a number is a wrong one.
const COLUMN_MIN: usize = 8;
/// What a cut text ends with.
const CUT: char = '…';
/// Between two columns.
const BETWEEN: &str = " | ";
/// Room for a mark before each row.
const GUTTER: &str = "  ";

/// Do the columns fit side by side, once long texts are cut?
pub fn fits(grid: &Grid, style: &Style) -> bool {
    let Some(room) = style.width else { return true };
    let natural = natural_widths(grid, &texts(grid));
    let least = |(width, column): (&usize, &Column)| (*width).min(least_width(column));
    let least: usize = natural.iter().zip(&grid.columns).map(least).sum();
    least + frame(grid.columns.len(), false) <= room
}

/// Writes header, line and rows; with `marks`, one stands before each row.
pub fn write(out: &mut dyn io::Write, grid: &Grid, style: &Style, marks: Option<&[char]>) -> io::Result<()> {
    if grid.columns.is_empty() {
        return Ok(());
    }
    let texts = texts(grid);
    let mut widths = natural_widths(grid, &texts);
    let marked = marks.is_some();
    if let Some(room) = style.width {
        shrink(&mut widths, &grid.columns, room.saturating_sub(frame(grid.columns.len(), marked)));
    }
    let gutter = if marked { GUTTER } else { "" };
    let names: Vec<String> = grid
        .columns
        .iter()
        .zip(&widths)
        .map(|(column, width)| pad(&cut(&harmless(&column.name), *width), *width, column.is_number()))
        .collect();
    writeln!(out, "{gutter} {}", names.join(BETWEEN).trim_end())?;
    let lines: Vec<String> = widths.iter().map(|width| "-".repeat(width + 2)).collect();
    writeln!(out, "{gutter}{}", lines.join("+"))?;
    for (at, row) in texts.iter().enumerate() {
        let mark = marks.map(|marks| marks.get(at).copied().unwrap_or(' '));
        write_row(out, grid, style, row, &widths, mark)?;
    }
    Ok(())
}

fn write_row(
    out: &mut dyn io::Write,
    grid: &Grid,
    style: &Style,
    row: &[Text],
    widths: &[usize],
    mark: Option<char>,
) -> io::Result<()> {
    let mut line = String::new();
    for (at, (text, width)) in row.iter().zip(widths).enumerate() {
        if at > 0 {
            line.push_str(BETWEEN);
        }
        let right = grid.columns.get(at).is_some_and(Column::is_number);
        let shown = pad(&cut(&text.text, *width), *width, right);
        if text.is_null && style.colour {
            line.push_str(&format!("\x1b[2m{shown}\x1b[22m"));
        } else {
            line.push_str(&shown);
        }
    }
    let line = line.trim_end();
    match mark {
        None => writeln!(out, " {line}"),
        Some(mark) if style.colour => {
            let colour = match mark {
                '+' => "\x1b[32m",
                '~' => "\x1b[33m",
                _ => "",
            };
            writeln!(out, "{colour}{mark}  {line}\x1b[0m")
        }
        Some(mark) => writeln!(out, "{mark}  {line}"),
    }
}

/// A cell ready to be shown.
pub(super) struct Text {
    pub(super) text: String,
    pub(super) is_null: bool,
}

/// A cell's text; a text that reads NULL is quoted, so that it is not taken for one.
pub(super) fn text_of(grid: &Grid, column: usize, cell: &super::Cell) -> Text {
    let data_type = grid.columns.get(column).map(|column| column.data_type);
    match data_type.and_then(|data_type| readable(cell, &data_type)) {
        None => Text { text: "NULL".to_owned(), is_null: true },
        Some(text) if text == "NULL" => Text { text: "'NULL'".to_owned(), is_null: false },
        Some(text) => Text { text: harmless(&text), is_null: false },
    }
}

fn texts(grid: &Grid) -> Vec<Vec<Text>> {
    let row = |row: &Vec<super::Cell>| row.iter().enumerate().map(|(at, cell)| text_of(grid, at, cell)).collect();
    grid.rows.iter().map(row).collect()
}

fn natural_widths(grid: &Grid, texts: &[Vec<Text>]) -> Vec<usize> {
    let mut widths: Vec<usize> = grid.columns.iter().map(|column| width(&harmless(&column.name)).max(1)).collect();
    for row in texts {
        for (widest, text) in widths.iter_mut().zip(row) {
            *widest = (*widest).max(width(&text.text));
        }
    }
    widths
}

/// What stands around the columns' own text, a blank on either side of each included.
fn frame(columns: usize, marked: bool) -> usize {
    (columns * BETWEEN.len()).saturating_sub(1) + if marked { GUTTER.len() } else { 0 }
}

/// A column may be cut down to this.
fn least_width(column: &Column) -> usize {
    match column.data_type {
        DataType::Text | DataType::Json | DataType::Bytes => COLUMN_MIN,
        _ => usize::MAX,
    }
}

/// Takes from the widest columns until all fit into `room`, or none can give more.
fn shrink(widths: &mut [usize], columns: &[Column], room: usize) {
    let mut over = widths.iter().sum::<usize>().saturating_sub(room);
    while over > 0 {
        let gives = |(width, column): &(&mut usize, &Column)| **width > least_width(column);
        let mut giving: Vec<&mut usize> =
            widths.iter_mut().zip(columns).filter(gives).map(|(width, _)| width).collect();
        let Some(widest) = giving.iter().map(|width| **width).max() else { return };
        // All of the widest give alike, until they are as wide as the next.
        let next = giving.iter().map(|width| **width).filter(|width| *width < widest).max();
        let next = next.unwrap_or(0).max(COLUMN_MIN);
        giving.retain(|width| **width == widest);
        let each = (widest - next).min(over.div_ceil(giving.len())).max(1);
        for width in giving {
            let taken = each.min(over);
            *width -= taken;
            over -= taken;
        }
    }
}

/// Columns that `text` takes on a terminal.
pub(super) fn width(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// `text`, cut to so many columns; what is cut ends with `…`.
fn cut(text: &str, room: usize) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut taken = 0;
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if taken + wide + 1 > room {
            break;
        }
        taken += wide;
        kept.push(c);
    }
    kept.push(CUT);
    kept
}

fn pad(text: &str, room: usize, right: bool) -> String {
    let blanks = " ".repeat(room.saturating_sub(width(text)));
    if right { format!("{blanks}{text}") } else { format!("{text}{blanks}") }
}
