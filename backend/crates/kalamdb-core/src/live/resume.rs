//! What happened to a re-run query in the past: its result as it was, compared with one that is known.
//!
//! Any query can be resumed so, without a history of its results: each source is looked at as it was,
//! which the change log tells. Who comes back from points between which no source has changed is
//! told the same; the result as it was is computed once for them.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use kalamdb_commons::{ErrorCode, SeqId};
use kalamdb_store::Snapshot;

use super::catch_up::take_gone;
use super::delta::Delta;
use super::job::{Found, reaches};
use super::live_loop::Token;
use super::metrics;
use super::options::LiveOptions;
use super::plan::{LivePlan, Requery, Source};
use super::replay::{Past, PastStep, Point, Reader, Replay, Telling};
use super::result_set::{ResultSet, pages_ascend};
use crate::error::SqlError;

/// A re-run query with a known result, and who waits to be told what has led there.
#[derive(Debug)]
pub(crate) struct ResultPast {
    /// The query.
    pub plan: Arc<LivePlan>,
    /// The same, to be run.
    pub query: Arc<dyn Requery>,
    /// The result stands as of this SeqId.
    pub to: SeqId,
    /// The result.
    pub result: Arc<ResultSet>,
    /// Who waits.
    pub readers: Vec<Reader>,
}

/// What the history tells of a re-run query.
///
/// # Errors
/// [`SqlError`] when the history cannot be read or the query fails.
pub(crate) async fn read(
    mut past: ResultPast,
    snapshot: &Snapshot,
    options: &LiveOptions,
) -> Result<Vec<(Token, Found)>, SqlError> {
    let (query, sources) = (past.query.clone(), past.plan.sources.clone());
    let mut found = take_gone(&mut past.readers, |from| Ok(query.repeats() && reaches(snapshot, &sources, from)?))?;
    let mut budget = options.catch_up_max_bytes.min(options.outbox_max_bytes / 2).max(1);
    for readers in alike(&past.readers, |after, upto| changed(snapshot, &sources, (after, upto)))? {
        let Some(from) = readers.first().map(|reader| reader.point.from) else { continue };
        if budget == 0 {
            found.extend(readers.iter().map(|reader| (reader.token, Found::Changes(Replay::not_yet(reader.point)))));
            continue;
        }
        metrics::result_as_of();
        match query.run(snapshot, Some(from)).await {
            Ok(rows) => {
                let then = ResultSet::new(&past.plan, rows);
                let (told, bytes) = differences(&past, &then, &readers, options.frame_max_bytes);
                found.extend(told);
                budget = budget.saturating_sub(bytes);
            }
            // More has changed than can be looked at, so the result is sent anew.
            Err(error) if error.code == ErrorCode::TooLarge => {
                found.extend(readers.iter().map(|reader| (reader.token, Found::Gone)));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// The readers in groups that are told the same: nothing has `changed` between the points of a group.
pub(crate) fn alike(
    readers: &[Reader],
    mut changed: impl FnMut(SeqId, SeqId) -> Result<bool, SqlError>,
) -> Result<Vec<Vec<Reader>>, SqlError> {
    let mut readers = readers.to_vec();
    readers.sort_by_key(|reader| reader.point.from);
    let mut groups: Vec<Vec<Reader>> = Vec::new();
    let mut stands_at = None;
    for reader in readers {
        let from = reader.point.from;
        let begins = match stands_at.replace(from) {
            None => true,
            Some(before) => before < from && changed(before, from)?,
        };
        match groups.last_mut().filter(|_| !begins) {
            Some(group) => group.push(reader),
            None => groups.push(vec![reader]),
        }
    }
    Ok(groups)
}

/// Has one of the sources changed after the first SeqId, up to the second?
fn changed(snapshot: &Snapshot, sources: &[Source], (after, upto): (SeqId, SeqId)) -> Result<bool, SqlError> {
    let mut changed = false;
    for source in sources {
        let mut first = |change: kalamdb_store::Change| {
            changed |= change.seq <= upto;
            ControlFlow::Break(())
        };
        snapshot.changes(source.table, &source.scope, after, &mut first).map_err(SqlError::internal)?;
    }
    Ok(changed)
}

/// What turns the result `then` of these readers' points into the one that is known, and the bytes of its frames.
///
/// A client that may lack rows may have stopped in the midst of a snapshot that ascends by `_seq`. Nothing
/// offers it such a point for this kind of query, but it may have taken the `_seq` of a row for one.
pub(crate) fn differences(
    past: &ResultPast,
    then: &ResultSet,
    readers: &[Reader],
    frame_max_bytes: usize,
) -> (Vec<(Token, Found)>, usize) {
    let (plan, to) = (&past.plan, past.to);
    let lacks = |point: Point| point.may_lack.is_some() && pages_ascend(plan);
    let kinds: BTreeSet<bool> = readers.iter().map(|reader| lacks(reader.point)).collect();
    let (mut told, mut bytes) = (Vec::new(), 0_usize);
    for kind in kinds {
        let of_kind = || readers.iter().filter(|reader| lacks(reader.point) == kind);
        // What stands at one SeqId has not changed since.
        let from = of_kind().map(|reader| reader.point.from).min().filter(|&from| from < to);
        let changes = from.map(|from| then.changes_to(plan, &past.result, (from, to), kind));
        let delta = Delta::encode(plan, to, &changes.unwrap_or_default(), frame_max_bytes);
        bytes = bytes.saturating_add(delta.as_ref().map_or(0, |delta| delta.bytes));
        let step = PastStep {
            after: SeqId::ZERO,
            commit: to,
            first: to,
            rewrites: Vec::new(),
            tellings: vec![(Telling::default(), delta.map(Arc::new))],
        };
        let all = Arc::new(Past(vec![step]));
        let replay = |reader: &Reader| Found::Changes(Replay::new(all.clone(), reader.point, to, true));
        told.extend(of_kind().map(|reader| (reader.token, replay(reader))));
    }
    (told, bytes)
}

#[cfg(test)]
mod tests;
