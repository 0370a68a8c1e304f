//! A view whose query is run again after the commits that concern it.
//!
//! The state of the runs of one view: which result it stands at, what has happened since, and
//! whether a run is on its way. Runs are coalesced: after one has started, the next waits for the tick.
//! What a run found is compared with the last result by whoever ran it.

use std::sync::Arc;

use kalamdb_commons::SeqId;

use crate::live::plan::Requery;
use crate::live::result_set::ResultSet;

/// The runs of one view.
#[derive(Debug)]
pub(crate) struct Runs {
    /// The query.
    pub query: Arc<dyn Requery>,
    /// What the last run found; `None` before the first.
    pub result: Option<Arc<ResultSet>>,
    /// The result stands as of this SeqId.
    pub seq: SeqId,
    /// It was found as of this one. Between two runs it may have been another for a while.
    pub ran_at: SeqId,
    /// The last time the result was not the one before.
    pub changed_at: SeqId,
    /// The last commit that concerns the view and may not be in the result.
    pub dirty: Option<SeqId>,
    /// A run is wanted though no commit asks for it.
    pub wanted: bool,
    /// A run is on its way.
    pub running: bool,
    /// A run has started since the last tick; the next waits for it.
    pub cooling: bool,
    /// Runs started so far.
    pub started: u64,
    /// Runs that came back so far.
    pub finished: u64,
}

impl Runs {
    /// No run yet.
    pub fn new(query: Arc<dyn Requery>) -> Self {
        Runs {
            query,
            result: None,
            seq: SeqId::ZERO,
            ran_at: SeqId::ZERO,
            changed_at: SeqId::ZERO,
            dirty: None,
            wanted: true,
            running: false,
            cooling: false,
            started: 0,
            finished: 0,
        }
    }

    /// A commit concerns the view.
    pub fn commit(&mut self, seq: SeqId) {
        if self.result.is_none() || seq > self.seq {
            self.dirty = Some(seq);
        }
    }

    /// Does the result stand for everything the loop has seen, with no run under way?
    pub fn clean(&self) -> bool {
        self.result.is_some() && self.dirty.is_none() && !self.running && !self.wanted
    }

    /// A clean result stands as of `now` too: nothing that concerns it has happened since.
    pub fn touch(&mut self, now: SeqId) {
        if self.clean() {
            self.seq = self.seq.max(now);
        }
    }

    /// Should a run start now? If so, it counts as started.
    pub fn start(&mut self) -> bool {
        let due = (self.dirty.is_some() || self.wanted) && !self.running && !self.cooling;
        if due {
            self.dirty = None;
            self.wanted = false;
            self.running = true;
            self.cooling = true;
            self.started = self.started.saturating_add(1);
        }
        due
    }

    /// A run came back with the result as of `seq`.
    pub fn finish(&mut self, seq: SeqId, result: Arc<ResultSet>, changed: bool) {
        self.running = false;
        self.finished = self.finished.saturating_add(1);
        self.result = Some(result);
        self.seq = seq;
        self.ran_at = seq;
        if changed {
            self.changed_at = seq;
        }
        self.dirty = self.dirty.filter(|&dirty| dirty > seq);
    }
}

#[cfg(test)]
mod tests;
