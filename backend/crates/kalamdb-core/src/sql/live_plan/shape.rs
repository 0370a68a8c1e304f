//! What a plan is made of, as far as live queries must know: do its rows stand for rows of its
//! tables, or for groups, and which of its columns show what of them.

use std::sync::Arc;

use datafusion::catalog::default_table_source::source_as_provider;
use datafusion::common::Column;
use datafusion::common::tree_node::{TreeNode as _, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, JoinType, LogicalPlan};
use kalamdb_system::TableDef;

use crate::tables::provider::StoredTable;

/// Where a column of a result comes from, unchanged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// A column of a table, by name.
    Column(String),
    /// A GROUP BY expression, by number.
    Group(usize),
}

/// Does each row of the result stand for one row of one table, or for one of each joined table?
///
/// Joins count as long as both sides show: a semi join hides one.
pub(super) fn is_row_wise(plan: &LogicalPlan) -> bool {
    let mut open = vec![plan];
    while let Some(plan) = open.pop() {
        match plan {
            LogicalPlan::TableScan(_) => {}
            LogicalPlan::Projection(_)
            | LogicalPlan::Filter(_)
            | LogicalPlan::Sort(_)
            | LogicalPlan::Limit(_)
            | LogicalPlan::Window(_)
            | LogicalPlan::SubqueryAlias(_) => open.extend(plan.inputs()),
            LogicalPlan::Join(join)
                if matches!(join.join_type, JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full) =>
            {
                open.extend(plan.inputs());
            }
            _ => return false,
        }
    }
    true
}

/// The one table whose rows a row-wise plan shows; `None` for joins and for tables that are not stored.
pub(super) fn table_of(plan: &LogicalPlan) -> Option<Arc<TableDef>> {
    if !is_row_wise(plan) {
        return None;
    }
    let mut plan = plan;
    loop {
        plan = match plan {
            LogicalPlan::TableScan(scan) => {
                let provider = source_as_provider(&scan.source).ok()?;
                return provider.downcast_ref::<StoredTable>().map(|table| Arc::clone(table.def()));
            }
            LogicalPlan::Join(_) => return None,
            other => other.inputs().into_iter().next()?,
        }
    }
}

/// How many GROUP BY expressions tell the rows of a plan apart; `None` where they do not.
///
/// Without GROUP BY an aggregate has one row, and nothing is needed to tell it apart.
pub(super) fn groups(plan: &LogicalPlan) -> Option<usize> {
    let mut plan = plan;
    loop {
        plan = match plan {
            LogicalPlan::Projection(_)
            | LogicalPlan::Filter(_)
            | LogicalPlan::Sort(_)
            | LogicalPlan::Limit(_)
            | LogicalPlan::Window(_) => plan.inputs().into_iter().next()?,
            LogicalPlan::Aggregate(aggregate) => {
                let plain = !aggregate.group_expr.iter().any(|expr| matches!(expr, Expr::GroupingSet(_)));
                return plain.then_some(aggregate.group_expr.len());
            }
            _ => return None,
        }
    }
}

/// Where the column at `index` of a plan comes from; `None` if it is computed, or from a join.
pub(super) fn origin(plan: &LogicalPlan, index: usize) -> Option<Origin> {
    let (mut plan, mut index) = (plan, index);
    loop {
        (plan, index) = match plan {
            LogicalPlan::Projection(projection) => {
                let column = column_of(projection.expr.get(index)?)?;
                (projection.input.as_ref(), projection.input.schema().maybe_index_of_column(column)?)
            }
            LogicalPlan::Filter(filter) => (filter.input.as_ref(), index),
            LogicalPlan::Sort(sort) => (sort.input.as_ref(), index),
            LogicalPlan::Limit(limit) => (limit.input.as_ref(), index),
            LogicalPlan::SubqueryAlias(alias) => (alias.input.as_ref(), index),
            LogicalPlan::Window(window) => {
                let is_input = index < window.input.schema().fields().len();
                (window.input.as_ref(), is_input.then_some(index)?)
            }
            LogicalPlan::TableScan(scan) => {
                return Some(Origin::Column(scan.projected_schema.fields().get(index)?.name().clone()));
            }
            LogicalPlan::Aggregate(aggregate) => {
                return (index < aggregate.group_expr.len()).then_some(Origin::Group(index));
            }
            _ => return None,
        }
    }
}

/// Does the result depend on more of the table than each row by itself?
pub(super) fn looks_beyond_the_row(plan: &LogicalPlan) -> bool {
    let found = plan.exists(|plan| {
        let mut found = matches!(plan, LogicalPlan::Window(_));
        plan.apply_expressions(|expr| {
            found = found || expr.exists(|expr| Ok(holds_a_query(expr)))?;
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(found)
    });
    found.unwrap_or(true)
}

fn holds_a_query(expr: &Expr) -> bool {
    matches!(expr, Expr::Exists(_) | Expr::InSubquery(_) | Expr::ScalarSubquery(_) | Expr::SetComparison(_))
}

fn column_of(mut expr: &Expr) -> Option<&Column> {
    loop {
        match expr {
            Expr::Alias(alias) => expr = &alias.expr,
            Expr::Column(column) => return Some(column),
            _ => return None,
        }
    }
}
