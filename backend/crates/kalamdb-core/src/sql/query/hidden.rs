//! The hidden columns `_seq` and `_key`: selectable by name, never part of `*`.
//!
//! A query that names one is planned over tables that show both. Its wildcards are then written out
//! as one wildcard per table, each without the hidden columns, before the planner sees them.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    ExcludeSelectItem, Expr, Ident, Join, JoinConstraint, JoinOperator, ObjectName, ObjectNamePart, Query, Select,
    SelectItem, SelectItemQualifiedWildcardKind, SetExpr, TableAlias, TableAliasColumnDef, TableFactor, TableWithJoins,
    Visit as _, VisitMut as _, Visitor, VisitorMut, WildcardAdditionalOptions,
};

use super::InlineTable;
use super::column_names::folded;
use crate::error::SqlError;
use crate::tables::provider::{KEY_COLUMN, SEQ_COLUMN};

const HIDDEN: [&str; 2] = [SEQ_COLUMN, KEY_COLUMN];

/// Does a query name a hidden column?
pub(super) fn are_named(query: &Query) -> bool {
    query.visit(&mut Mentions).is_break()
}

struct Mentions;

impl Visitor for Mentions {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        let named = match expr {
            Expr::Identifier(ident) => is_hidden(ident),
            Expr::CompoundIdentifier(parts) => parts.last().is_some_and(is_hidden),
            _ => false,
        };
        if named { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

fn is_hidden(ident: &Ident) -> bool {
    let name = ident.value.as_str();
    HIDDEN.iter().any(|hidden| name.eq_ignore_ascii_case(hidden))
}

/// Writes out the wildcards of a query so that they leave the hidden columns out.
///
/// # Errors
/// `UNSUPPORTED` where a wildcard cannot be written out, and for NATURAL JOIN, which would join on the hidden columns.
pub(super) fn keep_out_of_wildcards(query: &mut Query, inline: &[InlineTable]) -> Result<(), SqlError> {
    let given = inline.iter().map(|table| table.name.clone()).collect();
    let mut wildcards = Wildcards { scopes: vec![given], bodies: HashMap::new() };
    match query.visit(&mut wildcards) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

/// Names that are no stored tables, because a WITH clause or the statement itself gives them.
type NoTables = Vec<String>;

struct Wildcards {
    /// Of each query that is being visited, the outermost first.
    scopes: Vec<NoTables>,
    /// Of each body of a WITH clause, by its address.
    bodies: HashMap<usize, NoTables>,
}

impl VisitorMut for Wildcards {
    type Break = SqlError;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<SqlError> {
        let outer = self.scopes.last().cloned().unwrap_or_default();
        let mut scope = self.bodies.remove(&address(query)).unwrap_or(outer);
        if let Some(with) = &query.with {
            for cte in &with.cte_tables {
                let mut inside = scope.clone();
                let name = folded(&cte.alias.name);
                // A body sees the bodies before it, and itself only if it is recursive.
                if with.recursive {
                    inside.push(name.clone());
                }
                self.bodies.insert(address(&cte.query), inside);
                scope.push(name);
            }
        }
        let outcome = in_body(&mut query.body, &scope);
        self.scopes.push(scope);
        match outcome {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<SqlError> {
        self.scopes.pop();
        ControlFlow::Continue(())
    }
}

fn address(query: &Query) -> usize {
    std::ptr::from_ref(query).addr()
}

fn in_body(body: &mut SetExpr, scope: &NoTables) -> Result<(), SqlError> {
    match body {
        SetExpr::Select(select) => in_select(select, scope),
        SetExpr::SetOperation { left, right, .. } => {
            in_body(left, scope)?;
            in_body(right, scope)
        }
        // A query of its own, which is visited as such.
        SetExpr::Query(_) => Ok(()),
        SetExpr::Values(_)
        | SetExpr::Insert(_)
        | SetExpr::Update(_)
        | SetExpr::Delete(_)
        | SetExpr::Merge(_)
        | SetExpr::Table(_) => Ok(()),
    }
}

fn in_select(select: &mut Select, scope: &NoTables) -> Result<(), SqlError> {
    let mut sources = Vec::new();
    for item in &mut select.from {
        in_joins(item, scope, &mut sources)?;
    }
    if !sources.iter().any(|source| source.is_table) {
        return Ok(());
    }
    let items = std::mem::take(&mut select.projection);
    for item in items {
        if is_special(&item) {
            let text = "a wildcard with an alias or other options cannot stand in a query that names _seq";
            return Err(SqlError::unsupported(text));
        }
        match item {
            SelectItem::Wildcard(options) => select.projection.extend(written_out(&sources, options)?),
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options) => {
                let is_table = sources.iter().any(|source| source.is_table && source.goes_by(&name));
                let options = if is_table { without(&HIDDEN.map(Ident::new)) } else { options };
                let kind = SelectItemQualifiedWildcardKind::ObjectName(name);
                select.projection.push(SelectItem::QualifiedWildcard(kind, options));
            }
            other => select.projection.push(other),
        }
    }
    Ok(())
}

fn is_special(item: &SelectItem) -> bool {
    match item {
        SelectItem::Wildcard(options) | SelectItem::QualifiedWildcard(_, options) => {
            *options != WildcardAdditionalOptions::default()
        }
        _ => false,
    }
}

/// Something in a FROM.
struct Source {
    /// The name its columns go by, if it has one.
    name: Option<ObjectName>,
    /// A stored table, hence with hidden columns.
    is_table: bool,
    /// Columns that USING joins with those before it; they are shown once.
    joined: Vec<Ident>,
}

impl Source {
    fn goes_by(&self, name: &ObjectName) -> bool {
        let (Some(own), Some(wanted)) = (&self.name, last_part(name)) else { return false };
        last_part(own) == Some(wanted)
    }
}

fn last_part(name: &ObjectName) -> Option<String> {
    name.0.last().and_then(ObjectNamePart::as_ident).map(folded)
}

fn in_joins(item: &mut TableWithJoins, scope: &NoTables, sources: &mut Vec<Source>) -> Result<(), SqlError> {
    in_factor(&mut item.relation, scope, sources)?;
    for join in &mut item.joins {
        let joined = joined_columns(join)?;
        let before = sources.len();
        in_factor(&mut join.relation, scope, sources)?;
        if let Some(source) = sources.get_mut(before) {
            source.joined = joined;
        }
    }
    Ok(())
}

fn joined_columns(join: &Join) -> Result<Vec<Ident>, SqlError> {
    let constraint = match &join.join_operator {
        JoinOperator::Join(constraint)
        | JoinOperator::Inner(constraint)
        | JoinOperator::Left(constraint)
        | JoinOperator::LeftOuter(constraint)
        | JoinOperator::Right(constraint)
        | JoinOperator::RightOuter(constraint)
        | JoinOperator::FullOuter(constraint) => constraint,
        _ => return Ok(Vec::new()),
    };
    match constraint {
        JoinConstraint::Natural => Err(SqlError::unsupported("NATURAL JOIN cannot stand in a query that names _seq")),
        JoinConstraint::Using(names) => {
            Ok(names.iter().filter_map(|name| name.0.last().and_then(ObjectNamePart::as_ident).cloned()).collect())
        }
        JoinConstraint::On(_) | JoinConstraint::None => Ok(Vec::new()),
    }
}

fn in_factor(factor: &mut TableFactor, scope: &NoTables, sources: &mut Vec<Source>) -> Result<(), SqlError> {
    let named = |alias: &Option<TableAlias>| alias.as_ref().map(|alias| ObjectName::from(vec![alias.name.clone()]));
    match factor {
        TableFactor::Table { name, alias, args: None, .. } => {
            let is_given = name.0.len() == 1 && last_part(name).is_some_and(|name| scope.contains(&name));
            let is_table = !is_given && !is_system(name);
            if let Some(alias) = alias
                && is_table
                && !alias.columns.is_empty()
            {
                alias.columns.extend(HIDDEN.map(TableAliasColumnDef::from_name));
            }
            let shown_as = named(alias).unwrap_or_else(|| name.clone());
            sources.push(Source { name: Some(shown_as), is_table, joined: Vec::new() });
        }
        TableFactor::NestedJoin { table_with_joins, alias: None } => {
            in_joins(table_with_joins, scope, sources)?;
        }
        TableFactor::Table { alias, .. }
        | TableFactor::Derived { alias, .. }
        | TableFactor::TableFunction { alias, .. }
        | TableFactor::Function { alias, .. }
        | TableFactor::UNNEST { alias, .. } => {
            sources.push(Source { name: named(alias), is_table: false, joined: Vec::new() });
        }
        _ => sources.push(Source { name: None, is_table: false, joined: Vec::new() }),
    }
    Ok(())
}

/// System tables have no hidden columns.
fn is_system(name: &ObjectName) -> bool {
    let namespace = name.0.len().checked_sub(2).and_then(|at| name.0.get(at)).and_then(ObjectNamePart::as_ident);
    namespace.is_some_and(|namespace| folded(namespace) == kalamdb_system::system_table::SYSTEM_NAMESPACE)
}

/// `*` as one wildcard for each source.
fn written_out(sources: &[Source], options: WildcardAdditionalOptions) -> Result<Vec<SelectItem>, SqlError> {
    if let [source] = sources {
        return Ok(vec![SelectItem::Wildcard(if source.is_table {
            without(&HIDDEN.map(Ident::new))
        } else {
            options
        })]);
    }
    let one = |source: &Source| {
        let Some(name) = source.name.clone() else {
            let text = "a query that names _seq and takes * of several tables must name its subqueries with AS";
            return Err(SqlError::unsupported(text));
        };
        let mut left_out = source.joined.clone();
        if source.is_table {
            left_out.extend(HIDDEN.map(Ident::new));
        }
        let kind = SelectItemQualifiedWildcardKind::ObjectName(name);
        Ok(SelectItem::QualifiedWildcard(kind, without(&left_out)))
    };
    sources.iter().map(one).collect()
}

/// The options of a wildcard that leaves these columns out.
fn without(columns: &[Ident]) -> WildcardAdditionalOptions {
    let name = |column: &Ident| ObjectName::from(vec![Ident::new(folded(column))]);
    let left_out: Vec<ObjectName> = columns.iter().map(name).collect();
    let opt_exclude = (!left_out.is_empty()).then_some(ExcludeSelectItem::Multiple(left_out));
    WildcardAdditionalOptions { opt_exclude, ..WildcardAdditionalOptions::default() }
}
