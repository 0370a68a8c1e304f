//! Records of live queries, stored and deleted in the order in which that was asked for, many at a time.
//!
//! A write can take as long as a sync does, so neither the live loop nor a socket's task waits for one
//! in its thread. What follows the end of a record (its name is free again, the client is told) is
//! done here too, once the record is gone. One task at a time writes, on the engine's runtime.

use std::sync::Arc;

use kalamdb_store::Store;
use kalamdb_system::live_queries::{self, LiveQueryWrite};
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::live_loop::{Done, Ended};
use super::metrics;
use super::session::Facts;

/// The records of this node's live queries.
#[derive(Debug)]
pub(crate) struct Records {
    store: Store,
    runtime: Handle,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    asked: Vec<Asked>,
    writing: bool,
}

/// What is to become of records.
#[derive(Debug)]
enum Asked {
    /// A subscription is about to begin.
    Save(Arc<Facts>, oneshot::Sender<bool>),
    /// It did not begin after all.
    Remove(Arc<Facts>),
    /// It has ended.
    End(Ended),
    /// A connection has ended with these.
    Close(Vec<Arc<Facts>>, Option<Done>),
}

impl Records {
    /// The records in `store`, written on `runtime`.
    pub fn new(store: Store, runtime: Handle) -> Arc<Self> {
        Arc::new(Records { store, runtime, state: Mutex::default() })
    }

    /// Stores the record of a subscription; says whether that was done.
    pub async fn save(self: &Arc<Self>, facts: Arc<Facts>) -> bool {
        let (done, saved) = oneshot::channel();
        self.ask(Asked::Save(facts, done));
        saved.await.unwrap_or(false)
    }

    /// Deletes the record of a subscription that did not begin.
    pub fn remove(self: &Arc<Self>, facts: Arc<Facts>) {
        self.ask(Asked::Remove(facts));
    }

    /// A subscription has ended: its record goes, then its name, and then its client is told.
    pub fn end(self: &Arc<Self>, ended: Ended) {
        self.ask(Asked::End(ended));
    }

    /// A connection has ended: the records of its subscriptions go.
    pub fn close(self: &Arc<Self>, ended: Vec<Arc<Facts>>, done: Option<Done>) {
        self.ask(Asked::Close(ended, done));
    }

    fn ask(self: &Arc<Self>, asked: Asked) {
        let mut state = self.state.lock();
        state.asked.push(asked);
        if !std::mem::replace(&mut state.writing, true) {
            let records = self.clone();
            self.runtime.spawn_blocking(move || records.write());
        }
    }

    fn write(&self) {
        loop {
            let asked = {
                let mut state = self.state.lock();
                state.writing = !state.asked.is_empty();
                std::mem::take(&mut state.asked)
            };
            if asked.is_empty() {
                return;
            }
            let written = live_queries::write(&self.store, asked.iter().flat_map(Asked::writes));
            if let Err(error) = &written {
                // What could not be deleted is purged at the next start.
                metrics::record_not_written();
                tracing::warn!(%error, "records of live queries could not be written");
            }
            for asked in asked {
                asked.finish(written.is_ok());
            }
        }
    }
}

impl Asked {
    fn writes(&self) -> Vec<LiveQueryWrite<'_>> {
        match self {
            Asked::Save(facts, _) => vec![LiveQueryWrite::Save(&facts.record)],
            Asked::Remove(facts) => vec![LiveQueryWrite::Remove(&facts.record)],
            Asked::End(ended) => vec![LiveQueryWrite::Remove(&ended.facts.record)],
            Asked::Close(ended, _) => ended.iter().map(|facts| LiveQueryWrite::Remove(&facts.record)).collect(),
        }
    }

    fn finish(self, written: bool) {
        // Whoever asked may have gone away; then nobody wants to know.
        match self {
            Asked::Save(_, done) => drop(done.send(written)),
            Asked::Remove(_) => {}
            Asked::End(Ended { peer, facts, last, cause, done, .. }) => {
                peer.session.lock().release(facts.id());
                if let Some(last) = last {
                    peer.outbox.send(&last);
                }
                metrics::subscription_ended(cause);
                done.map(|done| done.send(true));
            }
            Asked::Close(ended, done) => {
                for _ in ended {
                    metrics::subscription_ended("connection_closed");
                }
                done.map(|done| done.send(true));
            }
        }
    }
}

#[cfg(test)]
mod tests;
