//! What crosses to JavaScript, as JSON: the shapes of `sdks/typescript/src/live/wasm.ts`.
//!
//! Rows are lists of cells in the order of their columns; cells are as they travel, and what they become is decided
//! by the columns' types on the other side.

use kalamdb_commons::protocol::{ChangeType, SchemaField};
use kalamdb_commons::{Role, SeqId};
use serde::Serialize;
use serde_json::Value as Json;
use wasm_bindgen::JsValue;

use crate::error::Error;
use crate::event::{ConnectionState, SubscriptionInfo, SubscriptionState};
use crate::patch::Patch;
use crate::query::StatementOutcome;
use crate::row::Row;

/// JSON text.
pub(super) fn text(value: &impl Serialize) -> String {
    // Every shape here has a form in JSON.
    serde_json::to_string(value).unwrap_or_default()
}

/// An error, as it is thrown.
#[expect(clippy::needless_pass_by_value, reason = "stands in map_err")]
pub(super) fn thrown(error: Error) -> JsValue {
    text(&ErrorShape::of(&error)).into()
}

/// What a live query tells.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Told<'a> {
    Started {
        id: &'a str,
    },
    Columns {
        columns: &'a [SchemaField],
    },
    Snapshot {
        rows: Vec<&'a [Json]>,
        keys: Vec<&'a str>,
        first: bool,
        last: bool,
        seq: SeqId,
    },
    Change {
        kind: ChangeType,
        rows: Vec<&'a [Json]>,
        keys: Vec<&'a str>,
        old_rows: Vec<&'a [Json]>,
        old_keys: Vec<&'a str>,
        seq: SeqId,
    },
    Rows(Patch<'a>),
    Reset,
    Paused {
        reason: &'a str,
    },
    Active,
    Ended {
        error: ErrorShape<'a>,
    },
}

/// The cells of rows.
pub(super) fn cells(rows: &[Row]) -> Vec<&[Json]> {
    rows.iter().map(Row::cells).collect()
}

/// What identifies the rows.
pub(super) fn keys(rows: &[Row]) -> Vec<&str> {
    rows.iter().map(|row| row.key().unwrap_or_default()).collect()
}

#[derive(Serialize)]
pub(super) struct ErrorShape<'a> {
    code: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<&'a str>,
}

impl<'a> ErrorShape<'a> {
    pub(super) fn of(error: &'a Error) -> Self {
        let code = error.code();
        match error {
            // The code stands beside the message here, and need not stand in it.
            Error::Server { message, position, details, .. } => {
                ErrorShape { code, message: message.clone(), position: *position, details: details.as_deref() }
            }
            other => ErrorShape { code, message: other.to_string(), position: None, details: None },
        }
    }
}

#[derive(Serialize)]
pub(super) struct OutcomeShape<'a> {
    columns: &'a [SchemaField],
    rows: Vec<&'a [Json]>,
    row_count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<SeqId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
}

pub(super) fn outcomes(outcomes: &[StatementOutcome]) -> Vec<OutcomeShape<'_>> {
    let mut shapes = Vec::with_capacity(outcomes.len());
    for outcome in outcomes {
        shapes.push(OutcomeShape {
            columns: outcome.result.schema.fields(),
            rows: cells(&outcome.result.rows),
            row_count: outcome.row_count,
            seq: outcome.seq,
            message: outcome.message.as_deref(),
        });
    }
    shapes
}

#[derive(Serialize)]
pub(super) struct SubscriptionShape<'a> {
    id: &'a str,
    sql: &'a str,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_seq: Option<SeqId>,
}

pub(super) fn subscriptions(infos: &[SubscriptionInfo]) -> Vec<SubscriptionShape<'_>> {
    let mut shapes = Vec::with_capacity(infos.len());
    for SubscriptionInfo { id, sql, state, last_seq } in infos {
        let state = match state {
            SubscriptionState::Starting => "starting",
            SubscriptionState::Loading => "loading",
            SubscriptionState::Active => "active",
            SubscriptionState::Paused => "paused",
        };
        shapes.push(SubscriptionShape { id, sql, state, last_seq: *last_seq });
    }
    shapes
}

#[derive(Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub(super) enum ConnectionShape<'a> {
    Idle,
    Connecting { attempt: u32 },
    Live { connection_id: &'a str, user: &'a str, role: Role, expires_at: &'a str },
    Waiting { attempt: u32, retry_in_ms: u64, reason: &'a str },
    Closed { reason: ErrorShape<'a> },
}

pub(super) fn connection(state: &ConnectionState) -> ConnectionShape<'_> {
    match state {
        ConnectionState::Idle => ConnectionShape::Idle,
        ConnectionState::Connecting { attempt } => ConnectionShape::Connecting { attempt: *attempt },
        ConnectionState::Live { connection_id, user, role, expires_at } => {
            ConnectionShape::Live { connection_id, user, role: *role, expires_at }
        }
        ConnectionState::Waiting { attempt, retry_in, reason } => ConnectionShape::Waiting {
            attempt: *attempt,
            retry_in_ms: u64::try_from(retry_in.as_millis()).unwrap_or(u64::MAX),
            reason,
        },
        ConnectionState::Closed { reason } => ConnectionShape::Closed { reason: ErrorShape::of(reason) },
    }
}
