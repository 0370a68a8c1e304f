//! Rows of `system.live_queries`.

use std::fmt;

use kalamdb_commons::{LiveQueryId, Row, SeqId, Value};

use super::LiveQueryRecord;

/// Is a live query being told of changes?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LiveQueryStatus {
    /// It is.
    Active,
    /// Its reader lags; it is caught up when the socket drains.
    Paused,
    /// It is being torn down.
    Terminated,
}

impl LiveQueryStatus {
    /// The status as the column shows it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            LiveQueryStatus::Active => "active",
            LiveQueryStatus::Paused => "paused",
            LiveQueryStatus::Terminated => "terminated",
        }
    }
}

impl fmt::Display for LiveQueryStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An active subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveQueryRow {
    /// Which one; holds the user, the connection and the subscription.
    pub live_id: LiveQueryId,
    /// Namespace of table names that the query writes without one.
    pub namespace_id: String,
    /// The tables it reads, comma-separated when several.
    pub table_name: String,
    /// Its SQL.
    pub query: String,
    /// The options of the subscribe message, as JSON text.
    pub options: Option<String>,
    /// Is it being told of changes?
    pub status: LiveQueryStatus,
    /// How its result is kept.
    pub strategy: String,
    /// Microseconds since the Unix epoch.
    pub created_at: i64,
    /// When its last frame of changes was made, in microseconds since the Unix epoch.
    pub last_update: Option<i64>,
    /// Frames of changes delivered.
    pub changes: u64,
    /// SeqId up to which it has been told everything.
    pub last_seq_id: Option<SeqId>,
    /// The node it is connected to.
    pub node_id: String,
}

impl LiveQueryRow {
    /// The row of a record about which nothing more is known: its connection is on another node, or just starting.
    #[must_use]
    pub fn from_record(record: &LiveQueryRecord) -> Self {
        LiveQueryRow {
            live_id: record.live_id.clone(),
            namespace_id: record.namespace_id.clone(),
            table_name: record.table_name.clone(),
            query: record.query.clone(),
            options: record.options.clone(),
            status: LiveQueryStatus::Active,
            strategy: record.strategy.clone(),
            created_at: record.created_at,
            last_update: None,
            changes: 0,
            last_seq_id: None,
            node_id: record.node_id.clone(),
        }
    }

    /// The values in the order of the table's columns.
    #[must_use]
    pub fn to_row(&self) -> Row {
        Row::new(vec![
            Value::text(self.live_id.to_string()),
            Value::text(self.live_id.connection_id.to_string()),
            Value::text(self.live_id.subscription_id.as_str()),
            Value::text(self.live_id.user_id.as_str()),
            Value::text(self.namespace_id.as_str()),
            Value::text(self.table_name.as_str()),
            Value::text(self.query.as_str()),
            self.options.as_deref().map_or(Value::Null, |options| Value::Json(options.into())),
            Value::text(self.status.as_str()),
            Value::text(self.strategy.as_str()),
            Value::DateTime(self.created_at),
            self.last_update.map_or(Value::Null, Value::DateTime),
            Value::BigInt(i64::try_from(self.changes).unwrap_or(i64::MAX)),
            self.last_seq_id.map_or(Value::Null, |seq| Value::BigInt(i64::try_from(seq.0).unwrap_or(i64::MAX))),
            Value::text(self.node_id.as_str()),
        ])
    }
}
