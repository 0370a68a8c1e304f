//! What the columns of a result are called.
//!
//! A column without an alias is called as it is written, in lower case. The planner wants every
//! column of a SELECT to have a name of its own, so those that would be called alike are given
//! other names on their way through it.

use std::collections::BTreeSet;

use datafusion::sql::sqlparser::ast::{Expr, Ident, Query, SelectItem, SetExpr};

/// Longest name of a column that has no alias, in characters.
const NAME_CHARS_MAX: usize = 128;

/// Names of a result's columns, as far as the query's text tells them.
#[derive(Debug, Default)]
pub(super) struct ColumnNames {
    /// Those before the first wildcard; the first column's first.
    front: Vec<Option<String>>,
    /// Those behind the last wildcard; the last column's first.
    back: Vec<Option<String>>,
    /// There is no wildcard, so that `front` is all of them.
    complete: bool,
}

impl ColumnNames {
    /// The name of the column at a place of so many; `None`: as the plan has it.
    pub(super) fn name_of(&self, at: usize, columns: usize) -> Option<String> {
        if self.complete {
            return self.front.get(at).filter(|_| self.front.len() == columns).cloned().flatten();
        }
        if let Some(name) = self.front.get(at) {
            return name.clone();
        }
        let from_back = columns.checked_sub(at)?.checked_sub(1)?;
        self.back.get(from_back).cloned().flatten()
    }
}

/// Which columns get other names on their way through the planner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Apart {
    /// Those that are written alike.
    WhereAlike,
    /// All expressions: the planner calls some alike that are not, such as casts to two types.
    Always,
}

/// The names of a query's columns. Gives other names to those that the planner could not tell apart.
pub(super) fn settle(query: &mut Query, apart: Apart) -> ColumnNames {
    let mut names = None;
    settle_body(&mut query.body, apart, &mut names);
    names.unwrap_or_default()
}

fn settle_body(body: &mut SetExpr, apart: Apart, names: &mut Option<ColumnNames>) {
    match body {
        SetExpr::Select(select) => {
            let found = settle_items(&mut select.projection, apart);
            // The first SELECT of a UNION gives the names.
            names.get_or_insert(found);
        }
        SetExpr::SetOperation { left, right, .. } => {
            settle_body(left, apart, names);
            settle_body(right, apart, names);
        }
        SetExpr::Query(query) => settle_body(&mut query.body, apart, names),
        SetExpr::Values(_)
        | SetExpr::Insert(_)
        | SetExpr::Update(_)
        | SetExpr::Delete(_)
        | SetExpr::Merge(_)
        | SetExpr::Table(_) => {
            names.get_or_insert_default();
        }
    }
}

fn settle_items(items: &mut [SelectItem], apart: Apart) -> ColumnNames {
    let is_wildcard = |item: &SelectItem| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..));
    let first = items.iter().position(is_wildcard);
    let last = items.iter().rposition(is_wildcard);
    let mut seen = BTreeSet::new();
    let mut names = Vec::with_capacity(items.len());
    for (at, item) in items.iter_mut().enumerate() {
        names.push(settle_item(at, item, (first.is_some(), apart), &mut seen));
    }
    match (first, last) {
        (Some(first), Some(last)) => {
            let back = names.drain(last..).skip(1).rev().collect();
            names.truncate(first);
            ColumnNames { front: names, back, complete: false }
        }
        _ => ColumnNames { front: names, back: Vec::new(), complete: true },
    }
}

fn settle_item(
    at: usize,
    item: &mut SelectItem,
    (beside_wildcard, apart): (bool, Apart),
    seen: &mut BTreeSet<String>,
) -> Option<String> {
    let other = || Ident::with_quote('"', format!("column {at}"));
    match item {
        SelectItem::UnnamedExpr(expr) => {
            let plain = plain_name(expr);
            let text = lower(&expr.to_string());
            let unseen = seen.insert(text.clone());
            // A wildcard may hold the same column.
            if !unseen || apart == Apart::Always || (plain.is_some() && beside_wildcard) {
                let alias = other();
                *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
            }
            Some(plain.unwrap_or_else(|| text.chars().take(NAME_CHARS_MAX).collect()))
        }
        SelectItem::ExprWithAlias { alias, .. } => {
            let name = folded(alias);
            if !seen.insert(format!("as {name}")) {
                *alias = other();
            }
            Some(name)
        }
        SelectItem::ExprWithAliases { .. } | SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..) => None,
    }
}

/// The name of a column that stands there as such.
fn plain_name(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Identifier(ident) => Some(folded(ident)),
        Expr::CompoundIdentifier(parts) => parts.last().map(folded),
        Expr::Nested(inner) => plain_name(inner),
        _ => None,
    }
}

/// A name in the form that it has in the catalog.
pub(super) fn folded(ident: &Ident) -> String {
    if ident.quote_style.is_some() { ident.value.clone() } else { ident.value.to_lowercase() }
}

/// Lower case, but for what stands in quotes.
fn lower(text: &str) -> String {
    let mut quote = None;
    text.chars()
        .flat_map(|c| {
            match quote {
                Some(open) if c == open => quote = None,
                None if c == '\'' || c == '"' => quote = Some(c),
                _ => {}
            }
            let keep = quote.is_some();
            let kept = keep.then_some(c);
            kept.into_iter().chain((!keep).then(|| c.to_lowercase()).into_iter().flatten())
        })
        .collect()
}

#[cfg(test)]
mod tests;
