//! `POST /v1/api/sql`: one or several statements, one answer.

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use kalamdb_commons::ErrorCode;
use kalamdb_commons::protocol::{SqlRequest, SqlResponse};
use kalamdb_core::Caller;

use super::{bearer, body};
use crate::client_address::{Peer, client_address};
use crate::error::{RequestError, json, raw_json, status};
use crate::state::Doors;

/// Results with more rows than this are written on a thread of their own, so that the sockets that
/// share ours do not wait.
const INLINE_ROWS_MAX: u64 = 500;

/// Runs the statements.
pub(crate) async fn run(
    State(doors): State<Doors>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    match execute(&doors, peer, &headers, body).await {
        Ok(response) => answer(response).await,
        Err(error) => error.into_sql_response(),
    }
}

async fn execute(doors: &Doors, peer: Peer, headers: &HeaderMap, body: Body) -> Result<SqlResponse, RequestError> {
    let identity = bearer::identity(doors, peer, headers).await?;
    let _pass = doors
        .requests
        .enter(identity.user.clone())
        .map_err(|_| RequestError::new(ErrorCode::RateLimitExceeded, "too many requests of this user are running"))?;
    let request: SqlRequest = body::read(body, &doors.options).await?;
    if doors.shutdown.is_cancelled() {
        return Err(RequestError::new(ErrorCode::Unavailable, "the server is shutting down"));
    }
    let client = client_address(&doors.options.trusted_proxies, peer, headers);
    let caller = Caller { user: identity.user, role: identity.role, client: Some(client) };
    Ok(doors.engine.execute(caller, request).await)
}

async fn answer(response: SqlResponse) -> Response {
    let status = response.error.as_ref().map_or(StatusCode::OK, |error| status(error.code));
    let rows = response.results.iter().fold(0_u64, |sum, result| sum.saturating_add(result.rows.len() as u64));
    if rows <= INLINE_ROWS_MAX {
        return json(status, &response, None);
    }
    match tokio::task::spawn_blocking(move || serde_json::to_vec(&response)).await {
        Ok(Ok(bytes)) => raw_json(status, bytes.into(), None),
        Ok(Err(cause)) => RequestError::internal(&cause).into_sql_response(),
        Err(cause) => RequestError::internal(&cause).into_sql_response(),
    }
}
