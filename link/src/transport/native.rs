//! Sockets, requests and time of a native program: tokio, tungstenite, reqwest, and rustls with the system's roots.

use std::future::Future as _;
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant, SystemTime};

use futures_util::{Sink, SinkExt as _, Stream as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::{BoxFuture, HttpRequest, HttpResponse, Incoming, NetworkError, Socket, Transport};

/// Largest frame that is read. The server's own limit for one is far below.
const FRAME_MAX_BYTES: usize = 64 << 20;
/// Code of a socket that ended without one.
const NO_CLOSE_FRAME: u16 = 1006;

/// See the module. One clock and one pool of HTTP connections.
#[derive(Debug)]
pub struct Native {
    began: Instant,
    http: OnceLock<reqwest::Client>,
}

impl Native {
    /// Opens nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Native { began: Instant::now(), http: OnceLock::new() }
    }

    fn http(&self) -> Result<reqwest::Client, NetworkError> {
        if let Some(http) = self.http.get() {
            return Ok(http.clone());
        }
        use_ring();
        let http = reqwest::Client::builder().build().map_err(|error| NetworkError(chain(&error)))?;
        Ok(self.http.get_or_init(|| http).clone())
    }
}

impl Default for Native {
    fn default() -> Self {
        Native::new()
    }
}

/// The libraries below take the process's cryptography. A program that has chosen another one keeps it.
fn use_ring() {
    let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
}

/// An error with its causes: the outermost one alone says little.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}

impl Transport for Native {
    fn open(&self, url: &str) -> BoxFuture<'static, Result<Box<dyn Socket>, NetworkError>> {
        let url = url.to_owned();
        Box::pin(async move {
            use_ring();
            let config = WebSocketConfig::default()
                .max_message_size(Some(FRAME_MAX_BYTES))
                .max_frame_size(Some(FRAME_MAX_BYTES));
            let opened = tokio_tungstenite::connect_async_with_config(url, Some(config), true).await;
            let (stream, _) = opened.map_err(|error| NetworkError(chain(&error)))?;
            Ok(Box::new(NativeSocket { stream, close_sent: false, closed: None }) as Box<dyn Socket>)
        })
    }

    fn post(&self, request: HttpRequest) -> BoxFuture<'static, Result<HttpResponse, NetworkError>> {
        let http = self.http();
        Box::pin(async move {
            let HttpRequest { url, bearer, body, response_max_bytes } = request;
            let mut post = http?.post(url).header("content-type", "application/json").body(body);
            if let Some(bearer) = bearer {
                post = post.bearer_auth(bearer);
            }
            let failed = |error: reqwest::Error| NetworkError(chain(&error.without_url()));
            let mut response = post.send().await.map_err(failed)?;
            let status = response.status().as_u16();
            let mut body = Vec::new();
            while let Some(chunk) = response.chunk().await.map_err(failed)? {
                if body.len().saturating_add(chunk.len()) > response_max_bytes {
                    let text = format!("the answer is larger than response_max_bytes = {response_max_bytes}");
                    return Err(NetworkError(text));
                }
                body.extend_from_slice(&chunk);
            }
            let body = String::from_utf8(body).map_err(|_| NetworkError("the answer is not UTF-8".to_owned()))?;
            Ok(HttpResponse { status, body })
        })
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        // The timer is made when it is first polled, so that a handle may be dropped outside of a runtime.
        Box::pin(async move { tokio::time::sleep(duration).await })
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) {
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(task)),
            // Dropping the task tells the state that nobody drives it; the next call tries again.
            Err(_) => tracing::error!("a live query needs a tokio runtime, and there is none here"),
        }
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    #[expect(clippy::disallowed_methods, reason = "the transport is the client's clock")]
    fn unix_now(&self) -> Duration {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
    }

    fn random(&self) -> f64 {
        rand::random::<f64>()
    }
}

struct NativeSocket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    close_sent: bool,
    closed: Option<Incoming>,
}

fn broken(error: &tungstenite::Error) -> NetworkError {
    NetworkError(chain(error))
}

impl NativeSocket {
    fn sink(&mut self) -> Pin<&mut WebSocketStream<MaybeTlsStream<TcpStream>>> {
        Pin::new(&mut self.stream)
    }
}

impl Socket for NativeSocket {
    fn poll_incoming(&mut self, cx: &mut Context<'_>) -> Poll<Incoming> {
        if let Some(closed) = &self.closed {
            return Poll::Ready(closed.clone());
        }
        loop {
            let closed = match ready!(self.sink().poll_next(cx)) {
                Some(Ok(Message::Text(text))) => return Poll::Ready(Incoming::Text(text.as_str().to_owned())),
                // We ask for no binary frames, and tungstenite answers pings.
                Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
                Some(Ok(Message::Close(Some(CloseFrame { code, reason })))) => {
                    Incoming::Closed { code: code.into(), reason: reason.as_str().to_owned() }
                }
                Some(Ok(Message::Close(None))) | None => {
                    Incoming::Closed { code: NO_CLOSE_FRAME, reason: "the server ended the connection".to_owned() }
                }
                Some(Err(error)) => Incoming::Closed { code: NO_CLOSE_FRAME, reason: chain(&error) },
            };
            self.closed = Some(closed.clone());
            return Poll::Ready(closed);
        }
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), NetworkError>> {
        Sink::poll_ready(self.sink(), cx).map_err(|error| broken(&error))
    }

    fn send(&mut self, text: String) -> Result<(), NetworkError> {
        self.sink().start_send(Message::text(text)).map_err(|error| broken(&error))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), NetworkError>> {
        Sink::poll_flush(self.sink(), cx).map_err(|error| broken(&error))
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.close_sent {
            if ready!(Sink::poll_ready(self.sink(), cx)).is_err() {
                return Poll::Ready(());
            }
            let frame = CloseFrame { code: 1000.into(), reason: "closed by the client".into() };
            if self.sink().start_send(Message::Close(Some(frame))).is_err() {
                return Poll::Ready(());
            }
            self.close_sent = true;
        }
        // Said is enough: whether the server answers concerns nobody.
        let mut flush = self.stream.flush();
        Pin::new(&mut flush).poll(cx).map(drop)
    }
}
