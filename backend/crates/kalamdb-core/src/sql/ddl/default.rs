//! DEFAULT expressions of columns.
//!
//! A DEFAULT is kept as its SQL text and evaluated with every INSERT that leaves the column out, so
//! it is tried once before it is kept: it must read back as it was written, name no column, table or
//! parameter, and give a value that the column takes. What it gives for a column that is added is
//! also what the rows hold that are there already, so then it must not differ from row to row.

use std::ops::ControlFlow;

use datafusion::common::tree_node::{TreeNode as _, TreeNodeRecursion};
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::sqlparser::ast::{self, Expr, SelectItem, SetExpr, Spanned as _, Visit as _, Visitor};
use kalamdb_commons::{ErrorCode, Value};
use kalamdb_system::NewColumn;

use crate::context::StatementContext;
use crate::engine::parts::EngineParts;
use crate::error::SqlError;
use crate::options::Limits;
use crate::sql::statement::{ColumnSpec, Statement};
use crate::sql::{error_map, expression, grammar, query, script};

/// A column of a table to be: no row is there yet.
pub(super) async fn new_column(
    engine: &EngineParts,
    ctx: &StatementContext,
    spec: &ColumnSpec,
) -> Result<NewColumn, SqlError> {
    if let Some(expr) = &spec.default {
        Trial { engine, ctx, spec, expr }.value(false).await?;
    }
    Ok(column(spec, Value::Null))
}

/// A column that a table gets, with what the rows hold in it that are there already.
pub(super) async fn added_column(
    engine: &EngineParts,
    ctx: &StatementContext,
    spec: &ColumnSpec,
) -> Result<NewColumn, SqlError> {
    let fill = match &spec.default {
        Some(expr) => Trial { engine, ctx, spec, expr }.value(true).await?,
        None => Value::Null,
    };
    let max = engine.limits.row_bytes_max;
    if fill.size_bytes() > max {
        let text = format!("the DEFAULT of column \"{}\" is longer than {max} bytes", spec.name);
        return Err(SqlError::new(ErrorCode::TooLarge, text));
    }
    Ok(column(spec, fill))
}

fn column(spec: &ColumnSpec, fill: Value) -> NewColumn {
    NewColumn {
        name: spec.name.clone(),
        data_type: spec.data_type,
        not_null: spec.not_null,
        default: spec.default.as_ref().map(Expr::to_string),
        fill,
    }
}

/// A DEFAULT that is tried.
struct Trial<'a> {
    engine: &'a EngineParts,
    ctx: &'a StatementContext,
    spec: &'a ColumnSpec,
    expr: &'a Expr,
}

impl Trial<'_> {
    /// What the expression gives now, as a value of the column.
    async fn value(&self, for_old_rows: bool) -> Result<Value, SqlError> {
        if let ControlFlow::Break(error) = self.expr.visit(&mut SelfContained) {
            return Err(self.here(error));
        }
        let again = script::parse_expression(&self.expr.to_string(), &self.engine.limits);
        if again.as_ref() != Ok(self.expr) {
            return Err(self.here(SqlError::unsupported("this notation cannot be kept as a DEFAULT")));
        }
        let value = match expression::constant(self.expr, &[]) {
            Some(value) => value,
            None => self.evaluate(for_old_rows).await.map_err(|error| self.here(error))?,
        };
        value.assign_to(&self.spec.data_type).map_err(|error| {
            let text = format!("the DEFAULT of column \"{}\" does not fit: {error}", self.spec.name);
            self.here(SqlError::constraint(text))
        })
    }

    async fn evaluate(&self, for_old_rows: bool) -> Result<Value, SqlError> {
        let select = select(self.expr.clone(), &self.engine.limits)?;
        let planned = query::plan(&self.engine.session, self.ctx, &select).await?;
        let shape = Shape::of(&planned.plan).map_err(|error| error_map::from_datafusion(&error))?;
        if !planned.tables.is_empty() || planned.system_tables || !shape.is_scalar {
            return Err(SqlError::unsupported("a DEFAULT is made of constants and scalar functions only"));
        }
        if for_old_rows && (shape.differs_by_row || planned.depends_on_caller) {
            return Err(SqlError::unsupported(format!(
                "the DEFAULT of column \"{}\" differs from row to row, so rows that are there already cannot have \
                 it; add the column without it",
                self.spec.name
            )));
        }
        let rows = query::collect(&self.engine.session, self.ctx, &planned).await?;
        let value = rows.first().and_then(|row| row.first()).cloned();
        value.ok_or_else(|| SqlError::internal("a DEFAULT gave no row"))
    }

    /// The error at the expression's place, unless it has a better one.
    fn here(&self, error: SqlError) -> SqlError {
        let column = self.expr.span().start.column;
        error.at(u32::try_from(column).ok().filter(|&column| column > 0))
    }
}

/// Refuses what would make an expression depend on something else than the statement's time and caller.
struct SelfContained;

impl Visitor for SelfContained {
    type Break = SqlError;

    fn pre_visit_query(&mut self, _: &ast::Query) -> ControlFlow<SqlError> {
        ControlFlow::Break(SqlError::unsupported("a DEFAULT cannot hold a subquery"))
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<SqlError> {
        match expr {
            Expr::Identifier(_) | Expr::CompoundIdentifier(_) => {
                ControlFlow::Break(SqlError::unsupported("a DEFAULT cannot name a column"))
            }
            Expr::Value(value) if matches!(value.value, ast::Value::Placeholder(_)) => {
                ControlFlow::Break(SqlError::new(ErrorCode::InvalidParameter, "a DEFAULT cannot hold a parameter"))
            }
            _ => ControlFlow::Continue(()),
        }
    }
}

/// `SELECT expr`, with the expression's places in the request.
fn select(expr: Expr, limits: &Limits) -> Result<Box<ast::Query>, SqlError> {
    let tokens = script::split("SELECT NULL", limits)?.pop();
    let parsed = tokens.map(|tokens| grammar::parse(tokens, limits)).transpose()?;
    if let Some(Statement::Query(mut query)) = parsed
        && let SetExpr::Select(select) = query.body.as_mut()
    {
        select.projection = vec![SelectItem::UnnamedExpr(expr)];
        return Ok(query);
    }
    Err(SqlError::internal("a SELECT did not parse as one"))
}

/// What a plan of one expression says of it.
struct Shape {
    /// It gives one value, from functions of the statement alone.
    is_scalar: bool,
    /// It gives another value each time it is called.
    differs_by_row: bool,
}

impl Shape {
    fn of(plan: &LogicalPlan) -> Result<Shape, datafusion::error::DataFusionError> {
        let mut shape = Shape { is_scalar: true, differs_by_row: false };
        plan.apply(|node| {
            shape.is_scalar &= !matches!(
                node,
                LogicalPlan::Aggregate(_) | LogicalPlan::Window(_) | LogicalPlan::Unnest(_) | LogicalPlan::TableScan(_)
            );
            node.apply_expressions(|expr| {
                shape.differs_by_row |= expr.is_volatile();
                Ok(TreeNodeRecursion::Continue)
            })
        })?;
        Ok(shape)
    }
}
