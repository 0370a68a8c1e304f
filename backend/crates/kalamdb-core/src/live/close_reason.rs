//! Why a connection ends: one closed list, with what the peer, the log and the metrics call it.
//!
//! Every way a connection can end names one of these; the teardown itself is the same for all.

/// Why a connection was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// The client closed it.
    ClientAsked,
    /// No frame came for too long.
    Idle,
    /// The server is going down.
    ShuttingDown,
    /// No valid token came in time.
    NotAuthenticated,
    /// Too many frames that do not parse.
    ProtocolAbuse,
    /// Too many frames over the size limit.
    MessageTooBig,
    /// The token's time is up.
    TokenExpired,
    /// The token was revoked.
    TokenRevoked,
    /// The user was dropped.
    UserDropped,
    /// The user has another role now.
    RoleChanged,
    /// An administrator ended it.
    Killed,
    /// What was sent was not read for too long.
    ReaderTooSlow,
    /// More messages than the limit allows.
    TooManyMessages,
    /// More connections than the limit allows.
    TooManyConnections,
}

impl CloseReason {
    /// The WebSocket close code.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            CloseReason::ClientAsked | CloseReason::Idle => 1000,
            CloseReason::ShuttingDown => 1001,
            CloseReason::NotAuthenticated | CloseReason::ProtocolAbuse => 1008,
            CloseReason::MessageTooBig => 1009,
            CloseReason::TokenExpired => 4001,
            CloseReason::TokenRevoked | CloseReason::UserDropped | CloseReason::RoleChanged => 4002,
            CloseReason::Killed => 4003,
            CloseReason::ReaderTooSlow => 4008,
            CloseReason::TooManyMessages | CloseReason::TooManyConnections => 4029,
        }
    }

    /// The reason as people read it in the close frame.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            CloseReason::ClientAsked => "closed by the client",
            CloseReason::Idle => "no frame from the client for too long",
            CloseReason::ShuttingDown => "the server is shutting down",
            CloseReason::NotAuthenticated => "not authenticated",
            CloseReason::ProtocolAbuse => "too many frames that do not parse",
            CloseReason::MessageTooBig => "too many messages over the size limit",
            CloseReason::TokenExpired => "the token has expired",
            CloseReason::TokenRevoked => "the token was revoked",
            CloseReason::UserDropped => "the user was dropped",
            CloseReason::RoleChanged => "the user's role was changed",
            CloseReason::Killed => "killed by an administrator",
            CloseReason::ReaderTooSlow => "the reader was too slow for too long",
            CloseReason::TooManyMessages => "too many messages",
            CloseReason::TooManyConnections => "too many connections",
        }
    }

    /// The reason as a metric label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            CloseReason::ClientAsked => "client_asked",
            CloseReason::Idle => "idle",
            CloseReason::ShuttingDown => "shutting_down",
            CloseReason::NotAuthenticated => "not_authenticated",
            CloseReason::ProtocolAbuse => "protocol_abuse",
            CloseReason::MessageTooBig => "message_too_big",
            CloseReason::TokenExpired => "token_expired",
            CloseReason::TokenRevoked => "token_revoked",
            CloseReason::UserDropped => "user_dropped",
            CloseReason::RoleChanged => "role_changed",
            CloseReason::Killed => "killed",
            CloseReason::ReaderTooSlow => "reader_too_slow",
            CloseReason::TooManyMessages => "too_many_messages",
            CloseReason::TooManyConnections => "too_many_connections",
        }
    }
}
