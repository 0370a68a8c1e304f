//! One live query: what was asked, what was told, and how far the program has come.
//!
//! `received` is the resume point: everything up to it is with us, in the inbox or with the program, whole commits
//! only. It is `None` while there is nothing to resume from, and then a lost connection means a new snapshot.
//! Frames reach this module only while they belong to the subscription as it was last asked for.
//!
//! ```text
//! Unsent ──subscribe sent──▶ Asked ──ack──▶ Loading ──last page──▶ Live
//!    ▲                         │               │                     │
//!    ├─── connection lost ─────┴───────────────┴─────────────────────┤
//!    └─── program caught up ── Parked ◀── inbox full, unsubscribed ──┘
//! ```

use kalamdb_commons::SeqId;
use kalamdb_commons::protocol::{
    BatchControl, BatchStatus, ChangeType, ClientMessage, OrderBy, SchemaField, SubscribeOptions, SubscribeRequest,
};
use serde_json::{Map, Value as Json};

use super::columns::Columns;
use super::inbox::{Inbox, Reaches};
use super::view::View;
use crate::error::Error;
use crate::event::{Change, Event, Snapshot, SubscriptionState};
use crate::options::Options;

/// A live query as the program asks for it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    pub id: String,
    pub sql: String,
    pub params: Vec<Json>,
    pub namespace: Option<String>,
    pub batch_rows: Option<u32>,
    pub last_rows: Option<u32>,
    pub from: Option<SeqId>,
    pub without_snapshot: bool,
    /// Keep the ordered result instead of events.
    pub keeps_rows: bool,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Subscription {
    pub wanted: Wanted,
    pub stage: Stage,
    pub keeps: Keeps,
    /// Everything up to here is with us.
    received: Option<SeqId>,
    columns: Option<Columns>,
    fields: Vec<SchemaField>,
    /// The program was told rows since the last reset.
    has_rows: bool,
    /// Where the snapshot that is loading stands.
    snapshot_seq: SeqId,
    pages: u32,
    page: Page,
    commit: Option<Commit>,
    /// Changes that came before the snapshot was whole, with their bytes.
    early: Vec<(ChangeFrame, usize)>,
    /// Why it has ended, once it has.
    pub ended: Option<Error>,
    /// The server has paused it, so `progress` does not count it.
    lags: bool,
    /// The program was told that nothing comes.
    told_paused: bool,
}

/// Where it is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// To be asked for.
    Unsent,
    /// Asked for, not acknowledged.
    Asked,
    /// Pages are coming.
    Loading,
    /// Changes are coming.
    Live,
    /// Left, because the program is slow; asked for again when it has caught up.
    Parked,
}

/// What is kept for the program.
#[derive(Debug)]
pub(crate) enum Keeps {
    Events(Inbox),
    Rows(View),
}

/// The next page of a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Page {
    /// On its way, or there is none.
    Coming,
    /// To be asked for when the program has room.
    Due,
}

/// A commit of which not all frames are here.
#[derive(Debug)]
struct Commit {
    change: Change,
    bytes: usize,
}

/// What is to be done after a frame.
#[derive(Debug, PartialEq)]
pub(crate) enum Next {
    Nothing,
    /// Leave it on the server; it is [`Stage::Parked`].
    Park,
    /// Leave it on the server and ask again; it is [`Stage::Unsent`].
    AskAgain,
    /// It has ended.
    Fail(Error),
}

/// An ack, without its id.
#[derive(Debug)]
pub(crate) struct Ack {
    pub control: BatchControl,
    pub schema: Vec<SchemaField>,
    pub seq: SeqId,
    pub key: Option<Vec<String>>,
    pub order_by: Vec<OrderBy>,
    pub resumed: bool,
    pub reset: bool,
}

/// A change frame, without its id.
#[derive(Debug)]
pub(crate) struct ChangeFrame {
    pub rows: Vec<Map<String, Json>>,
    pub old_rows: Vec<Map<String, Json>>,
    pub keys: Option<Vec<String>>,
    pub old_keys: Option<Vec<String>>,
    pub seq: SeqId,
    pub more: bool,
}

impl Subscription {
    /// One that is to be asked for.
    pub fn new(wanted: Wanted, options: &Options) -> Self {
        let keeps = if wanted.keeps_rows {
            Keeps::Rows(View::new(options.live_rows_max))
        } else {
            Keeps::Events(Inbox::new(wanted.from))
        };
        Subscription {
            received: wanted.from,
            wanted,
            stage: Stage::Unsent,
            keeps,
            columns: None,
            fields: Vec::new(),
            has_rows: false,
            snapshot_seq: SeqId::ZERO,
            pages: 0,
            page: Page::Coming,
            commit: None,
            early: Vec::new(),
            ended: None,
            lags: false,
            told_paused: false,
        }
    }

    /// The message that asks for it, from where the program stands.
    pub fn request(&self) -> ClientMessage {
        let wanted = &self.wanted;
        let options = SubscribeOptions {
            batch_size: wanted.batch_rows,
            last_rows: wanted.last_rows,
            from: self.received,
            without_initial: wanted.without_snapshot,
        };
        let params = Some(wanted.params.clone()).filter(|params| !params.is_empty());
        ClientMessage::Subscribe {
            subscription: SubscribeRequest {
                id: wanted.id.clone(),
                sql: wanted.sql.clone(),
                params,
                namespace_id: wanted.namespace.clone(),
                options,
            },
        }
    }

    /// Was it ever acknowledged?
    pub fn is_acknowledged(&self) -> bool {
        self.columns.is_some()
    }

    pub fn columns(&self) -> Option<&Columns> {
        self.columns.as_ref()
    }

    /// Everything up to here is with us.
    pub fn received(&self) -> Option<SeqId> {
        self.received
    }

    /// The program has everything up to here.
    pub fn delivered(&self) -> Option<SeqId> {
        match &self.keeps {
            Keeps::Events(inbox) => inbox.delivered(),
            Keeps::Rows(_) => self.received,
        }
    }

    pub fn state(&self) -> SubscriptionState {
        match self.stage {
            _ if self.columns.is_none() => SubscriptionState::Starting,
            Stage::Unsent | Stage::Asked | Stage::Parked => SubscriptionState::Paused,
            Stage::Loading => SubscriptionState::Loading,
            Stage::Live if self.lags => SubscriptionState::Paused,
            Stage::Live => SubscriptionState::Active,
        }
    }

    /// The server begins it, or begins it anew.
    pub fn ack(&mut self, ack: Ack) -> Next {
        let changed = self.columns.is_some() && self.fields != ack.schema;
        if ack.resumed && changed && self.has_rows {
            // Rows told before have other columns than those to come.
            return self.ask_again();
        }
        let columns = Columns::new(ack.schema.clone(), ack.key, &ack.order_by);
        self.fields = ack.schema;
        self.columns = Some(columns);
        self.forget_partial();
        if ack.resumed {
            self.stage = Stage::Live;
            self.received = Some(self.received.map_or(ack.seq, |received| received.max(ack.seq)));
            if let Keeps::Rows(view) = &mut self.keeps {
                view.begin_empty();
            }
            self.goes_on();
            return Next::Nothing;
        }
        if ack.reset || self.has_rows {
            self.tell(Event::Reset, 0, Reaches::Nothing);
            self.has_rows = false;
        }
        (self.received, self.snapshot_seq) = (None, ack.seq);
        (self.pages, self.page) = (0, Page::Coming);
        if let Keeps::Rows(view) = &mut self.keeps {
            view.begin();
        }
        self.stage = Stage::Loading;
        match ack.control.status {
            BatchStatus::Ready if self.wanted.without_snapshot && !ack.reset => self.loaded_nothing(),
            BatchStatus::Ready => self.add_page(Vec::new(), true, 0),
            BatchStatus::Loading | BatchStatus::LoadingBatch => Next::Nothing,
        }
    }

    /// Only changes were asked for: they begin here.
    fn loaded_nothing(&mut self) -> Next {
        self.stage = Stage::Live;
        self.received = Some(self.snapshot_seq);
        match &mut self.keeps {
            Keeps::Events(inbox) => inbox.progress(self.snapshot_seq),
            Keeps::Rows(view) => {
                if let Some(columns) = &self.columns
                    && let Err(error) = view.page(columns, Vec::new(), true)
                {
                    return Next::Fail(error);
                }
            }
        }
        self.goes_on();
        Next::Nothing
    }

    /// A page of the snapshot.
    pub fn batch(
        &mut self,
        rows: Vec<Map<String, Json>>,
        keys: Option<Vec<String>>,
        last: bool,
        bytes: usize,
        options: &Options,
    ) -> Next {
        if self.stage != Stage::Loading {
            return Next::Nothing;
        }
        let Some(columns) = &self.columns else { return Next::Nothing };
        let next = match columns.rows(rows, keys) {
            Ok(rows) => self.add_page(rows, last, bytes),
            Err(error) => Next::Fail(error),
        };
        for (frame, bytes) in if last { std::mem::take(&mut self.early) } else { Vec::new() } {
            match self.change(frame, bytes, options) {
                Next::Nothing => {}
                other => return other,
            }
        }
        next
    }

    fn add_page(&mut self, rows: Vec<crate::row::Row>, last: bool, bytes: usize) -> Next {
        self.has_rows = true;
        let (first, seq) = (self.pages == 0, self.snapshot_seq);
        self.pages = self.pages.saturating_add(1);
        match &mut self.keeps {
            Keeps::Events(inbox) => {
                let reaches = if last { Reaches::Seq(seq) } else { Reaches::Nothing };
                inbox.push(Event::Snapshot(Snapshot { rows, first, last, seq }), bytes, reaches);
            }
            Keeps::Rows(view) => {
                let Some(columns) = &self.columns else { return Next::Nothing };
                if let Err(error) = view.page(columns, rows, last) {
                    return Next::Fail(error);
                }
            }
        }
        if last {
            self.stage = Stage::Live;
            self.received = Some(seq);
            self.goes_on();
        } else {
            self.page = Page::Due;
        }
        Next::Nothing
    }

    /// A frame of a commit.
    pub fn change(&mut self, frame: ChangeFrame, bytes: usize, options: &Options) -> Next {
        let Some(columns) = &self.columns else { return Next::Nothing };
        if self.stage == Stage::Loading {
            return self.too_early(frame, bytes, options);
        }
        // What is with us already was told before the connection was lost.
        if self.stage != Stage::Live || self.received.is_some_and(|received| frame.seq <= received) {
            return Next::Nothing;
        }
        let rows = columns.rows(frame.rows, frame.keys);
        let old_rows = columns.rows(frame.old_rows, frame.old_keys);
        let (rows, old_rows) = match (rows, old_rows) {
            (Ok(rows), Ok(old_rows)) => (rows, old_rows),
            (Err(error), _) | (_, Err(error)) => return Next::Fail(error),
        };
        let mut commit = match self.commit.take() {
            Some(commit) if commit.change.seq == frame.seq => commit,
            Some(_) => return Next::Fail(Error::Protocol("a commit was torn by another one".to_owned())),
            None => Commit {
                change: Change { kind: ChangeType::Update, rows: Vec::new(), old_rows: Vec::new(), seq: frame.seq },
                bytes: 0,
            },
        };
        commit.change.rows.extend(rows);
        commit.change.old_rows.extend(old_rows);
        commit.bytes = commit.bytes.saturating_add(bytes);
        if commit.bytes > options.event_max_bytes {
            let max = options.event_max_bytes;
            return Next::Fail(Error::Limit(format!("one commit is larger than event_max_bytes = {max}")));
        }
        if frame.more {
            self.commit = Some(commit);
            return Next::Nothing;
        }
        self.commit(commit, options)
    }

    /// A change that came before the snapshot was whole waits for it.
    fn too_early(&mut self, frame: ChangeFrame, bytes: usize, options: &Options) -> Next {
        self.early.push((frame, bytes));
        let held = self.early.iter().fold(0_usize, |sum, (_, bytes)| sum.saturating_add(*bytes));
        if held <= options.event_max_bytes {
            return Next::Nothing;
        }
        let max = options.event_max_bytes;
        Next::Fail(Error::Limit(format!("changes during the snapshot are larger than event_max_bytes = {max}")))
    }

    fn forget_partial(&mut self) {
        (self.commit, self.lags) = (None, false);
        self.early.clear();
    }

    /// All of a commit is here.
    fn commit(&mut self, commit: Commit, options: &Options) -> Next {
        let Commit { mut change, bytes } = commit;
        change.kind = match (change.rows.is_empty(), change.old_rows.is_empty()) {
            (_, true) => ChangeType::Insert,
            (true, false) => ChangeType::Delete,
            (false, false) => ChangeType::Update,
        };
        let seq = change.seq;
        match &mut self.keeps {
            Keeps::Events(inbox) => {
                let full = inbox.bytes().saturating_add(bytes) > options.event_buffer_bytes;
                if full && !inbox.is_empty() {
                    self.stage = Stage::Parked;
                    return Next::Park;
                }
                inbox.push(Event::Change(change), bytes, Reaches::Seq(seq));
            }
            Keeps::Rows(view) => {
                let Some(columns) = &self.columns else { return Next::Nothing };
                if let Err(error) = view.change(columns, change.rows, &change.old_rows) {
                    return Next::Fail(error);
                }
            }
        }
        self.has_rows = true;
        self.received = Some(seq);
        Next::Nothing
    }

    /// Nothing else concerned the connection up to `seq`. Tells if that is news.
    pub fn progress(&mut self, seq: SeqId) -> bool {
        let news = self.received.is_some_and(|received| received < seq);
        if self.stage != Stage::Live || self.lags || self.commit.is_some() || !news {
            return false;
        }
        self.received = Some(seq);
        if let Keeps::Events(inbox) = &mut self.keeps {
            inbox.progress(seq);
        }
        true
    }

    /// The server says that it lags, or goes on.
    pub fn status(&mut self, paused: bool, reason: Option<String>) {
        self.lags = paused;
        if paused {
            self.pause(reason.unwrap_or_else(|| "the server is catching up".to_owned()));
        } else {
            self.goes_on();
        }
    }

    /// The connection is lost: what was not whole is void.
    pub fn lost(&mut self, reason: &str) {
        self.forget_partial();
        if self.stage == Stage::Parked {
            return;
        }
        self.stage = Stage::Unsent;
        if self.columns.is_some() {
            self.pause(reason.to_owned());
        }
    }

    /// It is to start again after `from`, whatever the program had.
    pub fn restart(&mut self, from: SeqId) {
        self.received = Some(from);
        self.stage = Stage::Unsent;
        self.forget_partial();
        if let Keeps::Events(inbox) = &mut self.keeps {
            inbox.restart(Some(from));
        }
    }

    fn ask_again(&mut self) -> Next {
        self.received = None;
        self.stage = Stage::Unsent;
        self.forget_partial();
        Next::AskAgain
    }

    fn pause(&mut self, reason: String) {
        if !self.told_paused {
            self.told_paused = true;
            self.tell(Event::Paused { reason }, 0, Reaches::Same);
        }
    }

    fn goes_on(&mut self) {
        if self.told_paused {
            self.told_paused = false;
            self.tell(Event::Active, 0, Reaches::Same);
        }
    }

    /// It has ended, and the program is told after what waits.
    pub fn end(&mut self, error: Error) {
        if self.ended.is_none() {
            self.ended = Some(error.clone());
            self.forget_partial();
            self.tell(Event::Ended(error), 0, Reaches::Same);
        }
    }

    fn tell(&mut self, event: Event, bytes: usize, reaches: Reaches) {
        if let Keeps::Events(inbox) = &mut self.keeps {
            inbox.push(event, bytes, reaches);
        }
    }

    /// Should the next page be asked for now? Says so once per page.
    pub fn wants_page(&mut self, options: &Options) -> bool {
        let room = match &self.keeps {
            Keeps::Events(inbox) => inbox.bytes() <= options.event_buffer_bytes / 2,
            Keeps::Rows(_) => true,
        };
        let wants = self.stage == Stage::Loading && self.page == Page::Due && room;
        if wants {
            self.page = Page::Coming;
        }
        wants
    }

    /// The server did not read the last message about it; what it should do is asked for again.
    pub fn refused(&mut self) {
        match self.stage {
            Stage::Asked => self.stage = Stage::Unsent,
            Stage::Loading => self.page = Page::Due,
            Stage::Unsent | Stage::Live | Stage::Parked => {}
        }
    }

    /// Has the program caught up, so that the subscription can go on? Says so once.
    pub fn unparks(&mut self, options: &Options) -> bool {
        let room = match &self.keeps {
            Keeps::Events(inbox) => inbox.bytes() <= options.event_buffer_bytes / 2,
            Keeps::Rows(_) => true,
        };
        let unparks = self.stage == Stage::Parked && room;
        if unparks {
            self.stage = Stage::Unsent;
        }
        unparks
    }
}
