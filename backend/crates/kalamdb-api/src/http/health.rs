//! Says that the server lives, and nothing more about it.

use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;

use crate::error::json;

#[derive(Serialize)]
struct Health {
    status: &'static str,
    api_version: &'static str,
}

/// `GET /health` and `GET /v1/api/healthcheck`.
pub(crate) async fn health() -> Response {
    json(StatusCode::OK, &Health { status: "healthy", api_version: "v1" }, None)
}
