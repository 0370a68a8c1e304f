//! What the live loop has others do: read rows, read the change log, run queries.
//!
//! A [`Job`] says what is wanted and is done on the engine's runtime, on a store snapshot that is taken
//! when it starts; what it found comes back to the loop as an input. How a query's past becomes changes
//! is the business of `catch_up` and `resume`.

use std::sync::Arc;

use kalamdb_commons::{ConnectionId, ErrorCode, SeqId};
use kalamdb_store::{ReadError, Snapshot};

use super::catch_up;
use super::delta::Delta;
use super::live_loop::Token;
use super::metrics;
use super::options::LiveOptions;
use super::plan::{LivePlan, Requery, RowFilter, Source};
use super::result_set::ResultSet;
use super::resume;
use super::view::ViewId;
use super::view::filter::result_rows;
use crate::error::SqlError;

/// Something that the loop wants done.
#[derive(Debug)]
pub(crate) enum Job {
    /// Something for one subscription.
    Read(ReadJob),
    /// A run of a view's query.
    Run(RunJob),
}

/// Something to be read for one subscription.
#[derive(Debug)]
pub(crate) struct ReadJob {
    /// Whose subscription it is.
    pub connection: ConnectionId,
    /// For which one.
    pub token: Token,
    /// Its query.
    pub plan: Arc<LivePlan>,
    /// What is wanted.
    pub wanted: Wanted,
}

/// What is to be read.
#[derive(Debug)]
pub(crate) enum Wanted {
    /// The rows of a filter query, or those written last.
    Rows { filter: Arc<dyn RowFilter>, last_rows: Option<usize> },
    /// The rows written last of a result.
    LastRows { seq: SeqId, result: Arc<ResultSet>, last_rows: usize },
    /// What happened to a filter query after `from`.
    Changes { filter: Arc<dyn RowFilter>, from: SeqId, may_lack: Option<SeqId> },
    /// What turns the result as of `from` into `result`, as of `to`.
    Difference { query: Arc<dyn Requery>, from: SeqId, may_lack: bool, to: SeqId, result: Arc<ResultSet> },
}

/// What was read.
#[derive(Debug)]
pub(crate) enum Found {
    /// A result as of `seq`.
    Snapshot { seq: SeqId, result: Arc<ResultSet> },
    /// Changes in order.
    Changes(Replay),
    /// The history does not reach back so far, or the SeqId was never given out.
    Gone,
}

/// Changes out of the past.
#[derive(Debug, Default)]
pub(crate) struct Replay {
    /// The changes, each with where the result stood before.
    pub steps: Vec<(SeqId, Arc<Delta>)>,
    /// Everything up to here is in them.
    pub upto: SeqId,
    /// Was everything read that there is?
    pub complete: bool,
}

/// A run of a view's query.
#[derive(Debug)]
pub(crate) struct RunJob {
    /// Which view.
    pub view: ViewId,
    /// Its query.
    pub plan: Arc<LivePlan>,
    /// The same, to be run.
    pub query: Arc<dyn Requery>,
    /// What the run before found, and when.
    pub previous: Option<(SeqId, Arc<ResultSet>)>,
}

/// What a run found.
#[derive(Debug)]
pub(crate) struct Ran {
    /// The result stands as of this SeqId.
    pub seq: SeqId,
    /// The result.
    pub result: Arc<ResultSet>,
    /// What is different from the run before.
    pub delta: Option<Arc<Delta>>,
}

impl ReadJob {
    /// May it take a thread for long? Everything but a query, which gives way by itself, does.
    pub fn is_blocking(&self) -> bool {
        match self.wanted {
            Wanted::Rows { .. } | Wanted::LastRows { .. } | Wanted::Changes { .. } => true,
            Wanted::Difference { .. } => false,
        }
    }

    /// Reads what is wanted.
    ///
    /// # Errors
    /// [`SqlError`] as the subscription's client is told it.
    pub async fn read(self, snapshot: &Snapshot, options: &LiveOptions) -> Result<Found, SqlError> {
        let plan = &self.plan;
        match self.wanted {
            Wanted::Rows { filter, last_rows } => {
                let stored = filter.scan(snapshot)?;
                let rows = ResultSet::new(plan, result_rows(plan, filter.as_ref(), &stored));
                let rows = match last_rows {
                    Some(n) => rows.last_rows(plan, n),
                    None => rows,
                };
                Ok(Found::Snapshot { seq: snapshot.seq(), result: Arc::new(rows) })
            }
            Wanted::LastRows { seq, result, last_rows } => {
                Ok(Found::Snapshot { seq, result: Arc::new(result.last_rows(plan, last_rows)) })
            }
            Wanted::Changes { filter, from, may_lack } => {
                if !reaches(snapshot, &plan.sources, from)? {
                    return Ok(Found::Gone);
                }
                let replay = catch_up::read(plan, filter.as_ref(), snapshot, (from, may_lack), options);
                replay.map(Found::Changes).map_err(SqlError::internal)
            }
            Wanted::Difference { query, from, may_lack, to, result } => {
                if !query.repeats() || !reaches(snapshot, &plan.sources, from)? {
                    return Ok(Found::Gone);
                }
                let then = match query.run(snapshot, Some(from)).await {
                    Ok(rows) => ResultSet::new(plan, rows),
                    // More has changed than can be looked at, so the result is sent anew.
                    Err(error) if error.code == ErrorCode::TooLarge => return Ok(Found::Gone),
                    Err(error) => return Err(error),
                };
                Ok(Found::Changes(resume::difference(plan, &then, &result, (from, to), may_lack, options)))
            }
        }
    }
}

impl RunJob {
    /// Runs the query and compares.
    ///
    /// # Errors
    /// [`SqlError`] as the view's clients are told it.
    pub async fn run(self, snapshot: &Snapshot, options: &LiveOptions) -> Result<Ran, SqlError> {
        metrics::query_run_again();
        let rows = self.query.run(snapshot, None).await?;
        let seq = snapshot.seq();
        let result = ResultSet::new(&self.plan, rows);
        if result.bytes() > options.rerun_max_bytes {
            let message =
                format!("the result exceeds {} bytes, the most a live query may hold", options.rerun_max_bytes);
            return Err(SqlError::new(ErrorCode::TooLarge, message));
        }
        Ok(Ran::compared(&self.plan, self.previous.as_ref(), seq, result, options.frame_max_bytes))
    }
}

impl Ran {
    /// A result, compared with the one before.
    ///
    /// What stands at one SeqId does not change, even if the query leaves open which rows it takes.
    pub fn compared(
        plan: &LivePlan,
        previous: Option<&(SeqId, Arc<ResultSet>)>,
        seq: SeqId,
        result: ResultSet,
        frame_max_bytes: usize,
    ) -> Ran {
        let Some((before, last)) = previous else {
            return Ran { seq, result: Arc::new(result), delta: None };
        };
        if seq <= *before {
            return Ran { seq: *before, result: last.clone(), delta: None };
        }
        let changes = last.changes_to(plan, &result, (*before, seq), false);
        let delta = Delta::encode(plan, seq, &changes, frame_max_bytes).map(Arc::new);
        Ran { seq, result: Arc::new(result), delta }
    }
}

/// Can everything after `from` be told of these tables?
fn reaches(snapshot: &Snapshot, sources: &[Source], from: SeqId) -> Result<bool, SqlError> {
    if from == SeqId::ZERO || from > snapshot.seq() {
        return Ok(false);
    }
    let mut reaches = sources.iter().map(|source| snapshot.history_reaches(source.table, from));
    reaches.try_fold(true, |all, reaches| Ok::<_, ReadError>(all & reaches?)).map_err(SqlError::internal)
}
