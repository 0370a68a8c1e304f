//! The catalog: namespaces and tables in memory, and the write sets that change them.
//!
//! A [`CatalogState`] is immutable; a commit that changes the catalog makes the next one. A wish
//! becomes a write set that expects the very bytes it was decided on, so of two racing changes one
//! is a conflict and is decided anew. Ids of tables and indexes come from counters in the header
//! and are never given twice. Whatever creates a table or an index moves the counters, so whatever
//! must not race with that (another name, the namespace's end) expects the header too.
//!
//! The namespace `system` is not stored: it holds the system tables, and nothing is created, changed
//! or dropped in it. `default` is made at the first start and cannot be dropped, since it is where
//! names without a namespace are looked up. Who may change the catalog is asked elsewhere.

mod alter;
mod create;
mod error;
mod grant;
mod header;
mod index;
mod namespace;
mod state;

use std::sync::Arc;

use kalamdb_commons::Name;
use kalamdb_store::{Commit, RecordSpace, Store};
use parking_lot::RwLock;

pub use alter::Alteration;
pub use create::{NewColumn, NewTable, TableOptions};
pub use error::{CatalogError, StateError};
pub use index::{NewIndex, TableRevision};
pub use state::CatalogState;

use crate::metrics;
use crate::system_table::DEFAULT_NAMESPACE;

/// The catalog as it is now. Shared; replaced as commits say so.
#[derive(Debug)]
pub struct Catalog {
    state: RwLock<Arc<CatalogState>>,
}

impl Catalog {
    /// Reads the catalog from the store, and makes the namespace `default` at the first start.
    ///
    /// # Errors
    /// [`StateError`] when the store cannot be read or written, or holds something else than a catalog.
    pub fn load(store: &Store) -> Result<Catalog, StateError> {
        let default = Name::new(DEFAULT_NAMESPACE).map_err(|_| StateError::Malformed { what: "default namespace" })?;
        let mut state = read(store)?;
        if state.namespace(&default).is_none() {
            store.commit_blocking(namespace::create_default(default, store.clock().now_micros())?)?;
            state = read(store)?;
        }
        metrics::catalog(state.namespaces().count(), state.tables().count());
        Ok(Catalog { state: RwLock::new(Arc::new(state)) })
    }

    /// The catalog as it is now.
    #[must_use]
    pub fn state(&self) -> Arc<CatalogState> {
        Arc::clone(&self.state.read())
    }

    /// Takes over what a commit did to the catalog. Called for every commit, in order.
    pub fn apply(&self, commit: &Commit) {
        let mut next: Option<CatalogState> = None;
        for write in commit.records.iter().filter(|write| write.space == RecordSpace::Catalog) {
            let state = next.get_or_insert_with(|| self.state().as_ref().clone());
            if let Err(error) = state.put(&write.key, write.value.as_deref()) {
                tracing::error!(seq = commit.last.0, %error, "a commit holds a catalog record that does not read");
            }
        }
        if let Some(state) = next {
            metrics::catalog(state.namespaces().count(), state.tables().count());
            *self.state.write() = Arc::new(state);
        }
    }
}

fn read(store: &Store) -> Result<CatalogState, StateError> {
    let mut state = CatalogState::default();
    for (key, value) in store.scan_records(RecordSpace::Catalog, &[])? {
        state.put(&key, Some(&value))?;
    }
    Ok(state)
}

#[cfg(test)]
mod tests;
