//! The store's notes to itself, in the column family `meta`: keys, and how numbers are written.
//!
//! | key | value |
//! | --- | --- |
//! | `format` | the format version |
//! | `epoch` | which history the SeqIds belong to |
//! | `last_seq` | the last commit's SeqId, written with every group of commits |
//! | `reserved` | in interval mode: no SeqId behind this one was ever told; a clean stop takes it away |
//! | `lost` | SeqIds that may have been told and whose commits are gone |
//! | `trial` | never there; deleted to see whether something can be written |
//! | `floor/` table | the last change of the table that was trimmed from the history |
//! | `trail/` SeqId | which part of the change log the history loses next (`history::trail`) |
//!
//! A number is eight bytes, big-endian, so that those in keys sort.

use kalamdb_commons::{SeqId, TableId};

use crate::error::{OpenError, ReadError};
use crate::key::layout::{self, ByteRange};
use crate::rocks::Rocks;

/// How this version stores things. Raised when an older version could not read what this one writes.
pub const FORMAT_VERSION: u64 = 1;

pub(crate) const FORMAT: &[u8] = b"format";
pub(crate) const EPOCH: &[u8] = b"epoch";
pub(crate) const LAST_SEQ: &[u8] = b"last_seq";
pub(crate) const RESERVED: &[u8] = b"reserved";
pub(crate) const LOST: &[u8] = b"lost";
pub(crate) const TRIAL: &[u8] = b"trial";

const FLOOR: &[u8] = b"floor/";
const TRAIL: &[u8] = b"trail/";

/// Where a table's floor is noted.
pub(crate) fn floor_key(table: TableId) -> Vec<u8> {
    let mut key = FLOOR.to_vec();
    key.extend_from_slice(&table.0.to_be_bytes());
    key
}

/// Where the trail's entry that ends with `last` is noted.
pub(crate) fn trail_key(last: SeqId) -> Vec<u8> {
    let mut key = TRAIL.to_vec();
    key.extend_from_slice(&last.0.to_be_bytes());
    key
}

/// The whole trail from the entry behind `after`.
pub(crate) fn trail_behind(after: SeqId) -> ByteRange {
    ByteRange { lower: trail_key(after.next()), ..layout::beginning_with(TRAIL) }
}

/// A number as it is noted.
pub(crate) const fn encode_number(number: u64) -> [u8; 8] {
    number.to_be_bytes()
}

/// A number from a note.
pub(crate) fn decode_number(bytes: &[u8]) -> Option<u64> {
    bytes.try_into().ok().map(u64::from_be_bytes)
}

/// A SeqId from a note.
pub(crate) fn decode_seq(bytes: &[u8]) -> Result<SeqId, ReadError> {
    decode_number(bytes).map(SeqId).ok_or(ReadError::Corrupt { what: "note", reason: "it is not a number" })
}

/// Reads a number that is noted under `key`, when the store is opened.
pub(crate) fn read_number(rocks: &Rocks, key: &'static [u8]) -> Result<Option<u64>, OpenError> {
    let Some(bytes) = rocks.get(rocks.families().meta, key)? else {
        return Ok(None);
    };
    decode_number(&bytes).map(Some).ok_or_else(|| damaged(key))
}

/// A note that cannot be read.
pub(crate) fn damaged(key: &[u8]) -> OpenError {
    OpenError::Corrupt { what: String::from_utf8_lossy(key).into_owned() }
}
