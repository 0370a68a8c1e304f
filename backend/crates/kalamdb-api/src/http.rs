//! The HTTP routes, put together.
//!
//! Each file below holds the routes of one concern; `bearer` and `body` read what all of them read
//! from a request. Who may do what is decided by `kalamdb-auth` and the engine.

pub(crate) mod auth;
pub(crate) mod bearer;
pub(crate) mod body;
pub(crate) mod health;
pub(crate) mod metrics;
pub(crate) mod sql;

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::{get, post};
use futures_util::FutureExt;

use crate::error::{RequestError, unknown_method, unknown_route};
use crate::state::Doors;
use crate::ws;

const SQL: &str = "/v1/api/sql";
const LOGIN: &str = "/v1/api/auth/login";
const REFRESH: &str = "/v1/api/auth/refresh";
const LOGOUT: &str = "/v1/api/auth/logout";
const ME: &str = "/v1/api/auth/me";
const AUTH_STATUS: &str = "/v1/api/auth/status";
const HEALTHCHECK: &str = "/v1/api/healthcheck";
const HEALTH: &str = "/health";
const METRICS: &str = "/metrics";
const WEBSOCKET: &str = "/v1/ws";

/// The routes that applications use.
pub(crate) fn routes(doors: Doors) -> Router {
    let cors = doors.options.allowed_origins.cors();
    Router::new()
        .route(SQL, post(sql::run))
        .route(LOGIN, post(auth::login))
        .route(REFRESH, post(auth::refresh))
        .route(LOGOUT, post(auth::logout))
        .route(ME, get(auth::me))
        .route(AUTH_STATUS, get(auth::status))
        .route(HEALTHCHECK, get(health::health))
        .route(HEALTH, get(health::health))
        .route(METRICS, get(metrics::scrape))
        .route(WEBSOCKET, get(ws::upgrade))
        .fallback(unknown_route)
        .method_not_allowed_fallback(unknown_method)
        .with_state(doors)
        .layer(cors)
        .layer(from_fn(observe))
}

/// The routes of the separate address for operators, which asks for no token.
pub(crate) fn admin_routes() -> Router {
    Router::new()
        .route(METRICS, get(metrics::scrape_unasked))
        .route(HEALTH, get(health::health))
        .fallback(unknown_route)
        .method_not_allowed_fallback(unknown_method)
        .layer(from_fn(observe))
}

/// Counts and times each request, and turns a panic into an answer.
async fn observe(request: Request, next: Next) -> Response {
    let route = route_of(request.uri().path());
    let started = Instant::now();
    let response = AssertUnwindSafe(next.run(request)).catch_unwind().await.unwrap_or_else(|_| {
        crate::metrics::panic_caught();
        RequestError::internal(&format_args!("route {route} panicked")).into_sql_response()
    });
    let took = started.elapsed();
    crate::metrics::request_answered(route, response.status().as_u16(), took);
    tracing::debug!(route, status = response.status().as_u16(), took_ms = took.as_millis(), "request answered");
    response
}

/// The route as a label: one of ours, or `other`.
fn route_of(path: &str) -> &'static str {
    [SQL, LOGIN, REFRESH, LOGOUT, ME, AUTH_STATUS, HEALTHCHECK, HEALTH, METRICS, WEBSOCKET]
        .into_iter()
        .find(|route| *route == path)
        .unwrap_or("other")
}
