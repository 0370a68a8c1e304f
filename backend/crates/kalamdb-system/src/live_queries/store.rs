//! Live query records in the store.
//!
//! They are written outside commits and unsynced: after a crash none of them is true any more, and
//! [`purge_node`] deletes whatever is left.

use kalamdb_store::{ReadError, RecordSpace, Store, WriteError};

use super::LiveQueryRecord;

/// Why a live query record could not be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum LiveQueryStoreError {
    /// It could not be read.
    #[error("the live queries could not be read")]
    Read(#[from] ReadError),
    /// It could not be written.
    #[error("the live queries could not be written")]
    Write(#[from] WriteError),
    /// It could not be put into bytes.
    #[error("the live query could not be encoded")]
    Encode(#[from] serde_json::Error),
}

/// What becomes of a record.
#[derive(Debug, Clone, Copy)]
pub enum LiveQueryWrite<'a> {
    /// Its subscription starts: it is stored.
    Save(&'a LiveQueryRecord),
    /// Its subscription has ended: it is deleted. One that is not there is no error.
    Remove(&'a LiveQueryRecord),
}

/// Stores and deletes records in this order, all or none.
///
/// # Errors
/// [`LiveQueryStoreError`] when the store does not take them.
pub fn write<'a>(
    store: &Store,
    writes: impl IntoIterator<Item = LiveQueryWrite<'a>>,
) -> Result<(), LiveQueryStoreError> {
    let key = |record: &LiveQueryRecord| LiveQueryRecord::key(&record.node_id, &record.live_id);
    let writes = writes.into_iter().map(|write| match write {
        LiveQueryWrite::Save(record) => Ok((key(record), Some(record.encode()?))),
        LiveQueryWrite::Remove(record) => Ok((key(record), None)),
    });
    let writes: Vec<_> = writes.collect::<Result<_, LiveQueryStoreError>>()?;
    Ok(store.write_records(RecordSpace::LiveQueries, writes)?)
}

/// Deletes all records of a node, which has just started and so has no subscriptions. Says how many there were.
///
/// # Errors
/// [`LiveQueryStoreError`] when the store cannot be read or written.
pub fn purge_node(store: &Store, node_id: &str) -> Result<usize, LiveQueryStoreError> {
    let stale = store.scan_records(RecordSpace::LiveQueries, &LiveQueryRecord::key_prefix(node_id))?;
    for (key, _) in &stale {
        store.delete_record(RecordSpace::LiveQueries, key)?;
    }
    if !stale.is_empty() {
        tracing::info!(count = stale.len(), "live queries of an earlier run were deleted");
    }
    Ok(stale.len())
}

/// All stored records, of every node.
///
/// # Errors
/// [`LiveQueryStoreError`] when the store cannot be read.
pub fn all(store: &Store) -> Result<Vec<LiveQueryRecord>, LiveQueryStoreError> {
    let records = store.scan_records(RecordSpace::LiveQueries, &[])?;
    Ok(records.iter().filter_map(|(_, value)| LiveQueryRecord::decode(value)).collect())
}

#[cfg(test)]
mod tests;
