//! One entry of the change log: what a row was and what it became.
//!
//! The key says table, scope and SeqId (`key::layout`); the value holds the commit, the row's key
//! and both rows whole. How far back the log reaches is the business of `history`.

use kalamdb_commons::{SeqId, TableId};

use crate::error::ReadError;
use crate::key::{RowKey, Scope, layout};
use crate::row_codec::{Reader, encode_length, encode_row};
use crate::write_set::Change;

const HAS_OLD: u8 = 0b01;
const HAS_NEW: u8 = 0b10;

/// Key and value of a change.
pub(crate) fn encode(change: &Change) -> (Vec<u8>, Vec<u8>) {
    let mut out = Vec::with_capacity(128);
    out.extend_from_slice(&change.commit.0.to_be_bytes());
    let old = if change.old.is_some() { HAS_OLD } else { 0 };
    let new = if change.new.is_some() { HAS_NEW } else { 0 };
    out.push(old | new);
    encode_length(&mut out, change.key.as_bytes().len());
    out.extend_from_slice(change.key.as_bytes());
    if let Some((seq, row)) = &change.old {
        out.extend_from_slice(&seq.0.to_be_bytes());
        encode_row(&mut out, row);
    }
    if let Some(row) = &change.new {
        encode_row(&mut out, row);
    }
    (layout::change_key(change.table, &change.scope, change.seq), out)
}

/// The change under a key of `table` and `scope`.
pub(crate) fn decode(table: TableId, scope: &Scope, key: &[u8], value: &[u8]) -> Result<Change, ReadError> {
    let mut reader = Reader::new(value, "change");
    let seq = layout::change_seq(key).ok_or(reader.damaged("its key is too short"))?;
    let commit: SeqId = reader.seq()?;
    let flags = reader.byte()?;
    if flags & !(HAS_OLD | HAS_NEW) != 0 {
        return Err(reader.damaged("it has an unknown flag"));
    }
    let row_key = RowKey(reader.sized()?.into());
    let old = if flags & HAS_OLD == 0 { None } else { Some((reader.seq()?, reader.row()?)) };
    let new = if flags & HAS_NEW == 0 { None } else { Some(reader.row()?) };
    reader.end()?;
    Ok(Change { table, scope: scope.clone(), key: row_key, seq, commit, old, new })
}

#[cfg(test)]
mod tests;
