//! Stored bytes of a user: its name is the key, a JSON document the value.

use std::fmt;

use kalamdb_commons::{Role, SeqId, UserId};
use serde::{Deserialize, Serialize};

/// A user. `Debug` does not show the password hash.
#[derive(Clone, PartialEq, Eq)]
pub struct UserRecord {
    /// Name of the user.
    pub id: UserId,
    /// What it may do.
    pub role: Role,
    /// Its password, hashed, as a PHC string; empty if it has none.
    pub password_hash: String,
    /// E-mail address.
    pub email: Option<String>,
    /// Microseconds since the Unix epoch.
    pub created_at: i64,
    /// Microseconds since the Unix epoch.
    pub updated_at: i64,
    /// A token is valid only while this is what it was when the token was given out, in microseconds since
    /// the Unix epoch. Grows with every change that ends the user's tokens.
    pub tokens_valid_after: i64,
    /// Where the database stood when the user was created. What was before is none of its history, even if
    /// another user of the same name wrote it.
    pub since: SeqId,
}

impl fmt::Debug for UserRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserRecord").field("id", &self.id).field("role", &self.role).finish_non_exhaustive()
    }
}

#[derive(Serialize, Deserialize)]
struct Stored {
    role: Role,
    password_hash: String,
    email: Option<String>,
    created_at: i64,
    updated_at: i64,
    tokens_valid_after: i64,
    #[serde(default)]
    since: u64,
}

impl UserRecord {
    pub(crate) fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(&Stored {
            role: self.role,
            password_hash: self.password_hash.clone(),
            email: self.email.clone(),
            created_at: self.created_at,
            updated_at: self.updated_at,
            tokens_valid_after: self.tokens_valid_after,
            since: self.since.0,
        })
    }

    /// The user of this key (without its tag) and value; `None` if they are not one.
    pub(crate) fn decode(id: &[u8], value: &[u8]) -> Option<Self> {
        let stored: Stored = serde_json::from_slice(value).ok()?;
        Some(UserRecord {
            id: UserId::new(std::str::from_utf8(id).ok()?).ok()?,
            role: stored.role,
            password_hash: stored.password_hash,
            email: stored.email,
            created_at: stored.created_at,
            updated_at: stored.updated_at,
            tokens_valid_after: stored.tokens_valid_after,
            since: SeqId(stored.since),
        })
    }
}
