//! Bounds and pace of live queries. Every bound of this side of the engine is here.
//!
//! With `n` connections, memory is bounded by `n` times what one connection may hold: its outbox, the
//! snapshots it has not read, and what waits for its subscriptions; one commit may stand above each
//! of them, because a commit is delivered whole.

use std::time::Duration;

/// Bounds and pace of live queries.
#[derive(Debug, Clone)]
pub struct LiveOptions {
    /// Subscriptions of one connection.
    pub max_subscriptions_per_connection: u32,
    /// Connections of one user.
    pub max_connections_per_user: u32,
    /// Subscriptions of one user, on all its connections.
    pub max_subscriptions_per_user: u32,
    /// Rows of a snapshot page where the client does not say.
    pub batch_rows: u32,
    /// Rows of a snapshot page, whatever the client says.
    pub batch_rows_max: u32,
    /// Bytes of a snapshot page, roughly; one row may be larger.
    pub batch_max_bytes: usize,
    /// Bytes that wait for one socket before its subscriptions lag.
    pub outbox_max_bytes: usize,
    /// Bytes of changes in one frame, roughly; a larger commit comes in several. One row may be larger.
    pub frame_max_bytes: usize,
    /// Bytes of changes that wait for one subscription while its snapshot is read. What is more is
    /// dropped and read from the change log later.
    pub waiting_max_bytes: usize,
    /// Bytes of frames that are made from the change log at a time, for all who wait for it; one commit may be larger.
    pub catch_up_max_bytes: usize,
    /// Bytes of the change log that are read at a time, whether they concern a query or not.
    pub log_pass_max_bytes: usize,
    /// Bytes of snapshots that one connection may hold unread before its next one is loaded.
    pub snapshots_max_bytes: usize,
    /// Bytes of the queries of one connection's subscriptions, parameters among them.
    pub queries_max_bytes: usize,
    /// Bytes of a result that is kept by running its query again.
    pub rerun_max_bytes: usize,
    /// Shortest time between two starts of one re-run query; the first after a quiet time is at once.
    pub rerun_tick: Duration,
    /// Re-run queries that run at one time.
    pub reruns_max: usize,
    /// Snapshots and catch-ups that are read at one time.
    pub reads_max: usize,
    /// The same, of one connection.
    pub reads_per_connection_max: usize,
    /// Bytes of commits that wait for the live loop before committing waits too.
    pub queue_max_bytes: usize,
}

impl Default for LiveOptions {
    fn default() -> Self {
        LiveOptions {
            max_subscriptions_per_connection: 1_000,
            max_connections_per_user: 100,
            max_subscriptions_per_user: 10_000,
            batch_rows: 1_000,
            batch_rows_max: 10_000,
            batch_max_bytes: 1 << 20,
            outbox_max_bytes: 4 << 20,
            frame_max_bytes: 1 << 20,
            waiting_max_bytes: 256 << 10,
            catch_up_max_bytes: 1 << 20,
            log_pass_max_bytes: 32 << 20,
            snapshots_max_bytes: 128 << 20,
            queries_max_bytes: 8 << 20,
            rerun_max_bytes: 16 << 20,
            rerun_tick: Duration::from_millis(30),
            reruns_max: 4,
            reads_max: 4,
            reads_per_connection_max: 2,
            queue_max_bytes: 64 << 20,
        }
    }
}
