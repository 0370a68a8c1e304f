//! Rows of `system.grants`.

use kalamdb_commons::{Role, Row, UserId, Value};

use crate::catalog::CatalogState;
use crate::rights::{Grant, Grantee};

/// The grants as a reader sees them, by table, grantee and right.
#[must_use]
pub fn rows(catalog: &CatalogState, user: &UserId, role: Role) -> Vec<Row> {
    let mut rows = Vec::new();
    for table in catalog.tables() {
        let shown = |grant: &&Grant| role.is_admin() || grant.grantee.reaches(user, role);
        for Grant { grantee, rights } in table.grants.iter().filter(shown) {
            let (kind, name) = match grantee {
                Grantee::Role(role) => ("role", role.as_str()),
                Grantee::User(user) => ("user", user.as_str()),
            };
            let row = |privilege| {
                let cells = [table.name.namespace.as_str(), table.name.table.as_str(), kind, name, privilege];
                Row::new(cells.into_iter().map(Value::text).collect())
            };
            rows.extend(rights.iter().map(|right| row(right.as_str())));
        }
    }
    rows
}
