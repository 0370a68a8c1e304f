//! What the doors count, and the recorder that all crates' counts end in.
//!
//! Labels come from closed sets only (routes, statuses, codes, reasons), never from what a client wrote.

use std::sync::OnceLock;
use std::time::Duration;

use kalamdb_commons::ErrorCode;
use kalamdb_core::live::CloseReason;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();

/// Makes the counts of this process readable as Prometheus text. Calling it again changes nothing.
///
/// Where the program has a recorder of its own already, that one keeps the counts and the text stays empty.
pub fn install() {
    RECORDER.get_or_init(|| {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        if metrics::set_global_recorder(recorder).is_err() {
            tracing::warn!("another metrics recorder is installed, /metrics stays empty");
        }
        handle
    });
}

/// All counts as Prometheus text.
#[must_use]
pub fn render() -> String {
    RECORDER.get().map(PrometheusHandle::render).unwrap_or_default()
}

/// Drops what summaries no longer need; to be called now and then.
pub fn upkeep() {
    if let Some(handle) = RECORDER.get() {
        handle.run_upkeep();
    }
}

/// A request was answered.
pub(crate) fn request_answered(route: &'static str, status: u16, took: Duration) {
    let class = match status {
        100..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    };
    metrics::counter!("kalamdb_http_requests_total", "route" => route, "status" => class).increment(1);
    metrics::histogram!("kalamdb_http_request_seconds", "route" => route).record(took.as_secs_f64());
}

/// A route panicked and the panic was caught.
pub(crate) fn panic_caught() {
    metrics::counter!("kalamdb_panics_total").increment(1);
}

/// A TCP connection was turned away at once.
pub(crate) fn connection_refused(why: &'static str) {
    metrics::counter!("kalamdb_connections_refused_total", "why" => why).increment(1);
}

/// A WebSocket was opened (not yet authenticated).
pub(crate) fn socket_opened() {
    metrics::counter!("kalamdb_websocket_opened_total").increment(1);
    metrics::gauge!("kalamdb_websocket_open").increment(1.0);
}

/// A WebSocket is gone; `None` where the client vanished.
pub(crate) fn socket_closed(reason: Option<CloseReason>) {
    metrics::gauge!("kalamdb_websocket_open").decrement(1.0);
    let code = reason.map_or_else(|| "none".to_owned(), |reason| reason.code().to_string());
    metrics::counter!("kalamdb_websocket_closed_total", "code" => code).increment(1);
}

/// Somebody proved who they are on a WebSocket, or did not.
pub(crate) fn socket_authentication(accepted: bool) {
    let outcome = if accepted { "accepted" } else { "refused" };
    metrics::counter!("kalamdb_websocket_authentications_total", "outcome" => outcome).increment(1);
}

/// A message came in over a WebSocket.
pub(crate) fn message_received(bytes: usize) {
    metrics::counter!("kalamdb_websocket_messages_received_total").increment(1);
    metrics::counter!("kalamdb_websocket_received_bytes_total").increment(bytes as u64);
}

/// A message was refused by the session, before the live queries saw it.
pub(crate) fn message_refused(code: ErrorCode) {
    metrics::counter!("kalamdb_websocket_messages_refused_total", "code" => code.as_str()).increment(1);
}

/// Frames went out over a WebSocket.
pub(crate) fn frames_sent(frames: u64, bytes: usize) {
    metrics::counter!("kalamdb_websocket_frames_sent_total").increment(frames);
    metrics::counter!("kalamdb_websocket_sent_bytes_total").increment(bytes as u64);
}
