//! What can go wrong, as a program meets it.
//!
//! One enum for everything this library does. [`Error::code`] is stable and for programs, the text is
//! for people and names what the caller wrote. An error never holds a row's value, a password or a token.

use kalamdb_commons::ErrorCode;
use kalamdb_commons::protocol::ErrorBody;

/// `Ok`, or an [`Error`] of this library.
pub type Result<T> = std::result::Result<T, Error>;

/// Why something did not work. Cheap to clone, so that everybody who waits can be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server refused a statement or a live query, or ended one.
    #[error("{code}: {message}")]
    Server {
        /// Why, for programs.
        code: ErrorCode,
        /// Why, for people.
        message: String,
        /// Where in the SQL, as a 1-based character offset.
        position: Option<u32>,
        /// Which statement of several failed, such as `statement 2 of 3`.
        details: Option<String>,
    },
    /// The user, the password or the token is not accepted. Trying again changes nothing.
    #[error("not authenticated: {0}")]
    Auth(String),
    /// The server could not be reached, or the connection broke. A write may or may not have happened.
    #[error("network: {0}")]
    Network(String),
    /// What was waited for did not come in time. A write may or may not have happened.
    #[error("timed out: {0}")]
    Timeout(String),
    /// The connection or subscription was closed for good, by the program or by the server.
    #[error("closed: {reason}")]
    Closed {
        /// Close code of the socket, where the server closed it; 4003 when an administrator killed it.
        code: Option<u16>,
        /// Why, for people.
        reason: String,
    },
    /// The server sent what this library cannot read.
    #[error("unexpected answer: {0}")]
    Protocol(String),
    /// The caller asked for something that cannot be, such as an empty URL or an id in use.
    #[error("invalid argument: {0}")]
    InvalidArgument(String),
    /// A row does not fit the type it should be read into.
    #[error("cannot read the row: {0}")]
    Decode(String),
    /// More than a limit of [`Options`](crate::Options) lets this client hold; the text names the limit.
    #[error("over a limit of this client: {0}")]
    Limit(String),
}

/// Close code of a connection that an administrator killed.
pub(crate) const CLOSE_KILLED: u16 = 4003;

impl Error {
    /// The error as a stable word: the server's code, or one of `AUTH_FAILED`, `NETWORK`, `TIMEOUT`, `CLOSED`,
    /// `CONNECTION_KILLED`, `BAD_ANSWER`, `INVALID_ARGUMENT`, `DECODE`, `CLIENT_LIMIT`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Error::Server { code, .. } => code.as_str(),
            Error::Auth(_) => "AUTH_FAILED",
            Error::Network(_) => "NETWORK",
            Error::Timeout(_) => "TIMEOUT",
            Error::Closed { .. } if self.is_killed() => "CONNECTION_KILLED",
            Error::Closed { .. } => "CLOSED",
            Error::Protocol(_) => "BAD_ANSWER",
            Error::InvalidArgument(_) => "INVALID_ARGUMENT",
            Error::Decode(_) => "DECODE",
            Error::Limit(_) => "CLIENT_LIMIT",
        }
    }

    /// The server's code, where the server said one.
    #[must_use]
    pub fn server_code(&self) -> Option<ErrorCode> {
        match self {
            Error::Server { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// Where in the SQL, as a 1-based character offset.
    #[must_use]
    pub fn position(&self) -> Option<u32> {
        match self {
            Error::Server { position, .. } => *position,
            _ => None,
        }
    }

    /// Did an administrator kill the connection or the live query?
    #[must_use]
    pub fn is_killed(&self) -> bool {
        match self {
            Error::Server { code, .. } => *code == ErrorCode::Killed,
            Error::Closed { code, .. } => *code == Some(CLOSE_KILLED),
            _ => false,
        }
    }

    /// May the same call work later without being changed?
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Error::Network(_) | Error::Timeout(_) => true,
            Error::Server { code, .. } => {
                matches!(code, ErrorCode::Unavailable | ErrorCode::RateLimitExceeded | ErrorCode::Conflict)
            }
            _ => false,
        }
    }

    pub(crate) fn server(code: ErrorCode, message: impl Into<String>, position: Option<u32>) -> Self {
        Error::Server { code, message: message.into(), position, details: None }
    }

    pub(crate) fn closed(reason: impl Into<String>) -> Self {
        Error::Closed { code: None, reason: reason.into() }
    }
}

impl From<ErrorBody> for Error {
    fn from(body: ErrorBody) -> Self {
        Error::Server { code: body.code, message: body.message, position: body.position, details: body.details }
    }
}
