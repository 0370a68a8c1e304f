//! The life of the socket: from nobody needing it to authenticated, lost, found again, or closed for good.
//!
//! ```text
//! Idle ──first subscription──▶ AskingToken ──▶ Opening ──▶ Authenticating ──▶ Live
//!                                   ▲             │              │             │
//!                                   └── Waiting ◀─┴──────────────┴─────────────┤
//! Closed ◀── killed, not authenticated, disconnect ────────────────────────────┘
//! ```
//! A refused token is replaced once; when the fresh one is refused as well, the life is over. Every other loss is
//! followed by another attempt, after a wait that grows until a connection has held for a while.

use std::time::Duration;

use kalamdb_commons::Role;
use kalamdb_commons::protocol::ClientMessage;

use super::{Action, Key, Moment, Notice, State};
use crate::auth::{Freshness, Token, good_for};
use crate::error::{CLOSE_KILLED, Error};
use crate::event::ConnectionState;

/// A connection that was open for so long has held: the next loss is the first again.
const HELD: Duration = Duration::from_secs(5);
/// Pause before a token that could not be had is asked for again, while the old one still counts.
const REFRESH_RETRY: Duration = Duration::from_secs(5);

const NOT_AUTHENTICATED: u16 = 1008;
const TOKEN_EXPIRED: u16 = 4001;
const TOKEN_REVOKED: u16 = 4002;

/// See the module.
#[derive(Debug)]
pub(crate) enum Life {
    Idle,
    AskingToken,
    Opening { token: String, until: Duration },
    Authenticating { token: String, until: Duration },
    Live(Live),
    Waiting { at: Duration, reason: String },
    Closed { reason: Error },
}

/// An authenticated socket.
#[derive(Debug)]
pub(crate) struct Live {
    connection_id: String,
    user: String,
    role: Role,
    expires_at: String,
    /// The token that counts.
    token: String,
    /// The token that was sent to replace it.
    offered: Option<String>,
    since: Duration,
    ping_at: Duration,
    /// The server has to say something until then.
    answer_until: Option<Duration>,
    refresh_at: Option<Duration>,
}

impl Life {
    pub fn is_live(&self) -> bool {
        matches!(self, Life::Live(_))
    }

    /// Is there a socket that frames can come from?
    pub fn is_open(&self) -> bool {
        matches!(self, Life::Live(_) | Life::Authenticating { .. })
    }
}

impl State {
    /// How the connection is doing.
    pub fn connection(&self) -> ConnectionState {
        match &self.life {
            Life::Idle => ConnectionState::Idle,
            Life::AskingToken | Life::Opening { .. } | Life::Authenticating { .. } => {
                ConnectionState::Connecting { attempt: self.attempt.saturating_add(1) }
            }
            Life::Live(live) => ConnectionState::Live {
                connection_id: live.connection_id.clone(),
                user: live.user.clone(),
                role: live.role,
                expires_at: live.expires_at.clone(),
            },
            Life::Waiting { at, reason } => ConnectionState::Waiting {
                attempt: self.attempt.saturating_add(1),
                retry_in: at.saturating_sub(self.moment.now),
                reason: reason.clone(),
            },
            Life::Closed { reason } => ConnectionState::Closed { reason: reason.clone() },
        }
    }

    fn become_life(&mut self, life: Life) {
        self.life = life;
        let state = self.connection();
        self.notices.push(Notice::Connection(state));
    }

    /// Something needs the connection.
    pub(super) fn connect(&mut self) {
        if matches!(self.life, Life::Idle | Life::Closed { .. }) {
            self.attempt = 0;
            self.refused = None;
            self.ask_token();
        }
    }

    /// The program knows that the network is back: the next attempt comes now.
    pub fn reconnect(&mut self, moment: Moment) {
        self.moment = moment;
        if matches!(self.life, Life::Waiting { .. }) {
            self.ask_token();
        }
    }

    fn ask_token(&mut self) {
        let refused = self.refused.clone();
        let freshness = if refused.is_some() { Freshness::Fresh } else { Freshness::Connect };
        self.actions.push_back(Action::AskToken { freshness, refused });
        self.become_life(Life::AskingToken);
    }

    /// A token that was asked for.
    pub fn token_given(&mut self, moment: Moment, token: Token) {
        self.moment = moment;
        match &mut self.life {
            Life::AskingToken => {
                let until = moment.now.saturating_add(self.options.connect_timeout);
                self.actions.push_back(Action::Open);
                self.life = Life::Opening { token: token.text, until };
            }
            Life::Live(live) => {
                live.offered = Some(token.text.clone());
                self.authenticate(token.text);
            }
            Life::Idle | Life::Opening { .. } | Life::Authenticating { .. } => {}
            Life::Waiting { .. } | Life::Closed { .. } => {}
        }
    }

    /// A token could not be had.
    pub fn token_failed(&mut self, moment: Moment, error: Error) {
        self.moment = moment;
        match &mut self.life {
            Life::AskingToken if matches!(error, Error::Auth(_) | Error::InvalidArgument(_)) => self.close(error),
            Life::AskingToken => self.wait(error.to_string()),
            // The old token counts until it expires.
            Life::Live(live) => live.refresh_at = Some(moment.now.saturating_add(REFRESH_RETRY)),
            _ => {}
        }
    }

    /// The socket is open.
    pub fn opened(&mut self, moment: Moment) {
        self.moment = moment;
        if let Life::Opening { token, .. } = &self.life {
            let token = token.clone();
            let until = moment.now.saturating_add(self.options.connect_timeout);
            self.life = Life::Authenticating { token: token.clone(), until };
            self.authenticate(token);
        }
    }

    fn authenticate(&mut self, token: String) {
        let message = ClientMessage::Authenticate { method: "jwt".to_owned(), token, protocol: None };
        // Before everything that waits for its turn.
        if let Ok(text) = serde_json::to_string(&message) {
            self.actions.push_back(Action::Send(text));
        }
    }

    /// The socket could not be opened.
    pub fn open_failed(&mut self, moment: Moment, reason: String) {
        self.moment = moment;
        if matches!(self.life, Life::Opening { .. }) {
            self.wait(reason);
        }
    }

    pub(super) fn authenticated(&mut self, user: String, role: Role, connection_id: String, expires_at: String) {
        let moment = self.moment;
        let refresh_at = self.refresh_at(&expires_at);
        match &mut self.life {
            Life::Live(live) => {
                (live.role, live.expires_at, live.refresh_at) = (role, expires_at, refresh_at);
                if let Some(token) = live.offered.take() {
                    live.token = token;
                }
                let state = self.connection();
                self.notices.push(Notice::Connection(state));
            }
            Life::Authenticating { token, .. } => {
                let token = std::mem::take(token);
                self.refused = None;
                self.outgoing.clear();
                self.due = self.subscriptions.keys().copied().collect();
                self.become_life(Life::Live(Live {
                    connection_id,
                    user,
                    role,
                    expires_at,
                    token,
                    offered: None,
                    since: moment.now,
                    ping_at: moment.now.saturating_add(self.options.ping_interval),
                    answer_until: None,
                    refresh_at,
                }));
            }
            _ => {}
        }
    }

    fn refresh_at(&self, expires_at: &str) -> Option<Duration> {
        let good = good_for(expires_at, self.moment.unix, self.options.refresh_ahead)?;
        Some(self.moment.now.saturating_add(good))
    }

    pub(super) fn not_authenticated(&mut self, message: String) {
        match &mut self.life {
            Life::Authenticating { token, .. } => {
                let token = std::mem::take(token);
                self.token_refused(token, message);
            }
            // The connection stays as it was, until its token expires.
            Life::Live(live) => {
                live.offered = None;
                tracing::warn!(%message, "the server did not take a fresh token");
            }
            _ => {}
        }
    }

    fn token_refused(&mut self, token: String, message: String) {
        self.actions.push_back(Action::Close);
        if self.refused.is_some() {
            self.close(Error::Auth(message));
        } else {
            self.refused = Some(token);
            self.ask_token();
        }
    }

    /// Any frame is a sign of life.
    pub(super) fn heard(&mut self) {
        if let Life::Live(live) = &mut self.life {
            live.answer_until = None;
        }
    }

    /// The socket is closed, by whomever.
    pub fn closed(&mut self, moment: Moment, code: u16, reason: &str) {
        self.moment = moment;
        match &mut self.life {
            Life::Authenticating { token, .. } if code == NOT_AUTHENTICATED => {
                let token = std::mem::take(token);
                self.token_refused(token, reason.to_owned());
            }
            Life::Live(_) if code == NOT_AUTHENTICATED => {
                self.close(Error::Closed { code: Some(code), reason: reason.to_owned() });
            }
            Life::Live(_) | Life::Authenticating { .. } if code == CLOSE_KILLED => {
                self.close(Error::Closed { code: Some(code), reason: reason.to_owned() });
            }
            Life::Live(live) => {
                if matches!(code, TOKEN_EXPIRED | TOKEN_REVOKED) {
                    self.refused = Some(std::mem::take(&mut live.token));
                }
                self.lost(describe(code, reason));
            }
            Life::Authenticating { .. } => self.lost(describe(code, reason)),
            _ => {}
        }
    }

    /// The socket is of no use any more.
    pub(super) fn give_up_socket(&mut self, reason: &str) {
        self.actions.push_back(Action::Close);
        self.lost(reason.to_owned());
    }

    fn lost(&mut self, reason: String) {
        if let Life::Live(live) = &self.life
            && self.moment.now.saturating_sub(live.since) >= HELD
        {
            self.attempt = 0;
        }
        self.forget_socket(&format!("the connection was lost: {reason}"));
        self.wait(reason);
    }

    fn forget_socket(&mut self, reason: &str) {
        self.outgoing.clear();
        self.notices.extend(self.leaving.drain().map(|(_, key)| Notice::Subscription(key)));
        self.due.clear();
        for (key, subscription) in &mut self.subscriptions {
            if subscription.ended.is_none() {
                subscription.lost(reason);
                self.notices.push(Notice::Subscription(*key));
            }
        }
    }

    fn wait(&mut self, reason: String) {
        if self.by_id.is_empty() {
            self.attempt = 0;
            self.become_life(Life::Idle);
            return;
        }
        self.attempt = self.attempt.saturating_add(1);
        if self.options.backoff.attempts_max.is_some_and(|max| self.attempt > max) {
            self.close(Error::Network(reason));
            return;
        }
        let delay = self.options.backoff.delay(self.attempt, self.moment.random);
        self.become_life(Life::Waiting { at: self.moment.now.saturating_add(delay), reason });
    }

    /// It is over, for every subscription too.
    fn close(&mut self, reason: Error) {
        self.forget_socket("the connection was closed");
        self.life = Life::Idle;
        let keys: Vec<Key> = self.by_id.values().copied().collect();
        for key in keys {
            self.end(key, reason.clone());
        }
        self.refused = None;
        self.become_life(Life::Closed { reason });
    }

    /// The program wants no connection; its subscriptions end.
    pub fn disconnect(&mut self, moment: Moment) {
        self.moment = moment;
        if matches!(self.life, Life::Closed { .. }) {
            return;
        }
        self.actions.push_back(Action::Close);
        self.close(Error::closed("disconnected by the program"));
    }

    /// When something is due, if nothing happens before.
    pub fn next_timeout(&self) -> Option<Duration> {
        match &self.life {
            Life::Idle | Life::AskingToken | Life::Closed { .. } => None,
            Life::Opening { until, .. } | Life::Authenticating { until, .. } => Some(*until),
            Life::Waiting { at, .. } => Some(*at),
            Life::Live(live) => {
                let times = [Some(live.ping_at), live.answer_until, live.refresh_at, self.outgoing.next_at()];
                times.into_iter().flatten().min()
            }
        }
    }

    /// Time has passed.
    pub fn timer(&mut self, moment: Moment) {
        self.moment = moment;
        let now = moment.now;
        match &mut self.life {
            Life::Opening { until, .. } if *until <= now => {
                self.actions.push_back(Action::Close);
                self.wait("the server did not open the socket in time".to_owned());
            }
            Life::Authenticating { until, .. } if *until <= now => {
                self.give_up_socket("the server did not authenticate in time");
            }
            Life::Waiting { at, .. } if *at <= now => self.ask_token(),
            Life::Live(live) if live.answer_until.is_some_and(|until| until <= now) => {
                self.give_up_socket("the server did not answer a ping in time");
            }
            Life::Live(live) => {
                let refreshes = live.refresh_at.is_some_and(|at| at <= now);
                let pings = live.ping_at <= now;
                if refreshes {
                    live.refresh_at = None;
                    let refused = Some(live.token.clone());
                    self.actions.push_back(Action::AskToken { freshness: Freshness::Fresh, refused });
                }
                if pings {
                    live.ping_at = now.saturating_add(self.options.ping_interval);
                    live.answer_until = Some(now.saturating_add(self.options.ping_timeout));
                    self.actions.push_back(Action::Send(r#"{"type":"ping"}"#.to_owned()));
                }
                self.send_due();
            }
            _ => {}
        }
    }
}

fn describe(code: u16, reason: &str) -> String {
    if reason.is_empty() { format!("closed with code {code}") } else { format!("{reason} (code {code})") }
}
