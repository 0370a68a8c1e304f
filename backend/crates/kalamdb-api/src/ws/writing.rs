//! The writing task of a socket: takes what is to be sent and sends it, whatever the reading task is
//! waiting for.
//!
//! When the connection is closed, or its token's time is up, it stops at once, takes back what has not
//! left, and hands the writer back for the close frame.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use kalamdb_auth::Auth;
use kalamdb_commons::protocol::ServerMessage;
use kalamdb_core::live::{CloseReason, Outgoing, OutgoingItem};
use tokio::io::AsyncWrite;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep};

use super::writer::{WriteFailure, Writer};

/// Bytes that are gathered before they are written at once; one frame may be larger.
const GATHERED_BYTES_MAX: usize = 64 << 10;

/// What the reading task answers by itself, past all that is queued.
#[derive(Debug)]
pub(super) enum Direct {
    /// A message about a message.
    Message(ServerMessage),
    /// The answer to a WebSocket ping.
    Pong(Vec<u8>),
}

/// Why the writing task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WritingEnd {
    /// The connection was closed.
    Closed(CloseReason),
    /// The client does not take what is written.
    Failed(WriteFailure),
}

/// What is to be sent.
#[derive(Debug)]
pub(super) struct Sources {
    pub(super) outgoing: Outgoing,
    pub(super) direct: mpsc::Receiver<Direct>,
    /// The end of the token, in microseconds since the Unix epoch, and who knows how far off that is.
    pub(super) ends: watch::Receiver<i64>,
    pub(super) auth: Arc<Auth>,
    /// Quiet time after which the client is told how far it has read.
    pub(super) progress_interval: Duration,
}

/// Writes until the connection is closed or the client does not take it any more.
pub(super) async fn write_out<W: AsyncWrite + Unpin>(
    mut writer: Writer<W>,
    mut sources: Sources,
) -> (Writer<W>, WritingEnd) {
    let end = run(&mut writer, &mut sources).await;
    writer.take_back();
    if let WritingEnd::Closed(_) = end {
        // What went wrong is said before the close frame, and is no row.
        while let Ok(direct) = sources.direct.try_recv() {
            push(&mut writer, direct);
        }
    }
    (writer, end)
}

async fn run<W: AsyncWrite + Unpin>(writer: &mut Writer<W>, sources: &mut Sources) -> WritingEnd {
    let interval = sources.progress_interval;
    let mut spoke_at = Instant::now();
    let mut quiet = std::pin::pin!(sleep(interval));
    loop {
        tokio::select! {
            biased;
            Some(direct) = sources.direct.recv() => push(writer, direct),
            item = sources.outgoing.next() => match item {
                OutgoingItem::Frame(json) => {
                    writer.push_text(&json);
                    spoke_at = Instant::now();
                }
                OutgoingItem::Close(reason) => return WritingEnd::Closed(reason),
            },
            () = &mut quiet => {
                if spoke_at.elapsed() >= interval {
                    sources.outgoing.progress();
                    spoke_at = Instant::now();
                }
                quiet.as_mut().reset(spoke_at + interval);
                continue;
            }
        }
        if let Some(reason) = gather(writer, sources) {
            return WritingEnd::Closed(reason);
        }
        // The timer that ends the connection may be late by a moment; what is sent is not.
        if sources.auth.time_left(*sources.ends.borrow()).is_zero() {
            return WritingEnd::Closed(CloseReason::TokenExpired);
        }
        tokio::select! {
            biased;
            reason = sources.outgoing.closed() => return WritingEnd::Closed(reason),
            written = writer.flush() => if let Err(failure) = written {
                return WritingEnd::Failed(failure);
            },
        }
    }
}

/// Adds what is ready to be written already. Tells if the connection was closed.
fn gather<W: AsyncWrite + Unpin>(writer: &mut Writer<W>, sources: &mut Sources) -> Option<CloseReason> {
    while writer.pending_bytes() < GATHERED_BYTES_MAX {
        if let Ok(direct) = sources.direct.try_recv() {
            push(writer, direct);
            continue;
        }
        match sources.outgoing.next().now_or_never()? {
            OutgoingItem::Frame(json) => writer.push_text(&json),
            OutgoingItem::Close(reason) => return Some(reason),
        }
    }
    None
}

fn push<W: AsyncWrite + Unpin>(writer: &mut Writer<W>, direct: Direct) {
    match direct {
        Direct::Message(message) => writer.push_message(&message),
        Direct::Pong(payload) => writer.push_pong(&payload),
    }
}
