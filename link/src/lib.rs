//! The client library of KalamDB: SQL over HTTP, and many live queries over one shared WebSocket.
//!
//! [`Client`] is what a program holds. A [`Subscription`] tells the changes of a query one commit at a time,
//! [`LiveRows`] keeps its whole result current. The library owns the connection's life: it logs in, opens the
//! socket with the first live query, comes back when it is lost, and goes on with every live query where
//! the program was. The same code runs natively (tokio) and, as WASM, in browsers and Node.
//!
//! ```no_run
//! # async fn example() -> kalam_link::Result<()> {
//! use kalam_link::{Client, Event, params};
//!
//! let client = Client::builder("http://localhost:2900").password("anna", "secret").build()?;
//! let mut open = client.subscribe("SELECT id, title FROM app.tasks WHERE done = $1").params(params![false]).start().await?;
//! let written = client.execute("INSERT INTO app.tasks (title, done) VALUES ($1, $2)", params!["water", false]).await?;
//! while let Some(event) = open.next().await {
//!     if let Event::Change(change) = event {
//!         println!("commit {}: {} rows", change.seq, change.rows.len());
//!     }
//! }
//! # Ok(()) }
//! ```

#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]
#![deny(missing_docs)]

mod auth;
mod backoff;
mod client;
mod driver;
mod error;
mod event;
mod live_rows;
mod options;
mod params;
#[cfg(any(target_family = "wasm", test))]
mod patch;
mod query;
mod row;
mod shared;
mod state;
mod subscription;
pub mod transport;
mod typed;
#[cfg(target_family = "wasm")]
mod wasm;

pub use auth::AuthProvider;
pub use backoff::Backoff;
pub use client::{Client, ClientBuilder, ConnectionEvents};
pub use error::{Error, Result};
pub use event::{Change, ConnectionState, Event, Snapshot, SubscriptionInfo, SubscriptionState};
pub use live_rows::{LiveRows, LiveRowsBuilder, Rows};
pub use options::Options;
pub use params::{IntoParam, IntoParams};
pub use query::{QueryResult, StatementOutcome};
pub use row::{Row, Schema};
pub use subscription::{Subscription, SubscriptionBuilder};

pub use kalamdb_commons::protocol::{ChangeType, SchemaField};
pub use kalamdb_commons::{DataType, ErrorCode, Role, SeqId, Value};

/// The examples of the documentation that is not code build.
#[cfg(doctest)]
#[doc = include_str!("../../docs/SDK.md")]
struct Guide;
