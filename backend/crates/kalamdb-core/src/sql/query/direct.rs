//! Queries that name whole primary keys, answered without a plan.
//!
//! `SELECT columns FROM t WHERE key = constant AND …`: one look at the statement, one read. Anything
//! that is not exactly this, or whose constants the planner might compare in another way, is left
//! to the planner; so are all errors.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, GroupByExpr, Ident, ObjectName, ObjectNamePart, Query, Select, SelectItem,
    SelectItemQualifiedWildcardKind, SetExpr, TableFactor, WildcardAdditionalOptions,
};
use kalamdb_commons::protocol::{SchemaField, StatementResult, flags};
use kalamdb_commons::{DataType, Name, Row, TableName, Value};
use kalamdb_store::{RowKey, StoredRow};
use kalamdb_system::system_table::SYSTEM_NAMESPACE;
use kalamdb_system::{ColumnDef, Right, TableDef};

use super::column_names::folded;
use crate::context::StatementContext;
use crate::error::SqlError;
use crate::sql::error_map::from_read;
use crate::sql::expression::constant;
use crate::tables::provider::SEQ_COLUMN;

/// Answers a query, if it is one of these.
///
/// # Errors
/// `INTERNAL` when the store cannot be read.
pub(super) fn run(ctx: &StatementContext, query: &Query) -> Result<Option<StatementResult>, SqlError> {
    let Some(lookup) = lookup(ctx, query) else { return Ok(None) };
    let found = match &lookup.key {
        None => None,
        Some(key) => {
            let scope = ctx.caller.scope_of(lookup.table);
            match ctx.overlay.of(lookup.table.id, &scope).and_then(|front| front.get(key)) {
                Some(row) => row.clone(),
                None => ctx.snapshot.get(lookup.table.id, &scope, key).map_err(|error| from_read(&error))?,
            }
        }
    };
    let rows: Vec<Row> = found.iter().map(|row| lookup.cells(row)).collect();
    let row_count = u64::try_from(rows.len()).unwrap_or(u64::MAX);
    Ok(Some(StatementResult { schema: lookup.schema(), rows, row_count, message: None, seq: None }))
}

/// A query of this kind, understood.
struct Lookup<'a> {
    table: &'a TableDef,
    /// `None`: a constant is NULL, and no row meets that.
    key: Option<RowKey>,
    columns: Vec<(String, Source<'a>)>,
}

enum Source<'a> {
    Column(&'a ColumnDef),
    Seq,
}

fn lookup<'a>(ctx: &'a StatementContext, query: &Query) -> Option<Lookup<'a>> {
    if ctx.as_of.is_some() {
        return None;
    }
    let select = plain_select(query)?;
    let [from] = select.from.as_slice() else { return None };
    let TableFactor::Table {
        name,
        alias,
        args: None,
        with_hints,
        version: None,
        with_ordinality: false,
        partitions,
        json_path: None,
        sample: None,
        index_hints,
    } = &from.relation
    else {
        return None;
    };
    if !(from.joins.is_empty() && with_hints.is_empty() && partitions.is_empty() && index_hints.is_empty()) {
        return None;
    }
    let name = table_name(name, &ctx.namespace)?;
    let table = ctx.catalog.table(&name).filter(|table| ctx.caller.may(Right::Select, table))?;
    let shown_as = match alias {
        Some(alias) if !alias.columns.is_empty() || alias.at.is_some() => return None,
        Some(alias) => folded(&alias.name),
        None => name.table.as_str().to_owned(),
    };
    let names = Names { table, shown_as };
    let key = names.key(select.selection.as_ref()?, &ctx.params)?;
    let columns = names.columns(&select.projection)?;
    Some(Lookup { table, key, columns })
}

/// The SELECT of a query that has nothing but a select list, a FROM and a WHERE.
fn plain_select(query: &Query) -> Option<&Select> {
    let Query {
        with: None,
        body,
        order_by: None,
        limit_clause: None,
        fetch: None,
        locks,
        for_clause: None,
        settings: None,
        format_clause: None,
        pipe_operators,
    } = query
    else {
        return None;
    };
    let SetExpr::Select(select) = body.as_ref() else { return None };
    let plain = locks.is_empty()
        && pipe_operators.is_empty()
        && select.optimizer_hints.is_empty()
        && select.distinct.is_none()
        && select.select_modifiers.is_none()
        && select.top.is_none()
        && select.exclude.is_none()
        && select.into.is_none()
        && select.lateral_views.is_empty()
        && select.prewhere.is_none()
        && select.connect_by.is_empty()
        && matches!(&select.group_by, GroupByExpr::Expressions(by, with) if by.is_empty() && with.is_empty())
        && select.cluster_by.is_empty()
        && select.distribute_by.is_empty()
        && select.sort_by.is_empty()
        && select.having.is_none()
        && select.named_window.is_empty()
        && select.qualify.is_none()
        && select.value_table_mode.is_none();
    plain.then_some(select)
}

fn table_name(name: &ObjectName, namespace: &Name) -> Option<TableName> {
    let part = |part: &ObjectNamePart| part.as_ident().and_then(|ident| Name::new(&folded(ident)).ok());
    let name = match name.0.as_slice() {
        [table] => TableName { namespace: namespace.clone(), table: part(table)? },
        [namespace, table] => TableName { namespace: part(namespace)?, table: part(table)? },
        _ => return None,
    };
    (name.namespace.as_str() != SYSTEM_NAMESPACE).then_some(name)
}

/// The names that the statement can use.
struct Names<'a> {
    table: &'a TableDef,
    shown_as: String,
}

impl<'a> Names<'a> {
    fn column(&self, expr: &Expr) -> Option<&'a ColumnDef> {
        self.table.column(&self.column_name(expr)?)
    }

    fn column_name(&self, expr: &Expr) -> Option<String> {
        match expr {
            Expr::Identifier(column) => Some(folded(column)),
            Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                [table, column] if folded(table) == self.shown_as => Some(folded(column)),
                _ => None,
            },
            Expr::Nested(inner) => self.column_name(inner),
            _ => None,
        }
    }

    /// The key that a condition names, all of it and nothing else; an inner `None` for NULL.
    fn key(&self, condition: &Expr, params: &[serde_json::Value]) -> Option<Option<RowKey>> {
        let mut parts = vec![condition];
        let mut equalities: Vec<(&ColumnDef, Value)> = Vec::new();
        while let Some(part) = parts.pop() {
            match part {
                Expr::Nested(inner) => parts.push(inner),
                Expr::BinaryOp { left, op: BinaryOperator::And, right } => parts.extend([left.as_ref(), right]),
                Expr::BinaryOp { left, op: BinaryOperator::Eq, right } => {
                    let (column, value) = match self.column(left) {
                        Some(column) => (column, right),
                        None => (self.column(right)?, left),
                    };
                    if equalities.len() >= self.table.primary_key.len() {
                        return None;
                    }
                    equalities.push((column, key_value(&constant(value, params)?, &column.data_type)?));
                }
                _ => return None,
            }
        }
        if self.table.primary_key.is_empty() || equalities.len() != self.table.primary_key.len() {
            return None;
        }
        let value_of = |slot: &u16| {
            let found = equalities.iter().find(|(column, _)| column.slot == *slot);
            found.map(|(_, value)| value.clone())
        };
        let values = self.table.primary_key.iter().map(value_of).collect::<Option<Vec<Value>>>()?;
        Some((!values.iter().any(Value::is_null)).then(|| RowKey::new(&values)))
    }

    fn columns(&self, items: &[SelectItem]) -> Option<Vec<(String, Source<'a>)>> {
        let mut columns = Vec::with_capacity(self.table.columns.len());
        let plain = WildcardAdditionalOptions::default();
        for item in items {
            match item {
                SelectItem::Wildcard(options) if *options == plain => self.all_columns(&mut columns),
                SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options)
                    if *options == plain && self.is_shown_as(name) =>
                {
                    self.all_columns(&mut columns);
                }
                SelectItem::UnnamedExpr(expr) => columns.push(self.selected(expr, None)?),
                SelectItem::ExprWithAlias { expr, alias } => columns.push(self.selected(expr, Some(alias))?),
                _ => return None,
            }
        }
        Some(columns)
    }

    fn is_shown_as(&self, name: &ObjectName) -> bool {
        match name.0.as_slice() {
            [part] => part.as_ident().is_some_and(|ident| folded(ident) == self.shown_as),
            _ => false,
        }
    }

    fn all_columns(&self, columns: &mut Vec<(String, Source<'a>)>) {
        let named = |column: &'a ColumnDef| (column.name.as_str().to_owned(), Source::Column(column));
        columns.extend(self.table.columns.iter().map(named));
    }

    fn selected(&self, expr: &Expr, alias: Option<&Ident>) -> Option<(String, Source<'a>)> {
        let name = self.column_name(expr)?;
        let source = match self.table.column(&name) {
            Some(column) => Source::Column(column),
            None if name == SEQ_COLUMN => Source::Seq,
            None => return None,
        };
        Some((alias.map_or(name, folded), source))
    }
}

/// A constant as a value of the key's column, where comparing the two can mean only this.
fn key_value(value: &Value, data_type: &DataType) -> Option<Value> {
    let whole = |value: &Value| match value {
        Value::SmallInt(n) => Some(i64::from(*n)),
        Value::Int(n) => Some(i64::from(*n)),
        Value::BigInt(n) => Some(*n),
        _ => None,
    };
    let fits = match (value, data_type) {
        (Value::Null, _) => true,
        (Value::Text(_), DataType::Text | DataType::Uuid | DataType::Bytes) => true,
        (Value::Text(_), DataType::Timestamp | DataType::DateTime | DataType::Date | DataType::Time) => true,
        (Value::Decimal(number), DataType::Decimal { scale, .. }) => {
            number.rescale(*scale).is_some_and(|rescaled| rescaled == *number)
        }
        (
            value,
            DataType::SmallInt
            | DataType::Int
            | DataType::BigInt
            | DataType::Decimal { .. }
            | DataType::Timestamp
            | DataType::DateTime
            | DataType::Date
            | DataType::Time,
        ) if whole(value).is_some() => true,
        (value, wanted) => value.data_type() == Some(*wanted),
    };
    if fits { value.assign_to(data_type).ok() } else { None }
}

impl Lookup<'_> {
    fn cells(&self, row: &StoredRow) -> Row {
        let cell = |(_, source): &(String, Source<'_>)| match source {
            Source::Column(column) => TableDef::value(column, &row.row).clone(),
            Source::Seq => Value::BigInt(i64::try_from(row.seq.0).unwrap_or(i64::MAX)),
        };
        self.columns.iter().map(cell).collect()
    }

    fn schema(&self) -> Vec<SchemaField> {
        let field = |(index, (name, source)): (usize, &(String, Source<'_>))| {
            let (data_type, flags) = match source {
                Source::Column(column) => (column.data_type, self.flags(column)),
                Source::Seq => (DataType::BigInt, vec![flags::NOT_NULL.to_owned()]),
            };
            SchemaField { name: name.clone(), data_type, index: u32::try_from(index).unwrap_or(u32::MAX), flags }
        };
        self.columns.iter().enumerate().map(field).collect()
    }

    fn flags(&self, column: &ColumnDef) -> Vec<String> {
        let is_key = self.table.is_key(column.slot);
        let mut found = Vec::new();
        if is_key {
            found.push(flags::PRIMARY_KEY);
        }
        if is_key || column.not_null {
            found.push(flags::NOT_NULL);
        }
        if self.table.indexes.iter().any(|index| index.unique && index.slots == [column.slot]) {
            found.push(flags::UNIQUE);
        }
        found.into_iter().map(str::to_owned).collect()
    }
}

#[cfg(test)]
mod tests;
