//! What tests of the client library need: clients, a network that can be cut, and a program that checks all it is told.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kalam_link::{Backoff, Client, ClientBuilder, Event, Options, Row, SeqId, Subscription};
use kalamdb_testkit::{PATIENCE, ROOT_PASSWORD, Session};
use serde_json::Value as Json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A client that comes back quickly.
pub fn client_at(addr: SocketAddr) -> ClientBuilder {
    let backoff = Backoff { first: Duration::from_millis(5), max: Duration::from_millis(100), ..Backoff::default() };
    Client::builder(format!("http://{addr}")).options(Options { backoff, ..Options::default() })
}

/// A client of `root`.
pub fn root_at(addr: SocketAddr) -> Client {
    client_at(addr).password("root", ROOT_PASSWORD).build().unwrap()
}

/// A client of a user made by `TestServer::user`.
pub fn client_of(addr: SocketAddr, user: &str) -> Client {
    client_at(addr).password(user, format!("password of {user}")).build().unwrap()
}

/// Waits with a generous limit.
pub async fn soon<T>(what: &str, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.unwrap_or_else(|_| panic!("not in time: {what}"))
}

/// The result of a live query as a program holds it that applies every event, strictly.
#[derive(Default)]
pub struct Held {
    rows: BTreeMap<String, Row>,
    loading: bool,
    seq: u64,
    pub resets: usize,
    pub changes: usize,
    pub snapshots: usize,
}

impl Held {
    /// Applies one event. A row that comes twice, leaves without being there or is not the one held is a failure.
    pub fn apply(&mut self, event: Event) {
        match event {
            Event::Snapshot(page) => {
                assert_eq!(page.first, !self.loading);
                assert!(!page.first || self.rows.is_empty(), "a snapshot begins with nothing");
                self.snapshots += usize::from(page.last);
                (self.loading, self.seq) = (!page.last, page.seq.0);
                self.insert(page.rows);
            }
            Event::Change(change) => {
                assert!(!self.loading && change.seq.0 > self.seq, "commits come in order, once");
                self.seq = change.seq.0;
                self.changes += 1;
                for row in &change.old_rows {
                    let held = self.rows.remove(row.key().unwrap());
                    assert_eq!(held.as_ref().map(Row::cells), Some(row.cells()), "the old row is the one held");
                }
                self.insert(change.rows);
            }
            Event::Reset => {
                self.resets += 1;
                (self.loading, self.seq) = (false, 0);
                self.rows.clear();
            }
            Event::Paused { .. } | Event::Active => {}
            Event::Ended(error) => panic!("the live query ended: {error}"),
        }
    }

    fn insert(&mut self, rows: Vec<Row>) {
        for row in rows {
            let key = row.key().unwrap().to_owned();
            assert!(self.rows.insert(key, row).is_none(), "a row came twice");
        }
    }

    /// Takes events until the program has everything up to `seq`.
    pub async fn follow(&mut self, live: &mut Subscription, seq: u64) {
        soon("the events up to a commit", async {
            while live.last_seq().is_none_or(|last| last < SeqId(seq)) {
                let Ok(Some(event)) = tokio::time::timeout(Duration::from_millis(50), live.next()).await else {
                    // Progress moves the place without an event.
                    continue;
                };
                self.apply(event);
            }
        })
        .await;
    }

    /// Are the rows those that the query gives now?
    pub fn assert_equals(&self, fresh: &[Vec<Json>], what: &str) {
        let sorted = |mut rows: Vec<Vec<Json>>| {
            rows.sort_by_key(|row| Json::from(row.clone()).to_string());
            rows
        };
        let held = self.rows.values().map(|row| row.cells().to_vec()).collect();
        assert_eq!(sorted(held), sorted(fresh.to_vec()), "{what}");
    }

    pub async fn assert_is(&self, root: &Session, sql: &str) {
        self.assert_equals(&root.rows(sql).await, sql);
    }
}

/// A network between a client and a server: it can be cut, closed, and led elsewhere.
pub struct Network {
    pub addr: SocketAddr,
    target: Arc<Mutex<Option<SocketAddr>>>,
    cuts: watch::Sender<u64>,
}

impl Network {
    pub async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let target = Arc::new(Mutex::new(Some(target)));
        let (cuts, watching) = watch::channel(0_u64);
        let goes_to = target.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Some(target) = *goes_to.lock().unwrap() else { continue };
                tokio::spawn(carry(client, target, watching.clone()));
            }
        });
        Network { addr, target, cuts }
    }

    /// Cuts all connections there are.
    pub fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Cuts all connections and lets no new ones through, or leads them to a server again.
    pub fn lead(&self, target: Option<SocketAddr>) {
        *self.target.lock().unwrap() = target;
        self.cut();
    }
}

async fn carry(mut client: TcpStream, target: SocketAddr, mut cuts: watch::Receiver<u64>) {
    cuts.mark_unchanged();
    let Ok(mut server) = TcpStream::connect(target).await else { return };
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
        _ = cuts.changed() => {}
    }
}
