//! The way in: accepts connections, sees each of them off, and stops when told to.
//!
//! Each connection has a bounded time for its TLS handshake and for the head of each request, and none
//! of its writes may hang for ever. How many there may be is bounded in all and per address. At shutdown no
//! new ones are taken, running requests are finished, and sockets close themselves, all within a time.

mod write_timeout;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use ipnet::IpNet;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use self::write_timeout::WriteTimeout;
use crate::client_address::{Peer, canonical, is_trusted};
use crate::gate::{Gate, Pass};
use crate::http::{admin_routes, routes};
use crate::metrics;
use crate::state::{ApiState, Doors};

/// Bytes of a request's head.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// How long nothing is accepted after accepting failed for want of something that others have to give back.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Bytes that the system takes of what is written and cannot be sent yet; without a bound it takes megabytes from
/// a client that does not read, which can neither be taken back when the connection is killed nor be left out.
/// Large enough that a fast line never waits for a thread.
#[cfg(any(target_os = "linux", target_os = "android"))]
const UNSENT_BYTES_MAX: u32 = 128 << 10;
/// Connections of operators at one time.
const ADMIN_CONNECTIONS_MAX: usize = 64;
/// Time limit of everything that operators' connections do.
const ADMIN_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves the routes that applications use, until `shutdown`. Returns when all connections are done, or
/// when their time is up.
///
/// # Errors
/// When the listener has no address to listen on.
pub async fn serve(listener: TcpListener, state: ApiState, shutdown: CancellationToken) -> io::Result<()> {
    let options = Arc::clone(&state.options);
    let (alive, sockets) = mpsc::channel(1);
    let entrance = Entrance {
        routes: routes(Doors::new(state, shutdown.clone(), alive)),
        tls: options.tls.clone(),
        trusted_proxies: options.trusted_proxies.clone(),
        header_timeout: options.header_timeout,
        write_timeout: options.socket.slow_reader_timeout,
        all: Gate::new(options.connections_max, 0),
        by_address: Gate::new(0, options.connections_per_address_max),
        shutdown,
    };
    keep_open(listener, entrance, sockets, options.shutdown_timeout).await
}

/// Serves the routes of the separate address for operators, in plain text, until `shutdown`.
///
/// # Errors
/// When the listener has no address to listen on.
pub async fn serve_admin(listener: TcpListener, shutdown: CancellationToken) -> io::Result<()> {
    let (_, sockets) = mpsc::channel(1);
    let entrance = Entrance {
        routes: admin_routes(),
        tls: None,
        trusted_proxies: Vec::new(),
        header_timeout: ADMIN_TIMEOUT,
        write_timeout: ADMIN_TIMEOUT,
        all: Gate::new(ADMIN_CONNECTIONS_MAX, 0),
        by_address: Gate::new(0, 0),
        shutdown,
    };
    keep_open(listener, entrance, sockets, ADMIN_TIMEOUT).await
}

/// Leave to be one more connection, until it is dropped. A socket takes it over from its request.
#[derive(Debug)]
pub(crate) struct Admission {
    _all: Pass<()>,
    _of_address: Option<Pass<IpAddr>>,
}

struct Entrance {
    routes: Router,
    tls: Option<TlsAcceptor>,
    trusted_proxies: Vec<IpNet>,
    header_timeout: Duration,
    write_timeout: Duration,
    all: Gate<()>,
    by_address: Gate<IpAddr>,
    shutdown: CancellationToken,
}

/// Accepts until the shutdown, then waits for those inside: for `rest` to be closed by the sockets, too.
async fn keep_open(
    listener: TcpListener,
    entrance: Entrance,
    mut rest: mpsc::Receiver<()>,
    shutdown_timeout: Duration,
) -> io::Result<()> {
    let address = listener.local_addr()?;
    let entrance = Arc::new(entrance);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = entrance.shutdown.cancelled() => break,
            Some(ended) = connections.join_next(), if !connections.is_empty() => note_panic(ended),
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    if let Some(admission) = entrance.admit(peer) {
                        connections.spawn(Arc::clone(&entrance).attend(stream, peer, Arc::new(admission)));
                    }
                }
                Err(error) => entrance.pause(&error).await,
            },
        }
    }
    drop(listener);
    drop(entrance);
    let all_gone = async {
        while let Some(ended) = connections.join_next().await {
            note_panic(ended);
        }
        // Every socket holds a sender that it never uses.
        while rest.recv().await.is_some() {}
    };
    if timeout(shutdown_timeout, all_gone).await.is_err() {
        tracing::warn!(%address, "connections were still open when the time for the shutdown was up");
    }
    Ok(())
}

fn note_panic(ended: Result<(), tokio::task::JoinError>) {
    if ended.is_err_and(|error| error.is_panic()) {
        metrics::panic_caught();
        tracing::error!("a connection panicked");
    }
}

impl Entrance {
    /// May one more come in from this address?
    fn admit(&self, peer: SocketAddr) -> Option<Admission> {
        let address = canonical(peer.ip());
        let Ok(all) = self.all.enter(()) else {
            metrics::connection_refused("total");
            return None;
        };
        let of_address = if is_trusted(&self.trusted_proxies, address) {
            None
        } else if let Ok(pass) = self.by_address.enter(address) {
            Some(pass)
        } else {
            metrics::connection_refused("address");
            return None;
        };
        Some(Admission { _all: all, _of_address: of_address })
    }

    /// Waits a little where trying again at once would fail again.
    async fn pause(&self, error: &io::Error) {
        use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
        if matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted) {
            return;
        }
        tracing::warn!(%error, "a connection could not be accepted");
        metrics::connection_refused("accept");
        tokio::select! {
            () = self.shutdown.cancelled() => {}
            () = sleep(ACCEPT_PAUSE) => {}
        }
    }

    /// One connection, to its end or to its upgrade.
    async fn attend(self: Arc<Self>, stream: TcpStream, peer: SocketAddr, admission: Arc<Admission>) {
        prepare(&stream);
        let stream = WriteTimeout::new(stream, self.write_timeout);
        let Some(tls) = self.tls.clone() else {
            return self.speak(stream, peer, admission).await;
        };
        let handshake = tokio::select! {
            () = self.shutdown.cancelled() => return,
            handshake = timeout(self.header_timeout, tls.accept(stream)) => handshake,
        };
        match handshake {
            Ok(Ok(stream)) => self.speak(stream, peer, admission).await,
            Ok(Err(error)) => {
                metrics::connection_refused("tls");
                tracing::debug!(%error, "a TLS handshake failed");
            }
            Err(_) => {
                metrics::connection_refused("tls");
                tracing::debug!("a TLS handshake took too long");
            }
        }
    }

    async fn speak<S>(&self, stream: S, peer: SocketAddr, admission: Arc<Admission>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = service_fn(|mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(Peer(peer));
            request.extensions_mut().insert(Arc::clone(&admission));
            self.routes.clone().oneshot(request)
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.header_timeout)
            .max_buf_size(HEAD_BYTES_MAX)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        let mut connection = std::pin::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = self.shutdown.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended");
        }
    }
}

/// Small packets go at once, and little waits where it cannot be reached.
fn prepare(stream: &TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "small packets of a connection will be delayed");
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Err(error) = socket2::SockRef::from(stream).set_tcp_notsent_lowat(UNSENT_BYTES_MAX) {
        tracing::debug!(%error, "the system will hold much of what a slow client does not take");
    }
}

#[cfg(test)]
mod tests;
