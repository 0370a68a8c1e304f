//! Stored bytes of an entry: its number is the key, a JSON document the value.

use kalamdb_commons::{Row, Value};
use serde::{Deserialize, Serialize};

use super::entry::AuditEntry;

/// The value that is stored.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stored {
    at: i64,
    kind: String,
    action: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    acting_as: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    object: Option<String>,
    outcome: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client: Option<String>,
    times: u64,
}

impl Stored {
    /// The entry as it is kept.
    pub(super) fn new(entry: &AuditEntry, at: i64, times: u64) -> Self {
        Stored {
            at,
            kind: entry.kind.as_str().to_owned(),
            action: entry.action.to_owned(),
            user: entry.user.as_ref().map(ToString::to_string),
            acting_as: entry.acting_as.as_ref().map(ToString::to_string),
            object: entry.object.clone(),
            outcome: entry.outcome.map_or("ok", |code| code.as_str()).to_owned(),
            client: entry.client.map(|address| address.to_string()),
            times,
        }
    }

    pub(crate) fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }

    /// The entry in `bytes`; `None` if they are not one.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    /// The values in the order of the table's columns.
    pub(super) fn to_row(&self, id: u64) -> Row {
        let text = |text: &Option<String>| text.as_deref().map_or(Value::Null, Value::text);
        let number = |number: u64| Value::BigInt(i64::try_from(number).unwrap_or(i64::MAX));
        Row::new(vec![
            number(id),
            Value::DateTime(self.at),
            text(&self.user),
            text(&self.acting_as),
            Value::text(self.kind.as_str()),
            Value::text(self.action.as_str()),
            text(&self.object),
            Value::text(self.outcome.as_str()),
            text(&self.client),
            number(self.times),
        ])
    }
}
