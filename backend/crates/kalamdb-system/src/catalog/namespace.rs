//! Namespaces that come and go.

use kalamdb_commons::Name;
use kalamdb_store::{Expect, WriteSet};

use super::state::{record, refuse_system};
use super::{CatalogError, CatalogState, StateError};
use crate::record_key::CatalogKey;
use crate::system_table::DEFAULT_NAMESPACE;
use crate::{NamespaceDef, namespaces};

impl CatalogState {
    /// Creates a namespace. `None`: there is one, and `if_not_exists` says that this is fine.
    ///
    /// # Errors
    /// [`CatalogError`] when there is one already, or the name is the system's.
    pub fn create_namespace(
        &self,
        name: &Name,
        if_not_exists: bool,
        now: i64,
    ) -> Result<Option<WriteSet>, CatalogError> {
        refuse_system(name)?;
        if self.namespace(name).is_some() {
            return if if_not_exists { Ok(None) } else { Err(CatalogError::NamespaceExists(name.clone())) };
        }
        let namespace = NamespaceDef { name: name.clone(), created_at: now };
        let records = vec![self.write_namespace(name, Some(&namespace))?];
        Ok(Some(WriteSet { records, ..WriteSet::default() }))
    }

    /// Drops a namespace, with `cascade` also its tables. `None`: there is none, and `if_exists` says that
    /// this is fine.
    ///
    /// # Errors
    /// [`CatalogError`] when there is none, it holds tables, or it is one that must stay.
    pub fn drop_namespace(
        &self,
        name: &Name,
        if_exists: bool,
        cascade: bool,
    ) -> Result<Option<WriteSet>, CatalogError> {
        refuse_system(name)?;
        if name.as_str() == DEFAULT_NAMESPACE {
            return Err(CatalogError::DefaultStays);
        }
        if self.namespace(name).is_none() {
            return if if_exists { Ok(None) } else { Err(CatalogError::UnknownNamespace(name.clone())) };
        }
        let tables = self.tables_in(name).count();
        if tables > 0 && !cascade {
            return Err(CatalogError::NamespaceNotEmpty { name: name.clone(), tables });
        }
        // The header stays as it is: a table that appeared in the meantime has moved it.
        let mut writes = WriteSet {
            records: vec![self.write_namespace(name, None)?, self.write_header(self.header())?],
            ..WriteSet::default()
        };
        for table in self.tables_in(name) {
            self.drop_into(&mut writes, table)?;
        }
        Ok(Some(writes))
    }
}

/// Makes the namespace that is there from the first start on.
pub(super) fn create_default(name: Name, now: i64) -> Result<WriteSet, StateError> {
    let key = CatalogKey::namespace(&name);
    let value = namespaces::encode(&NamespaceDef { name, created_at: now })?;
    Ok(WriteSet { records: vec![record(key, Expect::Absent, Some(value))], ..WriteSet::default() })
}
