//! What each group of commits added to the change log, in the order in which it is trimmed.
//!
//! An entry stands for the changes of one table and scope in one group of commits. Its key is the
//! last of them, which no other entry has; the value says when and how much, and where they are.

use kalamdb_commons::SeqId;
use rocksdb::WriteBatch;
use rustc_hash::FxHashMap;

use crate::error::ReadError;
use crate::meta;
use crate::rocks::Rocks;
use crate::row_codec::Reader;

/// One entry of the trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TrailEntry {
    /// The first of the changes.
    pub(crate) first: SeqId,
    /// The last of them.
    pub(crate) last: SeqId,
    /// When they were committed, in microseconds since the Unix epoch.
    pub(crate) at_micros: i64,
    /// Bytes of the log before them.
    pub(crate) logged_before: u64,
    /// Their own bytes.
    pub(crate) bytes: u64,
    /// What their keys begin with: table and scope.
    pub(crate) prefix: Vec<u8>,
}

impl TrailEntry {
    /// Bytes of the log with them.
    pub(crate) const fn logged_after(&self) -> u64 {
        self.logged_before.saturating_add(self.bytes)
    }

    /// Key of the change `seq` of this table and scope.
    pub(crate) fn change_key(&self, seq: SeqId) -> Vec<u8> {
        let mut key = self.prefix.clone();
        key.extend_from_slice(&seq.0.to_be_bytes());
        key
    }

    /// The newest entry, if there is one.
    pub(crate) fn newest(rocks: &Rocks) -> Result<Option<TrailEntry>, ReadError> {
        let range = meta::trail_behind(SeqId::ZERO);
        let mut iterator = rocks.db().raw_iterator_cf(rocks.families().meta);
        iterator.seek_for_prev(&range.upper);
        let newest = match iterator.item() {
            Some((key, value)) if *key >= *range.lower => Some(TrailEntry::decode(key, value)?),
            _ => None,
        };
        iterator.status()?;
        Ok(newest)
    }

    pub(crate) fn encode_value(&self) -> Vec<u8> {
        let mut value = Vec::with_capacity(self.prefix.len().saturating_add(32));
        value.extend_from_slice(&self.first.0.to_be_bytes());
        value.extend_from_slice(&self.at_micros.to_be_bytes());
        value.extend_from_slice(&self.logged_before.to_be_bytes());
        value.extend_from_slice(&self.bytes.to_be_bytes());
        value.extend_from_slice(&self.prefix);
        value
    }

    pub(crate) fn decode(key: &[u8], value: &[u8]) -> Result<TrailEntry, ReadError> {
        let mut reader = Reader::new(value, "trail entry");
        let last = key.last_chunk::<8>().ok_or(reader.damaged("its key is too short"))?;
        Ok(TrailEntry {
            last: SeqId(u64::from_be_bytes(*last)),
            first: reader.seq()?,
            at_micros: i64::from_be_bytes(reader.fixed()?),
            logged_before: u64::from_be_bytes(reader.fixed()?),
            bytes: u64::from_be_bytes(reader.fixed()?),
            prefix: reader.rest().to_vec(),
        })
    }
}

/// What a group of commits has added to the change log so far, by table and scope.
#[derive(Debug, Default)]
pub(crate) struct Touched(FxHashMap<Vec<u8>, Span>);

#[derive(Debug)]
struct Span {
    first: SeqId,
    last: SeqId,
    bytes: u64,
}

impl Touched {
    /// A change under `prefix` was added; they come ascending.
    pub(crate) fn add(&mut self, prefix: &[u8], seq: SeqId, bytes: usize) {
        let bytes = bytes as u64;
        if let Some(span) = self.0.get_mut(prefix) {
            span.last = seq;
            span.bytes = span.bytes.saturating_add(bytes);
        } else {
            self.0.insert(prefix.to_vec(), Span { first: seq, last: seq, bytes });
        }
    }

    /// Adds the group's entries to its batch. Returns the bytes of the log with them.
    pub(crate) fn write(self, rocks: &Rocks, batch: &mut WriteBatch, at_micros: i64, logged_before: u64) -> u64 {
        let mut spans: Vec<_> = self.0.into_iter().collect();
        spans.sort_unstable_by_key(|(_, span)| span.last);
        spans.into_iter().fold(logged_before, |logged_before, (prefix, Span { first, last, bytes })| {
            let entry = TrailEntry { first, last, at_micros, logged_before, bytes, prefix };
            batch.put_cf(rocks.families().meta, meta::trail_key(last), entry.encode_value());
            entry.logged_after()
        })
    }
}
