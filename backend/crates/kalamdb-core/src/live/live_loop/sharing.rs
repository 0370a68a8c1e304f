//! What is read once for many: who waits for the same is served together.
//!
//! A thousand clients that come back at once want the same stretch of the change log, or the same rows.
//! Whose turn it is takes along all who wait for what can be had in one reading and have room for it. While that is
//! under way those who come later gather for the next one.

use std::collections::BTreeSet;

use kalamdb_commons::{ConnectionId, SeqId, TableId};
use kalamdb_store::Scope;

use super::subscription::{Need, Rows, Stage, Subscription};
use super::{LiveLoop, Token};
use crate::live::plan::Strategy;
use crate::live::replay::{Point, Reader};
use crate::live::view::ViewId;

/// What can be read once for all who wait for it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Shared {
    /// The rows of a filter query.
    Rows(ViewId),
    /// The change log of a table and scope, for all filter queries over it.
    Log(TableId, Scope),
    /// What has led to the result of a re-run query.
    Results(ViewId),
}

/// What a read takes while it is under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slot {
    /// Whose turn it was.
    pub connection: ConnectionId,
    /// What is being read for many.
    pub shared: Option<Shared>,
}

/// Who waits for the same.
#[derive(Debug, Default)]
pub(super) struct Group {
    due: BTreeSet<Token>,
    /// It is being read for others; those who wait are next.
    is_read: bool,
}

impl LiveLoop {
    /// Puts a subscription that is due in the queues where it waits its turn, at their end or in front.
    pub(super) fn queue_up(&mut self, token: Token, need: Need, in_front: bool) {
        let Some(subscription) = self.subscriptions.get_mut(&token) else { return };
        let shared = shared_of(subscription, need);
        subscription.waits_with.clone_from(&shared);
        if let Some(shared) = shared {
            self.groups.entry(shared).or_default().due.insert(token);
        }
        let Some(connected) = self.connections.get_mut(&subscription.peer.id) else { return };
        let queue = match need {
            Need::Snapshot { .. } => &mut connected.loads,
            Need::Resume { .. } | Need::CatchUp { .. } => &mut connected.catch_ups,
        };
        if in_front {
            queue.push_front(token);
        } else {
            queue.push_back(token);
        }
    }

    /// Takes a subscription out of the queues where it waits, if it does.
    pub(super) fn leave_queues(&mut self, token: Token) {
        let Some(subscription) = self.subscriptions.get_mut(&token) else { return };
        if let Some(shared) = subscription.waits_with.take()
            && let Some(group) = self.groups.get_mut(&shared)
        {
            group.due.remove(&token);
            if group.is_over() {
                self.groups.remove(&shared);
            }
        }
        let Some(connected) = self.connections.get_mut(&subscription.peer.id) else { return };
        for queue in [&mut connected.catch_ups, &mut connected.loads] {
            if let Some(at) = queue.iter().position(|&other| other == token) {
                queue.remove(at);
            }
        }
    }

    /// Is what the subscription needs being read for others?
    pub(super) fn is_read_for_others(&self, token: Token) -> bool {
        let shared = self.subscriptions.get(&token).and_then(|subscription| subscription.waits_with.as_ref());
        shared.and_then(|shared| self.groups.get(shared)).is_some_and(|group| group.is_read)
    }

    /// A shared reading begins.
    pub(super) fn begin_sharing(&mut self, shared: &Shared) {
        self.groups.entry(shared.clone()).or_default().is_read = true;
    }

    /// A shared reading has ended: those who have gathered meanwhile are next.
    pub(super) fn end_sharing(&mut self, shared: &Shared) {
        let Some(group) = self.groups.get_mut(shared) else { return };
        group.is_read = false;
        let due: Vec<Token> = group.due.iter().copied().collect();
        if group.is_over() {
            self.groups.remove(shared);
        }
        for token in due {
            if let Some(connection) = self.subscriptions.get(&token).map(|subscription| subscription.peer.id) {
                self.wake(connection);
            }
        }
    }

    /// The subscription, and all who wait for the same and can be served with it.
    pub(super) fn company_of(&mut self, token: Token, shared: &Shared) -> Vec<Token> {
        let due = self.groups.get(shared).map(|group| group.due.iter().copied().collect::<Vec<_>>());
        // A snapshot is held until its client has read it, so a connection gets one at a time.
        let one_each = matches!(shared, Shared::Rows(_));
        let mut served: BTreeSet<ConnectionId> = self.connection_of(token).into_iter().collect();
        let mut company = vec![token];
        for other in due.unwrap_or_default() {
            let Some(connection) = self.connection_of(other).filter(|_| other != token) else { continue };
            if one_each && served.contains(&connection) {
                continue;
            }
            let Some(connected) = self.connections.get_mut(&connection) else { continue };
            let may_hold = !one_each || connected.held_bytes < self.options.snapshots_max_bytes.max(1);
            if may_hold && connected.has_room() {
                served.insert(connection);
                company.push(other);
            }
        }
        company
    }

    /// Whom the next pass over the change log is for: all of them, or if the last one did not reach some, those from there on.
    pub(super) fn within_reach(&self, company: Vec<Token>) -> Vec<Token> {
        let from = |token: &Token| match self.subscriptions.get(token)?.stage {
            Stage::Due(need) => Some(need.from()),
            Stage::Awaits(_) | Stage::Reads(_) | Stage::Pages(_) | Stage::Live => None,
        };
        let passed_over = |token: &&Token| self.subscriptions.get(token).is_some_and(|one| one.passed_over);
        let begin: Option<SeqId> = company.iter().filter(passed_over).filter_map(from).min();
        match begin {
            Some(begin) => company.into_iter().filter(|token| from(token) >= Some(begin)).collect(),
            None => company,
        }
    }

    /// Takes a subscription out of the queues, because what it needs is about to be read; gives where it stands.
    pub(super) fn becomes_reader(&mut self, token: Token) -> Option<Reader> {
        self.leave_queues(token);
        let subscription = self.subscriptions.get_mut(&token)?;
        let Stage::Due(need) = subscription.stage else { return None };
        subscription.stage = Stage::Reads(need);
        Some(Reader { token, point: Point { from: need.from(), may_lack: subscription.may_lack } })
    }

    fn connection_of(&self, token: Token) -> Option<ConnectionId> {
        self.subscriptions.get(&token).map(|subscription| subscription.peer.id)
    }
}

impl Group {
    fn is_over(&self) -> bool {
        self.due.is_empty() && !self.is_read
    }
}

/// What of the subscription's need can be read for others as well.
fn shared_of(subscription: &Subscription, need: Need) -> Option<Shared> {
    match (&subscription.plan.strategy, need) {
        (Strategy::Filter(_), Need::Snapshot { .. }) => {
            (subscription.rows != Rows::None).then_some(Shared::Rows(subscription.view))
        }
        (Strategy::Filter(_), Need::Resume { .. } | Need::CatchUp { .. }) => {
            let source = subscription.plan.sources.first()?;
            Some(Shared::Log(source.table, source.scope.clone()))
        }
        (Strategy::Rerun(_), Need::Snapshot { .. }) => None,
        (Strategy::Rerun(_), Need::Resume { .. } | Need::CatchUp { .. }) => Some(Shared::Results(subscription.view)),
    }
}
