//! One connection, as its socket's reading task holds it.
//!
//! The task that reads a socket is the only one to ask for anything on its connection, and asks one
//! thing at a time; every answer comes out of [`super::Outgoing`], in order with the changes. Who the
//! client is has been settled before; what a frame says is the socket's business.

use std::sync::Arc;

use kalamdb_auth::Identity;
use kalamdb_commons::protocol::{ServerMessage, SubscribeRequest};
use kalamdb_commons::{ConnectionId, ErrorCode, Role, SeqId, SubscriptionId, UserId};
use kalamdb_system::LiveQueryRecord;
use tokio::sync::oneshot;

use super::LiveQueries;
use super::close_reason::CloseReason;
use super::live_loop::{Input, NewSubscription};
use super::metrics;
use super::peer::Peer;
use super::records::Records;
use super::session::Facts;
use crate::context::Caller;
use crate::engine::{Engine, PlannedLive};
use crate::error::SqlError;
use crate::sql::error_map;

/// One connection, owned by its socket's reading task. Dropping it closes the connection.
#[derive(Debug)]
pub struct Connection {
    live: LiveQueries,
    peer: Arc<Peer>,
}

impl Connection {
    pub(super) fn new(live: LiveQueries, peer: Arc<Peer>) -> Self {
        Connection { live, peer }
    }

    /// Its name.
    #[must_use]
    pub fn id(&self) -> ConnectionId {
        self.peer.id
    }

    /// Whose it is.
    #[must_use]
    pub fn user(&self) -> &UserId {
        &self.peer.user
    }

    /// What its user may do.
    #[must_use]
    pub fn role(&self) -> Role {
        self.peer.role
    }

    /// When its token ends, in microseconds since the Unix epoch.
    #[must_use]
    pub fn expires_at(&self) -> i64 {
        self.peer.credentials().expires_at
    }

    /// Waits until the outbox has room for answers, or is closed. To be called before each frame is
    /// read, so that a client that asks without reading the answers is not asked for more.
    pub async fn room(&self) {
        self.peer.outbox.room().await;
    }

    /// Starts a live query. Everything is answered through [`super::Outgoing`].
    pub async fn subscribe(&mut self, engine: &Engine, request: SubscribeRequest) {
        let subscription_id = bounded_id(&request.id);
        if let Err(SqlError { code, message, position }) = self.try_subscribe(engine, request).await {
            metrics::subscription_refused(code.as_str());
            self.send(&ServerMessage::Error { subscription_id, code, message, position });
        }
    }

    /// Sends the next page of a snapshot.
    pub async fn next_batch(&mut self, subscription_id: &str) {
        let subscription_id = subscription_id.to_owned();
        self.live.inner().queue.push(Input::NextBatch { peer: self.peer.clone(), subscription_id });
    }

    /// Ends a live query; answered by `unsubscribe_ack`, after which nothing of it comes.
    pub async fn unsubscribe(&mut self, subscription_id: &str) {
        let (done, ended) = oneshot::channel();
        let subscription_id = subscription_id.to_owned();
        self.live.inner().queue.push(Input::Unsubscribe { peer: self.peer.clone(), subscription_id, done });
        // Its name is free when this returns. Without an answer everything is going down.
        let _ = ended.await;
    }

    /// Sends a message of the socket's own (`pong`, `auth_success`, protocol errors), in order with the rest.
    pub fn send(&self, message: &ServerMessage) {
        self.peer.outbox.send(message);
    }

    /// A frame came in.
    pub fn heard(&self) {
        self.peer.heard(self.live.inner().now_micros());
    }

    /// Goes on with a fresh token; `false` if it is another user's, and then nothing has changed.
    ///
    /// A token that counts no more by now closes the connection, as it would have been closed had it
    /// been the token before.
    pub fn extend(&mut self, identity: &Identity) -> bool {
        if identity.user != self.peer.user {
            return false;
        }
        self.live.inner().renew(&self.peer, identity);
        true
    }

    /// The one teardown. What is queued is not sent any more; when this returns the rows of
    /// `system.live_queries` are gone. If the connection was closed before, the first reason stands.
    pub async fn close(self, reason: CloseReason) {
        self.live.inner().close_and_wait(&self.peer, reason).await;
    }

    async fn try_subscribe(&self, engine: &Engine, request: SubscribeRequest) -> Result<(), SqlError> {
        let SubscribeRequest { id, sql, params, namespace_id, mut options } = request;
        let invalid_id =
            |error: &dyn std::fmt::Display| SqlError::new(ErrorCode::InvalidSubscriptionId, error.to_string());
        let id = SubscriptionId::new(&id).map_err(|error| invalid_id(&error))?;
        let params = params.unwrap_or_default();
        let mut reserved = Reserved::take(&self.peer, &id, sql.len().saturating_add(size_of_params(&params)))?;
        let caller = Caller::new(self.peer.user.clone(), self.peer.role);
        let planned = engine.plan_live(&caller, &sql, params, namespace_id.as_deref()).await?;
        let options_text = serde_json::to_string(&options).map_err(SqlError::internal)?;
        let inner = self.live.inner();
        // What was before this user is the history of another one, if there was one of its name.
        let since = inner.users.get(&self.peer.user).map_or(SeqId::ZERO, |user| user.since);
        options.from = options.from.map(|from| if from < since { SeqId::ZERO } else { from });
        let record = LiveQueryRecord {
            live_id: kalamdb_commons::LiveQueryId {
                user_id: self.peer.user.clone(),
                connection_id: self.peer.id,
                subscription_id: id.clone(),
            },
            namespace_id: planned.namespace.to_string(),
            table_name: table_names(&planned),
            query: sql,
            options: Some(options_text),
            strategy: planned.plan.strategy.name().to_owned(),
            created_at: inner.now_micros(),
            node_id: inner.node_id.clone(),
        };
        let facts = Arc::new(Facts::new(record));
        if !reserved.save(&inner.records, &facts).await {
            return Err(error_map::shutting_down());
        }
        reserved.activate(facts.clone());
        let new = NewSubscription { peer: self.peer.clone(), facts, plan: planned.plan, options, tables: Vec::new() };
        inner.queue.push(Input::Subscribe(Box::new(new)));
        Ok(())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.live.inner().close(&self.peer, CloseReason::ClientAsked, None);
    }
}

/// A name that is given back, with its record, unless its subscription begins.
struct Reserved<'a> {
    peer: &'a Peer,
    id: &'a SubscriptionId,
    saved: Option<(&'a Arc<Records>, Arc<Facts>)>,
    active: bool,
}

impl<'a> Reserved<'a> {
    fn take(peer: &'a Peer, id: &'a SubscriptionId, query_bytes: usize) -> Result<Self, SqlError> {
        peer.session.lock().reserve(id, query_bytes)?;
        Ok(Reserved { peer, id, saved: None, active: false })
    }

    async fn save(&mut self, records: &'a Arc<Records>, facts: &Arc<Facts>) -> bool {
        self.saved = Some((records, facts.clone()));
        records.save(facts.clone()).await
    }

    fn activate(mut self, facts: Arc<Facts>) {
        self.peer.session.lock().activate(self.id, facts);
        self.active = true;
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        if !self.active {
            if let Some((records, facts)) = self.saved.take() {
                records.remove(facts);
            }
            self.peer.session.lock().release(self.id);
        }
    }
}

/// What a client sent as a subscription id, for an answer: as it is, but not longer than an id can be.
pub(super) fn bounded_id(id: &str) -> String {
    id.get(..id.floor_char_boundary(SubscriptionId::MAX_BYTES)).unwrap_or_default().to_owned()
}

fn size_of_params(params: &[serde_json::Value]) -> usize {
    // Values that came as JSON can be written as JSON.
    serde_json::to_string(params).map_or(0, |text| text.len())
}

/// The tables a query reads, each once.
fn table_names(planned: &PlannedLive) -> String {
    let mut names: Vec<&str> = Vec::new();
    for source in &planned.plan.sources {
        if !names.contains(&source.name.as_str()) {
            names.push(&source.name);
        }
    }
    names.join(",")
}
