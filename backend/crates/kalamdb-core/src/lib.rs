//! The engine of KalamDB: SQL in, results and live changes out.
//!
//! [`engine::Engine`] is the front door. Behind it, `sql` reads, plans and runs statements, `tables`
//! shows stored rows to the query planner, and `live` keeps the results of subscribed queries
//! current from the stream of commits. Nothing here knows of HTTP, sockets, files or configuration.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod engine;
pub mod options;

pub mod context;
pub mod error;

pub mod sql;
pub mod tables;

pub mod live;
pub mod stream_expiry;

pub mod metrics;

#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;

pub use context::{Caller, Overlay, StatementContext};
pub use engine::Engine;
pub use error::SqlError;
pub use options::{EngineOptions, Limits};
