//! System tables, as the query planner sees them.
//!
//! A scan asks for the rows at the moment it begins and keeps only those that the reader may see.
//! Whether the reader may ask at all is decided before, when the name is looked up.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use kalamdb_commons::{DataType, Row};
use kalamdb_system::{AuditLog, SettingRow, SystemTable, Users, grants, namespaces, table_columns, tables, users};

use super::arrow::{arrow_field, batch_of};
use super::inline::scan_of;
use super::{View, audit};
use crate::context::StatementContext;
use crate::live::LiveQueries;

/// Where the rows of system tables come from, beside the statement's catalog.
#[derive(Debug)]
pub struct SystemSources {
    /// Users.
    pub users: Arc<Users>,
    /// Connections and live queries.
    pub live: LiveQueries,
    /// What was done and refused.
    pub audit: AuditLog,
    /// Settings.
    pub settings: Vec<SettingRow>,
}

impl SystemSources {
    /// The rows of a system table that the statement's caller may see.
    fn rows(&self, table: &SystemTable, ctx: &StatementContext) -> Vec<Row> {
        let (user, role) = (&ctx.caller.user, ctx.caller.role);
        let shows = |owner| table.audience.shows(role, user, owner);
        match table.name {
            "live_queries" => {
                let rows = self.live.live_query_rows();
                rows.iter()
                    .filter(|row| shows(&row.live_id.user_id))
                    .map(kalamdb_system::LiveQueryRow::to_row)
                    .collect()
            }
            "connections" => {
                let rows = self.live.connection_rows();
                rows.iter().filter(|row| shows(&row.user_id)).map(kalamdb_system::ConnectionRow::to_row).collect()
            }
            "users" => users::rows(&self.users, role),
            "namespaces" => namespaces::rows(&ctx.catalog, user, role),
            "tables" => tables::rows(&ctx.catalog, user, role),
            "columns" => table_columns::rows(&ctx.catalog, user, role),
            "grants" => grants::rows(&ctx.catalog, user, role),
            "settings" if table.audience.admits(role) => self.settings.iter().map(SettingRow::to_row).collect(),
            _ => Vec::new(),
        }
    }
}

/// A system table.
#[derive(Debug)]
pub struct SystemView {
    table: &'static SystemTable,
    sources: Arc<SystemSources>,
    schema: SchemaRef,
}

impl SystemView {
    /// The table, with its rows coming from `sources`.
    #[must_use]
    pub fn new(table: &'static SystemTable, sources: Arc<SystemSources>) -> Self {
        let fields = table.columns.iter().map(|column| arrow_field(column.name, &column.data_type, !column.not_null));
        SystemView { table, sources, schema: Arc::new(Schema::new(fields.collect::<Vec<_>>())) }
    }

    /// Which table it is.
    #[must_use]
    pub fn table(&self) -> &'static SystemTable {
        self.table
    }
}

#[async_trait]
impl TableProvider for SystemView {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let view = View::of(state)?;
        if self.table.name == kalamdb_system::audit::TABLE.name && self.table.audience.admits(view.ctx.caller.role) {
            return audit::scan(&self.sources.audit, &self.schema, projection, limit);
        }
        let rows = self.sources.rows(self.table, &view.ctx);
        let types: Vec<DataType> = self.table.columns.iter().map(|column| column.data_type).collect();
        scan_of(batch_of(self.schema(), &types, &rows)?, projection)
    }
}
