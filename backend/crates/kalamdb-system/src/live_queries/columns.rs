//! Columns of `system.live_queries`.

use kalamdb_commons::DataType::{BigInt, DateTime, Json, Text};

use crate::system_table::{Audience, SystemColumn, SystemTable};

/// `system.live_queries`.
pub const TABLE: SystemTable = SystemTable {
    name: "live_queries",
    columns: COLUMNS,
    audience: Audience::OwnRows,
    doc: "The active subscriptions, one row each.",
};

const COLUMNS: &[SystemColumn] = &[
    SystemColumn::key("live_id", Text, "`{user_id}-{connection_id}-{subscription_id}`; what `KILL LIVE QUERY` takes."),
    SystemColumn::required("connection_id", Text, "The connection it runs on."),
    SystemColumn::required("subscription_id", Text, "The client's own name for it, unique within its connection."),
    SystemColumn::required("user_id", Text, "Who subscribed."),
    SystemColumn::required("namespace_id", Text, "Namespace of table names that the query writes without one."),
    SystemColumn::required("table_name", Text, "The tables it reads, comma-separated when several."),
    SystemColumn::required("query", Text, "Its SQL."),
    SystemColumn::nullable("options", Json, "The options of the subscribe message."),
    SystemColumn::required("status", Text, "`active`, `paused` (the reader lags behind) or `terminated`."),
    SystemColumn::required("strategy", Text, "How its result is kept, as `EXPLAIN LIVE` shows it."),
    SystemColumn::required("created_at", DateTime, "When it was subscribed."),
    SystemColumn::nullable("last_update", DateTime, "When its last frame of changes was made."),
    SystemColumn::required("changes", BigInt, "Frames of changes delivered."),
    SystemColumn::nullable(
        "last_seq_id",
        BigInt,
        "SeqId up to which it has been told everything; from memory, never stored.",
    ),
    SystemColumn::required("node_id", Text, "The node it is connected to."),
];
