//! The catalog's counters, and their stored bytes.

use kalamdb_commons::{IndexId, TableId};
use serde::{Deserialize, Serialize};

use super::CatalogError;

/// What the next table and the next index will be. The numbers only grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Header {
    next_table: u32,
    next_index: u32,
}

impl Default for Header {
    fn default() -> Self {
        Header { next_table: 1, next_index: 1 }
    }
}

impl Header {
    /// Takes a number for a new table.
    pub(super) fn take_table(&mut self) -> Result<TableId, CatalogError> {
        take(&mut self.next_table, "tables since the database was made").map(TableId)
    }

    /// Takes a number for a new index.
    pub(super) fn take_index(&mut self) -> Result<IndexId, CatalogError> {
        take(&mut self.next_index, "indexes since the database was made").map(IndexId)
    }

    pub(super) fn encode(self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(&self)
    }

    /// The counters in `value`; `None` if they are none.
    pub(super) fn decode(value: &[u8]) -> Option<Self> {
        serde_json::from_slice(value).ok()
    }
}

fn take(next: &mut u32, what: &'static str) -> Result<u32, CatalogError> {
    let taken = *next;
    let max = usize::try_from(u32::MAX).unwrap_or(usize::MAX);
    *next = taken.checked_add(1).ok_or(CatalogError::TooMany { what, max })?;
    Ok(taken)
}
