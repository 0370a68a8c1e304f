//! Tables that come and go.

use kalamdb_commons::{DataType, Name, TableName, Value};
use kalamdb_store::WriteSet;

use super::index::{COLUMNS_IN_KEY_MAX, NewIndex};
use super::state::refuse_system;
use super::{CatalogError, CatalogState};
use crate::table_def::{AccessLevel, ColumnDef, TableDef, TableKind};

/// A table to be.
#[derive(Debug, Clone, PartialEq)]
pub struct NewTable {
    /// Its name.
    pub name: TableName,
    /// Whose rows it holds, as the words before TABLE say; `options` may say it instead.
    pub kind: Option<TableKind>,
    /// What else was said of it.
    pub options: TableOptions,
    /// Its columns, in the order of `SELECT *`.
    pub columns: Vec<NewColumn>,
    /// Columns of the primary key, in key order. Empty: rows are keyed by a hidden number.
    pub primary_key: Vec<Name>,
    /// Columns that make rows unique; each set becomes a unique index with a name made from theirs.
    pub unique: Vec<Vec<Name>>,
}

/// A column to be.
#[derive(Debug, Clone, PartialEq)]
pub struct NewColumn {
    /// Its name.
    pub name: Name,
    /// Its type.
    pub data_type: DataType,
    /// May it not be NULL?
    pub not_null: bool,
    /// SQL text of its DEFAULT expression.
    pub default: Option<String>,
    /// What rows that are there already hold in it; becomes a value of the column's type.
    pub fill: Value,
}

/// Options of a table; `None` was not said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TableOptions {
    /// Whose rows it holds.
    pub kind: Option<TableKind>,
    /// Who may use it. Only for SHARED tables, where it is PRIVATE if nothing is said.
    pub access: Option<AccessLevel>,
    /// How long it keeps a row, in seconds. STREAM tables need it, no others take it.
    pub ttl_secs: Option<u64>,
}

impl CatalogState {
    /// Creates a table. Its namespace must be there, and still be there when the write set is committed.
    ///
    /// # Errors
    /// [`CatalogError`] when there is one of that name or the wish breaks a rule.
    pub fn create_table(&self, new: NewTable, now: i64) -> Result<WriteSet, CatalogError> {
        let NewTable { name, kind, options, columns, primary_key, unique } = new;
        refuse_system(&name.namespace)?;
        let Some(namespace) = self.namespace(&name.namespace) else {
            return Err(CatalogError::UnknownNamespace(name.namespace));
        };
        if self.table(&name).is_some() {
            return Err(CatalogError::TableExists(name));
        }
        let kind = match (kind, options.kind) {
            (Some(word), Some(option)) if word != option => return Err(CatalogError::TwoTypes),
            (word, option) => word.or(option).unwrap_or(TableKind::User),
        };
        let mut header = self.header();
        let mut table = TableDef {
            id: header.take_table()?,
            name,
            kind,
            access: AccessLevel::Private,
            ttl_secs: None,
            columns: Vec::with_capacity(columns.len()),
            primary_key: Vec::new(),
            indexes: Vec::new(),
            grants: Vec::new(),
            next_slot: 0,
            version: 1,
            created_at: now,
        };
        table.set(options)?;
        for column in columns {
            table.add_column(column)?;
        }
        if table.columns.is_empty() {
            return Err(CatalogError::NoColumns("a table"));
        }
        table.set_primary_key(&primary_key)?;
        for columns in unique {
            let slots = table.slots_of(&columns)?;
            // What the primary key or another constraint says already needs no index of its own.
            if slots == table.primary_key || table.indexes.iter().any(|index| index.unique && index.slots == slots) {
                continue;
            }
            let name = table.name_for_unique(&columns)?;
            table.add_index(&NewIndex { name, columns, unique: true }, header.take_index()?)?;
        }
        let records = vec![
            self.write_namespace(&namespace.name, Some(namespace))?,
            self.write_header(header)?,
            self.write_table(table.id, Some(&table))?,
        ];
        Ok(WriteSet { records, new_tables: vec![table.id], ..WriteSet::default() })
    }

    /// Drops a table, its rows, index entries and history. `None`: there is none, and `if_exists` says that
    /// this is fine.
    ///
    /// # Errors
    /// [`CatalogError`] when there is none, or it is the system's.
    pub fn drop_table(&self, name: &TableName, if_exists: bool) -> Result<Option<WriteSet>, CatalogError> {
        let table = match self.changeable_table(name) {
            Ok(table) => table,
            Err(CatalogError::UnknownTable(_)) if if_exists => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut writes = WriteSet::default();
        self.drop_into(&mut writes, table)?;
        Ok(Some(writes))
    }

    pub(super) fn drop_into(&self, writes: &mut WriteSet, table: &TableDef) -> Result<(), CatalogError> {
        writes.records.push(self.write_table(table.id, None)?);
        writes.purge_tables.push(table.id);
        writes.purge_indexes.extend(table.indexes.iter().map(|index| index.id));
        Ok(())
    }
}

impl TableDef {
    /// Sets what was said and checks that it goes with the table's kind.
    pub(super) fn set(&mut self, options: TableOptions) -> Result<(), CatalogError> {
        if options.access.is_some() && self.kind != TableKind::Shared {
            return Err(CatalogError::AccessWithoutShared);
        }
        if options.ttl_secs.is_some() && self.kind != TableKind::Stream {
            return Err(CatalogError::TtlWithoutStream);
        }
        self.access = options.access.unwrap_or(self.access);
        self.ttl_secs = options.ttl_secs.or(self.ttl_secs);
        if self.kind == TableKind::Stream && self.ttl_secs.is_none_or(|ttl| ttl == 0) {
            return Err(CatalogError::StreamWithoutTtl);
        }
        Ok(())
    }

    /// Adds a column in a slot that none has had.
    pub(super) fn add_column(&mut self, new: NewColumn) -> Result<u16, CatalogError> {
        if is_reserved(&new.name) {
            return Err(CatalogError::ReservedColumn(new.name));
        }
        if self.column(new.name.as_str()).is_some() {
            return Err(CatalogError::ColumnExists(new.name));
        }
        let Ok(fill) = new.fill.assign_to(&new.data_type) else {
            return Err(CatalogError::FillMismatch { column: new.name, data_type: new.data_type });
        };
        let slot = self.next_slot;
        let exhausted = CatalogError::TooMany { what: "columns since the table was made", max: usize::from(u16::MAX) };
        self.next_slot = slot.checked_add(1).ok_or(exhausted)?;
        self.columns.push(ColumnDef {
            name: new.name,
            data_type: new.data_type,
            not_null: new.not_null,
            default: new.default,
            slot,
            fill,
        });
        Ok(slot)
    }

    fn set_primary_key(&mut self, columns: &[Name]) -> Result<(), CatalogError> {
        if columns.len() > COLUMNS_IN_KEY_MAX {
            return Err(CatalogError::TooMany { what: "columns of a primary key", max: COLUMNS_IN_KEY_MAX });
        }
        self.primary_key = self.slots_of(columns)?;
        for column in &mut self.columns {
            column.not_null |= self.primary_key.contains(&column.slot);
        }
        Ok(())
    }

    /// Slots of these columns.
    pub(super) fn slots_of(&self, columns: &[Name]) -> Result<Vec<u16>, CatalogError> {
        let slot = |name: &Name| {
            let column = self.column(name.as_str());
            column.map(|column| column.slot).ok_or_else(|| CatalogError::UnknownColumn(name.clone()))
        };
        columns.iter().map(slot).collect()
    }
}

/// Names under which rows carry something else, in whatever case.
fn is_reserved(name: &Name) -> bool {
    let name = name.as_str().to_ascii_lowercase();
    name == "_seq" || name == "_key" || name.starts_with("_order_")
}
