//! Rows that are given with a statement, as a table the query planner sees.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use kalamdb_commons::{DataType, Row};

use super::arrow::{arrow_field, batch_of};

/// A table of given rows.
#[derive(Debug)]
pub struct RowsTable {
    batch: RecordBatch,
}

impl RowsTable {
    /// A table with these columns and rows.
    ///
    /// # Errors
    /// When the rows do not fit the columns.
    pub fn new(columns: &[(String, DataType)], rows: &[Row]) -> Result<Self> {
        let field = |(name, data_type): &(String, DataType)| arrow_field(name, data_type, true);
        let schema = Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
        let types: Vec<DataType> = columns.iter().map(|(_, data_type)| *data_type).collect();
        Ok(RowsTable { batch: batch_of(schema, &types, rows)? })
    }
}

#[async_trait]
impl TableProvider for RowsTable {
    fn schema(&self) -> SchemaRef {
        self.batch.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(scan_of(self.batch.clone(), projection)?)
    }
}

/// A scan of one batch.
pub(super) fn scan_of(batch: RecordBatch, projection: Option<&Vec<usize>>) -> Result<Arc<dyn ExecutionPlan>> {
    let schema = batch.schema();
    let scan = MemorySourceConfig::try_new_exec(&[vec![batch]], schema, projection.cloned())?;
    Ok(scan)
}
