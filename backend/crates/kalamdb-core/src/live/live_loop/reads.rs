//! Snapshots and catch-ups, each in its turn.
//!
//! So many are read at one time, and so many for one connection; connections take turns. Nothing is
//! read for a connection whose outbox is more than half full, or that holds too many unread pages, so
//! what is read can be sent.

use std::sync::Arc;

use kalamdb_commons::{ConnectionId, SeqId};

use super::subscription::{Need, Rows, Stage, Waiting};
use super::{Connected, Effect, LiveLoop, Token};
use crate::error::SqlError;
use crate::live::job::{Found, Job, ReadJob, Wanted};
use crate::live::plan::{Requery, RowFilter, Strategy};

impl LiveLoop {
    /// A subscription needs something, and waits its turn for it.
    pub(super) fn enqueue(&mut self, token: Token, need: Need) {
        let Some(subscription) = self.subscriptions.get_mut(&token) else { return };
        subscription.stage = Stage::Due(need);
        subscription.waiting = Waiting::default();
        subscription.facts.set_follows_commits(false);
        let connection = subscription.peer.id;
        let Some(connected) = self.connections.get_mut(&connection) else { return };
        match need {
            Need::Snapshot { .. } => connected.loads.push_back(token),
            Need::Resume { .. } | Need::CatchUp { .. } => connected.catch_ups.push_back(token),
        }
        self.wake(connection);
    }

    /// Something may have become possible for a connection.
    pub(super) fn wake(&mut self, connection: ConnectionId) {
        if let Some(connected) = self.connections.get_mut(&connection)
            && !connected.waits_its_turn
        {
            connected.waits_its_turn = true;
            self.in_turn.push_back(connection);
        }
    }

    /// Lets connections read what they can.
    pub(super) fn take_turns(&mut self) {
        while self.reads_running < self.options.reads_max.max(1) {
            let Some(connection) = self.in_turn.pop_front() else { return };
            let started = self.read_next(connection);
            if let Some(connected) = self.connections.get_mut(&connection) {
                connected.waits_its_turn = started;
                if started {
                    self.in_turn.push_back(connection);
                }
            }
        }
    }

    /// The outbox of a connection has room again.
    pub(super) fn drained(&mut self, connection: ConnectionId) {
        let Some(connected) = self.connections.get_mut(&connection) else { return };
        connected.blocked = false;
        for token in std::mem::take(&mut connected.pages) {
            self.send_page(token);
        }
        self.wake(connection);
    }

    /// A read came back.
    pub(super) fn found(
        &mut self,
        connection: ConnectionId,
        token: Token,
        at_micros: i64,
        found: Result<Found, SqlError>,
    ) {
        self.reads_running = self.reads_running.saturating_sub(1);
        if let Some(connected) = self.connections.get_mut(&connection) {
            connected.reading = connected.reading.saturating_sub(1);
        }
        let need = self.subscriptions.get(&token).and_then(|subscription| match subscription.stage {
            Stage::Reads(need) => Some(need),
            Stage::Due(_) | Stage::Awaits(_) | Stage::Pages(_) | Stage::Live => None,
        });
        match (need, found) {
            (None, _) => {}
            // Whatever keeps the past from being told, who comes back gets the present.
            (Some(Need::Resume { .. } | Need::CatchUp { .. }), Err(_)) => {
                self.enqueue(token, Need::Snapshot { reset: true });
            }
            (Some(Need::Snapshot { .. }), Err(error)) => self.end_with(token, error),
            (Some(need), Ok(Found::Snapshot { seq, result })) => {
                self.begin_snapshot(token, seq, result, need == Need::Snapshot { reset: true });
            }
            (Some(need), Ok(Found::Changes(replay))) => self.catch_up(token, need, replay, at_micros),
            (Some(_), Ok(Found::Gone)) => self.enqueue(token, Need::Snapshot { reset: true }),
        }
        self.wake(connection);
    }

    /// Starts the next read of a connection; `false` if there is nothing that can be read.
    fn read_next(&mut self, connection: ConnectionId) -> bool {
        loop {
            let Some(connected) = self.connections.get_mut(&connection) else { return false };
            if connected.reading >= self.options.reads_per_connection_max.max(1) {
                return false;
            }
            let Some(token) = connected.next_due(self.options.snapshots_max_bytes) else { return false };
            if let Some(wanted) = self.wanted(token) {
                self.start_read(connection, token, wanted);
                return true;
            }
        }
    }

    fn start_read(&mut self, connection: ConnectionId, token: Token, wanted: Wanted) {
        let Some(subscription) = self.subscriptions.get_mut(&token) else { return };
        if let Stage::Due(need) = subscription.stage {
            subscription.stage = Stage::Reads(need);
        }
        let plan = subscription.plan.clone();
        self.effects.push(Effect::Start(Job::Read(ReadJob { connection, token, plan, wanted })));
        self.reads_running = self.reads_running.saturating_add(1);
        if let Some(connected) = self.connections.get_mut(&connection) {
            connected.reading = connected.reading.saturating_add(1);
        }
    }

    /// What must be read for a subscription whose turn has come; `None` if it goes on without.
    fn wanted(&mut self, token: Token) -> Option<Wanted> {
        let subscription = self.subscriptions.get(&token)?;
        let Stage::Due(need) = subscription.stage else { return None };
        let plan = subscription.plan.clone();
        match &plan.strategy {
            Strategy::Filter(filter) => self.wanted_of_filter(token, need, filter),
            Strategy::Rerun(query) => self.wanted_of_rerun(token, need, query),
        }
    }

    fn wanted_of_filter(&mut self, token: Token, need: Need, filter: &Arc<dyn RowFilter>) -> Option<Wanted> {
        let subscription = self.subscriptions.get(&token)?;
        let (filter, may_lack) = (filter.clone(), subscription.may_lack);
        match (need, subscription.rows) {
            (Need::Resume { from } | Need::CatchUp { from }, _) => Some(Wanted::Changes { filter, from, may_lack }),
            (Need::Snapshot { .. }, Rows::All) => Some(Wanted::Rows { filter, last_rows: None }),
            (Need::Snapshot { .. }, Rows::Last(n)) => Some(Wanted::Rows { filter, last_rows: Some(n) }),
            (Need::Snapshot { reset }, Rows::None) => {
                self.begin_snapshot(token, self.position, Arc::default(), reset);
                None
            }
        }
    }

    fn wanted_of_rerun(&mut self, token: Token, need: Need, query: &Arc<dyn Requery>) -> Option<Wanted> {
        let subscription = self.subscriptions.get(&token)?;
        let (view, rows, since) = (subscription.view, subscription.rows, subscription.since);
        let runs = self.views.get_mut(view)?.runs()?;
        runs.touch(self.position);
        let ran_since = runs.finished > subscription.runs_before;
        let from = match need {
            Need::Snapshot { .. } => SeqId::ZERO,
            Need::Resume { from } | Need::CatchUp { from } => from,
        };
        let to = runs.seq;
        let fresh = runs.clean() || to >= since || ran_since;
        let result = runs.result.clone().filter(|_| fresh && (to >= from || ran_since));
        let Some(result) = result else {
            // What a clean result lacks is a commit that the loop has not seen yet, or that will never be.
            runs.wanted |= runs.clean();
            self.await_run(token, need);
            return None;
        };
        match (need, rows) {
            (Need::Snapshot { .. }, Rows::Last(last_rows)) => Some(Wanted::LastRows { seq: to, result, last_rows }),
            (Need::Snapshot { reset }, Rows::All | Rows::None) => {
                let result = if rows == Rows::None { Arc::default() } else { result };
                self.begin_snapshot(token, to, result, reset);
                None
            }
            (Need::Resume { .. } | Need::CatchUp { .. }, _) if to < from => {
                self.enqueue(token, Need::Snapshot { reset: true });
                None
            }
            (Need::Resume { .. } | Need::CatchUp { .. }, _) => {
                let may_lack = self.subscriptions.get(&token)?.may_lack.is_some();
                Some(Wanted::Difference { query: query.clone(), from, may_lack, to, result })
            }
        }
    }
}

impl Connected {
    /// The subscription whose turn it is, if anything can be read for it now.
    fn next_due(&mut self, snapshots_max_bytes: usize) -> Option<Token> {
        let loads = self.held_bytes < snapshots_max_bytes.max(1) && !self.loads.is_empty();
        if (self.catch_ups.is_empty() && !loads) || !self.has_room() {
            return None;
        }
        match self.catch_ups.pop_front() {
            Some(token) => Some(token),
            None => self.loads.pop_front(),
        }
    }
}
