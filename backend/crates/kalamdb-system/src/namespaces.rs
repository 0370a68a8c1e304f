//! `system.namespaces`: one row per namespace, the system's own among them.

mod columns;
mod record;
mod row;

pub use columns::TABLE;
pub use record::NamespaceDef;
pub(crate) use record::{decode, encode};
pub use row::rows;
