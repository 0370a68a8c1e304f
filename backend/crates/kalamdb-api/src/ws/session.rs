//! The authenticated time of a socket.
//!
//! Four things go on at once: messages are read and looked at, those that concern live queries are
//! acted on in order, frames are written, and the token's time runs. The first of them to end ends
//! the connection; there is one teardown, whatever the reason. A subscription that takes long to plan
//! keeps neither pings nor the close of the connection waiting.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kalamdb_auth::{Auth, AuthError};
use kalamdb_commons::UserId;
use kalamdb_commons::protocol::{ClientMessage, ProtocolOptions, ServerMessage, SubscribeRequest};
use kalamdb_core::live::{CloseReason, Connection, Outgoing};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::{JoinError, JoinHandle};
use tokio::time::{sleep, timeout};
use tracing::Instrument as _;

use super::authenticate::{self, Proven};
use super::frame::Message;
use super::reader::{Broken, Reader};
use super::screen::{Screen, Screened};
use super::writer::Writer;
use super::writing::{Direct, Sources, WritingEnd, write_out};
use crate::rfc3339::rfc3339;
use crate::state::Doors;

/// Messages that wait while one before them is acted on.
const WAITING_MAX: usize = 64;
/// Answers of the reading task's own that wait to be written.
const DIRECT_MAX: usize = 64;
/// Time that the teardown of a connection may take before its client is told nevertheless.
const TEARDOWN_TIMEOUT: Duration = Duration::from_secs(5);
/// The clock may be set or the machine sleep, so the time that a token has left is looked at again.
const CLOCK_LOOK_INTERVAL: Duration = Duration::from_secs(30);

/// Attends to a connection until it ends. Gives the reason (`None`: the client is gone) and the writer
/// for the close frame, if there is one left.
pub(super) async fn attend<R, W>(
    doors: &Doors,
    address: IpAddr,
    (mut connection, outgoing): (Connection, Outgoing),
    (reader, writer): (&mut Reader<R>, Writer<W>),
    screen: &mut Screen,
) -> (Option<CloseReason>, Option<Writer<W>>)
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin + Send + 'static,
{
    let options = &doors.options.socket;
    let (direct, direct_in) = mpsc::channel(DIRECT_MAX);
    let (orders, mut orders_in) = mpsc::channel(WAITING_MAX);
    let (ends, ends_in) = watch::channel(connection.expires_at());
    let sources = Sources {
        outgoing,
        direct: direct_in,
        ends: ends_in.clone(),
        auth: Arc::clone(&doors.auth),
        progress_interval: options.progress_interval,
    };
    let mut writing = tokio::spawn(write_out(writer, sources).in_current_span());
    let waiting_bytes_max = options.message_bytes_max.clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
    let mut reading = Reading {
        auth: &doors.auth,
        address,
        user: connection.user().clone(),
        reader,
        screen,
        direct,
        orders,
        ends,
        waiting_bytes: Arc::new(Semaphore::new(waiting_bytes_max)),
        waiting_bytes_max,
        idle_timeout: options.idle_timeout,
    };
    let ended = tokio::select! {
        biased;
        written = &mut writing => Err(written),
        () = doors.shutdown.cancelled() => Ok(Some(CloseReason::ShuttingDown)),
        () = expired(&doors.auth, ends_in) => Ok(Some(CloseReason::TokenExpired)),
        reason = reading.run() => Ok(reason),
        reason = act(doors, &mut connection, &mut orders_in) => Ok(Some(reason)),
    };
    tear_down(connection, writing, ended).await
}

/// What the writing task leaves behind.
type Written<W> = Result<(Writer<W>, WritingEnd), JoinError>;

/// The one teardown: ends the connection, then waits for the writing task, unless that one was first.
async fn tear_down<W: AsyncWrite + Unpin>(
    connection: Connection,
    mut writing: JoinHandle<(Writer<W>, WritingEnd)>,
    ended: Result<Option<CloseReason>, Written<W>>,
) -> (Option<CloseReason>, Option<Writer<W>>) {
    let reason = match &ended {
        Ok(reason) => *reason,
        Err(Ok((_, WritingEnd::Closed(reason)))) => Some(*reason),
        Err(Ok((_, WritingEnd::Failed(failure)))) => failure.close_reason(),
        Err(Err(_)) => None,
    };
    let closing = connection.close(reason.unwrap_or(CloseReason::ClientAsked));
    if timeout(TEARDOWN_TIMEOUT, closing).await.is_err() {
        tracing::error!("the teardown of a connection takes too long");
    }
    let written = match ended {
        Err(written) => written,
        Ok(_) => match timeout(TEARDOWN_TIMEOUT, &mut writing).await {
            Ok(written) => written,
            Err(_) => {
                tracing::error!("a writing task does not end");
                writing.abort();
                return (reason, None);
            }
        },
    };
    match written {
        // The reason that came first stands; a client that is gone needs none.
        Ok((writer, WritingEnd::Closed(first))) => (reason.map(|_| first), Some(writer)),
        Ok((writer, WritingEnd::Failed(failure))) => (failure.close_reason(), Some(writer)),
        Err(panicked) => {
            crate::metrics::panic_caught();
            tracing::error!(%panicked, "a writing task ended by itself");
            (reason, None)
        }
    }
}

/// What opens a connection, and what follows a fresh token.
pub(super) fn welcome(connection: &Connection) -> ServerMessage {
    ServerMessage::AuthSuccess {
        user: connection.user().to_string(),
        role: connection.role(),
        // Whatever was asked for: this is what is sent.
        protocol: ProtocolOptions::default(),
        connection_id: connection.id().to_string(),
        expires_at: rfc3339(connection.expires_at()),
    }
}

/// Something to be acted on, in order.
struct Order {
    what: What,
    /// Its share of what may wait.
    _bytes: Option<OwnedSemaphorePermit>,
}

enum What {
    Subscribe(SubscribeRequest),
    NextBatch(String),
    Unsubscribe(String),
    Extend(Box<Proven>),
    /// Nothing but a sign of life.
    Heard,
}

/// Reads messages, answers what needs no connection, and passes on what does.
struct Reading<'a, R> {
    auth: &'a Auth,
    address: IpAddr,
    user: UserId,
    reader: &'a mut Reader<R>,
    screen: &'a mut Screen,
    direct: mpsc::Sender<Direct>,
    orders: mpsc::Sender<Order>,
    ends: watch::Sender<i64>,
    waiting_bytes: Arc<Semaphore>,
    waiting_bytes_max: usize,
    idle_timeout: Duration,
}

impl<R: AsyncRead + Unpin> Reading<'_, R> {
    async fn run(&mut self) -> Option<CloseReason> {
        loop {
            let message = match timeout(self.idle_timeout, self.reader.next()).await {
                Ok(Ok(message)) => message,
                Ok(Err(broken)) => return Broken::close_reason(broken),
                Err(_) => return Some(CloseReason::Idle),
            };
            let bytes = if let Message::Text(json) = &message { json.len() } else { 0 };
            crate::metrics::message_received(bytes);
            match self.screen.look(message, Instant::now()) {
                Screened::Take(message) => self.take(message, bytes).await,
                Screened::Heard => self.heard(),
                Screened::Pong(payload) => {
                    self.heard();
                    self.answer(Direct::Pong(payload)).await;
                }
                Screened::Refuse(refusal) => {
                    self.heard();
                    crate::metrics::message_refused(refusal.code());
                    self.answer(Direct::Message(refusal.into())).await;
                }
                Screened::Close(refusal, reason) => {
                    if let Some(refusal) = refusal {
                        crate::metrics::message_refused(refusal.code());
                        self.answer(Direct::Message(refusal.into())).await;
                    }
                    return Some(reason);
                }
            }
        }
    }

    async fn take(&mut self, message: ClientMessage, bytes: usize) {
        let what = match message {
            ClientMessage::Ping => {
                self.heard();
                return self.answer(Direct::Message(ServerMessage::Pong)).await;
            }
            ClientMessage::Authenticate { method, token, protocol: _ } => {
                match authenticate::check_frame(self.auth, &method, &token, self.address).await {
                    Ok(proven) if proven.identity.user == self.user => {
                        // Counts from now on, also while an order before it is acted on.
                        self.ends.send_replace(proven.identity.expires_at);
                        What::Extend(Box::new(proven))
                    }
                    Ok(_) => return self.refuse_token("the token is another user's").await,
                    Err(message) => return self.refuse_token(&message).await,
                }
            }
            ClientMessage::Subscribe { subscription } => What::Subscribe(subscription),
            ClientMessage::NextBatch { subscription_id, last_seq_id: _ } => What::NextBatch(subscription_id),
            ClientMessage::Unsubscribe { subscription_id } => What::Unsubscribe(subscription_id),
        };
        let share = u32::try_from(bytes.clamp(1, self.waiting_bytes_max)).unwrap_or(u32::MAX);
        let bytes = Arc::clone(&self.waiting_bytes).acquire_many_owned(share).await.ok();
        if self.orders.send(Order { what, _bytes: bytes }).await.is_err() {
            ended_elsewhere().await;
        }
    }

    async fn refuse_token(&mut self, message: &str) {
        self.heard();
        self.answer(Direct::Message(ServerMessage::AuthError { message: message.to_owned() })).await;
    }

    async fn answer(&mut self, answer: Direct) {
        if self.direct.send(answer).await.is_err() {
            ended_elsewhere().await;
        }
    }

    /// A sign of life. Where orders are waiting anyway, they are one.
    fn heard(&self) {
        // Full or closed: nothing is lost but a time stamp.
        let _ = self.orders.try_send(Order { what: What::Heard, _bytes: None });
    }
}

/// Another part of the session has ended and is about to say so.
async fn ended_elsewhere() {
    std::future::pending().await
}

/// Acts on what was read, one after the other. Ends only if the connection has to.
async fn act(doors: &Doors, connection: &mut Connection, orders: &mut mpsc::Receiver<Order>) -> CloseReason {
    loop {
        // A client that does not read its answers is not asked for more.
        connection.room().await;
        let Some(Order { what, _bytes }) = orders.recv().await else {
            ended_elsewhere().await;
            continue;
        };
        connection.heard();
        match what {
            What::Subscribe(request) => connection.subscribe(&doors.engine, request).await,
            What::NextBatch(subscription_id) => connection.next_batch(&subscription_id).await,
            What::Unsubscribe(subscription_id) => connection.unsubscribe(&subscription_id).await,
            What::Extend(proven) => {
                if !connection.extend(&proven.identity) {
                    continue;
                }
                // Whatever ended the token before the connection was known to use it went unnoticed.
                if let Some(reason) = void(&doors.auth, &proven) {
                    return reason;
                }
                connection.send(&welcome(connection));
            }
            What::Heard => {}
        }
    }
}

/// Why a token that was good when it was checked is so no longer.
pub(super) fn void(auth: &Auth, proven: &Proven) -> Option<CloseReason> {
    match auth.verify(&proven.token) {
        Ok(identity) if identity == proven.identity => None,
        Err(AuthError::TokenExpired) => Some(CloseReason::TokenExpired),
        Ok(_) | Err(_) => Some(CloseReason::TokenRevoked),
    }
}

/// Waits until the token's time is up.
async fn expired(auth: &Auth, mut ends: watch::Receiver<i64>) {
    loop {
        let left = auth.time_left(*ends.borrow_and_update());
        if left.is_zero() {
            return;
        }
        tokio::select! {
            () = sleep(left.min(CLOCK_LOOK_INTERVAL)) => {}
            Ok(()) = ends.changed() => {}
        }
    }
}
