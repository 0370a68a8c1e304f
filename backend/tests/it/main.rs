//! The whole server, from the outside: what a client may rely on, over HTTP and WebSocket.
//!
//! One program, because every test program links the whole engine. Each test has a server of
//! its own, and is named by what holds, after the requirement, invariant or rule it proves.

mod attacker;
mod audit;
mod authentication;
mod client_kit;
mod client_live;
mod client_queries;
mod client_reconnect;
mod conflicts;
mod connections;
mod crash;
mod crowd;
mod doors;
mod errors;
mod frames;
mod full_flow;
mod golden;
mod hostile;
mod isolation;
mod issuers;
mod kill;
mod lifetimes;
mod limits;
mod live_plans;
mod model;
mod notifications;
mod oracle;
mod outside_issuer;
mod process;
mod resume;
mod rights;
mod routing;
mod schema_changes;
mod slow_readers;
mod snapshots;
mod statements;
mod stream_tables;
mod subscriptions;
mod system_tables;
mod types;
mod users;
