//! Frames that carry rows, encoded once and shared by every subscriber.
//!
//! Only the subscription id differs between the frames that the subscribers of one view get, so
//! a [`SharedFrame`] holds all the rest as bytes, and [`SharedFrame::for_subscription`] puts the
//! id in front.

use std::sync::Arc;

use serde::Serialize;

use super::{BatchControl, ChangeType};
use crate::ids::SeqId;
use crate::value::Value;

/// Names of a result's columns, ready to be written in front of their cells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnKeys(Arc<[Box<[u8]>]>);

impl ColumnKeys {
    /// Prepares the names.
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        ColumnKeys(
            names
                .into_iter()
                .map(|name| {
                    let mut key = json_text(&name);
                    key.push(b':');
                    key.into_boxed_slice()
                })
                .collect(),
        )
    }
}

/// Appends one row as a JSON object: the cells under their names, then `_seq` where there is one.
pub fn write_row<'a>(
    out: &mut Vec<u8>,
    keys: &ColumnKeys,
    cells: impl IntoIterator<Item = &'a Value>,
    seq: Option<SeqId>,
) {
    out.push(b'{');
    let mut first = true;
    for (key, cell) in keys.0.iter().zip(cells) {
        separate(out, &mut first);
        out.extend_from_slice(key);
        cell.write_json(out);
    }
    if let Some(seq) = seq {
        separate(out, &mut first);
        out.extend_from_slice(format!("\"_seq\":\"{seq}\"").as_bytes());
    }
    out.push(b'}');
}

fn separate(out: &mut Vec<u8>, first: &mut bool) {
    if !std::mem::replace(first, false) {
        out.push(b',');
    }
}

fn json_text<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    // Our own wire types and strings always have a JSON form.
    serde_json::to_vec(value).unwrap_or_else(|_| b"null".to_vec())
}

/// A frame without its subscription id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedFrame {
    kind: &'static str,
    /// Everything behind the subscription id, from the comma on.
    rest: Arc<[u8]>,
}

/// Rows of one `change` frame, each an encoded JSON object (see [`write_row`]).
#[derive(Debug, Clone, Default)]
pub struct ChangeBody {
    /// Rows now in the result, new or changed.
    pub rows: Vec<Vec<u8>>,
    /// Rows that changed or left.
    pub old_values: Vec<Vec<u8>>,
    /// Identity per row, where the result does not hold the primary key.
    pub keys: Option<Vec<String>>,
    /// Identity per old row, likewise.
    pub old_keys: Option<Vec<String>>,
    /// More frames of the same commit follow.
    pub more: bool,
}

impl SharedFrame {
    /// A `change` frame. Its `change_type` is `insert` without old rows, `delete` without new ones.
    #[must_use]
    pub fn change(change_type: ChangeType, seq: SeqId, body: &ChangeBody) -> Self {
        let mut rest = Vec::with_capacity(128);
        field(&mut rest, "change_type", &json_text(&change_type));
        if !body.rows.is_empty() {
            array(&mut rest, "rows", &body.rows);
        }
        if !body.old_values.is_empty() {
            array(&mut rest, "old_values", &body.old_values);
        }
        field(&mut rest, "seq", &json_text(&seq));
        if body.more {
            field(&mut rest, "more", b"true");
        }
        if let Some(keys) = body.keys.as_ref().filter(|keys| !keys.is_empty()) {
            field(&mut rest, "keys", &json_text(keys));
        }
        if let Some(keys) = body.old_keys.as_ref().filter(|keys| !keys.is_empty()) {
            field(&mut rest, "old_keys", &json_text(keys));
        }
        SharedFrame::new("change", rest)
    }

    /// An `initial_data_batch` frame.
    #[must_use]
    pub fn initial_data_batch(rows: &[Vec<u8>], control: &BatchControl, keys: Option<&[String]>) -> Self {
        let mut rest = Vec::with_capacity(128);
        array(&mut rest, "rows", rows);
        field(&mut rest, "batch_control", &json_text(control));
        if let Some(keys) = keys {
            field(&mut rest, "keys", &json_text(keys));
        }
        SharedFrame::new("initial_data_batch", rest)
    }

    fn new(kind: &'static str, mut rest: Vec<u8>) -> Self {
        rest.push(b'}');
        SharedFrame { kind, rest: rest.into() }
    }

    /// Size of the shared part, in bytes.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.rest.len()
    }

    /// The whole frame for one subscriber, as JSON text.
    #[must_use]
    pub fn for_subscription(&self, subscription_id: &str) -> Vec<u8> {
        let id = json_text(subscription_id);
        let mut frame = Vec::with_capacity(
            self.rest.len().saturating_add(id.len()).saturating_add(self.kind.len()).saturating_add(32),
        );
        frame.extend_from_slice(b"{\"type\":\"");
        frame.extend_from_slice(self.kind.as_bytes());
        frame.extend_from_slice(b"\",\"subscription_id\":");
        frame.extend_from_slice(&id);
        frame.extend_from_slice(&self.rest);
        frame
    }
}

fn field(out: &mut Vec<u8>, name: &str, json: &[u8]) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    out.extend_from_slice(json);
}

fn array(out: &mut Vec<u8>, name: &str, items: &[Vec<u8>]) {
    let mut joined = Vec::with_capacity(items.iter().map(Vec::len).sum::<usize>().saturating_add(items.len()));
    joined.push(b'[');
    joined.extend_from_slice(&items.join(&b','));
    joined.push(b']');
    field(out, name, &joined);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{BatchStatus, ServerMessage};

    fn decode(frame: &SharedFrame, id: &str) -> ServerMessage {
        serde_json::from_slice(&frame.for_subscription(id)).unwrap()
    }

    #[test]
    fn a_change_frame_decodes_into_the_message_it_stands_for() {
        let keys = ColumnKeys::new(["id", "na\"me"]);
        let mut row = Vec::new();
        write_row(&mut row, &keys, &[Value::BigInt(1), Value::Null], Some(SeqId(7)));
        let body = ChangeBody { rows: vec![row], more: true, ..ChangeBody::default() };
        let frame = SharedFrame::change(ChangeType::Insert, SeqId(1 << 53), &body);
        let ServerMessage::Change { subscription_id, rows, old_values, seq, more, .. } = decode(&frame, "a\"b") else {
            panic!("not a change frame");
        };
        assert_eq!((subscription_id.as_str(), seq, more), ("a\"b", SeqId(1 << 53), Some(true)));
        assert_eq!(serde_json::to_string(&rows).unwrap(), r#"[{"id":"1","na\"me":null,"_seq":"7"}]"#);
        assert_eq!(old_values, None);
    }

    #[test]
    fn an_empty_batch_decodes() {
        let control =
            BatchControl { batch_num: 0, has_more: false, status: BatchStatus::Ready, last_seq_id: Some(SeqId(3)) };
        let frame = SharedFrame::initial_data_batch(&[], &control, None);
        let ServerMessage::InitialDataBatch { rows, batch_control, keys, .. } = decode(&frame, "s") else {
            panic!("not a batch");
        };
        assert!(rows.is_empty() && keys.is_none());
        assert_eq!(batch_control, control);
    }
}
