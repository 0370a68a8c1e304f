//! A live query that is a function of each row of one table by itself.
//!
//! Its conditions and cells are our own compiled expressions, which cannot fail: a row is in the
//! result and looks like this, or it is not. Queries with an expression that could fail, or that
//! the evaluator does not know, are run again instead.

use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::common::DFSchemaRef;
use datafusion::logical_expr::{Expr, LogicalPlan};
use kalamdb_commons::{ErrorCode, IndexId, Row, Value};
use kalamdb_store::{KeyRange, RowKey, Scope, Snapshot, StoredRow};
use kalamdb_system::TableDef;

use super::columns::Columns;
use super::{key, sources_of};
use crate::error::SqlError;
use crate::live::plan::{LivePlan, RowFilter, Strategy};
use crate::options::Limits;
use crate::sql::error_map::from_read;
use crate::sql::expression::{self, Scalar};
use crate::sql::query::PlannedQuery;
use crate::tables::pushdown::{self, Access};

/// The query as a filter; `None` if it is none.
pub(super) fn plan(planned: &PlannedQuery, limits: &Limits) -> Option<LivePlan> {
    let [table] = planned.tables.as_slice() else {
        return None;
    };
    if planned.volatile {
        return None;
    }
    let shape = Shape::of(&planned.plan)?;
    let columns = Columns::new(&planned.plan, &planned.schema, true);
    let compiled = shape.conditions.iter().map(|(expr, schema)| Scalar::compile(expr, schema, &table.def));
    let compiled = compiled.collect::<Option<Vec<_>>>()?;
    let cells = cells(&shape, planned, &columns, &table.def)?;
    let key_columns = columns.key_places(&planned.plan, &table.def).map(|places| columns.names_at(&places));
    let sources = sources_of(planned);
    let key = key::of_filter(sources.first()?, &compiled, &cells, &columns.schema);
    let simplified: Vec<Expr> =
        shape.conditions.iter().filter_map(|(expr, schema)| expression::simplify(expr, schema)).collect();
    let filter = FilterPlan {
        table: Arc::clone(&table.def),
        scope: table.scope.clone(),
        equalities: equalities(&compiled, &table.def),
        conditions: compiled,
        cells,
        access: pushdown::access(&table.def, &simplified, true),
        limits: limits.clone(),
    };
    Some(LivePlan {
        key,
        schema: columns.schema,
        columns: columns.keys,
        key_columns,
        order_by: None,
        rows_have_seq: true,
        sources,
        strategy: Strategy::Filter(Arc::new(filter)),
    })
}

/// The parts of a plan that is a SELECT list over a WHERE over a table, and nothing else.
struct Shape<'a> {
    cells: &'a [Expr],
    input: &'a DFSchemaRef,
    conditions: Vec<(&'a Expr, &'a DFSchemaRef)>,
}

impl<'a> Shape<'a> {
    fn of(plan: &'a LogicalPlan) -> Option<Shape<'a>> {
        let LogicalPlan::Projection(projection) = plan else {
            return None;
        };
        let mut conditions = Vec::new();
        let mut input = projection.input.as_ref();
        loop {
            input = match input {
                LogicalPlan::Filter(filter) => {
                    conditions.push((&filter.predicate, filter.input.schema()));
                    &filter.input
                }
                LogicalPlan::SubqueryAlias(alias) => &alias.input,
                LogicalPlan::TableScan(scan) if scan.filters.is_empty() && scan.fetch.is_none() => break,
                _ => return None,
            };
        }
        Some(Shape { cells: &projection.expr, input: projection.input.schema(), conditions })
    }
}

/// The cells as they travel, and behind them a selected `_seq`, which only comparing needs.
fn cells(shape: &Shape<'_>, planned: &PlannedQuery, columns: &Columns, table: &TableDef) -> Option<Vec<Scalar>> {
    if shape.cells.len() != planned.schema.len() {
        return None;
    }
    let compile = |(expr, field): (&Expr, &kalamdb_commons::protocol::SchemaField)| {
        let scalar = Scalar::compile(expr, shape.input, table)?;
        (scalar.data_type() == field.data_type).then_some(scalar)
    };
    let mut cells = shape.cells.iter().zip(planned.schema.iter()).map(compile).collect::<Option<Vec<_>>>()?;
    if let Some(at) = columns.seq_at
        && at < cells.len()
    {
        let seq = cells.remove(at);
        cells.push(seq);
    }
    Some(cells)
}

/// All equalities, the one that fewest rows meet first, as far as the table's keys tell.
fn equalities(conditions: &[Scalar], table: &TableDef) -> Vec<(u16, Value)> {
    let mut equalities: Vec<_> = conditions.iter().flat_map(Scalar::equalities).collect();
    equalities.sort_by_key(|(slot, value)| {
        let is_whole = |slots: &[u16]| slots == [*slot];
        let is_unique =
            |unique: bool| table.indexes.iter().any(|index| index.unique == unique && is_whole(&index.slots));
        match value {
            Value::Bool(_) => 4,
            _ if is_whole(&table.primary_key) || is_unique(true) => 0,
            _ if is_unique(false) => 1,
            _ if table.is_key(*slot) => 2,
            _ => 3,
        }
    });
    equalities
}

/// A query over one table that is a function of each row by itself.
#[derive(Debug)]
struct FilterPlan {
    table: Arc<TableDef>,
    scope: Scope,
    equalities: Vec<(u16, Value)>,
    /// What must hold for a row.
    conditions: Vec<Scalar>,
    cells: Vec<Scalar>,
    /// How to find the rows at a snapshot.
    access: Access,
    limits: Limits,
}

impl RowFilter for FilterPlan {
    fn equalities(&self) -> &[(u16, Value)] {
        &self.equalities
    }

    fn fill(&self, slot: u16) -> Option<&Value> {
        self.table.column_at(slot).map(|column| &column.fill)
    }

    fn project(&self, row: &StoredRow) -> Option<Row> {
        self.holds(row).then(|| self.cells.iter().map(|cell| cell.eval(row)).collect())
    }

    fn scan(&self, snapshot: &Snapshot) -> Result<Vec<StoredRow>, SqlError> {
        let mut found = Found { filter: self, rows: Vec::new(), bytes: 0, is_over: false };
        match &self.access {
            Access::Keys(keys) => {
                for key in keys {
                    if found.get(snapshot, key)?.is_break() {
                        break;
                    }
                }
            }
            Access::Ranges(ranges) => found.read(snapshot, ranges)?,
            Access::Index { index, ranges, exact: true } if is_alive(*index, &self.scope, snapshot)? => {
                found.look_up(snapshot, *index, ranges)?;
            }
            Access::All | Access::Index { .. } => found.read(snapshot, &[KeyRange::all()])?,
        }
        found.ascending(&self.limits)
    }
}

impl FilterPlan {
    fn holds(&self, row: &StoredRow) -> bool {
        self.conditions.iter().all(|condition| condition.holds(row))
    }
}

/// Has the index any entry? It has one for every row, unless it was dropped since the query was planned.
fn is_alive(index: IndexId, scope: &Scope, snapshot: &Snapshot) -> Result<bool, SqlError> {
    let mut alive = false;
    let mut visit = |_: RowKey| {
        alive = true;
        ControlFlow::Break(())
    };
    snapshot.scan_index(index, scope, &KeyRange::all(), &mut visit).map_err(|error| from_read(&error))?;
    Ok(alive)
}

/// Rows of the result, as they are found.
struct Found<'a> {
    filter: &'a FilterPlan,
    rows: Vec<StoredRow>,
    bytes: usize,
    is_over: bool,
}

impl Found<'_> {
    fn take(&mut self, row: StoredRow) -> ControlFlow<()> {
        if self.filter.holds(&row) {
            self.bytes = self.bytes.saturating_add(row.row.size_bytes());
            self.rows.push(row);
            let limits = &self.filter.limits;
            self.is_over = self.rows.len() > limits.result_rows_max || self.bytes > limits.result_bytes_max;
        }
        if self.is_over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn get(&mut self, snapshot: &Snapshot, key: &RowKey) -> Result<ControlFlow<()>, SqlError> {
        let row = snapshot.get(self.filter.table.id, &self.filter.scope, key).map_err(|error| from_read(&error))?;
        Ok(row.map_or(ControlFlow::Continue(()), |row| self.take(row)))
    }

    fn read(&mut self, snapshot: &Snapshot, ranges: &[KeyRange]) -> Result<(), SqlError> {
        let filter = self.filter;
        for range in ranges {
            if !self.is_over {
                let mut visit = |row| self.take(row);
                let read = snapshot.scan_rows(filter.table.id, &filter.scope, range, &mut visit);
                read.map_err(|error| from_read(&error))?;
            }
        }
        Ok(())
    }

    fn look_up(&mut self, snapshot: &Snapshot, index: IndexId, ranges: &[KeyRange]) -> Result<(), SqlError> {
        let filter = self.filter;
        let mut failure = None;
        for range in ranges {
            let mut visit = |key: RowKey| {
                self.get(snapshot, &key).unwrap_or_else(|error| {
                    failure = Some(error);
                    ControlFlow::Break(())
                })
            };
            snapshot.scan_index(index, &filter.scope, range, &mut visit).map_err(|error| from_read(&error))?;
            if let Some(failure) = failure.take() {
                return Err(failure);
            }
        }
        Ok(())
    }

    fn ascending(mut self, limits: &Limits) -> Result<Vec<StoredRow>, SqlError> {
        if self.is_over {
            let (rows, bytes) = (limits.result_rows_max, limits.result_bytes_max);
            let text = format!("the result of the live query has more than {rows} rows or {bytes} bytes");
            return Err(SqlError::new(ErrorCode::TooLarge, text));
        }
        self.rows.sort_unstable_by_key(|row| row.seq);
        Ok(self.rows)
    }
}

#[cfg(test)]
mod tests;
