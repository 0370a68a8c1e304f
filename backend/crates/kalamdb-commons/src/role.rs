//! What a user may do, in one word.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Role of a user, each one able to do all that the one before it can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Works with its own rows and with what is public.
    User,
    /// An application's own service: also writes shared tables.
    Service,
    /// Administers the database: DDL, users, kills.
    Dba,
    /// The database itself and its first administrator.
    System,
}

impl Role {
    /// The role as it is written in SQL and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Role::User => "user",
            Role::Service => "service",
            Role::Dba => "dba",
            Role::System => "system",
        }
    }

    /// May this role administer: DDL, users, other people's connections?
    #[must_use]
    pub const fn is_admin(self) -> bool {
        matches!(self, Role::Dba | Role::System)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is not the name of a role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("role must be one of user, service, dba, system")]
pub struct UnknownRole;

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        [Role::User, Role::Service, Role::Dba, Role::System]
            .into_iter()
            .find(|role| role.as_str().eq_ignore_ascii_case(text))
            .ok_or(UnknownRole)
    }
}
