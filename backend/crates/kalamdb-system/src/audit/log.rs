//! The log itself: how entries come in, are read, and go.
//!
//! It has no thread of its own. Entries are ordinary records of commits; whoever runs the server calls
//! [`AuditLog::upkeep`] now and then, which ends the window of repeats and trims.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use kalamdb_commons::{ErrorCode, Row};
use kalamdb_store::{Commit, CommitError, Expect, ReadError, RecordSpace, RecordWrite, Store, WriteError, WriteSet};
use parking_lot::Mutex;

use super::entry::{AuditEntry, AuditKind};
use super::folds::Folds;
use super::metrics;
use super::record::Stored;
use crate::record_key::AuthKey;

/// Entries that are read, or deleted, at one time.
const PORTION: usize = 512;
/// Time for which repeats are put together.
const WINDOW_MICROS: i64 = 60_000_000;
/// Numbers per microsecond. A number is the time at which it was given out, or the next free one.
const IDS_PER_MICRO: u64 = 1_000;
const MICROS_PER_DAY: i64 = 86_400_000_000;

/// The two drawers: what administrators did, and what anybody may try.
const DRAWERS: [AuthKey; 2] = [AuthKey::AuditAct, AuthKey::AuditAttempt];
/// The second one may hold one part in so many of the bytes.
const ATTEMPTS_SHARE: u64 = 4;

/// What the log is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditOptions {
    /// Is anything written? What is there already can be read either way.
    pub enabled: bool,
    /// Are logins and logouts that went well written?
    pub logins: bool,
    /// How long an entry is kept, in days.
    pub max_age_days: u32,
    /// Bytes of all entries, keys among them, before compression.
    pub max_bytes: u64,
}

/// The log; a handle that is cheap to clone.
#[derive(Clone)]
pub struct AuditLog(Arc<Inner>);

struct Inner {
    store: Store,
    options: AuditOptions,
    last_id: AtomicU64,
    drawers: [Drawer; 2],
    folds: Mutex<Folds>,
    window_began: AtomicI64,
}

struct Drawer {
    kind: AuthKey,
    bytes_max: u64,
    bytes: AtomicU64,
}

/// Why something could not be put into the log. What it is about must then not happen.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The store did not take it.
    #[error("the audit log could not be written")]
    Commit(#[from] CommitError),
    /// It could not be put into bytes.
    #[error("an entry of the audit log could not be encoded")]
    Encode(#[from] serde_json::Error),
}

impl AuditError {
    /// The stable code a client is told.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            AuditError::Commit(CommitError::Closed | CommitError::NotStored(_) | CommitError::Unsettled(_)) => {
                ErrorCode::Unavailable
            }
            AuditError::Commit(_) | AuditError::Encode(_) => ErrorCode::Internal,
        }
    }
}

impl Default for AuditOptions {
    fn default() -> Self {
        AuditOptions { enabled: true, logins: true, max_age_days: 90, max_bytes: 256 << 20 }
    }
}

impl fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditLog").field("options", &self.0.options).finish_non_exhaustive()
    }
}

impl AuditLog {
    /// The log of this store.
    ///
    /// # Errors
    /// [`ReadError`] when what is there cannot be read.
    pub fn open(store: Store, options: AuditOptions) -> Result<AuditLog, ReadError> {
        let attempts_max = options.max_bytes.checked_div(ATTEMPTS_SHARE).unwrap_or(0);
        let bytes_max = [options.max_bytes.saturating_sub(attempts_max), attempts_max];
        let mut last_id = 0;
        let mut drawers = Vec::new();
        for (kind, bytes_max) in DRAWERS.into_iter().zip(bytes_max) {
            let (mut bytes, mut after) = (0_u64, 0);
            loop {
                let portion = portion(&store, kind, after)?;
                let Some((id, _, _)) = portion.last() else { break };
                after = *id;
                bytes = portion.iter().map(|(_, _, size)| size).fold(bytes, |sum, size| sum.saturating_add(*size));
            }
            last_id = after.max(last_id);
            drawers.push(Drawer { kind, bytes_max, bytes: AtomicU64::new(bytes) });
        }
        let Ok(drawers) = <[Drawer; 2]>::try_from(drawers) else {
            return Err(ReadError::Corrupt { what: "audit log", reason: "it has not two drawers" });
        };
        let window_began = AtomicI64::new(store.clock().now_micros());
        let last_id = AtomicU64::new(last_id);
        Ok(AuditLog(Arc::new(Inner { store, options, last_id, drawers, folds: Mutex::default(), window_began })))
    }

    /// Lets `writes` write the entry: it is in the log exactly if they become a commit.
    ///
    /// # Errors
    /// [`AuditError::Encode`].
    pub fn put(&self, writes: &mut WriteSet, entry: &AuditEntry) -> Result<(), AuditError> {
        if self.wants(entry) {
            writes.records.push(self.write(entry, self.now(), 1)?);
        }
        Ok(())
    }

    /// Writes an entry by itself. When this returns it is on the disk as any commit is, except for repeats
    /// of what anybody may try: they are counted, and written once a minute.
    ///
    /// # Errors
    /// [`AuditError`] when it could not be written.
    pub async fn record(&self, entry: &AuditEntry) -> Result<(), AuditError> {
        if !self.wants(entry) {
            return Ok(());
        }
        let now = self.now();
        if entry.is_attempt() && !self.0.folds.lock().is_first(entry, now) {
            return Ok(());
        }
        let write = self.write(entry, now, 1)?;
        let done = self.0.store.commit(WriteSet { records: vec![write], ..WriteSet::default() }).await;
        if let Err(error) = done {
            self.0.folds.lock().forget(entry);
            metrics::lost(1);
            return Err(error.into());
        }
        Ok(())
    }

    /// Counts an entry, to be written within a minute together with others of its like. A crash may take it.
    pub fn note(&self, entry: AuditEntry) {
        if self.wants(&entry) {
            self.0.folds.lock().count(entry, self.now());
        }
    }

    /// Writes what is only counted yet.
    pub async fn flush(&self) {
        let folded = self.0.folds.lock().take();
        let write = |fold: &super::folds::Folded| self.write(&fold.entry, fold.at, fold.occurrences);
        for folded in folded.chunks(PORTION) {
            let done = match folded.iter().map(write).collect::<Result<Vec<_>, _>>() {
                Ok(records) => {
                    let committed = self.0.store.commit(WriteSet { records, ..WriteSet::default() }).await;
                    committed.map(drop).map_err(AuditError::from)
                }
                Err(error) => Err(error),
            };
            if let Err(error) = done {
                metrics::lost(folded.len());
                tracing::error!(%error, lost = folded.len(), "entries of the audit log could not be written");
            }
        }
    }

    /// Ends the window of repeats when its minute is over, and deletes what is too old or too much. To be
    /// called every few seconds.
    pub async fn upkeep(&self) {
        let (now, began) = (self.now(), self.0.window_began.load(Ordering::Relaxed));
        if now.saturating_sub(began) >= WINDOW_MICROS || now < began {
            self.0.window_began.store(now, Ordering::Relaxed);
            self.flush().await;
        }
        if let Err(error) = self.trim(now) {
            tracing::error!(%error, "the audit log could not be trimmed");
        }
    }

    /// Takes over what a commit wrote. Called for every commit, in order.
    pub fn apply(&self, commit: &Commit) {
        for write in commit.records.iter().filter(|write| write.space == RecordSpace::Auth) {
            let Some(value) = &write.value else { continue };
            let kind = AuthKey::split(&write.key).map(|(kind, _)| kind);
            if let Some(drawer) = self.0.drawers.iter().find(|drawer| Some(drawer.kind) == kind) {
                let size = size_of(&write.key, value);
                drawer.bytes.fetch_add(size, Ordering::Relaxed);
                let all = self.0.drawers.iter().map(|drawer| drawer.bytes.load(Ordering::Relaxed));
                metrics::bytes(all.fold(0, u64::saturating_add));
            }
        }
    }

    /// The entries, in portions.
    #[must_use]
    pub fn read(&self) -> AuditReader {
        AuditReader { store: self.0.store.clone(), drawers: DRAWERS.to_vec(), after: 0 }
    }

    fn wants(&self, entry: &AuditEntry) -> bool {
        let is_login = matches!(entry.kind, AuditKind::Login | AuditKind::Logout);
        self.0.options.enabled && (self.0.options.logins || !is_login || entry.outcome.is_some())
    }

    fn write(&self, entry: &AuditEntry, at: i64, times: u64) -> Result<RecordWrite, AuditError> {
        let value = Stored::new(entry, at, times).encode()?;
        let kind = if entry.is_attempt() { AuthKey::AuditAttempt } else { AuthKey::AuditAct };
        metrics::written(entry.kind);
        Ok(RecordWrite {
            space: RecordSpace::Auth,
            key: kind.audit(self.next_id()),
            expect: Expect::Absent,
            value: Some(value),
        })
    }

    fn next_id(&self) -> u64 {
        let now = u64::try_from(self.now()).unwrap_or(0).saturating_mul(IDS_PER_MICRO);
        let next = |last: u64| Some(now.max(last.saturating_add(1)));
        let before = self.0.last_id.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        before.map_or(now, |last| now.max(last.saturating_add(1)))
    }

    fn trim(&self, now: i64) -> Result<(), TrimError> {
        let age = i64::from(self.0.options.max_age_days).saturating_mul(MICROS_PER_DAY);
        let oldest = u64::try_from(now.saturating_sub(age)).unwrap_or(0).saturating_mul(IDS_PER_MICRO);
        for drawer in &self.0.drawers {
            while drawer.trim_portion(&self.0.store, oldest)? {}
        }
        Ok(())
    }

    fn now(&self) -> i64 {
        self.0.store.clock().now_micros()
    }
}

#[derive(Debug, thiserror::Error)]
enum TrimError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl Drawer {
    /// Deletes up to a portion of what is older than the number `oldest`, or over the bytes. Is there more?
    fn trim_portion(&self, store: &Store, oldest: u64) -> Result<bool, TrimError> {
        let bytes = self.bytes.load(Ordering::Relaxed);
        let over = bytes.saturating_sub(self.bytes_max);
        let (mut freed, mut gone) = (0_u64, Vec::new());
        let entries = portion(store, self.kind, 0)?;
        let is_whole = entries.len() == PORTION;
        for (id, _, size) in entries {
            if id >= oldest && freed >= over {
                break;
            }
            freed = freed.saturating_add(size);
            gone.push((self.kind.audit(id), None));
        }
        let count = gone.len();
        if count == 0 {
            return Ok(false);
        }
        store.write_records(RecordSpace::Auth, gone)?;
        let subtract = |bytes: u64| Some(bytes.saturating_sub(freed));
        let _before = self.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, subtract);
        metrics::trimmed(count);
        Ok(is_whole && count == PORTION)
    }
}

/// Reads the log from the oldest entry on, first what administrators did, then what anybody tried.
pub struct AuditReader {
    store: Store,
    /// Those that are left, the next one first.
    drawers: Vec<AuthKey>,
    after: u64,
}

impl fmt::Debug for AuditReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditReader").field("after", &self.after).finish_non_exhaustive()
    }
}

impl AuditReader {
    /// The next rows, a few hundred of them; none when all have been read.
    ///
    /// # Errors
    /// [`ReadError`] when they cannot be read.
    pub fn next_rows(&mut self) -> Result<Vec<Row>, ReadError> {
        while let Some(kind) = self.drawers.first() {
            let portion = portion(&self.store, *kind, self.after)?;
            if let Some((id, _, _)) = portion.last() {
                self.after = *id;
                return Ok(portion.iter().map(|(id, stored, _)| stored.to_row(*id)).collect());
            }
            self.drawers.remove(0);
            self.after = 0;
        }
        Ok(Vec::new())
    }
}

/// The entries behind a number, at most [`PORTION`], with their sizes.
fn portion(store: &Store, kind: AuthKey, after: u64) -> Result<Vec<(u64, Stored, u64)>, ReadError> {
    const DAMAGED: ReadError = ReadError::Corrupt { what: "entry of the audit log", reason: "it does not read" };
    let records = store.scan_records_after(RecordSpace::Auth, &kind.prefix(), &kind.audit(after), PORTION)?;
    let entry = |(key, value): &(Vec<u8>, Vec<u8>)| {
        let id = AuthKey::split(key).and_then(|(_, id)| id.try_into().ok()).map(u64::from_be_bytes);
        Some((id?, Stored::decode(value)?, size_of(key, value)))
    };
    records.iter().map(|record| entry(record).ok_or(DAMAGED)).collect()
}

fn size_of(key: &[u8], value: &[u8]) -> u64 {
    (key.len() as u64).saturating_add(value.len() as u64)
}

#[cfg(test)]
mod tests;
