//! The whole, ordered result of a live query, for programs that want rows and not events.
//!
//! A snapshot is collected beside the rows that are shown and takes their place when it is whole, so a program
//! never sees half a result. Rows are kept sorted; a change costs two searches and one insertion. What is shown is
//! shared with the program and copied only when it is changed while the program still holds it.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use kalamdb_commons::{DataType, Value};
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
    sorted: Arc<Vec<Row>>,
    /// Sort values and identity, parallel to `sorted`.
    places: Vec<Arc<Place>>,
    by_key: HashMap<String, Arc<Place>>,
}

#[derive(Debug)]
struct Place {
    cells: Vec<Cell>,
    key: String,
}

impl View {
    /// An empty view that may hold so many rows.
    pub fn new(rows_max: usize) -> Self {
        View { shown: Rows::default(), coming: None, rows_max, version: 0, ready: false }
    }

    /// The rows, in order.
    pub fn rows(&self) -> Arc<Vec<Row>> {
        self.shown.sorted.clone()
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
            self.shown.remove(columns, row.key().unwrap_or_default());
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
        let key = row.key().unwrap_or_default().to_owned();
        self.remove(columns, &key);
        let cells = columns.order_by.iter().map(|term| Cell::of(&row, term)).collect();
        let place = Arc::new(Place { cells, key: key.clone() });
        let at = self.places.partition_point(|other| in_order(other, &place, &columns.order_by).is_lt());
        self.places.insert(at, place.clone());
        Arc::make_mut(&mut self.sorted).insert(at, row);
        self.by_key.insert(key, place);
    }

    fn remove(&mut self, columns: &Columns, key: &str) {
        let Some(place) = self.by_key.remove(key) else { return };
        let at = self.places.partition_point(|other| in_order(other, &place, &columns.order_by).is_lt());
        if self.places.get(at).is_some_and(|found| found.key == key) {
            self.places.remove(at);
            Arc::make_mut(&mut self.sorted).remove(at);
        }
    }

    fn check(&self, rows_max: usize) -> Result<(), Error> {
        if self.places.len() > rows_max {
            return Err(Error::Limit(format!("the live view has more than live_rows_max = {rows_max} rows")));
        }
        Ok(())
    }
}

/// A sort value: text by bytes, numbers by value.
#[derive(Debug)]
enum Cell {
    Null,
    Whole(i128),
    Float(f64),
    Bytes(Vec<u8>),
}

impl Cell {
    fn of(row: &Row, term: &Term) -> Cell {
        let json = match term.source {
            Source::Column(at) => row.cells().get(at),
            Source::Hidden(at) => row.order_cells().get(at),
        };
        json.map_or(Cell::Null, |json| Cell::from_json(json, &term.data_type))
    }

    fn from_json(json: &Json, data_type: &DataType) -> Cell {
        match Value::from_json(json, data_type) {
            Ok(Value::Bool(value)) => Cell::Whole(value.into()),
            Ok(Value::SmallInt(value)) => Cell::Whole(value.into()),
            Ok(Value::Int(value) | Value::Date(value)) => Cell::Whole(value.into()),
            Ok(Value::BigInt(value) | Value::Timestamp(value) | Value::DateTime(value) | Value::Time(value)) => {
                Cell::Whole(value.into())
            }
            Ok(Value::Decimal(value)) => Cell::Whole(value.unscaled),
            Ok(Value::Float(value)) => Cell::Float(value.into()),
            Ok(Value::Double(value)) => Cell::Float(value),
            Ok(Value::Text(text) | Value::Json(text)) => Cell::Bytes(text.as_bytes().to_vec()),
            Ok(Value::Bytes(bytes)) => Cell::Bytes(bytes.to_vec()),
            Ok(Value::Uuid(uuid)) => Cell::Bytes(uuid.to_be_bytes().to_vec()),
            Ok(Value::Null) | Err(_) => Cell::Null,
        }
    }

    fn is_null(&self) -> bool {
        matches!(self, Cell::Null)
    }

    fn compare(&self, other: &Cell) -> Ordering {
        match (self, other) {
            (Cell::Whole(a), Cell::Whole(b)) => a.cmp(b),
            (Cell::Float(a), Cell::Float(b)) => a.total_cmp(b),
            (Cell::Bytes(a), Cell::Bytes(b)) => a.cmp(b),
            // Cells of one column are of one kind.
            _ => Ordering::Equal,
        }
    }
}

fn in_order(a: &Place, b: &Place, terms: &[Term]) -> Ordering {
    for ((a, b), term) in a.cells.iter().zip(&b.cells).zip(terms) {
        let ordering = match (a.is_null(), b.is_null()) {
            (true, true) => Ordering::Equal,
            (true, false) if term.nulls_first => Ordering::Less,
            (true, false) => Ordering::Greater,
            (false, true) if term.nulls_first => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) if term.desc => b.compare(a),
            (false, false) => a.compare(b),
        };
        if ordering.is_ne() {
            return ordering;
        }
    }
    a.key.cmp(&b.key)
}

#[cfg(test)]
mod tests;
