//! What a query that is run again must select besides what its client asked for.
//!
//! Appended to the select list, in this order: ORDER BY terms that are not selected, the rows'
//! `_seq`, the keys of the tables' rows, and the GROUP BY expressions. They tell rows apart from one
//! run to the next and let the client keep its order; only the first go out.

use datafusion::sql::sqlparser::ast::{
    Expr, GroupByExpr, Ident, Join, JoinConstraint, JoinOperator, LimitClause, ObjectName, OrderByExpr, OrderByKind,
    OrderByOptions, Query, Select, SelectItem, SetExpr, TableFactor, Value,
};

use super::order::{folded, make_explicit};
use crate::tables::provider::{KEY_COLUMN, SEQ_COLUMN};

/// What to select besides.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Extras {
    /// ORDER BY terms.
    pub order: Vec<Expr>,
    /// The `_seq` of the one table's rows.
    pub seq: bool,
    /// What the keys of the rows can be had from: the names under which the FROM shows the tables.
    pub keys: Vec<Ident>,
    /// GROUP BY expressions.
    pub groups: Vec<Expr>,
}

impl Extras {
    /// Nothing?
    pub fn is_empty(&self) -> bool {
        *self == Extras::default()
    }

    /// How many columns?
    pub fn len(&self) -> usize {
        let hidden = usize::from(self.seq).saturating_add(self.keys.len()).saturating_add(self.groups.len());
        self.order.len().saturating_add(hidden)
    }

    /// The query with all of it appended, and its order said in full. With a LIMIT, rows that ORDER BY leaves equal follow their keys.
    ///
    /// `None` if the query is no plain SELECT.
    pub fn append_to(&self, query: &Query, order_names: &[String]) -> Option<Query> {
        let mut query = query.clone();
        let is_limited = is_limited(&query);
        make_explicit(&mut query);
        let SetExpr::Select(select) = query.body.as_mut() else {
            return None;
        };
        let mut hidden = 0_usize;
        let mut append = |expr: Expr, name: Option<&String>| {
            hidden = hidden.saturating_add(1);
            let name = name.cloned().unwrap_or_else(|| format!("{HIDDEN_PREFIX}{hidden}"));
            select.projection.push(SelectItem::ExprWithAlias { expr, alias: Ident::with_quote('"', name) });
        };
        for (at, expr) in self.order.iter().enumerate() {
            append(expr.clone(), order_names.get(at));
        }
        if self.seq {
            append(Expr::Identifier(Ident::new(SEQ_COLUMN)), None);
        }
        for table in &self.keys {
            append(Expr::CompoundIdentifier(vec![table.clone(), Ident::new(KEY_COLUMN)]), None);
        }
        for expr in &self.groups {
            append(expr.clone(), None);
        }
        if let ([table], true) = (self.keys.as_slice(), is_limited) {
            break_ties(&mut query, table);
        }
        Some(query)
    }
}

/// Begins the names of hidden columns; no unquoted name does.
const HIDDEN_PREFIX: &str = "hidden column ";

/// Has the query a LIMIT, an OFFSET or a FETCH?
pub(super) fn is_limited(query: &Query) -> bool {
    let has_limit = match &query.limit_clause {
        None => false,
        Some(LimitClause::LimitOffset { limit, offset, limit_by }) => {
            limit.is_some() || offset.is_some() || !limit_by.is_empty()
        }
        Some(LimitClause::OffsetCommaLimit { .. }) => true,
    };
    has_limit || query.fetch.is_some()
}

fn break_ties(query: &mut Query, table: &Ident) {
    if let Some(OrderByKind::Expressions(exprs)) = query.order_by.as_mut().map(|order_by| &mut order_by.kind) {
        exprs.push(OrderByExpr {
            expr: Expr::CompoundIdentifier(vec![table.clone(), Ident::new(KEY_COLUMN)]),
            options: OrderByOptions { asc: Some(true), nulls_first: Some(false) },
            with_fill: None,
        });
    }
}

/// The names under which a SELECT's FROM shows its tables; `None` if something else stands there.
///
/// A table whose columns are renamed hides its own, and a NATURAL join would join by hidden ones too.
pub(super) fn tables_named(query: &Query, select: &Select) -> Option<Vec<Ident>> {
    let mut names = Vec::new();
    for from in &select.from {
        names.push(table_named(&from.relation, query)?);
        for Join { relation, join_operator, .. } in &from.joins {
            let constraint = match join_operator {
                JoinOperator::Join(constraint)
                | JoinOperator::Inner(constraint)
                | JoinOperator::Left(constraint)
                | JoinOperator::LeftOuter(constraint)
                | JoinOperator::Right(constraint)
                | JoinOperator::RightOuter(constraint)
                | JoinOperator::FullOuter(constraint)
                | JoinOperator::CrossJoin(constraint) => constraint,
                _ => return None,
            };
            if matches!(constraint, JoinConstraint::Natural) {
                return None;
            }
            names.push(table_named(relation, query)?);
        }
    }
    (!names.is_empty()).then_some(names)
}

fn table_named(factor: &TableFactor, query: &Query) -> Option<Ident> {
    let TableFactor::Table { name, alias, args: None, .. } = factor else {
        return None;
    };
    if is_common_table(name, query) {
        return None;
    }
    match alias {
        Some(alias) => alias.columns.is_empty().then(|| alias.name.clone()),
        None => name.0.last()?.as_ident().cloned(),
    }
}

/// Is it the name of a WITH clause's query?
fn is_common_table(name: &ObjectName, query: &Query) -> bool {
    let [part] = name.0.as_slice() else {
        return false;
    };
    let Some(name) = part.as_ident().map(folded) else {
        return false;
    };
    let common = query.with.iter().flat_map(|with| &with.cte_tables);
    common.into_iter().any(|table| folded(&table.alias.name) == name)
}

/// The GROUP BY expressions that can stand in a select list as they are: no places, no names given there.
pub(super) fn groups_named(select: &Select) -> Vec<Expr> {
    let GroupByExpr::Expressions(exprs, _) = &select.group_by else {
        return Vec::new();
    };
    let is_place = |expr: &Expr| matches!(expr, Expr::Value(value) if matches!(value.value, Value::Number(..)));
    exprs.iter().filter(|expr| !is_place(expr)).cloned().collect()
}

#[cfg(test)]
mod tests;
