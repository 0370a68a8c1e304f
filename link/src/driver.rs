//! The one loop: does what the state wants, and tells it what happened.
//!
//! Owns the socket, the attempt to open one, the request for a token and the timer; decides nothing. One task per
//! client, from the first subscription until the last handle is gone. It ends by itself, and when its runtime
//! ends before it, the state is told and the next call starts another.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::auth::Token;
use crate::error::Result;
use crate::shared::Core;
use crate::state::Action;
use crate::transport::{BoxFuture, Incoming, NetworkError, Socket};

/// Frames taken over at a time, before other tasks get their turn.
const FRAMES_AT_A_TIME: usize = 64;
/// A socket that cannot say goodbye in so long is dropped.
const GOODBYE: Duration = Duration::from_secs(1);

type Opening = BoxFuture<'static, std::result::Result<Box<dyn Socket>, NetworkError>>;

/// See the module.
pub(crate) struct Driver {
    core: Arc<Core>,
    token: Option<BoxFuture<'static, Result<Token>>>,
    opening: Option<Opening>,
    socket: Option<Box<dyn Socket>>,
    /// Frames that the socket has not taken.
    unsent: VecDeque<String>,
    closing: Option<(Box<dyn Socket>, BoxFuture<'static, ()>)>,
    timer: Option<(Duration, BoxFuture<'static, ()>)>,
}

impl Driver {
    pub fn new(core: Arc<Core>) -> Self {
        Driver { core, token: None, opening: None, socket: None, unsent: VecDeque::new(), closing: None, timer: None }
    }

    fn act(&mut self) -> bool {
        let mut acted = false;
        while let Some(action) = self.core.drive(|state, _| state.action()) {
            acted = true;
            match action {
                Action::AskToken { freshness, refused } => {
                    let core = self.core.clone();
                    self.token = Some(Box::pin(async move {
                        core.auth.token(&*core.transport, freshness, refused.as_deref()).await
                    }));
                }
                Action::Open => self.opening = Some(self.core.transport.open(&self.core.urls.socket)),
                Action::Send(text) => self.unsent.push_back(text),
                Action::Close => self.close(),
            }
        }
        acted
    }

    fn close(&mut self) {
        self.opening = None;
        self.unsent.clear();
        let socket = self.socket.take();
        self.core.set_closing(socket.is_some());
        if let Some(socket) = socket {
            self.closing = Some((socket, self.core.transport.sleep(GOODBYE)));
        }
    }

    fn poll_token(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(Poll::Ready(token)) = self.token.as_mut().map(|token| token.as_mut().poll(cx)) else { return false };
        self.token = None;
        self.core.drive(|state, moment| match token {
            Ok(token) => state.token_given(moment, token),
            Err(error) => state.token_failed(moment, error),
        });
        true
    }

    fn poll_opening(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(Poll::Ready(opened)) = self.opening.as_mut().map(|opening| opening.as_mut().poll(cx)) else {
            return false;
        };
        self.opening = None;
        match opened {
            Ok(socket) => {
                self.unsent.clear();
                self.socket = Some(socket);
                self.core.drive(|state, moment| state.opened(moment));
            }
            Err(error) => self.core.drive(|state, moment| state.open_failed(moment, error.0)),
        }
        true
    }

    fn poll_sending(&mut self, cx: &mut Context<'_>) {
        let Some(socket) = self.socket.as_mut() else { return };
        let mut failed = None;
        while failed.is_none() && !self.unsent.is_empty() {
            match socket.poll_ready(cx) {
                Poll::Pending => break,
                Poll::Ready(Err(error)) => failed = Some(error),
                Poll::Ready(Ok(())) => {
                    failed = self.unsent.pop_front().and_then(|text| socket.send(text).err());
                }
            }
        }
        if failed.is_none()
            && let Poll::Ready(Err(error)) = socket.poll_flush(cx)
        {
            failed = Some(error);
        }
        if let Some(error) = failed {
            // Reading tells why: what the server said before it closed is still to come.
            tracing::debug!(%error, "the socket takes no more frames");
            self.unsent.clear();
        }
    }

    fn poll_incoming(&mut self, cx: &mut Context<'_>) -> Poll<Incoming> {
        let Some(socket) = self.socket.as_mut() else { return Poll::Pending };
        let incoming = std::task::ready!(socket.poll_incoming(cx));
        match &incoming {
            Incoming::Text(text) => self.core.drive(|state, moment| state.frame(moment, text)),
            Incoming::Closed { code, reason } => self.gone(*code, reason),
        }
        Poll::Ready(incoming)
    }

    fn gone(&mut self, code: u16, reason: &str) {
        self.socket = None;
        self.unsent.clear();
        self.core.drive(|state, moment| state.closed(moment, code, reason));
    }

    /// Sets the timer to when something is due. Tells if something was.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(due) = self.core.drive(|state, _| state.next_timeout()) else {
            self.timer = None;
            return false;
        };
        let now = self.core.transport.now();
        if due <= now {
            self.timer = None;
            self.core.drive(|state, moment| state.timer(moment));
            return true;
        }
        if self.timer.as_ref().is_none_or(|(set, _)| *set != due) {
            self.timer = Some((due, self.core.transport.sleep(due.saturating_sub(now))));
        }
        let rings = self.timer.as_mut().is_some_and(|(_, sleep)| sleep.as_mut().poll(cx).is_ready());
        if rings {
            self.timer = None;
        }
        rings
    }

    fn poll_closing(&mut self, cx: &mut Context<'_>) {
        if let Some((socket, limit)) = &mut self.closing
            && (socket.poll_close(cx).is_ready() || limit.as_mut().poll(cx).is_ready())
        {
            self.closing = None;
            self.core.set_closing(false);
        }
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let abandoned = self.core.wake_driver_with(cx.waker());
        let mut frames = 0_usize;
        loop {
            let mut busy = self.act();
            busy |= self.poll_token(cx);
            busy |= self.poll_opening(cx);
            self.poll_sending(cx);
            if self.poll_incoming(cx).is_ready() {
                busy = true;
                frames = frames.saturating_add(1);
            }
            busy |= self.poll_timer(cx);
            if !busy {
                break;
            }
            if frames >= FRAMES_AT_A_TIME {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
        self.poll_closing(cx);
        if abandoned && self.closing.is_none() { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.core.undriven();
    }
}
