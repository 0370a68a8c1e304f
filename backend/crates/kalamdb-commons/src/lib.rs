//! Words both ends of the wire share: ids, names, values, rows and messages.
//!
//! This crate knows nothing of storage, SQL, sockets or time; it builds for
//! `wasm32-unknown-unknown`, so that the server, the native client and the browser
//! decode the very same types.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]
#![deny(missing_docs)]

pub mod ids;
pub mod name;
pub mod role;

pub mod data_type;
pub mod row;
pub mod value;

pub mod error_code;
pub mod protocol;

#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;

pub use data_type::DataType;
pub use error_code::ErrorCode;
pub use ids::{ConnectionId, IndexId, LiveQueryId, SeqId, SubscriptionId, TableId, UserId};
pub use name::{Name, TableName};
pub use role::Role;
pub use row::Row;
pub use value::Value;
