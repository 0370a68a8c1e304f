//! Who this client is: where its access tokens come from, and when they are asked for anew.
//!
//! Nothing is asked before it is needed. One request is made at a time, however many wait for its token. A token
//! is used until shortly before it expires, or until the server refuses it; whoever brings an
//! [`AuthProvider`] of its own is also asked before every new connection.

use std::time::Duration;

use kalamdb_commons::protocol::{AuthErrorBody, LoginRequest, LoginResponse};
use kalamdb_commons::{DataType, Value};

use crate::error::{Error, Result};
use crate::transport::{BoxFuture, HttpRequest, HttpResponse, MaybeSend, MaybeSync, Transport};

/// Gives access tokens, for example from the session of an application.
///
/// Asked before every connection, again before the token of an open connection expires, and when the server refused
/// a token. An async closure will do:
///
/// ```no_run
/// # async fn token_from_my_session() -> String { String::new() }
/// let client = kalam_link::Client::builder("http://localhost:2900")
///     .auth(|| async { Ok(token_from_my_session().await) })
///     .build()?;
/// # Ok::<(), kalam_link::Error>(())
/// ```
pub trait AuthProvider: MaybeSync + 'static {
    /// A token that is valid now.
    ///
    /// # Errors
    /// [`Error::Auth`] ends the connection and its subscriptions; every other error is tried again later.
    fn token(&self) -> BoxFuture<'_, Result<String>>;
}

impl<F, Fut> AuthProvider for F
where
    F: Fn() -> Fut + MaybeSync + 'static,
    Fut: Future<Output = Result<String>> + MaybeSend + 'static,
{
    fn token(&self) -> BoxFuture<'_, Result<String>> {
        Box::pin(self())
    }
}

/// Where tokens come from.
pub(crate) enum Credentials {
    Password { user: String, password: String },
    Token(String),
    Provider(Box<dyn AuthProvider>),
}

/// An access token.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub text: String,
    /// Since the Unix epoch; from then on it is better to have another one. `None` if that is not known.
    pub good_until: Option<Duration>,
}

/// How fresh a token has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// One that is held and not about to expire will do.
    Held,
    /// For a new connection: a provider is asked, a password's token may be the one held.
    Connect,
    /// The one held was refused or is about to expire.
    Fresh,
}

/// The one keeper of this client's token.
pub(crate) struct Authenticator {
    credentials: Credentials,
    login_url: String,
    timeout: Duration,
    held: futures_util::lock::Mutex<Option<Token>>,
}

/// A token is replaced so long before it ends, or at half of its life if that is later.
const LIFE_LEFT: Duration = Duration::from_secs(10);
/// Replacing a token more often than this would be a loop.
const SHORTEST_USE: Duration = Duration::from_secs(1);
/// More is never read of an answer to a login.
const LOGIN_ANSWER_BYTES_MAX: usize = 64 << 10;

impl Authenticator {
    pub fn new(credentials: Credentials, base_url: &str, timeout: Duration) -> Self {
        let held = futures_util::lock::Mutex::new(None);
        Authenticator { credentials, login_url: format!("{base_url}/v1/api/auth/login"), timeout, held }
    }

    /// A token as fresh as asked; `refused` is one that the server did not take.
    pub async fn token(&self, transport: &dyn Transport, freshness: Freshness, refused: Option<&str>) -> Result<Token> {
        let mut held = self.held.lock().await;
        let now = transport.unix_now();
        let lasts = |token: &Token| token.good_until.is_none_or(|end| end > now);
        let asks_anew = match (&self.credentials, freshness) {
            (_, Freshness::Held) => false,
            (Credentials::Provider(_), Freshness::Connect) => true,
            (_, Freshness::Connect) => false,
            // Another waiter may have replaced the refused token meanwhile.
            (_, Freshness::Fresh) => {
                refused.is_none() || held.as_ref().is_some_and(|t| Some(t.text.as_str()) == refused)
            }
        };
        if let Some(token) = held.as_ref().filter(|token| !asks_anew && lasts(token)) {
            return Ok(token.clone());
        }
        let token = self.ask(transport, refused).await?;
        *held = Some(token.clone());
        Ok(token)
    }

    async fn ask(&self, transport: &dyn Transport, refused: Option<&str>) -> Result<Token> {
        match &self.credentials {
            Credentials::Token(text) if refused == Some(text) => {
                Err(Error::Auth("the server does not accept the token, or it has expired".to_owned()))
            }
            Credentials::Token(text) => Ok(Token { text: text.clone(), good_until: None }),
            Credentials::Provider(provider) => {
                let asked = within(transport, self.timeout, "the auth provider", provider.token());
                Ok(Token { text: asked.await?, good_until: None })
            }
            Credentials::Password { user, password } => self.login(transport, user, password).await,
        }
    }

    async fn login(&self, transport: &dyn Transport, user: &str, password: &str) -> Result<Token> {
        let body = LoginRequest { user: user.to_owned(), password: password.to_owned() };
        let body = serde_json::to_string(&body).map_err(|error| Error::InvalidArgument(error.to_string()))?;
        let url = self.login_url.clone();
        let request = HttpRequest { url, bearer: None, body, response_max_bytes: LOGIN_ANSWER_BYTES_MAX };
        let asked = async { transport.post(request).await.map_err(|error| Error::Network(error.0)) };
        read_login(&within(transport, self.timeout, "the login", asked).await?, transport.unix_now())
    }
}

fn read_login(response: &HttpResponse, now: Duration) -> Result<Token> {
    if response.status == 200 {
        let login: LoginResponse = serde_json::from_str(&response.body)
            .map_err(|_| Error::Protocol("the answer to the login is not one of KalamDB".to_owned()))?;
        let good_for = good_for(&login.expires_at, now, LIFE_LEFT);
        return Ok(Token { good_until: good_for.map(|good| now.saturating_add(good)), text: login.access_token });
    }
    let said = serde_json::from_str::<AuthErrorBody>(&response.body).map(|body| body.message);
    let message = said.unwrap_or_else(|_| format!("the login was answered with status {}", response.status));
    Err(match response.status {
        400 | 401 | 403 => Error::Auth(message),
        429 => Error::server(kalamdb_commons::ErrorCode::RateLimitExceeded, message, None),
        503 => Error::server(kalamdb_commons::ErrorCode::Unavailable, message, None),
        500.. => Error::Network(message),
        _ => Error::Protocol(message),
    })
}

/// How long from `now` on a token that was just given out should be used: until `ahead` before it ends, or for half of its
/// life if that is longer. `None` if its end cannot be told, as by a clock that is wrong: then the server says when.
pub(crate) fn good_for(expires_at: &str, now: Duration, ahead: Duration) -> Option<Duration> {
    let left = unix_time(expires_at)?.saturating_sub(now);
    let good = left.saturating_sub(ahead).max(left / 2);
    (good >= SHORTEST_USE).then_some(good)
}

/// An RFC 3339 time as time since the Unix epoch.
fn unix_time(text: &str) -> Option<Duration> {
    match Value::from_text(text, &DataType::DateTime) {
        Ok(Value::DateTime(micros)) => u64::try_from(micros).ok().map(Duration::from_micros),
        _ => None,
    }
}

/// Waits for so long and no longer.
pub(crate) async fn within<T>(
    transport: &dyn Transport,
    limit: Duration,
    what: &str,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    let sleep = transport.sleep(limit);
    let work = std::pin::pin!(work);
    match futures_util::future::select(work, sleep).await {
        futures_util::future::Either::Left((done, _)) => done,
        futures_util::future::Either::Right(((), _)) => {
            Err(Error::Timeout(format!("{what} took longer than {} ms", limit.as_millis())))
        }
    }
}

#[cfg(test)]
mod tests;
