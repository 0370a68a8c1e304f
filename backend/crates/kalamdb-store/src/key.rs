//! Keys: whose row, and which one, as bytes that sort like the values they stand for.
//!
//! Every variable part of a key is escaped and terminated, so no key of one table, scope or value
//! is ever inside the range of another. How values become bytes is in `values`, how the parts are
//! put together in `layout`.

pub(crate) mod layout;
mod values;

use std::ops::Bound;
use std::sync::Arc;

use kalamdb_commons::{UserId, Value};

pub use values::{KeyError, decode_values, encode_values};

/// Whose rows: the same table holds one set of rows per scope, and nobody sees across.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Rows of a SHARED table.
    Shared,
    /// One user's rows of a USER or STREAM table.
    User(UserId),
}

/// Primary key of a row, memcomparable: byte order is value order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowKey(pub Arc<[u8]>);

impl RowKey {
    /// The key of these values, the first of them deciding first.
    #[must_use]
    pub fn new(values: &[Value]) -> RowKey {
        RowKey(encode_values(values).into())
    }

    /// The key as bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// A range of keys of one table or index and scope.
///
/// A bound is what [`encode_values`] makes of the first one or more values of a key, and stands for
/// *every* key that begins with it: `Included` takes all of them, `Excluded` none. So with a key of
/// two columns `a > 5` is `Excluded(encode_values([5]))` to `Unbounded`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRange {
    /// Where the range begins.
    pub start: Bound<Vec<u8>>,
    /// Where it ends.
    pub end: Bound<Vec<u8>>,
}

impl KeyRange {
    /// Every key.
    #[must_use]
    pub const fn all() -> KeyRange {
        KeyRange { start: Bound::Unbounded, end: Bound::Unbounded }
    }

    /// Every key whose first values are these.
    #[must_use]
    pub fn prefix(prefix: &[u8]) -> KeyRange {
        KeyRange { start: Bound::Included(prefix.to_vec()), end: Bound::Included(prefix.to_vec()) }
    }

    /// This key. In an index, every entry with these columns.
    #[must_use]
    pub fn exact(key: &RowKey) -> KeyRange {
        KeyRange::prefix(key.as_bytes())
    }
}

#[cfg(test)]
mod tests;
