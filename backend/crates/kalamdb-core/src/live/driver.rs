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
use kalamdb_system::Catalog;
use tokio::runtime::Handle;

use super::close_reason::CloseReason;
use super::connection_registry::ConnectionRegistry;
use super::job::{Job, ReadJob, RunJob};
use super::live_loop::{Effect, Input, LiveLoop, NewSubscription};
use super::options::LiveOptions;
use super::queue::{LoopQueue, Next};
use super::records::Records;
use crate::error::SqlError;

/// Everything the thread works with.
#[derive(Debug)]
pub(crate) struct Driver {
    /// Snapshots.
    pub store: Store,
    /// Tables, for subscriptions that begin.
    pub catalog: Arc<Catalog>,
    /// Runs jobs.
    pub runtime: Handle,
    /// Records of subscriptions.
    pub records: Arc<Records>,
    /// Who is here.
    pub registry: Arc<ConnectionRegistry>,
    /// Bounds and pace.
    pub options: Arc<LiveOptions>,
    /// What comes.
    pub queue: Arc<LoopQueue>,
    /// How far the loop is, for everybody; where it begins, at first.
    pub position: Arc<AtomicU64>,
}

/// Closes everything when the thread ends, however it ends: without it nobody would be told of anything.
struct ClosesAll(Arc<LoopQueue>, Arc<ConnectionRegistry>);

impl Drop for ClosesAll {
    fn drop(&mut self) {
        self.1.shut();
        for peer in self.1.all() {
            peer.outbox.close(CloseReason::ShuttingDown);
        }
        self.0.close();
    }
}

impl Driver {
    /// Runs until the queue is closed and empty.
    pub fn run(self) {
        let _closes = ClosesAll(self.queue.clone(), self.registry.clone());
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
                Effect::End(ended) => {
                    ended.peer.outbox.discard(ended.token);
                    self.records.end(ended);
                }
                Effect::Closed { ended, done } => self.records.close(ended, done),
                Effect::Done(done, found) => {
                    let _ = done.send(found);
                }
                Effect::Later(input) => {
                    self.queue.push(input);
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
        let (slot, readers, blocks) = (job.slot.clone(), job.readers(), job.is_blocking());
        let work = async move {
            let found = AssertUnwindSafe(job.read(&snapshot, &options)).catch_unwind().await;
            let found = found.unwrap_or_else(|_| Err(SqlError::internal("reading for a live query panicked")));
            let found = match found {
                Ok(found) => found.into_iter().map(|(token, found)| (token, Ok(found))).collect(),
                Err(error) => readers.into_iter().map(|token| (token, Err(error.clone()))).collect(),
            };
            let at_micros = store.clock().now_micros();
            queue.push(Input::Found { slot: Some(slot), at_micros, found });
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
}
