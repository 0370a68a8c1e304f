//! Events of a live query as lines: one per row that changed.
//!
//! For people `+ room=lobby body=hello`, for programs one JSON object each. Pure.

use std::collections::{HashMap, HashSet};

use kalam_link::{Event, Row};
use kalamdb_commons::SeqId;

use crate::render::cell::{Cell, harmless, readable};
use crate::render::{Column, json_object};
use crate::session::columns;

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineStyle {
    /// JSON objects, for programs.
    pub json: bool,
    /// Colours, of lines for people.
    pub colour: bool,
}

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Became {
    There,
    New,
    Changed,
    Gone,
}

/// One row and what became of it.
struct Told<'a> {
    became: Became,
    cells: &'a [Cell],
    /// The row as it was, where it changed.
    before: Option<&'a [Cell]>,
    seq: SeqId,
}

/// The lines of one event. None for those that are notes rather than rows.
#[must_use]
pub fn of_event(event: &Event, style: LineStyle) -> Vec<String> {
    match event {
        Event::Snapshot(page) => {
            let Some(first) = page.rows.first() else { return Vec::new() };
            let columns = columns(first.schema());
            let told = |row: &Row| {
                let told = Told { became: Became::There, cells: row.cells(), before: None, seq: page.seq };
                line(&columns, &told, style)
            };
            page.rows.iter().map(told).collect()
        }
        Event::Change(change) => {
            let Some(first) = change.rows.first().or(change.old_rows.first()) else { return Vec::new() };
            let columns = columns(first.schema());
            let old: HashMap<_, _> = change.old_rows.iter().map(|row| (row.key(), row)).collect();
            let there: HashSet<_> = change.rows.iter().map(Row::key).collect();
            let gone = change.old_rows.iter().filter(|row| !there.contains(&row.key()));
            let gone = gone.map(|row| Told { became: Became::Gone, cells: row.cells(), before: None, seq: change.seq });
            let rows = change.rows.iter().map(|row| {
                let before = old.get(&row.key()).map(|row| row.cells());
                let became = if before.is_some() { Became::Changed } else { Became::New };
                Told { became, cells: row.cells(), before, seq: change.seq }
            });
            gone.chain(rows).map(|told| line(&columns, &told, style)).collect()
        }
        Event::Reset if style.json => vec![r#"{"change":"reset"}"#.to_owned()],
        _ => Vec::new(),
    }
}

fn line(columns: &[Column], told: &Told<'_>, style: LineStyle) -> String {
    if style.json { for_programs(columns, told) } else { for_people(columns, told, style.colour) }
}

fn for_programs(columns: &[Column], told: &Told<'_>) -> String {
    let word = match told.became {
        Became::There => "snapshot",
        Became::New => "insert",
        Became::Changed => "update",
        Became::Gone => "delete",
    };
    let seq = serde_json::to_string(&told.seq).unwrap_or_else(|_| "null".to_owned());
    let cells = json_object(columns, told.cells);
    match (told.became, told.before) {
        (Became::Gone, _) => format!(r#"{{"change":"{word}","seq":{seq},"old":{cells}}}"#),
        (_, None) => format!(r#"{{"change":"{word}","seq":{seq},"row":{cells}}}"#),
        (_, Some(before)) => {
            let before = json_object(columns, before);
            format!(r#"{{"change":"{word}","seq":{seq},"row":{cells},"old":{before}}}"#)
        }
    }
}

fn for_people(columns: &[Column], told: &Told<'_>, colour: bool) -> String {
    let (mark, begin) = match told.became {
        Became::There => (' ', ""),
        Became::New => ('+', "\x1b[32m"),
        Became::Changed => ('~', "\x1b[33m"),
        Became::Gone => ('-', "\x1b[31m"),
    };
    let mut text = String::from(mark);
    for (at, (column, cell)) in columns.iter().zip(told.cells).enumerate() {
        let shown =
            |cell: &Cell| readable(cell, &column.data_type).map_or_else(|| "NULL".to_owned(), |text| quoted(&text));
        text.push_str(&format!(" {}=", harmless(&column.name)));
        let was = told.before.and_then(|cells| cells.get(at)).filter(|was| *was != cell);
        if let Some(was) = was {
            text.push_str(&format!("{} → ", shown(was)));
        }
        text.push_str(&shown(cell));
    }
    if colour && !begin.is_empty() { format!("{begin}{text}\x1b[0m") } else { text }
}

/// A value in quotes where it would not read as one word, or as NULL.
fn quoted(text: &str) -> String {
    let plain = !text.is_empty()
        && text != "NULL"
        && !text.contains(|c: char| c.is_whitespace() || matches!(c, '"' | '=' | '\''));
    if plain { harmless(text) } else { format!("\"{}\"", harmless(&text.replace('\\', "\\\\").replace('"', "\\\""))) }
}

#[cfg(test)]
mod tests;
