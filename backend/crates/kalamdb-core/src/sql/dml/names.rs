//! Names in the expressions of a write.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Expr, VisitMut as _, VisitorMut};

use super::select::quoted;
use super::target::{Target, same_name};

/// `expr` with `namespace.table.column` cut down to `table.column` where the target is meant: rows that
/// are not stored yet stand in a query under the table's name alone.
pub(super) fn shorten(expr: &Expr, target: &Target) -> Expr {
    struct Shorten<'a>(&'a Target);
    impl VisitorMut for Shorten<'_> {
        type Break = ();

        fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
            if let Expr::CompoundIdentifier(parts) = expr
                && let [namespace, table, _] = parts.as_slice()
                && same_name(namespace, &quoted(self.0.def().name.namespace.as_str()))
                && self.0.is_named(table)
            {
                parts.remove(0);
            }
            ControlFlow::Continue(())
        }
    }
    let mut expr = expr.clone();
    let _: ControlFlow<()> = expr.visit(&mut Shorten(target));
    expr
}
