//! A scan of a stored table, as the query planner runs it.
//!
//! Reads portions of rows and hands them on as batches of the wanted columns, so that a LIMIT reads
//! little and a statement can be ended between two portions. Tells the planner that rows come in
//! the order of the primary key.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, BinaryArray, Int64Array, RecordBatch, RecordBatchOptions};
use datafusion::arrow::compute::SortOptions;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{EquivalenceProperties, LexOrdering, PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};
use futures_util::stream;
use kalamdb_store::{Scope, StoredRow};
use kalamdb_system::TableDef;

use super::arrow::values_to_array;
use super::pushdown::Access;
use super::reader::RowReader;
use super::{View, external};

/// Rows of the first portion; later ones grow, so that a small LIMIT reads little.
const FIRST_PORTION_ROWS: usize = 64;

/// A column of a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ScanColumn {
    /// A column of the table, by its place.
    Stored(usize),
    /// The SeqId of the change that wrote the row last.
    Seq,
    /// The row's key.
    Key,
}

/// A scan of one table and scope.
#[derive(Debug)]
pub(super) struct TableScan {
    view: Arc<View>,
    table: Arc<TableDef>,
    scope: Scope,
    access: Access,
    columns: Arc<[ScanColumn]>,
    limit: Option<usize>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl TableScan {
    pub(super) fn new(
        view: Arc<View>,
        table: Arc<TableDef>,
        access: Access,
        (schema, columns): (SchemaRef, Vec<ScanColumn>),
        limit: Option<usize>,
    ) -> Self {
        let scope = view.ctx.caller.scope_of(&table);
        let orderings = key_order(&table, &columns);
        let properties = PlanProperties::new(
            EquivalenceProperties::new_with_orderings(schema, orderings),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        TableScan {
            view,
            table,
            scope,
            access,
            columns: columns.into(),
            limit,
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }
}

/// The order of the rows: by the key's columns, as far as they are among the scan's.
fn key_order(table: &TableDef, columns: &[ScanColumn]) -> Option<LexOrdering> {
    let term = |slot: &u16| {
        let place = table.columns.iter().position(|column| column.slot == *slot)?;
        let at = columns.iter().position(|column| *column == ScanColumn::Stored(place))?;
        let name = table.columns.get(place)?.name.as_str();
        let column: Arc<dyn PhysicalExpr> = Arc::new(Column::new(name, at));
        Some(PhysicalSortExpr::new(column, SortOptions { descending: false, nulls_first: true }))
    };
    LexOrdering::new(table.primary_key.iter().map_while(term))
}

impl DisplayAs for TableScan {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TableScan: {}, ", self.table.name)?;
        match &self.access {
            Access::All => write!(f, "every row")?,
            Access::Keys(keys) => write!(f, "{} keys", keys.len())?,
            Access::Ranges(ranges) => write!(f, "{} ranges of the key", ranges.len())?,
            Access::Index { index, ranges, .. } => {
                let name = self.table.indexes.iter().find(|known| known.id == *index).map(|known| known.name.as_str());
                write!(f, "{} ranges of index {}", ranges.len(), name.unwrap_or_default())?;
            }
        }
        match self.limit {
            Some(limit) => write!(f, ", at most {limit} rows"),
            None => Ok(()),
        }
    }
}

impl ExecutionPlan for TableScan {
    fn name(&self) -> &'static str {
        "TableScan"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, _: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let portions = Portions {
            reader: RowReader::new(
                Arc::clone(&self.view),
                Arc::clone(&self.table),
                self.scope.clone(),
                self.access.clone(),
            ),
            table: Arc::clone(&self.table),
            columns: Arc::clone(&self.columns),
            schema: self.schema(),
            rows_max: context.session_config().batch_size(),
            rows_next: FIRST_PORTION_ROWS,
            rows_left: self.limit.unwrap_or(usize::MAX),
            metrics: BaselineMetrics::new(&self.metrics, partition),
        };
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), stream::iter(portions))))
    }
}

/// The batches of a scan.
struct Portions {
    reader: RowReader,
    table: Arc<TableDef>,
    columns: Arc<[ScanColumn]>,
    schema: SchemaRef,
    rows_max: usize,
    rows_next: usize,
    rows_left: usize,
    metrics: BaselineMetrics,
}

impl Iterator for Portions {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rows_left == 0 {
            return None;
        }
        let timer = self.metrics.elapsed_compute().clone();
        let _timer = timer.timer();
        let mut rows = match self.reader.next(self.rows_next.min(self.rows_left)) {
            Ok(rows) => rows,
            Err(error) => {
                self.rows_left = 0;
                return Some(Err(external(error)));
            }
        };
        if rows.is_empty() {
            self.rows_left = 0;
            return None;
        }
        // Rows in front of the snapshot may have come on top of the portion.
        rows.truncate(self.rows_left);
        self.rows_left = self.rows_left.saturating_sub(rows.len());
        self.rows_next = self.rows_next.saturating_mul(4).min(self.rows_max);
        self.metrics.record_output(rows.len());
        Some(self.batch(&rows))
    }
}

impl Portions {
    fn batch(&self, rows: &[StoredRow]) -> Result<RecordBatch> {
        let columns = self.columns.iter().map(|column| self.array(*column, rows)).collect::<Result<_>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?)
    }

    fn array(&self, column: ScanColumn, rows: &[StoredRow]) -> Result<ArrayRef> {
        Ok(match column {
            ScanColumn::Stored(place) => {
                let Some(column) = self.table.columns.get(place) else {
                    return Err(DataFusionError::Internal("a scan asks for a column that is not there".to_owned()));
                };
                values_to_array(&column.data_type, rows.iter().map(|row| TableDef::value(column, &row.row)))
            }
            ScanColumn::Seq => {
                let seq = |row: &StoredRow| i64::try_from(row.seq.0).unwrap_or(i64::MAX);
                Arc::new(rows.iter().map(seq).collect::<Int64Array>())
            }
            ScanColumn::Key => Arc::new(BinaryArray::from_iter_values(rows.iter().map(|row| row.key.as_bytes()))),
        })
    }
}
