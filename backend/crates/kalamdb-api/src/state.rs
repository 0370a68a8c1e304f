//! What every route needs: the engine, the door-keeper, the limits, and who is inside right now.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use kalamdb_auth::Auth;
use kalamdb_commons::UserId;
use kalamdb_core::Engine;
use kalamdb_system::Users;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::gate::Gate;
use crate::origin::AllowedOrigins;

/// What the doors open onto.
#[derive(Clone)]
pub struct ApiState {
    /// Runs SQL and live queries.
    pub engine: Engine,
    /// Knows who is asking.
    pub auth: Arc<Auth>,
    /// The stored users, for what a user is told about itself.
    pub users: Arc<Users>,
    /// Limits and time limits.
    pub options: Arc<ApiOptions>,
}

/// Limits and time limits of the doors. A count of 0 means no limit.
#[derive(Clone)]
pub struct ApiOptions {
    /// Web pages of which origins may use this server.
    pub allowed_origins: AllowedOrigins,
    /// Proxies whose word about a client's address is taken.
    pub trusted_proxies: Vec<IpNet>,
    /// TLS, or plain text.
    pub tls: Option<TlsAcceptor>,
    /// Largest request body, in bytes.
    pub body_bytes_max: usize,
    /// Time a client has for its TLS handshake and for the head of each request.
    pub header_timeout: Duration,
    /// Time a client has for the body of a request.
    pub body_timeout: Duration,
    /// TCP connections at one time.
    pub connections_max: usize,
    /// TCP connections of one address at one time; trusted proxies do not count.
    pub connections_per_address_max: usize,
    /// Requests of one user that run at one time.
    pub requests_per_user_max: usize,
    /// Time that running requests and closing sockets have at shutdown.
    pub shutdown_timeout: Duration,
    /// Limits of WebSockets.
    pub socket: SocketOptions,
}

/// Limits and time limits of one WebSocket. A count of 0 means no limit.
#[derive(Debug, Clone)]
pub struct SocketOptions {
    /// Time until a socket must be authenticated.
    pub auth_timeout: Duration,
    /// Time without any frame from the client after which it is closed.
    pub idle_timeout: Duration,
    /// Time one write may take before the reader counts as too slow.
    pub slow_reader_timeout: Duration,
    /// Quiet time after which the client is told how far it has read.
    pub progress_interval: Duration,
    /// Largest message, in bytes.
    pub message_bytes_max: usize,
    /// Messages per second, averaged over [`SocketOptions::MESSAGE_WINDOW_SECS`].
    pub messages_per_sec_max: u32,
    /// Sockets of one client address at one time.
    pub sockets_per_address_max: usize,
    /// Sockets at one time that have not been authenticated.
    pub unauthenticated_max: usize,
    /// The same, of one client address.
    pub unauthenticated_per_address_max: usize,
}

impl SocketOptions {
    /// Seconds over which the messages of one socket are averaged: a client that opens all its
    /// subscriptions at once is no flood.
    pub const MESSAGE_WINDOW_SECS: u32 = 10;

    /// The size at which reading a message is given up. Between the limit and this size the client
    /// gets an error and keeps its connection.
    #[must_use]
    pub fn message_bytes_read_max(&self) -> usize {
        self.message_bytes_max.saturating_mul(4).max(self.message_bytes_max.saturating_add(1 << 20))
    }
}

/// The state of one [`crate::serve()`] call, shared by all its connections.
#[derive(Clone)]
pub(crate) struct Doors {
    pub(crate) engine: Engine,
    pub(crate) auth: Arc<Auth>,
    pub(crate) users: Arc<Users>,
    pub(crate) options: Arc<ApiOptions>,
    /// Running requests by user.
    pub(crate) requests: Gate<UserId>,
    /// WebSockets by client address.
    pub(crate) sockets: Gate<IpAddr>,
    /// WebSockets that have not been authenticated, by client address.
    pub(crate) unauthenticated: Gate<IpAddr>,
    /// Set when the server stops.
    pub(crate) shutdown: CancellationToken,
    /// Held by every socket task; the server waits until the last one is dropped.
    pub(crate) _alive: tokio::sync::mpsc::Sender<()>,
}

impl Doors {
    pub(crate) fn new(state: ApiState, shutdown: CancellationToken, alive: tokio::sync::mpsc::Sender<()>) -> Self {
        let ApiState { engine, auth, users, options } = state;
        let socket = &options.socket;
        Doors {
            requests: Gate::new(0, options.requests_per_user_max),
            sockets: Gate::new(0, socket.sockets_per_address_max),
            unauthenticated: Gate::new(socket.unauthenticated_max, socket.unauthenticated_per_address_max),
            engine,
            auth,
            users,
            options,
            shutdown,
            _alive: alive,
        }
    }
}
