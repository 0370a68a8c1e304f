//! What the database knows of itself: namespaces, tables, users, and the system tables that show them.
//!
//! The catalog and the users are kept in memory as immutable states that are replaced when a commit
//! says so; a change is a `WriteSet` built from the state it was decided on, with expectations that
//! let only one of two racing changes through. Each system table is a room of its own.
//!
//! This crate never parses SQL, checks a password, or decides who may call it: it says which rows of
//! the system tables a role may see, and leaves refusing to those who ask.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]
#![deny(missing_docs)]

pub mod catalog;
pub mod record_key;
pub mod rights;
pub mod system_table;
pub mod table_def;

pub mod audit;
pub mod connections;
pub mod grants;
pub mod live_queries;
pub mod namespaces;
pub mod settings;
pub mod table_columns;
pub mod tables;
pub mod users;

mod metrics;

#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;

pub use audit::{AuditEntry, AuditError, AuditKind, AuditLog, AuditOptions};
pub use catalog::{
    Alteration, Catalog, CatalogError, CatalogState, NewColumn, NewIndex, NewTable, StateError, TableOptions,
    TableRevision,
};
pub use connections::ConnectionRow;
pub use live_queries::{LiveQueryRecord, LiveQueryRow, LiveQueryStatus};
pub use namespaces::NamespaceDef;
pub use rights::{Grant, Grantee, Right, Rights};
pub use settings::SettingRow;
pub use system_table::{Audience, SystemColumn, SystemTable, system_table, system_tables};
pub use table_def::{AccessLevel, ColumnDef, IndexDef, TableDef, TableKind};
pub use users::{NewUser, UserChange, UserError, UserRecord, Users};
