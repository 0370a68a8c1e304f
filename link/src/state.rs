//! What was asked, what was told, and what to do next: the life of one client's connection. Pure state.
//!
//! No clock, no chance, no I/O: each call says what happened and when ([`Moment`]), and leaves behind [`Action`]s
//! for whoever owns the socket and [`Notice`]s for whoever waits. `connection` is the life of the socket,
//! `subscription` that of one live query, `frames` what the server says. The rule that everything rests on: a
//! subscription goes on from the last whole commit that it took over, and takes over only what belongs to
//! the subscription as it was last asked for.

mod columns;
mod connection;
mod frames;
mod inbox;
mod outgoing;
pub(crate) mod subscription;
mod view;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use kalamdb_commons::protocol::ClientMessage;
use kalamdb_commons::{SeqId, SubscriptionId};

use self::connection::Life;
use self::outgoing::Outgoing;
use self::subscription::{Keeps, Stage, Subscription, Wanted};
use crate::auth::Freshness;
use crate::error::Error;
use crate::event::{ConnectionState, Event, SubscriptionInfo};
use crate::options::Options;
use crate::row::{Row, Schema};

/// When something happens, and the chance that goes with it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// On a clock that never goes back.
    pub now: Duration,
    /// Since the Unix epoch.
    pub unix: Duration,
    /// From 0 (inclusive) to 1 (exclusive).
    pub random: f64,
}

/// Which subscription, for as long as the program holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key(u64);

/// What the owner of the socket has to do, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// Ask for an access token; the last one asked for counts.
    AskToken { freshness: Freshness, refused: Option<String> },
    /// Open a socket.
    Open,
    /// Send a text frame.
    Send(String),
    /// Close the socket, or stop opening it.
    Close,
}

/// Who should look again.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Notice {
    Subscription(Key),
    Connection(ConnectionState),
}

/// The next event of a subscription.
#[derive(Debug, PartialEq)]
pub(crate) enum Taken {
    Event(Event),
    Nothing,
    /// There will be none.
    Finished,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct State {
    options: Options,
    moment: Moment,
    life: Life,
    /// Attempts to connect since a connection held.
    attempt: u32,
    /// The token that the server did not take.
    refused: Option<String>,
    subscriptions: BTreeMap<Key, Subscription>,
    by_id: HashMap<String, Key>,
    /// Names for which an unsubscribe is under way: frames about them are of the past.
    leaving: HashMap<String, Key>,
    /// Subscriptions that may have to be asked for.
    due: VecDeque<Key>,
    outgoing: Outgoing,
    actions: VecDeque<Action>,
    notices: Vec<Notice>,
    next_key: u64,
}

impl State {
    /// A client that has asked for nothing.
    pub fn new(options: Options) -> Self {
        State {
            outgoing: Outgoing::new(options.messages_per_sec_max),
            options,
            moment: Moment { now: Duration::ZERO, unix: Duration::ZERO, random: 0.0 },
            life: Life::Idle,
            attempt: 0,
            refused: None,
            subscriptions: BTreeMap::new(),
            by_id: HashMap::new(),
            leaving: HashMap::new(),
            due: VecDeque::new(),
            actions: VecDeque::new(),
            notices: Vec::new(),
            next_key: 0,
        }
    }

    /// The next thing to do.
    pub fn action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Is there anything to do?
    pub fn has_actions(&self) -> bool {
        !self.actions.is_empty()
    }

    /// Is there anything to do, or something to wait for?
    pub fn needs_driver(&self) -> bool {
        self.has_actions() || self.next_timeout().is_some()
    }

    /// Who should look again.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    /// The program wants a live query. Without a name it gets one.
    ///
    /// # Errors
    /// The name is in use or not one that can be.
    pub fn subscribe(&mut self, moment: Moment, mut wanted: Wanted) -> Result<Key, Error> {
        self.moment = moment;
        let key = Key(self.next_key);
        self.next_key = self.next_key.wrapping_add(1);
        if wanted.id.is_empty() {
            wanted.id = self.free_id(key);
        }
        SubscriptionId::new(&wanted.id).map_err(|error| Error::InvalidArgument(error.to_string()))?;
        if self.by_id.contains_key(&wanted.id) {
            return Err(Error::InvalidArgument(format!("there is a live subscription \"{}\" already", wanted.id)));
        }
        if wanted.namespace.is_none() {
            wanted.namespace.clone_from(&self.options.namespace);
        }
        self.by_id.insert(wanted.id.clone(), key);
        self.subscriptions.insert(key, Subscription::new(wanted, &self.options));
        self.due.push_back(key);
        self.connect();
        self.send_due();
        Ok(key)
    }

    fn free_id(&self, key: Key) -> String {
        let names = (key.0..=u64::MAX).map(|number| format!("s{number}"));
        names.into_iter().find(|name| !self.by_id.contains_key(name)).unwrap_or_default()
    }

    /// The program wants no more of a subscription. Unknown ones are none.
    pub fn unsubscribe(&mut self, moment: Moment, key: Key) {
        self.moment = moment;
        if let Some(subscription) = self.subscriptions.remove(&key) {
            let id = subscription.wanted.id.clone();
            if self.by_id.get(&id) == Some(&key) {
                self.by_id.remove(&id);
                self.leave(id, key, subscription.stage);
            }
            self.notices.push(Notice::Subscription(key));
        }
        self.send_due();
    }

    /// Tells the server that a subscription is over, if the server knows of it.
    fn leave(&mut self, id: String, key: Key, stage: Stage) {
        let known = matches!(stage, Stage::Asked | Stage::Loading | Stage::Live);
        if known && self.life.is_live() && self.leaving.insert(id.clone(), key).is_none() {
            self.outgoing.push(&ClientMessage::Unsubscribe { subscription_id: id });
        }
    }

    /// The program starts a subscription again after `from`.
    ///
    /// # Errors
    /// There is no such subscription.
    pub fn resume(&mut self, moment: Moment, key: Key, from: SeqId) -> Result<(), Error> {
        self.moment = moment;
        let subscription = self.subscriptions.get_mut(&key).filter(|subscription| subscription.ended.is_none());
        let subscription =
            subscription.ok_or_else(|| Error::InvalidArgument("the subscription has ended".to_owned()))?;
        let (id, stage) = (subscription.wanted.id.clone(), subscription.stage);
        subscription.restart(from);
        self.leave(id, key, stage);
        self.due.push_back(key);
        self.send_due();
        Ok(())
    }

    /// The program takes the next event.
    pub fn take(&mut self, moment: Moment, key: Key) -> Taken {
        self.moment = moment;
        let Some(subscription) = self.subscriptions.get_mut(&key) else { return Taken::Finished };
        let Keeps::Events(inbox) = &mut subscription.keeps else { return Taken::Finished };
        let Some(event) = inbox.take() else {
            return if subscription.ended.is_some() { Taken::Finished } else { Taken::Nothing };
        };
        self.room(key);
        Taken::Event(event)
    }

    /// There may be room for the next page, or for a subscription to go on.
    fn room(&mut self, key: Key) {
        let Some(subscription) = self.subscriptions.get_mut(&key) else { return };
        if subscription.ended.is_some() {
            return;
        }
        if subscription.unparks(&self.options) {
            self.due.push_back(key);
        } else if self.life.is_live() && subscription.wants_page(&self.options) {
            let subscription_id = subscription.wanted.id.clone();
            self.outgoing.push(&ClientMessage::NextBatch { subscription_id, last_seq_id: None });
        } else {
            return;
        }
        self.send_due();
    }

    /// Asks for what is to be asked for, as far as the connection allows.
    fn send_due(&mut self) {
        if !self.life.is_live() {
            return;
        }
        for key in std::mem::take(&mut self.due) {
            let Some(subscription) = self.subscriptions.get_mut(&key) else { continue };
            // A name that is being left is asked for when that is acknowledged.
            let asks = subscription.stage == Stage::Unsent
                && subscription.ended.is_none()
                && !self.leaving.contains_key(&subscription.wanted.id);
            if asks {
                subscription.stage = Stage::Asked;
                self.outgoing.push(&subscription.request());
            }
        }
        while let Some(text) = self.outgoing.pop(self.moment.now) {
            self.actions.push_back(Action::Send(text));
        }
    }

    /// Ends a subscription and tells the program why.
    fn end(&mut self, key: Key, error: Error) {
        let Some(subscription) = self.subscriptions.get_mut(&key) else { return };
        subscription.end(error);
        let (id, stage) = (subscription.wanted.id.clone(), subscription.stage);
        if self.by_id.get(&id) == Some(&key) {
            self.by_id.remove(&id);
            self.leave(id, key, stage);
        }
        self.notices.push(Notice::Subscription(key));
    }

    /// Is the subscription acknowledged, and if it keeps rows, are they there?
    ///
    /// # Errors
    /// It has ended.
    pub fn has_started(&self, key: Key) -> Result<bool, Error> {
        let subscription = self.known(key)?;
        Ok(match &subscription.keeps {
            Keeps::Events(_) => subscription.is_acknowledged(),
            Keeps::Rows(view) => view.is_ready(),
        })
    }

    /// Is everything up to `seq` with us, so that the program can have it without waiting?
    ///
    /// # Errors
    /// The subscription has ended.
    pub fn is_visible(&self, key: Key, seq: SeqId) -> Result<bool, Error> {
        Ok(self.known(key)?.received().is_some_and(|received| received >= seq))
    }

    fn known(&self, key: Key) -> Result<&Subscription, Error> {
        let subscription = self.subscriptions.get(&key);
        let subscription = subscription.ok_or_else(|| Error::closed("the subscription was ended by the program"))?;
        match &subscription.ended {
            Some(error) => Err(error.clone()),
            None => Ok(subscription),
        }
    }

    /// Has the server answered that the subscription is over, or is it not to answer?
    pub fn is_left(&self, key: Key) -> bool {
        !self.leaving.values().any(|leaving| *leaving == key)
    }

    /// What there is to know of a subscription.
    pub fn info(&self, key: Key) -> Option<SubscriptionInfo> {
        let subscription = self.subscriptions.get(&key).filter(|subscription| subscription.ended.is_none())?;
        let wanted = &subscription.wanted;
        let (state, last_seq) = (subscription.state(), subscription.delivered());
        Some(SubscriptionInfo { id: wanted.id.clone(), sql: wanted.sql.clone(), state, last_seq })
    }

    /// The program has everything up to here, ended or not.
    pub fn delivered(&self, key: Key) -> Option<SeqId> {
        self.subscriptions.get(&key)?.delivered()
    }

    /// All subscriptions that have not ended, in the order they were made.
    pub fn keys(&self) -> Vec<Key> {
        let live = self.subscriptions.iter().filter(|(_, subscription)| subscription.ended.is_none());
        live.map(|(key, _)| *key).collect()
    }

    /// The subscription of this name.
    pub fn by_id(&self, id: &str) -> Option<Key> {
        self.by_id.get(id).copied()
    }

    /// Columns of a subscription, and those that identify a row; `None` before it is acknowledged.
    pub fn columns(&self, key: Key) -> Option<(Schema, Option<Vec<String>>)> {
        let columns = self.subscriptions.get(&key)?.columns()?;
        Some((columns.schema.clone(), columns.key.clone()))
    }

    /// The rows of a subscription that keeps them, and the number of their state.
    pub fn rows(&self, key: Key) -> Option<(Arc<Vec<Row>>, u64)> {
        match &self.subscriptions.get(&key)?.keeps {
            Keeps::Rows(view) => Some((view.rows(), view.version())),
            Keeps::Events(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
