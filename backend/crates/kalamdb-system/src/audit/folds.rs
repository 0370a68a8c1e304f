//! Repeats, put together until they are written.
//!
//! Bounded: when too many different things come within one window, the rest is counted by kind and
//! outcome alone.

use std::collections::HashMap;
use std::net::IpAddr;

use kalamdb_commons::{ErrorCode, UserId};

use super::entry::{AuditEntry, AuditKind};

/// Most different things that are told apart within one window.
pub(super) const FOLDS_MAX: usize = 4_096;

/// What has come since the last window began.
#[derive(Debug, Default)]
pub(super) struct Folds(HashMap<FoldKey, Fold>);

/// What makes two entries the same thing. What it was done to does not: it is the client's choice.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct FoldKey {
    kind: AuditKind,
    action: &'static str,
    user: Option<UserId>,
    acting_as: Option<UserId>,
    outcome: Option<ErrorCode>,
    client: Option<IpAddr>,
}

#[derive(Debug)]
struct Fold {
    /// The last of them.
    entry: AuditEntry,
    at: i64,
    /// How many have not been written.
    unwritten: u64,
}

/// What is to be written of a fold.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Folded {
    pub(super) entry: AuditEntry,
    pub(super) at: i64,
    pub(super) occurrences: u64,
}

impl Folds {
    /// Counts an entry that need not be written now.
    pub(super) fn count(&mut self, entry: AuditEntry, at: i64) {
        let entry = self.within_bounds(entry);
        let fold = self.0.entry(key(&entry)).or_insert_with(|| Fold { entry: entry.clone(), at, unwritten: 0 });
        fold.unwritten = fold.unwritten.saturating_add(1);
        (fold.entry, fold.at) = (entry, at);
    }

    /// Is it the first of its like in this window, and so to be written now? The others are counted.
    pub(super) fn is_first(&mut self, entry: &AuditEntry, at: i64) -> bool {
        if self.0.len() < FOLDS_MAX && !self.0.contains_key(&key(entry)) {
            self.0.insert(key(entry), Fold { entry: entry.clone(), at, unwritten: 0 });
            return true;
        }
        self.count(entry.clone(), at);
        false
    }

    /// The first of its like could not be written: the next one is the first again.
    pub(super) fn forget(&mut self, entry: &AuditEntry) {
        self.0.remove(&key(entry));
    }

    /// Ends the window: what is to be written, the oldest first.
    pub(super) fn take(&mut self) -> Vec<Folded> {
        let folds = std::mem::take(&mut self.0).into_values().filter(|fold| fold.unwritten > 0);
        let folded = folds.map(|fold| Folded { entry: fold.entry, at: fold.at, occurrences: fold.unwritten });
        let mut folded: Vec<Folded> = folded.collect();
        folded.sort_by_key(|folded| folded.at);
        folded
    }

    /// The entry, or where there is no room for another kind of thing, what is left of it.
    fn within_bounds(&self, entry: AuditEntry) -> AuditEntry {
        if self.0.len() < FOLDS_MAX || self.0.contains_key(&key(&entry)) {
            return entry;
        }
        AuditEntry { user: None, acting_as: None, object: None, client: None, ..entry }
    }
}

fn key(entry: &AuditEntry) -> FoldKey {
    FoldKey {
        kind: entry.kind,
        action: entry.action,
        user: entry.user.clone(),
        acting_as: entry.acting_as.clone(),
        outcome: entry.outcome,
        client: entry.client,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(address: [u8; 4]) -> AuditEntry {
        let entry = AuditEntry::new(AuditKind::LoginFailed, "LOGIN").refused(ErrorCode::InvalidCredentials);
        entry.from(Some(IpAddr::from(address)))
    }

    #[test]
    fn what_is_the_same_is_counted_and_the_last_of_it_kept() {
        let mut folds = Folds::default();
        folds.count(failed([10, 0, 0, 1]).on("one"), 5);
        folds.count(failed([10, 0, 0, 1]).on("two"), 7);
        folds.count(failed([10, 0, 0, 2]), 6);
        let taken = folds.take();
        let seen: Vec<_> = taken.iter().map(|fold| (fold.at, fold.occurrences, fold.entry.object.as_deref())).collect();
        assert_eq!(seen, [(6, 1, None), (7, 2, Some("two"))]);
        assert_eq!(folds.take(), []);
    }

    #[test]
    fn the_first_is_not_counted_again_and_may_be_forgotten() {
        let mut folds = Folds::default();
        assert!(folds.is_first(&failed([10, 0, 0, 1]), 1));
        assert!(!folds.is_first(&failed([10, 0, 0, 1]), 2));
        folds.forget(&failed([10, 0, 0, 1]));
        assert!(folds.is_first(&failed([10, 0, 0, 1]), 3));
        assert_eq!(folds.take(), []);
    }

    #[test]
    fn i7_a_flood_from_many_addresses_is_counted_in_bounded_memory() {
        let mut folds = Folds::default();
        let all = FOLDS_MAX as u64 + 1_000;
        for n in 0..all {
            let [.., a, b, c] = n.to_be_bytes();
            folds.count(failed([10, a, b, c]), n as i64);
        }
        let taken = folds.take();
        assert_eq!(taken.len(), FOLDS_MAX + 1);
        assert_eq!(taken.iter().map(|fold| fold.occurrences).sum::<u64>(), all);
        assert!(taken.iter().any(|fold| fold.entry.client.is_none() && fold.occurrences == 1_000));
    }
}
