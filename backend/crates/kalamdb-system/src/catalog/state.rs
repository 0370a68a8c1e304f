//! All namespaces and tables at one moment, and the bytes that stand in the store for them.

use std::collections::BTreeMap;
use std::sync::Arc;

use kalamdb_commons::{Name, TableId, TableName};
use kalamdb_store::{Expect, RecordSpace, RecordWrite};

use super::header::Header;
use super::{CatalogError, StateError};
use crate::record_key::CatalogKey;
use crate::system_table::SYSTEM_NAMESPACE;
use crate::table_def::TableDef;
use crate::{NamespaceDef, namespaces, tables};

/// All namespaces and tables at one moment. Never changed: a commit makes the next one.
#[derive(Debug, Clone, Default)]
pub struct CatalogState {
    header: Stored<Header>,
    namespaces: BTreeMap<Name, Stored<NamespaceDef>>,
    by_id: BTreeMap<TableId, Stored<Arc<TableDef>>>,
    by_name: BTreeMap<Name, BTreeMap<Name, TableId>>,
}

/// A thing, and the bytes that stand in the store for it; `None` while there are none.
#[derive(Debug, Clone, Default)]
struct Stored<T> {
    thing: T,
    bytes: Option<Arc<[u8]>>,
}

impl<T> Stored<T> {
    fn expect(&self) -> Expect {
        self.bytes.as_ref().map_or(Expect::Absent, |bytes| Expect::Value(bytes.to_vec()))
    }
}

impl CatalogState {
    /// The namespace of this name; never `system`, which is not stored.
    #[must_use]
    pub fn namespace(&self, name: &Name) -> Option<&NamespaceDef> {
        self.namespaces.get(name).map(|namespace| &namespace.thing)
    }

    /// All namespaces but `system`, by name.
    pub fn namespaces(&self) -> impl Iterator<Item = &NamespaceDef> {
        self.namespaces.values().map(|namespace| &namespace.thing)
    }

    /// The table of this name. System tables are none of the catalog's.
    #[must_use]
    pub fn table(&self, name: &TableName) -> Option<&Arc<TableDef>> {
        let id = self.by_name.get(&name.namespace)?.get(&name.table)?;
        self.table_by_id(*id)
    }

    /// The table of this id.
    #[must_use]
    pub fn table_by_id(&self, id: TableId) -> Option<&Arc<TableDef>> {
        self.by_id.get(&id).map(|table| &table.thing)
    }

    /// All tables, by namespace and name.
    pub fn tables(&self) -> impl Iterator<Item = &Arc<TableDef>> {
        self.by_name.values().flat_map(BTreeMap::values).filter_map(|&id| self.table_by_id(id))
    }

    /// The tables of a namespace, by name.
    pub fn tables_in(&self, namespace: &Name) -> impl Iterator<Item = &Arc<TableDef>> {
        let ids = self.by_name.get(namespace).into_iter().flat_map(BTreeMap::values);
        ids.filter_map(|&id| self.table_by_id(id))
    }

    pub(super) fn header(&self) -> Header {
        self.header.thing
    }

    /// The table of this name, if it may be changed.
    pub(super) fn changeable_table(&self, name: &TableName) -> Result<&Arc<TableDef>, CatalogError> {
        refuse_system(&name.namespace)?;
        self.table(name).ok_or_else(|| CatalogError::UnknownTable(name.clone()))
    }

    /// Replaces the counters that this state knows. With the ones it knows: nothing may have moved them.
    pub(super) fn write_header(&self, header: Header) -> Result<RecordWrite, CatalogError> {
        Ok(record(CatalogKey::header(), self.header.expect(), Some(header.encode()?)))
    }

    /// Replaces a namespace that this state may know; `None` drops it.
    pub(super) fn write_namespace(
        &self,
        name: &Name,
        namespace: Option<&NamespaceDef>,
    ) -> Result<RecordWrite, CatalogError> {
        let expect = self.namespaces.get(name).map_or(Expect::Absent, Stored::expect);
        let value = namespace.map(namespaces::encode).transpose()?;
        Ok(record(CatalogKey::namespace(name), expect, value))
    }

    /// Replaces a table that this state may know; `None` drops it.
    pub(super) fn write_table(&self, id: TableId, table: Option<&TableDef>) -> Result<RecordWrite, CatalogError> {
        let expect = self.by_id.get(&id).map_or(Expect::Absent, Stored::expect);
        let value = table.map(tables::encode).transpose()?;
        Ok(record(CatalogKey::table(id), expect, value))
    }

    /// Takes over a stored record; without a value, its end.
    pub(super) fn put(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), StateError> {
        let malformed = |what| StateError::Malformed { what };
        match CatalogKey::split(key).ok_or(malformed("catalog record"))? {
            (CatalogKey::Header, _) => {
                let header = value.map_or(Some(Header::default()), Header::decode);
                let thing = header.ok_or(malformed("catalog header"))?;
                self.header = Stored { thing, bytes: value.map(Arc::from) };
            }
            (CatalogKey::Namespace, name) => match value {
                Some(value) => {
                    let thing = namespaces::decode(name, value).ok_or(malformed("namespace"))?;
                    self.namespaces.insert(thing.name.clone(), Stored { thing, bytes: Some(value.into()) });
                }
                None => self.namespaces.retain(|known, _| known.as_str().as_bytes() != name),
            },
            // Notes beside the catalog, for those who expire rows.
            (CatalogKey::StreamAge, _) => {}
            (CatalogKey::Table, id) => {
                let id = <[u8; 4]>::try_from(id).map_err(|_| malformed("table"))?;
                let id = TableId(u32::from_be_bytes(id));
                let table = match value {
                    Some(value) => {
                        let table = tables::decode(value).filter(|table| table.id == id).ok_or(malformed("table"))?;
                        Some(Stored { thing: Arc::new(table), bytes: Some(value.into()) })
                    }
                    None => None,
                };
                self.put_table(id, table);
            }
        }
        Ok(())
    }

    fn put_table(&mut self, id: TableId, table: Option<Stored<Arc<TableDef>>>) {
        if let Some(old) = self.by_id.remove(&id)
            && let Some(named) = self.by_name.get_mut(&old.thing.name.namespace)
        {
            named.remove(&old.thing.name.table);
            if named.is_empty() {
                self.by_name.remove(&old.thing.name.namespace);
            }
        }
        if let Some(table) = table {
            let TableName { namespace, table: name } = table.thing.name.clone();
            self.by_name.entry(namespace).or_default().insert(name, id);
            self.by_id.insert(id, table);
        }
    }
}

/// Fails for the namespace that belongs to the database.
pub(super) fn refuse_system(namespace: &Name) -> Result<(), CatalogError> {
    if namespace.as_str() == SYSTEM_NAMESPACE { Err(CatalogError::SystemIsReadOnly) } else { Ok(()) }
}

pub(super) fn record(key: Vec<u8>, expect: Expect, value: Option<Vec<u8>>) -> RecordWrite {
    RecordWrite { space: RecordSpace::Catalog, key, expect, value }
}
