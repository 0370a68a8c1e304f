//! How large expressions become when the planner's optimiser writes them out.
//!
//! `COALESCE(a, b)` becomes `CASE WHEN a IS NOT NULL THEN a ELSE b END`, `a BETWEEN b AND c` becomes two
//! comparisons of `a`, and a CASE of truth values repeats its conditions. Each repeats what stands
//! in it; nested, a short text becomes an expression that no machine can hold. So it is counted before.

use datafusion::arrow::datatypes::DataType as ArrowType;
use datafusion::common::tree_node::{TreeNode as _, TreeNodeRecursion};
use datafusion::error::Result as PlanResult;
use datafusion::logical_expr::expr::Case;
use datafusion::logical_expr::{Expr, LogicalPlan};
use kalamdb_commons::ErrorCode;

use crate::error::SqlError;
use crate::sql::error_map::from_datafusion;

/// Operators, columns and constants that all expressions of a query may have once written out.
const WRITTEN_OUT_MAX: usize = 200_000;

/// Fails for a plan whose expressions would become too large.
///
/// # Errors
/// `TOO_LARGE`.
pub(super) fn check(plan: &LogicalPlan) -> Result<(), SqlError> {
    let total = weight_of_plan(plan).map_err(|error| from_datafusion(&error))?;
    if total > WRITTEN_OUT_MAX {
        let text = format!(
            "an expression is too large once COALESCE, BETWEEN and CASE are written out; the limit is {WRITTEN_OUT_MAX}"
        );
        return Err(SqlError::new(ErrorCode::TooLarge, text));
    }
    Ok(())
}

fn weight_of_plan(plan: &LogicalPlan) -> PlanResult<usize> {
    let mut total = 0_usize;
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            total = total.saturating_add(weight(expr)?);
            Ok(TreeNodeRecursion::Continue)
        })
    })?;
    Ok(total)
}

/// Parts of an expression, each as often as it will stand there.
fn weight(expr: &Expr) -> PlanResult<usize> {
    let inner = match expr {
        Expr::Between(between) => {
            let bounds = weight(&between.low)?.saturating_add(weight(&between.high)?);
            weight(&between.expr)?.saturating_mul(2).saturating_add(bounds)
        }
        Expr::Case(case) => weight_of_case(case)?,
        Expr::ScalarFunction(call) if matches!(call.name(), "coalesce" | "nvl" | "nvl2") => {
            let mut sum = 0_usize;
            for arg in &call.args {
                sum = sum.saturating_add(weight(arg)?);
            }
            sum.saturating_mul(2)
        }
        _ => {
            let mut sum = 0_usize;
            expr.apply_children(|child| {
                sum = sum.saturating_add(weight(child)?);
                Ok(TreeNodeRecursion::Continue)
            })?;
            sum
        }
    };
    Ok(inner.saturating_add(1))
}

/// Each condition stands again in every branch behind it; only truth values are written out so.
fn weight_of_case(case: &Case) -> PlanResult<usize> {
    let gives_no_truth = |then: &Expr| match then {
        Expr::Literal(scalar, _) => !matches!(scalar.data_type(), ArrowType::Boolean | ArrowType::Null),
        _ => false,
    };
    let is_plain = case.expr.is_some() || case.when_then_expr.iter().any(|(_, then)| gives_no_truth(then));
    let mut sum = 0_usize;
    for (at, (when, then)) in case.when_then_expr.iter().enumerate() {
        let behind = case.when_then_expr.len().saturating_sub(at);
        let times = if is_plain { 1 } else { behind.saturating_add(1) };
        sum = sum.saturating_add(weight(when)?.saturating_mul(times)).saturating_add(weight(then)?);
    }
    for other in case.expr.iter().chain(&case.else_expr) {
        sum = sum.saturating_add(weight(other)?);
    }
    Ok(sum)
}

#[cfg(test)]
mod tests;
