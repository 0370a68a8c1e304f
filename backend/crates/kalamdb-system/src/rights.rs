//! Rights on single tables: which there are, to whom one is granted, and which a user has.
//!
//! In USER and STREAM tables everybody has its own rows and every right over them. In a SHARED table
//! the access level gives each role something, and grants add to it; nothing takes away what the
//! level gives. A grant to a role reaches the roles above it too, since each can do all that the one
//! before it can. Who asks for a right, and what is said without it, is decided elsewhere.

use std::fmt;

use kalamdb_commons::{Role, UserId};
use serde::{Deserialize, Serialize};

use crate::table_def::{AccessLevel, TableDef, TableKind};

/// Something that can be done with the rows of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Right {
    /// Reading rows.
    Select,
    /// Adding rows.
    Insert,
    /// Changing rows that are there.
    Update,
    /// Deleting rows.
    Delete,
}

impl Right {
    /// Every right, in the order in which they are named.
    pub const ALL: [Right; 4] = [Right::Select, Right::Insert, Right::Update, Right::Delete];

    /// The right as SQL names it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Right::Select => "SELECT",
            Right::Insert => "INSERT",
            Right::Update => "UPDATE",
            Right::Delete => "DELETE",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of rights.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Rights(u8);

impl Rights {
    /// No right.
    pub const NONE: Rights = Rights(0);

    /// Every right.
    pub const ALL: Rights = Rights(0b1111);

    /// Is the right among them?
    #[must_use]
    pub const fn has(self, right: Right) -> bool {
        self.0 & right.bit() != 0
    }

    /// Are there none?
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// These and that one.
    #[must_use]
    pub const fn with(self, right: Right) -> Rights {
        Rights(self.0 | right.bit())
    }

    /// These and those.
    #[must_use]
    pub const fn and(self, others: Rights) -> Rights {
        Rights(self.0 | others.0)
    }

    /// Those that are among both.
    #[must_use]
    pub const fn among(self, others: Rights) -> Rights {
        Rights(self.0 & others.0)
    }

    /// These, but not those.
    #[must_use]
    pub const fn without(self, others: Rights) -> Rights {
        Rights(self.0 & !others.0)
    }

    /// The rights, in the order in which they are named.
    pub fn iter(self) -> impl Iterator<Item = Right> {
        Right::ALL.into_iter().filter(move |&right| self.has(right))
    }
}

impl From<Right> for Rights {
    fn from(right: Right) -> Self {
        Rights::NONE.with(right)
    }
}

impl FromIterator<Right> for Rights {
    fn from_iter<I: IntoIterator<Item = Right>>(rights: I) -> Self {
        rights.into_iter().fold(Rights::NONE, Rights::with)
    }
}

impl fmt::Display for Rights {
    /// `SELECT, INSERT`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, right) in self.iter().enumerate() {
            if n > 0 {
                f.write_str(", ")?;
            }
            f.write_str(right.as_str())?;
        }
        Ok(())
    }
}

/// To whom rights are granted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grantee {
    /// Every user of this role and of the roles above it.
    Role(Role),
    /// One user.
    User(UserId),
}

impl Grantee {
    /// Does what is granted to it reach this user?
    #[must_use]
    pub fn reaches(&self, user: &UserId, role: Role) -> bool {
        match self {
            Grantee::Role(granted) => role >= *granted,
            Grantee::User(granted) => user == granted,
        }
    }
}

impl fmt::Display for Grantee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Grantee::Role(role) => write!(f, "role {role}"),
            Grantee::User(user) => write!(f, "user \"{user}\""),
        }
    }
}

/// What is granted to one grantee; never nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// To whom.
    pub grantee: Grantee,
    /// What.
    pub rights: Rights,
}

impl TableDef {
    /// What a user of this role may do with rows of the table: its own ones, or everybody's in a SHARED table.
    #[must_use]
    pub fn rights_of(&self, user: &UserId, role: Role) -> Rights {
        let to_roles = self.grants.iter().take_while(|grant| matches!(grant.grantee, Grantee::Role(_)));
        let reaching = to_roles.filter(|grant| grant.grantee.reaches(user, role));
        let by_role = reaching.fold(self.rights_by_level(role), |rights, grant| rights.and(grant.rights));
        by_role.and(self.granted_to(&Grantee::User(user.clone())))
    }

    /// What was granted to this very grantee.
    #[must_use]
    pub fn granted_to(&self, grantee: &Grantee) -> Rights {
        let place = self.grants.binary_search_by(|grant| grant.grantee.cmp(grantee)).ok();
        place.and_then(|place| self.grants.get(place)).map_or(Rights::NONE, |grant| grant.rights)
    }

    /// What the table's kind and access level give this role.
    #[must_use]
    pub const fn rights_by_level(&self, role: Role) -> Rights {
        match self.kind {
            TableKind::User | TableKind::Stream => Rights::ALL,
            TableKind::Shared => match (self.access, role) {
                (_, Role::Dba | Role::System) | (AccessLevel::Public | AccessLevel::Restricted, Role::Service) => {
                    Rights::ALL
                }
                (AccessLevel::Public, Role::User) => Rights::NONE.with(Right::Select),
                (AccessLevel::Restricted, Role::User) | (AccessLevel::Private, Role::User | Role::Service) => {
                    Rights::NONE
                }
            },
        }
    }

    /// May a user of this role do this with rows of the table?
    #[must_use]
    pub fn allows(&self, user: &UserId, role: Role, right: Right) -> bool {
        self.rights_by_level(role).has(right) || self.rights_of(user, role).has(right)
    }

    /// May a user of this role know of the table? Whoever has any right on it may.
    #[must_use]
    pub fn is_visible_to(&self, user: &UserId, role: Role) -> bool {
        !self.rights_by_level(role).is_empty() || !self.rights_of(user, role).is_empty()
    }
}

#[cfg(test)]
mod tests;
