//! The thread of the live loop: takes what comes, and does what the loop says.
//!
//! Jobs run on the engine's runtime, each on a snapshot that is taken when the loop asks for it, so
//! that nothing the loop has seen is missing from it. A job that panics is a job that failed.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use futures_util::FutureExt as _;
use kalamdb_commons::SeqId;
use kalamdb_store::Store;
use kalamdb_system::{Catalog, live_queries};
use tokio::runtime::Handle;

use super::job::{Job, ReadJob, RunJob};
use super::live_loop::{Done, Effect, Ended, Input, LiveLoop, NewSubscription};
use super::metrics;
use super::options::LiveOptions;
use super::queue::{LoopQueue, Next};
use super::session::Facts;
use crate::error::SqlError;

/// So many records are deleted by the loop itself; more would hold it up.
const RECORDS_AT_ONCE_MAX: usize = 32;

/// Everything the thread works with.
#[derive(Debug)]
pub(crate) struct Driver {
    /// Snapshots and records.
    pub store: Store,
    /// Tables, for subscriptions that begin.
    pub catalog: Arc<Catalog>,
    /// Runs jobs.
    pub runtime: Handle,
    /// Name of this node, in records.
    pub node_id: String,
    /// Bounds and pace.
    pub options: Arc<LiveOptions>,
    /// What comes.
    pub queue: Arc<LoopQueue>,
    /// How far the loop is, for everybody; where it begins, at first.
    pub position: Arc<AtomicU64>,
}

/// Closes the queue when the thread ends, however it ends, so that nobody waits for it in vain.
struct ClosesQueue(Arc<LoopQueue>);

impl Drop for ClosesQueue {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Driver {
    /// Runs until the queue is closed and empty.
    pub fn run(self) {
        let _closes = ClosesQueue(self.queue.clone());
        let begin = SeqId(self.position.load(Ordering::Acquire));
        let mut state = LiveLoop::new(begin, LiveOptions::clone(&self.options));
        let mut tick_at: Option<Instant> = None;
        loop {
            match self.queue.take(tick_at) {
                Next::Input(input) => self.step(&mut state, input),
                Next::Late => {}
                Next::End => return,
            }
            if tick_at.is_some_and(|at| at <= Instant::now()) {
                tick_at = None;
                self.step(&mut state, Input::Tick);
            }
            if tick_at.is_none() && state.wants_tick() {
                tick_at = Instant::now().checked_add(self.options.rerun_tick);
            }
        }
    }

    fn step(&self, state: &mut LiveLoop, mut input: Input) {
        if let Input::Subscribe(new) = &mut input {
            self.look_up_tables(new);
        }
        for effect in state.input(input) {
            match effect {
                Effect::Start(Job::Read(job)) => self.read(job),
                Effect::Start(Job::Run(job)) => self.run_query(job),
                Effect::End(ended) => self.end(ended),
                Effect::Closed { ended, done } => self.forget(ended, done),
                Effect::Done(done, found) => {
                    let _ = done.send(found);
                }
            }
        }
        self.position.store(state.position().0, Ordering::Release);
    }

    /// The catalog is never behind the queue: what it does not show yet will come as a commit.
    fn look_up_tables(&self, new: &mut NewSubscription) {
        let catalog = self.catalog.state();
        let tables = new.plan.sources.iter().map(|source| source.table);
        new.tables = tables.map(|table| (table, catalog.table_by_id(table).cloned())).collect();
    }

    fn read(&self, job: ReadJob) {
        let (snapshot, options) = (self.store.snapshot(), self.options.clone());
        let (store, queue, runtime) = (self.store.clone(), self.queue.clone(), self.runtime.clone());
        let (connection, token, blocks) = (job.connection, job.token, job.is_blocking());
        let work = async move {
            let found = AssertUnwindSafe(job.read(&snapshot, &options)).catch_unwind().await;
            let found = found.unwrap_or_else(|_| Err(SqlError::internal("reading for a live query panicked")));
            let at_micros = store.clock().now_micros();
            queue.push(Input::Found { connection, token, at_micros, found });
        };
        if blocks {
            self.runtime.spawn_blocking(move || runtime.block_on(work));
        } else {
            self.runtime.spawn(work);
        }
    }

    fn run_query(&self, job: RunJob) {
        let (snapshot, options) = (self.store.snapshot(), self.options.clone());
        let (store, queue, view) = (self.store.clone(), self.queue.clone(), job.view);
        self.runtime.spawn(async move {
            let ran = AssertUnwindSafe(job.run(&snapshot, &options)).catch_unwind().await;
            let ran = ran.unwrap_or_else(|_| Err(SqlError::internal("the query of a live query panicked")));
            let at_micros = store.clock().now_micros();
            queue.push(Input::Ran { view, at_micros, ran });
        });
    }

    fn end(&self, ended: Ended) {
        let Ended { peer, token, facts, last, cause, done } = ended;
        peer.outbox.discard(token);
        remove_record(&self.store, &self.node_id, &facts);
        peer.session.lock().release(facts.id());
        if let Some(last) = last {
            peer.outbox.send(&last);
        }
        metrics::subscription_ended(cause);
        if let Some(done) = done {
            let _ = done.send(true);
        }
    }

    fn forget(&self, ended: Vec<Arc<Facts>>, done: Option<Done>) {
        let (store, node_id) = (self.store.clone(), self.node_id.clone());
        let many = ended.len() > RECORDS_AT_ONCE_MAX;
        let work = move || {
            for facts in ended {
                remove_record(&store, &node_id, &facts);
                metrics::subscription_ended("connection_closed");
            }
            if let Some(done) = done {
                let _ = done.send(true);
            }
        };
        if many {
            self.runtime.spawn_blocking(work);
        } else {
            work();
        }
    }
}

/// Deletes the record of a subscription. What cannot be deleted is purged at the next start.
fn remove_record(store: &Store, node_id: &str, facts: &Facts) {
    if let Err(error) = live_queries::remove(store, node_id, &facts.record.live_id) {
        metrics::record_not_written();
        tracing::warn!(%error, "the record of a live query could not be deleted");
    }
}
