//! The world outside, as far as this library needs it: sockets, requests, time, chance and tasks.
//!
//! Two implementations: `native` (tokio) and `browser` (web-sys). All decisions are made
//! in `crate::state`; what is here only does as it is told.

#[cfg(target_family = "wasm")]
pub mod browser;
#[cfg(not(target_family = "wasm"))]
pub mod native;

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// `Send` where there are threads, nothing in a browser.
#[cfg(not(target_family = "wasm"))]
pub trait MaybeSend: Send {}
#[cfg(not(target_family = "wasm"))]
impl<T: Send + ?Sized> MaybeSend for T {}
/// `Send` where there are threads, nothing in a browser.
#[cfg(target_family = "wasm")]
pub trait MaybeSend {}
#[cfg(target_family = "wasm")]
impl<T: ?Sized> MaybeSend for T {}

/// `Send + Sync` where there are threads, nothing in a browser.
#[cfg(not(target_family = "wasm"))]
pub trait MaybeSync: Send + Sync {}
#[cfg(not(target_family = "wasm"))]
impl<T: Send + Sync + ?Sized> MaybeSync for T {}
/// `Send + Sync` where there are threads, nothing in a browser.
#[cfg(target_family = "wasm")]
pub trait MaybeSync {}
#[cfg(target_family = "wasm")]
impl<T: ?Sized> MaybeSync for T {}

/// A boxed future, `Send` where there are threads.
#[cfg(not(target_family = "wasm"))]
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
/// A boxed future, `Send` where there are threads.
#[cfg(target_family = "wasm")]
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// Why the network did not do it, for people. Holds no secrets: not the bearer, not the body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NetworkError(pub String);

/// One POST of a JSON body.
#[derive(Clone)]
pub struct HttpRequest {
    /// Whole address.
    pub url: String,
    /// Access token for `Authorization: Bearer`.
    pub bearer: Option<String>,
    /// JSON text.
    pub body: String,
    /// Longest answer that is read, in bytes.
    pub response_max_bytes: usize,
}

/// The answer to a request, whatever its status.
#[derive(Clone)]
pub struct HttpResponse {
    /// HTTP status.
    pub status: u16,
    /// The body as text.
    pub body: String,
}

/// What came out of a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// A text frame.
    Text(String),
    /// The socket is closed; nothing follows. Without a close frame the code is 1006.
    Closed {
        /// Close code.
        code: u16,
        /// Reason as the server wrote it, or what the network said.
        reason: String,
    },
}

/// An open WebSocket. Polled by one task only. Dropping it closes it.
pub trait Socket: MaybeSend {
    /// The next frame. Ping and pong frames are answered and left out.
    fn poll_incoming(&mut self, cx: &mut Context<'_>) -> Poll<Incoming>;

    /// Is there room for one more frame?
    ///
    /// # Errors
    /// The socket is broken or closed.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), NetworkError>>;

    /// Takes one text frame; only after [`Socket::poll_ready`] said so.
    ///
    /// # Errors
    /// The socket is broken or closed.
    fn send(&mut self, text: String) -> Result<(), NetworkError>;

    /// Sends what was taken.
    ///
    /// # Errors
    /// The socket is broken or closed.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), NetworkError>>;

    /// Closes with code 1000, and is ready when that was said.
    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

/// Everything that is not decided by the state machine.
pub trait Transport: MaybeSync + 'static {
    /// Opens a WebSocket. Dropping the future gives up.
    fn open(&self, url: &str) -> BoxFuture<'static, Result<Box<dyn Socket>, NetworkError>>;

    /// Posts a request. Dropping the future gives up.
    fn post(&self, request: HttpRequest) -> BoxFuture<'static, Result<HttpResponse, NetworkError>>;

    /// Is ready after so long.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;

    /// Runs a task to its end.
    fn spawn(&self, task: BoxFuture<'static, ()>);

    /// A clock that never goes back, from any beginning.
    fn now(&self) -> Duration;

    /// Time since the Unix epoch, as the system has it.
    fn unix_now(&self) -> Duration;

    /// Chance, from 0 (inclusive) to 1 (exclusive).
    fn random(&self) -> f64;
}
