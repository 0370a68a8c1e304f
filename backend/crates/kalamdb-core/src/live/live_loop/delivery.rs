//! From a commit, a run, a page or the past to the outboxes.

use std::sync::Arc;

use kalamdb_commons::SeqId;
use kalamdb_commons::protocol::{BatchControl, BatchStatus, ServerMessage, StreamStatus};
use kalamdb_store::Commit;

use super::subscription::{Need, Paging, Stage, Step};
use super::{LiveLoop, Token};
use crate::live::delta::{Delta, RowChange};
use crate::live::metrics;
use crate::live::outbox::{Page, Pushed};
use crate::live::replay::Replay;
use crate::live::result_set::{Pages, ResultSet, pages_are_resume_points};
use crate::live::view::filter::row_change;
use crate::live::view::{ViewId, ViewKind};

impl LiveLoop {
    /// Tells a view of the changes of a commit that may concern it.
    pub(super) fn apply(&mut self, id: ViewId, commit: &Commit, places: &[usize]) {
        let after = self.position;
        let Some(view) = self.views.get_mut(id) else { return };
        match &mut view.kind {
            ViewKind::Filter(filter) => {
                let changes = places.iter().filter_map(|&at| commit.changes.get(at));
                let changes: Vec<RowChange> =
                    changes.filter_map(|change| row_change(&view.plan, filter.as_ref(), change)).collect();
                let delta = Delta::encode(&view.plan, commit.last, &changes, self.options.frame_max_bytes);
                if let Some(delta) = delta {
                    view.changed_at = commit.last;
                    self.deliver(id, &Arc::new(delta), after, commit.at_micros);
                }
            }
            ViewKind::Rerun(runs) => {
                runs.touch(after);
                runs.commit(commit.last);
                self.start_run(id);
            }
        }
    }

    /// Gives all subscribers of a view, which stood at `after`, what has changed.
    pub(super) fn deliver(&mut self, view: ViewId, delta: &Arc<Delta>, after: SeqId, at_micros: i64) {
        let subscribers: Vec<Token> =
            self.views.get(view).into_iter().flat_map(|view| view.subscribers.iter().copied()).collect();
        for token in subscribers {
            let Some(subscription) = self.subscriptions.get_mut(&token) else { continue };
            match subscription.stage {
                // A snapshot can be ahead of the loop.
                Stage::Live if delta.seq <= subscription.seq => {}
                Stage::Live => {
                    let facts = &subscription.facts;
                    match subscription.peer.outbox.push_change(token, facts, delta, after) {
                        Pushed::Queued => {
                            facts.changed(at_micros);
                            subscription.told(delta.seq);
                        }
                        Pushed::Lags(from) => self.lag(token, from),
                    }
                }
                Stage::Reads(_) | Stage::Pages(_) => {
                    let step = Step { after, delta: delta.clone(), at_micros };
                    subscription.waiting.push(step, self.options.waiting_max_bytes);
                }
                Stage::Due(_) | Stage::Awaits(_) => {}
            }
        }
    }

    /// A subscription's changes did not fit: it is caught up from where it stands, once there is room.
    fn lag(&mut self, token: Token, from: SeqId) {
        let Some(subscription) = self.subscriptions.get_mut(&token) else { return };
        metrics::subscription_lags();
        subscription.told(from);
        subscription.paused = true;
        subscription.facts.set_paused(true);
        subscription.peer.outbox.send(&ServerMessage::Status {
            subscription_id: subscription.facts.id().as_str().to_owned(),
            status: StreamStatus::Paused,
            reason: Some("changes come faster than they are read".to_owned()),
        });
        self.block(token);
        self.enqueue(token, Need::CatchUp { from });
    }

    /// Nothing is read for a subscription's connection until its outbox has room.
    fn block(&mut self, token: Token) {
        let connection = self.subscriptions.get(&token).map(|subscription| subscription.peer.id);
        if let Some(connected) = connection.and_then(|id| self.connections.get_mut(&id)) {
            connected.blocked = true;
        }
    }

    /// A result as of `seq` goes to a subscription, page by page; in place of what its client has, with `reset`.
    pub(super) fn begin_snapshot(&mut self, token: Token, seq: SeqId, result: Arc<ResultSet>, reset: bool) {
        let Some(subscription) = self.subscriptions.get_mut(&token) else { return };
        if reset {
            metrics::subscription_reset();
        }
        let pages = Pages::new(result, subscription.page_rows, self.options.batch_max_bytes);
        subscription.peer.outbox.send_ack(&subscription.ack(seq, pages.total_rows(), false, reset));
        subscription.acknowledged = true;
        subscription.may_lack = None;
        subscription.told(seq);
        if !pages.has_more() {
            self.go_live(token);
            return;
        }
        let bytes = pages.bytes();
        subscription.stage = Stage::Pages(Paging { pages, next: 0, due: true });
        if let Some(connected) = self.connections.get_mut(&subscription.peer.id) {
            connected.held_bytes = connected.held_bytes.saturating_add(bytes);
        }
        self.send_page(token);
    }

    /// Sends the next page of a snapshot, or lets it wait for room.
    pub(super) fn send_page(&mut self, token: Token) {
        let Some(subscription) = self.subscriptions.get_mut(&token) else { return };
        let Some(connected) = self.connections.get_mut(&subscription.peer.id) else { return };
        let Stage::Pages(paging) = &mut subscription.stage else { return };
        if !connected.has_room() {
            paging.due = true;
            connected.pages.push_back(token);
            return;
        }
        paging.due = false;
        let rows = paging.pages.next_page();
        let last = !paging.pages.has_more();
        let resume_point = if last {
            Some(subscription.seq)
        } else {
            rows.last().and_then(|row| row.seq).filter(|_| pages_are_resume_points(&subscription.plan))
        };
        let control = BatchControl {
            batch_num: paging.next,
            has_more: !last,
            status: if last { BatchStatus::Ready } else { BatchStatus::LoadingBatch },
            last_seq_id: resume_point,
        };
        paging.next = paging.next.saturating_add(1);
        let bytes = paging.pages.bytes();
        let (facts, plan) = (subscription.facts.clone(), subscription.plan.clone());
        subscription.peer.outbox.push_page(token, Page { facts, plan, rows, control });
        if last {
            connected.held_bytes = connected.held_bytes.saturating_sub(bytes);
            let connection = subscription.peer.id;
            self.go_live(token);
            self.wake(connection);
        }
    }

    /// Changes out of the past go to a subscription.
    pub(super) fn catch_up(&mut self, token: Token, need: Need, replay: Replay, at_micros: i64) {
        let Some(subscription) = self.subscriptions.get_mut(&token) else { return };
        if let Need::Resume { from } = need
            && !subscription.acknowledged
        {
            metrics::subscription_resumed();
            subscription.peer.outbox.send_ack(&subscription.ack(from, 0, true, false));
            subscription.acknowledged = true;
            subscription.told(from);
        }
        for (after, delta) in replay.steps() {
            if !self.offer(token, &Step { after, delta: delta.clone(), at_micros }) {
                return;
            }
        }
        let Some(subscription) = self.subscriptions.get_mut(&token) else { return };
        subscription.told(replay.upto);
        subscription.passed_over = !replay.complete && replay.upto == need.from();
        if replay.complete {
            self.go_live(token);
        } else {
            self.enqueue(token, Need::CatchUp { from: replay.upto });
        }
    }

    /// Queues a change of a subscription that is not live yet; without room for it, the rest is read later.
    fn offer(&mut self, token: Token, step: &Step) -> bool {
        let &Step { after, ref delta, at_micros } = step;
        let Some(subscription) = self.subscriptions.get_mut(&token) else { return false };
        let facts = &subscription.facts;
        let taken = subscription.peer.outbox.offer_change(token, facts, delta, after);
        if taken {
            facts.changed(at_micros);
            subscription.told(delta.seq);
        } else {
            self.block(token);
            self.enqueue(token, Need::CatchUp { from: after });
        }
        taken
    }

    /// A subscription has all that there was: what waits is told, and from now on every change as it comes.
    fn go_live(&mut self, token: Token) {
        let Some(subscription) = self.subscriptions.get_mut(&token) else { return };
        let waiting = std::mem::take(&mut subscription.waiting);
        let changed_at = self.views.get(subscription.view).map_or(SeqId::ZERO, |view| view.changed_at);
        if waiting.lost && changed_at > subscription.seq {
            let from = subscription.seq;
            self.enqueue(token, Need::CatchUp { from });
            return;
        }
        let told = subscription.seq;
        for step in waiting.steps.iter().filter(|step| step.delta.seq > told) {
            if !self.offer(token, step) {
                return;
            }
        }
        let Some(subscription) = self.subscriptions.get_mut(&token) else { return };
        subscription.stage = Stage::Live;
        subscription.may_lack = None;
        subscription.facts.set_follows_commits(matches!(
            self.views.get(subscription.view).map(|view| &view.kind),
            Some(ViewKind::Filter(_))
        ));
        if std::mem::take(&mut subscription.paused) {
            metrics::subscription_caught_up();
            subscription.facts.set_paused(false);
            subscription.peer.outbox.send(&ServerMessage::Status {
                subscription_id: subscription.facts.id().as_str().to_owned(),
                status: StreamStatus::Active,
                reason: None,
            });
        }
    }
}
