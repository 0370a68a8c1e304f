//! The rows of a user who was dropped go too: a user made later under the same name must not find them.
//!
//! They are deleted in portions, each a commit, so that nobody waits long. From the commit that drops
//! the user nobody writes among them any more, and until the last of them is gone a record in the store
//! says that there is something left to do; after a crash the next start does it. What the history holds
//! of them is out of reach for another user of the name, whose history begins with itself, and goes when
//! it is old.

use std::ops::ControlFlow;

use kalamdb_commons::UserId;
use kalamdb_store::{CommitError, KeyRange, RowWrite, Scope, WriteSet};
use kalamdb_system::TableKind;

use crate::engine::parts::EngineParts;
use crate::error::SqlError;
use crate::sql::error_map;

/// Rows of one portion.
const PORTION_ROWS_MAX: usize = 2_048;

/// Bytes of rows of one portion, roughly.
const PORTION_BYTES_MAX: usize = 4 << 20;

/// Deletes all rows of a user who was dropped.
///
/// # Errors
/// `UNAVAILABLE` when the server is shutting down, `INTERNAL` when the store fails. The rest is deleted
/// after the next start, or before a user of the same name is created.
pub async fn finish(engine: &EngineParts, user: &UserId) -> Result<(), SqlError> {
    while step(engine, user).await? {}
    Ok(())
}

/// Deletes a portion of them; `false` when there is nothing left to do.
///
/// # Errors
/// As [`finish`].
pub async fn step(engine: &EngineParts, user: &UserId) -> Result<bool, SqlError> {
    let gate = engine.row_gate().await;
    if !engine.users.is_leaving(user) {
        return Ok(false);
    }
    let portion = portion(engine, user)?;
    let done = portion.rows.is_empty();
    let writes = if done { engine.users.left(user) } else { portion };
    match engine.commit(writes, &gate).await {
        Ok(_) => Ok(!done),
        // A row of a STREAM table was deleted by its age at the same moment.
        Err(CommitError::Conflict) => Ok(true),
        Err(error) => Err(error_map::from_commit(&error, &engine.catalog.state())),
    }
}

/// The next rows to be deleted; none when there are none.
fn portion(engine: &EngineParts, user: &UserId) -> Result<WriteSet, SqlError> {
    let (catalog, snapshot) = (engine.catalog.state(), engine.store.snapshot());
    let scope = Scope::User(user.clone());
    let (mut rows, mut bytes) = (Vec::new(), 0_usize);
    for table in catalog.tables().filter(|table| table.kind != TableKind::Shared) {
        let indexes = table.index_specs();
        let mut visit = |stored: kalamdb_store::StoredRow| {
            bytes = bytes.saturating_add(stored.row.size_bytes());
            rows.push(RowWrite {
                table: table.id,
                scope: scope.clone(),
                key: stored.key.clone(),
                old: Some(stored),
                new: None,
                indexes: indexes.clone(),
            });
            let full = rows.len() >= PORTION_ROWS_MAX || bytes >= PORTION_BYTES_MAX;
            if full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let scanned = snapshot.scan_rows(table.id, &scope, &KeyRange::all(), &mut visit);
        scanned.map_err(|error| error_map::from_read(&error))?;
        if rows.len() >= PORTION_ROWS_MAX || bytes >= PORTION_BYTES_MAX {
            break;
        }
    }
    Ok(WriteSet { rows, ..WriteSet::default() })
}
