//! Tables that change.

use kalamdb_commons::{Name, TableName};

use super::create::{NewColumn, TableOptions};
use super::index::{NewIndex, TableRevision};
use super::{CatalogError, CatalogState};
use crate::table_def::TableDef;

/// One change of a table.
#[derive(Debug, Clone, PartialEq)]
pub enum Alteration {
    /// A column comes. A NOT NULL one needs a fill for the rows that are there already.
    AddColumn {
        /// The column.
        column: NewColumn,
        /// Not an error if it is there.
        if_not_exists: bool,
        /// Its values are unique.
        unique: bool,
    },
    /// A column goes. It must be in no key and no index.
    DropColumn {
        /// The column.
        name: Name,
        /// Not an error if it is not there.
        if_exists: bool,
    },
    /// Options change; what was not said stays.
    Set(TableOptions),
}

impl CatalogState {
    /// Changes a table, all changes or none. `None`: it is already as wished.
    ///
    /// # Errors
    /// [`CatalogError`] when there is no such table or a change breaks a rule.
    pub fn alter_table(
        &self,
        name: &TableName,
        changes: Vec<Alteration>,
    ) -> Result<Option<TableRevision>, CatalogError> {
        let old = self.changeable_table(name)?;
        let mut table = old.as_ref().clone();
        let mut header = self.header();
        let mut built = Vec::new();
        for change in changes {
            match change {
                Alteration::AddColumn { column, if_not_exists: true, .. }
                    if table.column(column.name.as_str()).is_some() => {}
                Alteration::AddColumn { column, unique, .. } => {
                    if column.not_null && column.fill.is_null() {
                        return Err(CatalogError::NeedsDefault(column.name));
                    }
                    let columns = vec![column.name.clone()];
                    table.add_column(column)?;
                    if unique {
                        let id = header.take_index()?;
                        let name = table.name_for_unique(&columns)?;
                        table.add_index(&NewIndex { name, columns, unique }, id)?;
                        built.push(id);
                    }
                }
                Alteration::DropColumn { name, if_exists } => table.drop_column(&name, if_exists)?,
                Alteration::Set(options) => {
                    if options.kind.is_some_and(|kind| kind != table.kind) {
                        return Err(CatalogError::TypeStays);
                    }
                    table.set(options)?;
                }
            }
        }
        if table == **old {
            return Ok(None);
        }
        let has_other_columns = slots(&table) != slots(old);
        let mut revision = self.revise(table, header, &built)?;
        if has_other_columns {
            // Who comes back to a query of all columns would keep rows of another shape than those that are told.
            revision.writes.new_tables.push(old.id);
        }
        Ok(Some(revision))
    }
}

fn slots(table: &TableDef) -> Vec<u16> {
    table.columns.iter().map(|column| column.slot).collect()
}

impl TableDef {
    fn drop_column(&mut self, name: &Name, if_exists: bool) -> Result<(), CatalogError> {
        let Some(slot) = self.column(name.as_str()).map(|column| column.slot) else {
            return if if_exists { Ok(()) } else { Err(CatalogError::UnknownColumn(name.clone())) };
        };
        if self.is_key(slot) {
            return Err(CatalogError::KeyColumnStays(name.clone()));
        }
        if let Some(index) = self.indexes.iter().find(|index| index.slots.contains(&slot)) {
            return Err(CatalogError::ColumnIsIndexed { column: name.clone(), index: index.name.clone() });
        }
        if self.columns.len() == 1 {
            return Err(CatalogError::NoColumns("a table"));
        }
        self.columns.retain(|column| column.slot != slot);
        Ok(())
    }
}
