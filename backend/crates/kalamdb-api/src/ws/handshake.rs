//! The HTTP side of an upgrade to WebSocket: is it one, and the answer that proves it was read.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Version, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kalamdb_commons::ErrorCode;
use sha1::{Digest as _, Sha1};

use crate::error::RequestError;

/// What RFC 6455 puts behind the client's key before hashing it.
const MAGIC: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// The version of the protocol that is spoken.
const SPOKEN_VERSION: &[u8] = b"13";

/// An upgrade request that can be granted.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Handshake {
    accept: HeaderValue,
}

impl Handshake {
    /// Reads the head of a request.
    ///
    /// # Errors
    /// `INVALID_INPUT` when it does not ask for a WebSocket of the version we speak.
    pub(super) fn read(version: Version, headers: &HeaderMap) -> Result<Self, RequestError> {
        let refuse = |what| Err(RequestError::new(ErrorCode::InvalidInput, what));
        if version != Version::HTTP_11
            || !holds_token(headers, &header::CONNECTION, "upgrade")
            || !holds_token(headers, &header::UPGRADE, "websocket")
        {
            return refuse("the route takes only requests for an upgrade to WebSocket");
        }
        let spoken = headers.get(header::SEC_WEBSOCKET_VERSION).map(HeaderValue::as_bytes);
        if spoken != Some(SPOKEN_VERSION) {
            return refuse("the WebSocket version must be 13");
        }
        let key = headers.get(header::SEC_WEBSOCKET_KEY).map(HeaderValue::as_bytes).unwrap_or_default();
        if !STANDARD.decode(key).is_ok_and(|key| key.len() == 16) {
            return refuse("the Sec-WebSocket-Key must be 16 bytes in base64");
        }
        let digest = Sha1::new().chain_update(key).chain_update(MAGIC).finalize();
        match HeaderValue::try_from(STANDARD.encode(digest)) {
            Ok(accept) => Ok(Handshake { accept }),
            Err(cause) => Err(RequestError::internal(&cause)),
        }
    }

    /// The answer that grants the upgrade.
    pub(super) fn grant(self) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, self.accept);
        response
    }
}

/// Does one of the headers of this name list the token?
fn holds_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|entry| entry.trim().eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(changed: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "WebSocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ]
        .iter()
        .chain(changed)
        {
            headers.insert(*name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn the_answer_is_the_one_the_rfc_shows() {
        let response = Handshake::read(Version::HTTP_11, &request(&[])).unwrap().grant();
        assert_eq!(response.status(), 101);
        assert_eq!(response.headers()["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn what_is_no_upgrade_is_refused() {
        for changed in [
            ("connection", "close"),
            ("upgrade", "h2c"),
            ("sec-websocket-version", "8"),
            ("sec-websocket-key", "short"),
            ("sec-websocket-key", ""),
        ] {
            let error = Handshake::read(Version::HTTP_11, &request(&[changed])).unwrap_err();
            assert_eq!(error.code, ErrorCode::InvalidInput, "{changed:?}");
        }
        assert!(Handshake::read(Version::HTTP_10, &request(&[])).is_err());
        assert!(Handshake::read(Version::HTTP_11, &HeaderMap::new()).is_err());
    }
}
