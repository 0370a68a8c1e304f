//! Rows of `system.columns`.

use kalamdb_commons::{Role, Row, UserId, Value};

use crate::catalog::CatalogState;
use crate::system_table::{SYSTEM_NAMESPACE, SystemTable, system_tables};
use crate::table_def::TableDef;

/// The columns as a reader sees them, by table and place.
#[must_use]
pub fn rows(catalog: &CatalogState, user: &UserId, role: Role) -> Vec<Row> {
    let own = system_tables().iter().filter(|table| table.audience.admits(role)).flat_map(system_rows);
    let users = catalog.tables().filter(|table| table.is_visible_to(user, role)).flat_map(|table| table_rows(table));
    let mut rows: Vec<Row> = own.chain(users).collect();
    // A stable sort by table keeps each table's columns in their places.
    rows.sort_by(|a, b| a.iter().take(2).cmp(b.iter().take(2)));
    rows
}

fn table_rows(table: &TableDef) -> Vec<Row> {
    let columns = table.columns.iter().enumerate();
    columns
        .map(|(place, column)| {
            Row::new(vec![
                Value::text(table.name.namespace.as_str()),
                Value::text(table.name.table.as_str()),
                Value::text(column.name.as_str()),
                ordinal(place),
                Value::text(column.data_type.to_string()),
                Value::Bool(column.not_null),
                Value::Bool(table.is_key(column.slot)),
                column.default.as_deref().map_or(Value::Null, Value::text),
                Value::Null,
            ])
        })
        .collect()
}

fn system_rows(table: &SystemTable) -> Vec<Row> {
    let columns = table.columns.iter().enumerate();
    columns
        .map(|(place, column)| {
            Row::new(vec![
                Value::text(SYSTEM_NAMESPACE),
                Value::text(table.name),
                Value::text(column.name),
                ordinal(place),
                Value::text(column.data_type.to_string()),
                Value::Bool(column.not_null),
                Value::Bool(column.pk),
                Value::Null,
                Value::text(column.doc),
            ])
        })
        .collect()
}

fn ordinal(place: usize) -> Value {
    Value::Int(i32::try_from(place).unwrap_or(i32::MAX).saturating_add(1))
}
