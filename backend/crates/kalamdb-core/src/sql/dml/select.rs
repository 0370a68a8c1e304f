//! The SELECTs that writes are planned as, put together from parts of the statement.
//!
//! The parts keep their places in the request's SQL, so that the planner's errors point at what the
//! client wrote. Names made up here hold a `#`, which no name of a client can.

use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, GroupByExpr, Ident, Join, JoinConstraint, JoinOperator, ObjectName, Query, Select,
    SelectFlavor, SelectItem, SetExpr, TableAlias, TableFactor, TableWithJoins,
};

/// The column by which the rows of an inline table are told apart.
pub(super) const ROW: &str = "#row";

/// `SELECT items FROM from WHERE selection`.
pub(super) fn select(items: Vec<SelectItem>, from: Vec<TableWithJoins>, selection: Option<Expr>) -> Query {
    let select = Select {
        select_token: AttachedToken::empty(),
        optimizer_hints: Vec::new(),
        distinct: None,
        select_modifiers: None,
        top: None,
        top_before_distinct: false,
        projection: items,
        exclude: None,
        into: None,
        from,
        lateral_views: Vec::new(),
        prewhere: None,
        selection,
        connect_by: Vec::new(),
        group_by: GroupByExpr::Expressions(Vec::new(), Vec::new()),
        cluster_by: Vec::new(),
        distribute_by: Vec::new(),
        sort_by: Vec::new(),
        having: None,
        named_window: Vec::new(),
        qualify: None,
        window_before_qualify: false,
        value_table_mode: None,
        flavor: SelectFlavor::Standard,
    };
    Query {
        with: None,
        body: Box::new(SetExpr::Select(Box::new(select))),
        order_by: None,
        limit_clause: None,
        fetch: None,
        locks: Vec::new(),
        for_clause: None,
        settings: None,
        format_clause: None,
        pipe_operators: Vec::new(),
    }
}

/// `expr AS "name"`.
pub(super) fn item(expr: Expr, name: &str) -> SelectItem {
    SelectItem::ExprWithAlias { expr, alias: quoted(name) }
}

/// `"name"`.
pub(super) fn column(name: &str) -> Expr {
    Expr::Identifier(quoted(name))
}

/// `table."name"`.
pub(super) fn column_of(table: &Ident, name: &str) -> Expr {
    Expr::CompoundIdentifier(vec![table.clone(), quoted(name)])
}

/// `"name" AS alias`.
pub(super) fn from(name: &str, alias: &Ident) -> TableWithJoins {
    TableWithJoins { relation: named(name, alias), joins: Vec::new() }
}

/// `left JOIN "name" AS alias`, row by row.
pub(super) fn join_by_row(left: TableWithJoins, left_alias: &Ident, name: &str, alias: &Ident) -> TableWithJoins {
    let same_row = Expr::BinaryOp {
        left: Box::new(column_of(left_alias, ROW)),
        op: BinaryOperator::Eq,
        right: Box::new(column_of(alias, ROW)),
    };
    let join = Join {
        relation: named(name, alias),
        global: false,
        join_operator: JoinOperator::Inner(JoinConstraint::On(same_row)),
    };
    let mut joins = left.joins;
    joins.push(join);
    TableWithJoins { relation: left.relation, joins }
}

/// A name in quotes, as it stands.
pub(super) fn quoted(name: &str) -> Ident {
    Ident::with_quote('"', name)
}

fn named(name: &str, alias: &Ident) -> TableFactor {
    TableFactor::Table {
        name: ObjectName::from(vec![quoted(name)]),
        alias: Some(TableAlias { explicit: true, name: alias.clone(), columns: Vec::new(), at: None }),
        args: None,
        with_hints: Vec::new(),
        version: None,
        with_ordinality: false,
        partitions: Vec::new(),
        json_path: None,
        sample: None,
        index_hints: Vec::new(),
    }
}
