//! A live query as a stream of events. Dropping it ends it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;
use kalamdb_commons::SeqId;

use crate::auth::within;
use crate::client::{Client, Handle};
use crate::error::{Error, Result};
use crate::event::{ConnectionState, Event};
use crate::params::IntoParams;
use crate::row::Schema;
use crate::shared::Core;
use crate::state::subscription::Wanted;
use crate::state::{Key, Taken};

/// How a live query should begin. Ends with [`start`](SubscriptionBuilder::start).
#[must_use = "a live query begins with start()"]
pub struct SubscriptionBuilder {
    client: Client,
    wanted: Wanted,
}

impl std::fmt::Debug for SubscriptionBuilder {
    /// Without the parameters, which may be anybody's.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SubscriptionBuilder").field("sql", &self.wanted.sql).finish_non_exhaustive()
    }
}

impl SubscriptionBuilder {
    pub(crate) fn new(client: Client, sql: String) -> Self {
        SubscriptionBuilder { client, wanted: Wanted { sql, ..Wanted::default() } }
    }

    /// The values of `$1`, `$2` …, see [`params!`](macro@crate::params).
    pub fn params(mut self, params: impl IntoParams) -> Self {
        self.wanted.params = params.into_params();
        self
    }

    /// Rows per page of the snapshot; the server's choice otherwise.
    pub fn batch_rows(mut self, rows: u32) -> Self {
        self.wanted.batch_rows = Some(rows);
        self
    }

    /// Only the rows written last, this many, instead of the whole result.
    pub fn last_rows(mut self, rows: u32) -> Self {
        self.wanted.last_rows = Some(rows);
        self
    }

    /// Goes on after a SeqId that an earlier subscription to the same query came to
    /// ([`Subscription::last_seq`]), instead of with a snapshot.
    pub fn from(mut self, seq: SeqId) -> Self {
        self.wanted.from = Some(seq);
        self
    }

    /// Only changes from now on, no snapshot.
    pub fn without_snapshot(mut self) -> Self {
        self.wanted.without_snapshot = true;
        self
    }

    /// The name of the live query on its connection; one is made up otherwise.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.wanted.id = id.into();
        self
    }

    /// Namespace of table names that are written without one.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.wanted.namespace = Some(namespace.into());
        self
    }

    /// Begins the live query and waits until the server has accepted it.
    ///
    /// # Errors
    /// [`Error::Server`]: it is not accepted. [`Error::Auth`]: nor is the client. [`Error::Timeout`]: the server could
    /// not be reached in time. [`Error::InvalidArgument`]: the id is in use or not one that can be.
    pub async fn start(self) -> Result<Subscription> {
        self.start_as(false).await
    }

    pub(crate) async fn start_as(self, keeps_rows: bool) -> Result<Subscription> {
        let subscription = self.begin(keeps_rows)?;
        let core = subscription.core();
        let limit = core.options.request_timeout;
        match within(&*core.transport, limit, "the live query's beginning", subscription.started()).await {
            Ok(()) => Ok(subscription),
            Err(Error::Timeout(text)) => Err(Error::Timeout(with_reason(core, text))),
            Err(error) => Err(error),
        }
    }

    /// Begins the live query without waiting for anything. Dropping what comes back ends it.
    pub(crate) fn begin(mut self, keeps_rows: bool) -> Result<Subscription> {
        self.wanted.keeps_rows = keeps_rows;
        let handle = self.client.handle().clone();
        let wanted = self.wanted;
        let key = handle.core.with(|state, moment| state.subscribe(moment, wanted))?;
        let id = handle.core.with(|state, _| state.info(key)).map(|info| info.id).unwrap_or_default();
        Ok(Subscription { handle, key, id })
    }
}

/// Says what is wrong with the connection, if anything is.
fn with_reason(core: &Arc<Core>, text: String) -> String {
    match core.with(|state, _| state.connection()) {
        ConnectionState::Waiting { reason, .. } => format!("{text}; the connection: {reason}"),
        _ => text,
    }
}

/// A live query: a stream of [`Event`]s, each commit whole and in order. Dropping it ends it on the server too.
///
/// A lost connection is told as [`Event::Paused`] and, once the live query has gone on, [`Event::Active`]; nothing is
/// missed or told twice in between. Events that the program does not take wait up to
/// [`Options::event_buffer_bytes`](crate::Options::event_buffer_bytes); beyond, they wait on the server.
///
/// ```no_run
/// # async fn example(client: kalam_link::Client) -> kalam_link::Result<()> {
/// use kalam_link::{Event, params};
///
/// let sql = "SELECT id, text FROM chat.messages WHERE room = $1";
/// let mut messages = client.subscribe(sql).params(params![7]).start().await?;
/// while let Some(event) = messages.next().await {
///     match event {
///         Event::Snapshot(page) => println!("{} rows to begin with", page.rows.len()),
///         Event::Change(change) => println!("{:?}: {} rows", change.kind, change.rows.len()),
///         Event::Reset => println!("starting over"),
///         Event::Paused { reason } => println!("nothing for now: {reason}"),
///         Event::Active => println!("going on"),
///         Event::Ended(error) => return Err(error),
///     }
/// }
/// # Ok(()) }
/// ```
pub struct Subscription {
    handle: Arc<Handle>,
    key: Key,
    id: String,
}

impl std::fmt::Debug for Subscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subscription").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Subscription {
    /// Its name on the connection, as `system.live_queries` shows it.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.handle.core
    }

    pub(crate) fn key_of_state(&self) -> Key {
        self.key
    }

    /// Waits, for as long as it takes, until the server has accepted the query, and until its rows are here where they
    /// are kept.
    pub(crate) async fn started(&self) -> Result<()> {
        let started = |cx: &mut Context<'_>| {
            self.core().poll_with(self.key, cx, |state, _| match state.has_started(self.key) {
                Ok(true) => Poll::Ready(Ok(())),
                Ok(false) => Poll::Pending,
                Err(error) => Poll::Ready(Err(error)),
            })
        };
        std::future::poll_fn(started).await
    }

    /// The next event; `None` when the live query has ended and that was told.
    pub async fn next(&mut self) -> Option<Event> {
        std::future::poll_fn(|cx| self.poll_event(cx)).await
    }

    pub(crate) fn poll_event(&self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.core().poll_with(self.key, cx, |state, moment| match state.take(moment, self.key) {
            Taken::Event(event) => Poll::Ready(Some(event)),
            Taken::Finished => Poll::Ready(None),
            Taken::Nothing => Poll::Pending,
        })
    }

    /// Where to resume from: everything up to here was taken by the program. `None` in the midst of a snapshot.
    /// Keep it to go on after a restart of the program, with [`SubscriptionBuilder::from`].
    #[must_use]
    pub fn last_seq(&self) -> Option<SeqId> {
        self.core().with(|state, _| state.delivered(self.key))
    }

    /// The columns of the result.
    #[must_use]
    pub fn schema(&self) -> Schema {
        self.core().with(|state, _| state.columns(self.key)).map(|(schema, _)| schema).unwrap_or_default()
    }

    /// The columns that identify a row; `None` if the result does not hold the primary key. Either
    /// way [`Row::key`](crate::Row::key) does.
    #[must_use]
    pub fn key(&self) -> Option<Vec<String>> {
        self.core().with(|state, _| state.columns(self.key))?.1
    }

    /// Waits until everything up to `seq`, such as that of a write, has come: the next events
    /// up to it can be taken without waiting.
    ///
    /// A commit that did not concern this query is known to have passed only when the server says so, which it does
    /// every few seconds (`websocket.progress_interval_ms`).
    ///
    /// # Errors
    /// The live query has ended, or [`Error::Timeout`] after [`Options::request_timeout`](crate::Options).
    pub async fn wait_for(&self, seq: SeqId) -> Result<()> {
        wait_for(self.core(), self.key, seq).await
    }

    /// Ends the live query and waits until the server has said so. Once more is no error.
    pub async fn unsubscribe(&self) {
        unsubscribe(self.core(), self.key).await;
    }
}

/// See [`Subscription::wait_for`].
pub(crate) async fn wait_for(core: &Arc<Core>, key: Key, seq: SeqId) -> Result<()> {
    let visible = std::future::poll_fn(|cx| {
        core.poll_with(key, cx, |state, _| match state.is_visible(key, seq) {
            Ok(true) => Poll::Ready(Ok(())),
            Ok(false) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        })
    });
    let waited = within(&*core.transport, core.options.request_timeout, "waiting for a commit", visible);
    match waited.await {
        Err(Error::Timeout(text)) => Err(Error::Timeout(with_reason(core, text))),
        other => other,
    }
}

/// See [`Subscription::unsubscribe`].
pub(crate) async fn unsubscribe(core: &Arc<Core>, key: Key) {
    core.with(|state, moment| state.unsubscribe(moment, key));
    let left = std::future::poll_fn(|cx| {
        core.poll_with(key, cx, |state, _| if state.is_left(key) { Poll::Ready(Ok(())) } else { Poll::Pending })
    });
    // A server that does not answer has forgotten the live query by the time the connection is lost.
    let _ = within(&*core.transport, core.options.request_timeout, "unsubscribing", left).await;
    core.forget(key);
}

impl Stream for Subscription {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.poll_event(cx)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.core().with(|state, moment| state.unsubscribe(moment, self.key));
        self.core().forget(self.key);
    }
}
