//! What happened to a re-run query in the past: its result as it was, compared with one that is known.
//!
//! Any query can be resumed so, without a history of its results: each source is looked at as it was,
//! which the change log tells.

use std::sync::Arc;

use kalamdb_commons::SeqId;

use super::delta::Delta;
use super::job::Replay;
use super::options::LiveOptions;
use super::plan::LivePlan;
use super::result_set::{ResultSet, pages_ascend};

/// What turns the result `then`, as of `from`, into `now`, as of `to`.
///
/// With `may_lack` the client may have stopped in the midst of a snapshot that ascends by `_seq`. Nothing
/// offers it such a point for this kind of query, but it may have taken the `_seq` of a row for one.
pub(crate) fn difference(
    plan: &LivePlan,
    then: &ResultSet,
    now: &ResultSet,
    (from, to): (SeqId, SeqId),
    may_lack: bool,
    options: &LiveOptions,
) -> Replay {
    if to <= from {
        return Replay { upto: to, complete: true, ..Replay::default() };
    }
    let changes = then.changes_to(plan, now, (from, to), may_lack && pages_ascend(plan));
    let delta = Delta::encode(plan, to, &changes, options.frame_max_bytes);
    Replay { steps: delta.into_iter().map(|delta| (from, Arc::new(delta))).collect(), upto: to, complete: true }
}

#[cfg(test)]
mod tests;
