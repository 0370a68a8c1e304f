//! Pairs of tokens and logins that count no more, until they would have ended anyway.
//!
//! A refresh retires a pair, a logout a login; both are random ids and are kept alike. It is done by a
//! commit, so that everything that follows the database hears of it, and what is remembered here is
//! exactly what is stored. Each such commit also takes along some records that have become pointless,
//! so neither memory nor disk grows beyond what can still be shown.

use std::collections::BTreeSet;
use std::collections::HashMap;

use kalamdb_store::{Commit, Expect, RecordSpace, RecordWrite, Store, WriteSet};
use kalamdb_system::StateError;
use kalamdb_system::record_key::AuthKey;
use parking_lot::RwLock;

use crate::metrics;

/// First byte of a stored record. A number is never reused.
const RECORD_V1: u8 = 1;
/// Pointless records that one commit takes along.
const FORGOTTEN_PER_COMMIT_MAX: usize = 64;

/// The retired pairs.
#[derive(Debug, Default)]
pub(crate) struct RevokedPairs(RwLock<Pairs>);

#[derive(Debug, Default)]
struct Pairs {
    /// Until when a pair must be remembered, in microseconds since the Unix epoch.
    until: HashMap<u128, i64>,
    /// The same, the soonest first.
    by_end: BTreeSet<(i64, u128)>,
}

impl RevokedPairs {
    /// Reads the pairs from the store, and drops those that have ended by `now`.
    ///
    /// # Errors
    /// [`StateError`] when the store cannot be read or holds something else.
    pub(crate) fn load(store: &Store, now: i64) -> Result<Self, StateError> {
        const DAMAGED: StateError = StateError::Malformed { what: "revoked pair of tokens" };
        let mut pairs = Pairs::default();
        for (key, value) in store.scan_records(RecordSpace::Auth, &AuthKey::RevokedPair.prefix())? {
            let pair = pair_of(&key).ok_or(DAMAGED)?;
            let until = decode(&value).ok_or(DAMAGED)?;
            if until > now {
                pairs.insert(pair, until);
            } else if let Err(error) = store.delete_record(RecordSpace::Auth, &key) {
                tracing::warn!(%error, "a pointless record could not be deleted");
                pairs.insert(pair, until);
            }
        }
        metrics::revoked_pairs(pairs.until.len());
        Ok(RevokedPairs(RwLock::new(pairs)))
    }

    pub(crate) fn contains(&self, pair: u128) -> bool {
        self.0.read().until.contains_key(&pair)
    }

    /// How many are remembered.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.0.read().until.len()
    }

    /// The commit that retires a pair, which must be remembered until then. Of two such commits only
    /// one goes through; the other is a conflict.
    pub(crate) fn retire(&self, pair: u128, until: i64, now: i64) -> WriteSet {
        let write = |pair, expect, value| RecordWrite {
            space: RecordSpace::Auth,
            key: AuthKey::revoked_pair(pair),
            expect,
            value,
        };
        let pairs = self.0.read();
        let ended = pairs.by_end.iter().take_while(|(until, _)| *until <= now).map(|(_, pair)| *pair);
        let mut records = vec![write(pair, Expect::Absent, Some(encode(until)))];
        records.extend(
            ended
                .filter(|ended| *ended != pair)
                .take(FORGOTTEN_PER_COMMIT_MAX)
                .map(|pair| write(pair, Expect::Any, None)),
        );
        WriteSet { records, ..WriteSet::default() }
    }

    /// Takes over what a commit did to revoked pairs.
    pub(crate) fn apply(&self, commit: &Commit) {
        for write in commit.records.iter().filter(|write| write.space == RecordSpace::Auth) {
            let Some(pair) = pair_of(&write.key) else { continue };
            let mut pairs = self.0.write();
            match write.value.as_deref().map(decode) {
                Some(Some(until)) => pairs.insert(pair, until),
                Some(None) => {
                    tracing::error!(seq = commit.last.0, "a commit holds a revoked pair that does not read");
                    pairs.insert(pair, i64::MAX);
                }
                None => pairs.remove(pair),
            }
            metrics::revoked_pairs(pairs.until.len());
        }
    }
}

impl Pairs {
    fn insert(&mut self, pair: u128, until: i64) {
        self.remove(pair);
        self.until.insert(pair, until);
        self.by_end.insert((until, pair));
    }

    fn remove(&mut self, pair: u128) {
        if let Some(until) = self.until.remove(&pair) {
            self.by_end.remove(&(until, pair));
        }
    }
}

fn pair_of(key: &[u8]) -> Option<u128> {
    let (AuthKey::RevokedPair, pair) = AuthKey::split(key)? else { return None };
    pair.try_into().ok().map(u128::from_be_bytes)
}

fn encode(until: i64) -> Vec<u8> {
    let mut bytes = vec![RECORD_V1];
    bytes.extend_from_slice(&until.to_be_bytes());
    bytes
}

fn decode(bytes: &[u8]) -> Option<i64> {
    let (&RECORD_V1, until) = bytes.split_first()? else { return None };
    until.try_into().ok().map(i64::from_be_bytes)
}

#[cfg(test)]
mod tests;
