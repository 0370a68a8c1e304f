//! What can go wrong with a login or a token, and the code that a client is told.

use kalamdb_commons::ErrorCode;
use kalamdb_store::CommitError;
use kalamdb_system::{AuditError, UserError};

use crate::password::{PASSWORD_BYTES_MAX, PASSWORD_BYTES_MIN};

/// Why somebody is not let in. Says nothing of whether a user exists.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// There is no such user, or the password is not its password.
    #[error("the user or the password is wrong")]
    InvalidCredentials,
    /// The token was not given out by us, or not for this use.
    #[error("the token is not valid")]
    InvalidToken,
    /// The token's time is up.
    #[error("the token has expired")]
    TokenExpired,
    /// The token was given up, or its user is no longer what it was.
    #[error("the token was revoked")]
    TokenRevoked,
    /// The token of another issuer names a user by something that is no user name here.
    #[error("the token names a user that cannot exist here")]
    UnusableUserName,
    /// The token of another issuer is right, but its user does not exist and is not made.
    #[error("there is no user for this token")]
    NoUser,
    /// The token's issuer may not speak for its user.
    #[error("the issuer of this token may not speak for this user")]
    NotForIssuer,
    /// What was asked for can only be done with a token of our own.
    #[error("a token of another issuer is renewed where it was given out")]
    NotOurs,
    /// Too many attempts.
    #[error("too many attempts; try again in {retry_after_secs} s")]
    RateLimited {
        /// When trying again makes sense.
        retry_after_secs: u64,
    },
    /// A password to be is too short or too long.
    #[error("a password has {PASSWORD_BYTES_MIN} to {PASSWORD_BYTES_MAX} bytes")]
    PasswordLength,
    /// The server is shutting down.
    #[error("the server is shutting down")]
    Unavailable,
    /// The password could not be hashed.
    #[error("a password could not be hashed")]
    Hash(#[source] argon2::password_hash::Error),
    /// The thread that hashes did not come back.
    #[error("a password could not be hashed")]
    HashingStopped(#[from] tokio::task::JoinError),
    /// The token could not be signed.
    #[error("a token could not be signed")]
    Sign(#[source] jsonwebtoken::errors::Error),
    /// The system gave no random bytes.
    #[error("the system gave no random bytes")]
    Random(#[source] rand::rngs::SysError),
    /// What was decided could not be stored.
    #[error("the change could not be stored")]
    Commit(#[source] CommitError),
    /// The disk takes no writes.
    #[error("the server's storage takes no writes; try again later")]
    Storage(#[source] CommitError),
    /// It could not be put into the audit log.
    #[error("the audit log could not be written")]
    Audit(#[source] AuditError),
    /// The user of another issuer's token could not be made.
    #[error("a user could not be made")]
    User(#[source] UserError),
    /// The first user could not be made.
    #[error("the user \"root\" could not be made")]
    Root(#[source] UserError),
}

impl AuthError {
    /// The stable code a client is told.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            AuthError::InvalidCredentials
            | AuthError::InvalidToken
            | AuthError::UnusableUserName
            | AuthError::NoUser => ErrorCode::InvalidCredentials,
            AuthError::NotForIssuer => ErrorCode::PermissionDenied,
            AuthError::NotOurs => ErrorCode::Unsupported,
            AuthError::TokenExpired => ErrorCode::TokenExpired,
            AuthError::TokenRevoked => ErrorCode::TokenRevoked,
            AuthError::RateLimited { .. } => ErrorCode::RateLimitExceeded,
            AuthError::PasswordLength => ErrorCode::ConstraintViolation,
            AuthError::Unavailable | AuthError::Storage(_) => ErrorCode::Unavailable,
            AuthError::Hash(_)
            | AuthError::HashingStopped(_)
            | AuthError::Sign(_)
            | AuthError::Random(_)
            | AuthError::Commit(_)
            | AuthError::Audit(_)
            | AuthError::User(_)
            | AuthError::Root(_) => ErrorCode::Internal,
        }
    }
}

impl From<AuditError> for AuthError {
    fn from(error: AuditError) -> Self {
        match error {
            AuditError::Commit(
                commit @ (CommitError::Closed | CommitError::NotStored(_) | CommitError::Unsettled(_)),
            ) => AuthError::from(commit),
            AuditError::Commit(_) | AuditError::Encode(_) => AuthError::Audit(error),
        }
    }
}

impl From<CommitError> for AuthError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Closed => AuthError::Unavailable,
            CommitError::NotStored(_) | CommitError::Unsettled(_) => AuthError::Storage(error),
            CommitError::Conflict | CommitError::UniqueViolation { .. } => AuthError::Commit(error),
        }
    }
}
