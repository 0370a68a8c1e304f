//! Stored rows and system tables, as the query planner sees them.
//!
//! A table appears to a statement exactly as the statement's context has it: its snapshot, the rows
//! in front of that, and only the caller's scope. The context travels with the planner's session
//! (see [`View`]), never with a table, so that a plan can be kept and run for another statement.
//! What may be read at all is decided in [`crate::sql::query`], before any of this is asked.

pub mod arrow;
pub mod inline;
pub mod provider;
pub mod pushdown;
pub mod system;

mod audit;
mod reader;
mod scan;

use std::sync::Arc;

use datafusion::catalog::Session;
use datafusion::error::DataFusionError;

use crate::context::StatementContext;
use crate::error::SqlError;

/// What the scans of one statement see; an extension of the planner's session.
#[derive(Debug)]
pub struct View {
    /// Who asks, and as of when.
    pub ctx: StatementContext,
    /// May secondary indexes be used? Not by a plan that outlives its statement: an index may have
    /// been dropped since, and then has no entries.
    pub use_indexes: bool,
    /// Bytes of keys and old rows that one scan may hold, roughly.
    pub memory_bytes_max: usize,
}

impl View {
    fn of(session: &dyn Session) -> Result<Arc<View>, DataFusionError> {
        session
            .config()
            .get_extension::<View>()
            .ok_or_else(|| DataFusionError::Internal("a table is read outside of a statement".to_owned()))
    }
}

/// An error of ours on its way through the planner.
pub(crate) fn external(error: SqlError) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}
