//! `system.tables`: one row per table that the reader may use, the system tables among them.

mod cell_record;
mod columns;
mod record;
mod row;

pub use columns::TABLE;
pub(crate) use record::{decode, encode};
pub use row::rows;
