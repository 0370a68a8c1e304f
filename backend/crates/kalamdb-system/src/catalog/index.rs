//! Indexes that come and go, and what a changed table asks of the store.
//!
//! The number of a new index is taken by the write set that stores its first entries, so a build that
//! is broken off leaves entries under a number that nobody gets again.

use std::sync::Arc;

use kalamdb_commons::{IndexId, Name, TableName};
use kalamdb_store::{IndexSpec, RecordWrite, WriteSet};

use super::header::Header;
use super::{CatalogError, CatalogState};
use crate::table_def::{IndexDef, TableDef};

/// Most columns of one index or primary key.
pub(super) const COLUMNS_IN_KEY_MAX: usize = 32;

/// Most indexes of one table: each of them is written with every row.
const INDEXES_MAX: usize = 64;

/// An index to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewIndex {
    /// Its name, unique within the table.
    pub name: Name,
    /// Its columns, in order.
    pub columns: Vec<Name>,
    /// No two rows of one scope may have equal columns.
    pub unique: bool,
}

/// A table as it becomes, and how.
#[derive(Debug, Clone)]
pub struct TableRevision {
    /// What to commit, with the last of the entries that `build` asks for.
    pub writes: WriteSet,
    /// The counters as they become. To be committed with the first of those entries, which is the same
    /// write set where there are few.
    pub counters: Option<RecordWrite>,
    /// The table as it becomes.
    pub table: Arc<TableDef>,
    /// New indexes: they need an entry for every row of the table.
    pub build: Vec<IndexSpec>,
}

impl CatalogState {
    /// Creates an index. `None`: there is one of that name, and `if_not_exists` says that this is fine.
    ///
    /// # Errors
    /// [`CatalogError`] when there is no such table or column, or there is such an index.
    pub fn create_index(
        &self,
        table: &TableName,
        new: &NewIndex,
        if_not_exists: bool,
    ) -> Result<Option<TableRevision>, CatalogError> {
        let mut table = self.changeable_table(table)?.as_ref().clone();
        if table.index(new.name.as_str()).is_some() {
            let exists = CatalogError::IndexExists { index: new.name.clone(), table: table.name };
            return if if_not_exists { Ok(None) } else { Err(exists) };
        }
        let mut header = self.header();
        let id = header.take_index()?;
        table.add_index(new, id)?;
        self.revise(table, header, &[id]).map(Some)
    }

    /// Drops an index. `None`: there is none, and `if_exists` says that this is fine.
    ///
    /// # Errors
    /// [`CatalogError`] when there is no such table or index.
    pub fn drop_index(
        &self,
        table: &TableName,
        name: &Name,
        if_exists: bool,
    ) -> Result<Option<TableRevision>, CatalogError> {
        let mut table = self.changeable_table(table)?.as_ref().clone();
        let Some(id) = table.index(name.as_str()).map(|index| index.id) else {
            let unknown = CatalogError::UnknownIndex { index: name.clone(), table: table.name };
            return if if_exists { Ok(None) } else { Err(unknown) };
        };
        table.indexes.retain(|index| index.id != id);
        let mut revision = self.revise(table, self.header(), &[])?;
        revision.writes.purge_indexes.push(id);
        Ok(Some(revision))
    }

    /// Replaces a table; `built` are those of its indexes that are new.
    pub(super) fn revise(
        &self,
        mut table: TableDef,
        header: Header,
        built: &[IndexId],
    ) -> Result<TableRevision, CatalogError> {
        table.version = table.version.saturating_add(1);
        let records = vec![self.write_table(table.id, Some(&table))?];
        let counters = if header == self.header() { None } else { Some(self.write_header(header)?) };
        let new = table.indexes.iter().filter(|index| built.contains(&index.id));
        let build = new.map(|index| table.index_spec(index)).collect();
        let writes = WriteSet { records, ..WriteSet::default() };
        Ok(TableRevision { writes, counters, table: Arc::new(table), build })
    }
}

impl TableDef {
    pub(super) fn add_index(&mut self, new: &NewIndex, id: IndexId) -> Result<(), CatalogError> {
        if self.indexes.len() >= INDEXES_MAX {
            return Err(CatalogError::TooMany { what: "indexes of a table", max: INDEXES_MAX });
        }
        if new.columns.len() > COLUMNS_IN_KEY_MAX {
            return Err(CatalogError::TooMany { what: "columns of an index", max: COLUMNS_IN_KEY_MAX });
        }
        if new.columns.is_empty() {
            return Err(CatalogError::NoColumns("an index"));
        }
        let slots = self.slots_of(&new.columns)?;
        self.indexes.push(IndexDef { id, name: new.name.clone(), slots, unique: new.unique });
        Ok(())
    }

    /// A name for the index behind a UNIQUE constraint: its columns and `key`, and a number where that is taken.
    pub(super) fn name_for_unique(&self, columns: &[Name]) -> Result<Name, CatalogError> {
        let joined = columns.iter().map(Name::as_str).collect::<Vec<_>>().join("_");
        let name = |number: usize| {
            let ending = if number == 1 { "_key".to_owned() } else { format!("_key{number}") };
            let end = joined.floor_char_boundary(Name::MAX_BYTES.saturating_sub(ending.len()));
            Name::new(&format!("{}{ending}", joined.get(..end).unwrap_or_default())).ok()
        };
        let free = |name: &Name| self.index(name.as_str()).is_none();
        let found = (1..=INDEXES_MAX).filter_map(name).find(free);
        found.ok_or(CatalogError::TooMany { what: "indexes of a table", max: INDEXES_MAX })
    }
}
