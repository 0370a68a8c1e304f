//! Columns of `system.connections`.

use kalamdb_commons::DataType::{BigInt, DateTime, Text};

use crate::system_table::{Audience, SystemColumn, SystemTable};

/// `system.connections`.
pub const TABLE: SystemTable = SystemTable {
    name: "connections",
    columns: COLUMNS,
    audience: Audience::OwnRows,
    doc: "The open WebSocket connections, one row each.",
};

const COLUMNS: &[SystemColumn] = &[
    SystemColumn::key("connection_id", Text, "What `KILL CONNECTION` takes."),
    SystemColumn::required("user_id", Text, "Whose connection it is."),
    SystemColumn::required("role", Text, "The user's role."),
    SystemColumn::required("client_addr", Text, "Address and port of the client."),
    SystemColumn::required("opened_at", DateTime, "When it was authenticated."),
    SystemColumn::required("last_activity_at", DateTime, "When the client was last heard of."),
    SystemColumn::required("expires_at", DateTime, "When its access token ends."),
    SystemColumn::required("subscriptions", BigInt, "How many live queries run on it."),
    SystemColumn::required("queued_bytes", BigInt, "Bytes that wait for the client to read."),
    SystemColumn::required("node_id", Text, "The node it is connected to."),
];
