//! What happened to filter queries in the past, from one pass over the change log.
//!
//! The same function that looks at commits as they happen looks at the changes of one table and scope,
//! commit by commit, and gives the very frames that would have been sent. One pass serves all queries over
//! the table and scope and everybody who waits for them, from the earliest point on. It reads a
//! bounded amount, but always whole commits; who was not reached, or not brought to the end, waits for the next.

use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, Entry};
use std::ops::ControlFlow;
use std::sync::Arc;

use kalamdb_commons::{Row, SeqId};
use kalamdb_store::{Change, Snapshot};

use super::delta::{Delta, RowChange};
use super::job::{Found, reaches};
use super::live_loop::Token;
use super::metrics;
use super::options::LiveOptions;
use super::plan::{LivePlan, RowFilter};
use super::replay::{Past, PastStep, Point, Reader, Replay, Telling};
use super::router::Router;
use super::view::ViewId;
use super::view::filter::row_change_or_rewrite;
use crate::error::SqlError;

/// A filter query, and who waits to be told of its past.
#[derive(Debug)]
pub(crate) struct QueryPast {
    /// Its view.
    pub view: ViewId,
    /// The query.
    pub plan: Arc<LivePlan>,
    /// The same, to look at rows.
    pub filter: Arc<dyn RowFilter>,
    /// Who waits.
    pub readers: Vec<Reader>,
}

/// What the log tells of queries over one table and scope.
///
/// # Errors
/// [`SqlError`] when the log cannot be read.
pub(crate) fn read(
    mut queries: Vec<QueryPast>,
    snapshot: &Snapshot,
    options: &LiveOptions,
) -> Result<Vec<(Token, Found)>, SqlError> {
    let Some(source) = queries.first().and_then(|query| query.plan.sources.first()).cloned() else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for query in &mut queries {
        found.extend(take_gone(&mut query.readers, |from| reaches(snapshot, std::slice::from_ref(&source), from))?);
    }
    if let Some(mut pass) = Pass::new(&queries, options) {
        metrics::log_pass();
        let read = snapshot.changes(source.table, &source.scope, pass.from(), &mut |change| pass.change(&change));
        read.map_err(SqlError::internal)?;
        found.extend(pass.finish(snapshot.seq()));
    }
    Ok(found)
}

/// Takes out those whose point the history does not reach back to.
pub(crate) fn take_gone(
    readers: &mut Vec<Reader>,
    mut reaches: impl FnMut(SeqId) -> Result<bool, SqlError>,
) -> Result<Vec<(Token, Found)>, SqlError> {
    let mut known: BTreeMap<SeqId, bool> = BTreeMap::new();
    for reader in readers.iter() {
        if let Entry::Vacant(unknown) = known.entry(reader.point.from) {
            let from = *unknown.key();
            unknown.insert(reaches(from)?);
        }
    }
    let is_gone = |reader: &mut Reader| known.get(&reader.point.from) != Some(&true);
    Ok(readers.extract_if(.., is_gone).map(|reader| (reader.token, Found::Gone)).collect())
}

/// One pass over the changes of a table and scope.
#[derive(Debug)]
pub(crate) struct Pass<'a> {
    queries: BTreeMap<ViewId, Replayer<'a>>,
    router: Router,
    frame_max_bytes: usize,
    /// Bytes of frames that may still be made.
    frames_left: usize,
    /// Bytes of the log that may still be read.
    log_left: usize,
    from: SeqId,
    /// Whole commits were read up to here.
    upto: SeqId,
    /// The commit whose changes are being collected, and whom they concern.
    commit: Option<SeqId>,
    concerned: BTreeSet<ViewId>,
    full: bool,
}

impl<'a> Pass<'a> {
    /// A pass for all readers of these queries, from their earliest point; `None` if there are none.
    pub fn new(queries: &'a [QueryPast], options: &LiveOptions) -> Option<Self> {
        let points = queries.iter().flat_map(|query| query.readers.iter().map(|reader| reader.point.from));
        let from = points.min()?;
        let mut router = Router::default();
        for query in queries {
            router.add(query.view, &query.plan);
        }
        Some(Pass {
            queries: queries.iter().map(|query| (query.view, Replayer::new(query))).collect(),
            router,
            frame_max_bytes: options.frame_max_bytes,
            // What is read at a time must fit where it goes.
            frames_left: options.catch_up_max_bytes.min(options.outbox_max_bytes / 2),
            log_left: options.log_pass_max_bytes,
            from,
            upto: from,
            commit: None,
            concerned: BTreeSet::new(),
            full: false,
        })
    }

    /// Where it begins.
    pub fn from(&self) -> SeqId {
        self.from
    }

    /// Takes the next change, in order, unless enough was read.
    pub fn change(&mut self, change: &Change) -> ControlFlow<()> {
        if self.commit != Some(change.commit) {
            self.end_commit();
            if self.full {
                return ControlFlow::Break(());
            }
            self.commit = Some(change.commit);
        }
        self.log_left = self.log_left.saturating_sub(size_bytes(change));
        self.router.probe(change, |view| {
            if let Some(query) = self.queries.get_mut(&view) {
                query.change(change);
                self.concerned.insert(view);
            }
        });
        ControlFlow::Continue(())
    }

    /// What was read for each reader, when the log ends at `end`.
    pub fn finish(mut self, end: SeqId) -> Vec<(Token, Found)> {
        if !self.full {
            self.end_commit();
            self.full = false;
            self.upto = end;
        }
        let (upto, complete) = (self.upto, !self.full);
        let told = self.queries.into_values().flat_map(|query| {
            let past = Arc::new(Past(query.steps));
            let told = |reader: &Reader| (reader.token, Replay::new(past.clone(), reader.point, upto, complete));
            query.readers.iter().map(told).collect::<Vec<_>>()
        });
        told.map(|(token, replay)| (token, Found::Changes(replay))).collect()
    }

    fn end_commit(&mut self) {
        let Some(commit) = self.commit else { return };
        let mut told = 0_usize;
        for view in std::mem::take(&mut self.concerned) {
            if let Some(query) = self.queries.get_mut(&view) {
                told = told.saturating_add(query.end_commit(self.upto, commit, self.frame_max_bytes));
            }
        }
        self.full = (told > 0 && told >= self.frames_left) || self.log_left == 0;
        self.frames_left = self.frames_left.saturating_sub(told);
        self.upto = self.upto.max(commit);
    }
}

/// Turns the changes that concern one query into frames, commit by commit.
#[derive(Debug)]
struct Replayer<'a> {
    plan: &'a LivePlan,
    filter: &'a dyn RowFilter,
    readers: &'a [Reader],
    /// Where its readers stand, each point once.
    points: Vec<Point>,
    /// The latest point up to which somebody may lack rows.
    lacks: Option<SeqId>,
    steps: Vec<PastStep>,
    /// Changes of the commit; a row that looks as before comes with when it had been written.
    changes: Vec<(RowChange, Option<SeqId>)>,
    last: SeqId,
}

impl<'a> Replayer<'a> {
    fn new(query: &'a QueryPast) -> Self {
        let mut points: Vec<Point> = query.readers.iter().map(|reader| reader.point).collect();
        points.sort_unstable();
        points.dedup();
        Replayer {
            plan: &query.plan,
            filter: query.filter.as_ref(),
            readers: &query.readers,
            lacks: points.iter().filter_map(|point| point.may_lack).max(),
            points,
            steps: Vec::new(),
            changes: Vec::new(),
            last: SeqId::ZERO,
        }
    }

    fn change(&mut self, change: &Change) {
        // The router may find one query by the old row and by the new one.
        if change.seq <= self.last {
            return;
        }
        self.last = change.seq;
        let is_lacked = |written: Option<SeqId>| written.is_none_or(|written| Some(written) <= self.lacks);
        let told = row_change_or_rewrite(self.plan, self.filter, change).filter(|(_, written)| is_lacked(*written));
        self.changes.extend(told);
    }

    /// Encodes what the commit did for everybody who has not all of it; gives the bytes of the frames.
    fn end_commit(&mut self, after: SeqId, commit: SeqId, frame_max_bytes: usize) -> usize {
        let changes = std::mem::take(&mut self.changes);
        let waiting = self.points.partition_point(|point| point.from < commit);
        let Some((first, _)) = changes.first().filter(|_| waiting > 0) else { return 0 };
        let mut rewrites: Vec<SeqId> = changes.iter().filter_map(|(_, written)| *written).collect();
        rewrites.sort_unstable();
        let mut step = PastStep { after, commit, first: first.seq, rewrites, tellings: Vec::new() };
        let points = self.points.get(..waiting).unwrap_or_default();
        let alike = step.rewrites.is_empty() && points.last().is_some_and(|point| point.from < step.first);
        let tellings: BTreeSet<Telling> = if alike {
            BTreeSet::from([Telling::default()])
        } else {
            points.iter().map(|point| step.telling(*point)).collect()
        };
        for telling in tellings {
            let delta = self.encode(commit, &changes, telling, frame_max_bytes);
            step.tellings.push((telling, delta.map(Arc::new)));
        }
        let told = step.tellings.iter().filter_map(|(_, delta)| delta.as_ref()).map(|delta| delta.bytes).sum();
        if told > 0 {
            self.steps.push(step);
        }
        told
    }

    fn encode(
        &self,
        commit: SeqId,
        changes: &[(RowChange, Option<SeqId>)],
        telling: Telling,
        frame_max_bytes: usize,
    ) -> Option<Delta> {
        let is_told = |(change, written): &&(RowChange, Option<SeqId>)| {
            change.seq > telling.after && written.is_none_or(|written| written <= telling.lacks)
        };
        let told: Vec<RowChange> = changes.iter().filter(is_told).map(|(change, _)| change.clone()).collect();
        Delta::encode(self.plan, commit, &told, frame_max_bytes)
    }
}

/// What a change holds in memory, roughly.
fn size_bytes(change: &Change) -> usize {
    let old = change.old.as_ref().map_or(0, |(_, row)| row.size_bytes());
    let new = change.new.as_ref().map_or(0, Row::size_bytes);
    old.saturating_add(new).saturating_add(change.key.as_bytes().len()).max(1)
}

#[cfg(test)]
mod tests;
