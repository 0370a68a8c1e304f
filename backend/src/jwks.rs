//! Keys of another issuer that are published at a URL.
//!
//! The URL is HTTPS, or of this machine. What comes is bounded in time and bytes, and no redirect leads
//! anywhere else. How often it is fetched, and what becomes of old keys, is the business of the auth crate.

use std::net::IpAddr;
use std::time::Duration;

use kalamdb_auth::{KEY_SET_BYTES_MAX, KeyFetch, KeySource, KeySourceError};
use reqwest::{Client, Url, redirect};
use tokio_rustls::rustls::crypto::ring;

/// Time for one fetch, from the connection to the last byte.
const FETCH_TIMEOUT: Duration = Duration::from_secs(10);

/// A key set at a URL.
#[derive(Debug)]
pub(crate) struct UrlKeys {
    url: Url,
    client: Client,
    interval: Duration,
}

impl UrlKeys {
    /// The key set at this URL, to be fetched again after `interval`.
    ///
    /// # Errors
    /// [`KeySourceError`] when there can be no client for it.
    pub(crate) fn new(url: &str, interval: Duration) -> Result<UrlKeys, KeySourceError> {
        let Some(url) = parse(url) else {
            return Err(KeySourceError::Unreachable("the URL cannot be used".to_owned()));
        };
        // There may be one already; then it is as good.
        let _present = ring::default_provider().install_default();
        let client = Client::builder()
            .timeout(FETCH_TIMEOUT)
            .redirect(redirect::Policy::none())
            .user_agent(concat!("kalamdb/", env!("CARGO_PKG_VERSION")));
        // What is on this machine is not asked for through a proxy.
        let client = if is_loopback(&url) { client.no_proxy() } else { client };
        Ok(UrlKeys { url, client: client.build().map_err(unreachable)?, interval })
    }
}

impl KeySource for UrlKeys {
    fn fetch(&self) -> KeyFetch<'_> {
        Box::pin(async {
            let request = self.client.get(self.url.clone()).header("accept", "application/json");
            let mut response = request.send().await.map_err(unreachable)?;
            if !response.status().is_success() {
                return Err(KeySourceError::Unreachable(format!("the answer was {}", response.status())));
            }
            let mut bytes = Vec::new();
            while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
                if bytes.len().saturating_add(chunk.len()) > KEY_SET_BYTES_MAX {
                    return Err(KeySourceError::TooLarge);
                }
                bytes.extend_from_slice(&chunk);
            }
            Ok(bytes)
        })
    }

    fn refresh_interval(&self) -> Duration {
        self.interval
    }
}

/// A URL from which keys may be fetched: of HTTPS, or of this machine.
pub(crate) fn parse(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url));
    let has_user = !url.username().is_empty() || url.password().is_some();
    (is_safe && url.has_host() && !has_user && url.fragment().is_none()).then_some(url)
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Without the URL, which may hold what is nobody's business.
fn unreachable(error: reqwest::Error) -> KeySourceError {
    let mut text = error.without_url().to_string();
    text.truncate(text.floor_char_boundary(200));
    KeySourceError::Unreachable(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s06_keys_are_fetched_over_https_or_from_this_machine_alone() {
        for url in [
            "https://id.example.com/jwks.json",
            "https://id.example.com:8443/keys?tenant=1",
            "http://127.0.0.1:8080/jwks",
            "http://[::1]/jwks",
            "http://localhost/jwks",
        ] {
            assert!(parse(url).is_some(), "{url}");
        }
        for url in [
            "http://id.example.com/jwks.json",
            "http://127.0.0.1.example.com/",
            "http://localhost.example.com/",
            "http://10.0.0.1/jwks",
            "https://user:secret@id.example.com/",
            "https://id.example.com/#keys",
            "file:///etc/passwd",
            "ftp://id.example.com/",
            "id.example.com",
            "https://",
            "",
        ] {
            assert!(parse(url).is_none(), "{url}");
        }
    }
}
