//! The order of a result, as its client can keep it: which column decides first, and how.
//!
//! Each term of the query's ORDER BY is found among the selected columns, or is selected besides.
//! What SQL leaves open is said: NULLs come last, or first when descending.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Distinct, Expr, Ident, OrderByExpr, OrderByKind, Query, Select, SelectItem, Value, visit_expressions_mut,
};
use kalamdb_commons::protocol::SchemaField;

/// One term.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Term {
    pub column: TermColumn,
    pub desc: bool,
    pub nulls_first: bool,
}

/// Where a term's values are.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum TermColumn {
    /// In this column of the result.
    Selected(usize),
    /// In none of them: this must be selected besides.
    Besides(Box<Expr>),
}

/// The terms of a query's own ORDER BY, for a result of these columns, where `shown` names those that
/// show a column of the one table that the query's rows are of.
///
/// `None` if it has none, or one that cannot be told: in a DISTINCT or a set operation nothing can be
/// selected besides.
pub(super) fn terms(query: &Query, fields: &[SchemaField], shown: &[Option<String>]) -> Option<Vec<Term>> {
    let OrderByKind::Expressions(exprs) = &query.order_by.as_ref()?.kind else {
        return None;
    };
    let select = query.body.as_select();
    let items = select.map(|select| items(select, fields.len())).unwrap_or_default();
    let can_add = select.is_some_and(|select| matches!(select.distinct, None | Some(Distinct::All)));
    let term = |order: &OrderByExpr| {
        let found = selected(&order.expr, fields, &items).or_else(|| showing(&order.expr, shown));
        let column = match found {
            Some(at) => TermColumn::Selected(at),
            None => TermColumn::Besides(Box::new(without_aliases(&order.expr, select.filter(|_| can_add)?))),
        };
        let desc = order.options.asc == Some(false);
        Some(Term { column, desc, nulls_first: order.options.nulls_first.unwrap_or(desc) })
    };
    exprs.iter().map(term).collect()
}

/// Says in a query's ORDER BY what SQL leaves open.
pub(super) fn make_explicit(query: &mut Query) {
    let Some(OrderByKind::Expressions(exprs)) = query.order_by.as_mut().map(|order_by| &mut order_by.kind) else {
        return;
    };
    for order in exprs {
        let desc = order.options.asc == Some(false);
        order.options.nulls_first.get_or_insert(desc);
    }
}

/// The column of the result that a term of ORDER BY means, as the planner reads it: a number is a
/// place, a name first of all that of a result's column.
fn selected(expr: &Expr, fields: &[SchemaField], items: &[(usize, &Expr)]) -> Option<usize> {
    if let Expr::Value(value) = expr
        && let Value::Number(number, _) = &value.value
    {
        let place: usize = number.parse().ok()?;
        return place.checked_sub(1).filter(|&at| at < fields.len());
    }
    if let Expr::Identifier(ident) = expr {
        let name = folded(ident);
        let mut named = fields.iter().enumerate().filter(|(_, field)| field.name == name);
        if let Some((at, _)) = named.next() {
            return named.next().is_none().then_some(at);
        }
    }
    items.iter().find(|(_, item)| *item == expr).map(|(at, _)| *at)
}

/// The column of the result that shows the table's column that a term names.
fn showing(expr: &Expr, shown: &[Option<String>]) -> Option<usize> {
    let name = match expr {
        Expr::Identifier(ident) => folded(ident),
        Expr::CompoundIdentifier(parts) => folded(parts.last()?),
        _ => return None,
    };
    shown.iter().position(|column| column.as_ref() == Some(&name))
}

/// The expressions of a select list and their places; those between two wildcards have none that is known.
fn items(select: &Select, columns: usize) -> Vec<(usize, &Expr)> {
    let wildcards = |items: &[SelectItem]| items.iter().filter(|item| is_wildcard(item)).count();
    let all = select.projection.len();
    let place = |(at, item): (usize, &SelectItem)| match (item, select.projection.split_at_checked(at)?) {
        (_, (before, _)) if wildcards(before) == 0 => Some(at),
        (_, (_, behind)) if wildcards(behind) == 0 => columns.checked_sub(all.checked_sub(at)?),
        _ => None,
    };
    let placed =
        select.projection.iter().enumerate().filter_map(|(at, item)| Some((place((at, item))?, expr_of(item)?)));
    placed.collect()
}

fn is_wildcard(item: &SelectItem) -> bool {
    matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..))
}

fn expr_of(item: &SelectItem) -> Option<&Expr> {
    match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => Some(expr),
        SelectItem::ExprWithAliases { .. } | SelectItem::QualifiedWildcard(..) | SelectItem::Wildcard(_) => None,
    }
}

/// A term as it can stand in the select list, where the names given there are not known.
fn without_aliases(expr: &Expr, select: &Select) -> Expr {
    let mut expr = expr.clone();
    let _: ControlFlow<()> = visit_expressions_mut(&mut expr, |part| {
        if let Expr::Identifier(ident) = part
            && let Some(meant) = aliased(ident, select)
        {
            *part = Expr::Nested(Box::new(meant.clone()));
        }
        ControlFlow::Continue(())
    });
    expr
}

fn aliased<'a>(ident: &Ident, select: &'a Select) -> Option<&'a Expr> {
    let name = folded(ident);
    select.projection.iter().find_map(|item| match item {
        SelectItem::ExprWithAlias { expr, alias } if folded(alias) == name => Some(expr),
        _ => None,
    })
}

/// A name as the planner folds it.
pub(super) fn folded(ident: &Ident) -> String {
    if ident.quote_style.is_some() { ident.value.clone() } else { ident.value.to_ascii_lowercase() }
}

#[cfg(test)]
mod tests;
