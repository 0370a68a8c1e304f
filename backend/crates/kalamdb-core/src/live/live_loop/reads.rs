//! Snapshots and catch-ups, each in its turn.
//!
//! So many are read at one time, and so many for one connection; connections take turns. Nothing is
//! read for a connection whose outbox is more than half full, or that holds too many unread pages, so
//! what is read can be sent.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use kalamdb_commons::{ConnectionId, SeqId};

use super::sharing::{Shared, Slot};
use super::subscription::{Need, Rows, Stage, Waiting};
use super::{Effect, Input, LiveLoop, Token};
use crate::error::SqlError;
use crate::live::catch_up::QueryPast;
use crate::live::job::{Found, Job, ReadJob, Wanted};
use crate::live::plan::{Requery, Strategy};
use crate::live::replay::Reader;
use crate::live::result_set::ResultSet;
use crate::live::resume::ResultPast;
use crate::live::view::ViewId;

impl LiveLoop {
    /// A subscription needs something, and waits its turn for it.
    pub(super) fn enqueue(&mut self, token: Token, need: Need) {
        let Some(subscription) = self.subscriptions.get_mut(&token) else { return };
        subscription.stage = Stage::Due(need);
        subscription.waiting = Waiting::default();
        subscription.facts.set_follows_commits(false);
        let connection = subscription.peer.id;
        self.queue_up(token, need, false);
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

    /// A read came back. Who was waiting for it is told, so many changes at a time.
    pub(super) fn found(
        &mut self,
        slot: Option<Slot>,
        at_micros: i64,
        mut found: VecDeque<(Token, Result<Found, SqlError>)>,
    ) {
        if let Some(slot) = slot {
            self.reads_running = self.reads_running.saturating_sub(1);
            if let Some(connected) = self.connections.get_mut(&slot.connection) {
                connected.reading = connected.reading.saturating_sub(1);
            }
            if let Some(shared) = &slot.shared {
                self.end_sharing(shared);
            }
            self.wake(slot.connection);
        }
        let mut told = 0_usize;
        while told < TOLD_AT_A_TIME
            && let Some((token, found)) = found.pop_front()
        {
            told = told.saturating_add(1).saturating_add(steps_max(&found));
            self.found_for(token, at_micros, found);
        }
        if !found.is_empty() {
            self.effects.push(Effect::Later(Input::Found { slot: None, at_micros, found }));
        }
    }

    fn found_for(&mut self, token: Token, at_micros: i64, found: Result<Found, SqlError>) {
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
    }

    /// Starts the next read of a connection; `false` if there is nothing that can be read.
    fn read_next(&mut self, connection: ConnectionId) -> bool {
        loop {
            let Some(connected) = self.connections.get(&connection) else { return false };
            if connected.reading >= self.options.reads_per_connection_max.max(1) {
                return false;
            }
            let Some(token) = self.next_due(connection) else { return false };
            let shared = self.subscriptions.get(&token).and_then(|subscription| subscription.waits_with.clone());
            if let Some(wanted) = self.wanted(token, shared.as_ref()) {
                self.start_read(Slot { connection, shared }, wanted);
                return true;
            }
        }
    }

    fn start_read(&mut self, slot: Slot, wanted: Wanted) {
        self.reads_running = self.reads_running.saturating_add(1);
        if let Some(connected) = self.connections.get_mut(&slot.connection) {
            connected.reading = connected.reading.saturating_add(1);
        }
        if let Some(shared) = &slot.shared {
            self.begin_sharing(shared);
        }
        self.effects.push(Effect::Start(Job::Read(ReadJob { slot, wanted })));
    }

    /// The subscription of a connection whose turn it is, if anything can be read for it now.
    fn next_due(&mut self, connection: ConnectionId) -> Option<Token> {
        let connected = self.connections.get_mut(&connection)?;
        let loads = connected.held_bytes < self.options.snapshots_max_bytes.max(1) && !connected.loads.is_empty();
        if (connected.catch_ups.is_empty() && !loads) || !connected.has_room() {
            return None;
        }
        let connected = self.connections.get(&connection)?;
        let loads = connected.loads.iter().filter(|_| loads);
        connected.catch_ups.iter().chain(loads).copied().find(|&token| !self.is_read_for_others(token))
    }

    /// What must be read for a subscription whose turn has come, and for whom else; `None` if it goes on without.
    fn wanted(&mut self, token: Token, shared: Option<&Shared>) -> Option<Wanted> {
        let subscription = self.subscriptions.get(&token)?;
        let (plan, view) = (subscription.plan.clone(), subscription.view);
        let Stage::Due(need) = subscription.stage else {
            self.leave_queues(token);
            return None;
        };
        match (&plan.strategy, shared) {
            (Strategy::Filter(filter), Some(shared @ Shared::Rows(_))) => {
                let company = self.company_of(token, shared);
                let readers = company.into_iter().filter_map(|token| self.becomes_rows_reader(token)).collect();
                Some(Wanted::Rows { filter: filter.clone(), plan, readers })
            }
            (Strategy::Filter(_), Some(shared)) => {
                let company = self.company_of(token, shared);
                Some(Wanted::Changes(self.wanted_changes(company)))
            }
            (Strategy::Filter(_), None) => {
                self.leave_queues(token);
                let reset = need == Need::Snapshot { reset: true };
                self.begin_snapshot(token, self.position, Arc::default(), reset);
                None
            }
            (Strategy::Rerun(query), _) => self.wanted_of_rerun(token, need, view, query),
        }
    }

    fn becomes_rows_reader(&mut self, token: Token) -> Option<(Token, Option<usize>)> {
        self.becomes_reader(token)?;
        let last_rows = match self.subscriptions.get(&token)?.rows {
            Rows::Last(n) => Some(n),
            Rows::All | Rows::None => None,
        };
        Some((token, last_rows))
    }

    fn wanted_changes(&mut self, company: Vec<Token>) -> Vec<QueryPast> {
        let mut queries: BTreeMap<ViewId, QueryPast> = BTreeMap::new();
        for token in self.within_reach(company) {
            let Some(reader) = self.becomes_reader(token) else { continue };
            let Some(subscription) = self.subscriptions.get(&token) else { continue };
            let Strategy::Filter(filter) = &subscription.plan.strategy else { continue };
            let view = subscription.view;
            let query = queries.entry(view).or_insert_with(|| QueryPast {
                view,
                plan: subscription.plan.clone(),
                filter: filter.clone(),
                readers: Vec::new(),
            });
            query.readers.push(reader);
        }
        queries.into_values().collect()
    }

    /// The result of a re-run view, if it is one that this subscription of it can begin or go on with.
    fn known_result(&mut self, token: Token, from: SeqId) -> Option<(SeqId, Arc<ResultSet>)> {
        let subscription = self.subscriptions.get(&token)?;
        let (view, since, runs_before) = (subscription.view, subscription.since, subscription.runs_before);
        let runs = self.views.get_mut(view)?.runs()?;
        runs.touch(self.position);
        let ran_since = runs.finished > runs_before;
        let to = runs.seq;
        let fresh = runs.clean() || to >= since || ran_since;
        let result = runs.result.clone().filter(|_| fresh && (to >= from || ran_since));
        result.map(|result| (to, result))
    }

    fn wanted_of_rerun(&mut self, token: Token, need: Need, view: ViewId, query: &Arc<dyn Requery>) -> Option<Wanted> {
        let Some((to, result)) = self.known_result(token, need.from()) else {
            self.leave_queues(token);
            // What a clean result lacks is a commit that the loop has not seen yet, or that will never be.
            if let Some(runs) = self.views.get_mut(view).and_then(|view| view.runs()) {
                runs.wanted |= runs.clean();
            }
            self.await_run(token, need);
            return None;
        };
        let subscription = self.subscriptions.get(&token)?;
        let (plan, rows) = (subscription.plan.clone(), subscription.rows);
        match (need, rows) {
            (Need::Snapshot { .. }, Rows::Last(last_rows)) => {
                self.becomes_reader(token)?;
                Some(Wanted::LastRows { token, plan, seq: to, result, last_rows })
            }
            (Need::Snapshot { reset }, Rows::All | Rows::None) => {
                self.leave_queues(token);
                let result = if rows == Rows::None { Arc::default() } else { result };
                self.begin_snapshot(token, to, result, reset);
                None
            }
            (Need::Resume { from } | Need::CatchUp { from }, _) if to < from => {
                self.leave_queues(token);
                self.enqueue(token, Need::Snapshot { reset: true });
                None
            }
            (Need::Resume { .. } | Need::CatchUp { .. }, _) => {
                let company = self.company_of(token, &Shared::Results(view));
                let readers = company.into_iter().filter_map(|token| self.becomes_result_reader(token, to)).collect();
                Some(Wanted::Difference(ResultPast { plan, query: query.clone(), to, result, readers }))
            }
        }
    }

    /// The same for one who waits for what has led to the result as of `to`, if that is one it can go on with.
    fn becomes_result_reader(&mut self, token: Token, to: SeqId) -> Option<Reader> {
        let Stage::Due(need) = self.subscriptions.get(&token)?.stage else { return None };
        self.known_result(token, need.from()).filter(|_| to >= need.from())?;
        self.becomes_reader(token)
    }
}

/// Changes that are told at a time of what was read for many, at most, before other things have their turn.
const TOLD_AT_A_TIME: usize = 2_000;

fn steps_max(found: &Result<Found, SqlError>) -> usize {
    match found {
        Ok(Found::Changes(replay)) => replay.steps_max(),
        Ok(Found::Snapshot { .. } | Found::Gone) | Err(_) => 0,
    }
}
