//! What the server sends over the WebSocket.
//!
//! The server writes `initial_data_batch` and `change` with [`super::frame`], which encodes rows
//! once for all subscribers; the variants here are what a client decodes them into.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::ProtocolOptions;
use crate::data_type::DataType;
use crate::error_code::ErrorCode;
use crate::ids::SeqId;
use crate::role::Role;

/// One text frame from the server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerMessage {
    /// The connection is authenticated, or stays so until the new `expires_at`.
    AuthSuccess {
        /// The user's name.
        user: String,
        /// The user's role.
        role: Role,
        /// What the server will send.
        protocol: ProtocolOptions,
        /// Name of this connection, as `system.connections` shows it.
        connection_id: String,
        /// When the token ends, RFC 3339.
        expires_at: String,
    },
    /// The token was not accepted.
    AuthError {
        /// For people.
        message: String,
    },
    /// The live query has begun. Comes before anything else of the subscription.
    SubscriptionAck {
        /// Which subscription.
        subscription_id: String,
        /// Rows in the snapshot that follows.
        total_rows: u32,
        /// Where the snapshot stands.
        batch_control: BatchControl,
        /// Columns of the result.
        schema: Vec<SchemaField>,
        /// Snapshot or resume point: changes after it will come.
        seq: SeqId,
        /// Columns that identify a row, where the result holds the primary key.
        key: Option<Vec<String>>,
        /// The order the client can keep its rows in.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        order_by: Option<Vec<OrderBy>>,
        /// How the result is kept, as `EXPLAIN LIVE` names it.
        strategy: String,
        /// The changes after the asked-for SeqId follow, instead of a snapshot.
        resumed: bool,
        /// What the client has is void; a snapshot follows.
        reset: bool,
    },
    /// A page of the snapshot.
    InitialDataBatch {
        /// Which subscription.
        subscription_id: String,
        /// The rows.
        rows: Vec<Map<String, Json>>,
        /// Where the snapshot stands.
        batch_control: BatchControl,
        /// Identity per row, where the result does not hold the primary key.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        keys: Option<Vec<String>>,
    },
    /// All that one commit did to one subscription.
    Change {
        /// Which subscription.
        subscription_id: String,
        /// What kind of change the commit was to this result.
        change_type: ChangeType,
        /// Rows now in the result, new or changed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rows: Option<Vec<Map<String, Json>>>,
        /// Rows that changed or left, as they were.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        old_values: Option<Vec<Map<String, Json>>>,
        /// Last SeqId of the commit.
        seq: SeqId,
        /// More frames of the same commit follow.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        more: Option<bool>,
        /// Identity per row of `rows`, where the result does not hold the primary key.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        keys: Option<Vec<String>>,
        /// Identity per row of `old_values`, likewise.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        old_keys: Option<Vec<String>>,
    },
    /// The live query has ended, or was not there.
    UnsubscribeAck {
        /// Which subscription.
        subscription_id: String,
        /// What was done.
        status: UnsubscribeStatus,
    },
    /// The subscription fell behind, or has caught up.
    Status {
        /// Which subscription.
        subscription_id: String,
        /// What it is now.
        status: StreamStatus,
        /// For people.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// Everything up to `seq` that concerns this connection has been sent.
    Progress {
        /// Up to here.
        seq: SeqId,
    },
    /// Answer to `ping`.
    Pong,
    /// A frame or a subscription failed; the connection lives on.
    Error {
        /// Which subscription, or [`super::PROTOCOL_SUBSCRIPTION_ID`].
        subscription_id: String,
        /// What went wrong, for programs.
        code: ErrorCode,
        /// What went wrong, for people.
        message: String,
        /// Where in the SQL, as a 1-based character offset.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        position: Option<u32>,
    },
}

/// Where a snapshot stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchControl {
    /// Number of this page, from 0.
    pub batch_num: u32,
    /// More pages can be asked for.
    pub has_more: bool,
    /// Has the client all of the snapshot?
    pub status: BatchStatus,
    /// Where a client that has everything up to this page can resume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seq_id: Option<SeqId>,
}

/// Has the client all of the snapshot?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BatchStatus {
    /// The first page is on its way.
    Loading,
    /// More pages follow.
    LoadingBatch,
    /// All is here; changes follow.
    Ready,
}

/// What kind of change a commit was to one result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeType {
    /// Only new rows.
    Insert,
    /// Anything else.
    Update,
    /// Only rows that left.
    Delete,
}

/// Answer to `unsubscribe`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnsubscribeStatus {
    /// The subscription has ended.
    Unsubscribed,
    /// There was none of this id.
    NotFound,
}

/// Is a subscription up to date?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamStatus {
    /// Changes are delivered as they come.
    Active,
    /// The reader lags; it will be caught up from the change log.
    Paused,
}

/// One column of a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaField {
    /// Column name.
    pub name: String,
    /// Column type.
    pub data_type: DataType,
    /// Place in the row, from 0.
    pub index: u32,
    /// Any of [`flags`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
}

/// Flags of a [`SchemaField`].
pub mod flags {
    /// Part of the primary key.
    pub const PRIMARY_KEY: &str = "pk";
    /// NOT NULL.
    pub const NOT_NULL: &str = "nn";
    /// Unique.
    pub const UNIQUE: &str = "uq";
}

/// One term of the order a client can keep its rows in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderBy {
    /// A column of the rows; `_order_1` … where the sort expression is not a selected column.
    pub column: String,
    /// Largest first.
    pub desc: bool,
    /// NULLs before all else.
    pub nulls_first: bool,
}
