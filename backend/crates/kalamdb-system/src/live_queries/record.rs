//! Stored bytes of a live query: its key, and a JSON document as its value.

use kalamdb_commons::LiveQueryId;
use serde::{Deserialize, Serialize};

/// A subscription as it is stored while it lives. What changes with every frame is not in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveQueryRecord {
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
    /// How its result is kept.
    pub strategy: String,
    /// Microseconds since the Unix epoch.
    pub created_at: i64,
    /// The node it is connected to.
    pub node_id: String,
}

/// The value that is stored.
#[derive(Serialize, Deserialize)]
struct Stored {
    live_id: String,
    namespace_id: String,
    table_name: String,
    query: String,
    options: Option<String>,
    strategy: String,
    created_at: i64,
    node_id: String,
}

impl LiveQueryRecord {
    /// Key of the record: the node, length first so that no node's keys begin with another's, then the id.
    pub(super) fn key(node_id: &str, live_id: &LiveQueryId) -> Vec<u8> {
        let mut key = Self::key_prefix(node_id);
        key.extend_from_slice(live_id.to_string().as_bytes());
        key
    }

    /// What the keys of one node's records begin with.
    pub(super) fn key_prefix(node_id: &str) -> Vec<u8> {
        let length = u32::try_from(node_id.len()).unwrap_or(u32::MAX);
        let mut key = length.to_be_bytes().to_vec();
        key.extend_from_slice(node_id.as_bytes());
        key
    }

    pub(crate) fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(&Stored {
            live_id: self.live_id.to_string(),
            namespace_id: self.namespace_id.clone(),
            table_name: self.table_name.clone(),
            query: self.query.clone(),
            options: self.options.clone(),
            strategy: self.strategy.clone(),
            created_at: self.created_at,
            node_id: self.node_id.clone(),
        })
    }

    /// The record in `bytes`; `None` if they are not one.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let stored: Stored = serde_json::from_slice(bytes).ok()?;
        Some(LiveQueryRecord {
            live_id: stored.live_id.parse().ok()?,
            namespace_id: stored.namespace_id,
            table_name: stored.table_name,
            query: stored.query,
            options: stored.options,
            strategy: stored.strategy,
            created_at: stored.created_at,
            node_id: stored.node_id,
        })
    }
}
