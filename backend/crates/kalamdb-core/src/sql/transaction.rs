//! Transactions: one statement by itself, or `BEGIN … COMMIT`.
//!
//! A transaction sees one snapshot and, in front of it, what it has written itself. It ends in one
//! write set with at most one write per row, hence in one commit or none. Where the commit meets a
//! concurrent write to the same rows, the whole transaction is run again on a fresh snapshot; after
//! a bounded number of attempts it fails with `CONFLICT`. A transaction that wrote nothing makes no
//! commit. What a single statement means is the business of [`super::dml`] and [`super::query`].

mod lanes;
mod pending;
mod write_state;

use std::sync::Arc;
use std::time::Duration;

use kalamdb_commons::protocol::StatementResult;
use kalamdb_commons::{ErrorCode, IndexId, Name, SeqId};
use kalamdb_store::{CommitError, Committed};
use rand::RngExt as _;

pub use pending::{Pending, WriteRef};
pub use write_state::{WriteState, WriteTable};

use crate::context::{Caller, StatementContext};
use crate::engine::parts::{EngineParts, RowGate};
use crate::error::SqlError;
use crate::metrics;
use crate::sql::dml::{self, Returned};
use crate::sql::error_map;
use crate::sql::query;
use crate::sql::statement::Statement;

/// Attempts after which a transaction begins to wait between them.
const ATTEMPTS_WITHOUT_WAIT: u32 = 4;

/// Longest wait between two attempts.
const WAIT_MAX: Duration = Duration::from_millis(20);

/// How a transaction ends, if none of its statements fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It is one statement by itself, and is committed.
    Alone,
    /// With COMMIT.
    Commit,
    /// With ROLLBACK: its statements are run, and nothing of them is kept.
    Rollback,
}

/// Runs `statements` (SELECT, INSERT, UPDATE, DELETE) as one transaction and ends it.
///
/// `gate` keeps the catalog as it is meanwhile.
///
/// # Errors
/// The error, with the index of the statement that failed; `statements.len()` stands for the COMMIT.
/// Nothing was written then.
pub async fn run(
    engine: &EngineParts,
    caller: &Caller,
    namespace: &Name,
    params: &Arc<[serde_json::Value]>,
    statements: &[&Statement],
    ending: Ending,
    gate: &RowGate,
) -> Result<Vec<StatementResult>, (usize, SqlError)> {
    let explicit = ending != Ending::Alone;
    let commit_index = if explicit { statements.len() } else { 0 };
    let mut held = lanes::Held::default();
    for attempt in 0..engine.limits.transaction_attempts_max.max(1) {
        let mut transaction = Transaction::begin(engine, caller, namespace, params, explicit);
        for (index, statement) in statements.iter().enumerate() {
            transaction.execute(statement).await.map_err(|error| (index, error))?;
        }
        let Transaction { ctx, pending, done, .. } = transaction;
        let (writes, offsets, retry_on) = pending.into_write_set();
        if writes.rows.is_empty() || ending == Ending::Rollback {
            return results(done, None, &offsets).map_err(|error| (commit_index, error));
        }
        let wanted = engine.writes.lanes.of(&writes);
        if held.is_empty() && engine.writes.lanes.are_busy(&wanted) {
            // Others already take turns at these rows; to commit now would only push one of them back.
            held = engine.writes.lanes.enter(wanted).await;
            continue;
        }
        match engine.commit(writes, gate).await {
            Ok(committed) => {
                return results(done, Some(committed), &offsets).map_err(|error| (commit_index, error));
            }
            Err(CommitError::Conflict) => {}
            Err(CommitError::UniqueViolation { index }) if retry_on.contains(&index) => {}
            Err(error) => return Err((commit_index, commit_error(&ctx, error))),
        }
        metrics::statement_retried();
        if !held.cover(&wanted) {
            drop(held);
            held = engine.writes.lanes.enter(wanted).await;
        }
        pause(attempt).await;
    }
    let text = "concurrent writes to the same rows did not settle; try again";
    Err((commit_index, SqlError::new(ErrorCode::Conflict, text)))
}

/// A transaction on its way.
#[derive(Debug)]
pub struct Transaction<'a> {
    /// What it works with.
    pub engine: &'a EngineParts,
    /// What it sees: the snapshot and, within BEGIN … COMMIT, its own writes.
    pub ctx: StatementContext,
    /// What it has written.
    pub pending: Pending,
    done: Vec<Done>,
    explicit: bool,
}

/// What a statement of a transaction came to, before the commit.
#[derive(Debug)]
enum Done {
    Read(StatementResult),
    Wrote { verb: &'static str, affected: u64, returned: Option<Returned> },
}

impl<'a> Transaction<'a> {
    fn begin(
        engine: &'a EngineParts,
        caller: &Caller,
        namespace: &Name,
        params: &Arc<[serde_json::Value]>,
        explicit: bool,
    ) -> Self {
        Transaction {
            engine,
            ctx: engine.context(caller, namespace, params),
            pending: Pending::new(&engine.limits, explicit),
            done: Vec::new(),
            explicit,
        }
    }

    async fn execute(&mut self, statement: &Statement) -> Result<(), SqlError> {
        if self.explicit {
            self.ctx.overlay = self.pending.overlay();
        }
        let done = match statement {
            Statement::Query(query) => Done::Read(query::run(&self.engine.session, &self.ctx, query).await?),
            Statement::Dml(statement) => {
                let (verb, outcome) = dml::execute(self, statement).await?;
                Done::Wrote { verb, affected: outcome.affected, returned: outcome.returned }
            }
            other => {
                let text = format!("a {} statement may not stand between BEGIN and COMMIT", other.kind());
                return Err(SqlError::unsupported(text));
            }
        };
        self.done.push(done);
        Ok(())
    }
}

/// The results of a transaction's statements, now that it is known where its writes came to stand.
fn results(
    done: Vec<Done>,
    committed: Option<Committed>,
    offsets: &[Option<u64>],
) -> Result<Vec<StatementResult>, SqlError> {
    let seq_of = |write: WriteRef| {
        let offset = offsets.get(write.0).copied().flatten()?;
        Some(SeqId(committed?.first.0.saturating_add(offset)))
    };
    let one = |done: Done| match done {
        Done::Read(result) => Ok(result),
        Done::Wrote { verb, affected, returned } => {
            let (schema, rows) = match returned {
                Some(returned) => returned.finish(&seq_of)?,
                None => Default::default(),
            };
            let noun = if affected == 1 { "row" } else { "rows" };
            Ok(StatementResult {
                schema,
                rows,
                row_count: affected,
                message: Some(format!("{affected} {noun} {verb}")),
                seq: committed.filter(|_| affected > 0).map(|committed| committed.last),
            })
        }
    };
    done.into_iter().map(one).collect()
}

/// Why a commit failed, in the words of the tables it was about.
fn commit_error(ctx: &StatementContext, error: CommitError) -> SqlError {
    match error {
        CommitError::UniqueViolation { index } => unique_violation(ctx, index),
        CommitError::Closed => SqlError::new(ErrorCode::Unavailable, "the server is shutting down"),
        // Both are met above; a conflict that comes here is one all the same.
        CommitError::Conflict => SqlError::new(ErrorCode::Conflict, "a row changed while the statement ran"),
        CommitError::NotStored(_) | CommitError::Unsettled(_) => error_map::from_storage(&error),
    }
}

fn unique_violation(ctx: &StatementContext, id: IndexId) -> SqlError {
    let found = ctx
        .catalog
        .tables()
        .find_map(|table| table.indexes.iter().find(|index| index.id == id).map(|index| (table, index)));
    let Some((table, index)) = found else {
        return SqlError::constraint("a row with the same values in a unique index exists already");
    };
    SqlError::constraint(format!(
        "a row with the same {} exists already in table \"{}\" (unique index \"{}\")",
        dml::column_list(table, &index.slots),
        table.name,
        index.name,
    ))
}

/// Lets others run before the next attempt, the longer the more attempts have failed.
async fn pause(attempt: u32) {
    if attempt < ATTEMPTS_WITHOUT_WAIT {
        return tokio::task::yield_now().await;
    }
    let longest = Duration::from_micros(100).saturating_mul(1 << attempt.min(16)).min(WAIT_MAX);
    let share = rand::rng().random_range(0.0..1.0);
    tokio::time::sleep(longest.mul_f64(share)).await;
}
