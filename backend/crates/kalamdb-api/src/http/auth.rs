//! The auth routes: logging in, staying logged in, logging out, and who one is.

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use kalamdb_auth::Tokens;
use kalamdb_commons::protocol::{LoginRequest, LoginResponse, MeResponse, UserInfo};
use kalamdb_commons::{ErrorCode, UserId};
use kalamdb_system::UserRecord;
use serde::Serialize;

use super::{bearer, body};
use crate::client_address::{Peer, client_address};
use crate::error::{RequestError, json};
use crate::rfc3339::rfc3339;
use crate::state::Doors;

/// `POST /v1/api/auth/login`: a password for a pair of tokens.
pub(crate) async fn login(
    State(doors): State<Doors>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let tokens = async {
        let LoginRequest { user, password } = body::read(body, &doors.options).await?;
        let address = client_address(&doors.options.trusted_proxies, peer, &headers);
        Ok(doors.auth.login(&user, &password, address).await?)
    };
    tokens_answer(tokens.await)
}

/// `POST /v1/api/auth/refresh`: a refresh token for a new pair.
pub(crate) async fn refresh(State(doors): State<Doors>, headers: HeaderMap) -> Response {
    let tokens = async { Ok(doors.auth.refresh(bearer::required(&headers)?).await?) };
    tokens_answer(tokens.await)
}

/// `POST /v1/api/auth/logout`: the token's pair counts no more.
pub(crate) async fn logout(
    State(doors): State<Doors>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
) -> Response {
    let done = async {
        let address = client_address(&doors.options.trusted_proxies, peer, &headers);
        Ok::<_, RequestError>(doors.auth.logout(bearer::required(&headers)?, address).await?)
    };
    match done.await {
        Ok(()) => json(StatusCode::OK, &Told { message: "logged out" }, None),
        Err(error) => error.into_auth_response(),
    }
}

/// `GET /v1/api/auth/me`: the user behind the token.
pub(crate) async fn me(State(doors): State<Doors>, Extension(peer): Extension<Peer>, headers: HeaderMap) -> Response {
    let user = async {
        let identity = bearer::identity(&doors, peer, &headers).await?;
        // Dropped between the two look-ups: the token has just been revoked with its user.
        let gone = || RequestError::new(ErrorCode::TokenRevoked, "the token was revoked");
        doors.users.get(&identity.user).ok_or_else(gone)
    };
    match user.await {
        Ok(user) => {
            let body = MeResponse { admin_ui_access: user.role.is_admin(), user: user_info(&user) };
            json(StatusCode::OK, &body, None)
        }
        Err(error) => error.into_auth_response(),
    }
}

/// `GET /v1/api/auth/status`: is there anybody who could log in?
pub(crate) async fn status(State(doors): State<Doors>) -> Response {
    let needs_setup = doors.users.get(&UserId::root()).is_none();
    let message = if needs_setup { "the first user has yet to be made" } else { "the server is set up" };
    json(StatusCode::OK, &SetupStatus { needs_setup, message }, None)
}

#[derive(Serialize)]
struct SetupStatus {
    needs_setup: bool,
    message: &'static str,
}

#[derive(Serialize)]
struct Told {
    message: &'static str,
}

fn tokens_answer(tokens: Result<Tokens, RequestError>) -> Response {
    match tokens {
        Ok(tokens) => {
            let body = LoginResponse {
                user: user_info(&tokens.user),
                admin_ui_access: tokens.user.role.is_admin(),
                expires_at: rfc3339(tokens.access_expires_at),
                access_token: tokens.access_token,
                refresh_token: tokens.refresh_token,
                refresh_expires_at: rfc3339(tokens.refresh_expires_at),
            };
            json(StatusCode::OK, &body, None)
        }
        Err(error) => error.into_auth_response(),
    }
}

fn user_info(user: &UserRecord) -> UserInfo {
    UserInfo {
        id: user.id.to_string(),
        role: user.role,
        name: None,
        email: user.email.clone(),
        created_at: rfc3339(user.created_at),
        updated_at: rfc3339(user.updated_at),
    }
}
