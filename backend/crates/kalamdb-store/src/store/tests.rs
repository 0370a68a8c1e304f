mod crashes;

use std::sync::Arc;

use kalamdb_commons::SeqId;

use crate::tests::{
    Fixture, TABLE, begin, changes, end, gate, image_of, index_keys, indexed, insert, open_image, options, rows, set,
    text_index, texts,
};
use crate::{Clock as _, Commit, CommitError, Durability, KeyRange, OpenError, RecordSpace, Scope, Store, WriteSet};

/// Syncs that never come by themselves.
const INTERVAL: Durability = Durability::Interval { millis: 3_600_000 };

#[test]
fn i3_acknowledged_commits_are_there_after_a_crash_and_in_the_change_log() {
    for durability in [Durability::Sync, INTERVAL] {
        let fixture = Fixture::with(|options| options.durability = durability);
        let index = text_index(true);
        for n in 0..20 {
            fixture.write(indexed(insert(n, &format!("row {n:02}")), &index));
        }
        fixture.store.put_record(RecordSpace::LiveQueries, b"a", b"beside").unwrap();
        let before = fixture.store.snapshot();
        let image = fixture.crash_image();
        let store = open_image(&image, durability);
        let after = store.snapshot();
        assert_eq!(rows(&after), rows(&before));
        let log = |snapshot| changes(snapshot, TABLE, &Scope::Shared, SeqId::ZERO);
        assert_eq!(log(&after), log(&before));
        assert_eq!(index_keys(&after, &KeyRange::all()), index_keys(&before, &KeyRange::all()));
        assert_eq!(store.get_record(RecordSpace::LiveQueries, b"a").unwrap().as_deref(), Some(&b"beside"[..]));
        assert!(after.history_reaches(TABLE, before.seq()).unwrap());
    }
}

#[test]
fn i3_a_crash_between_any_two_commits_leaves_whole_commits() {
    let fixture = Fixture::new();
    for n in 0..5 {
        fixture.store.commit_blocking(set([insert(n * 2, "half"), insert(n * 2 + 1, "other half")])).unwrap();
        let store = open_image(&fixture.crash_image(), Durability::Sync);
        assert_eq!(rows(&store.snapshot()).len() as i64, (n + 1) * 2);
        assert_eq!(store.last_seq().0 as i64, (n + 1) * 2);
    }
}

#[test]
fn a_store_goes_on_where_it_was_closed() {
    for durability in [Durability::Sync, INTERVAL] {
        let fixture = Fixture::with(|options| options.durability = durability);
        fixture.put(1, "one");
        let epoch = fixture.store.epoch();
        let Fixture { store, dir, clock } = fixture;
        store.close();
        drop(store);
        let mut options = options(dir.path(), &clock);
        options.durability = durability;
        let store = Store::open(options).unwrap();
        assert_eq!((store.last_seq(), store.epoch()), (SeqId(1), epoch));
        assert_eq!(
            store.commit_blocking(set([insert(2, "two")])).unwrap().last,
            SeqId(2),
            "a clean stop skips nothing"
        );
        assert!(store.snapshot().history_reaches(TABLE, SeqId(1)).unwrap());
        assert_eq!(store.clock().now_micros(), clock.now_micros());
    }
}

#[test]
fn epochs_differ() {
    assert_ne!(Fixture::new().store.epoch(), Fixture::new().store.epoch());
}

#[test]
fn i2_after_an_unclean_stop_in_interval_mode_no_number_is_told_twice_and_lost_ones_are_not_resumed() {
    let fixture = Fixture::with(|options| options.durability = INTERVAL);
    for n in 0..5 {
        fixture.put(n, "safe");
    }
    // The disk at this moment: what comes after it is lost with the power.
    let image = fixture.crash_image();
    let told = fixture.put(5, "lost").last;
    let store = open_image(&image, INTERVAL);
    let snapshot = store.snapshot();
    assert_eq!(texts(&snapshot).len(), 5);
    assert!(!snapshot.history_reaches(TABLE, told).unwrap(), "what it stood for is gone");
    assert!(snapshot.history_reaches(TABLE, SeqId(5)).unwrap(), "the last commit that is there");
    assert!(snapshot.history_reaches(TABLE, SeqId::ZERO).unwrap());
    assert!(snapshot.history_reaches(TABLE, snapshot.seq()).unwrap(), "where it goes on");
    let next = store.commit_blocking(set([insert(6, "new")])).unwrap();
    assert!(next.first > told && next.first > snapshot.seq());
    let later = store.snapshot();
    assert!(!later.history_reaches(TABLE, told).unwrap());
    let seqs: Vec<_> = changes(&later, TABLE, &Scope::Shared, SeqId(4)).iter().map(|c| c.seq).collect();
    assert_eq!(seqs, [SeqId(5), next.last]);
    store.close();
    // A snapshot that is held keeps the directory open.
    drop((store, snapshot, later));
    let store = open_image(&image, Durability::Sync);
    assert!(!store.snapshot().history_reaches(TABLE, told).unwrap(), "they stay lost");
    assert_eq!(store.last_seq(), next.last);
}

#[test]
fn i2_being_killed_again_and_again_loses_the_numbers_of_each_time() {
    let fixture = Fixture::with(|options| options.durability = INTERVAL);
    fixture.put(0, "row");
    let mut image = fixture.crash_image();
    let mut told = vec![fixture.put(1, "lost").last];
    for n in 2..5 {
        let store = open_image(&image, INTERVAL);
        let again = image_of(image.path());
        let next = store.commit_blocking(set([insert(n, "lost too")])).unwrap().last;
        assert!(told.iter().all(|told| *told < next));
        assert!(told.iter().all(|told| !store.snapshot().history_reaches(TABLE, *told).unwrap()));
        told.push(next);
        image = again;
    }
}

#[test]
fn in_sync_mode_an_unclean_stop_skips_nothing() {
    let fixture = Fixture::new();
    fixture.put(1, "one");
    let store = open_image(&fixture.crash_image(), Durability::Sync);
    assert_eq!(store.commit_blocking(set([insert(2, "two")])).unwrap().last, SeqId(2));
}

#[test]
fn a_change_of_mode_after_an_unclean_stop_skips_what_may_be_lost() {
    let fixture = Fixture::with(|options| options.durability = INTERVAL);
    fixture.put(1, "one");
    let store = open_image(&fixture.crash_image(), Durability::Sync);
    assert!(!store.snapshot().history_reaches(TABLE, SeqId(2)).unwrap());
    assert!(store.last_seq() > SeqId(2));
}

#[test]
fn closing_commits_what_waits_and_refuses_what_comes_later() {
    let fixture = Fixture::new();
    let gate = gate(&fixture.store);
    let held = gate.lock();
    let waiting: Vec<_> = (0..20).map(|n| begin(&fixture.store, set([insert(n, "waits")]))).collect();
    let closing = std::thread::spawn({
        let store = fixture.store.clone();
        move || store.close()
    });
    while !fixture.store.shared().is_closing() {
        std::thread::yield_now();
    }
    drop(held);
    for waiting in waiting {
        end(waiting).unwrap();
    }
    closing.join().unwrap();
    fixture.store.close();
    let refused = fixture.store.commit_blocking(set([insert(99, "late")]));
    assert!(matches!(refused, Err(CommitError::Closed)), "{refused:?}");
    assert_eq!(rows(&fixture.store.snapshot()).len(), 20, "reads go on");
}

#[test]
fn dropping_the_last_handle_closes_and_frees_the_directory() {
    let Fixture { store, dir, clock } = Fixture::with(|options| options.durability = INTERVAL);
    let other = store.clone();
    store.commit_blocking(set([insert(1, "one")])).unwrap();
    drop(store);
    let locked = Store::open(options(dir.path(), &clock)).unwrap_err();
    assert!(matches!(locked, OpenError::Locked { .. }), "{locked:?}");
    drop(other);
    let store = Store::open(options(dir.path(), &clock)).unwrap();
    assert_eq!(store.last_seq(), SeqId(1), "it was a clean stop");
}

#[test]
fn closing_lets_go_of_a_listener_that_holds_the_store() {
    let Fixture { store, dir, clock } = Fixture::new();
    let own = store.clone();
    store.listen(Arc::new(move |commit: &Arc<Commit>| assert!(own.last_seq() >= commit.last)));
    store.commit_blocking(set([insert(1, "one")])).unwrap();
    store.close();
    drop(store);
    Store::open(options(dir.path(), &clock)).unwrap();
}

#[tokio::test]
async fn commits_are_awaited_on_any_runtime_and_blocking_ones_may_be_made_on_its_threads() {
    let fixture = Fixture::new();
    fixture.store.commit(set([insert(1, "awaited")])).await.unwrap();
    for n in 2..300 {
        fixture.store.commit_blocking(set([insert(n, "blocking")])).unwrap();
    }
    let own_runtime = tokio::task::spawn_blocking({
        let store = fixture.store.clone();
        move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(store.commit(set([insert(300, "elsewhere")])))
        }
    });
    own_runtime.await.unwrap().unwrap();
    assert_eq!(rows(&fixture.store.snapshot()).len(), 300);
}

#[test]
fn records_outside_of_commits_are_written_found_by_prefix_and_deleted() {
    let fixture = Fixture::new();
    let store = &fixture.store;
    for key in [&b"a\x01"[..], b"a\x02", b"b", b"\xff\xff", b"\xff\xff\x01"] {
        store.put_record(RecordSpace::LiveQueries, key, b"value").unwrap();
    }
    let found = |prefix: &[u8]| {
        let records = store.scan_records(RecordSpace::LiveQueries, prefix).unwrap();
        records.into_iter().map(|(key, _)| key).collect::<Vec<_>>()
    };
    assert_eq!(found(b"a"), [b"a\x01", b"a\x02"]);
    assert_eq!(found(b"\xff\xff"), [&b"\xff\xff"[..], b"\xff\xff\x01"]);
    assert_eq!(found(b"").len(), 5);
    assert_eq!(store.scan_records(RecordSpace::Auth, b"").unwrap(), []);
    let portion = |after: &[u8], max| {
        let records = store.scan_records_after(RecordSpace::LiveQueries, b"a", after, max).unwrap();
        records.into_iter().map(|(key, _)| key).collect::<Vec<_>>()
    };
    assert_eq!(portion(b"", 1), [b"a\x01"]);
    assert_eq!(portion(b"a\x01", 5), [b"a\x02"]);
    assert_eq!(portion(b"a\x02", 5).len() + portion(b"b", 5).len(), 0);
    store.delete_record(RecordSpace::LiveQueries, b"b").unwrap();
    assert_eq!(store.get_record(RecordSpace::LiveQueries, b"b").unwrap(), None);
    assert_eq!(store.last_seq(), SeqId::ZERO, "they take no SeqId");
}

#[test]
fn a_commit_says_when_it_happened() {
    let fixture = Fixture::new();
    let heard = Arc::new(parking_lot::Mutex::new(Vec::new()));
    let listener = Arc::clone(&heard);
    fixture.store.listen(Arc::new(move |commit: &Arc<Commit>| listener.lock().push(commit.at_micros)));
    for _ in 0..2 {
        fixture.store.commit_blocking(WriteSet::default()).unwrap();
        fixture.clock.advance_secs(5);
    }
    let at = heard.lock().clone();
    assert_eq!(at, [1_000_000_000, 1_005_000_000]);
}

#[test]
fn in_interval_mode_what_was_written_does_not_stay_unsynced() {
    let fixture = Fixture::with(|options| options.durability = Durability::Interval { millis: 1 });
    fixture.put(1, "one");
    while fixture.store.shared().is_unsynced() {
        std::thread::yield_now();
    }
}
