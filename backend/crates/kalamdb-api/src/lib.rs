//! The doors of KalamDB: HTTP routes and WebSocket sessions.
//!
//! This crate turns what travels into calls of the engine and back. It decides who may open a
//! connection, how much one may send, and when one has been silent or slow for too long; it knows
//! nothing of SQL, tables, files or configuration. [`serve()`] is the way in.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod serve;
mod state;

mod http;
mod ws;

mod client_address;
mod error;
mod gate;
mod origin;
mod rfc3339;

pub mod metrics;

#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;

pub use origin::{AllowedOrigins, InvalidOrigin};
pub use serve::{serve, serve_admin};
pub use state::{ApiOptions, ApiState, SocketOptions};
