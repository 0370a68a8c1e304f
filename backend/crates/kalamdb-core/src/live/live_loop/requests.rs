//! What clients and administrators ask for: subscribe, go on, end, and how far everything has been told.

use std::sync::Arc;

use kalamdb_commons::protocol::{ServerMessage, UnsubscribeStatus};
use kalamdb_commons::{ErrorCode, SeqId, SubscriptionId};

use super::subscription::{Need, Rows, Stage, Subscription, Waiting};
use super::{Connected, Done, Effect, Ended, LiveLoop, NewSubscription, Token, objection};
use crate::error::SqlError;
use crate::live::connection::bounded_id;
use crate::live::metrics;
use crate::live::peer::Peer;
use crate::live::view::ViewKind;

impl LiveLoop {
    pub(super) fn subscribe(&mut self, new: NewSubscription) {
        self.last_token = self.last_token.saturating_add(1);
        let token = Token(self.last_token);
        let NewSubscription { peer, facts, plan, options, tables } = new;
        metrics::subscription_started(plan.strategy.name());
        let closed = peer.outbox.is_closed();
        let mut objections = tables.iter().filter_map(|(table, now)| objection(&plan, &peer, *table, now.as_deref()));
        let objection = objections.next();
        if closed || objection.is_some() {
            let cause = objection.as_ref().map_or("closed", |error| error.code.as_str());
            let last = objection.map(|error| error_of(facts.id(), error));
            self.effects.push(Effect::End(Ended { peer, token, facts, last, cause, done: None }));
            return;
        }
        let view = self.views.join(&plan, token);
        metrics::views_held(self.views.len());
        let connection = peer.id;
        let connected = self.connections.entry(connection).or_insert_with(|| Connected::new(peer.clone()));
        connected.by_id.insert(facts.id().clone(), token);
        let need = match options.from {
            Some(SeqId::ZERO) => Need::Snapshot { reset: true },
            Some(from) => Need::Resume { from },
            None => Need::Snapshot { reset: false },
        };
        let runs_before = self.views.get_mut(view).and_then(|view| view.runs()).map_or(0, |runs| runs.started);
        let subscription = Subscription {
            peer,
            facts,
            plan,
            view,
            rows: Rows::asked_for(&options),
            page_rows: Subscription::page_rows(options.batch_size, &self.options),
            since: self.position,
            runs_before,
            stage: Stage::Due(need),
            waits_with: None,
            passed_over: false,
            seq: SeqId::ZERO,
            may_lack: options.from,
            acknowledged: false,
            paused: false,
            waiting: Waiting::default(),
        };
        self.subscriptions.insert(token, subscription);
        self.start_run(view);
        self.enqueue(token, need);
    }

    pub(super) fn next_batch(&mut self, peer: &Peer, subscription_id: &str) {
        let Some(token) = self.token_of(peer, subscription_id) else {
            let message = "there is no subscription of this id".to_owned();
            peer.outbox.send(&ServerMessage::Error {
                subscription_id: bounded_id(subscription_id),
                code: ErrorCode::NotFound,
                message,
                position: None,
            });
            return;
        };
        let paging = self.subscriptions.get_mut(&token).and_then(|subscription| match &mut subscription.stage {
            Stage::Pages(paging) => Some(paging),
            Stage::Due(_) | Stage::Awaits(_) | Stage::Reads(_) | Stage::Live => None,
        });
        // A page that is asked for when all were sent, or before the first, changes nothing.
        if paging.is_some_and(|paging| !paging.due) {
            self.send_page(token);
        }
    }

    pub(super) fn unsubscribe(&mut self, peer: &Arc<Peer>, subscription_id: String, done: Done) {
        if let Some(token) = self.token_of(peer, &subscription_id) {
            let status = UnsubscribeStatus::Unsubscribed;
            let last = ServerMessage::UnsubscribeAck { subscription_id, status };
            self.end(token, "unsubscribed", Some(last), Some(done));
        } else {
            let (subscription_id, status) = (bounded_id(&subscription_id), UnsubscribeStatus::NotFound);
            peer.outbox.send(&ServerMessage::UnsubscribeAck { subscription_id, status });
            self.effects.push(Effect::Done(done, false));
        }
    }

    pub(super) fn kill(&mut self, peer: &Peer, subscription_id: &SubscriptionId, done: Done) {
        match self.token_of(peer, subscription_id.as_str()) {
            Some(token) => {
                let error = SqlError::new(ErrorCode::Killed, "the live query was killed by an administrator");
                let last = error_of(subscription_id, error);
                self.end(token, "killed", Some(last), Some(done));
            }
            None => self.effects.push(Effect::Done(done, false)),
        }
    }

    pub(super) fn close(&mut self, peer: &Peer, done: Option<Done>) {
        let tokens = self.connections.remove(&peer.id).map(|connected| connected.by_id).unwrap_or_default();
        let ended = tokens.into_values().filter_map(|token| self.remove(token)).map(|gone| gone.facts).collect();
        self.effects.push(Effect::Closed { ended, done });
    }

    /// Ends a subscription with an error.
    pub(super) fn end_with(&mut self, token: Token, error: SqlError) {
        let Some(subscription) = self.subscriptions.get(&token) else { return };
        let cause = error.code.as_str();
        let last = error_of(subscription.facts.id(), error);
        self.end(token, cause, Some(last), None);
    }

    fn end(&mut self, token: Token, cause: &'static str, last: Option<ServerMessage>, done: Option<Done>) {
        if let Some(Subscription { peer, facts, .. }) = self.remove(token) {
            self.effects.push(Effect::End(Ended { peer, token, facts, last, cause, done }));
        }
    }

    /// Forgets a subscription, and what only it needed.
    fn remove(&mut self, token: Token) -> Option<Subscription> {
        self.leave_queues(token);
        let subscription = self.subscriptions.remove(&token)?;
        let view = subscription.view;
        self.views.leave(view, token);
        if let Some(awaiting) = self.awaiting.get_mut(&view) {
            awaiting.retain(|&other| other != token);
        }
        if self.views.get(view).is_none() {
            self.awaiting.remove(&view);
            self.cooling.remove(&view);
        }
        metrics::views_held(self.views.len());
        let connection = subscription.peer.id;
        if let Some(connected) = self.connections.get_mut(&connection) {
            connected.by_id.remove(subscription.facts.id());
            connected.pages.retain(|&other| other != token);
            if let Stage::Pages(paging) = &subscription.stage {
                connected.held_bytes = connected.held_bytes.saturating_sub(paging.pages.bytes());
            }
        }
        self.wake(connection);
        Some(subscription)
    }

    /// Says how far everything that concerns a connection has been queued, if that can be said.
    pub(super) fn progress(&mut self, peer: &Peer) {
        let upto = self.told_upto(peer);
        peer.outbox.answer_progress(upto);
    }

    fn told_upto(&mut self, peer: &Peer) -> Option<SeqId> {
        let connected = self.connections.get(&peer.id);
        let tokens = connected.into_iter().flat_map(|connected| connected.by_id.values());
        // A name that is taken and not here is being planned, or just ending.
        if connected.map_or(0, |connected| connected.by_id.len()) != peer.session.lock().len() {
            return None;
        }
        let mut upto = self.position;
        let mut least = SeqId::ZERO;
        for token in tokens {
            let subscription = self.subscriptions.get_mut(token)?;
            match subscription.stage {
                Stage::Live => {}
                Stage::Due(_) | Stage::Awaits(_) | Stage::Reads(_) | Stage::Pages(_) => return None,
            }
            match &mut self.views.get_mut(subscription.view)?.kind {
                ViewKind::Filter(_) => {}
                ViewKind::Rerun(runs) => {
                    runs.touch(self.position);
                    subscription.told(runs.seq);
                    upto = upto.min(runs.seq);
                    least = least.max(runs.ran_at);
                }
            }
        }
        // A result that was the same at two runs may have been another between them, so who has it
        // stands at the later one and not before.
        (upto >= least).then_some(upto)
    }

    fn token_of(&self, peer: &Peer, subscription_id: &str) -> Option<Token> {
        let id = SubscriptionId::new(subscription_id).ok()?;
        self.connections.get(&peer.id)?.by_id.get(&id).copied()
    }
}

/// An error as the client of a subscription is told it.
fn error_of(id: &SubscriptionId, error: SqlError) -> ServerMessage {
    let SqlError { code, message, position } = error;
    ServerMessage::Error { subscription_id: id.as_str().to_owned(), code, message, position }
}
