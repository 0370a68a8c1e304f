//! One subscription: what it is being told, and what waits until it can be told.

use std::sync::Arc;

use kalamdb_commons::SeqId;
use kalamdb_commons::protocol::{BatchControl, BatchStatus, ServerMessage, SubscribeOptions};

use super::sharing::Shared;
use crate::live::delta::Delta;
use crate::live::options::LiveOptions;
use crate::live::peer::Peer;
use crate::live::plan::LivePlan;
use crate::live::result_set::Pages;
use crate::live::session::Facts;
use crate::live::view::ViewId;

/// One subscription.
#[derive(Debug)]
pub(super) struct Subscription {
    /// Its connection.
    pub peer: Arc<Peer>,
    /// What there is to know of it.
    pub facts: Arc<Facts>,
    /// Its query.
    pub plan: Arc<LivePlan>,
    /// The view whose changes it gets.
    pub view: ViewId,
    /// Which rows it begins with.
    pub rows: Rows,
    /// Rows of a page.
    pub page_rows: usize,
    /// The loop stood here when it began; its first result is no older.
    pub since: SeqId,
    /// Runs of its view that had been started then.
    pub runs_before: u64,
    /// Where it is on its way.
    pub stage: Stage,
    /// With whom it waits, while it does and what it needs can be shared.
    pub waits_with: Option<Shared>,
    /// The last pass over the change log was for it too, but did not come so far.
    pub passed_over: bool,
    /// Everything up to here is queued for it or sent, once it has been acknowledged.
    pub seq: SeqId,
    /// The client came back from here, and may have stopped in the midst of a snapshot.
    pub may_lack: Option<SeqId>,
    /// Has the ack been queued?
    pub acknowledged: bool,
    /// Has the client been told that it lags?
    pub paused: bool,
    /// Changes that come while a snapshot or the past is on its way.
    pub waiting: Waiting,
}

/// Which rows a subscription begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rows {
    All,
    Last(usize),
    None,
}

impl Rows {
    /// What a client asks for. Who comes back and cannot be resumed gets everything.
    pub fn asked_for(options: &SubscribeOptions) -> Rows {
        match (options.from, options.without_initial, options.last_rows) {
            (Some(_), _, _) => Rows::All,
            (None, true, _) => Rows::None,
            (None, false, Some(rows)) => Rows::Last(usize::try_from(rows).unwrap_or(usize::MAX)),
            (None, false, None) => Rows::All,
        }
    }
}

/// Where a subscription is on its way to being live.
#[derive(Debug)]
pub(super) enum Stage {
    /// It waits its turn; what happens meanwhile will be read.
    Due(Need),
    /// It waits for its view's query to run; what happens meanwhile will be in the result.
    Awaits(Need),
    /// What it needs is being read; changes wait.
    Reads(Need),
    /// Its client reads the snapshot; changes wait.
    Pages(Paging),
    /// It is told of changes as they happen.
    Live,
}

/// What a subscription needs before it is live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// A snapshot; with `reset` in place of what the client has.
    Snapshot { reset: bool },
    /// What happened since its client went away.
    Resume { from: SeqId },
    /// What happened since it began to lag, or while its snapshot was read.
    CatchUp { from: SeqId },
}

impl Need {
    /// Where its client stands; zero, if that does not matter.
    pub fn from(self) -> SeqId {
        match self {
            Need::Snapshot { .. } => SeqId::ZERO,
            Need::Resume { from } | Need::CatchUp { from } => from,
        }
    }
}

/// A snapshot that is being sent.
#[derive(Debug)]
pub(super) struct Paging {
    pub pages: Pages,
    /// Number of the next page.
    pub next: u32,
    /// The next page was asked for and waits for room in the outbox.
    pub due: bool,
}

/// Changes that wait, bounded in bytes.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    pub steps: Vec<Step>,
    bytes: usize,
    /// There were too many. They are gone, and the past has to be read.
    pub lost: bool,
}

/// A change of a view.
#[derive(Debug)]
pub(super) struct Step {
    /// Where the result stood before.
    pub after: SeqId,
    /// The change.
    pub delta: Arc<Delta>,
    /// When it was made, in microseconds since the Unix epoch.
    pub at_micros: i64,
}

impl Waiting {
    /// Lets a change wait.
    pub fn push(&mut self, step: Step, bytes_max: usize) {
        self.bytes = self.bytes.saturating_add(step.delta.bytes);
        if self.bytes > bytes_max || self.lost {
            *self = Waiting { lost: true, ..Waiting::default() };
        } else {
            self.steps.push(step);
        }
    }
}

impl Subscription {
    /// Rows of a page, as far as the client may choose.
    pub fn page_rows(asked: Option<u32>, options: &LiveOptions) -> usize {
        let rows = asked.filter(|&rows| rows > 0).unwrap_or(options.batch_rows).min(options.batch_rows_max);
        usize::try_from(rows).unwrap_or(usize::MAX)
    }

    /// The ack of a subscription that stands at `seq`, with so many rows to follow.
    pub fn ack(&self, seq: SeqId, total_rows: usize, resumed: bool, reset: bool) -> ServerMessage {
        let ready = total_rows == 0;
        let plan = &self.plan;
        ServerMessage::SubscriptionAck {
            subscription_id: self.facts.id().as_str().to_owned(),
            total_rows: u32::try_from(total_rows).unwrap_or(u32::MAX),
            batch_control: BatchControl {
                batch_num: 0,
                has_more: !ready,
                status: if ready { BatchStatus::Ready } else { BatchStatus::Loading },
                last_seq_id: ready.then_some(seq),
            },
            schema: plan.schema.to_vec(),
            seq,
            key: plan.key_columns.clone(),
            order_by: plan.order_by.clone(),
            strategy: plan.strategy.name().to_owned(),
            resumed,
            reset,
        }
    }

    /// It has been told everything up to `seq`.
    pub fn told(&mut self, seq: SeqId) {
        self.seq = seq;
        self.facts.told(seq);
    }
}
