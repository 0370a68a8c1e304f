//! What happened to a filter query in the past, from the change log.
//!
//! The same function that looks at commits as they happen looks at the changes of one table and scope,
//! commit by commit, and gives the very frames that would have been sent. It reads a bounded
//! amount at a time, but always whole commits.

use std::ops::ControlFlow;
use std::sync::Arc;

use kalamdb_commons::SeqId;
use kalamdb_store::{Change, ReadError, Snapshot};

use super::delta::{Delta, RowChange};
use super::job::Replay;
use super::options::LiveOptions;
use super::plan::{LivePlan, RowFilter};
use super::view::filter::row_change;

/// The changes after `from`. `may_lack` is where a client may have stopped in the midst of a snapshot.
pub(crate) fn read(
    plan: &LivePlan,
    filter: &dyn RowFilter,
    snapshot: &Snapshot,
    (from, may_lack): (SeqId, Option<SeqId>),
    options: &LiveOptions,
) -> Result<Replay, ReadError> {
    let mut replayer = Replayer::new(plan, filter, (from, may_lack), options);
    for source in &plan.sources {
        snapshot.changes(source.table, &source.scope, from, &mut |change| replayer.change(&change))?;
    }
    Ok(replayer.finish(snapshot.seq()))
}

/// Turns changes into frames, commit by commit.
#[derive(Debug)]
pub(crate) struct Replayer<'a> {
    plan: &'a LivePlan,
    filter: &'a dyn RowFilter,
    may_lack: Option<SeqId>,
    frame_max_bytes: usize,
    bytes_left: usize,
    replay: Replay,
    /// The commit whose changes are being collected.
    commit: SeqId,
    changes: Vec<RowChange>,
    full: bool,
}

impl<'a> Replayer<'a> {
    /// Begins after `from`.
    pub fn new(
        plan: &'a LivePlan,
        filter: &'a dyn RowFilter,
        (from, may_lack): (SeqId, Option<SeqId>),
        options: &LiveOptions,
    ) -> Self {
        Replayer {
            plan,
            filter,
            may_lack,
            frame_max_bytes: options.frame_max_bytes,
            // What is read at a time must fit where it goes.
            bytes_left: options.catch_up_max_bytes.min(options.outbox_max_bytes / 2),
            replay: Replay { upto: from, ..Replay::default() },
            commit: from,
            changes: Vec::new(),
            full: false,
        }
    }

    /// Takes the next change, in order, unless enough was read.
    pub fn change(&mut self, change: &Change) -> ControlFlow<()> {
        if change.commit != self.commit {
            self.end_commit();
            if self.full {
                return ControlFlow::Break(());
            }
            self.commit = change.commit;
        }
        self.changes.extend(row_change(self.plan, self.filter, change, self.may_lack));
        ControlFlow::Continue(())
    }

    /// What was read, when the log ends at `end`.
    pub fn finish(mut self, end: SeqId) -> Replay {
        if !self.full {
            self.end_commit();
            self.replay.upto = end;
            self.replay.complete = true;
        }
        self.replay
    }

    fn end_commit(&mut self) {
        let changes = std::mem::take(&mut self.changes);
        if let Some(delta) = Delta::encode(self.plan, self.commit, &changes, self.frame_max_bytes) {
            self.full = delta.bytes >= self.bytes_left;
            self.bytes_left = self.bytes_left.saturating_sub(delta.bytes);
            let after = self.replay.upto;
            self.replay.steps.push((after, Arc::new(delta)));
        }
        self.replay.upto = self.replay.upto.max(self.commit);
    }
}

#[cfg(test)]
mod tests;
