//! A live query, planned: what `sql` hands to `live`.
//!
//! The live side never parses SQL. It asks a plan which tables and rows concern it, what one
//! changed row means to it, and what its whole result is at some SeqId.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use kalamdb_commons::protocol::{ColumnKeys, OrderBy, SchemaField};
use kalamdb_commons::{Row, SeqId, TableId, Value};
use kalamdb_store::{Scope, Snapshot, StoredRow};

use crate::error::SqlError;

/// Queries with equal keys have equal results for all time, so they share one view.
///
/// Holds the normalised statement, its parameters and, where the result depends on who asks, the user.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ViewKey(pub Arc<str>);

/// A live query, planned.
#[derive(Debug, Clone)]
pub struct LivePlan {
    /// Which view the query belongs to.
    pub key: ViewKey,
    /// Columns of the result; sort columns `_order_1` … come last.
    pub schema: Arc<[SchemaField]>,
    /// The columns' names, ready for the wire.
    pub columns: ColumnKeys,
    /// Columns that identify a row, where the result holds the primary key.
    pub key_columns: Option<Vec<String>>,
    /// The order a client can keep its rows in, if the query gives one.
    pub order_by: Option<Vec<OrderBy>>,
    /// Are the result's rows rows of one table, which carry their `_seq`?
    pub rows_have_seq: bool,
    /// The tables the result depends on, each with the scope the query sees of it.
    pub sources: Vec<Source>,
    /// How the result is kept.
    pub strategy: Strategy,
}

/// A table that a result depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The table.
    pub table: TableId,
    /// `namespace.table`, for people.
    pub name: String,
    /// The scope the query sees of it.
    pub scope: Scope,
    /// Slots of the columns that the query names; it ends when one of them is dropped.
    pub slots: Vec<u16>,
}

/// How the result of a live query is kept.
#[derive(Debug, Clone)]
pub enum Strategy {
    /// One table, WHERE and projection: each changed row is looked at before and after.
    Filter(Arc<dyn RowFilter>),
    /// Anything: the query is run again and its results are compared.
    Rerun(Arc<dyn Requery>),
}

impl Strategy {
    /// The name that `EXPLAIN LIVE`, acks and `system.live_queries` show.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Strategy::Filter(_) => "filter",
            Strategy::Rerun(_) => "re-run",
        }
    }
}

/// A query over one table that is a function of each row by itself.
pub trait RowFilter: fmt::Debug + Send + Sync {
    /// Equalities that every row of the result meets (`column = constant`), by slot; the router's index.
    fn equalities(&self) -> &[(u16, Value)];

    /// What rows older than the column in `slot` hold there, where the filter knows it.
    ///
    /// The router asks for the slots of [`RowFilter::equalities`]; with `None` it looks at the view
    /// for every changed row that is older than the column.
    fn fill(&self, _slot: u16) -> Option<&Value> {
        None
    }

    /// Is the row in the result, and what does it look like there? Cells in schema order.
    fn project(&self, row: &StoredRow) -> Option<Row>;

    /// All rows of the table that are in the result at the snapshot, as stored, ascending by `_seq`.
    ///
    /// # Errors
    /// [`SqlError`] when the store cannot be read or the result is over its limit.
    fn scan(&self, snapshot: &Snapshot) -> Result<Vec<StoredRow>, SqlError>;
}

/// A query whose whole result can be had at a snapshot.
#[async_trait]
pub trait Requery: fmt::Debug + Send + Sync {
    /// Does the query give the same for the same rows? One with `NOW()` or `random()` does not, so
    /// what it gave in the past cannot be had again: who resumes it begins anew.
    fn repeats(&self) -> bool {
        true
    }

    /// The result at the snapshot, in the query's order.
    ///
    /// With `as_of`, the result as it was at that SeqId: each source's rows overlaid with the `old`
    /// of their first change after it. The caller has checked that the history reaches back so far.
    ///
    /// # Errors
    /// [`SqlError`] when the query fails or the result is over its limit.
    async fn run(&self, snapshot: &Snapshot, as_of: Option<SeqId>) -> Result<Vec<ResultRow>, SqlError>;
}

/// One row of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultRow {
    /// What makes the row the same row after a change: its primary key, its group, or its content
    /// (with a number behind it where several rows are equal). Unique within the result.
    pub identity: Arc<str>,
    /// Its cells, in schema order.
    pub cells: Row,
    /// The change that wrote it last, where the row is a table's row.
    pub seq: Option<SeqId>,
}
