//! What the engine counts. Names and labels stand here once; callers name the event.
//!
//! Labels come from closed sets only (statement kinds, error codes), never from what a client wrote.

use std::time::Duration;

use kalamdb_commons::ErrorCode;

/// A statement was run, with its outcome.
pub fn statement_run(kind: &'static str, took: Duration, failure: Option<ErrorCode>) {
    let outcome = failure.map_or("ok", ErrorCode::as_str);
    metrics::counter!("kalamdb_sql_statements_total", "kind" => kind, "outcome" => outcome).increment(1);
    metrics::histogram!("kalamdb_sql_statement_seconds", "kind" => kind).record(took.as_secs_f64());
}

/// A statement met a concurrent write and was tried again.
pub fn statement_retried() {
    metrics::counter!("kalamdb_sql_retries_total").increment(1);
}

/// Rows of STREAM tables were deleted because their time was up.
pub fn stream_rows_expired(rows: u64) {
    metrics::counter!("kalamdb_stream_rows_expired_total").increment(rows);
}

/// A request ended in a panic, which was caught.
pub fn panic_caught() {
    metrics::counter!("kalamdb_panics_total").increment(1);
}
