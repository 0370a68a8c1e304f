//! Records of live queries, stored and deleted in the order in which that was asked for, many at a time.
//!
//! A write can take as long as a sync does, so neither the live loop nor a socket's task waits for one
//! in its thread. What follows the end of a record (its name is free again, the client is told) is
//! done here too, once the record is gone. One task at a time writes, on the engine's runtime.
//!
//! A disk that takes no writes holds up nobody: what it does not take is **owed**, and written as soon
//! as it does. There is at most one owed write per live query.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use kalamdb_commons::LiveQueryId;
use kalamdb_store::Store;
use kalamdb_system::live_queries::{self, LiveQueryStoreError, LiveQueryWrite};
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::live_loop::{Done, Ended};
use super::metrics;
use super::session::Facts;

/// Time between two tries to write what is owed.
const RETRY_EVERY: Duration = Duration::from_secs(1);

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
    owed: Owed,
    /// What is owed will be asked for again.
    retries: bool,
}

/// Writes that the disk did not take.
#[derive(Debug, Default)]
struct Owed(HashMap<LiveQueryId, Due>);

/// One write that is owed.
#[derive(Debug)]
struct Due {
    write: Write,
    /// There may be an older record to be deleted.
    is_stored: bool,
}

/// What becomes of one record.
#[derive(Debug, Clone)]
enum Write {
    Save(Arc<Facts>),
    Remove(Arc<Facts>),
}

/// What is to become of records.
#[derive(Debug)]
enum Asked {
    /// A subscription is about to begin.
    Save(Arc<Facts>, oneshot::Sender<()>),
    /// It did not begin after all.
    Remove(Arc<Facts>),
    /// It has ended.
    End(Ended),
    /// A connection has ended with these.
    Close(Vec<Arc<Facts>>, Option<Done>),
    /// What is owed is tried again.
    Owed,
}

impl Records {
    /// The records in `store`, written on `runtime`.
    pub fn new(store: Store, runtime: Handle) -> Arc<Self> {
        Arc::new(Records { store, runtime, state: Mutex::default() })
    }

    /// Stores the record of a subscription, or owes it; says whether that was done.
    pub async fn save(self: &Arc<Self>, facts: Arc<Facts>) -> bool {
        let (done, saved) = oneshot::channel();
        self.ask(Asked::Save(facts, done));
        // Nobody answers when everything is going down.
        saved.await.is_ok()
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

    fn write(self: Arc<Self>) {
        loop {
            let (asked, owed) = {
                let mut state = self.state.lock();
                state.writing = !state.asked.is_empty();
                if !state.writing {
                    return;
                }
                // Nobody else looks at what is owed while this writes.
                (std::mem::take(&mut state.asked), std::mem::take(&mut state.owed))
            };
            let new: Vec<Write> = asked.iter().flat_map(Asked::writes).collect();
            let writes = owed.0.values().map(|due| &due.write).chain(&new).map(Write::for_store);
            if let Err(error) = live_queries::write(&self.store, writes) {
                self.owe(owed, new, &error);
            }
            asked.into_iter().for_each(Asked::finish);
        }
    }

    /// The disk did not take these; it is asked again soon.
    fn owe(self: &Arc<Self>, mut owed: Owed, new: Vec<Write>, error: &LiveQueryStoreError) {
        metrics::record_not_written();
        if owed.0.is_empty() {
            tracing::warn!(%error, "records of live queries could not be written; it is tried again every second");
        }
        new.into_iter().for_each(|write| owed.add(write));
        let mut state = self.state.lock();
        state.owed = owed;
        if !std::mem::replace(&mut state.retries, true) {
            let records = self.clone();
            self.runtime.spawn(async move {
                tokio::time::sleep(RETRY_EVERY).await;
                records.state.lock().retries = false;
                records.ask(Asked::Owed);
            });
        }
    }
}

impl Owed {
    /// The last word on a live query counts. One whose record was never stored needs none to be deleted.
    fn add(&mut self, write: Write) {
        let id = write.facts().record.live_id.clone();
        let before = self.0.remove(&id);
        let is_stored = match (&write, &before) {
            (Write::Save(_), None) => false,
            (Write::Remove(_), None) => true,
            (_, Some(before)) => before.is_stored,
        };
        if is_stored || matches!(write, Write::Save(_)) {
            self.0.insert(id, Due { write, is_stored });
        }
    }
}

impl Write {
    fn facts(&self) -> &Facts {
        let (Write::Save(facts) | Write::Remove(facts)) = self;
        facts
    }

    fn for_store(&self) -> LiveQueryWrite<'_> {
        match self {
            Write::Save(facts) => LiveQueryWrite::Save(&facts.record),
            Write::Remove(facts) => LiveQueryWrite::Remove(&facts.record),
        }
    }
}

impl Asked {
    fn writes(&self) -> Vec<Write> {
        match self {
            Asked::Save(facts, _) => vec![Write::Save(facts.clone())],
            Asked::Remove(facts) => vec![Write::Remove(facts.clone())],
            Asked::End(ended) => vec![Write::Remove(ended.facts.clone())],
            Asked::Close(ended, _) => ended.iter().cloned().map(Write::Remove).collect(),
            Asked::Owed => Vec::new(),
        }
    }

    fn finish(self) {
        // Whoever asked may have gone away; then nobody wants to know.
        match self {
            Asked::Save(_, done) => drop(done.send(())),
            Asked::Remove(_) | Asked::Owed => {}
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
