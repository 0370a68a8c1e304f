//! Rows of STREAM tables leave when their time is up.
//!
//! A row is deleted, by an ordinary commit that live queries see, when nobody has written it for its
//! table's `TTL_SECONDS`; within about a second of that moment, until which it is read like any
//! other. Which rows are next is kept in memory, fed by the commits themselves; only after a start,
//! or when there are more rows than are kept, is a table read through. How old the rows it holds
//! are is noted in the store now and then, because rows do not say when they were written.

mod ages;
mod queue;

use std::collections::BinaryHeap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use kalamdb_commons::{SeqId, TableId};
use kalamdb_store::{Commit, CommitError, ReadError, RowWrite, Scope, StoredRow, WriteSet};
use kalamdb_system::{CatalogState, TableDef, TableKind};
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::engine::parts::EngineParts;
use crate::metrics;
use ages::Ages;
use queue::{Queue, Waiting};

/// Rows kept in memory at most, of all tables together.
const ROWS_MAX: usize = 500_000;

/// Rows deleted by one commit at most.
const BATCH_ROWS: usize = 1_000;

/// How often a batch is tried whose rows are being written.
const ATTEMPTS_MAX: u32 = 10;

/// Longest time without a look at the clock while rows wait.
const TICK: Duration = Duration::from_secs(1);

/// The task that deletes rows whose time is up; a handle that is cheap to clone.
#[derive(Debug, Clone)]
pub struct StreamExpiry(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    /// A row was written.
    wake: Notify,
    stop: CancellationToken,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl StreamExpiry {
    /// Reads how old the rows are and starts the task.
    ///
    /// # Errors
    /// [`ReadError`] when the store cannot be read.
    pub(crate) fn start(parts: &Arc<EngineParts>, runtime: &Handle) -> Result<StreamExpiry, ReadError> {
        let catalog = parts.catalog.state();
        let mut queue = Queue::new(ROWS_MAX);
        catalog.tables().filter(|table| ttl_micros(table).is_some()).for_each(|table| queue.add(table.id));
        let shared = Arc::new(Shared {
            queue: Mutex::new(queue),
            wake: Notify::new(),
            stop: CancellationToken::new(),
            task: Mutex::new(None),
        });
        let mut ages = Ages::load(&parts.store)?;
        ages.keep_only(&parts.store, |table| catalog.table_by_id(table).is_some());
        let expirer = Expirer { parts: Arc::clone(parts), shared: Arc::clone(&shared), ages };
        *shared.task.lock() = Some(runtime.spawn(expirer.run()));
        Ok(StreamExpiry(shared))
    }

    /// Notes the rows that a commit wrote. Called on the committer's thread.
    pub(crate) fn on_commit(&self, commit: &Commit, catalog: &CatalogState) {
        let mut last: Option<(TableId, bool)> = None;
        let mut is_stream = |table: TableId| match last {
            Some((known, is_stream)) if known == table => is_stream,
            _ => {
                let is_stream = catalog.table_by_id(table).is_some_and(|table| ttl_micros(table).is_some());
                last = Some((table, is_stream));
                is_stream
            }
        };
        let written = commit.changes.iter().filter(|change| change.new.is_some() && is_stream(change.table));
        let mut queue = None;
        for change in written {
            let waiting = Waiting {
                written_at: commit.at_micros,
                seq: change.seq,
                scope: change.scope.clone(),
                key: change.key.clone(),
            };
            queue.get_or_insert_with(|| self.0.queue.lock()).note(change.table, waiting);
        }
        if queue.is_some() {
            self.0.wake.notify_one();
        }
    }

    /// Ends the task and returns when it has ended.
    pub(crate) async fn stop(&self) {
        self.0.stop.cancel();
        let task = self.0.task.lock().take();
        if let Some(task) = task
            && task.await.is_err()
        {
            tracing::error!("the expiry of STREAM rows had ended early");
        }
    }
}

/// How long a STREAM table keeps a row.
fn ttl_micros(table: &TableDef) -> Option<i64> {
    let secs = table.ttl_secs.filter(|_| table.kind == TableKind::Stream)?;
    Some(i64::try_from(secs).unwrap_or(i64::MAX).saturating_mul(1_000_000))
}

/// What the task works with.
struct Expirer {
    parts: Arc<EngineParts>,
    shared: Arc<Shared>,
    ages: Ages,
}

/// Why the rows of a table could not be deleted now.
#[derive(Debug, thiserror::Error)]
enum ExpiryError {
    #[error("the rows could not be read: {0}")]
    Read(#[from] ReadError),
    #[error("the deletion could not be committed: {0}")]
    Commit(#[from] CommitError),
    #[error("a table was not read to its end")]
    Interrupted,
}

impl Expirer {
    async fn run(mut self) {
        let stop = self.shared.stop.clone();
        while !stop.is_cancelled() {
            self.pass().await;
            let nap = self.nap();
            tokio::select! {
                () = stop.cancelled() => {}
                () = nap_or_wake(nap, &self.shared.wake) => {}
            }
        }
        let newest = self.shared.queue.lock().newest();
        self.ages.note_all(&self.parts.store, &newest);
    }

    /// How long nothing is due; `None` while no row waits at all.
    fn nap(&self) -> Option<Duration> {
        let catalog = self.parts.catalog.state();
        let now = self.parts.store.clock().now_micros();
        let queue = self.shared.queue.lock();
        if queue.tables().any(|table| queue.wants_scan(table)) {
            return Some(TICK);
        }
        let due = |table: TableId| {
            let ttl = ttl_micros(catalog.table_by_id(table)?)?;
            Some(queue.next(table)?.saturating_add(ttl))
        };
        let next = queue.tables().filter_map(due).min()?;
        Some(Duration::from_micros(u64::try_from(next.saturating_sub(now)).unwrap_or(0)).min(TICK))
    }

    /// Deletes what is due now, in every table.
    async fn pass(&mut self) {
        let tables: Vec<TableId> = self.shared.queue.lock().tables().collect();
        for table in tables {
            if self.shared.stop.is_cancelled() {
                return;
            }
            let def = self.parts.catalog.state().table_by_id(table).cloned();
            let Some((def, ttl)) = def.and_then(|def| Some((Arc::clone(&def), ttl_micros(&def)?))) else {
                self.shared.queue.lock().forget(table);
                self.ages.forget(&self.parts.store, table);
                continue;
            };
            if let Err(error) = self.expire(&def, ttl).await
                // While the disk takes no writes the store says so once.
                && !matches!(error, ExpiryError::Commit(CommitError::Closed | CommitError::NotStored(_)))
            {
                tracing::warn!(table = %def.name, %error, "rows whose time is up were not deleted; it is tried again");
            }
            let newest = self.shared.queue.lock().newest_of(table);
            self.ages.note(&self.parts.store, table, newest, ttl);
            let now = self.parts.store.clock().now_micros();
            self.ages.trim(&self.parts.store, table, now.saturating_sub(ttl));
        }
    }

    /// Deletes what is due in one table.
    async fn expire(&mut self, table: &Arc<TableDef>, ttl: i64) -> Result<(), ExpiryError> {
        while !self.shared.stop.is_cancelled() {
            if self.shared.queue.lock().wants_scan(table.id) {
                self.scan(table.id).await?;
            }
            let before = self.parts.store.clock().now_micros().saturating_sub(ttl);
            let batch = self.shared.queue.lock().take_due(table.id, before, BATCH_ROWS);
            if batch.is_empty() {
                return Ok(());
            }
            if let Err(error) = self.delete(table.id, &batch).await {
                self.shared.queue.lock().put_back(table.id, batch);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Deletes the rows of a batch that nobody has written since.
    async fn delete(&self, table: TableId, batch: &[Waiting]) -> Result<(), ExpiryError> {
        for _ in 0..ATTEMPTS_MAX {
            let gate = self.parts.row_gate().await;
            let Some(def) = self.parts.catalog.state().table_by_id(table).cloned() else { return Ok(()) };
            let (snapshot, indexes) = (self.parts.store.snapshot(), def.index_specs());
            let mut rows = Vec::with_capacity(batch.len());
            for Waiting { seq, scope, key, .. } in batch {
                let stands = snapshot.get(table, scope, key)?.filter(|row| row.seq == *seq);
                rows.extend(stands.map(|row| RowWrite {
                    table,
                    scope: scope.clone(),
                    key: key.clone(),
                    old: Some(row),
                    new: None,
                    indexes: Arc::clone(&indexes),
                }));
            }
            if rows.is_empty() {
                return Ok(());
            }
            let count = rows.len() as u64;
            match self.parts.commit(WriteSet { rows, ..WriteSet::default() }, &gate).await {
                Ok(_) => {
                    metrics::stream_rows_expired(count);
                    return Ok(());
                }
                // One of the rows was written just now; the next look sees that.
                Err(CommitError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(CommitError::Conflict.into())
    }

    /// Reads a table through for its oldest rows.
    async fn scan(&mut self, table: TableId) -> Result<(), ExpiryError> {
        // Commits are noted from here on, so that none falls between them and the snapshot.
        let room = self.shared.queue.lock().begin_scan(table);
        let snapshot = self.parts.store.snapshot();
        let scan = tokio::task::spawn_blocking(move || {
            let mut oldest = Oldest { rows: BinaryHeap::new(), room, is_complete: true };
            snapshot.scan_all_rows(table, &mut |scope, row| oldest.take(scope, row)).map(|()| oldest)
        });
        let outcome = match scan.await {
            Ok(Ok(oldest)) => Ok(oldest),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(ExpiryError::Interrupted),
        };
        let Oldest { rows, is_complete, .. } = match outcome {
            Ok(oldest) => oldest,
            Err(error) => {
                self.shared.queue.lock().add(table);
                return Err(error);
            }
        };
        let now = self.parts.store.clock().now_micros();
        let waiting = |ByAge { seq, scope, key }: ByAge| Waiting {
            // What is younger than the last note was written a moment ago, or before the last stop.
            written_at: self.ages.written_at(table, seq).unwrap_or(now),
            seq,
            scope,
            key,
        };
        let rows = rows.into_sorted_vec().into_iter().map(waiting).collect();
        self.shared.queue.lock().end_scan(table, rows, is_complete);
        Ok(())
    }
}

async fn nap_or_wake(nap: Option<Duration>, wake: &Notify) {
    match nap {
        Some(nap) => tokio::time::sleep(nap).await,
        None => wake.notified().await,
    }
}

/// The oldest rows of a table, as many as there is room for.
struct Oldest {
    /// The youngest of them on top.
    rows: BinaryHeap<ByAge>,
    room: usize,
    is_complete: bool,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct ByAge {
    seq: SeqId,
    scope: Scope,
    key: kalamdb_store::RowKey,
}

impl Oldest {
    fn take(&mut self, scope: Scope, row: StoredRow) -> ControlFlow<()> {
        self.rows.push(ByAge { seq: row.seq, scope, key: row.key });
        if self.rows.len() > self.room {
            self.rows.pop();
            self.is_complete = false;
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests;
