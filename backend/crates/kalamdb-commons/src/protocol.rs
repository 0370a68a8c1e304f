//! The wire contract: every message between client and server, once, for both ends.
//!
//! Types here are what travels and nothing more; what they mean to the server or to a client
//! is said where they are handled. Unknown JSON fields are ignored on both sides. The frames
//! in `tests/wire/` are frozen: a change of shape needs a new [`PROTOCOL_VERSION`].

mod client_message;
mod frame;
mod http;
mod seq;
mod server_message;

pub use client_message::{ClientMessage, ProtocolOptions, SubscribeOptions, SubscribeRequest};
pub use frame::{ChangeBody, ColumnKeys, SharedFrame, write_row};
pub use http::{
    AuthErrorBody, ErrorBody, LoginRequest, LoginResponse, MeResponse, ResponseStatus, SqlAnswer, SqlRequest,
    SqlResponse, StatementAnswer, StatementResult, UserInfo,
};
pub use server_message::{
    BatchControl, BatchStatus, ChangeType, OrderBy, SchemaField, ServerMessage, StreamStatus, UnsubscribeStatus, flags,
};

/// Version of the wire contract.
///
/// - 1: first version.
pub const PROTOCOL_VERSION: u32 = 1;

/// `subscription_id` of an error that concerns a frame and no subscription.
pub const PROTOCOL_SUBSCRIPTION_ID: &str = "protocol";
