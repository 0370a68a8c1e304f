//! What the audit log counts. Labels come from closed sets.

use super::entry::AuditKind;

/// An entry is in the log.
pub(super) fn written(kind: AuditKind) {
    metrics::counter!("kalamdb_audit_entries_total", "kind" => kind.as_str()).increment(1);
}

/// So many entries could not be written and are lost.
pub(super) fn lost(count: usize) {
    metrics::counter!("kalamdb_audit_entries_lost_total").increment(count as u64);
}

/// So many entries were deleted to keep the log within its bounds.
pub(super) fn trimmed(count: usize) {
    metrics::counter!("kalamdb_audit_entries_trimmed_total").increment(count as u64);
}

/// So many bytes the log takes.
pub(super) fn bytes(bytes: u64) {
    metrics::gauge!("kalamdb_audit_bytes").set(bytes as f64);
}
