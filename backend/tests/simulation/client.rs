//! A client: one connection, its subscriptions, and a model of each result that it keeps by the frames alone.

mod subscription;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;

use kalamdb_testkit::{Closed, Socket};
use serde_json::{Value as Json, json};

use super::checkers::silent_after_end::Seen;
use super::checkers::{Breach, breach, users_isolated};
use super::door::seq_of;
use super::plan::{Act, Mode, Op, USERS};
use super::query::QUERIES;
use super::storm::Storm;
pub use subscription::Subscription;

/// Subscriptions of one client at one time.
const SUBSCRIPTIONS_MAX: usize = 6;

/// A client.
#[derive(Debug)]
pub struct Client {
    /// Its number.
    pub at: usize,
    /// Whose it is.
    pub user: usize,
    /// By id.
    pub subscriptions: BTreeMap<String, Subscription>,
    /// Gone until it returns.
    pub away: bool,
    /// Does not read.
    pub paused: bool,
    /// Its user was dropped.
    pub banned: bool,
    /// What it saw on connections, this one last.
    pub seen: Vec<Seen>,
    storm: Arc<Storm>,
    narrow: bool,
    /// May it hold the server to `resumed`?
    strict: bool,
    socket: Option<Socket>,
    next_id: usize,
    /// Of the last progress frame since the last ack.
    progress: u64,
    leaving: BTreeSet<String>,
    ended: BTreeSet<String>,
    modes: Vec<Mode>,
    mode: usize,
}

impl Client {
    /// A client that is not connected yet.
    pub fn new(storm: Arc<Storm>, at: usize, user: usize, narrow: bool, strict: bool) -> Self {
        Client {
            at,
            user,
            subscriptions: BTreeMap::new(),
            away: false,
            paused: false,
            banned: false,
            seen: Vec::new(),
            storm,
            narrow,
            strict,
            socket: None,
            next_id: 0,
            progress: 0,
            leaving: BTreeSet::new(),
            ended: BTreeSet::new(),
            modes: vec![Mode::LastSeen],
            mode: 0,
        }
    }

    /// Its name in the trace.
    fn name(&self) -> String {
        format!("client {} ({})", self.at, USERS[self.user])
    }

    /// Is it connected and reading?
    pub fn is_present(&self) -> bool {
        !self.away && !self.paused && !self.banned
    }

    /// Its connection, if it has one.
    pub fn connection(&self) -> Option<&str> {
        self.socket.as_ref()?;
        self.seen.last().map(|seen| seen.connection.as_str())
    }

    /// Goes through a storm.
    ///
    /// # Errors
    /// What it saw that must not be.
    pub async fn storm(&mut self, acts: &[Act], modes: &[Mode]) -> Result<(), Breach> {
        modes.clone_into(&mut self.modes);
        let storm = self.storm.clone();
        for act in acts {
            self.read_until(storm.until_answered(act.after)).await?;
            self.act(act.op).await?;
        }
        self.read_until(storm.until_answered(usize::MAX)).await
    }

    async fn read_until(&mut self, done: impl Future<Output = ()>) -> Result<(), Breach> {
        tokio::pin!(done);
        loop {
            if !self.is_present() {
                done.await;
                return Ok(());
            }
            let Some(socket) = &mut self.socket else {
                // Its server is gone, or it is not let in. It tries again once there is a server.
                let storm = self.storm.clone();
                tokio::select! {
                    () = storm.until_up() => {}
                    () = &mut done => return Ok(()),
                }
                if !self.come_back().await? {
                    done.await;
                    return Ok(());
                }
                continue;
            };
            tokio::select! {
                frame = socket.frame() => self.receive(frame).await?,
                () = &mut done => return Ok(()),
            }
        }
    }

    /// Reads until everything up to `seq` is here.
    ///
    /// # Errors
    /// What it saw that must not be.
    pub async fn settle(&mut self, seq: u64) -> Result<(), Breach> {
        let mut lost = 0;
        while self.is_present() {
            if self.progress >= seq
                && self.leaving.is_empty()
                && self.subscriptions.values().all(Subscription::is_ready)
            {
                return Ok(());
            }
            let Some(socket) = &mut self.socket else {
                lost += 1;
                if lost > 3 || !self.come_back().await? {
                    return breach("no_change_lost", format!("{} cannot come back", self.name()));
                }
                continue;
            };
            let frame = socket.frame().await;
            self.receive(frame).await?;
        }
        Ok(())
    }

    async fn receive(&mut self, frame: Result<Json, Closed>) -> Result<(), Breach> {
        match frame {
            Ok(frame) => {
                let answer = self.take(&frame)?;
                if let (Some(answer), Some(socket)) = (answer, &mut self.socket) {
                    socket.send(&answer).await;
                }
            }
            Err(closed) => {
                self.storm.say(|| format!("{}: closed {} {}", self.name(), closed.code, closed.reason));
                self.storm.sees(format!("close {}", closed.code));
                self.lose();
            }
        }
        Ok(())
    }

    /// The socket is gone.
    fn lose(&mut self) {
        self.socket = None;
        self.progress = 0;
        self.storm.connected(self.at, None);
        for id in std::mem::take(&mut self.leaving) {
            self.subscriptions.remove(&id);
        }
    }

    async fn act(&mut self, op: Op) -> Result<(), Breach> {
        let usable = self.is_present() && self.socket.is_some();
        self.storm.say(|| format!("{}: {op:?}{}", self.name(), if usable { "" } else { " (not there)" }));
        match op {
            Op::Subscribe(query) if usable => self.subscribe(query).await,
            Op::Unsubscribe(at) if usable => {
                let id = self.subscriptions.keys().nth(at).cloned();
                if let Some(id) = id.filter(|id| !self.leaving.contains(id)) {
                    let frame = json!({ "type": "unsubscribe", "subscription_id": id });
                    self.leaving.insert(id);
                    self.send(&frame).await;
                }
            }
            Op::Remember if usable => self.subscriptions.values_mut().for_each(Subscription::remember),
            Op::Drop if !self.away && !self.banned => {
                self.paused = false;
                self.lose();
                self.come_back().await?;
            }
            Op::Close if usable => {
                if let Some(socket) = self.socket.take() {
                    socket.close().await;
                }
                self.lose();
                self.come_back().await?;
            }
            Op::Leave if !self.banned => {
                (self.away, self.paused) = (true, false);
                self.lose();
            }
            Op::Return => self.away = false,
            Op::Pause if usable => self.paused = true,
            Op::Unpause => self.paused = false,
            _ => {}
        }
        Ok(())
    }

    /// Subscribes to a query, unless it has enough.
    pub async fn subscribe(&mut self, query: usize) {
        if self.subscriptions.len() >= SUBSCRIPTIONS_MAX {
            return;
        }
        let id = format!("s{}", self.next_id);
        self.next_id += 1;
        let subscription = Subscription::new(&id, query);
        let frame = subscription.request();
        self.subscriptions.insert(id, subscription);
        self.send(&frame).await;
    }

    async fn send(&mut self, frame: &Json) {
        self.storm.say(|| format!("{}: > {frame}", self.name()));
        if let Some(socket) = &mut self.socket {
            socket.send(frame).await;
        }
    }

    /// Connects, and resumes all its subscriptions; `false` if it is not let in.
    ///
    /// # Errors
    /// A model that cannot go on.
    pub async fn come_back(&mut self) -> Result<bool, Breach> {
        let addr = self.storm.door.addr();
        let mut request = Socket::request(addr, "");
        let bearer = format!("Bearer {}", self.storm.token(self.user));
        request.headers_mut().insert("authorization", bearer.parse().expect("a token is a header"));
        let opened =
            if self.narrow { Socket::try_open_narrow(addr, request).await } else { Socket::try_open(request).await };
        let mut socket = match opened {
            Ok(socket) => socket,
            Err(status) => {
                self.storm.say(|| format!("{}: not let in: {status}", self.name()));
                return Ok(false);
            }
        };
        let Ok(welcome) = socket.frame().await else { return Ok(false) };
        if welcome["type"] != "auth_success" {
            return Ok(false);
        }
        let connection = welcome["connection_id"].as_str().unwrap_or_default().to_owned();
        self.storm.say(|| format!("{}: connected as {connection}", self.name()));
        self.storm.connected(self.at, Some(connection.clone()));
        self.seen.push(Seen { connection, stamps: Vec::new() });
        self.socket = Some(socket);
        self.progress = 0;
        let mut requests = Vec::new();
        for subscription in self.subscriptions.values_mut() {
            let mode = self.modes[self.mode % self.modes.len()];
            self.mode += 1;
            requests.push(subscription.resume(mode, self.strict)?);
        }
        for request in requests {
            self.send(&request).await;
        }
        Ok(true)
    }

    /// Takes a frame; gives what is to be sent in answer.
    fn take(&mut self, frame: &Json) -> Result<Option<Json>, Breach> {
        self.storm.saw(seq_of(&frame["seq"]), frame.to_string().len());
        let id = frame["subscription_id"].as_str().unwrap_or_default();
        let kind = frame["type"].as_str().unwrap_or_default();
        self.storm.say(|| format!("{}: < {}", self.name(), shortened(frame)));
        self.storm.note_sight(frame);
        match kind {
            "progress" => self.take_progress(frame),
            "pong" => Ok(None),
            "unsubscribe_ack" => {
                self.leaving.remove(id);
                self.subscriptions.remove(id);
                self.ended.insert(id.to_owned());
                Ok(None)
            }
            "error" => self.take_error(id, frame),
            _ => {
                let user = USERS[self.user];
                users_isolated::check(frame, user)?;
                let Some(subscription) = self.subscriptions.get_mut(id) else {
                    return breach("silent_after_end", format!("{user} has no subscription {id}: {frame}"));
                };
                if kind == "subscription_ack" {
                    // What was told before did not count what begins here.
                    self.progress = 0;
                }
                let stamps = users_isolated::rows_of(frame).filter_map(|row| row["stamp"].as_str()).map(str::to_owned);
                if let Some(seen) = self.seen.last_mut() {
                    seen.stamps.extend(stamps);
                }
                subscription.take(&self.storm, user, frame)
            }
        }
    }

    fn take_progress(&mut self, frame: &Json) -> Result<Option<Json>, Breach> {
        let seq = seq_of(&frame["seq"]).unwrap_or_default();
        if seq < self.progress {
            return breach(
                "order_kept",
                format!("{}: progress went back from {}: {frame}", self.name(), self.progress),
            );
        }
        self.progress = seq;
        for subscription in self.subscriptions.values_mut() {
            subscription.progress(seq)?;
        }
        Ok(None)
    }

    fn take_error(&mut self, id: &str, frame: &Json) -> Result<Option<Json>, Breach> {
        let code = frame["code"].as_str().unwrap_or_default();
        let Some(subscription) = self.subscriptions.remove(id) else {
            // A request for its next page may have crossed its end.
            if code == "NOT_FOUND" && self.ended.contains(id) {
                return Ok(None);
            }
            return breach("silent_after_end", format!("{}: an error about nothing: {frame}", self.name()));
        };
        self.ended.insert(id.to_owned());
        let live_id = format!("{}-{}-{id}", USERS[self.user], self.connection().unwrap_or_default());
        let expected = match code {
            "KILLED" => self.storm.is_intended(&live_id),
            "NOT_FOUND" | "PERMISSION_DENIED" => QUERIES[subscription.query].shaky,
            // Its request or its run came when the server was just stopping, or its disk was failing.
            "UNAVAILABLE" => self.storm.is_shaken(),
            _ => false,
        };
        if expected {
            Ok(None)
        } else {
            breach("no_change_lost", format!("{}: ended for no reason: {frame}", self.name()))
        }
    }
}

/// A frame for the trace, without padding.
fn shortened(frame: &Json) -> String {
    let mut text = frame.to_string().replace(&"x".repeat(50), "");
    if text.len() > 600 {
        let cut = (0..=600).rev().find(|&at| text.is_char_boundary(at)).unwrap_or_default();
        text.truncate(cut);
        text.push('…');
    }
    text
}
