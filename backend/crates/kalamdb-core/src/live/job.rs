//! What the live loop has others do: read rows, read the change log, run queries.
//!
//! A [`Job`] says what is wanted, and for whom: what many wait for is read once. It is done on the engine's runtime, on a store snapshot that is taken
//! when it starts; what it found comes back to the loop as an input. How a query's past becomes changes
//! is the business of `catch_up` and `resume`.

use std::sync::Arc;

use kalamdb_commons::{ErrorCode, SeqId};
use kalamdb_store::{ReadError, Snapshot};

use super::catch_up::{self, QueryPast};
use super::delta::Delta;
use super::live_loop::{Slot, Token};
use super::metrics;
use super::options::LiveOptions;
use super::plan::{LivePlan, Requery, RowFilter, Source};
use super::replay::Replay;
use super::result_set::ResultSet;
use super::resume::{self, ResultPast};
use super::view::ViewId;
use super::view::filter::result_rows;
use crate::error::SqlError;

/// Something that the loop wants done.
#[derive(Debug)]
pub(crate) enum Job {
    /// Something for subscriptions.
    Read(ReadJob),
    /// A run of a view's query.
    Run(RunJob),
}

/// Something to be read, for all who wait for it.
#[derive(Debug)]
pub(crate) struct ReadJob {
    /// What is free again when it has been read.
    pub slot: Slot,
    /// What is wanted.
    pub wanted: Wanted,
}

/// What is to be read.
#[derive(Debug)]
pub(crate) enum Wanted {
    /// The rows of a filter query, or those written last.
    Rows { plan: Arc<LivePlan>, filter: Arc<dyn RowFilter>, readers: Vec<(Token, Option<usize>)> },
    /// The rows written last of a result.
    LastRows { token: Token, plan: Arc<LivePlan>, seq: SeqId, result: Arc<ResultSet>, last_rows: usize },
    /// What happened to filter queries over one table and scope.
    Changes(Vec<QueryPast>),
    /// What has led to a result.
    Difference(ResultPast),
}

/// What was read for one subscription.
#[derive(Debug)]
pub(crate) enum Found {
    /// A result as of `seq`.
    Snapshot { seq: SeqId, result: Arc<ResultSet> },
    /// Changes in order.
    Changes(Replay),
    /// The history does not reach back so far, or the SeqId was never given out.
    Gone,
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
            Wanted::Rows { .. } | Wanted::LastRows { .. } | Wanted::Changes(_) => true,
            Wanted::Difference(_) => false,
        }
    }

    /// For whom it is read.
    pub fn readers(&self) -> Vec<Token> {
        match &self.wanted {
            Wanted::Rows { readers, .. } => readers.iter().map(|(token, _)| *token).collect(),
            Wanted::LastRows { token, .. } => vec![*token],
            Wanted::Changes(queries) => {
                queries.iter().flat_map(|query| query.readers.iter().map(|reader| reader.token)).collect()
            }
            Wanted::Difference(past) => past.readers.iter().map(|reader| reader.token).collect(),
        }
    }

    /// Reads what is wanted, for each reader.
    ///
    /// # Errors
    /// [`SqlError`] as the subscriptions' clients are told it.
    pub async fn read(self, snapshot: &Snapshot, options: &LiveOptions) -> Result<Vec<(Token, Found)>, SqlError> {
        match self.wanted {
            Wanted::Rows { plan, filter, readers } => {
                metrics::rows_read();
                let stored = filter.scan(snapshot)?;
                let rows = ResultSet::new(&plan, result_rows(&plan, filter.as_ref(), &stored));
                Ok(rows_for(&plan, snapshot.seq(), Arc::new(rows), readers))
            }
            Wanted::LastRows { token, plan, seq, result, last_rows } => {
                Ok(rows_for(&plan, seq, result, vec![(token, Some(last_rows))]))
            }
            Wanted::Changes(queries) => catch_up::read(queries, snapshot, options),
            Wanted::Difference(past) => resume::read(past, snapshot, options).await,
        }
    }
}

/// The result for each reader, or its rows written last.
pub(crate) fn rows_for(
    plan: &LivePlan,
    seq: SeqId,
    result: Arc<ResultSet>,
    readers: Vec<(Token, Option<usize>)>,
) -> Vec<(Token, Found)> {
    let rows = |last_rows: Option<usize>| match last_rows {
        Some(n) => Arc::new(result.last_rows(plan, n)),
        None => result.clone(),
    };
    readers.into_iter().map(|(token, last)| (token, Found::Snapshot { seq, result: rows(last) })).collect()
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
pub(crate) fn reaches(snapshot: &Snapshot, sources: &[Source], from: SeqId) -> Result<bool, SqlError> {
    if from == SeqId::ZERO || from > snapshot.seq() {
        return Ok(false);
    }
    let mut reaches = sources.iter().map(|source| snapshot.history_reaches(source.table, from));
    reaches.try_fold(true, |all, reaches| Ok::<_, ReadError>(all & reaches?)).map_err(SqlError::internal)
}
