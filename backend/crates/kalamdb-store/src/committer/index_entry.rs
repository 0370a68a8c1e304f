//! The index entries of a row: from slots and values to stored keys.

use kalamdb_commons::{Row, Value};

use crate::key::{RowKey, Scope, encode_values, layout};
use crate::write_set::IndexSpec;

/// Key of an index entry; its value is the key of the row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct IndexEntry {
    pub(super) key: Vec<u8>,
    /// Its columns may stand only once: the key is made of them alone.
    pub(super) is_sole: bool,
}

impl IndexEntry {
    /// The entry of a row. Where the row is older than a column, the column's fill value stands for it.
    pub(super) fn of(index: &IndexSpec, scope: &Scope, key: &RowKey, row: &Row) -> IndexEntry {
        let values = index.columns.iter().map(|(slot, fill)| row.at(usize::from(*slot)).unwrap_or(fill));
        let is_sole = index.unique && !values.clone().any(Value::is_null);
        let mut entry = layout::index_prefix(index.id, scope);
        entry.extend_from_slice(&encode_values(values));
        if !is_sole {
            entry.extend_from_slice(key.as_bytes());
        }
        IndexEntry { key: entry, is_sole }
    }
}
