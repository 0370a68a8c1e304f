//! The stable codes by which clients tell errors apart.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! error_codes {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $status:literal;)*) => {
        /// Stable code of an error. The text beside it may change; the code does not.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum ErrorCode {
            $($(#[$doc])* #[serde(rename = $code)] $variant,)*
        }

        impl ErrorCode {
            /// Every code there is.
            pub const ALL: &'static [ErrorCode] = &[$(ErrorCode::$variant),*];

            /// The code as it travels.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(ErrorCode::$variant => $code,)* }
            }

            /// Status of an HTTP answer that carries this code.
            #[must_use]
            pub const fn http_status(self) -> u16 {
                match self { $(ErrorCode::$variant => $status,)* }
            }
        }
    };
}

error_codes! {
    /// No bearer token was sent.
    MissingAuthorization = "MISSING_AUTHORIZATION", 401;
    /// The token or the password is not valid.
    InvalidCredentials = "INVALID_CREDENTIALS", 401;
    /// The token has expired.
    TokenExpired = "TOKEN_EXPIRED", 401;
    /// The token was revoked.
    TokenRevoked = "TOKEN_REVOKED", 401;
    /// The user may not do this.
    PermissionDenied = "PERMISSION_DENIED", 403;
    /// The SQL does not parse.
    InvalidSql = "INVALID_SQL", 400;
    /// There is no statement in the SQL.
    EmptySql = "EMPTY_SQL", 400;
    /// A namespace, table, column, function, user or connection does not exist.
    NotFound = "NOT_FOUND", 400;
    /// A key, NOT NULL, type or other constraint would be broken.
    ConstraintViolation = "CONSTRAINT_VIOLATION", 400;
    /// What should be created exists.
    AlreadyExists = "ALREADY_EXISTS", 400;
    /// Valid SQL that is not supported here.
    Unsupported = "UNSUPPORTED", 400;
    /// A parameter is missing, surplus or of the wrong type.
    InvalidParameter = "INVALID_PARAMETER", 400;
    /// The request's body is not what the route takes.
    InvalidInput = "INVALID_INPUT", 400;
    /// A body, a statement or a result is over its limit.
    TooLarge = "TOO_LARGE", 413;
    /// Concurrent writes to the same rows did not settle.
    Conflict = "CONFLICT", 409;
    /// Too many requests.
    RateLimitExceeded = "RATE_LIMIT_EXCEEDED", 429;
    /// The server is shutting down.
    Unavailable = "UNAVAILABLE", 503;
    /// Our fault; the message holds a reference to the log line.
    Internal = "INTERNAL", 500;
    /// The socket has not been authenticated.
    AuthRequired = "AUTH_REQUIRED", 401;
    /// The subscription id is empty, too long or not printable.
    InvalidSubscriptionId = "INVALID_SUBSCRIPTION_ID", 400;
    /// The connection already has a subscription of this id.
    SubscriptionExists = "SUBSCRIPTION_EXISTS", 400;
    /// The connection holds as many subscriptions as it may.
    SubscriptionLimitExceeded = "SUBSCRIPTION_LIMIT_EXCEEDED", 400;
    /// The frame is larger than the server reads.
    MessageTooLarge = "MESSAGE_TOO_LARGE", 413;
    /// The frame is of a kind the server does not read.
    UnsupportedData = "UNSUPPORTED_DATA", 400;
    /// The frame does not parse.
    Protocol = "PROTOCOL", 400;
    /// The live query was ended by an administrator.
    Killed = "KILLED", 400;
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
