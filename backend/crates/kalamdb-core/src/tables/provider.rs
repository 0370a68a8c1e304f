//! A stored table, as the query planner sees it.
//!
//! Holds the definition and nothing of a statement; whose rows and as of when comes with the
//! session when the table is scanned. The hidden columns are shown only to queries that name them.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use kalamdb_commons::DataType;
use kalamdb_system::TableDef;

use super::View;
use super::arrow::arrow_field;
use super::pushdown::{access, narrows};
use super::scan::{ScanColumn, TableScan};

/// The hidden column that holds the SeqId of the change that wrote a row last.
pub const SEQ_COLUMN: &str = "_seq";

/// The hidden column that holds a row's key; for statements of our own.
pub const KEY_COLUMN: &str = "_key";

/// A stored table.
#[derive(Debug)]
pub struct StoredTable {
    def: Arc<TableDef>,
    columns: Vec<ScanColumn>,
    schema: SchemaRef,
}

impl StoredTable {
    /// The table, with or without its hidden columns.
    #[must_use]
    pub fn new(def: Arc<TableDef>, with_hidden: bool) -> Self {
        let mut columns: Vec<ScanColumn> = (0..def.columns.len()).map(ScanColumn::Stored).collect();
        let mut fields: Vec<_> = def
            .columns
            .iter()
            .map(|column| {
                let nullable = !column.not_null && !def.is_key(column.slot);
                arrow_field(column.name.as_str(), &column.data_type, nullable)
            })
            .collect();
        if with_hidden {
            columns.extend([ScanColumn::Seq, ScanColumn::Key]);
            fields.push(arrow_field(SEQ_COLUMN, &DataType::BigInt, false));
            fields.push(arrow_field(KEY_COLUMN, &DataType::Bytes, false));
        }
        StoredTable { def, columns, schema: Arc::new(Schema::new(fields)) }
    }

    /// What the table is.
    #[must_use]
    pub fn def(&self) -> &Arc<TableDef> {
        &self.def
    }
}

#[async_trait]
impl TableProvider for StoredTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let support = |filter: &&Expr| match narrows(&self.def, filter) {
            true => TableProviderFilterPushDown::Inexact,
            false => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(support).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let view = View::of(state)?;
        let access = access(&self.def, filters, view.use_indexes);
        let (schema, columns) = match projection {
            None => (Arc::clone(&self.schema), self.columns.clone()),
            Some(places) => {
                let pick = |place: &usize| self.columns.get(*place).copied();
                let columns = places.iter().map(pick).collect::<Option<Vec<_>>>().ok_or_else(|| {
                    DataFusionError::Internal("a scan asks for a column that is not there".to_owned())
                })?;
                (Arc::new(self.schema.project(places)?), columns)
            }
        };
        Ok(Arc::new(TableScan::new(view, Arc::clone(&self.def), access, (schema, columns), limit)))
    }
}
