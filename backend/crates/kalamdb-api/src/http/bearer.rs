//! The token that a request carries.

use axum::http::{HeaderMap, header};
use kalamdb_auth::Identity;
use kalamdb_commons::ErrorCode;

use crate::client_address::{Peer, client_address};
use crate::error::RequestError;
use crate::state::Doors;

/// The token behind `Authorization: Bearer`, if there is one.
pub(crate) fn token(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.trim().split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// The same, or the error of a request without one.
pub(crate) fn required(headers: &HeaderMap) -> Result<&str, RequestError> {
    token(headers).ok_or_else(|| {
        RequestError::new(ErrorCode::MissingAuthorization, "an Authorization header with a bearer token is required")
    })
}

/// Who sent the request, by its access token.
pub(crate) async fn identity(doors: &Doors, peer: Peer, headers: &HeaderMap) -> Result<Identity, RequestError> {
    let address = client_address(&doors.options.trusted_proxies, peer, headers);
    Ok(doors.auth.admit(required(headers)?, address).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, value.parse().unwrap());
        token(&headers).map(str::to_owned)
    }

    #[test]
    fn the_scheme_is_read_in_any_case_and_other_schemes_carry_no_token() {
        assert_eq!(read("Bearer abc").as_deref(), Some("abc"));
        assert_eq!(read("bearer   abc ").as_deref(), Some("abc"));
        for none in ["", "Bearer", "Bearer ", "Basic abc", "abc"] {
            assert_eq!(read(none), None, "{none:?}");
        }
        assert_eq!(required(&HeaderMap::new()).unwrap_err().code, ErrorCode::MissingAuthorization);
    }
}
