//! The one place where a failure becomes an HTTP answer: code → status, headers and body.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use kalamdb_auth::AuthError;
use kalamdb_commons::ErrorCode;
use kalamdb_commons::protocol::{AuthErrorBody, ErrorBody, ResponseStatus, SqlResponse};
use serde::Serialize;

/// A request that failed before or beside the engine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct RequestError {
    pub(crate) code: ErrorCode,
    pub(crate) message: String,
    /// Seconds after which trying again makes sense.
    pub(crate) retry_after_secs: Option<u64>,
}

impl RequestError {
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        RequestError { code, message: message.into(), retry_after_secs: None }
    }

    pub(crate) fn retry_after(mut self, secs: u64) -> Self {
        self.retry_after_secs = Some(secs);
        self
    }

    /// Our fault: logs `cause` under a reference and tells the client only the reference.
    pub(crate) fn internal(cause: &dyn std::fmt::Display) -> Self {
        let reference = uuid::Uuid::new_v4().simple().to_string();
        tracing::error!(%reference, %cause, "internal error");
        RequestError::new(ErrorCode::Internal, format!("internal error, reference {reference}"))
    }

    /// As the routes of our own SQL answer, in the shape of a result.
    pub(crate) fn into_sql_response(self) -> Response {
        let body = SqlResponse {
            status: ResponseStatus::Error,
            results: Vec::new(),
            took: 0.0,
            error: Some(ErrorBody { code: self.code, message: self.message, details: None, position: None }),
        };
        json(status(self.code), &body, self.retry_after_secs)
    }

    /// As the auth routes answer, with their own lower-case codes.
    pub(crate) fn into_auth_response(self) -> Response {
        let error = match self.code {
            ErrorCode::InvalidCredentials => "unauthorized".to_owned(),
            ErrorCode::RateLimitExceeded => "rate_limited".to_owned(),
            code => code.as_str().to_ascii_lowercase(),
        };
        let body = AuthErrorBody { error, message: self.message };
        json(status(self.code), &body, self.retry_after_secs)
    }
}

impl From<AuthError> for RequestError {
    fn from(error: AuthError) -> Self {
        let code = error.code();
        let retry_after_secs = match &error {
            AuthError::RateLimited { retry_after_secs } => Some(*retry_after_secs),
            _ => None,
        };
        if code == ErrorCode::Internal {
            return RequestError::internal(&Chain(&error));
        }
        RequestError { code, message: error.to_string(), retry_after_secs }
    }
}

/// An error with what caused it, on one line, for the log.
struct Chain<'a>(&'a dyn std::error::Error);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(cause) = source {
            write!(f, ": {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}

/// Any other failure: a route that does not exist, a method that a route does not take.
#[derive(Serialize)]
struct PlainError {
    error: &'static str,
    message: &'static str,
}

/// Answer to a route that does not exist.
pub(crate) async fn unknown_route() -> Response {
    json(StatusCode::NOT_FOUND, &PlainError { error: "not_found", message: "there is no such route" }, None)
}

/// Answer to a method that a route does not take.
pub(crate) async fn unknown_method() -> Response {
    let body = PlainError { error: "method_not_allowed", message: "the route does not take this method" };
    json(StatusCode::METHOD_NOT_ALLOWED, &body, None)
}

/// The status that goes with a code.
pub(crate) fn status(code: ErrorCode) -> StatusCode {
    StatusCode::from_u16(code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// A JSON answer. 429 and 503 always say when to try again.
pub(crate) fn json<T: Serialize>(status: StatusCode, body: &T, retry_after_secs: Option<u64>) -> Response {
    match serde_json::to_vec(body) {
        Ok(bytes) => raw_json(status, bytes.into(), retry_after_secs),
        Err(cause) => {
            tracing::error!(%cause, "an answer has no JSON form");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// An answer that is JSON already.
pub(crate) fn raw_json(status: StatusCode, body: Bytes, retry_after_secs: Option<u64>) -> Response {
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(retry_after_secs.unwrap_or(1).max(1)));
    }
    response
}

#[cfg(test)]
mod tests;
