//! What the names in a query mean: tables of the statement's catalog, system tables, functions.
//!
//! A table that the caller may not read is refused here, so nothing of it can get into a plan. One on
//! which it has no right at all does not exist for it.

use std::cell::Cell;
use std::sync::Arc;

use chrono::DateTime;
use datafusion::arrow::datatypes::{DataType as ArrowType, SchemaRef, TimeUnit};
use datafusion::catalog::{TableFunctionArgs, TableProvider};
use datafusion::common::config::ConfigOptions;
use datafusion::common::{DFSchema, ScalarValue, TableReference, plan_datafusion_err};
use datafusion::datasource::cte_worktable::CteWorkTable;
use datafusion::datasource::provider_as_source;
use datafusion::error::Result;
use datafusion::execution::SessionState;
use datafusion::logical_expr::planner::{ContextProvider, ExprPlanner, TypePlanner};
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{AggregateUDF, Expr, HigherOrderUDF, ScalarUDF, TableSource, WindowUDF};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use kalamdb_commons::{Name, TableName};
use kalamdb_system::system_table::SYSTEM_NAMESPACE;
use kalamdb_system::{Right, TableDef, system_table};

use super::session::QuerySession;
use super::types::ColumnTypes;
use super::{InlineTable, params};
use crate::context::StatementContext;
use crate::error::SqlError;
use crate::tables::external;
use crate::tables::inline::RowsTable;
use crate::tables::provider::StoredTable;
use crate::tables::system::SystemView;

/// Name of the one catalog.
const CATALOG: &str = "kalam";

/// The names that one query can use.
pub(super) struct Names<'a> {
    session: &'a QuerySession,
    state: &'a SessionState,
    ctx: &'a StatementContext,
    inline: &'a [InlineTable],
    /// Are the hidden columns of tables shown?
    with_hidden: bool,
    /// Has a parameter's value become part of the plan?
    pub(super) took_values: Cell<bool>,
}

/// The table that the caller means by a name, if it may read it.
///
/// # Errors
/// `NOT_FOUND`, `PERMISSION_DENIED`.
pub(super) fn readable<'a>(ctx: &'a StatementContext, name: &TableName) -> Result<&'a Arc<TableDef>, SqlError> {
    let def = ctx.catalog.table(name).filter(|def| ctx.caller.sees(def)).ok_or_else(|| unknown(&name.to_string()))?;
    if ctx.caller.may(Right::Select, def) || ctx.finds_in == Some(def.id) {
        return Ok(def);
    }
    Err(SqlError::denied(format!("no permission to read table \"{name}\": the right SELECT is missing")))
}

fn unknown(name: &str) -> SqlError {
    SqlError::not_found(format!("table \"{}\" does not exist", name.chars().take(200).collect::<String>()))
}

impl<'a> Names<'a> {
    pub(super) fn new(
        session: &'a QuerySession,
        ctx: &'a StatementContext,
        inline: &'a [InlineTable],
        with_hidden: bool,
    ) -> Self {
        Names { session, state: session.state(), ctx, inline, with_hidden, took_values: Cell::new(false) }
    }

    fn provider(&self, reference: &TableReference) -> Result<Arc<dyn TableProvider>> {
        if let TableReference::Bare { table } = reference
            && let Some(inline) = self.inline.iter().find(|inline| inline.name == table.as_ref())
        {
            return Ok(Arc::new(RowsTable::new(&inline.columns, &inline.rows)?));
        }
        self.named(reference).map_err(external)
    }

    fn named(&self, reference: &TableReference) -> Result<Arc<dyn TableProvider>, SqlError> {
        let not_there = || unknown(&reference.to_string());
        if reference.catalog().is_some_and(|catalog| catalog != CATALOG) {
            return Err(not_there());
        }
        let namespace = match reference.schema() {
            Some(schema) => Name::new(schema).map_err(|_| not_there())?,
            None => self.ctx.namespace.clone(),
        };
        if namespace.as_str() == SYSTEM_NAMESPACE {
            let table = system_table(reference.table())
                .ok_or_else(|| unknown(&format!("{SYSTEM_NAMESPACE}.{}", reference.table())))?;
            if !table.audience.admits(self.ctx.caller.role) {
                let text = format!("no permission to read table \"{SYSTEM_NAMESPACE}.{}\"", table.name);
                return Err(SqlError::denied(text));
            }
            return Ok(Arc::new(SystemView::new(table, Arc::clone(self.session.system()))));
        }
        let table = Name::new(reference.table()).map_err(|_| not_there())?;
        let def = readable(self.ctx, &TableName { namespace, table })?;
        Ok(Arc::new(StoredTable::new(Arc::clone(def), self.with_hidden)))
    }

    /// The arguments of a table function, which must be constants.
    fn constants(&self, args: Vec<Expr>) -> Result<Vec<Expr>> {
        let context = SimplifyContext::builder()
            .with_config_options(Arc::clone(self.state.config_options()))
            .with_query_execution_start_time(DateTime::from_timestamp_micros(self.ctx.now_micros))
            .build();
        let simplifier = ExprSimplifier::new(context);
        let schema = DFSchema::empty();
        let constant = |arg: Expr| {
            let (arg, took) = params::literals(arg, &self.ctx.params)?;
            self.took_values.set(self.took_values.get() || took);
            simplifier.simplify(simplifier.coerce(arg, &schema)?).and_then(in_nanoseconds)
        };
        args.into_iter().map(constant).collect()
    }
}

/// Table functions know points in time in nanoseconds only.
fn in_nanoseconds(arg: Expr) -> Result<Expr> {
    match &arg {
        Expr::Literal(scalar @ ScalarValue::TimestampMicrosecond(_, zone), _) => {
            let nanoseconds = ArrowType::Timestamp(TimeUnit::Nanosecond, zone.clone());
            Ok(Expr::Literal(scalar.cast_to(&nanoseconds)?, None))
        }
        _ => Ok(arg),
    }
}

impl ContextProvider for Names<'_> {
    fn get_table_source(&self, name: TableReference) -> Result<Arc<dyn TableSource>> {
        self.provider(&name).map(provider_as_source)
    }

    fn get_table_function_source(&self, name: &str, args: Vec<Expr>) -> Result<Arc<dyn TableSource>> {
        let function = self.state.table_functions().get(&name.to_lowercase()).cloned();
        let function = function.ok_or_else(|| plan_datafusion_err!("table function '{name}' not found"))?;
        let args = self.constants(args)?;
        let args = TableFunctionArgs::new(&args, self.state);
        Ok(provider_as_source(function.create_table_provider_with_args(args)?))
    }

    fn create_cte_work_table(&self, name: &str, schema: SchemaRef) -> Result<Arc<dyn TableSource>> {
        Ok(provider_as_source(Arc::new(CteWorkTable::new(name, schema))))
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        self.state.expr_planners()
    }

    fn get_type_planner(&self) -> Option<Arc<dyn TypePlanner>> {
        Some(Arc::new(ColumnTypes))
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        self.state.scalar_functions().get(name).cloned()
    }

    fn get_higher_order_meta(&self, name: &str) -> Option<Arc<HigherOrderUDF>> {
        self.state.higher_order_functions().get(name).cloned()
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        self.state.aggregate_functions().get(name).cloned()
    }

    fn get_window_meta(&self, name: &str) -> Option<Arc<WindowUDF>> {
        self.state.window_functions().get(name).cloned()
    }

    fn get_variable_type(&self, _: &[String]) -> Option<ArrowType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        self.state.config_options()
    }

    fn udf_names(&self) -> Vec<String> {
        self.state.scalar_functions().keys().cloned().collect()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        self.state.higher_order_functions().keys().cloned().collect()
    }

    fn udaf_names(&self) -> Vec<String> {
        self.state.aggregate_functions().keys().cloned().collect()
    }

    fn udwf_names(&self) -> Vec<String> {
        self.state.window_functions().keys().cloned().collect()
    }
}
