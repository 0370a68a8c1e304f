//! What a table is: its columns, key, indexes and rules.
//!
//! A definition is immutable and shared; its stored bytes are the business of `tables/record.rs`.

use std::str::FromStr;
use std::sync::Arc;

use kalamdb_commons::{DataType, IndexId, Name, Row, TableId, TableName, Value};
use kalamdb_store::IndexSpec;
use serde::{Deserialize, Serialize};

use crate::rights::Grant;

/// Whose rows a table holds, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TableKind {
    /// Each user's own rows.
    User,
    /// Rows for everybody the access level admits.
    Shared,
    /// Each user's own rows, deleted when their time is up.
    Stream,
}

impl TableKind {
    /// The kind as system tables show it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            TableKind::User => "user",
            TableKind::Shared => "shared",
            TableKind::Stream => "stream",
        }
    }
}

impl FromStr for TableKind {
    type Err = UnknownWord;

    /// Reads `USER`, `SHARED` and `STREAM` in any case.
    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        [TableKind::User, TableKind::Shared, TableKind::Stream]
            .into_iter()
            .find(|kind| kind.as_str().eq_ignore_ascii_case(text))
            .ok_or(UnknownWord { what: "TYPE", words: "USER, SHARED, STREAM" })
    }
}

/// Who may use a SHARED table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AccessLevel {
    /// Everybody reads; service and above write.
    Public,
    /// Service and above.
    Restricted,
    /// Dba and system.
    Private,
}

impl AccessLevel {
    /// The level as system tables show it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            AccessLevel::Public => "public",
            AccessLevel::Restricted => "restricted",
            AccessLevel::Private => "private",
        }
    }
}

impl FromStr for AccessLevel {
    type Err = UnknownWord;

    /// Reads `PUBLIC`, `RESTRICTED` and `PRIVATE` in any case.
    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        [AccessLevel::Public, AccessLevel::Restricted, AccessLevel::Private]
            .into_iter()
            .find(|level| level.as_str().eq_ignore_ascii_case(text))
            .ok_or(UnknownWord { what: "ACCESS_LEVEL", words: "PUBLIC, RESTRICTED, PRIVATE" })
    }
}

/// The text is none of the words that an option takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be one of {words}")]
pub struct UnknownWord {
    /// The option.
    pub what: &'static str,
    /// The words it takes.
    pub words: &'static str,
}

/// A table. Never changed: an ALTER makes a new one with a higher `version`.
#[derive(Debug, Clone, PartialEq)]
pub struct TableDef {
    /// The table for life.
    pub id: TableId,
    /// Its name.
    pub name: TableName,
    /// Whose rows it holds.
    pub kind: TableKind,
    /// Who may use it, if it is SHARED.
    pub access: AccessLevel,
    /// How long a STREAM table keeps a row, in seconds.
    pub ttl_secs: Option<u64>,
    /// Its columns, in the order of `SELECT *`.
    pub columns: Vec<ColumnDef>,
    /// Slots of the primary key's columns, in key order. Empty: rows are keyed by a hidden number.
    pub primary_key: Vec<u16>,
    /// Its secondary indexes.
    pub indexes: Vec<IndexDef>,
    /// What was granted beyond the access level, if it is SHARED; each grantee once, ascending: roles first.
    pub grants: Vec<Grant>,
    /// The slot the next new column gets; slots are never used twice.
    pub next_slot: u16,
    /// Grows with every ALTER, and with every index and grant that comes or goes.
    pub version: u32,
    /// Microseconds since the Unix epoch.
    pub created_at: i64,
}

/// A column.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnDef {
    /// Its name.
    pub name: Name,
    /// Its type.
    pub data_type: DataType,
    /// May it not be NULL?
    pub not_null: bool,
    /// SQL text of its DEFAULT expression.
    pub default: Option<String>,
    /// Its place in a stored row, for life.
    pub slot: u16,
    /// What rows written before the column was added hold in it.
    pub fill: Value,
}

/// A secondary index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexDef {
    /// The index for life.
    pub id: IndexId,
    /// Its name, unique within the table.
    pub name: Name,
    /// Slots of its columns, in index order.
    pub slots: Vec<u16>,
    /// No two rows of one scope may have equal columns.
    pub unique: bool,
}

impl TableDef {
    /// The column of this name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&ColumnDef> {
        self.columns.iter().find(|column| column.name.as_str() == name)
    }

    /// The column in this slot.
    #[must_use]
    pub fn column_at(&self, slot: u16) -> Option<&ColumnDef> {
        self.columns.iter().find(|column| column.slot == slot)
    }

    /// Is the column in this slot part of the primary key?
    #[must_use]
    pub fn is_key(&self, slot: u16) -> bool {
        self.primary_key.contains(&slot)
    }

    /// The value of `column` in `row`.
    #[must_use]
    pub fn value<'a>(column: &'a ColumnDef, row: &'a Row) -> &'a Value {
        row.at(usize::from(column.slot)).unwrap_or(&column.fill)
    }

    /// The secondary index of this name.
    #[must_use]
    pub fn index(&self, name: &str) -> Option<&IndexDef> {
        self.indexes.iter().find(|index| index.name.as_str() == name)
    }

    /// What the store must know of the table's indexes.
    #[must_use]
    pub fn index_specs(&self) -> Arc<[IndexSpec]> {
        self.indexes.iter().map(|index| self.index_spec(index)).collect()
    }

    /// What the store must know of one of the table's indexes.
    #[must_use]
    pub fn index_spec(&self, index: &IndexDef) -> IndexSpec {
        let fill = |slot| self.column_at(slot).map_or(Value::Null, |column| column.fill.clone());
        IndexSpec {
            id: index.id,
            columns: index.slots.iter().map(|&slot| (slot, fill(slot))).collect(),
            unique: index.unique,
        }
    }
}
