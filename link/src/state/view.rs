//! The whole, ordered result of a live query, for programs that want rows and not events.
//!
//! A snapshot is collected beside the rows that are shown and takes their place when it is whole, so a program
//! never sees half a result. Rows are kept in a tree under bytes that sort as the query says, so a change costs
//! little however many rows there are. The list that programs see is made when it is asked for, and shared
//! until the rows change.

use std::cell::OnceCell;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use kalamdb_commons::Value;
use serde_json::Value as Json;

use super::columns::{Columns, Source, Term};
use crate::error::Error;
use crate::row::Row;

/// See the module.
#[derive(Debug)]
pub(crate) struct View {
    shown: Rows,
    coming: Option<Rows>,
    rows_max: usize,
    /// Grows whenever what is shown changes.
    version: u64,
    ready: bool,
}

#[derive(Debug, Default)]
struct Rows {
    sorted: BTreeMap<Arc<[u8]>, Row>,
    by_key: HashMap<String, Arc<[u8]>>,
    listed: OnceCell<Arc<Vec<Row>>>,
}

impl View {
    /// An empty view that may hold so many rows.
    pub fn new(rows_max: usize) -> Self {
        View { shown: Rows::default(), coming: None, rows_max, version: 0, ready: false }
    }

    /// The rows, in order.
    pub fn rows(&self) -> Arc<Vec<Row>> {
        self.shown.listed.get_or_init(|| Arc::new(self.shown.sorted.values().cloned().collect())).clone()
    }

    /// Was there ever a whole result?
    pub fn is_ready(&self) -> bool {
        self.ready
    }

    /// Grows whenever the rows change.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// A snapshot begins; what is shown stays until it is whole.
    pub fn begin(&mut self) {
        self.coming = Some(Rows::default());
    }

    /// A page of the snapshot; the last one puts it in place.
    ///
    /// # Errors
    /// More rows than the view may hold.
    pub fn page(&mut self, columns: &Columns, rows: Vec<Row>, last: bool) -> Result<(), Error> {
        let coming = self.coming.get_or_insert_default();
        for row in rows {
            coming.insert(columns, row);
        }
        coming.check(self.rows_max)?;
        if last {
            self.shown = self.coming.take().unwrap_or_default();
            self.changed();
        }
        Ok(())
    }

    /// What one commit did.
    ///
    /// # Errors
    /// More rows than the view may hold.
    pub fn change(&mut self, columns: &Columns, rows: Vec<Row>, old_rows: &[Row]) -> Result<(), Error> {
        for row in old_rows {
            self.shown.remove(row.key().unwrap_or_default());
        }
        for row in rows {
            self.shown.insert(columns, row);
        }
        self.changed();
        self.shown.check(self.rows_max)
    }

    /// Nothing is missing: there was nothing to load.
    pub fn begin_empty(&mut self) {
        if !self.ready {
            self.changed();
        }
    }

    fn changed(&mut self) {
        self.ready = true;
        self.version = self.version.wrapping_add(1);
    }
}

impl Rows {
    fn insert(&mut self, columns: &Columns, row: Row) {
        let key = row.key().unwrap_or_default();
        self.remove(key);
        let place: Arc<[u8]> = place_of(&row, &columns.order_by).into();
        self.by_key.insert(key.to_owned(), place.clone());
        self.sorted.insert(place, row);
    }

    fn remove(&mut self, key: &str) {
        self.listed.take();
        if let Some(place) = self.by_key.remove(key) {
            self.sorted.remove(&place);
        }
    }

    fn check(&self, rows_max: usize) -> Result<(), Error> {
        if self.sorted.len() > rows_max {
            return Err(Error::Limit(format!("the live view has more than live_rows_max = {rows_max} rows")));
        }
        Ok(())
    }
}

/// Bytes that sort like the row: each term of the order, and then what identifies the row.
fn place_of(row: &Row, terms: &[Term]) -> Vec<u8> {
    let mut place = Vec::new();
    for term in terms {
        let json = match term.source {
            Source::Column(at) => row.cells().get(at),
            Source::Hidden(at) => row.order_cells().get(at),
        };
        write_term(&mut place, json.unwrap_or(&Json::Null), term);
    }
    place.extend_from_slice(row.key().unwrap_or_default().as_bytes());
    place
}

const NULL_FIRST: u8 = 0;
const VALUE: u8 = 1;
const NULL_LAST: u8 = 2;

/// Text sorts by bytes, numbers by value.
fn write_term(place: &mut Vec<u8>, json: &Json, term: &Term) {
    let begin = place.len().saturating_add(1);
    place.push(VALUE);
    match Value::from_json(json, &term.data_type) {
        Ok(Value::Bool(value)) => write_whole(place, value.into()),
        Ok(Value::SmallInt(value)) => write_whole(place, value.into()),
        Ok(Value::Int(value) | Value::Date(value)) => write_whole(place, value.into()),
        Ok(Value::BigInt(value) | Value::Timestamp(value) | Value::DateTime(value) | Value::Time(value)) => {
            write_whole(place, value.into());
        }
        // Those of one column have one scale.
        Ok(Value::Decimal(value)) => write_whole(place, value.unscaled),
        Ok(Value::Float(value)) => write_float(place, value.into()),
        Ok(Value::Double(value)) => write_float(place, value),
        Ok(Value::Text(text) | Value::Json(text)) => write_bytes(place, text.as_bytes()),
        Ok(Value::Bytes(bytes)) => write_bytes(place, &bytes),
        Ok(Value::Uuid(uuid)) => place.extend_from_slice(&uuid.to_be_bytes()),
        Ok(Value::Null) | Err(_) => {
            place.pop();
            place.push(if term.nulls_first { NULL_FIRST } else { NULL_LAST });
        }
    }
    if term.desc {
        place.iter_mut().skip(begin).for_each(|byte| *byte = !*byte);
    }
}

fn write_whole(place: &mut Vec<u8>, value: i128) {
    place.extend_from_slice(&(value ^ i128::MIN).to_be_bytes());
}

fn write_float(place: &mut Vec<u8>, value: f64) {
    let bits = value.to_bits();
    let sorts = if bits >> 63 == 0 { bits ^ (1 << 63) } else { !bits };
    place.extend_from_slice(&sorts.to_be_bytes());
}

/// A zero is told from the end.
fn write_bytes(place: &mut Vec<u8>, bytes: &[u8]) {
    for byte in bytes {
        place.push(*byte);
        if *byte == 0 {
            place.push(0xff);
        }
    }
    place.extend_from_slice(&[0, 0]);
}

#[cfg(test)]
mod tests;
