//! `system.grants`: one row per table, grantee and right.
//!
//! Administrators see all of them, everybody else those that reach it.

mod columns;
mod row;

pub use columns::TABLE;
pub use row::rows;
