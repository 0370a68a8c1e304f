//! Rows of `system.connections`.

use kalamdb_commons::{ConnectionId, Role, Row, UserId, Value};

/// An open connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionRow {
    /// Which one.
    pub connection_id: ConnectionId,
    /// Whose it is.
    pub user_id: UserId,
    /// The user's role.
    pub role: Role,
    /// Address and port of the client.
    pub client_addr: String,
    /// Microseconds since the Unix epoch.
    pub opened_at: i64,
    /// Microseconds since the Unix epoch.
    pub last_activity_at: i64,
    /// When its access token ends, in microseconds since the Unix epoch.
    pub expires_at: i64,
    /// How many live queries run on it.
    pub subscriptions: u64,
    /// Bytes that wait for the client to read.
    pub queued_bytes: u64,
    /// The node it is connected to.
    pub node_id: String,
}

impl ConnectionRow {
    /// The values in the order of the table's columns.
    #[must_use]
    pub fn to_row(&self) -> Row {
        Row::new(vec![
            Value::text(self.connection_id.to_string()),
            Value::text(self.user_id.as_str()),
            Value::text(self.role.as_str()),
            Value::text(self.client_addr.as_str()),
            Value::DateTime(self.opened_at),
            Value::DateTime(self.last_activity_at),
            Value::DateTime(self.expires_at),
            Value::BigInt(i64::try_from(self.subscriptions).unwrap_or(i64::MAX)),
            Value::BigInt(i64::try_from(self.queued_bytes).unwrap_or(i64::MAX)),
            Value::text(self.node_id.as_str()),
        ])
    }
}
