use std::ops::ControlFlow;
use std::sync::Arc;
use std::thread;

use kalamdb_commons::{SeqId, TableId};
use proptest::prelude::*;

use super::{LostNumbers, TrailEntry, Trimmer};
use crate::tests::{Fixture, OTHER, TABLE, changes, insert, options, set, user};
use crate::{RowWrite, Scope, Snapshot, Store, WriteSet};

const HOUR_SECS: u64 = 3_600;

/// Trims what is due by these options: the stores of these tests keep more, so their own threads find nothing to do.
fn trim(fixture: &Fixture, max_bytes: u64) {
    let mut trimmer = trimmer(fixture, max_bytes);
    while trimmer.step(&fixture.store.shared().rocks().unwrap()).unwrap().more {}
    assert!(trimmer.kept_bytes() <= max_bytes);
    fixture.store.shared().refresh().unwrap();
}

fn trimmer(fixture: &Fixture, max_bytes: u64) -> Trimmer {
    let mut options = options(fixture.dir.path(), &fixture.clock);
    options.history_max_age_secs = HOUR_SECS;
    options.history_max_bytes = max_bytes;
    let shared = fixture.store.shared();
    Trimmer::new(&options, Arc::clone(&shared.logged))
}

fn insert_into(table: TableId, scope: &Scope, n: i64) -> RowWrite {
    RowWrite { table, scope: scope.clone(), ..insert(n, "row") }
}

fn reached(snapshot: &Snapshot, table: TableId) -> Vec<u64> {
    let reaches = |from: &u64| snapshot.history_reaches(table, SeqId(*from)).unwrap();
    (0..=snapshot.seq().0 + 1).filter(reaches).collect()
}

/// Keys of everything in the change log, and entries of the trail.
fn log_size(store: &Store) -> (usize, usize) {
    let rocks = store.shared().rocks().unwrap();
    let count = |family, range| {
        let mut count = 0;
        let visit = &mut |_: &[u8], _: &[u8]| {
            count += 1;
            Ok(ControlFlow::Continue(()))
        };
        rocks.scan(family, range, rocksdb::ReadOptions::default(), visit).unwrap();
        count
    };
    let changes = count(rocks.families().changes, crate::key::layout::beginning_with(&[]));
    (changes, count(rocks.families().meta, crate::meta::trail_behind(SeqId::ZERO)))
}

#[test]
fn i2_history_reaches_from_the_last_trimmed_change_of_the_table_on_and_no_further_back() {
    let fixture = Fixture::new();
    for n in 0..3 {
        fixture.store.commit_blocking(set([insert_into(TABLE, &Scope::Shared, n)])).unwrap();
    }
    fixture.store.commit_blocking(set([insert_into(OTHER, &Scope::Shared, 1)])).unwrap();
    fixture.clock.advance_secs(HOUR_SECS as i64 - 1);
    fixture.store.commit_blocking(set([insert_into(TABLE, &Scope::Shared, 10)])).unwrap();
    trim(&fixture, u64::MAX);
    assert_eq!(reached(&fixture.store.snapshot(), TABLE), [0, 1, 2, 3, 4, 5], "nothing is an hour old");
    fixture.clock.advance_secs(1);
    trim(&fixture, u64::MAX);
    let snapshot = fixture.store.snapshot();
    assert_eq!(reached(&snapshot, TABLE), [3, 4, 5]);
    assert_eq!(reached(&snapshot, OTHER), [4, 5]);
    assert_eq!(reached(&snapshot, TableId(99)), [0, 1, 2, 3, 4, 5], "a table without changes lacks none");
    let kept: Vec<_> = changes(&snapshot, TABLE, &Scope::Shared, SeqId(3)).iter().map(|c| c.seq.0).collect();
    assert_eq!(kept, [5]);
    assert_eq!(log_size(&fixture.store), (1, 1));
}

#[test]
fn a_table_younger_than_the_resume_is_reached_whatever_was_trimmed_elsewhere() {
    let fixture = Fixture::new();
    fixture.store.commit_blocking(set([insert_into(TABLE, &Scope::Shared, 1)])).unwrap();
    fixture.clock.advance_secs(HOUR_SECS as i64);
    fixture.store.commit_blocking(set([insert_into(OTHER, &Scope::Shared, 1)])).unwrap();
    trim(&fixture, u64::MAX);
    let snapshot = fixture.store.snapshot();
    assert_eq!(reached(&snapshot, TABLE), [1, 2]);
    assert_eq!(reached(&snapshot, OTHER), [0, 1, 2]);
}

#[test]
fn i7_history_is_bounded_in_bytes_and_the_newest_stays() {
    let fixture = Fixture::new();
    for n in 0..50 {
        fixture.store.commit_blocking(set([insert_into(TABLE, &Scope::Shared, n)])).unwrap();
    }
    let all = fixture.store.shared().logged.get();
    trim(&fixture, all);
    assert_eq!(log_size(&fixture.store), (50, 50));
    trim(&fixture, all / 2);
    assert_eq!(log_size(&fixture.store), (25, 25));
    assert_eq!(reached(&fixture.store.snapshot(), TABLE), (25..=50).collect::<Vec<_>>());
    trim(&fixture, 0);
    assert_eq!(log_size(&fixture.store), (0, 0));
    assert_eq!(reached(&fixture.store.snapshot(), TABLE), [50]);
}

#[test]
fn a_reader_on_an_older_snapshot_is_not_disturbed_by_trimming() {
    let fixture = Fixture::new();
    for n in 0..5 {
        fixture.put(n, "row");
    }
    let before = fixture.store.snapshot();
    fixture.clock.advance_secs(2 * HOUR_SECS as i64);
    trim(&fixture, u64::MAX);
    let rocks = fixture.store.shared().rocks().unwrap();
    rocks.db().flush_cf(rocks.families().changes).unwrap();
    rocks.db().compact_range_cf(rocks.families().changes, None::<&[u8]>, None::<&[u8]>);
    assert_eq!(reached(&before, TABLE), [0, 1, 2, 3, 4, 5]);
    assert_eq!(changes(&before, TABLE, &Scope::Shared, SeqId::ZERO).len(), 5);
    assert_eq!(reached(&fixture.store.snapshot(), TABLE), [5]);
}

#[test]
fn i2_at_every_step_of_trimming_what_is_reached_is_complete() {
    let fixture = Fixture::new();
    let scopes = [Scope::Shared, user("anna"), user("ben")];
    let mut last = SeqId::ZERO;
    for n in 0..3 {
        let bulk = (0..1_500).map(|part| insert_into(TABLE, &scopes[part % 3], n * 10_000 + part as i64));
        last = fixture.store.commit_blocking(set(bulk)).unwrap().last;
    }
    fixture.clock.advance_secs(HOUR_SECS as i64);
    let mut trimmer = trimmer(&fixture, u64::MAX);
    let mut steps = 0;
    let mut floor = 0;
    loop {
        let more = trimmer.step(&fixture.store.shared().rocks().unwrap()).unwrap().more;
        fixture.store.shared().refresh().unwrap();
        let snapshot = fixture.store.snapshot();
        let first = (floor..=last.0).find(|from| snapshot.history_reaches(TABLE, SeqId(*from)).unwrap()).unwrap();
        let mut found: Vec<_> =
            scopes.iter().flat_map(|scope| changes(&snapshot, TABLE, scope, SeqId(first))).collect();
        found.sort_by_key(|change| change.seq);
        assert_eq!(found.iter().map(|c| c.seq.0).collect::<Vec<_>>(), (first + 1..=last.0).collect::<Vec<_>>());
        assert!(first >= floor, "a floor never sinks");
        (floor, steps) = (first, steps + 1);
        if !more {
            break;
        }
    }
    assert!(steps >= 4, "{steps} steps of at most 1024");
    assert_eq!((floor, log_size(&fixture.store)), (last.0, (0, 0)));
    assert_eq!(trimmer.kept_bytes(), 0);
}

#[test]
fn the_store_trims_by_itself() {
    let fixture = Fixture::with(|options| options.history_max_age_secs = 60);
    fixture.put(1, "old");
    assert!(fixture.store.snapshot().history_reaches(TABLE, SeqId::ZERO).unwrap());
    fixture.clock.advance_secs(60);
    while fixture.store.snapshot().history_reaches(TABLE, SeqId::ZERO).unwrap() {
        thread::yield_now();
    }
    assert_eq!(log_size(&fixture.store), (0, 0));
}

#[test]
fn trimming_goes_on_after_reopening() {
    let fixture = Fixture::new();
    for n in 0..10 {
        fixture.put(n, "row");
    }
    let logged = fixture.store.shared().logged.get();
    let Fixture { store, dir, clock } = fixture;
    drop(store);
    let store = Store::open(options(dir.path(), &clock)).unwrap();
    assert_eq!(store.shared().logged.get(), logged);
    let newest = TrailEntry::newest(&store.shared().rocks().unwrap()).unwrap().unwrap();
    assert_eq!((newest.last, newest.logged_after()), (SeqId(10), logged));
    let fixture = Fixture { store, dir, clock };
    trim(&fixture, logged / 10 * 3);
    fixture.put(10, "row");
    assert_eq!(reached(&fixture.store.snapshot(), TABLE), [7, 8, 9, 10, 11]);
}

#[test]
fn entries_of_a_purged_table_are_trimmed_without_a_floor() {
    let fixture = Fixture::new();
    fixture.put(1, "row");
    let purge = WriteSet { purge_tables: vec![TABLE], ..WriteSet::default() };
    fixture.store.commit_blocking(purge).unwrap();
    fixture.clock.advance_secs(HOUR_SECS as i64);
    trim(&fixture, u64::MAX);
    assert_eq!(log_size(&fixture.store), (0, 0));
    assert_eq!(reached(&fixture.store.snapshot(), TABLE), [0, 1, 2]);
}

#[test]
fn i2_nobody_resumes_a_table_from_before_it_was_made() {
    let fixture = Fixture::new();
    fixture.put(1, "of another table's time");
    let made = WriteSet { new_tables: vec![TABLE], ..WriteSet::default() };
    let made = fixture.store.commit_blocking(made).unwrap().last;
    fixture.put(2, "row");
    let snapshot = fixture.store.snapshot();
    assert!(!snapshot.history_reaches(TABLE, SeqId(made.0 - 1)).unwrap());
    assert!(snapshot.history_reaches(TABLE, made).unwrap());
}

#[test]
fn changes_from_a_time_far_ahead_do_not_stay_for_ever() {
    let fixture = Fixture::new();
    fixture.clock.advance_secs(1_000 * HOUR_SECS as i64);
    fixture.put(1, "the clock was wrong");
    fixture.clock.advance_secs(-1_000 * HOUR_SECS as i64);
    trim(&fixture, u64::MAX);
    assert_eq!(log_size(&fixture.store), (0, 0));
}

proptest! {
    #[test]
    fn a_trail_entry_reads_back_as_it_was(
        numbers in any::<[u64; 4]>(), at_micros in any::<i64>(), prefix in proptest::collection::vec(any::<u8>(), 0..20)
    ) {
        let [first, last, logged_before, bytes] = numbers;
        let entry = TrailEntry { first: SeqId(first), last: SeqId(last), at_micros, logged_before, bytes, prefix };
        prop_assert_eq!(TrailEntry::decode(&crate::meta::trail_key(entry.last), &entry.encode_value()).unwrap(), entry);
    }

    #[test]
    fn no_bytes_make_reading_notes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let _any = TrailEntry::decode(&bytes, &bytes);
        let _any = LostNumbers::decode(&bytes);
    }
}

#[test]
fn lost_numbers_are_those_behind_the_last_commit_up_to_the_mark() {
    let mut lost = LostNumbers::default();
    lost.add(SeqId(10), SeqId(20));
    lost.add(SeqId(50), SeqId(60));
    lost.add(SeqId(61), SeqId(70));
    let lost = LostNumbers::decode(&lost.encode()).unwrap();
    let found: Vec<_> = (0..80).filter(|seq| lost.contains(SeqId(*seq))).collect();
    assert_eq!(found, (11..=20).chain(51..=70).collect::<Vec<_>>());
}

#[test]
fn of_very_many_runs_of_lost_numbers_the_oldest_are_joined() {
    let mut lost = LostNumbers::default();
    for run in 0..300 {
        lost.add(SeqId(run * 10), SeqId(run * 10 + 5));
    }
    assert_eq!(lost.encode().len(), 256 * 16);
    assert!(lost.contains(SeqId(7)), "between joined runs");
    assert!(lost.contains(SeqId(2_991)) && !lost.contains(SeqId(2_990)) && !lost.contains(SeqId(2_996)));
}
