//! Does a part of a statement read rows? Whoever may change rows but not read them is kept from it.
//!
//! Constants, and functions and operators over them, read nothing. Everything else counts as reading
//! the table that is written: a column's name, and a subquery, which may name columns of it too. What
//! is not known here counts as well, so a form of expression that is added reads until it is told apart.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    ConflictTarget, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, OnConflict, OnConflictAction, OnInsert,
    Query, SelectItem, Visit as _, Visitor,
};

use super::value::is_default;

/// May evaluating the expression read a row?
pub(super) fn reads(expr: &Expr) -> bool {
    !is_default(expr) && expr.visit(&mut Constant).is_break()
}

/// May answering with these read a row?
pub(super) fn returning_reads(items: Option<&Vec<SelectItem>>) -> bool {
    items.into_iter().flatten().any(|item| match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => reads(expr),
        SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..) | SelectItem::ExprWithAliases { .. } => true,
    })
}

/// What ON CONFLICT does with the rows that are there.
pub(super) struct ConflictUse {
    /// It looks at columns of theirs.
    pub reads: bool,
    /// It changes them.
    pub updates: bool,
}

/// What this ON CONFLICT does with the rows that are there. To say by which columns they conflict is to read them.
pub(super) fn conflict_use(on: &OnInsert) -> ConflictUse {
    let OnInsert::OnConflict(OnConflict { conflict_target, action }) = on else {
        return ConflictUse { reads: true, updates: true };
    };
    match (conflict_target, action) {
        (None, OnConflictAction::DoNothing) => ConflictUse { reads: false, updates: false },
        (Some(ConflictTarget::Columns(_) | ConflictTarget::OnConstraint(_)), OnConflictAction::DoNothing) => {
            ConflictUse { reads: true, updates: false }
        }
        (_, OnConflictAction::DoUpdate(_)) => ConflictUse { reads: true, updates: true },
    }
}

/// Breaks off at the first thing that is not known to be constant.
struct Constant;

impl Visitor for Constant {
    type Break = ();

    fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        ControlFlow::Break(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        let constant = match expr {
            Expr::Value(_)
            | Expr::TypedString(_)
            | Expr::Interval(_)
            | Expr::Nested(_)
            | Expr::UnaryOp { .. }
            | Expr::BinaryOp { .. }
            | Expr::Cast { .. }
            | Expr::IsNull(_)
            | Expr::IsNotNull(_)
            | Expr::IsTrue(_)
            | Expr::IsNotTrue(_)
            | Expr::IsFalse(_)
            | Expr::IsNotFalse(_)
            | Expr::InList { .. }
            | Expr::Between { .. }
            | Expr::Like { .. }
            | Expr::ILike { .. }
            | Expr::Case { .. } => true,
            Expr::Function(function) => match &function.args {
                FunctionArguments::None => true,
                FunctionArguments::List(list) => list.args.iter().all(|arg| match arg {
                    FunctionArg::Unnamed(arg) => matches!(arg, FunctionArgExpr::Expr(_)),
                    _ => false,
                }),
                FunctionArguments::Subquery(_) => false,
            },
            _ => false,
        };
        if constant { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }
}

#[cfg(test)]
mod tests;
