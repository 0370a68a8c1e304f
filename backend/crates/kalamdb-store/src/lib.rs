//! Rows and commits on RocksDB: what was acknowledged is there, in one order, after any crash.
//!
//! Everything is written through [`Store::commit`]: one thread numbers the row changes of all
//! writers, makes them durable and hands each [`Commit`] to the one listener, in order. Reads go
//! through a [`Snapshot`], which stands exactly at the end of one commit. The change log keeps
//! what every row was and became, for as long as the options say.
//!
//! The store knows tables by number and rows by slot; schemas, SQL and who may see what are the
//! business of the crates above.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]
#![deny(missing_docs)]

pub mod clock;
pub mod error;
pub mod options;

pub mod key;
pub mod write_set;

mod snapshot;
mod store;

mod committer;
mod upkeep;

mod history;

mod change_log;
mod meta;
mod row_codec;

mod metrics;
mod rocks;

#[cfg(any(test, feature = "faults"))]
pub mod faults;

#[cfg(test)]
mod tests;

#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;

pub use clock::{Clock, ManualClock, SystemClock};
pub use error::{OpenError, ReadError, StorageFault, WriteError};
pub use key::{KeyError, KeyRange, RowKey, Scope, decode_values, encode_values};
pub use meta::FORMAT_VERSION;
pub use options::{Durability, StoreOptions};
pub use snapshot::Snapshot;
pub use store::{Listener, Record, Store};
pub use write_set::{
    BuiltIndexEntry, Change, Commit, CommitError, Committed, Expect, IndexSpec, RecordSpace, RecordWrite, RowWrite,
    StoredRow, WriteSet,
};
