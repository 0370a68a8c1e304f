//! Numbers about commits and the history.

use std::time::Duration;

use crate::write_set::CommitError;

/// A group of so many commits was stored; writing and syncing it took so long.
pub(crate) fn written(commits: usize, took: Duration) {
    metrics::counter!("kalamdb_store_groups_total").increment(1);
    metrics::counter!("kalamdb_store_commits_total").increment(commits as u64);
    metrics::histogram!("kalamdb_store_group_commits").record(commits as f64);
    metrics::histogram!("kalamdb_store_write_seconds").record(took.as_secs_f64());
}

/// A write set did not become a commit.
pub(crate) fn refused(error: &CommitError) {
    let reason = match error {
        CommitError::Conflict => "conflict",
        CommitError::UniqueViolation { .. } => "unique",
        CommitError::NotStored(_) | CommitError::Unsettled(_) => "storage",
        CommitError::Closed => "closed",
    };
    metrics::counter!("kalamdb_store_refused_total", "reason" => reason).increment(1);
}

/// A group of commits could not be stored.
pub(crate) fn storage_failed() {
    metrics::counter!("kalamdb_store_failed_groups_total").increment(1);
}

/// Does the store take no writes, because the disk does not?
pub(crate) fn failing(is_failing: bool) {
    metrics::gauge!("kalamdb_store_failing").set(if is_failing { 1.0 } else { 0.0 });
}

/// The database was opened again after a failure.
pub(crate) fn reopened() {
    metrics::counter!("kalamdb_store_reopened_total").increment(1);
}

/// In interval mode, everything was brought to the disk; it took so long.
pub(crate) fn synced(took: Duration) {
    metrics::histogram!("kalamdb_store_sync_seconds").record(took.as_secs_f64());
}

/// So many bytes of changes are kept for those who resume.
pub(crate) fn history(bytes: u64) {
    metrics::gauge!("kalamdb_store_history_bytes").set(bytes as f64);
}

/// So many changes were trimmed from the history.
pub(crate) fn trimmed(changes: usize) {
    metrics::counter!("kalamdb_store_history_trimmed_total").increment(changes as u64);
}
