//! Frames that wait for one socket, bounded in bytes.
//!
//! The live loop puts frames in, the socket's writing task takes them out. Where changes do not fit,
//! their subscription lags: whatever of it is queued is dropped, but for a commit that was begun, and
//! the outbox says from where it is to be caught up. Something that is larger than the bound by
//! itself is taken while at most half of it is used, so that it gets through. What answers a request
//! is always taken; [`Outbox::room`] lets the reading side wait before it takes more requests. Once
//! closed an outbox holds nothing and gives nothing but its reason.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use kalamdb_commons::SeqId;
use kalamdb_commons::protocol::{BatchControl, ServerMessage, SharedFrame};
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use super::close_reason::CloseReason;
use super::delta::{Delta, FRAME_OVERHEAD_BYTES, encode_row};
use super::live_loop::{Input, Token};
use super::metrics;
use super::peer::Peer;
use super::plan::{LivePlan, ResultRow};
use super::queue::LoopQueue;
use super::result_set::size_bytes;
use super::session::Facts;

/// What is to be written to one socket, owned by its writing task.
#[derive(Debug)]
pub struct Outgoing {
    peer: Arc<Peer>,
    queue: Arc<LoopQueue>,
    /// Everything up to here has been seen by the loop.
    position: Arc<AtomicU64>,
}

/// The next thing to do with a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutgoingItem {
    /// Write this text frame.
    Frame(Vec<u8>),
    /// Close with this reason; nothing comes after it.
    Close(CloseReason),
}

impl Outgoing {
    pub(crate) fn new(peer: Arc<Peer>, queue: Arc<LoopQueue>, position: Arc<AtomicU64>) -> Self {
        Outgoing { peer, queue, position }
    }

    /// Waits for the next thing to do. May be dropped and called again without losing anything.
    /// The frame it gave before counts as written when it is called again.
    pub async fn next(&mut self) -> OutgoingItem {
        loop {
            let taken = self.peer.outbox.take();
            if taken.drained {
                self.queue.push(Input::Drained(self.peer.id));
            }
            match taken.item {
                Some(item) => return item,
                None => self.peer.outbox.arrived.notified().await,
            }
        }
    }

    /// Asks for a `progress` frame: to be called when nothing was written for the progress interval. It
    /// comes out of [`Outgoing::next`] in its place, and only if it says more than the last one.
    pub fn progress(&self) {
        let position = SeqId(self.position.load(Ordering::Acquire));
        if self.peer.outbox.ask_progress(position) {
            self.queue.push(Input::Progress(self.peer.clone()));
        }
    }

    /// Resolves when the connection is closed, and takes nothing; for giving up a write that hangs.
    pub async fn closed(&self) -> CloseReason {
        self.peer.outbox.closed().await
    }
}

/// Frames that wait for one socket.
#[derive(Debug)]
pub(crate) struct Outbox {
    bytes_max: usize,
    state: Mutex<State>,
    /// Something can be taken.
    arrived: Notify,
    /// Requests may be taken again.
    room: Notify,
    closed: watch::Sender<Option<CloseReason>>,
}

#[derive(Debug, Default)]
struct State {
    items: VecDeque<Item>,
    /// Size of `items` and of what is being written.
    bytes: usize,
    /// Size of what is being written.
    writing_bytes: usize,
    closed: Option<CloseReason>,
    /// The loop wants to hear when at most half is used.
    drain_wanted: bool,
    /// `N` of the last progress frame that was queued, or taken if none is queued.
    progress: SeqId,
    progress_taken: SeqId,
    progress_asked: bool,
    /// The same `N` is told again, because there is a subscription that it did not count.
    progress_anew: bool,
}

#[derive(Debug)]
enum Item {
    Message(Vec<u8>),
    Page(Token, Page),
    Change(Token, QueuedChange),
    /// Everything up to here has been sent, once this is.
    Progress(SeqId),
}

/// A page of a snapshot; encoded when it is taken.
#[derive(Debug)]
pub(crate) struct Page {
    /// Whose.
    pub facts: Arc<Facts>,
    /// The query.
    pub plan: Arc<LivePlan>,
    /// The rows.
    pub rows: Vec<ResultRow>,
    /// Where the snapshot stands.
    pub control: BatchControl,
}

/// All of a commit for one subscription.
#[derive(Debug)]
struct QueuedChange {
    facts: Arc<Facts>,
    delta: Arc<Delta>,
    /// Where the subscription stood before.
    after: SeqId,
    /// Frames taken so far.
    taken: usize,
}

/// What a progress frame counts for.
const PROGRESS_BYTES: usize = 48;

/// What became of changes that were to be queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// They are queued.
    Queued,
    /// They did not fit; the client will have everything up to here.
    Lags(SeqId),
}

/// What [`Outbox::take`] found.
#[derive(Debug)]
pub(crate) struct Taken {
    /// What is to be done with the socket.
    pub item: Option<OutgoingItem>,
    /// The loop is to be told that there is room.
    pub drained: bool,
}

/// A frame, to be encoded outside the lock.
enum Raw {
    Message(Vec<u8>),
    Page(Page),
    Change(Arc<Facts>, SharedFrame),
}

impl Outbox {
    /// An empty outbox.
    pub fn new(bytes_max: usize) -> Self {
        Outbox {
            bytes_max,
            state: Mutex::default(),
            arrived: Notify::new(),
            room: Notify::new(),
            closed: watch::Sender::new(None),
        }
    }

    /// Queues a message that answers something; always taken.
    pub fn send(&self, message: &ServerMessage) {
        let text = text_of(message);
        self.add(&mut self.state.lock(), text.len(), Item::Message(text));
    }

    /// Queues the ack of a subscription. What was told of progress did not count it, so it is told anew,
    /// also where it has not moved: the client learns when all that the subscription begins with is there.
    pub fn send_ack(&self, ack: &ServerMessage) {
        let text = text_of(ack);
        let mut state = self.state.lock();
        state.progress_anew = true;
        self.add(&mut state, text.len(), Item::Message(text));
    }

    /// Queues a page. To be called only when [`Outbox::has_room`].
    pub fn push_page(&self, token: Token, page: Page) {
        let bytes = page.size_bytes();
        self.add(&mut self.state.lock(), bytes, Item::Page(token, page));
    }

    /// Queues all that a commit did to a subscription which stood at `after`, or drops what is queued of it.
    pub fn push_change(&self, token: Token, facts: &Arc<Facts>, delta: &Arc<Delta>, after: SeqId) -> Pushed {
        let mut state = self.state.lock();
        if self.take_change(&mut state, token, facts, delta, after) {
            Pushed::Queued
        } else {
            Pushed::Lags(state.drop_changes(token).unwrap_or(after))
        }
    }

    /// The same, but what is queued stays where this does not fit; says whether it did.
    pub fn offer_change(&self, token: Token, facts: &Arc<Facts>, delta: &Arc<Delta>, after: SeqId) -> bool {
        self.take_change(&mut self.state.lock(), token, facts, delta, after)
    }

    /// Drops whatever is queued of a subscription that has ended.
    pub fn discard(&self, token: Token) {
        let mut state = self.state.lock();
        state.retain(|item| match item {
            Item::Message(_) | Item::Progress(_) => true,
            Item::Page(of, _) | Item::Change(of, _) => *of != token,
        });
    }

    /// Is at most half used? If not, the loop hears of it when it is, as [`Input::Drained`].
    pub fn has_room(&self) -> bool {
        let mut state = self.state.lock();
        let room = state.bytes <= self.bytes_max / 2;
        state.drain_wanted |= !room;
        room
    }

    /// Waits until no more than the bound is used, or the outbox is closed.
    pub async fn room(&self) {
        loop {
            {
                let state = self.state.lock();
                if state.bytes <= self.bytes_max || state.closed.is_some() {
                    return;
                }
            }
            self.room.notified().await;
        }
    }

    /// Bytes that wait, what is being written among them.
    pub fn bytes(&self) -> usize {
        self.state.lock().bytes
    }

    /// Drops everything and gives only `reason` from now on; `false` if it was closed before.
    pub fn close(&self, reason: CloseReason) -> bool {
        {
            let mut state = self.state.lock();
            if state.closed.is_some() {
                return false;
            }
            *state = State { closed: Some(reason), ..State::default() };
        }
        self.closed.send_replace(Some(reason));
        self.arrived.notify_one();
        self.room.notify_one();
        true
    }

    /// Has it been closed?
    pub fn is_closed(&self) -> bool {
        self.state.lock().closed.is_some()
    }

    /// Should the loop be asked for a progress frame, if it has seen everything up to `position`?
    fn ask_progress(&self, position: SeqId) -> bool {
        let mut state = self.state.lock();
        let news = position > state.progress || state.progress_anew;
        let asks = news && !state.progress_asked && state.closed.is_none();
        state.progress_asked |= asks;
        asks
    }

    /// The loop's answer: everything up to `upto` is queued or sent, or nothing can be said.
    pub fn answer_progress(&self, upto: Option<SeqId>) {
        let mut state = self.state.lock();
        state.progress_asked = false;
        let anew = state.progress_anew;
        let Some(seq) = upto.filter(|&seq| seq > state.progress || (anew && seq == state.progress)) else { return };
        state.progress = seq;
        state.progress_anew = false;
        self.add(&mut state, PROGRESS_BYTES, Item::Progress(seq));
    }

    async fn closed(&self) -> CloseReason {
        let mut closed = self.closed.subscribe();
        let reason = closed.wait_for(Option::is_some).await.map_or(None, |reason| *reason);
        // The sender lives as long as the outbox, so there is always a reason.
        reason.unwrap_or(CloseReason::ClientAsked)
    }

    fn take_change(
        &self,
        state: &mut State,
        token: Token,
        facts: &Arc<Facts>,
        delta: &Arc<Delta>,
        after: SeqId,
    ) -> bool {
        let fits = state.bytes.saturating_add(delta.bytes) <= self.bytes_max || state.bytes <= self.bytes_max / 2;
        if fits {
            let change = QueuedChange { facts: facts.clone(), delta: delta.clone(), after, taken: 0 };
            self.add(state, delta.bytes, Item::Change(token, change));
        } else {
            state.drain_wanted = true;
        }
        fits
    }

    fn add(&self, state: &mut State, bytes: usize, item: Item) {
        if state.closed.is_some() {
            return;
        }
        state.bytes = state.bytes.saturating_add(bytes);
        state.items.push_back(item);
        self.arrived.notify_one();
    }

    /// Takes the next thing to do. What was taken before counts as done.
    pub fn take(&self) -> Taken {
        let (raw, drained) = {
            let mut state = self.state.lock();
            if let Some(reason) = state.closed {
                return Taken { item: Some(OutgoingItem::Close(reason)), drained: false };
            }
            let written = std::mem::take(&mut state.writing_bytes);
            state.bytes = state.bytes.saturating_sub(written);
            if state.bytes <= self.bytes_max {
                self.room.notify_one();
            }
            let drained = state.drain_wanted && state.bytes <= self.bytes_max / 2;
            state.drain_wanted &= !drained;
            (state.next(), drained)
        };
        Taken { item: raw.map(|raw| OutgoingItem::Frame(raw.encode())), drained }
    }
}

impl State {
    fn next(&mut self) -> Option<Raw> {
        let (bytes, raw) = match self.items.pop_front()? {
            Item::Message(text) => (text.len(), Raw::Message(text)),
            Item::Page(_, page) => (page.size_bytes(), Raw::Page(page)),
            Item::Progress(seq) => {
                self.progress_taken = seq;
                (PROGRESS_BYTES, Raw::Message(text_of(&ServerMessage::Progress { seq })))
            }
            Item::Change(token, mut change) => {
                let frame = change.delta.frames.get(change.taken)?.clone();
                let bytes = frame.size_bytes().saturating_add(FRAME_OVERHEAD_BYTES);
                let raw = Raw::Change(change.facts.clone(), frame);
                change.taken = change.taken.saturating_add(1);
                if change.taken < change.delta.frames.len() {
                    self.items.push_front(Item::Change(token, change));
                }
                (bytes, raw)
            }
        };
        self.writing_bytes = bytes;
        Some(raw)
    }

    /// Drops the queued changes of a subscription, and tells where it stands then if there were any.
    fn drop_changes(&mut self, token: Token) -> Option<SeqId> {
        let mut stands_at = None;
        let mut said_too_much = false;
        self.retain(|item| match item {
            // A commit is not torn: what was begun is brought to its end.
            Item::Change(of, change) if *of == token && change.taken == 0 => {
                stands_at = stands_at.or(Some(change.after));
                false
            }
            // What is dropped here will not have been sent by then.
            Item::Progress(seq) => {
                let too_much = stands_at.is_some_and(|stands_at| *seq > stands_at);
                said_too_much |= too_much;
                !too_much
            }
            Item::Change(..) | Item::Message(_) | Item::Page(..) => true,
        });
        let queued =
            self.items.iter().rev().find_map(|item| if let Item::Progress(seq) = item { Some(*seq) } else { None });
        self.progress = queued.unwrap_or(self.progress_taken);
        self.progress_anew |= said_too_much;
        stands_at
    }

    fn retain(&mut self, mut keep: impl FnMut(&Item) -> bool) {
        let mut dropped = 0_usize;
        self.items.retain(|item| {
            let keeps = keep(item);
            dropped = dropped.saturating_add(if keeps { 0 } else { item.size_bytes() });
            keeps
        });
        self.bytes = self.bytes.saturating_sub(dropped);
    }
}

impl Item {
    fn size_bytes(&self) -> usize {
        match self {
            Item::Message(text) => text.len(),
            Item::Page(_, page) => page.size_bytes(),
            Item::Progress(_) => PROGRESS_BYTES,
            Item::Change(_, change) => {
                let left = change.delta.frames.get(change.taken..).unwrap_or_default();
                left.iter().map(|frame| frame.size_bytes().saturating_add(FRAME_OVERHEAD_BYTES)).sum()
            }
        }
    }
}

fn text_of(message: &ServerMessage) -> Vec<u8> {
    // Our own wire types always have a JSON form.
    serde_json::to_vec(message).unwrap_or_default()
}

impl Page {
    fn size_bytes(&self) -> usize {
        let rows = self.rows.iter().map(size_bytes).sum::<usize>();
        rows.saturating_add(FRAME_OVERHEAD_BYTES)
    }
}

impl Raw {
    fn encode(self) -> Vec<u8> {
        match self {
            Raw::Message(text) => text,
            Raw::Page(page) => {
                let plan = &page.plan;
                let seq_of = |row: &ResultRow| row.seq.filter(|_| plan.rows_have_seq);
                let rows: Vec<Vec<u8>> =
                    page.rows.iter().map(|row| encode_row(plan, &row.cells, seq_of(row))).collect();
                let keys: Option<Vec<String>> =
                    plan.key_columns.is_none().then(|| page.rows.iter().map(|row| row.identity.to_string()).collect());
                let frame = SharedFrame::initial_data_batch(&rows, &page.control, keys.as_deref());
                frame.for_subscription(page.facts.id().as_str())
            }
            Raw::Change(facts, frame) => {
                let text = frame.for_subscription(facts.id().as_str());
                facts.change_delivered();
                metrics::change_delivered(1, text.len());
                text
            }
        }
    }
}

#[cfg(test)]
mod tests;
