//! Looks at each message before it is acted on: how many there are, how large, of what kind, and
//! whether they parse. Pure; says what to answer and when to give up, and leaves doing so to others.

use std::time::Instant;

use kalamdb_commons::ErrorCode;
use kalamdb_commons::protocol::{ClientMessage, PROTOCOL_SUBSCRIPTION_ID, ServerMessage};
use kalamdb_core::live::CloseReason;

use super::frame::Message;
use super::rate::{MessageRate, Verdict};
use crate::state::SocketOptions;

/// Messages in a row that do not parse before the connection is closed.
const UNPARSABLE_MAX: u32 = 10;
/// Messages in a row over the size limit before the connection is closed.
const TOO_LARGE_MAX: u32 = 5;

/// What to do about a message.
#[derive(Debug, PartialEq)]
pub(crate) enum Screened {
    /// Act on it.
    Take(ClientMessage),
    /// It only says that the client is there.
    Heard,
    /// Send a pong with this content.
    Pong(Vec<u8>),
    /// Answer with an error; the connection lives on.
    Refuse(Refusal),
    /// Close the connection, behind an error if there is one.
    Close(Option<Refusal>, CloseReason),
}

/// An error about a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The subscription that the message was about, or `protocol`.
    subscription_id: String,
    code: ErrorCode,
    text: String,
}

impl Refusal {
    pub(crate) fn new(code: ErrorCode, text: impl Into<String>) -> Self {
        Refusal { subscription_id: PROTOCOL_SUBSCRIPTION_ID.to_owned(), code, text: text.into() }
    }

    /// The same, told to the subscription that a message is about.
    pub(crate) fn about(mut self, message: &ClientMessage) -> Self {
        if let Some(id) = subscription_of(message) {
            id.clone_into(&mut self.subscription_id);
        }
        self
    }

    pub(crate) fn code(&self) -> ErrorCode {
        self.code
    }
}

impl From<Refusal> for ServerMessage {
    fn from(Refusal { subscription_id, code, text }: Refusal) -> Self {
        ServerMessage::Error { subscription_id, code, message: text, position: None }
    }
}

/// The messages of one socket.
#[derive(Debug)]
pub(crate) struct Screen {
    rate: MessageRate,
    messages_per_sec_max: u32,
    message_bytes_max: usize,
    unparsable: u32,
    too_large: u32,
}

impl Screen {
    pub(crate) fn new(options: &SocketOptions, now: Instant) -> Self {
        let messages_per_sec_max = options.messages_per_sec_max;
        Screen {
            rate: MessageRate::new(messages_per_sec_max, SocketOptions::MESSAGE_WINDOW_SECS, now),
            messages_per_sec_max,
            message_bytes_max: options.message_bytes_max,
            unparsable: 0,
            too_large: 0,
        }
    }

    /// One more message.
    pub(crate) fn look(&mut self, message: Message, now: Instant) -> Screened {
        if message == Message::Close {
            return Screened::Close(None, CloseReason::ClientAsked);
        }
        match self.rate.count(now) {
            Verdict::Take => self.look_inside(message),
            Verdict::Refuse => Screened::Refuse(self.too_many(&message)),
            Verdict::Close => Screened::Close(Some(self.too_many(&message)), CloseReason::TooManyMessages),
        }
    }

    fn look_inside(&mut self, message: Message) -> Screened {
        match message {
            Message::Text(json) => match decode(&json) {
                Ok(message) => {
                    (self.unparsable, self.too_large) = (0, 0);
                    Screened::Take(message)
                }
                Err(refusal) => self.not_parsed(refusal),
            },
            Message::Binary => {
                self.not_parsed(Refusal::new(ErrorCode::UnsupportedData, "only text frames are read, not binary ones"))
            }
            Message::TooLarge => {
                self.too_large = self.too_large.saturating_add(1);
                if self.too_large < TOO_LARGE_MAX {
                    Screened::Refuse(self.too_big())
                } else {
                    Screened::Close(Some(self.too_big()), CloseReason::MessageTooBig)
                }
            }
            Message::BeyondMeasure => Screened::Close(Some(self.too_big()), CloseReason::MessageTooBig),
            Message::Ping(payload) => Screened::Pong(payload),
            Message::Pong => Screened::Heard,
            Message::Close => Screened::Close(None, CloseReason::ClientAsked),
        }
    }

    fn not_parsed(&mut self, refusal: Refusal) -> Screened {
        self.unparsable = self.unparsable.saturating_add(1);
        if self.unparsable < UNPARSABLE_MAX {
            Screened::Refuse(refusal)
        } else {
            Screened::Close(Some(refusal), CloseReason::ProtocolAbuse)
        }
    }

    fn too_big(&self) -> Refusal {
        let text = format!("the message is larger than the limit of {} bytes", self.message_bytes_max);
        Refusal::new(ErrorCode::MessageTooLarge, text)
    }

    fn too_many(&self, message: &Message) -> Refusal {
        let text = format!("more than {} messages per second, the message was not read", self.messages_per_sec_max);
        let refusal = Refusal::new(ErrorCode::RateLimitExceeded, text);
        // Whoever waits for the answer to this very message is told that none will come.
        match message {
            Message::Text(json) => match decode(json) {
                Ok(message) => refusal.about(&message),
                Err(_) => refusal,
            },
            _ => refusal,
        }
    }
}

/// The message in a text. The error names no values: they may be anybody's.
fn decode(json: &[u8]) -> Result<ClientMessage, Refusal> {
    serde_json::from_slice(json).map_err(|error| {
        let what = match error.classify() {
            serde_json::error::Category::Data => {
                "the frame has no known \"type\", or one of its fields is missing or of the wrong kind"
            }
            serde_json::error::Category::Eof => "the frame ends in the middle of the JSON",
            serde_json::error::Category::Syntax | serde_json::error::Category::Io => "the frame is not valid JSON",
        };
        Refusal::new(ErrorCode::Protocol, what)
    })
}

fn subscription_of(message: &ClientMessage) -> Option<&str> {
    match message {
        ClientMessage::Subscribe { subscription } => Some(&subscription.id),
        ClientMessage::NextBatch { subscription_id, .. } | ClientMessage::Unsubscribe { subscription_id } => {
            Some(subscription_id)
        }
        ClientMessage::Authenticate { .. } | ClientMessage::Ping => None,
    }
}

#[cfg(test)]
mod tests;
