//! The writing half of a socket: frames to the client, several at a time.
//!
//! What has been pushed but not been written can be taken back, all but the rest of a frame that is
//! half written: after a kill or an expiry no further row leaves. How long a write may hang is
//! decided by the stream below.

use std::collections::VecDeque;
use std::io;

use kalamdb_commons::protocol::ServerMessage;
use kalamdb_core::live::CloseReason;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};

use super::frame;

/// Memory that is kept for the next frames when all has been written.
const KEPT_BYTES_MAX: usize = 8 << 10;

/// The client does not take what is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WriteFailure {
    /// It did not read for too long.
    TooSlow,
    /// It is gone.
    Vanished,
}

impl WriteFailure {
    /// Why the socket is closed now; `None` if there is nobody to be told.
    pub(crate) fn close_reason(self) -> Option<CloseReason> {
        match self {
            WriteFailure::TooSlow => Some(CloseReason::ReaderTooSlow),
            WriteFailure::Vanished => None,
        }
    }
}

impl From<io::Error> for WriteFailure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::TimedOut => WriteFailure::TooSlow,
            _ => WriteFailure::Vanished,
        }
    }
}

/// Writes frames.
#[derive(Debug)]
pub(crate) struct Writer<W> {
    half: W,
    /// Frames, end to end.
    buffer: Vec<u8>,
    /// Where in the buffer each frame ends.
    ends: VecDeque<usize>,
    /// How much of the buffer has been written.
    written: usize,
}

impl<W: AsyncWrite + Unpin> Writer<W> {
    pub(crate) fn new(half: W) -> Self {
        Writer { half, buffer: Vec::new(), ends: VecDeque::new(), written: 0 }
    }

    /// Adds a text frame.
    pub(crate) fn push_text(&mut self, json: &[u8]) {
        frame::write_text(&mut self.buffer, json);
        self.ends.push_back(self.buffer.len());
    }

    /// Adds a message as a text frame.
    pub(crate) fn push_message(&mut self, message: &ServerMessage) {
        match serde_json::to_vec(message) {
            Ok(json) => self.push_text(&json),
            Err(cause) => tracing::error!(%cause, "a message has no JSON form"),
        }
    }

    /// Adds the answer to a ping.
    pub(crate) fn push_pong(&mut self, payload: &[u8]) {
        frame::write_pong(&mut self.buffer, payload);
        self.ends.push_back(self.buffer.len());
    }

    /// Bytes that have been added and not been written.
    pub(crate) fn pending_bytes(&self) -> usize {
        self.buffer.len().saturating_sub(self.written)
    }

    /// Writes all that was added. May be given up and called again.
    pub(crate) async fn flush(&mut self) -> Result<(), WriteFailure> {
        if self.pending_bytes() > 0 {
            while let Some(rest) = self.buffer.get(self.written..).filter(|rest| !rest.is_empty()) {
                match self.half.write(rest).await? {
                    0 => return Err(WriteFailure::Vanished),
                    bytes => self.written = self.written.saturating_add(bytes),
                }
            }
            let frames = self.ends.len() as u64;
            crate::metrics::frames_sent(frames, self.written);
            self.buffer.clear();
            self.buffer.shrink_to(KEPT_BYTES_MAX);
            self.ends.clear();
            self.written = 0;
        }
        Ok(self.half.flush().await?)
    }

    /// Takes back what was added and not written; a frame that is half written stays.
    pub(crate) fn take_back(&mut self) {
        let end =
            if self.written == 0 { 0 } else { self.ends.iter().copied().find(|end| *end >= self.written).unwrap_or(0) };
        self.buffer.truncate(end);
        self.ends.retain(|kept| *kept <= end);
    }

    /// Writes a close frame behind what is left. Nothing may be added after it.
    pub(crate) async fn close(&mut self, reason: CloseReason) -> Result<(), WriteFailure> {
        frame::write_close(&mut self.buffer, reason.code(), reason.text());
        self.ends.push_back(self.buffer.len());
        self.flush().await
    }

    /// Tells the client that nothing more will come.
    pub(crate) async fn shut_down(&mut self) {
        // The stream is dropped next, whether or not the client hears of it.
        let _ = self.half.shutdown().await;
    }
}

#[cfg(test)]
mod tests;
