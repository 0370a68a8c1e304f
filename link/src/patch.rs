//! What differs between two states of the rows of a live query, for whoever keeps a copy of them.
//!
//! Rows are shared and never changed, so that two rows are compared by where they are, not by what they hold. Whoever
//! applies a patch keeps the rows that stayed as the very same ones.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::Value as Json;

use crate::row::Row;

/// How one list of rows becomes the next: from place `at` on `drop` rows go, and in their place come others.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Patch<'a> {
    at: usize,
    drop: usize,
    put: Vec<Put<'a>>,
}

/// A row that comes.
#[derive(Debug, PartialEq, Serialize)]
#[serde(untagged)]
enum Put<'a> {
    /// One that was at this place of the list before.
    Kept(usize),
    New(&'a [Json]),
}

impl<'a> Patch<'a> {
    /// From `before` to `after`. Rows count as the same only when they are one and the same.
    pub(crate) fn between(before: &[Row], after: &'a [Row]) -> Self {
        let same = |(a, b): &(&Row, &Row)| a.identity() == b.identity();
        let at = before.iter().zip(after).take_while(same).count();
        let (before_rest, after_rest) = (before.get(at..).unwrap_or_default(), after.get(at..).unwrap_or_default());
        let tail = before_rest.iter().rev().zip(after_rest.iter().rev()).take_while(same).count();
        let drop = before_rest.len().saturating_sub(tail);
        let come = after_rest.get(..after_rest.len().saturating_sub(tail)).unwrap_or_default();
        let gone = before_rest.iter().take(drop).enumerate();
        let places: HashMap<usize, usize> =
            gone.map(|(place, row)| (row.identity(), at.saturating_add(place))).collect();
        let put = come.iter().map(|row| match places.get(&row.identity()) {
            Some(place) => Put::Kept(*place),
            None => Put::New(row.cells()),
        });
        Patch { at, drop, put: put.collect() }
    }
}

#[cfg(test)]
mod tests;
