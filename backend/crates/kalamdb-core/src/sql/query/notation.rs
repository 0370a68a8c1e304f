//! Notations that the planner does not know, written as ones it does, and clauses that it would pass
//! over in silence, refused.
//!
//! `TABLE t` is `SELECT * FROM t`, FETCH is LIMIT, and EXISTS in a select list is a count.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Fetch, GroupByExpr, Ident, LimitClause, ObjectName, Query, Select, SelectItem, SetExpr,
    TableFactor, UnaryOperator, Value, VisitMut as _, VisitorMut,
};
use datafusion::sql::sqlparser::parser::Parser;

use crate::error::SqlError;
use crate::sql::script::DIALECT;

/// Rewrites a query, with all its subqueries.
///
/// # Errors
/// `UNSUPPORTED` for a clause that would be passed over.
pub(super) fn translate(query: &mut Query) -> Result<(), SqlError> {
    match query.visit(&mut Translation) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct Translation;

impl VisitorMut for Translation {
    type Break = SqlError;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<SqlError> {
        let outcome = refuse_clauses(query).and_then(|()| fetch(query)).and_then(|()| body(&mut query.body));
        outcome.map_or_else(ControlFlow::Break, ControlFlow::Continue)
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<SqlError> {
        match refuse_options(factor) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }
}

fn refuse_clauses(query: &Query) -> Result<(), SqlError> {
    if !query.locks.is_empty() {
        return Err(SqlError::unsupported("FOR UPDATE is not supported; a write that meets another is tried again"));
    }
    if query.for_clause.is_some() || query.format_clause.is_some() || query.settings.is_some() {
        return Err(SqlError::unsupported("FOR, FORMAT and SETTINGS after a query are not supported"));
    }
    Ok(())
}

fn refuse_options(factor: &TableFactor) -> Result<(), SqlError> {
    let has_options = match factor {
        TableFactor::Table {
            with_hints, version, with_ordinality, partitions, json_path, sample, index_hints, ..
        } => {
            let plain = with_hints.is_empty() && partitions.is_empty() && index_hints.is_empty();
            !plain || version.is_some() || *with_ordinality || json_path.is_some() || sample.is_some()
        }
        TableFactor::Derived { sample, .. } => sample.is_some(),
        _ => false,
    };
    if has_options {
        return Err(SqlError::unsupported("samples, hints and versions of a table are not supported"));
    }
    Ok(())
}

/// `FETCH FIRST n ROWS ONLY` as `LIMIT n`.
fn fetch(query: &mut Query) -> Result<(), SqlError> {
    let Some(Fetch { with_ties, percent, quantity }) = query.fetch.take() else { return Ok(()) };
    if with_ties || percent {
        return Err(SqlError::unsupported("FETCH takes a number of rows, without PERCENT and WITH TIES"));
    }
    let rows = quantity.unwrap_or_else(|| Expr::value(Value::Number("1".to_owned(), false)));
    match &mut query.limit_clause {
        None => {
            let limit = LimitClause::LimitOffset { limit: Some(rows), offset: None, limit_by: Vec::new() };
            query.limit_clause = Some(limit);
            Ok(())
        }
        Some(LimitClause::LimitOffset { limit: limit @ None, .. }) => {
            *limit = Some(rows);
            Ok(())
        }
        Some(_) => Err(SqlError::invalid("LIMIT and FETCH cannot stand together")),
    }
}

fn body(body: &mut SetExpr) -> Result<(), SqlError> {
    match body {
        SetExpr::Table(table) => {
            let parts = [table.schema_name.take(), table.table_name.take()];
            let parts: Vec<Ident> = parts.into_iter().flatten().map(Ident::new).collect();
            let mut all = template("SELECT * FROM t")?;
            if let Some(TableFactor::Table { name, .. }) = only_relation(&mut all) {
                *name = ObjectName::from(parts);
            }
            *body = *all.body;
            Ok(())
        }
        SetExpr::Select(select) => {
            let others = select.prewhere.is_some()
                || !select.connect_by.is_empty()
                || !select.distribute_by.is_empty()
                || select.value_table_mode.is_some();
            if others {
                return Err(SqlError::unsupported("PREWHERE, CONNECT BY and DISTRIBUTE BY are not supported"));
            }
            for item in &mut select.projection {
                if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item {
                    exists(expr)?;
                }
            }
            Ok(())
        }
        SetExpr::SetOperation { left, right, .. } => {
            self::body(left)?;
            self::body(right)
        }
        SetExpr::Query(_)
        | SetExpr::Values(_)
        | SetExpr::Insert(_)
        | SetExpr::Update(_)
        | SetExpr::Delete(_)
        | SetExpr::Merge(_) => Ok(()),
    }
}

/// EXISTS, which the planner has in conditions only, as whether a count is above zero.
fn exists(expr: &mut Expr) -> Result<(), SqlError> {
    match expr {
        Expr::Nested(inner) | Expr::UnaryOp { op: UnaryOperator::Not, expr: inner } => exists(inner),
        Expr::BinaryOp { left, op: BinaryOperator::And | BinaryOperator::Or, right } => {
            exists(left)?;
            exists(right)
        }
        Expr::Case { conditions, .. } => conditions.iter_mut().try_for_each(|when| exists(&mut when.condition)),
        Expr::Exists { subquery, negated } => {
            let op = if *negated { BinaryOperator::Eq } else { BinaryOperator::Gt };
            let counted = Expr::Subquery(counted(subquery)?);
            let zero = Expr::value(Value::Number("0".to_owned(), false));
            *expr = Expr::BinaryOp { left: Box::new(counted), op, right: Box::new(zero) };
            Ok(())
        }
        _ => Ok(()),
    }
}

/// A query that counts the rows of another.
fn counted(query: &Query) -> Result<Box<Query>, SqlError> {
    let mut counting = template("SELECT count(*) FROM t")?;
    let mut query = Box::new(query.clone());
    let is_limited = query.limit_clause.is_some() || query.fetch.is_some();
    if let (SetExpr::Select(select), SetExpr::Select(count)) = (query.body.as_mut(), counting.body.as_mut())
        && !is_limited
        && is_row_wise(select)
    {
        // In one piece, so that the planner can still tell what it shares with the outer query.
        std::mem::swap(&mut select.projection, &mut count.projection);
        query.order_by = None;
        return Ok(query);
    }
    if let Some(relation) = only_relation(&mut counting) {
        *relation = TableFactor::Derived { lateral: false, subquery: query, alias: None, sample: None };
    }
    Ok(counting)
}

/// Does a SELECT give one row for each row of its FROM that meets its WHERE?
fn is_row_wise(select: &Select) -> bool {
    let plain = |item: &SelectItem| match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
            matches!(expr, Expr::Value(_) | Expr::Identifier(_) | Expr::CompoundIdentifier(_))
        }
        SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..) => true,
        SelectItem::ExprWithAliases { .. } => false,
    };
    matches!(&select.group_by, GroupByExpr::Expressions(by, with) if by.is_empty() && with.is_empty())
        && select.having.is_none()
        && select.distinct.is_none()
        && select.qualify.is_none()
        && select.projection.iter().all(plain)
}

fn template(sql: &str) -> Result<Box<Query>, SqlError> {
    let parsed = Parser::new(&DIALECT).try_with_sql(sql).and_then(|mut parser| parser.parse_query());
    parsed.map_err(SqlError::internal)
}

fn only_relation(query: &mut Query) -> Option<&mut TableFactor> {
    match query.body.as_mut() {
        SetExpr::Select(select) => select.from.first_mut().map(|from| &mut from.relation),
        _ => None,
    }
}
