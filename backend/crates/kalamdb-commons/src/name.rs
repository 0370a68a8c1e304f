//! Names of namespaces, tables, columns and indexes.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ids::IdError;

/// Name of a namespace, table, column or index: 1 to 64 bytes of letters, digits and `_`,
/// not beginning with a digit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(Arc<str>);

impl Name {
    /// Longest name, in bytes.
    pub const MAX_BYTES: usize = 64;

    /// Checks `text` and takes it as a name.
    ///
    /// # Errors
    /// [`IdError`] saying which rule `text` breaks.
    pub fn new(text: &str) -> Result<Self, IdError> {
        const WHAT: &str = "name";
        let Some(first) = text.chars().next() else {
            return Err(IdError::Empty { what: WHAT });
        };
        if text.len() > Self::MAX_BYTES {
            return Err(IdError::TooLong { what: WHAT, max: Self::MAX_BYTES });
        }
        if first.is_numeric() || !text.chars().all(|c| c.is_alphanumeric() || c == '_') {
            return Err(IdError::Malformed {
                what: WHAT,
                rule: "may hold only letters, digits and _, and may not begin with a digit",
            });
        }
        Ok(Name(text.into()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Name {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        Name::new(&text)
    }
}

impl From<Name> for String {
    fn from(name: Name) -> String {
        name.0.as_ref().to_owned()
    }
}

/// A table by its namespace and name, written `namespace.table`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TableName {
    /// The namespace that holds the table.
    pub namespace: Name,
    /// The table's name inside it.
    pub table: Name,
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.namespace, self.table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s18_names_hold_no_path_characters_and_are_bounded() {
        for bad in ["", "1a", "a.b", "a/b", "..", "a b", "a\"b", &"x".repeat(65)] {
            assert!(Name::new(bad).is_err(), "{bad:?}");
        }
        for good in ["a", "_seq", "flights_2013", "größe"] {
            assert!(Name::new(good).is_ok(), "{good:?}");
        }
    }
}
