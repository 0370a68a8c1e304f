//! The handle a program holds: queries over HTTP, live queries over one shared socket.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use kalamdb_commons::SeqId;
use kalamdb_commons::protocol::SqlRequest;

use crate::auth::{AuthProvider, Authenticator, Credentials, Freshness, within};
use crate::backoff::Backoff;
use crate::error::{Error, Result};
use crate::event::{ConnectionState, SubscriptionInfo};
use crate::live_rows::LiveRowsBuilder;
use crate::options::Options;
use crate::params::IntoParams;
use crate::query::{QueryResult, StatementOutcome, outcomes};
use crate::shared::{Core, Urls};
use crate::state::State;
use crate::subscription::SubscriptionBuilder;
use crate::transport::{HttpRequest, Transport};

/// Longest wait for the socket to say goodbye.
const GOODBYE: Duration = Duration::from_secs(2);

/// A client of one KalamDB server, as one user. Cheap to clone; all clones share one connection.
///
/// Building one does no I/O. The first statement logs in, the first live query opens the socket, which all live
/// queries share and which is kept: lost connections come back by themselves, and every live query goes
/// on where it was. When the last clone and the last live query are dropped, the socket is closed.
///
/// On a native target everything here runs on the tokio runtime of its caller.
///
/// ```no_run
/// # async fn example() -> kalam_link::Result<()> {
/// use kalam_link::{Client, params};
///
/// let client = Client::builder("http://localhost:2900").password("anna", "secret").build()?;
/// client.execute("INSERT INTO chat.messages (room, text) VALUES ($1, $2)", params![7, "hello"]).await?;
/// let result = client.query("SELECT id, text FROM chat.messages WHERE room = $1", params![7]).await?;
/// println!("{} messages", result.rows.len());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Client {
    handle: Arc<Handle>,
}

/// Closes everything when the last one is gone.
pub(crate) struct Handle {
    pub core: Arc<Core>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.core.abandon();
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("url", &self.handle.core.urls.http).finish_non_exhaustive()
    }
}

/// How a [`Client`] should be. Ends with [`build`](ClientBuilder::build).
pub struct ClientBuilder {
    url: String,
    credentials: Option<Credentials>,
    options: Options,
    transport: Option<Arc<dyn Transport>>,
}

impl std::fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientBuilder").field("url", &self.url).field("options", &self.options).finish_non_exhaustive()
    }
}

impl ClientBuilder {
    /// Logs in with a user name and a password, and again before each token expires.
    #[must_use]
    pub fn password(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.credentials = Some(Credentials::Password { user: user.into(), password: password.into() });
        self
    }

    /// Uses one access token. When it has expired the client is closed.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.credentials = Some(Credentials::Token(token.into()));
        self
    }

    /// Asks for a token before every connection and before it expires.
    #[must_use]
    pub fn auth(mut self, provider: impl AuthProvider) -> Self {
        self.credentials = Some(Credentials::Provider(Box::new(provider)));
        self
    }

    /// Namespace of table names that are written without one.
    #[must_use]
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.options.namespace = Some(namespace.into());
        self
    }

    /// Longest wait for a socket to open, and to be authenticated; see [`Options::connect_timeout`].
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.options.connect_timeout = timeout;
        self
    }

    /// Longest wait for an answer; see [`Options::request_timeout`].
    #[must_use]
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.options.request_timeout = timeout;
        self
    }

    /// Waits between attempts to connect.
    #[must_use]
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.options.backoff = backoff;
        self
    }

    /// Bytes of events that wait for a slow program, per subscription; see [`Options::event_buffer_bytes`].
    #[must_use]
    pub fn event_buffer(mut self, bytes: usize) -> Self {
        self.options.event_buffer_bytes = bytes;
        self
    }

    /// Pause between two pings on an open socket.
    #[must_use]
    pub fn ping_interval(mut self, interval: Duration) -> Self {
        self.options.ping_interval = interval;
        self
    }

    /// All limits and times at once, in place of those set so far.
    #[must_use]
    pub fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// Reaches the server in another way than by the platform's own sockets.
    #[must_use]
    pub fn transport(mut self, transport: Arc<dyn Transport>) -> Self {
        self.transport = Some(transport);
        self
    }

    /// The client. Nothing is sent yet.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`]: the address is none, or there are no credentials.
    pub fn build(self) -> Result<Client> {
        let urls = Urls::parse(&self.url)?;
        let none =
            || Error::InvalidArgument("a client needs credentials: a password, a token or a provider".to_owned());
        let credentials = self.credentials.ok_or_else(none)?;
        let auth = Authenticator::new(credentials, &urls.http, self.options.request_timeout);
        let transport = self.transport.unwrap_or_else(platform);
        let core = Arc::new(Core::new(transport, auth, self.options, urls));
        Ok(Client { handle: Arc::new(Handle { core }) })
    }
}

#[cfg(not(target_family = "wasm"))]
fn platform() -> Arc<dyn Transport> {
    Arc::new(crate::transport::native::Native::new())
}

#[cfg(target_family = "wasm")]
fn platform() -> Arc<dyn Transport> {
    Arc::new(crate::transport::browser::Browser::new())
}

impl Client {
    /// Begins a client of the server at `url`, such as `http://localhost:2900`.
    #[must_use]
    pub fn builder(url: impl Into<String>) -> ClientBuilder {
        ClientBuilder { url: url.into(), credentials: None, options: Options::default(), transport: None }
    }

    pub(crate) fn handle(&self) -> &Arc<Handle> {
        &self.handle
    }

    fn core(&self) -> &Arc<Core> {
        &self.handle.core
    }

    /// Runs one SELECT, or any one statement that gives rows. `params` are the values of `$1`, `$2` …, see
    /// [`params!`](macro@crate::params).
    ///
    /// # Errors
    /// What the server said, or why it could not be asked. See [`Client::execute`].
    pub async fn query(&self, sql: impl Into<String>, params: impl IntoParams) -> Result<QueryResult> {
        let outcomes = self.execute(sql, params).await?;
        Ok(outcomes.into_iter().next_back().map(|outcome| outcome.result).unwrap_or_default())
    }

    /// Runs one or several statements, in order, and tells what each did. Each is a commit of its own unless they
    /// stand between `BEGIN` and `COMMIT`.
    ///
    /// A statement is sent again only if the server said that nothing ran because the token had expired.
    ///
    /// # Errors
    /// [`Error::Server`] for the first statement that failed; those before it have happened. After
    /// [`Error::Network`] or [`Error::Timeout`] nobody knows whether a write has happened.
    pub async fn execute(&self, sql: impl Into<String>, params: impl IntoParams) -> Result<Vec<StatementOutcome>> {
        self.execute_in(None, sql, params).await
    }

    /// [`Client::execute`] with another namespace for table names that are written without one.
    ///
    /// # Errors
    /// As [`Client::execute`].
    pub async fn execute_in(
        &self,
        namespace: Option<&str>,
        sql: impl Into<String>,
        params: impl IntoParams,
    ) -> Result<Vec<StatementOutcome>> {
        let core = self.core();
        let params = Some(params.into_params()).filter(|params| !params.is_empty());
        let namespace_id = namespace.map(str::to_owned).or_else(|| core.options.namespace.clone());
        let request = SqlRequest { sql: sql.into(), params, namespace_id };
        let body = serde_json::to_string(&request).map_err(|error| Error::InvalidArgument(error.to_string()))?;
        let token = core.auth.token(&*core.transport, Freshness::Held, None).await?.text;
        let (status, answer) = self.post_sql(token.clone(), body.clone()).await?;
        if status != 401 {
            return outcomes(status, &answer);
        }
        let token = core.auth.token(&*core.transport, Freshness::Fresh, Some(&token)).await?;
        let (status, answer) = self.post_sql(token.text, body).await?;
        outcomes(status, &answer)
    }

    async fn post_sql(&self, token: String, body: String) -> Result<(u16, String)> {
        let core = self.core();
        let response_max_bytes = core.options.response_max_bytes;
        let request = HttpRequest { url: core.urls.sql.clone(), bearer: Some(token), body, response_max_bytes };
        let asked = async { core.transport.post(request).await.map_err(|error| Error::Network(error.0)) };
        let response = within(&*core.transport, core.options.request_timeout, "the statement", asked).await?;
        Ok((response.status, response.body))
    }

    /// Begins a live query whose changes come one by one. See [`Subscription`](crate::Subscription).
    pub fn subscribe(&self, sql: impl Into<String>) -> SubscriptionBuilder {
        SubscriptionBuilder::new(self.clone(), sql.into())
    }

    /// Begins a live query whose whole result is kept current. See [`LiveRows`](crate::LiveRows).
    pub fn live(&self, sql: impl Into<String>) -> LiveRowsBuilder {
        LiveRowsBuilder::new(self.subscribe(sql))
    }

    /// The live queries of this client, in the order they were begun.
    #[must_use]
    pub fn subscriptions(&self) -> Vec<SubscriptionInfo> {
        self.core().with(|state, _| state.keys().into_iter().filter_map(|key| state.info(key)).collect())
    }

    /// Starts a live query again after `from`: changes after it are told once more, or the server says that it
    /// has no such history and sends the whole result. Events that wait are thrown away.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`]: there is no live query of this id.
    pub fn resume(&self, id: &str, from: SeqId) -> Result<()> {
        self.core().with(|state, moment| match state.by_id(id) {
            Some(key) => state.resume(moment, key, from),
            None => Err(Error::InvalidArgument(format!("there is no live subscription \"{id}\""))),
        })
    }

    /// Ends a live query by its id; its stream ends. One that is not there, or not any more, is no error.
    pub async fn unsubscribe(&self, id: &str) {
        let key = self.core().with(|state, _| state.by_id(id));
        if let Some(key) = key {
            crate::subscription::unsubscribe(self.core(), key).await;
        }
    }

    /// Waits until every live query of this client has everything up to `seq`, such as that of a write.
    ///
    /// # Errors
    /// As [`Subscription::wait_for`](crate::Subscription::wait_for).
    pub async fn wait_for(&self, seq: SeqId) -> Result<()> {
        for key in self.core().with(|state, _| state.keys()) {
            // One that has ended is waited for no more.
            let waited = crate::subscription::wait_for(self.core(), key, seq).await;
            if let Err(Error::Timeout(_)) = &waited {
                return waited;
            }
        }
        Ok(())
    }

    /// How the shared connection is doing.
    #[must_use]
    pub fn connection_state(&self) -> ConnectionState {
        self.core().with(|state, _| state.connection())
    }

    /// The states of the shared connection, the present one first. Who is slow to look misses the oldest ones.
    #[must_use]
    pub fn connection_events(&self) -> ConnectionEvents {
        ConnectionEvents { id: self.core().listen(), core: self.core().clone() }
    }

    /// Tries to connect now if the client is waiting to; for programs that know that the network is back.
    pub fn reconnect(&self) {
        self.core().with(State::reconnect);
    }

    /// Ends all live queries and closes the socket. The next live query opens another one.
    pub async fn disconnect(&self) {
        let core = self.core();
        core.with(State::disconnect);
        let closed = std::future::poll_fn(|cx| core.poll_closed(cx));
        let closed = async {
            closed.await;
            Ok(())
        };
        // Whoever does not say goodbye in time is gone all the same.
        let _ = within(&*core.transport, GOODBYE, "closing the socket", closed).await;
    }
}

/// The states of a client's connection, as a stream. It ends never.
///
/// ```no_run
/// # async fn example(client: kalam_link::Client) {
/// use kalam_link::ConnectionState;
///
/// let mut states = client.connection_events();
/// while let Some(state) = states.next().await {
///     if let ConnectionState::Waiting { retry_in, reason, .. } = state {
///         eprintln!("no connection ({reason}), next attempt in {retry_in:?}");
///     }
/// }
/// # }
/// ```
pub struct ConnectionEvents {
    core: Arc<Core>,
    id: u64,
}

impl std::fmt::Debug for ConnectionEvents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConnectionEvents").finish_non_exhaustive()
    }
}

impl ConnectionEvents {
    /// The next state.
    pub async fn next(&mut self) -> Option<ConnectionState> {
        std::future::poll_fn(|cx| self.core.poll_listen(self.id, cx)).await
    }
}

impl Stream for ConnectionEvents {
    type Item = ConnectionState;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<ConnectionState>> {
        self.core.poll_listen(self.id, cx)
    }
}

impl Drop for ConnectionEvents {
    fn drop(&mut self) {
        self.core.unlisten(self.id);
    }
}
