//! What the server says, and to whom it is said.

use kalamdb_commons::ErrorCode;
use kalamdb_commons::protocol::{BatchStatus, ClientMessage, PROTOCOL_SUBSCRIPTION_ID, ServerMessage, StreamStatus};
use std::time::Duration;

use super::subscription::{Ack, ChangeFrame, Next, Stage};
use super::{Key, Moment, Notice, State};
use crate::error::Error;

/// After the server refused a message because there were too many, or because it is going down.
const REFUSED_PAUSE: Duration = Duration::from_secs(1);

/// Messages of these types must decode; others are of a later version and mean nothing to us.
const KNOWN: [&str; 10] = [
    "auth_success",
    "auth_error",
    "subscription_ack",
    "initial_data_batch",
    "change",
    "unsubscribe_ack",
    "status",
    "progress",
    "pong",
    "error",
];

impl State {
    /// A text frame came in.
    pub fn frame(&mut self, moment: Moment, text: &str) {
        self.moment = moment;
        if !self.life.is_open() {
            return;
        }
        self.heard();
        match serde_json::from_str::<ServerMessage>(text) {
            Ok(message) => self.message(message, text.len()),
            Err(_) if is_unknown(text) => tracing::debug!("a frame of an unknown type was left out"),
            Err(error) => {
                tracing::warn!(%error, "a frame could not be read");
                self.give_up_socket("the server sent a frame that cannot be read");
            }
        }
        self.send_due();
    }

    fn message(&mut self, message: ServerMessage, bytes: usize) {
        match message {
            ServerMessage::AuthSuccess { user, role, connection_id, expires_at, .. } => {
                self.authenticated(user, role, connection_id, expires_at);
            }
            ServerMessage::AuthError { message } => self.not_authenticated(message),
            ServerMessage::Pong => {}
            ServerMessage::Progress { seq } => {
                for (key, subscription) in &mut self.subscriptions {
                    if subscription.progress(seq) {
                        self.notices.push(Notice::Subscription(*key));
                    }
                }
            }
            ServerMessage::UnsubscribeAck { subscription_id, .. } => {
                let left = self.leaving.remove(&subscription_id);
                self.notices.extend(left.map(Notice::Subscription));
                self.due.extend(self.by_id.get(&subscription_id));
            }
            ServerMessage::Error { subscription_id, code, message, position } => {
                self.refusal(subscription_id, Error::server(code, message, position), code);
            }
            message => self.about_subscription(message, bytes),
        }
    }

    fn about_subscription(&mut self, message: ServerMessage, bytes: usize) {
        let Some(id) = subscription_of(&message) else { return };
        let Some(key) = self.by_id.get(id).copied().filter(|_| !self.leaving.contains_key(id)) else { return };
        let Some(subscription) = self.subscriptions.get_mut(&key) else { return };
        if matches!(subscription.stage, Stage::Unsent | Stage::Parked) {
            return;
        }
        let next = match message {
            ServerMessage::SubscriptionAck { batch_control, schema, seq, key, order_by, resumed, reset, .. } => {
                let order_by = order_by.unwrap_or_default();
                subscription.ack(Ack { control: batch_control, schema, seq, key, order_by, resumed, reset })
            }
            ServerMessage::InitialDataBatch { rows, batch_control, keys, .. } => {
                let last = batch_control.status == BatchStatus::Ready;
                subscription.batch(rows, keys, last, bytes, &self.options)
            }
            ServerMessage::Change { rows, old_values, seq, more, keys, old_keys, .. } => {
                let (rows, old_rows) = (rows.unwrap_or_default(), old_values.unwrap_or_default());
                let frame = ChangeFrame { rows, old_rows, keys, old_keys, seq, more: more == Some(true) };
                subscription.change(frame, bytes, &self.options)
            }
            ServerMessage::Status { status, reason, .. } => {
                subscription.status(status == StreamStatus::Paused, reason);
                Next::Nothing
            }
            _ => Next::Nothing,
        };
        self.notices.push(Notice::Subscription(key));
        self.follow(key, next);
    }

    fn follow(&mut self, key: Key, next: Next) {
        let Some(id) = self.subscriptions.get(&key).map(|subscription| subscription.wanted.id.clone()) else { return };
        match next {
            Next::Nothing => self.room(key),
            Next::Park => self.leave(id, key, Stage::Live),
            Next::AskAgain => {
                self.leave(id, key, Stage::Live);
                self.due.push_back(key);
            }
            Next::Fail(error) => self.end(key, error),
        }
    }

    /// An `error` frame.
    fn refusal(&mut self, id: String, error: Error, code: ErrorCode) {
        let not_read = matches!(code, ErrorCode::RateLimitExceeded | ErrorCode::Unavailable);
        if not_read {
            self.outgoing.hold_back(self.moment.now, REFUSED_PAUSE);
        }
        if id == PROTOCOL_SUBSCRIPTION_ID {
            tracing::warn!(%error, "the server did not take a message");
            return;
        }
        if self.leaving.contains_key(&id) {
            if code == ErrorCode::RateLimitExceeded {
                self.outgoing.push(&ClientMessage::Unsubscribe { subscription_id: id });
            }
            return;
        }
        let Some(key) = self.by_id.get(&id).copied() else { return };
        let Some(subscription) = self.subscriptions.get_mut(&key) else { return };
        if not_read {
            subscription.refused();
            self.due.push_back(key);
            self.room(key);
            return;
        }
        // The server has forgotten it already, so there is nothing to leave.
        subscription.stage = Stage::Unsent;
        self.end(key, error);
    }
}

fn subscription_of(message: &ServerMessage) -> Option<&str> {
    match message {
        ServerMessage::SubscriptionAck { subscription_id, .. }
        | ServerMessage::InitialDataBatch { subscription_id, .. }
        | ServerMessage::Change { subscription_id, .. }
        | ServerMessage::Status { subscription_id, .. } => Some(subscription_id),
        _ => None,
    }
}

fn is_unknown(text: &str) -> bool {
    #[derive(serde::Deserialize)]
    struct Tagged {
        r#type: String,
    }
    serde_json::from_str::<Tagged>(text).is_ok_and(|tagged| !KNOWN.contains(&tagged.r#type.as_str()))
}
