//! What JavaScript asks for: settings of a client and of a live query, and where tokens come from.

use std::sync::Arc;
use std::time::Duration;

use js_sys::{Function, Promise, Reflect};
use kalamdb_commons::SeqId;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;

use crate::auth::AuthProvider;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::options::Options;
use crate::subscription::SubscriptionBuilder;
use crate::transport::BoxFuture;
use crate::transport::browser::Browser;

/// Reads what came as JSON text.
pub(super) fn read<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| Error::InvalidArgument(error.to_string()))
}

/// Settings of a client. What is left out has its default.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClientSettings {
    url: String,
    namespace: Option<String>,
    credentials: Option<Credentials>,
    connect_timeout_ms: Option<f64>,
    request_timeout_ms: Option<f64>,
    #[serde(default)]
    backoff: BackoffSettings,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Credentials {
    Password { user: String, password: String },
    Token { token: String },
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct BackoffSettings {
    first_ms: Option<f64>,
    max_ms: Option<f64>,
    factor: Option<f64>,
    jitter: Option<f64>,
}

impl ClientSettings {
    /// The client they describe.
    pub(super) fn client(self, provider: Option<Function>, web_socket: Function) -> Result<Client> {
        let mut options = Options { namespace: self.namespace, ..Options::default() };
        set_duration(&mut options.connect_timeout, "connectTimeoutMs", self.connect_timeout_ms)?;
        set_duration(&mut options.request_timeout, "requestTimeoutMs", self.request_timeout_ms)?;
        set_duration(&mut options.backoff.first, "backoff.firstMs", self.backoff.first_ms)?;
        set_duration(&mut options.backoff.max, "backoff.maxMs", self.backoff.max_ms)?;
        options.backoff.factor = self.backoff.factor.unwrap_or(options.backoff.factor);
        options.backoff.jitter = self.backoff.jitter.unwrap_or(options.backoff.jitter);
        let transport = Arc::new(Browser::with_web_socket(web_socket));
        let builder = Client::builder(self.url).options(options).transport(transport);
        match (self.credentials, provider) {
            (Some(Credentials::Password { user, password }), _) => builder.password(user, password),
            (Some(Credentials::Token { token }), _) => builder.token(token),
            (None, Some(provider)) => builder.auth(JsProvider(provider)),
            (None, None) => builder,
        }
        .build()
    }
}

fn set_duration(option: &mut Duration, name: &str, millis: Option<f64>) -> Result<()> {
    if let Some(millis) = millis {
        let wrong = |_| Error::InvalidArgument(format!("\"{name}\" is no time in milliseconds"));
        *option = Duration::try_from_secs_f64(millis / 1000.0).map_err(wrong)?;
    }
    Ok(())
}

/// Settings of a live query.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SubscribeSettings {
    id: Option<String>,
    namespace: Option<String>,
    batch_rows: Option<u32>,
    last_rows: Option<u32>,
    from: Option<SeqId>,
    #[serde(default)]
    without_snapshot: bool,
}

impl SubscribeSettings {
    /// Does the live query begin with rows rather than with changes?
    pub(super) fn begins_with_snapshot(&self) -> bool {
        self.from.is_none() && !self.without_snapshot
    }

    /// Puts them into a live query.
    pub(super) fn apply(self, mut builder: SubscriptionBuilder) -> Result<SubscriptionBuilder> {
        if let Some(id) = self.id {
            if id.is_empty() {
                return Err(Error::InvalidArgument("a live query's id is empty".to_owned()));
            }
            builder = builder.id(id);
        }
        if let Some(namespace) = self.namespace {
            builder = builder.namespace(namespace);
        }
        if let Some(rows) = self.batch_rows {
            builder = builder.batch_rows(rows);
        }
        if let Some(rows) = self.last_rows {
            builder = builder.last_rows(rows);
        }
        if let Some(from) = self.from {
            builder = builder.from(from);
        }
        if self.without_snapshot {
            builder = builder.without_snapshot();
        }
        Ok(builder)
    }
}

/// A function of JavaScript that gives access tokens.
struct JsProvider(Function);

impl AuthProvider for JsProvider {
    fn token(&self) -> BoxFuture<'_, Result<String>> {
        Box::pin(async {
            let asked = self.0.call0(&JsValue::NULL).map(|given| Promise::resolve(&given));
            let given = match asked {
                Ok(promise) => JsFuture::from(promise).await,
                Err(thrown) => Err(thrown),
            };
            let token = given.map_err(|thrown| refused(&thrown))?;
            token.as_string().ok_or_else(|| Error::Auth("the auth provider gave no text".to_owned()))
        })
    }
}

/// Why there is no token. Only an error that says so ends the connection; others are tried again.
fn refused(thrown: &JsValue) -> Error {
    let text = |name: &str| Reflect::get(thrown, &name.into()).ok().and_then(|text| text.as_string());
    let message = text("message").unwrap_or_else(|| "the auth provider failed".to_owned());
    if text("code").as_deref() == Some("AUTH_FAILED") { Error::Auth(message) } else { Error::Network(message) }
}
