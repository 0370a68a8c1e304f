//! Putting values into plans: parameters, and what a statement knows of itself.

use datafusion::arrow::datatypes::FieldRef;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::expr::Placeholder;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, LogicalPlan};

use super::params;
use crate::context::StatementContext;
use crate::sql::functions::checked::checked;
use crate::sql::functions::guards::{guarded_in, share};
use crate::sql::functions::patterns;
use crate::sql::functions::session::SessionValue;
use crate::tables::arrow::{arrow_field, typed_scalar};

/// A plan with parameters and, of what the statement knows of itself, what depends on the caller.
///
/// # Errors
/// When the planner cannot rebuild the plan.
pub(super) fn for_caller(
    plan: LogicalPlan,
    ctx: &StatementContext,
    values: &[(ScalarValue, FieldRef)],
) -> Result<LogicalPlan> {
    let bound = each_expression(plan, &|expr, _| match SessionValue::called_by(&expr) {
        Some(value) if value.is_of_caller() => Ok(Transformed::yes(session_literal(value, ctx))),
        Some(_) => Ok(Transformed::no(expr)),
        None => Ok(placeholder_value(expr, ctx, values)),
    })?;
    // A literal is never NULL where a placeholder may have been, and that shows in schemas above it.
    bound.transform_up_with_subqueries(|node| node.recompute_schema().map(Transformed::yes)).data()
}

/// A plan as it is run: with the statement's own values, checked arithmetic and guards.
///
/// # Errors
/// When the planner cannot rebuild the plan.
pub(super) fn for_running(plan: LogicalPlan, ctx: &StatementContext) -> Result<LogicalPlan> {
    let bytes_max = share(&plan)?;
    each_expression(plan, &|expr, schema| match SessionValue::called_by(&expr) {
        Some(value) => Ok(Transformed::yes(session_literal(value, ctx))),
        None => safe(expr, schema, bytes_max),
    })
}

/// A plan as it is kept: as it is run, but with placeholders for the statement's own values.
///
/// # Errors
/// When the planner cannot rebuild the plan.
pub(super) fn for_keeping(plan: LogicalPlan) -> Result<LogicalPlan> {
    let bytes_max = share(&plan)?;
    each_expression(plan, &|expr, schema| match SessionValue::called_by(&expr) {
        Some(value) => {
            let field = arrow_field("", &value.data_type(), false);
            let placeholder = Placeholder::new_with_field(value.placeholder().to_owned(), Some(field.into()));
            Ok(Transformed::yes(Expr::Placeholder(placeholder)))
        }
        None => safe(expr, schema, bytes_max),
    })
}

/// A kept plan with all its values.
///
/// # Errors
/// When the planner cannot rebuild the plan.
pub(super) fn kept(
    plan: LogicalPlan,
    ctx: &StatementContext,
    values: &[(ScalarValue, FieldRef)],
) -> Result<LogicalPlan> {
    each_expression(plan, &|expr, _| Ok(placeholder_value(expr, ctx, values)))
}

fn safe(expr: Expr, schema: &DFSchema, bytes_max: u64) -> Result<Transformed<Expr>> {
    let safe = checked(expr, schema)?.transform_data(|expr| guarded_in(expr, schema, bytes_max))?;
    safe.transform_data(|expr| Ok(patterns::bounded(expr)))
}

fn placeholder_value(expr: Expr, ctx: &StatementContext, values: &[(ScalarValue, FieldRef)]) -> Transformed<Expr> {
    let Expr::Placeholder(Placeholder { id, .. }) = &expr else { return Transformed::no(expr) };
    if let Some((scalar, field)) = params::value_of(id, values) {
        return Transformed::yes(params::literal(scalar.clone(), field));
    }
    match SessionValue::ALL.into_iter().find(|value| value.placeholder() == id) {
        Some(value) => Transformed::yes(session_literal(value, ctx)),
        None => Transformed::no(expr),
    }
}

fn session_literal(value: SessionValue, ctx: &StatementContext) -> Expr {
    Expr::Literal(typed_scalar(&value.of(ctx), &value.data_type()), None)
}

/// Rewrites every expression of a plan, innermost parts first. Names of columns stay as they are.
fn each_expression(
    plan: LogicalPlan,
    rewrite: &dyn Fn(Expr, &DFSchema) -> Result<Transformed<Expr>>,
) -> Result<LogicalPlan> {
    plan.transform_up_with_subqueries(|node| {
        let mut schema = merge_schema(&node.inputs());
        if let LogicalPlan::TableScan(scan) = &node {
            schema.merge(&DFSchema::try_from_qualified_schema(scan.table_name.clone(), &scan.source.schema())?);
        }
        let names = NamePreserver::new(&node);
        node.map_expressions(|expr| {
            let name = names.save(&expr);
            let rewritten = expr.transform_up(|expr| rewrite(expr, &schema))?;
            Ok(if rewritten.transformed { rewritten.update_data(|expr| name.restore(expr)) } else { rewritten })
        })
    })
    .data()
}
