//! Live queries: results that are kept current from the stream of commits.
//!
//! A subscription begins with a snapshot at some SeqId and is told every commit after it, in order and
//! whole. Who was away is caught up from the change log; who reads slowly too. [`LiveQueries`] is the
//! way in for the engine, a [`Connection`] for the task that reads a socket, its [`Outgoing`] for the
//! task that writes it. All views and subscriptions belong to one thread, fed by one queue, so there
//! is one order of everything. SQL is not read here, and sockets are not touched.
//!
//! - `plan`: what SQL tells this side of a query. `view`: how its result is kept, per strategy.
//! - `live_loop`: the state machine. `driver`: its thread. `queue`: what comes in. `job`, `records`: what others do for it.
//! - `router`: whom a changed row concerns. `delta`: what a commit did to a view, and its frames.
//! - `result_set`: whole results, pages. `catch_up`, `resume`: the past. `replay`: what of it each client is told.
//! - `connection_registry`: who is here. `peer`, `session`: what is known of a connection. `outbox`: what it is sent.

pub mod plan;

pub mod close_reason;
pub mod options;

mod connection;
mod connection_registry;
mod outbox;
mod peer;
mod session;

mod driver;
mod live_loop;
mod queue;
mod records;

mod job;

mod catch_up;
mod replay;
mod resume;

mod delta;
mod result_set;
mod router;
mod view;

mod metrics;

#[cfg(test)]
mod fixtures;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use kalamdb_auth::Identity;
use kalamdb_commons::{ConnectionId, LiveQueryId, SeqId, TableId, UserId};
use kalamdb_store::{Commit, RecordSpace, Store};
use kalamdb_system::live_queries::{self, LiveQueryStoreError};
use kalamdb_system::record_key::{AuthKey, CatalogKey};
use kalamdb_system::{Catalog, CatalogState, ConnectionRow, LiveQueryRow, Users};
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

pub use close_reason::CloseReason;
pub use connection::Connection;
pub use options::LiveOptions;
pub use outbox::{Outgoing, OutgoingItem};

use connection_registry::ConnectionRegistry;
use driver::Driver;
use live_loop::{Done, Input, TableNow};
use peer::{Credentials, Peer};
use queue::LoopQueue;
use records::Records;

/// Connections and live queries of this process; a handle that is cheap to clone.
#[derive(Debug, Clone)]
pub struct LiveQueries(Arc<Inner>);

/// Why the live side could not be started.
#[derive(Debug, thiserror::Error)]
pub enum LiveStartError {
    /// What an earlier run left could not be deleted.
    #[error("the live queries of an earlier run could not be deleted")]
    Records(#[from] LiveQueryStoreError),
    /// The thread of the live loop could not be started.
    #[error("the thread of the live loop could not be started")]
    Thread(#[source] std::io::Error),
}

/// A socket that has been authenticated.
#[derive(Debug, Clone)]
pub struct NewConnection {
    /// Who it is, as `Auth::verify` says.
    pub identity: Identity,
    /// Address and port of the client, for people.
    pub client_addr: String,
}

#[derive(Debug)]
struct Inner {
    store: Store,
    catalog: Arc<Catalog>,
    users: Arc<Users>,
    node_id: String,
    options: Arc<LiveOptions>,
    registry: Arc<ConnectionRegistry>,
    records: Arc<Records>,
    queue: Arc<LoopQueue>,
    /// Every commit up to here has been looked at.
    position: Arc<AtomicU64>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl LiveQueries {
    /// Deletes the records that an earlier run of this node left, and starts the live loop.
    ///
    /// `runtime` runs queries and reads snapshots. `catalog` and `users` must have applied a commit
    /// before [`LiveQueries::on_commit`] is told of it.
    ///
    /// # Errors
    /// [`LiveStartError`].
    pub fn start(
        store: Store,
        catalog: Arc<Catalog>,
        users: Arc<Users>,
        runtime: Handle,
        node_id: String,
        options: LiveOptions,
    ) -> Result<LiveQueries, LiveStartError> {
        live_queries::purge_node(&store, &node_id)?;
        let options = Arc::new(options);
        let queue = Arc::new(LoopQueue::new(options.queue_max_bytes));
        let position = Arc::new(AtomicU64::new(store.last_seq().0));
        let (connections, subscriptions) = (options.max_connections_per_user, options.max_subscriptions_per_user);
        let registry = Arc::new(ConnectionRegistry::new(connections, subscriptions));
        let records = Records::new(store.clone(), runtime.clone());
        let driver = Driver {
            store: store.clone(),
            catalog: catalog.clone(),
            records: records.clone(),
            registry: registry.clone(),
            runtime,
            options: options.clone(),
            queue: queue.clone(),
            position: position.clone(),
        };
        let thread = std::thread::Builder::new().name("live-loop".to_owned()).spawn(move || driver.run());
        let thread = Mutex::new(Some(thread.map_err(LiveStartError::Thread)?));
        Ok(LiveQueries(Arc::new(Inner {
            store,
            catalog,
            users,
            node_id,
            options,
            registry,
            records,
            queue,
            position,
            thread,
        })))
    }

    /// Takes a commit. Called on the committer's thread, for every commit, in order; it only queues it,
    /// and waits only when [`LiveOptions::queue_max_bytes`] of commits are queued.
    ///
    /// Connections whose user or token does not count any more are closed before it returns.
    pub fn on_commit(&self, commit: &Arc<Commit>) {
        let inner = &self.0;
        inner.end_connections(commit);
        let tables = altered_tables(commit, &inner.catalog);
        inner.queue.push_commit(Input::Commit { commit: commit.clone(), tables });
    }

    /// Takes a new connection.
    ///
    /// # Errors
    /// Why it must be closed at once: too many connections of the user, its token counts no more, or
    /// the server is going down.
    pub fn open(&self, new: NewConnection) -> Result<(Connection, Outgoing), CloseReason> {
        let inner = &self.0;
        let id = ConnectionId(uuid::Uuid::new_v4().as_u128());
        let peer = Peer::new(id, &new.identity, new.client_addr, inner.now_micros(), &inner.options);
        inner.registry.insert(&peer).inspect_err(|reason| metrics::connection_refused(reason.label()))?;
        metrics::connection_opened();
        // From here on every commit that ends its user or token finds it; what happened before is seen now.
        if let Some(reason) = peer.objection(inner.users.get(&peer.user).as_deref()) {
            inner.close(&peer, reason, None);
            return Err(reason);
        }
        let outgoing = Outgoing::new(peer.clone(), inner.queue.clone(), inner.position.clone());
        Ok((Connection::new(self.clone(), peer), outgoing))
    }

    /// Ends a connection; `false` if there is none of this name. When it returns the rows of the
    /// connection are gone.
    pub async fn kill_connection(&self, id: ConnectionId) -> bool {
        let Some(peer) = self.0.registry.get(id) else { return false };
        self.0.close_and_wait(&peer, CloseReason::Killed).await;
        true
    }

    /// Ends a live query; `false` if there is none of this name. When it returns its row is gone.
    pub async fn kill_live_query(&self, id: &LiveQueryId) -> bool {
        let Some(peer) = self.0.registry.get(id.connection_id).filter(|peer| peer.user == id.user_id) else {
            return false;
        };
        if !peer.session.lock().is_active(&id.subscription_id) {
            return false;
        }
        let (done, ended) = oneshot::channel();
        self.0.queue.push(Input::Kill { peer, subscription_id: id.subscription_id.clone(), done });
        ended.await.unwrap_or(false)
    }

    /// Returns when the live loop has acted on every commit that was made before: a subscription that one
    /// of them has ended says nothing more.
    pub async fn settled(&self) {
        let (done, settled) = oneshot::channel();
        self.0.queue.push(Input::Settle(done));
        // Without an answer the loop has ended, and with it every subscription.
        let _ = settled.await;
    }

    /// Rows of `system.live_queries`, as of now.
    #[must_use]
    pub fn live_query_rows(&self) -> Vec<LiveQueryRow> {
        let position = SeqId(self.0.position.load(Ordering::Acquire));
        let peers = self.0.registry.all();
        let rows_of = |peer: Arc<Peer>| -> Vec<LiveQueryRow> {
            peer.session.lock().active().map(|facts| facts.row(position)).collect()
        };
        peers.into_iter().flat_map(rows_of).collect()
    }

    /// Rows of `system.connections`, as of now.
    #[must_use]
    pub fn connection_rows(&self) -> Vec<ConnectionRow> {
        self.0.registry.all().iter().map(|peer| peer.row(&self.0.node_id)).collect()
    }

    /// Closes all connections, takes no new ones, and ends the live loop.
    pub async fn shutdown(&self) {
        let inner = &self.0;
        inner.registry.shut();
        let mut closing = Vec::new();
        for peer in inner.registry.all() {
            let (done, closed) = oneshot::channel();
            inner.close(&peer, CloseReason::ShuttingDown, Some(done));
            closing.push(closed);
        }
        for closed in closing {
            // Without an answer the loop has ended already.
            let _ = closed.await;
        }
        inner.queue.close();
        let thread = inner.thread.lock().take();
        if let Some(thread) = thread {
            let joined = tokio::task::spawn_blocking(move || thread.join()).await;
            if !matches!(joined, Ok(Ok(()))) {
                tracing::error!("the live loop ended in a panic");
            }
        }
    }

    fn inner(&self) -> &Inner {
        &self.0
    }
}

impl Inner {
    fn now_micros(&self) -> i64 {
        self.store.clock().now_micros()
    }

    /// The one teardown. From here on nothing more reaches the socket; `done` resolves when the
    /// records of the connection's subscriptions are gone.
    fn close(&self, peer: &Arc<Peer>, reason: CloseReason, done: Option<Done>) {
        if peer.outbox.close(reason) {
            metrics::connection_closed(reason.label());
        } else if done.is_none() {
            return;
        }
        self.registry.remove(peer);
        self.queue.push(Input::Close { peer: peer.clone(), done });
    }

    async fn close_and_wait(&self, peer: &Arc<Peer>, reason: CloseReason) {
        let (done, closed) = oneshot::channel();
        self.close(peer, reason, Some(done));
        // Without an answer the loop has ended, and with it every subscription.
        let _ = closed.await;
    }

    fn renew(&self, peer: &Arc<Peer>, identity: &Identity) {
        let renewed = self.registry.renew(peer, Credentials::from(identity));
        let objection = || peer.objection(self.users.get(&peer.user).as_deref());
        if let Some(reason) = renewed.err().or_else(objection) {
            self.close(peer, reason, None);
        }
    }

    /// Closes the connections whose user or token a commit has ended.
    fn end_connections(&self, commit: &Commit) {
        for write in commit.records.iter().filter(|write| write.space == RecordSpace::Auth) {
            match AuthKey::split(&write.key) {
                Some((AuthKey::User, name)) => {
                    let user = std::str::from_utf8(name).ok().and_then(|name| UserId::new(name).ok());
                    for peer in user.iter().flat_map(|user| self.registry.of_user(user)) {
                        if let Some(reason) = peer.objection(self.users.get(&peer.user).as_deref()) {
                            self.close(&peer, reason, None);
                        }
                    }
                }
                // A pair that a refresh retired names no login, and ends no connection.
                Some((AuthKey::RevokedPair, login)) if write.value.is_some() => {
                    let login = login.try_into().map(u128::from_be_bytes);
                    for peer in login.iter().flat_map(|&login| self.registry.end_login(login)) {
                        self.close(&peer, CloseReason::TokenRevoked, None);
                    }
                }
                Some((AuthKey::RevokedPair | AuthKey::AuditAct | AuthKey::AuditAttempt | AuthKey::Leaving, _))
                | None => {}
            }
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.queue.close();
    }
}

/// The tables that a commit altered or dropped, as the catalog has them now.
fn altered_tables(commit: &Commit, catalog: &Catalog) -> Vec<TableNow> {
    let records = commit.records.iter().filter(|write| write.space == RecordSpace::Catalog);
    let altered = records.filter_map(|write| match CatalogKey::split(&write.key)? {
        (CatalogKey::Table, id) => id.try_into().map(|id| TableId(u32::from_be_bytes(id))).ok(),
        (CatalogKey::Header | CatalogKey::Namespace | CatalogKey::StreamAge, _) => None,
    });
    let mut tables: Vec<TableId> = altered.chain(commit.dropped_tables.iter().copied()).collect();
    if tables.is_empty() {
        return Vec::new();
    }
    tables.sort_unstable();
    tables.dedup();
    let state: Arc<CatalogState> = catalog.state();
    tables.into_iter().map(|table| (table, state.table_by_id(table).cloned())).collect()
}
