//! From a query to a plan with placeholders, and from that to a planned query.

use std::cell::Cell;
use std::sync::Arc;

use datafusion::arrow::datatypes::FieldRef;
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::planner::{PlannerContext, SqlToRel};
use datafusion::sql::sqlparser::ast;
use kalamdb_commons::protocol::SchemaField;

use super::column_names::{Apart, ColumnNames};
use super::names::Names;
use super::params::{self, Fit, ParamType};
use super::session::QuerySession;
use super::shape::{self, ReadTable, Traits};
use super::{InlineTable, PlannedQuery, PlannedTable, bind, column_names, hidden, notation, weight};
use crate::context::StatementContext;
use crate::error::SqlError;
use crate::sql::error_map::from_datafusion;

/// A query's analysed plan, with typed placeholders where its parameters are.
#[derive(Debug, Clone)]
pub(super) struct Prepared {
    pub plan: LogicalPlan,
    pub params: Vec<ParamType>,
    pub schema: Arc<[SchemaField]>,
    pub tables: Vec<ReadTable>,
    pub traits: Traits,
    /// Values of parameters are part of the plan, so it serves only this statement.
    pub holds_values: bool,
}

impl Prepared {
    /// Plans a query.
    ///
    /// # Errors
    /// [`SqlError`] when it names what is not there or may not be read, or makes no sense.
    pub(super) fn new(
        session: &QuerySession,
        ctx: &StatementContext,
        query: &ast::Query,
        inline: &[InlineTable],
    ) -> Result<Prepared, SqlError> {
        let count = params::count(query, ctx.params.len())?;
        let with_hidden = hidden::are_named(query);
        let planner = Planner { session, ctx, inline, with_hidden, took_values: Cell::new(false) };
        let (plan, params, names) = match planner.plan_named(query, count, Apart::WhereAlike) {
            Err(error) if error.message.starts_with("Projections require unique") => {
                planner.plan_named(query, count, Apart::Always)?
            }
            planned => planned?,
        };
        let analysed = session
            .state()
            .analyzer()
            .execute_and_check(plan, session.state().config_options(), |_, _| {})
            .map_err(|error| from_datafusion(&error))?;
        weight::check(&analysed)?;
        let schema = shape::schema(&analysed, &names, session.limits().columns_max)?;
        let (tables, traits) = shape::reads(&analysed).map_err(|error| from_datafusion(&error))?;
        let holds_values = planner.took_values.get();
        Ok(Prepared { plan: analysed, params, schema: schema.into(), tables, traits, holds_values })
    }

    /// Would a plan for this statement's parameters have the same types?
    pub(super) fn serves(&self, ctx: &StatementContext) -> bool {
        let same = |(json, param): (&serde_json::Value, &ParamType)| {
            !param.natural || json.is_null() || params::natural(json) == param.field
        };
        ctx.params.iter().zip(&self.params).all(same)
    }

    /// The values of the statement's parameters; `None` if one of them needs another type than the plan has.
    ///
    /// # Errors
    /// `INVALID_PARAMETER`.
    pub(super) fn values(&self, ctx: &StatementContext) -> Result<Option<Vec<(ScalarValue, FieldRef)>>, SqlError> {
        let mut values = Vec::with_capacity(self.params.len());
        for (place, (json, param)) in ctx.params.iter().zip(&self.params).enumerate() {
            match params::fit(place, json, &param.field)? {
                Fit::Exact(scalar) => values.push((scalar, Arc::clone(&param.field))),
                Fit::Wider(_) => return Ok(None),
            }
        }
        Ok(Some(values))
    }

    /// The query with its parameters bound.
    ///
    /// # Errors
    /// `INVALID_PARAMETER`.
    pub(super) fn bind(self, ctx: &StatementContext) -> Result<PlannedQuery, SqlError> {
        let values = self.values(ctx)?;
        let values = values.ok_or_else(|| SqlError::internal("a plan is bound to parameters of another statement"))?;
        let plan = bind::for_caller(self.plan, ctx, &values).map_err(|error| from_datafusion(&error))?;
        let scoped = |read: ReadTable| {
            let scope = ctx.caller.scope_of(&read.def);
            PlannedTable { def: read.def, scope, slots: read.slots }
        };
        Ok(PlannedQuery {
            schema: self.schema,
            plan,
            tables: self.tables.into_iter().map(scoped).collect(),
            system_tables: !self.traits.system_tables.is_empty(),
            volatile: self.traits.volatile,
            depends_on_caller: self.traits.depends_on_caller,
            uses_indexes: true,
        })
    }
}

struct Planner<'a> {
    session: &'a QuerySession,
    ctx: &'a StatementContext,
    inline: &'a [InlineTable],
    with_hidden: bool,
    took_values: Cell<bool>,
}

impl Planner<'_> {
    /// The plan, the type of each parameter, and what the columns are called.
    fn plan_named(
        &self,
        query: &ast::Query,
        count: usize,
        apart: Apart,
    ) -> Result<(LogicalPlan, Vec<ParamType>, ColumnNames), SqlError> {
        let mut query = query.clone();
        let names = column_names::settle(&mut query, apart);
        notation::translate(&mut query)?;
        if self.with_hidden {
            hidden::keep_out_of_wildcards(&mut query, self.inline)?;
        }
        let (plan, params) = self.plan_with_types(query, count)?;
        Ok((plan, params, names))
    }

    /// The plan, and the type of each parameter. A query whose parameters have a type of their own is planned twice.
    fn plan_with_types(&self, query: ast::Query, count: usize) -> Result<(LogicalPlan, Vec<ParamType>), SqlError> {
        if count == 0 {
            return Ok((self.plan(query, Vec::new())?, Vec::new()));
        }
        let plan = self.plan(query.clone(), Vec::new())?;
        let inferred = params::inferred(&plan, count).map_err(|error| from_datafusion(&error))?;
        let mut settled = true;
        let mut types = Vec::with_capacity(count);
        for (place, (json, inferred)) in self.ctx.params.iter().zip(inferred).enumerate() {
            types.push(match inferred {
                None => {
                    settled = false;
                    ParamType { field: params::natural(json), natural: true }
                }
                Some(field) => match params::fit(place, json, &field)? {
                    Fit::Exact(_) => ParamType { field, natural: false },
                    Fit::Wider(field) => {
                        settled = false;
                        ParamType { field, natural: true }
                    }
                },
            });
        }
        if settled {
            return Ok((plan, types));
        }
        let fields = types.iter().map(|param| Some(Arc::clone(&param.field))).collect();
        Ok((self.plan(query, fields)?, types))
    }

    fn plan(&self, query: ast::Query, param_types: Vec<Option<FieldRef>>) -> Result<LogicalPlan, SqlError> {
        let names = Names::new(self.session, self.ctx, self.inline, self.with_hidden);
        let planner = SqlToRel::new(&names);
        let mut context = PlannerContext::new().with_prepare_param_data_types(param_types);
        let statement = ast::Statement::Query(Box::new(query));
        let plan = planner
            .sql_statement_to_plan_with_context(statement, &mut context)
            .map_err(|error| from_datafusion(&error))?;
        self.took_values.set(self.took_values.get() || names.took_values.get());
        only_reads(&plan)?;
        Ok(plan)
    }
}

/// Fails for a plan that would do more than read, such as that of SELECT INTO.
fn only_reads(plan: &LogicalPlan) -> Result<(), SqlError> {
    let mut reads = true;
    plan.apply_with_subqueries(|node| {
        reads = reads
            && !matches!(
                node,
                LogicalPlan::Ddl(_)
                    | LogicalPlan::Dml(_)
                    | LogicalPlan::Copy(_)
                    | LogicalPlan::Statement(_)
                    | LogicalPlan::Explain(_)
                    | LogicalPlan::Analyze(_)
                    | LogicalPlan::DescribeTable(_)
            );
        Ok(if reads { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
    })
    .map_err(|error| from_datafusion(&error))?;
    if reads { Ok(()) } else { Err(SqlError::unsupported("a query can only read; SELECT INTO is not supported")) }
}
