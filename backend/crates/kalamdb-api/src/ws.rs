//! The WebSocket door: who may have a socket, and what a socket's life consists of.
//!
//! `handshake` is the HTTP side of it. `frame` is the format on the wire, `reader` and `writer` are the
//! two halves of a socket, `screen` and `rate` judge each message. `socket` lives one socket's life:
//! `authenticate` first, then `session` with its task for `writing`. What subscriptions are is known to
//! the engine alone.

mod handshake;
mod socket;

mod authenticate;
mod session;
mod writing;

pub(crate) mod frame;
mod reader;
mod writer;

mod rate;
mod screen;

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Version};
use axum::response::Response;
use futures_util::FutureExt as _;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use kalamdb_commons::ErrorCode;
use tokio::time::timeout;
use tracing::Instrument as _;

use self::handshake::Handshake;
use self::socket::NewSocket;
use crate::client_address::{Peer, canonical, client_address};
use crate::error::RequestError;
use crate::http::bearer;
use crate::serve::Admission;
use crate::state::Doors;

/// When an address that has all its sockets open may ask again: sockets do not come and go by the second.
const FULL_RETRY_SECS: u64 = 5;

/// `GET /v1/ws`: grants an upgrade and lets the socket live.
pub(crate) async fn upgrade(State(doors): State<Doors>, mut request: Request) -> Response {
    // A body is not shared between threads, and what is asked here waits.
    let head = Head {
        version: request.version(),
        headers: request.headers().clone(),
        peer: request.extensions().get::<Peer>().copied(),
        admission: request.extensions().get::<Arc<Admission>>().cloned(),
    };
    match admit(doors, head).await {
        Ok((handshake, socket)) => {
            let span = tracing::debug_span!(
                "socket",
                client = %socket.client_addr,
                connection_id = tracing::field::Empty,
                user_id = tracing::field::Empty,
            );
            tokio::spawn(begin(hyper::upgrade::on(&mut request), socket).instrument(span));
            handshake.grant()
        }
        Err(error) => error.into_auth_response(),
    }
}

/// What is read of a request.
struct Head {
    version: Version,
    headers: HeaderMap,
    peer: Option<Peer>,
    admission: Option<Arc<Admission>>,
}

/// May this request become a socket?
async fn admit(doors: Doors, head: Head) -> Result<(Handshake, NewSocket), RequestError> {
    let refuse = |code, what| RequestError::new(code, what);
    let Head { version, headers, peer, admission } = head;
    let headers = &headers;
    if !doors.options.allowed_origins.admit(headers) {
        return Err(refuse(ErrorCode::PermissionDenied, "the origin may not use this server"));
    }
    if doors.shutdown.is_cancelled() {
        return Err(refuse(ErrorCode::Unavailable, "the server is shutting down"));
    }
    let handshake = Handshake::read(version, headers)?;
    let peer = peer.ok_or_else(|| RequestError::internal(&"the address of a connection is not known"))?;
    let address = client_address(&doors.options.trusted_proxies, peer, headers);
    let proven = match bearer::token(headers) {
        Some(token) => Some(authenticate::check(&doors.auth, token, address).await?),
        None => None,
    };
    let full = |_| {
        refuse(ErrorCode::RateLimitExceeded, "too many WebSockets of this address are open")
            .retry_after(FULL_RETRY_SECS)
    };
    let pass = doors.sockets.enter(address).map_err(full)?;
    let unauthenticated = match proven {
        Some(_) => None,
        None => Some(doors.unauthenticated.enter(address).map_err(full)?),
    };
    let peer = SocketAddr::new(canonical(peer.0.ip()), peer.0.port());
    let client_addr = if peer.ip() == address { peer.to_string() } else { address.to_string() };
    Ok((handshake, NewSocket { doors, proven, address, client_addr, pass, unauthenticated, admission }))
}

/// Waits for the stream below the request and lives the socket's life on it.
async fn begin(upgrading: OnUpgrade, socket: NewSocket) {
    let stream = match timeout(socket.doors.options.header_timeout, upgrading).await {
        Ok(Ok(upgraded)) => TokioIo::new(upgraded),
        // The client went away before it had the answer.
        Ok(Err(_)) | Err(_) => return,
    };
    crate::metrics::socket_opened();
    let reason = match AssertUnwindSafe(socket::live(stream, socket)).catch_unwind().await {
        Ok(reason) => reason,
        Err(_) => {
            crate::metrics::panic_caught();
            tracing::error!("a socket panicked");
            None
        }
    };
    crate::metrics::socket_closed(reason);
    tracing::debug!(reason = reason.map_or("client_gone", |reason| reason.label()), "socket closed");
}
