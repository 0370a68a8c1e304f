//! `system.live_queries`: one row per active subscription.
//!
//! The record is what is stored when a subscription starts and deleted when it ends; the row adds
//! what only the live side knows. Records of a node that are found at its start are stale and are
//! purged before it listens.

mod columns;
pub(crate) mod record;
mod row;
mod store;

pub use columns::TABLE;
pub use record::LiveQueryRecord;
pub use row::{LiveQueryRow, LiveQueryStatus};
pub use store::{LiveQueryStoreError, LiveQueryWrite, all, purge_node, write};
