//! `x IN (…)` whose list holds a NULL or something that is no constant.
//!
//! The planner's optimiser puts two lists for one `x` together as if their members were different and known
//! whenever they are not written alike: of `x IN (1) AND x NOT IN (2, NULL)` and of `x IN (y) AND x NOT IN (1)` it
//! forgets the second part. So just before a plan is run only constants stay in a list, and the rest stands beside it.

use datafusion::common::tree_node::Transformed;
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};

/// The expression with its outermost list split, if that is needed.
#[must_use]
pub fn split(expr: Expr) -> Transformed<Expr> {
    let is_constant = |member: &Expr| matches!(member, Expr::Literal(value, _) if !value.is_null());
    let InList { expr: of, list, negated } = match expr {
        Expr::InList(list) if !list.list.iter().all(is_constant) && !list.expr.is_volatile() => list,
        other => return Transformed::no(other),
    };
    let (constants, others): (Vec<Expr>, Vec<Expr>) = list.into_iter().partition(is_constant);
    let (compare, join) = if negated { (Operator::NotEq, Operator::And) } else { (Operator::Eq, Operator::Or) };
    let binary = |left: Expr, operator, right: Expr| {
        Expr::BinaryExpr(BinaryExpr { left: Box::new(left), op: operator, right: Box::new(right) })
    };
    let rest = others.into_iter().map(|member| binary(of.as_ref().clone(), compare, member));
    let known =
        (!constants.is_empty()).then(|| Expr::InList(InList { expr: of.clone(), list: constants.clone(), negated }));
    let parts = known.into_iter().chain(rest).reduce(|left, right| binary(left, join, right));
    match parts {
        Some(parts) => Transformed::yes(parts),
        None => Transformed::no(Expr::InList(InList { expr: of, list: Vec::new(), negated })),
    }
}
