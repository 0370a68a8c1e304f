//! What a client sends over the WebSocket.

use serde::{Deserialize, Deserializer, Serialize};

use crate::ids::SeqId;

/// One text frame from a client.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientMessage {
    /// First frame of a socket that was opened without a bearer token; later: a fresh token of
    /// the same user. Answered by `auth_success` or `auth_error`.
    Authenticate {
        /// Always `jwt`.
        method: String,
        /// An access token.
        token: String,
        /// What the client would like; the server says what it gets.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        protocol: Option<ProtocolOptions>,
    },
    /// Starts a live query. Answered by `subscription_ack` or `error`.
    Subscribe {
        /// What to subscribe to.
        subscription: SubscribeRequest,
    },
    /// Asks for the next page of a snapshot. Answered by `initial_data_batch`.
    NextBatch {
        /// Whose snapshot.
        subscription_id: String,
        /// Last SeqId of the page before, as a check only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        last_seq_id: Option<SeqId>,
    },
    /// Ends a live query. Answered by `unsubscribe_ack`.
    Unsubscribe {
        /// Which one.
        subscription_id: String,
    },
    /// Asks for a sign of life. Answered by `pong`.
    Ping,
}

/// How a client would like its frames.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProtocolOptions {
    /// `json` or `msgpack`.
    #[serde(default = "ProtocolOptions::json")]
    pub serialization: String,
    /// `none` or `gzip`.
    #[serde(default = "ProtocolOptions::none")]
    pub compression: String,
}

impl ProtocolOptions {
    fn json() -> String {
        "json".to_owned()
    }

    fn none() -> String {
        "none".to_owned()
    }
}

impl Default for ProtocolOptions {
    /// JSON text frames without compression, which every client reads.
    fn default() -> Self {
        ProtocolOptions { serialization: Self::json(), compression: Self::none() }
    }
}

/// A live query as a client asks for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SubscribeRequest {
    /// The client's name for it, unique on its connection.
    pub id: String,
    /// One SELECT.
    pub sql: String,
    /// Values of `$1`, `$2` …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub params: Option<Vec<serde_json::Value>>,
    /// Namespace of table names written without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace_id: Option<String>,
    /// Where to begin. JSON `null` means live changes only; absent means a full snapshot.
    #[serde(default, deserialize_with = "null_means_without_initial")]
    pub options: SubscribeOptions,
}

/// Where a live query begins. `from` wins over `last_rows`, which wins over the full snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscribeOptions {
    /// Rows per snapshot page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<u32>,
    /// Only the rows written last, this many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_rows: Option<u32>,
    /// Resume after this SeqId.
    #[serde(default, alias = "from_seq_id", skip_serializing_if = "Option::is_none")]
    pub from: Option<SeqId>,
    /// No snapshot, live changes only.
    #[serde(default, skip_serializing_if = "is_false")]
    pub without_initial: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(flag: &bool) -> bool {
    !*flag
}

fn null_means_without_initial<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SubscribeOptions, D::Error> {
    // Through a map, because a struct would also be read from a list of its fields.
    let Some(options) = Option::<serde_json::Map<String, serde_json::Value>>::deserialize(deserializer)? else {
        return Ok(SubscribeOptions { without_initial: true, ..SubscribeOptions::default() });
    };
    serde_json::from_value(serde_json::Value::Object(options)).map_err(serde::de::Error::custom)
}
