//! Rows and their columns, of query results and live queries alike.

use std::sync::Arc;

use kalamdb_commons::protocol::SchemaField;
use kalamdb_commons::{DataType, SeqId, Value};
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use crate::error::{Error, Result};
use crate::typed;

/// The columns of a result, in order. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Schema(Arc<[SchemaField]>);

impl Schema {
    pub(crate) fn new(fields: Vec<SchemaField>) -> Self {
        Schema(fields.into())
    }

    /// The columns.
    #[must_use]
    pub fn fields(&self) -> &[SchemaField] {
        &self.0
    }

    /// Place of a column, by its exact name.
    #[must_use]
    pub fn index_of(&self, column: &str) -> Option<usize> {
        self.0.iter().position(|field| field.name == column)
    }

    pub(crate) fn data_type(&self, index: usize) -> Option<&DataType> {
        self.0.get(index).map(|field| &field.data_type)
    }
}

/// One row. Cheap to clone.
///
/// Cells are JSON as they travel: BIGINT and DECIMAL are strings, times are numbers, JSON documents are their
/// text, BYTES are base64. [`Row::to`] reads a row into a type of yours, [`Row::value`] gives one typed cell.
///
/// ```no_run
/// # fn example(row: &kalam_link::Row) -> kalam_link::Result<()> {
/// #[derive(serde::Deserialize)]
/// struct Task { id: i64, title: String, done: bool, tags: Option<Vec<String>> }
///
/// let task: Task = row.to()?;
/// let (id, title): (i64, String) = row.to()?; // a row of exactly two columns
/// let title = row.get("title"); // JSON, as it travels
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Row(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    schema: Schema,
    cells: Vec<Json>,
    seq: Option<SeqId>,
    key: Option<String>,
    /// Values of sort expressions that are not selected.
    order: Vec<Json>,
}

impl PartialEq for Row {
    /// Equal cells of equal columns.
    fn eq(&self, other: &Self) -> bool {
        self.0.cells == other.0.cells && self.0.schema == other.0.schema
    }
}

impl Row {
    pub(crate) fn of_query(schema: Schema, cells: Vec<Json>) -> Self {
        Row(Arc::new(Inner { schema, cells, seq: None, key: None, order: Vec::new() }))
    }

    pub(crate) fn of_live(schema: Schema, cells: Vec<Json>, seq: Option<SeqId>, key: String, order: Vec<Json>) -> Self {
        Row(Arc::new(Inner { schema, cells, seq, key: Some(key), order }))
    }

    /// The same for rows that are one and the same, for as long as one of them is there.
    #[cfg(any(target_family = "wasm", test))]
    pub(crate) fn identity(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    pub(crate) fn order_cells(&self) -> &[Json] {
        &self.0.order
    }

    /// The columns.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.0.schema
    }

    /// The cells, in the order of the columns.
    #[must_use]
    pub fn cells(&self) -> &[Json] {
        &self.0.cells
    }

    /// The cell of a column; `None` if there is no such column.
    #[must_use]
    pub fn get(&self, column: &str) -> Option<&Json> {
        self.0.cells.get(self.0.schema.index_of(column)?)
    }

    /// The cell of a column as a typed value.
    ///
    /// # Errors
    /// There is no such column, or the cell is not of its type.
    pub fn value(&self, column: &str) -> Result<Value> {
        let missing = || Error::Decode(format!("there is no column \"{column}\""));
        let index = self.0.schema.index_of(column).ok_or_else(missing)?;
        let (cell, data_type) = (self.0.cells.get(index), self.0.schema.data_type(index));
        let (cell, data_type) = cell.zip(data_type).ok_or_else(missing)?;
        Value::from_json(cell, data_type).map_err(|error| Error::Decode(format!("column \"{column}\": {error}")))
    }

    /// Reads the row into a type: a struct by column names, a tuple by position, or for a single column its value.
    ///
    /// BIGINT goes into any integer it fits or a `String`; DECIMAL into a `String`, a float or a decimal type that reads
    /// strings; times into integers; a JSON column into whatever its document fits, or a `String` for its text; BYTES
    /// into `Vec<u8>` or, as base64, a `String`.
    ///
    /// # Errors
    /// The row does not fit; the message names the column and never the value.
    pub fn to<T: DeserializeOwned>(&self) -> Result<T> {
        typed::from_row(self)
    }

    /// `_seq` of a row of a live query over one table: the SeqId of the change that wrote it last.
    #[must_use]
    pub fn seq(&self) -> Option<SeqId> {
        self.0.seq
    }

    /// What identifies the row among those of its live query; `None` in a query's result.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.0.key.as_deref()
    }

    /// The row as a JSON object, cells as they travel.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Map<String, Json> {
        let names = self.0.schema.fields().iter().map(|field| field.name.clone());
        names.zip(self.0.cells.iter().cloned()).collect()
    }
}
