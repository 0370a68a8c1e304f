//! `system.connections`: one row per authenticated WebSocket, for finding the one to kill.
//!
//! Nothing of it is stored; the live side makes the rows from memory.

mod columns;
mod row;

pub use columns::TABLE;
pub use row::ConnectionRow;
