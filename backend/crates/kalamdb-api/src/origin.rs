//! Which web pages may talk to this server.
//!
//! Browsers say in `Origin` which page a request comes from. A request without one comes from no
//! page and is let through; it still needs a token like any other.

use axum::http::header::{HOST, HeaderName, ORIGIN};
use axum::http::{HeaderMap, HeaderValue, Method, header};
use std::time::Duration;
use tower_http::cors::{AllowOrigin, CorsLayer};

/// Web pages of which origins may use this server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowedOrigins {
    /// Those this server itself delivered, by the `Host` they asked for.
    SameOrigin,
    /// Those, and these, each as a browser writes it (`https://app.example.com`).
    These(Vec<HeaderValue>),
    /// All of them.
    Any,
}

/// The text is not an origin as a browser writes it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not an origin such as https://app.example.com")]
pub struct InvalidOrigin(String);

impl AllowedOrigins {
    /// Reads a list of origins; empty means the same origin only, `*` all of them.
    ///
    /// # Errors
    /// [`InvalidOrigin`] naming the entry that is not an origin.
    pub fn parse(list: &[String]) -> Result<Self, InvalidOrigin> {
        if list.iter().any(|entry| entry.trim() == "*") {
            return Ok(AllowedOrigins::Any);
        }
        let origins: Result<Vec<_>, _> = list.iter().map(|entry| parse_origin(entry)).collect();
        let origins = origins?;
        Ok(if origins.is_empty() { AllowedOrigins::SameOrigin } else { AllowedOrigins::These(origins) })
    }

    /// May a request with these headers come in?
    pub(crate) fn admit(&self, headers: &HeaderMap) -> bool {
        let mut origins = headers.get_all(ORIGIN).iter();
        let Some(origin) = origins.next() else { return true };
        if origins.next().is_some() {
            return false;
        }
        match self {
            AllowedOrigins::Any => true,
            AllowedOrigins::SameOrigin => is_same(origin, headers),
            AllowedOrigins::These(list) => list.contains(origin) || is_same(origin, headers),
        }
    }

    /// The CORS answers that say the same to browsers. Never with credentials: tokens travel in a
    /// header that a page must set itself.
    pub(crate) fn cors(&self) -> CorsLayer {
        let origins = match self {
            AllowedOrigins::Any => AllowOrigin::any(),
            AllowedOrigins::SameOrigin => AllowOrigin::list([]),
            AllowedOrigins::These(list) => AllowOrigin::list(list.iter().cloned()),
        };
        CorsLayer::new()
            .allow_origin(origins)
            .allow_methods([Method::GET, Method::POST])
            .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE])
            .expose_headers([HeaderName::from_static("retry-after")])
            .max_age(Duration::from_secs(3_600))
    }
}

fn parse_origin(entry: &str) -> Result<HeaderValue, InvalidOrigin> {
    let invalid = || InvalidOrigin(entry.to_owned());
    let text = entry.trim().trim_end_matches('/').to_ascii_lowercase();
    let host = text.split_once("://").map(|(_, host)| host).ok_or_else(invalid)?;
    if host.is_empty() || host.contains(['/', '?', '#', '@', ' ', '*', ',']) {
        return Err(invalid());
    }
    HeaderValue::from_str(&text).map_err(|_| invalid())
}

/// Was the page delivered by the host that is asked now? A proxy in front may have taken off TLS,
/// so the scheme tells only the port that goes without saying.
fn is_same(origin: &HeaderValue, headers: &HeaderMap) -> bool {
    let (Ok(origin), Some(Ok(host))) = (origin.to_str(), headers.get(HOST).map(HeaderValue::to_str)) else {
        return false;
    };
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    let default_port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return false,
    };
    let bare = |text: &str| text.strip_suffix(default_port).unwrap_or(text).to_ascii_lowercase();
    !authority.is_empty() && bare(authority) == bare(host)
}

#[cfg(test)]
mod tests;
