//! What one commit did to one view, and its frames.
//!
//! A [`Delta`] is encoded once and shared by every subscriber of the view. Its rows ascend by
//! `_seq`, it is split into several frames when it is large, and every frame by itself follows the
//! wire's rules: `insert` has only new rows, `delete` only old ones (with the delete's own `_seq`),
//! and the old rows of an `update` carry no `_seq`.

use std::sync::Arc;

use kalamdb_commons::protocol::{ChangeBody, ChangeType, SharedFrame, write_row};
use kalamdb_commons::{Row, SeqId};

use super::plan::LivePlan;

/// One row of a result, before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RowChange {
    /// The `_seq` with which the change is delivered.
    pub seq: SeqId,
    /// Names the row where the result does not hold the primary key.
    pub identity: Arc<str>,
    /// The row as it was in the result.
    pub old: Option<Row>,
    /// The row as it is in the result.
    pub new: Option<Row>,
}

impl RowChange {
    fn size_bytes(&self) -> usize {
        let size = |row: &Option<Row>| row.as_ref().map_or(0, Row::size_bytes);
        size(&self.old).saturating_add(size(&self.new)).saturating_add(self.identity.len())
    }
}

/// Everything one commit did to one view, ready to be sent.
#[derive(Debug)]
pub(crate) struct Delta {
    /// Names the commit; the last one, where several are in it.
    pub seq: SeqId,
    /// The frames, without a subscription id.
    pub frames: Vec<SharedFrame>,
    /// Size of the frames.
    pub bytes: usize,
}

/// What a frame costs beyond its shared part: the id in front of it and the queue's own entry.
pub(crate) const FRAME_OVERHEAD_BYTES: usize = 192;

impl Delta {
    /// Encodes `changes` (ascending by `seq`); `None` if there are none.
    pub fn encode(plan: &LivePlan, seq: SeqId, changes: &[RowChange], frame_max_bytes: usize) -> Option<Delta> {
        if changes.is_empty() {
            return None;
        }
        let mut frames = Vec::new();
        let mut rest = changes;
        while !rest.is_empty() {
            let (chunk, after) = rest.split_at(chunk_len(rest, frame_max_bytes));
            frames.push(encode_frame(plan, seq, chunk, !after.is_empty()));
            rest = after;
        }
        let bytes = frames.iter().map(|frame| frame.size_bytes().saturating_add(FRAME_OVERHEAD_BYTES)).sum();
        Some(Delta { seq, frames, bytes })
    }
}

/// How many changes the next frame takes; at least one.
fn chunk_len(changes: &[RowChange], frame_max_bytes: usize) -> usize {
    let mut bytes = 0_usize;
    for (taken, change) in changes.iter().enumerate() {
        bytes = bytes.saturating_add(change.size_bytes());
        if bytes > frame_max_bytes && taken > 0 {
            return taken;
        }
    }
    changes.len()
}

fn encode_frame(plan: &LivePlan, seq: SeqId, changes: &[RowChange], more: bool) -> SharedFrame {
    let change_type = if changes.iter().all(|change| change.old.is_none()) {
        ChangeType::Insert
    } else if changes.iter().all(|change| change.new.is_none()) {
        ChangeType::Delete
    } else {
        ChangeType::Update
    };
    let opaque = plan.key_columns.is_none();
    let mut body = ChangeBody { more, ..ChangeBody::default() };
    let (mut keys, mut old_keys) = (Vec::new(), Vec::new());
    for change in changes {
        let row_seq = plan.rows_have_seq.then_some(change.seq);
        if let Some(new) = &change.new {
            body.rows.push(encode_row(plan, new, row_seq));
            keys.push(change.identity.to_string());
        }
        if let Some(old) = &change.old {
            let seq_of_delete = row_seq.filter(|_| change_type == ChangeType::Delete);
            body.old_values.push(encode_row(plan, old, seq_of_delete));
            old_keys.push(change.identity.to_string());
        }
    }
    body.keys = opaque.then_some(keys);
    body.old_keys = opaque.then_some(old_keys);
    SharedFrame::change(change_type, seq, &body)
}

/// One row as a JSON object.
pub(crate) fn encode_row(plan: &LivePlan, cells: &Row, seq: Option<SeqId>) -> Vec<u8> {
    let mut encoded = Vec::with_capacity(128);
    write_row(&mut encoded, &plan.columns, cells.iter(), seq);
    encoded
}

#[cfg(test)]
mod tests;
