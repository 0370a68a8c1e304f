//! When queries run again: at once after a quiet time, else with the next tick, and so many at one time.

use kalamdb_commons::SeqId;

use super::subscription::{Need, Stage};
use super::{Effect, LiveLoop, Token};
use crate::error::SqlError;
use crate::live::job::{Job, Ran, RunJob};
use crate::live::view::ViewId;

impl LiveLoop {
    /// Runs a view's query if that is due.
    pub(super) fn start_run(&mut self, view: ViewId) {
        let due = self.views.get_mut(view).and_then(|view| view.runs()).is_some_and(|runs| runs.start());
        if due {
            self.cooling.insert(view);
            self.runs_due.push_back(view);
            self.start_due_runs();
        }
    }

    /// A subscription goes on when its view's query has run.
    pub(super) fn await_run(&mut self, token: Token, need: Need) {
        let Some(subscription) = self.subscriptions.get_mut(&token) else { return };
        subscription.stage = Stage::Awaits(need);
        let view = subscription.view;
        self.awaiting.entry(view).or_default().push(token);
        self.start_run(view);
    }

    /// A run came back.
    pub(super) fn ran(&mut self, view: ViewId, at_micros: i64, ran: Result<Ran, SqlError>) {
        self.runs_running = self.runs_running.saturating_sub(1);
        match ran {
            Ok(ran) => self.take_result(view, at_micros, ran),
            Err(error) => {
                let subscribers = self.views.get(view).map(|view| view.subscribers.clone()).unwrap_or_default();
                for token in subscribers {
                    self.end_with(token, error.clone());
                }
            }
        }
        self.start_due_runs();
    }

    /// The tick is over: what has changed meanwhile may run.
    pub(super) fn tick(&mut self) {
        for view in std::mem::take(&mut self.cooling) {
            if let Some(runs) = self.views.get_mut(view).and_then(|view| view.runs()) {
                runs.cooling = false;
            }
            self.start_run(view);
        }
    }

    fn take_result(&mut self, id: ViewId, at_micros: i64, ran: Ran) {
        let Some(view) = self.views.get_mut(id) else { return };
        let Some(runs) = view.runs() else { return };
        let before = runs.seq;
        runs.finish(ran.seq, ran.result, ran.delta.is_some());
        if let Some(delta) = ran.delta {
            view.changed_at = ran.seq;
            self.deliver(id, &delta, before, at_micros);
        }
        for token in self.awaiting.remove(&id).unwrap_or_default() {
            let need = self.subscriptions.get(&token).and_then(|subscription| match subscription.stage {
                Stage::Awaits(need) => Some(need),
                Stage::Due(_) | Stage::Reads(_) | Stage::Pages(_) | Stage::Live => None,
            });
            if let Some(need) = need {
                self.enqueue(token, need);
            }
        }
        self.start_run(id);
    }

    fn start_due_runs(&mut self) {
        while self.runs_running < self.options.reruns_max.max(1) {
            let Some(id) = self.runs_due.pop_front() else { return };
            let Some(view) = self.views.get_mut(id) else { continue };
            let plan = view.plan.clone();
            let Some(runs) = view.runs() else { continue };
            let at: SeqId = runs.seq;
            let previous = runs.result.clone().map(|result| (at, result));
            let job = RunJob { view: id, plan, query: runs.query.clone(), previous };
            self.effects.push(Effect::Start(Job::Run(job)));
            self.runs_running = self.runs_running.saturating_add(1);
        }
    }
}
