//! The whole server, from the outside: what a client may rely on, over HTTP and WebSocket.
//!
//! One program, because every test program links the whole engine. Each test has a server of
//! its own, and is named by what holds, after the requirement, invariant or rule it proves.

mod authentication;
mod client_kit;
mod client_live;
mod client_queries;
mod client_reconnect;
mod connections;
mod errors;
mod frames;
mod full_flow;
mod golden;
mod isolation;
mod kill;
mod limits;
mod live_plans;
mod model;
mod notifications;
mod process;
mod resume;
mod routing;
mod schema_changes;
mod snapshots;
mod statements;
mod stream_tables;
mod subscriptions;
mod system_tables;
mod types;
mod users;
