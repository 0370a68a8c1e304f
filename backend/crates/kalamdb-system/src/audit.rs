//! `system.audit_log`: who did what to whom, and what was refused.
//!
//! What a commit does is written by that commit, so the log never says more or less than what happened.
//! What no commit does (a kill, a query in another's name, a refused statement) is on the disk before its
//! answer goes out. Only logins that failed, and repeats within a minute, wait in memory, and a crash may
//! take them. Entries hold names and codes, never SQL, values, passwords or tokens.
//!
//! The log is bounded by age and by bytes. What anybody can cause has a drawer of its own with a quarter
//! of the bytes, and repeats of it become one entry with a count: a flood of it drowns only its own kind.

mod columns;
mod entry;
mod folds;
mod log;
mod metrics;
pub(crate) mod record;

pub use columns::TABLE;
pub use entry::{AuditEntry, AuditKind};
pub use log::{AuditError, AuditLog, AuditOptions, AuditReader};
