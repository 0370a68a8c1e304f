//! What everybody in a storm shares: the door, the book, the clock, and how far the storm has come.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};

use serde_json::Value as Json;
use tokio::sync::watch;

use super::door::Door;
use super::ledger::Ledger;
use super::plan::USERS;

/// Shared by all actors of a run.
#[derive(Debug)]
pub struct Storm {
    /// Where the server is.
    pub door: Door,
    ledger: Mutex<Ledger>,
    tokens: Mutex<Vec<String>>,
    clock: AtomicU64,
    answered: AtomicUsize,
    progress: watch::Sender<usize>,
    up: watch::Sender<bool>,
    shaken: AtomicBool,
    connections: Mutex<HashMap<usize, String>>,
    intended: Mutex<HashSet<String>>,
    kills: Mutex<HashMap<String, u64>>,
    row_seqs: Mutex<HashMap<u64, String>>,
    largest_seen: AtomicU64,
    largest_frame: AtomicUsize,
    sights: Mutex<BTreeMap<String, usize>>,
    log: Mutex<Vec<String>>,
    loud: bool,
}

impl Storm {
    /// Before the first storm; `tokens` are those of the users.
    pub fn new(tokens: Vec<String>, loud: bool) -> Self {
        Storm {
            door: Door::new(),
            ledger: Mutex::default(),
            tokens: Mutex::new(tokens),
            clock: AtomicU64::new(1),
            answered: AtomicUsize::new(0),
            progress: watch::Sender::new(0),
            up: watch::Sender::new(true),
            shaken: AtomicBool::new(false),
            connections: Mutex::default(),
            intended: Mutex::default(),
            kills: Mutex::default(),
            row_seqs: Mutex::default(),
            largest_seen: AtomicU64::new(0),
            largest_frame: AtomicUsize::new(0),
            sights: Mutex::default(),
            log: Mutex::default(),
            loud,
        }
    }

    /// The book.
    pub fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap()
    }

    /// The access token of a user.
    pub fn token(&self, user: usize) -> String {
        self.tokens.lock().unwrap()[user].clone()
    }

    /// A user has logged in anew.
    pub fn set_token(&self, user: usize, token: String) {
        self.tokens.lock().unwrap()[user] = token;
    }

    /// A moment that is later than any told before.
    pub fn now(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    /// A storm begins; `shaken` if something in it may make the server refuse writes.
    pub fn begin(&self, shaken: bool) {
        self.answered.store(0, Ordering::SeqCst);
        self.progress.send_replace(0);
        self.shaken.store(shaken, Ordering::SeqCst);
    }

    /// A write was answered, or will not be.
    pub fn count_one(&self) {
        let answered = self.answered.fetch_add(1, Ordering::SeqCst) + 1;
        self.progress.send_modify(|told| *told = (*told).max(answered));
    }

    /// The writers are done.
    pub fn end(&self) {
        self.progress.send_replace(usize::MAX);
    }

    /// Waits until so many writes were answered; `usize::MAX` is the end.
    pub async fn until_answered(&self, writes: usize) {
        self.progress.subscribe().wait_for(|told| *told >= writes).await.expect("the sender is here");
    }

    /// May writes be refused, because the server is failing?
    pub fn is_shaken(&self) -> bool {
        self.shaken.load(Ordering::SeqCst)
    }

    /// The server goes down or comes up.
    pub fn set_up(&self, up: bool) {
        self.up.send_replace(up);
    }

    /// Waits until there is a server.
    pub async fn until_up(&self) {
        self.up.subscribe().wait_for(|up| *up).await.expect("the sender is here");
    }

    /// A client has this connection now, or none.
    pub fn connected(&self, client: usize, connection: Option<String>) {
        let mut connections = self.connections.lock().unwrap();
        match connection {
            Some(id) => connections.insert(client, id),
            None => connections.remove(&client),
        };
    }

    /// The connection of a client.
    pub fn connection(&self, client: usize) -> Option<String> {
        self.connections.lock().unwrap().get(&client).cloned()
    }

    /// Somebody is about to kill this connection or live query.
    pub fn intend(&self, id: &str) {
        self.intended.lock().unwrap().insert(id.to_owned());
    }

    /// Was it to be killed?
    pub fn is_intended(&self, id: &str) -> bool {
        self.intended.lock().unwrap().contains(id)
    }

    /// A row was seen with this `_seq`; gives what else was seen with it, if it was another row.
    pub fn saw_row(&self, seq: u64, row: String) -> Option<String> {
        let mut seen = self.row_seqs.lock().unwrap();
        let first = seen.entry(seq).or_insert_with(|| row.clone());
        (*first != row).then(|| first.clone())
    }

    /// A client was told this SeqId, in a frame of so many bytes.
    pub fn saw(&self, seq: Option<u64>, bytes: usize) {
        self.largest_seen.fetch_max(seq.unwrap_or_default(), Ordering::SeqCst);
        self.largest_frame.fetch_max(bytes, Ordering::SeqCst);
    }

    /// The largest SeqId that a client was told.
    pub fn largest_seen(&self) -> u64 {
        self.largest_seen.load(Ordering::SeqCst)
    }

    /// Bytes of the largest frame.
    pub fn largest_frame(&self) -> usize {
        self.largest_frame.load(Ordering::SeqCst)
    }

    /// After this moment no row may reach this connection.
    pub fn killed(&self, connection: &str, at: u64) {
        self.kills.lock().unwrap().entry(connection.to_owned()).or_insert(at);
    }

    /// When that was.
    pub fn killed_at(&self, connection: &str) -> Option<u64> {
        self.kills.lock().unwrap().get(connection).copied()
    }

    /// Something came to pass that a storm is there for.
    pub fn sees(&self, what: String) {
        *self.sights.lock().unwrap().entry(what).or_default() += 1;
    }

    /// What a frame shows of that.
    pub fn note_sight(&self, frame: &Json) {
        match frame["type"].as_str() {
            Some("subscription_ack") if frame["resumed"] == true => self.sees("resumed".to_owned()),
            Some("subscription_ack") if frame["reset"] == true => self.sees("reset".to_owned()),
            Some("initial_data_batch") if frame["batch_control"]["has_more"] == true => self.sees("page".to_owned()),
            Some("status") => self.sees(frame["status"].as_str().unwrap_or_default().to_owned()),
            Some("error") => self.sees(format!("ended {}", frame["code"].as_str().unwrap_or_default())),
            _ => {}
        }
    }

    /// How often what came to pass.
    pub fn sights(&self) -> BTreeMap<String, usize> {
        self.sights.lock().unwrap().clone()
    }

    /// A line of the trace.
    pub fn say(&self, line: impl FnOnce() -> String) {
        let line = line();
        if self.loud {
            eprintln!("{line}");
        }
        self.log.lock().unwrap().push(line);
    }

    /// The last lines of the trace.
    pub fn trace(&self) -> String {
        let log = self.log.lock().unwrap();
        let cut = log.len().saturating_sub(60);
        log[cut..].join("\n")
    }
}

/// The password of a user.
pub fn password(user: usize) -> String {
    format!("password of {}", USERS[user])
}
