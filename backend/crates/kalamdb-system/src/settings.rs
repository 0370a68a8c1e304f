//! `system.settings`: what the server runs with, secrets left out by whoever fills the rows.
//!
//! Nothing of it is stored here; the rows come from the configuration.

mod columns;
mod row;

pub use columns::TABLE;
pub use row::SettingRow;
