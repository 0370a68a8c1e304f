//! Rows of `system.users`.

use kalamdb_commons::{Role, Row, Value};

use super::{TABLE, UserRecord, Users};

/// The users as a reader of this role sees them, by name: all of them, or none.
#[must_use]
pub fn rows(users: &Users, role: Role) -> Vec<Row> {
    if !TABLE.audience.admits(role) {
        return Vec::new();
    }
    users.list().iter().map(|user| row(user)).collect()
}

fn row(user: &UserRecord) -> Row {
    Row::new(vec![
        Value::text(user.id.as_str()),
        Value::text(user.role.as_str()),
        user.email.as_deref().map_or(Value::Null, Value::text),
        Value::DateTime(user.created_at),
        Value::DateTime(user.updated_at),
        Value::DateTime(user.tokens_valid_after),
    ])
}
