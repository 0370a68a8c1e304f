//! Why a statement or a subscription failed, as a client is told it.

use kalamdb_commons::ErrorCode;
use kalamdb_commons::protocol::ErrorBody;

/// A failure with its stable code, a text for people and, where there is one, its place in the SQL.
///
/// The text names what the client wrote (names, types, limits) and never a row's value, a path,
/// or anything the client may not see.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SqlError {
    /// Stable code.
    pub code: ErrorCode,
    /// What went wrong.
    pub message: String,
    /// 1-based character offset in the request's SQL.
    pub position: Option<u32>,
}

impl SqlError {
    /// An error without a position.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        SqlError { code, message: message.into(), position: None }
    }

    /// The same error at a place in the SQL, unless it already has one.
    #[must_use]
    pub fn at(mut self, position: Option<u32>) -> Self {
        self.position = self.position.or(position);
        self
    }

    /// A namespace, table, column, function, user or connection that does not exist.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::NotFound, message)
    }

    /// Something the caller may not do.
    pub fn denied(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::PermissionDenied, message)
    }

    /// Valid SQL that is not supported here.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Unsupported, message)
    }

    /// A broken constraint.
    pub fn constraint(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::ConstraintViolation, message)
    }

    /// SQL that does not parse or make sense.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::InvalidSql, message)
    }

    /// Our fault: logs `cause` under a reference and tells the client only the reference.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        let reference = uuid::Uuid::new_v4().simple().to_string();
        tracing::error!(%reference, %cause, "internal error");
        Self::new(ErrorCode::Internal, format!("internal error, reference {reference}"))
    }

    /// The error as it travels.
    #[must_use]
    pub fn into_body(self, details: Option<String>) -> ErrorBody {
        ErrorBody { code: self.code, message: self.message, details, position: self.position }
    }
}
