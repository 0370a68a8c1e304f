//! A whole server for tests and benchmarks, and clients that speak its wire by hand.
//!
//! `TestServer` runs the server inside the test on a port of its own; [`ServerProcess`] runs the
//! program, so that it can be killed. [`Session`] is one user over HTTP, [`Socket`] one WebSocket,
//! and [`LiveRows`] a client's copy of a live query, which checks every frame it is given.
//!
//! Everything here panics with a message when the server does not do as expected, and waits
//! for what should happen, with a generous limit, never for time to pass. Never shipped.

#![forbid(unsafe_code)]

mod http;
mod live_rows;
mod process;
#[cfg(feature = "in-process")]
mod server;
mod settings;
mod socket;

pub use http::{Answer, Http, Session, SqlFailure, SqlResult};
pub use live_rows::LiveRows;
pub use process::ServerProcess;
#[cfg(feature = "in-process")]
pub use server::TestServer;
pub use settings::ROOT_PASSWORD;
pub use socket::{Closed, Socket};

/// Longest wait for anything that should happen. Only a broken server is slower.
pub const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);
