//! A live query as rows: the whole result, in order, always current.

use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;
use kalamdb_commons::SeqId;
use serde::de::DeserializeOwned;

use crate::error::Result;
use crate::params::IntoParams;
use crate::row::{Row, Schema};
use crate::subscription::{Subscription, SubscriptionBuilder};

/// How a live view should begin. Ends with [`start`](LiveRowsBuilder::start).
#[derive(Debug)]
#[must_use = "a live view begins with start()"]
pub struct LiveRowsBuilder(SubscriptionBuilder);

impl LiveRowsBuilder {
    pub(crate) fn new(builder: SubscriptionBuilder) -> Self {
        LiveRowsBuilder(builder)
    }

    /// The values of `$1`, `$2` …, see [`params!`](macro@crate::params).
    pub fn params(self, params: impl IntoParams) -> Self {
        LiveRowsBuilder(self.0.params(params))
    }

    /// Rows per page of the snapshot; the server's choice otherwise.
    pub fn batch_rows(self, rows: u32) -> Self {
        LiveRowsBuilder(self.0.batch_rows(rows))
    }

    /// Begins with only the rows written last, this many.
    pub fn last_rows(self, rows: u32) -> Self {
        LiveRowsBuilder(self.0.last_rows(rows))
    }

    /// The name of the live query on its connection; one is made up otherwise.
    pub fn id(self, id: impl Into<String>) -> Self {
        LiveRowsBuilder(self.0.id(id))
    }

    /// Namespace of table names that are written without one.
    pub fn namespace(self, namespace: impl Into<String>) -> Self {
        LiveRowsBuilder(self.0.namespace(namespace))
    }

    /// Begins the live query and waits until its whole result is here.
    ///
    /// # Errors
    /// As [`SubscriptionBuilder::start`]; [`Error::Limit`](crate::Error::Limit) if the result has more rows than
    /// [`Options::live_rows_max`](crate::Options::live_rows_max).
    pub async fn start(self) -> Result<LiveRows> {
        Ok(LiveRows::of(self.0.start_as(true).await?))
    }
}

/// The rows of a live query at one moment, shared and never changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Rows(Arc<Vec<Row>>);

impl Rows {
    /// Reads all rows into a type, see [`Row::to`].
    ///
    /// # Errors
    /// A row does not fit the type.
    pub fn rows_as<T: DeserializeOwned>(&self) -> Result<Vec<T>> {
        self.0.iter().map(Row::to).collect()
    }

    /// Are these the very rows that `other` holds, so that nothing has changed? Costs nothing.
    #[must_use]
    pub fn is_same(&self, other: &Rows) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Deref for Rows {
    type Target = [Row];

    fn deref(&self) -> &[Row] {
        &self.0
    }
}

/// A live query as its whole, ordered result. Dropping it ends it.
///
/// The rows are in the order of the query's ORDER BY, or else in that of the primary key. While the connection is lost
/// the rows stay as they were; they are replaced in one step, never torn.
///
/// ```no_run
/// # async fn example(client: kalam_link::Client) -> kalam_link::Result<()> {
/// let mut top = client.live("SELECT name, points FROM game.players ORDER BY points DESC LIMIT 10").start().await?;
/// loop {
///     for row in top.rows().iter() {
///         println!("{:?}", row.cells());
///     }
///     top.changed().await?;
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct LiveRows {
    subscription: Subscription,
    seen: u64,
    /// The stream has told why it ends.
    finished: bool,
}

impl LiveRows {
    /// The rows of a live query that keeps them and has started.
    pub(crate) fn of(subscription: Subscription) -> Self {
        let mut rows = LiveRows { subscription, seen: 0, finished: false };
        rows.seen = rows.version();
        rows
    }

    /// The rows now.
    #[must_use]
    pub fn rows(&self) -> Rows {
        let key = self.subscription.key_of_state();
        let rows = self.subscription.core().with(|state, _| state.rows(key));
        Rows(rows.map(|(rows, _)| rows).unwrap_or_default())
    }

    fn version(&self) -> u64 {
        let key = self.subscription.key_of_state();
        self.subscription.core().with(|state, _| state.rows(key)).map_or(0, |(_, version)| version)
    }

    /// Waits until the rows are others than at the last call, and gives them. Changes that come while nobody waits
    /// are seen as one.
    ///
    /// # Errors
    /// Why the live query has ended.
    pub async fn changed(&mut self) -> Result<Rows> {
        std::future::poll_fn(|cx| self.poll_changed(cx)).await
    }

    pub(crate) fn poll_changed(&mut self, cx: &mut Context<'_>) -> Poll<Result<Rows>> {
        let key = self.subscription.key_of_state();
        let seen = self.seen;
        let look = self.subscription.core().poll_with(key, cx, |state, _| {
            match (state.rows(key).filter(|(_, version)| *version != seen), state.has_started(key)) {
                (Some(changed), _) => Poll::Ready(Ok(changed)),
                (None, Ok(_)) => Poll::Pending,
                (None, Err(error)) => Poll::Ready(Err(error)),
            }
        });
        look.map_ok(|(rows, version)| {
            self.seen = version;
            Rows(rows)
        })
    }

    /// Waits until the rows hold everything up to `seq`, such as that of a write.
    ///
    /// # Errors
    /// As [`Subscription::wait_for`].
    pub async fn wait_for(&self, seq: SeqId) -> Result<()> {
        self.subscription.wait_for(seq).await
    }

    /// Its name on the connection.
    #[must_use]
    pub fn id(&self) -> &str {
        self.subscription.id()
    }

    /// The rows are the query's result as of here.
    #[must_use]
    pub fn last_seq(&self) -> Option<SeqId> {
        self.subscription.last_seq()
    }

    /// The columns of the result.
    #[must_use]
    pub fn schema(&self) -> Schema {
        self.subscription.schema()
    }

    /// The columns that identify a row, see [`Subscription::key`].
    #[must_use]
    pub fn key(&self) -> Option<Vec<String>> {
        self.subscription.key()
    }

    /// Ends the live query and waits until the server has said so.
    pub async fn unsubscribe(&self) {
        self.subscription.unsubscribe().await;
    }
}

impl Stream for LiveRows {
    /// The rows, each time they have changed; an error is the last item.
    type Item = Result<Rows>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.finished {
            return Poll::Ready(None);
        }
        let changed = self.poll_changed(cx);
        self.finished = matches!(&changed, Poll::Ready(Err(_)));
        changed.map(Some)
    }
}
