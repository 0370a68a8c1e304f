//! `system.audit_log`, read in portions: it may be larger than memory wants to hold at once.
//!
//! What is only counted so far is written first, so that a reader sees everything that happened before.

use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures_util::stream;
use kalamdb_commons::DataType;
use kalamdb_system::{AuditLog, audit};

use super::arrow::batch_of;
use super::external;
use crate::sql::error_map;

/// A scan of the whole log.
pub(super) fn scan(
    log: &AuditLog,
    schema: &SchemaRef,
    projection: Option<&Vec<usize>>,
    limit: Option<usize>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let rows: Arc<dyn PartitionStream> = Arc::new(Entries { log: log.clone(), schema: Arc::clone(schema) });
    Ok(Arc::new(StreamingTableExec::try_new(Arc::clone(schema), vec![rows], projection, [], false, limit)?))
}

#[derive(Debug)]
struct Entries {
    log: AuditLog,
    schema: SchemaRef,
}

impl PartitionStream for Entries {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let types: Arc<[DataType]> = audit::TABLE.columns.iter().map(|column| column.data_type).collect();
        let (log, schema) = (self.log.clone(), Arc::clone(&self.schema));
        let batches = stream::try_unfold(None, move |reader| {
            let (log, schema, types) = (log.clone(), Arc::clone(&schema), Arc::clone(&types));
            async move {
                let mut reader = match reader {
                    Some(reader) => reader,
                    None => {
                        log.flush().await;
                        log.read()
                    }
                };
                let rows = reader.next_rows().map_err(|error| external(error_map::from_read(&error)))?;
                if rows.is_empty() {
                    return Ok(None);
                }
                Ok(Some((batch_of(schema, &types, &rows)?, Some(reader))))
            }
        });
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), batches))
    }
}
