//! `system.columns`: one row per column of every table that the reader may use.

mod columns;
mod row;

pub use columns::TABLE;
pub use row::rows;
