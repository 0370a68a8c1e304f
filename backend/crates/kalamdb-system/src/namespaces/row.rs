//! Rows of `system.namespaces`.

use kalamdb_commons::{Role, Row, UserId, Value};

use crate::catalog::CatalogState;
use crate::system_table::{SYSTEM_NAMESPACE, system_tables};

/// The namespaces as a reader sees them, by name.
#[must_use]
pub fn rows(catalog: &CatalogState, user: &UserId, role: Role) -> Vec<Row> {
    let own = system_tables().iter().filter(|table| table.audience.admits(role)).count();
    let mut found = vec![(SYSTEM_NAMESPACE, own, None)];
    for namespace in catalog.namespaces() {
        let tables = catalog.tables_in(&namespace.name).filter(|table| table.is_visible_to(user, role)).count();
        found.push((namespace.name.as_str(), tables, Some(namespace.created_at)));
    }
    found.sort_unstable();
    found
        .into_iter()
        .map(|(name, tables, created_at)| {
            Row::new(vec![
                Value::text(name),
                Value::BigInt(i64::try_from(tables).unwrap_or(i64::MAX)),
                created_at.map_or(Value::Null, Value::DateTime),
            ])
        })
        .collect()
}
