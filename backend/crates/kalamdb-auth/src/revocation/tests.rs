//! What is remembered, for how long, and by whom.

use std::sync::Arc;

use kalamdb_store::{ManualClock, StoreOptions};

use super::*;

const NOW: i64 = 1_700_000_000_000_000;

fn open(dir: &tempfile::TempDir) -> Store {
    let clock = Arc::new(ManualClock::new(NOW));
    Store::open(StoreOptions { clock, ..StoreOptions::new(dir.path()) }).unwrap()
}

fn followed(store: &Store, now: i64) -> Arc<RevokedPairs> {
    let revoked = Arc::new(RevokedPairs::load(store, now).unwrap());
    let follower = Arc::clone(&revoked);
    store.listen(Arc::new(move |commit| follower.apply(commit)));
    revoked
}

#[test]
fn s05_a_retired_pair_is_known_from_its_commit_on_and_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let revoked = followed(&store, NOW);
    assert!(!revoked.contains(7));
    store.commit_blocking(revoked.retire(7, NOW + 10, NOW)).unwrap();
    assert!(revoked.contains(7) && !revoked.contains(8));
    store.close();
    drop((store, revoked));
    let store = open(&dir);
    assert!(RevokedPairs::load(&store, NOW).unwrap().contains(7));
    store.close();
}

#[test]
fn of_two_who_retire_a_pair_only_one_succeeds() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let revoked = followed(&store, NOW);
    let (one, two) = (revoked.retire(7, NOW + 10, NOW), revoked.retire(7, NOW + 10, NOW));
    assert!(store.commit_blocking(one).is_ok());
    assert!(store.commit_blocking(two).is_err());
    store.close();
}

#[test]
fn a_pair_is_forgotten_when_it_would_have_ended_anyway() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    let revoked = followed(&store, NOW);
    for pair in 0..200_u16 {
        store.commit_blocking(revoked.retire(u128::from(pair), NOW + i64::from(pair), NOW)).unwrap();
    }
    store.commit_blocking(revoked.retire(1_000, NOW + 1_000, NOW + 100)).unwrap();
    assert!(!revoked.contains(0) && revoked.contains(199), "the soonest first");
    store.commit_blocking(revoked.retire(1_001, NOW + 1_000, NOW + 100)).unwrap();
    assert!(!revoked.contains(100) && revoked.contains(101));
    let stored = store.scan_records(RecordSpace::Auth, &AuthKey::RevokedPair.prefix()).unwrap();
    assert_eq!(stored.len(), revoked.0.read().until.len());
    let later = RevokedPairs::load(&store, NOW + 500).unwrap();
    assert!(!later.contains(150) && later.contains(1_000));
    assert_eq!(store.scan_records(RecordSpace::Auth, &AuthKey::RevokedPair.prefix()).unwrap().len(), 2);
    store.close();
}

#[test]
fn records_read_back_and_nothing_else_does() {
    assert_eq!(decode(&encode(NOW)), Some(NOW));
    for bytes in [&[][..], &[1], &[2, 0, 0, 0, 0, 0, 0, 0, 0], &[1; 10]] {
        assert_eq!(decode(bytes), None);
    }
    assert_eq!(pair_of(&AuthKey::revoked_pair(u128::MAX)), Some(u128::MAX));
    assert_eq!(pair_of(&AuthKey::user(&kalamdb_commons::UserId::root())), None);
    assert_eq!(pair_of(&[2, 0]), None);
}

#[test]
fn s05_a_record_that_does_not_read_stops_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir);
    store.put_record(RecordSpace::Auth, &AuthKey::revoked_pair(1), b"x").unwrap();
    assert!(matches!(RevokedPairs::load(&store, NOW), Err(StateError::Malformed { .. })));
    store.close();
}
