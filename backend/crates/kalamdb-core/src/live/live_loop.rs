//! The live loop: all views and subscriptions, and whom each commit concerns. A pure state machine.
//!
//! Everything that happens comes in as an [`Input`], one after the other: the order of the queue is
//! the truth, so there are no locks. What is to be done outside (jobs, records, answers) goes out as
//! [`Effect`]s; frames go into the outboxes at once. There is no clock and no I/O inside.
//!
//! - `subscription`: one subscription's state, and what waits for it.
//! - `requests`: what clients and administrators ask for.
//! - `reads`: snapshots and catch-ups, in their turn. `sharing`: what is read once for many.
//! - `delivery`: from a commit, a run or a page to the outboxes.
//! - `reruns`: when queries run again.

mod delivery;
mod reads;
mod requests;
mod reruns;
mod sharing;
mod subscription;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use kalamdb_commons::protocol::{ServerMessage, SubscribeOptions};
use kalamdb_commons::{ConnectionId, SeqId, SubscriptionId, TableId};
use kalamdb_store::Commit;
use kalamdb_system::{Right, TableDef};
use rustc_hash::FxHashMap;
use tokio::sync::oneshot;

use super::job::{Found, Job, Ran};
use super::metrics;
use super::options::LiveOptions;
use super::peer::Peer;
use super::plan::LivePlan;
use super::session::Facts;
use super::view::{ViewId, Views};
use crate::error::SqlError;
use sharing::Group;
use subscription::Subscription;

pub(crate) use sharing::{Shared, Slot};

/// A subscription, for as long as the process lives; never given to another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Token(pub u64);

/// Resolves when a request has been carried out; says whether there was anything to do.
pub(crate) type Done = oneshot::Sender<bool>;

/// A table as the catalog has it; `None` if it is gone.
pub(crate) type TableNow = (TableId, Option<Arc<TableDef>>);

/// Something that happens.
#[derive(Debug)]
pub(crate) enum Input {
    /// A commit, with the tables that it altered or dropped.
    Commit { commit: Arc<Commit>, tables: Vec<TableNow> },
    /// A subscription begins.
    Subscribe(Box<NewSubscription>),
    /// A client asks for the next page.
    NextBatch { peer: Arc<Peer>, subscription_id: String },
    /// A client ends a subscription.
    Unsubscribe { peer: Arc<Peer>, subscription_id: String, done: Done },
    /// An administrator ends a subscription.
    Kill { peer: Arc<Peer>, subscription_id: SubscriptionId, done: Done },
    /// A connection has ended; its outbox is closed.
    Close { peer: Arc<Peer>, done: Option<Done> },
    /// An outbox has room again.
    Drained(ConnectionId),
    /// How far has a connection been told everything?
    Progress(Arc<Peer>),
    /// A read came back, with what there is for each reader; or the rest of it, without its slot.
    Found { slot: Option<Slot>, at_micros: i64, found: VecDeque<(Token, Result<Found, SqlError>)> },
    /// A run came back.
    Ran { view: ViewId, at_micros: i64, ran: Result<Ran, SqlError> },
    /// Everything that came before has been acted on.
    Settle(Done),
    /// Re-run queries may run again.
    Tick,
}

/// A subscription that begins.
#[derive(Debug)]
pub(crate) struct NewSubscription {
    /// On which connection.
    pub peer: Arc<Peer>,
    /// What there is to know of it.
    pub facts: Arc<Facts>,
    /// The query.
    pub plan: Arc<LivePlan>,
    /// Where to begin.
    pub options: SubscribeOptions,
    /// The query's tables, as of the subscription's place in the queue or later.
    pub tables: Vec<TableNow>,
}

/// Something to be done outside, in the order given.
#[derive(Debug)]
pub(crate) enum Effect {
    /// To be started, on a store snapshot taken now; its result comes back as an input.
    Start(Job),
    /// A subscription has ended: its record goes, then its name, and then the client is told.
    End(Ended),
    /// A connection has ended with all its subscriptions: their records go.
    Closed { ended: Vec<Arc<Facts>>, done: Option<Done> },
    /// A request has been carried out.
    Done(Done, bool),
    /// To be put at the end of the queue, so that what has come meanwhile has its turn.
    Later(Input),
}

/// A subscription that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// On which connection.
    pub peer: Arc<Peer>,
    /// Which one.
    pub token: Token,
    /// What there was to know of it.
    pub facts: Arc<Facts>,
    /// What the client is told last.
    pub last: Option<ServerMessage>,
    /// Why, for the metrics.
    pub cause: &'static str,
    /// Whom to tell.
    pub done: Option<Done>,
}

/// All views and subscriptions.
#[derive(Debug)]
pub(crate) struct LiveLoop {
    options: LiveOptions,
    /// Every commit up to here has been looked at.
    position: SeqId,
    views: Views,
    subscriptions: FxHashMap<Token, Subscription>,
    last_token: u64,
    connections: FxHashMap<ConnectionId, Connected>,
    /// Connections that may have something to read, in turn.
    in_turn: VecDeque<ConnectionId>,
    reads_running: usize,
    /// Who waits for what can be read once for all of them.
    groups: FxHashMap<Shared, Group>,
    /// Views whose next run has its turn to come.
    runs_due: VecDeque<ViewId>,
    runs_running: usize,
    /// Views that ran since the last tick.
    cooling: BTreeSet<ViewId>,
    /// Subscriptions that wait for the next run of their view.
    awaiting: FxHashMap<ViewId, Vec<Token>>,
    effects: Vec<Effect>,
}

/// A connection with its subscriptions.
#[derive(Debug)]
struct Connected {
    peer: Arc<Peer>,
    by_id: FxHashMap<SubscriptionId, Token>,
    /// Subscriptions whose snapshot is to be loaded.
    loads: VecDeque<Token>,
    /// Subscriptions that are to be caught up.
    catch_ups: VecDeque<Token>,
    /// Subscriptions whose page waits for room in the outbox.
    pages: VecDeque<Token>,
    /// Reads that are under way.
    reading: usize,
    /// Bytes of snapshots whose pages have not all been sent.
    held_bytes: usize,
    /// The outbox is full; it says so when it is not.
    blocked: bool,
    /// Is it in `in_turn`?
    waits_its_turn: bool,
}

impl LiveLoop {
    /// A loop without subscriptions that has seen everything up to `position`.
    pub fn new(position: SeqId, options: LiveOptions) -> Self {
        LiveLoop {
            options,
            position,
            views: Views::default(),
            subscriptions: FxHashMap::default(),
            last_token: 0,
            connections: FxHashMap::default(),
            in_turn: VecDeque::new(),
            reads_running: 0,
            groups: FxHashMap::default(),
            runs_due: VecDeque::new(),
            runs_running: 0,
            cooling: BTreeSet::new(),
            awaiting: FxHashMap::default(),
            effects: Vec::new(),
        }
    }

    /// Every commit up to here has been looked at.
    pub fn position(&self) -> SeqId {
        self.position
    }

    /// Does it want an [`Input::Tick`] when the tick is over?
    pub fn wants_tick(&self) -> bool {
        !self.cooling.is_empty()
    }

    /// Takes what happens, and says what is to be done.
    pub fn input(&mut self, input: Input) -> Vec<Effect> {
        match input {
            Input::Commit { commit, tables } => self.commit(&commit, &tables),
            Input::Subscribe(new) => self.subscribe(*new),
            Input::NextBatch { peer, subscription_id } => self.next_batch(&peer, &subscription_id),
            Input::Unsubscribe { peer, subscription_id, done } => self.unsubscribe(&peer, subscription_id, done),
            Input::Kill { peer, subscription_id, done } => self.kill(&peer, &subscription_id, done),
            Input::Close { peer, done } => self.close(&peer, done),
            Input::Drained(connection) => self.drained(connection),
            Input::Progress(peer) => self.progress(&peer),
            Input::Found { slot, at_micros, found } => self.found(slot, at_micros, found),
            Input::Ran { view, at_micros, ran } => self.ran(view, at_micros, ran),
            Input::Settle(done) => self.effects.push(Effect::Done(done, true)),
            Input::Tick => self.tick(),
        }
        // Only now: in the midst of a commit nobody may begin who would miss the rest of it.
        self.take_turns();
        std::mem::take(&mut self.effects)
    }

    fn commit(&mut self, commit: &Commit, tables: &[TableNow]) {
        if commit.last <= self.position {
            return;
        }
        for (table, now) in tables {
            self.table_changed(*table, now.as_deref());
        }
        let concerned = self.concerned(commit);
        if !concerned.is_empty() {
            metrics::views_evaluated(concerned.len() as u64);
        }
        for (view, changes) in concerned {
            self.apply(view, commit, &changes);
        }
        self.position = commit.last;
    }

    /// The views that a commit may concern, each with the places of the changes that do.
    fn concerned(&self, commit: &Commit) -> BTreeMap<ViewId, Vec<usize>> {
        let mut concerned: BTreeMap<ViewId, Vec<usize>> = BTreeMap::new();
        for (at, change) in commit.changes.iter().enumerate() {
            self.views.router.probe(change, |view| {
                let places = concerned.entry(view).or_default();
                // A change can lead to one view by its old row and by its new one.
                if places.last() != Some(&at) {
                    places.push(at);
                }
            });
        }
        concerned
    }

    /// Ends the subscriptions that cannot go on with the table as it is now.
    fn table_changed(&mut self, table: TableId, now: Option<&TableDef>) {
        let over: BTreeSet<Token> = self.views.over(table).flat_map(|view| view.subscribers.iter().copied()).collect();
        for token in over {
            let Some(subscription) = self.subscriptions.get(&token) else { continue };
            if let Some(error) = objection(&subscription.plan, &subscription.peer, table, now) {
                self.end_with(token, error);
            }
        }
    }
}

impl Connected {
    fn new(peer: Arc<Peer>) -> Self {
        Connected {
            peer,
            by_id: FxHashMap::default(),
            loads: VecDeque::new(),
            catch_ups: VecDeque::new(),
            pages: VecDeque::new(),
            reading: 0,
            held_bytes: 0,
            blocked: false,
            waits_its_turn: false,
        }
    }

    /// Is there room for rows? If not, nothing is tried again until the outbox says so.
    fn has_room(&mut self) -> bool {
        self.blocked = self.blocked || !self.peer.outbox.has_room();
        !self.blocked
    }
}

/// Why a query cannot go on for this connection with the table as it is now.
fn objection(plan: &LivePlan, peer: &Peer, table: TableId, now: Option<&TableDef>) -> Option<SqlError> {
    plan.sources.iter().filter(|source| source.table == table).find_map(|source| {
        let name = &source.name;
        let Some(now) = now else {
            return Some(SqlError::not_found(format!("table \"{name}\" was dropped")));
        };
        if source.slots.iter().any(|&slot| now.column_at(slot).is_none()) {
            return Some(SqlError::not_found(format!("a column of table \"{name}\" that the query names was dropped")));
        }
        let denied = || SqlError::denied(format!("table \"{name}\" may not be read any more"));
        (!now.allows(&peer.user, peer.role, Right::Select)).then(denied)
    })
}

#[cfg(test)]
mod tests;
