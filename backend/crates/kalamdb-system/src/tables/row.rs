//! Rows of `system.tables`.

use kalamdb_commons::{Role, Row, UserId, Value};

use crate::catalog::CatalogState;
use crate::system_table::{SYSTEM_NAMESPACE, SystemTable, system_tables};
use crate::table_def::{TableDef, TableKind};

/// The tables as a reader sees them, by namespace and name.
#[must_use]
pub fn rows(catalog: &CatalogState, user: &UserId, role: Role) -> Vec<Row> {
    let own = system_tables().iter().filter(|table| table.audience.admits(role)).map(system_row);
    let users = catalog.tables().filter(|table| table.is_visible_to(user, role)).map(|table| table_row(table));
    let mut rows: Vec<Row> = own.chain(users).collect();
    rows.sort_by(|a, b| a.iter().take(2).cmp(b.iter().take(2)));
    rows
}

fn table_row(table: &TableDef) -> Row {
    let key: Vec<&str> =
        table.primary_key.iter().filter_map(|&slot| table.column_at(slot)).map(|column| column.name.as_str()).collect();
    let indexes: Vec<&str> = table.indexes.iter().map(|index| index.name.as_str()).collect();
    let access = match table.kind {
        TableKind::Shared => Value::text(table.access.as_str()),
        TableKind::User | TableKind::Stream => Value::Null,
    };
    Row::new(vec![
        Value::text(table.name.namespace.as_str()),
        Value::text(table.name.table.as_str()),
        Value::BigInt(i64::from(table.id.0)),
        Value::text(table.kind.as_str()),
        access,
        table.ttl_secs.map_or(Value::Null, |ttl| Value::BigInt(i64::try_from(ttl).unwrap_or(i64::MAX))),
        list(&key),
        list(&indexes),
        count(table.columns.len()),
        Value::Int(i32::try_from(table.version).unwrap_or(i32::MAX)),
        Value::Bool(false),
        Value::DateTime(table.created_at),
    ])
}

fn system_row(table: &SystemTable) -> Row {
    let key: Vec<&str> = table.columns.iter().filter(|column| column.pk).map(|column| column.name).collect();
    Row::new(vec![
        Value::text(SYSTEM_NAMESPACE),
        Value::text(table.name),
        Value::Null,
        Value::text(SYSTEM_NAMESPACE),
        Value::Null,
        Value::Null,
        list(&key),
        Value::Null,
        count(table.columns.len()),
        Value::Int(1),
        Value::Bool(true),
        Value::Null,
    ])
}

fn list(names: &[&str]) -> Value {
    if names.is_empty() { Value::Null } else { Value::text(names.join(",")) }
}

fn count(n: usize) -> Value {
    Value::Int(i32::try_from(n).unwrap_or(i32::MAX))
}
