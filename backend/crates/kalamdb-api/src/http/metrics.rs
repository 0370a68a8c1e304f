//! The counts of all crates, as Prometheus reads them.

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use kalamdb_commons::{ErrorCode, Role};

use super::bearer;
use crate::client_address::Peer;
use crate::error::RequestError;
use crate::state::Doors;

/// `GET /metrics` for a token whose user is more than a plain user.
pub(crate) async fn scrape(
    State(doors): State<Doors>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
) -> Response {
    match bearer::identity(&doors, peer, &headers).await {
        Ok(identity) if may_scrape(identity.role) => text(),
        Ok(_) => RequestError::new(ErrorCode::PermissionDenied, "role service, dba or system is required")
            .into_sql_response(),
        Err(error) => error.into_sql_response(),
    }
}

/// `GET /metrics` on the operators' own address.
pub(crate) async fn scrape_unasked() -> Response {
    text()
}

fn may_scrape(role: Role) -> bool {
    match role {
        Role::User => false,
        Role::Service | Role::Dba | Role::System => true,
    }
}

fn text() -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], crate::metrics::render()).into_response()
}
