//! The list of system tables: their columns, and who may read which rows.
//!
//! Adding a system table is a room of its own and one line in [`system_tables`]. All of them are
//! read-only; what they show is filtered by the reader's role before any query sees it.

use kalamdb_commons::{DataType, Role, UserId};

use crate::{audit, connections, grants, live_queries, namespaces, settings, table_columns, tables, users};

/// Name of the namespace that holds the system tables. Nobody can create in it.
pub const SYSTEM_NAMESPACE: &str = "system";

/// Namespace of table names written without one; exists from the first start on.
pub const DEFAULT_NAMESPACE: &str = "default";

/// A table that shows what the database knows of itself.
#[derive(Debug, PartialEq, Eq)]
pub struct SystemTable {
    /// Its name in the namespace `system`.
    pub name: &'static str,
    /// Its columns; a row holds their values in this order.
    pub columns: &'static [SystemColumn],
    /// Who may read it.
    pub audience: Audience,
    /// What it shows.
    pub doc: &'static str,
}

/// A column of a system table.
#[derive(Debug, PartialEq, Eq)]
pub struct SystemColumn {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub data_type: DataType,
    /// Is it never NULL?
    pub not_null: bool,
    /// Is it part of the primary key?
    pub pk: bool,
    /// What it shows.
    pub doc: &'static str,
}

/// Who may read a system table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Administrators read every row, everybody else the rows that carry its own user id.
    OwnRows,
    /// Everybody; rows about tables that the reader may not use are left out.
    Visible,
    /// Administrators only.
    Admin,
}

impl Audience {
    /// May this role read the table at all?
    #[must_use]
    pub const fn admits(self, role: Role) -> bool {
        match self {
            Audience::OwnRows | Audience::Visible => true,
            Audience::Admin => role.is_admin(),
        }
    }

    /// May this reader see a row that belongs to `owner`?
    #[must_use]
    pub fn shows(self, role: Role, reader: &UserId, owner: &UserId) -> bool {
        match self {
            Audience::OwnRows => role.is_admin() || reader == owner,
            Audience::Visible => true,
            Audience::Admin => role.is_admin(),
        }
    }
}

impl SystemTable {
    /// Where in a row the column of this name stands.
    #[must_use]
    pub fn position(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|c| c.name == column)
    }
}

impl SystemColumn {
    /// A column that may be NULL.
    #[must_use]
    pub const fn nullable(name: &'static str, data_type: DataType, doc: &'static str) -> Self {
        SystemColumn { name, data_type, not_null: false, pk: false, doc }
    }

    /// A column that is never NULL.
    #[must_use]
    pub const fn required(name: &'static str, data_type: DataType, doc: &'static str) -> Self {
        SystemColumn { name, data_type, not_null: true, pk: false, doc }
    }

    /// A column of the primary key.
    #[must_use]
    pub const fn key(name: &'static str, data_type: DataType, doc: &'static str) -> Self {
        SystemColumn { name, data_type, not_null: true, pk: true, doc }
    }
}

/// Every system table, by name.
#[must_use]
pub fn system_tables() -> &'static [SystemTable] {
    const TABLES: &[SystemTable] = &[
        audit::TABLE,
        table_columns::TABLE,
        connections::TABLE,
        grants::TABLE,
        live_queries::TABLE,
        namespaces::TABLE,
        settings::TABLE,
        tables::TABLE,
        users::TABLE,
    ];
    TABLES
}

/// The system table of this name.
#[must_use]
pub fn system_table(name: &str) -> Option<&'static SystemTable> {
    system_tables().iter().find(|table| table.name == name)
}

#[cfg(test)]
mod tests;
