//! How the keys of the column families are put together.
//!
//! - rows: `table · scope · row key`
//! - index: `index · scope · columns`, and `· row key` unless the entry is the only one its columns may have
//! - changes: `table · scope · SeqId`
//!
//! Numbers are big-endian. A scope is one byte for its kind and, for a user, the escaped name: the
//! rows of "a" are never within the range of those of "ab".

use std::ops::Bound;

use kalamdb_commons::{IndexId, SeqId, TableId, UserId};

use super::values::{KeyError, decode_bytes, encode_bytes, take};
use super::{KeyRange, RowKey, Scope};

const SCOPE_SHARED: u8 = 0x00;
const SCOPE_USER: u8 = 0x01;

/// A range of stored keys, from `lower` up to but without `upper`; an empty `upper` is no end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ByteRange {
    pub(crate) lower: Vec<u8>,
    pub(crate) upper: Vec<u8>,
}

/// What all rows and all changes of a table and scope begin with.
pub(crate) fn table_prefix(table: TableId, scope: &Scope) -> Vec<u8> {
    scoped_prefix(table.0, scope)
}

/// What all entries of an index in a scope begin with.
pub(crate) fn index_prefix(index: IndexId, scope: &Scope) -> Vec<u8> {
    scoped_prefix(index.0, scope)
}

/// Key of a row.
pub(crate) fn row_key(table: TableId, scope: &Scope, key: &RowKey) -> Vec<u8> {
    let mut out = table_prefix(table, scope);
    out.extend_from_slice(key.as_bytes());
    out
}

/// Key of a change in the change log.
pub(crate) fn change_key(table: TableId, scope: &Scope, seq: SeqId) -> Vec<u8> {
    let mut out = table_prefix(table, scope);
    out.extend_from_slice(&seq.0.to_be_bytes());
    out
}

/// SeqId at the end of a change's key.
pub(crate) fn change_seq(key: &[u8]) -> Option<SeqId> {
    key.last_chunk::<8>().map(|bytes| SeqId(u64::from_be_bytes(*bytes)))
}

/// A change's key without its SeqId: what all changes of the table and scope begin with.
pub(crate) fn change_prefix(key: &[u8]) -> &[u8] {
    key.split_last_chunk::<8>().map_or(key, |(prefix, _)| prefix)
}

/// Takes the table or index and the scope off the front of a key; what is left is the rest of it.
pub(crate) fn split_prefix(key: &[u8]) -> Result<(u32, Scope, &[u8]), KeyError> {
    let mut rest = key;
    let id = u32::from_be_bytes(take(&mut rest)?);
    let scope = match take::<1>(&mut rest)? {
        [SCOPE_SHARED] => Scope::Shared,
        [SCOPE_USER] => {
            let name = String::from_utf8(decode_bytes(&mut rest)?).map_err(|_| KeyError::Malformed)?;
            Scope::User(UserId::new(&name).map_err(|_| KeyError::Malformed)?)
        }
        _ => return Err(KeyError::Malformed),
    };
    Ok((id, scope, rest))
}

/// All keys of a table or index, whatever the scope.
pub(crate) fn whole(id: u32) -> ByteRange {
    // No scope begins with 0xff, so this is behind every key of the last id too.
    let upper = id.checked_add(1).map_or_else(|| vec![0xff; 5], |next| next.to_be_bytes().to_vec());
    ByteRange { lower: id.to_be_bytes().to_vec(), upper }
}

/// The keys of `range` among those that begin with `prefix`.
pub(crate) fn within(prefix: &[u8], range: &KeyRange) -> ByteRange {
    let lower = match &range.start {
        Bound::Unbounded => prefix.to_vec(),
        Bound::Included(bytes) => join(prefix, bytes),
        Bound::Excluded(bytes) => behind(join(prefix, bytes)),
    };
    let upper = match &range.end {
        Bound::Unbounded => behind(prefix.to_vec()),
        Bound::Included(bytes) => behind(join(prefix, bytes)),
        Bound::Excluded(bytes) => join(prefix, bytes),
    };
    ByteRange { lower, upper }
}

/// All keys that begin with `prefix`; with an empty one, all there are.
pub(crate) fn beginning_with(prefix: &[u8]) -> ByteRange {
    ByteRange { lower: prefix.to_vec(), upper: behind(prefix.to_vec()) }
}

/// The first key behind all those that begin with `bytes`; empty if there is none.
fn behind(mut bytes: Vec<u8>) -> Vec<u8> {
    while let Some(last) = bytes.pop() {
        if let Some(next) = last.checked_add(1) {
            bytes.push(next);
            break;
        }
    }
    bytes
}

fn join(prefix: &[u8], rest: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(prefix.len().saturating_add(rest.len()));
    out.extend_from_slice(prefix);
    out.extend_from_slice(rest);
    out
}

fn scoped_prefix(id: u32, scope: &Scope) -> Vec<u8> {
    let mut out = Vec::with_capacity(48);
    out.extend_from_slice(&id.to_be_bytes());
    match scope {
        Scope::Shared => out.push(SCOPE_SHARED),
        Scope::User(user) => {
            out.push(SCOPE_USER);
            encode_bytes(&mut out, user.as_str().as_bytes());
        }
    }
    out
}
