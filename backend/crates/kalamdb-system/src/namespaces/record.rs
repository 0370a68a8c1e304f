//! Stored bytes of a namespace: its name is the key, a JSON document the value.

use kalamdb_commons::Name;
use serde::{Deserialize, Serialize};

/// A namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamespaceDef {
    /// Its name.
    pub name: Name,
    /// Microseconds since the Unix epoch.
    pub created_at: i64,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    created_at: i64,
}

pub(crate) fn encode(namespace: &NamespaceDef) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(&Stored { created_at: namespace.created_at })
}

/// The namespace of this key (without its tag) and value; `None` if they are not one.
pub(crate) fn decode(name: &[u8], value: &[u8]) -> Option<NamespaceDef> {
    let stored: Stored = serde_json::from_slice(value).ok()?;
    let name = Name::new(std::str::from_utf8(name).ok()?).ok()?;
    Some(NamespaceDef { name, created_at: stored.created_at })
}
