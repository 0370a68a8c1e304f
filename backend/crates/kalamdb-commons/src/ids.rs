//! Identities. Every id that comes from outside is checked once, in its constructor, and is
//! valid for as long as it lives; nothing here can be built from an unchecked string.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Why a text is not a valid id. The text itself is not repeated: it came from outside.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The id is empty.
    #[error("{what} is empty")]
    Empty {
        /// What kind of id was expected.
        what: &'static str,
    },
    /// The id is longer than its kind allows.
    #[error("{what} is longer than {max} bytes")]
    TooLong {
        /// What kind of id was expected.
        what: &'static str,
        /// Longest length allowed, in bytes.
        max: usize,
    },
    /// The id holds a character its kind does not allow.
    #[error("{what} {rule}")]
    Malformed {
        /// What kind of id was expected.
        what: &'static str,
        /// The rule that was broken, as the end of a sentence.
        rule: &'static str,
    },
}

/// Commit sequence number: the position of one row change in the one order of all changes.
///
/// Numbers only grow. A commit owns a run of them, and its last one names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SeqId(pub u64);

impl SeqId {
    /// Before the first change.
    pub const ZERO: SeqId = SeqId(0);

    /// The number after this one; stays at the end of the range instead of wrapping.
    #[must_use]
    pub const fn next(self) -> SeqId {
        SeqId(self.0.saturating_add(1))
    }
}

impl fmt::Display for SeqId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A table for as long as the database lives; never given to another table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TableId(pub u32);

/// A secondary index for as long as the database lives; never given to another index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IndexId(pub u32);

/// Name of a user: 1 to 128 bytes of letters, digits and `_ . @ + -`, beginning with a letter or digit.
///
/// A hyphen-separated part that looks like a [`ConnectionId`] is refused, so that a
/// [`LiveQueryId`] can always be taken apart again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(Arc<str>);

impl UserId {
    /// Longest user name, in bytes.
    pub const MAX_BYTES: usize = 128;

    /// Checks `text` and takes it as a user name.
    ///
    /// # Errors
    /// [`IdError`] saying which rule `text` breaks.
    pub fn new(text: &str) -> Result<Self, IdError> {
        const WHAT: &str = "user name";
        let malformed = |rule| IdError::Malformed { what: WHAT, rule };
        let Some(first) = text.chars().next() else {
            return Err(IdError::Empty { what: WHAT });
        };
        if text.len() > Self::MAX_BYTES {
            return Err(IdError::TooLong { what: WHAT, max: Self::MAX_BYTES });
        }
        if !first.is_alphanumeric() {
            return Err(malformed("must begin with a letter or a digit"));
        }
        if !text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '@' | '+' | '-')) {
            return Err(malformed("may hold only letters, digits and _ . @ + -"));
        }
        if text.split('-').any(|part| ConnectionId::from_str(part).is_ok()) {
            return Err(malformed("may not contain something that looks like a connection id"));
        }
        Ok(UserId(text.into()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The user that exists from the first start on.
    #[must_use]
    pub fn root() -> Self {
        UserId("root".into())
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One authenticated WebSocket. Written as 32 lower-case hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u128);

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl FromStr for ConnectionId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let malformed = IdError::Malformed { what: "connection id", rule: "must be 32 lower-case hex digits" };
        if text.len() != 32 || !text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(malformed);
        }
        u128::from_str_radix(text, 16).map(ConnectionId).map_err(|_| malformed)
    }
}

/// A client's own name for one of its live queries: 1 to 128 printable bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriptionId(Arc<str>);

impl SubscriptionId {
    /// Longest subscription id, in bytes.
    pub const MAX_BYTES: usize = 128;

    /// Checks `text` and takes it as a subscription id.
    ///
    /// # Errors
    /// [`IdError`] saying which rule `text` breaks.
    pub fn new(text: &str) -> Result<Self, IdError> {
        const WHAT: &str = "subscription id";
        if text.is_empty() {
            return Err(IdError::Empty { what: WHAT });
        }
        if text.len() > Self::MAX_BYTES {
            return Err(IdError::TooLong { what: WHAT, max: Self::MAX_BYTES });
        }
        if text.chars().any(char::is_control) {
            return Err(IdError::Malformed { what: WHAT, rule: "may hold only printable characters" });
        }
        Ok(SubscriptionId(text.into()))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SubscriptionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One live query of one connection of one user, written `{user_id}-{connection_id}-{subscription_id}`.
///
/// ```
/// use kalamdb_commons::LiveQueryId;
/// let id: LiveQueryId = "anna-b-0123456789abcdef0123456789abcdef-open-orders".parse()?;
/// assert_eq!(id.user_id.as_str(), "anna-b");
/// assert_eq!(id.subscription_id.as_str(), "open-orders");
/// assert_eq!(id.to_string(), "anna-b-0123456789abcdef0123456789abcdef-open-orders");
/// # Ok::<(), kalamdb_commons::ids::IdError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LiveQueryId {
    /// Who subscribed.
    pub user_id: UserId,
    /// On which connection.
    pub connection_id: ConnectionId,
    /// Under which name.
    pub subscription_id: SubscriptionId,
}

impl fmt::Display for LiveQueryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.user_id, self.connection_id, self.subscription_id)
    }
}

impl FromStr for LiveQueryId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        // A user name holds no part that reads as a connection id, so the first such part is the one.
        let mut start = 0;
        for part in text.split('-') {
            let end = start + part.len();
            if let Ok(connection_id) = part.parse::<ConnectionId>()
                && let (Some(user), Some(subscription)) = (text.get(..start.saturating_sub(1)), text.get(end + 1..))
            {
                return Ok(LiveQueryId {
                    user_id: UserId::new(user)?,
                    connection_id,
                    subscription_id: SubscriptionId::new(subscription)?,
                });
            }
            start = end + 1;
        }
        Err(IdError::Malformed { what: "live query id", rule: "must read {user_id}-{connection_id}-{subscription_id}" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_live_query_id_reads_back_whatever_hyphens_its_parts_hold() {
        let id = LiveQueryId {
            user_id: UserId::new("a-b.c@d+e").unwrap(),
            connection_id: ConnectionId(0xfeed),
            subscription_id: SubscriptionId::new("x-0123456789abcdef0123456789abcdef-y").unwrap(),
        };
        assert_eq!(id.to_string().parse::<LiveQueryId>().unwrap(), id);
    }

    #[test]
    fn a_user_name_cannot_pose_as_a_connection() {
        assert!(UserId::new("a-0123456789abcdef0123456789abcdef").is_err());
        assert!(UserId::new("0123456789abcdef0123456789abcdef").is_err());
    }

    #[test]
    fn s18_user_names_hold_no_path_characters_and_are_bounded() {
        for bad in ["", "a/b", "..", "a\\b", "a b", "a\0", "-a", &"x".repeat(129)] {
            assert!(UserId::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn subscription_ids_are_bounded_and_printable() {
        for bad in ["", "a\nb", &"x".repeat(129)] {
            assert!(SubscriptionId::new(bad).is_err(), "{bad:?}");
        }
        assert!(SubscriptionId::new("offene Aufträge / 1").is_ok());
    }
}
