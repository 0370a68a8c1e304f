//! What the live side counts: one function per event, so that call sites read as sentences.

use metrics::{counter, gauge};

pub(crate) fn connection_opened() {
    counter!("kalamdb_live_connections_opened_total").increment(1);
    gauge!("kalamdb_live_connections").increment(1.0);
}

pub(crate) fn connection_refused(reason: &'static str) {
    counter!("kalamdb_live_connections_refused_total", "reason" => reason).increment(1);
}

pub(crate) fn connection_closed(reason: &'static str) {
    counter!("kalamdb_live_connections_closed_total", "reason" => reason).increment(1);
    gauge!("kalamdb_live_connections").decrement(1.0);
}

pub(crate) fn subscription_started(strategy: &'static str) {
    counter!("kalamdb_live_subscriptions_started_total", "strategy" => strategy).increment(1);
    gauge!("kalamdb_live_subscriptions").increment(1.0);
}

pub(crate) fn subscription_refused(code: &'static str) {
    counter!("kalamdb_live_subscriptions_refused_total", "code" => code).increment(1);
}

pub(crate) fn subscription_ended(cause: &'static str) {
    counter!("kalamdb_live_subscriptions_ended_total", "cause" => cause).increment(1);
    gauge!("kalamdb_live_subscriptions").decrement(1.0);
}

pub(crate) fn subscription_resumed() {
    counter!("kalamdb_live_resumes_total").increment(1);
}

pub(crate) fn subscription_reset() {
    counter!("kalamdb_live_resets_total").increment(1);
}

pub(crate) fn subscription_lags() {
    counter!("kalamdb_live_lags_total").increment(1);
}

pub(crate) fn subscription_caught_up() {
    counter!("kalamdb_live_catch_ups_total").increment(1);
}

pub(crate) fn change_delivered(frames: usize, bytes: usize) {
    counter!("kalamdb_live_change_frames_total").increment(frames as u64);
    counter!("kalamdb_live_change_bytes_total").increment(bytes as u64);
}

pub(crate) fn views_evaluated(views: u64) {
    counter!("kalamdb_live_view_evaluations_total").increment(views);
}

pub(crate) fn views_held(views: usize) {
    gauge!("kalamdb_live_views").set(views as f64);
}

pub(crate) fn log_pass() {
    counter!("kalamdb_live_log_passes_total").increment(1);
}

pub(crate) fn result_as_of() {
    counter!("kalamdb_live_results_as_of_total").increment(1);
}

pub(crate) fn rows_read() {
    counter!("kalamdb_live_row_reads_total").increment(1);
}

pub(crate) fn query_run_again() {
    counter!("kalamdb_live_reruns_total").increment(1);
}

pub(crate) fn record_not_written() {
    counter!("kalamdb_live_record_errors_total").increment(1);
}
