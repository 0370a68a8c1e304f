use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use kalamdb_commons::{IndexId, Row, SeqId, Value};
use parking_lot::Mutex;

use crate::tests::{
    Fixture, INDEX, OTHER, TABLE, begin, changes, end, gate, index_keys, indexed, insert, is_pending, key, row, rows,
    set, text_index, texts, user, write,
};
use crate::{
    BuiltIndexEntry, Commit, CommitError, Committed, Expect, IndexSpec, KeyRange, RecordSpace, RecordWrite, RowKey,
    RowWrite, Scope, StoredRow, WriteSet,
};

fn stored(fixture: &Fixture, n: i64) -> Option<StoredRow> {
    fixture.store.snapshot().get(TABLE, &Scope::Shared, &key(n)).unwrap()
}

fn update(fixture: &Fixture, n: i64, text: &str) -> RowWrite {
    write(n, stored(fixture, n), Some(row(n, text)))
}

fn is_conflict(result: &Result<Committed, CommitError>) -> bool {
    matches!(result, Err(CommitError::Conflict))
}

fn is_violation(result: &Result<Committed, CommitError>) -> bool {
    matches!(result, Err(CommitError::UniqueViolation { index: INDEX }))
}

fn record(name: &str, expect: Expect, value: Option<&str>) -> WriteSet {
    let record = RecordWrite {
        space: RecordSpace::Catalog,
        key: name.as_bytes().to_vec(),
        expect,
        value: value.map(|value| value.as_bytes().to_vec()),
    };
    WriteSet { records: vec![record], ..WriteSet::default() }
}

#[test]
fn row_changes_are_numbered_in_order_and_the_last_names_the_commit() {
    let fixture = Fixture::new();
    let commit = |set| fixture.store.commit_blocking(set).unwrap();
    let run = |first, last| Committed { first: SeqId(first), last: SeqId(last) };
    assert_eq!(commit(set([insert(1, "a"), insert(2, "b"), insert(3, "c")])), run(1, 3));
    assert_eq!(commit(set([insert(4, "d")])), run(4, 4));
    assert_eq!(commit(record("no rows", Expect::Any, Some("x"))), run(5, 5));
    assert_eq!(commit(set([])), run(6, 6));
    assert_eq!(fixture.store.last_seq(), SeqId(6));
    let seqs: Vec<_> = rows(&fixture.store.snapshot()).iter().map(|stored| stored.seq.0).collect();
    assert_eq!(seqs, [1, 2, 3, 4]);
}

#[test]
fn the_first_committer_wins_and_nothing_of_the_second_is_written() {
    let fixture = Fixture::new();
    fixture.put(1, "first");
    let (winner, loser) = (update(&fixture, 1, "winner"), update(&fixture, 1, "loser"));
    fixture.write(winner);
    let lost = fixture.store.commit_blocking(set([insert(2, "with it"), loser]));
    assert!(is_conflict(&lost), "{lost:?}");
    assert_eq!(texts(&fixture.store.snapshot()), [(1, "winner".to_owned())]);
    assert_eq!(fixture.store.last_seq(), SeqId(2));
    assert_eq!(fixture.put(1, "again").last, SeqId(3));
}

#[test]
fn an_inserted_key_must_be_absent_and_a_changed_or_deleted_row_present() {
    let fixture = Fixture::new();
    fixture.put(1, "one");
    let old = stored(&fixture, 1);
    let commit = |write| fixture.store.commit_blocking(set([write]));
    assert!(is_conflict(&commit(insert(1, "again"))));
    fixture.write(write(1, old.clone(), None));
    assert!(is_conflict(&commit(write(1, old.clone(), Some(row(1, "gone"))))));
    assert!(is_conflict(&commit(write(1, old, None))));
    commit(insert(1, "new")).unwrap();
}

#[test]
fn a_row_cannot_be_written_twice_in_one_commit() {
    let fixture = Fixture::new();
    assert!(is_conflict(&fixture.store.commit_blocking(set([insert(1, "a"), insert(1, "b")]))));
    assert_eq!(rows(&fixture.store.snapshot()), []);
}

#[test]
fn sets_that_wait_are_written_together_and_checked_against_each_other() {
    let fixture = Fixture::new();
    fixture.put(1, "one");
    let gate = gate(&fixture.store);
    let held = gate.lock();
    let first = begin(&fixture.store, set([insert(10, "holds the committer")]));
    let winner = begin(&fixture.store, set([update(&fixture, 1, "winner")]));
    let loser = begin(&fixture.store, set([update(&fixture, 1, "loser")]));
    let inserted = begin(&fixture.store, set([insert(2, "two")]));
    let inserted_too = begin(&fixture.store, set([insert(2, "two")]));
    let other = begin(&fixture.store, set([insert(3, "three")]));
    drop(held);
    assert_eq!(end(first).unwrap().last, SeqId(2));
    assert_eq!(end(winner).unwrap().last, SeqId(3));
    assert!(is_conflict(&end(loser)));
    assert_eq!(end(inserted).unwrap().last, SeqId(4));
    assert!(is_conflict(&end(inserted_too)));
    assert_eq!(end(other).unwrap().last, SeqId(5), "a refused set takes no number");
    let expected = [(1, "winner"), (2, "two"), (3, "three"), (10, "holds the committer")];
    assert_eq!(texts(&fixture.store.snapshot()), expected.map(|(n, text)| (n, text.to_owned())));
}

#[test]
fn a_row_inserted_and_deleted_by_sets_of_one_group_is_gone() {
    let fixture = Fixture::new();
    let gate = gate(&fixture.store);
    let held = gate.lock();
    let first = begin(&fixture.store, set([insert(10, "holds the committer")]));
    let inserted = begin(&fixture.store, set([insert(1, "one")]));
    // The number that the insert is going to have.
    let old = StoredRow { key: key(1), seq: SeqId(2), row: row(1, "one") };
    let deleted = begin(&fixture.store, set([write(1, Some(old), None)]));
    let again = begin(&fixture.store, set([insert(1, "again")]));
    drop(held);
    for (pending, seq) in [(first, 1), (inserted, 2), (deleted, 3), (again, 4)] {
        assert_eq!(end(pending).unwrap().last, SeqId(seq));
    }
    assert_eq!(stored(&fixture, 1).map(|stored| stored.seq), Some(SeqId(4)));
    let snapshot = fixture.store.snapshot();
    let seqs: Vec<_> = changes(&snapshot, TABLE, &Scope::Shared, SeqId(1)).iter().map(|c| c.seq.0).collect();
    assert_eq!(seqs, [2, 3, 4]);
}

#[test]
fn a_group_is_no_larger_than_the_options_say_and_the_rest_waits_its_turn() {
    let fixture = Fixture::with(|options| options.commit_batch_max = 2);
    let gate = Arc::new(Mutex::new(()));
    let ends = Arc::new(Mutex::new(Vec::new()));
    let listener = {
        let (gate, ends, shared) = (Arc::clone(&gate), Arc::clone(&ends), Arc::downgrade(fixture.store.shared()));
        move |commit: &Arc<Commit>| {
            drop(gate.lock());
            // What is visible while a commit is told is its group.
            ends.lock().push((commit.last.0, shared.upgrade().unwrap().snapshot().seq().0));
        }
    };
    fixture.store.listen(Arc::new(listener));
    let held = gate.lock();
    let pending: Vec<_> = (1..=6).map(|n| begin(&fixture.store, set([insert(n, "row")]))).collect();
    drop(held);
    for pending in pending {
        end(pending).unwrap();
    }
    let ends = ends.lock().clone();
    assert_eq!(ends.iter().map(|(last, _)| *last).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    assert!(ends.iter().all(|(last, end)| end - last < 2), "{ends:?}");
    assert_ne!(ends.iter().filter(|(last, end)| last < end).count(), 0, "{ends:?}");
}

#[test]
fn i7_the_queue_is_bounded_and_who_finds_it_full_waits() {
    let fixture = Fixture::with(|options| options.commit_batch_max = 1);
    let gate = gate(&fixture.store);
    let held = gate.lock();
    let mut pending = vec![begin(&fixture.store, set([insert(0, "holds the committer")]))];
    // The committer has taken the first one: its row is visible.
    while fixture.store.last_seq() < SeqId(1) {
        thread::yield_now();
    }
    pending.extend((1..=4).map(|n| begin(&fixture.store, set([insert(n, "waits")]))));
    let mut outside = begin(&fixture.store, set([insert(5, "is not in the queue")]));
    assert!(is_pending(&mut outside));
    drop(outside);
    drop(held);
    for pending in pending {
        end(pending).unwrap();
    }
    assert_eq!(rows(&fixture.store.snapshot()).len(), 5);
}

#[test]
fn a_commit_whose_writer_has_gone_happens_all_the_same() {
    let fixture = Fixture::new();
    let gate = gate(&fixture.store);
    let held = gate.lock();
    let first = begin(&fixture.store, set([insert(1, "holds the committer")]));
    drop(begin(&fixture.store, set([insert(2, "left alone")])));
    drop(held);
    end(first).unwrap();
    fixture.put(3, "three");
    assert_eq!(rows(&fixture.store.snapshot()).len(), 3);
}

#[test]
fn i4_the_listener_hears_every_commit_once_whole_and_in_order_before_its_writer() {
    let fixture = Fixture::new();
    let heard = Arc::new(Mutex::new(Vec::<Arc<Commit>>::new()));
    let listener = {
        let (heard, shared) = (Arc::clone(&heard), Arc::downgrade(fixture.store.shared()));
        move |commit: &Arc<Commit>| {
            assert!(shared.upgrade().unwrap().snapshot().seq() >= commit.last, "it is visible already");
            heard.lock().push(Arc::clone(commit));
        }
    };
    fixture.store.listen(Arc::new(listener));
    thread::scope(|scope| {
        for writer in 0..8_i64 {
            let (fixture, heard) = (&fixture, &heard);
            scope.spawn(move || {
                for n in 0..60 {
                    let id = writer * 1_000 + n;
                    let rows = (0..n % 3).map(|part| insert(id * 10 + part, "row"));
                    let committed = fixture.store.commit_blocking(set(rows)).unwrap();
                    let last = heard.lock().last().map(|commit| commit.last);
                    assert!(last >= Some(committed.last), "it was told before the answer");
                }
            });
        }
    });
    let heard = heard.lock();
    assert_eq!(heard.len(), 480);
    let mut next = SeqId(1);
    for commit in heard.iter() {
        assert_eq!(commit.first, next);
        for change in &commit.changes {
            assert_eq!((change.seq, change.commit), (next, commit.last));
            next = next.next();
        }
        next = commit.last.next();
    }
    let told: Vec<_> = heard.iter().flat_map(|commit| commit.changes.clone()).collect();
    assert_eq!(told, changes(&fixture.store.snapshot(), TABLE, &Scope::Shared, SeqId::ZERO));
}

#[test]
fn of_32_writers_that_count_in_one_row_none_is_lost() {
    let fixture = Fixture::new();
    let count = |row: &Row| if let Some(Value::BigInt(n)) = row.at(0) { *n } else { panic!("{row:?}") };
    fixture.write(write(1, None, Some(Row::new(vec![Value::BigInt(0)]))));
    let conflicts = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..32 {
            scope.spawn(|| {
                for _ in 0..10 {
                    loop {
                        let old = stored(&fixture, 1).unwrap();
                        let new = Row::new(vec![Value::BigInt(count(&old.row) + 1)]);
                        match fixture.store.commit_blocking(set([write(1, Some(old), Some(new))])) {
                            Ok(_) => break,
                            Err(CommitError::Conflict) => conflicts.fetch_add(1, Ordering::Relaxed),
                            Err(other) => panic!("{other}"),
                        };
                    }
                }
            });
        }
    });
    assert_eq!(count(&stored(&fixture, 1).unwrap().row), 320);
    assert_eq!(fixture.store.last_seq(), SeqId(321));
    assert_ne!(conflicts.into_inner(), 0, "they did meet");
}

#[test]
fn a_set_that_lost_within_its_group_sees_the_winner_in_the_next_snapshot() {
    let fixture = Fixture::new();
    fixture.put(1, "one");
    let gate = gate(&fixture.store);
    let held = gate.lock();
    let _first = begin(&fixture.store, set([insert(10, "holds the committer")]));
    let _winner = begin(&fixture.store, set([update(&fixture, 1, "winner")]));
    let loser = begin(&fixture.store, set([update(&fixture, 1, "loser")]));
    drop(held);
    assert!(is_conflict(&end(loser)));
    assert_eq!(fixture.store.commit_blocking(set([update(&fixture, 1, "tries again")])).unwrap().last, SeqId(4));
}

#[test]
fn records_are_written_with_what_they_expect() {
    let fixture = Fixture::new();
    let commit = |set| fixture.store.commit_blocking(set);
    let read = || fixture.store.get_record(RecordSpace::Catalog, b"a").unwrap();
    let value = |text: &str| Expect::Value(text.as_bytes().to_vec());
    assert!(is_conflict(&commit(record("a", value("x"), Some("y")))));
    commit(record("a", Expect::Absent, Some("x"))).unwrap();
    assert!(is_conflict(&commit(record("a", Expect::Absent, Some("z")))));
    assert!(is_conflict(&commit(record("a", value("other"), Some("z")))));
    assert_eq!(read().as_deref(), Some(&b"x"[..]));
    commit(record("a", value("x"), Some("y"))).unwrap();
    commit(record("a", Expect::Any, Some("z"))).unwrap();
    assert_eq!(read().as_deref(), Some(&b"z"[..]));
    commit(record("a", value("z"), None)).unwrap();
    assert_eq!(read(), None);
    assert_eq!(fixture.store.get_record(RecordSpace::Auth, b"a").unwrap(), None);
}

#[test]
fn of_two_records_of_one_name_in_a_group_one_is_made() {
    let fixture = Fixture::new();
    let gate = gate(&fixture.store);
    let held = gate.lock();
    let _first = begin(&fixture.store, set([insert(10, "holds the committer")]));
    let made = begin(&fixture.store, record("t", Expect::Absent, Some("first")));
    let refused = begin(&fixture.store, record("t", Expect::Absent, Some("second")));
    drop(held);
    end(made).unwrap();
    assert!(is_conflict(&end(refused)));
    let found = fixture.store.get_record(RecordSpace::Catalog, b"t").unwrap();
    assert_eq!(found.as_deref(), Some(&b"first"[..]));
}

#[test]
fn an_index_follows_its_rows() {
    let fixture = Fixture::new();
    for unique in [false, true] {
        let index = text_index(unique);
        let of = |text: &str| {
            let range = KeyRange::exact(&RowKey::new(&[Value::text(text)]));
            index_keys(&fixture.store.snapshot(), &range)
        };
        fixture.write(indexed(insert(1, "a"), &index));
        assert_eq!(of("a"), [key(1)]);
        fixture.write(indexed(update(&fixture, 1, "a"), &index));
        assert_eq!(of("a"), [key(1)], "an update that leaves the column leaves the entry");
        fixture.write(indexed(update(&fixture, 1, "b"), &index));
        assert_eq!((of("a"), of("b")), (vec![], vec![key(1)]));
        fixture.write(indexed(write(1, stored(&fixture, 1), None), &index));
        assert_eq!(index_keys(&fixture.store.snapshot(), &KeyRange::all()), []);
    }
}

#[test]
fn two_rows_with_equal_columns_stand_side_by_side_unless_the_index_is_unique() {
    let fixture = Fixture::new();
    let plain = text_index(false);
    fixture.write(indexed(insert(1, "same"), &plain));
    fixture.write(indexed(insert(2, "same"), &plain));
    assert_eq!(index_keys(&fixture.store.snapshot(), &KeyRange::all()), [key(1), key(2)]);
}

#[test]
fn a_unique_index_refuses_a_second_row_and_names_itself() {
    let fixture = Fixture::new();
    let index = text_index(true);
    let commit = |rows: Vec<RowWrite>| fixture.store.commit_blocking(set(rows));
    fixture.write(indexed(insert(1, "a"), &index));
    let refused = commit(vec![indexed(insert(2, "a"), &index)]);
    assert!(is_violation(&refused), "{refused:?}");
    let refused = commit(vec![indexed(insert(3, "b"), &index), indexed(insert(4, "b"), &index)]);
    assert!(is_violation(&refused), "within one set: {refused:?}");
    let elsewhere = RowWrite { scope: user("anna"), ..indexed(insert(5, "a"), &index) };
    commit(vec![elsewhere]).expect("another scope has its own");
    fixture.write(indexed(write(1, stored(&fixture, 1), None), &index));
    commit(vec![indexed(insert(2, "a"), &index)]).expect("it is free again");
}

#[test]
fn nulls_never_collide_in_a_unique_index() {
    let fixture = Fixture::new();
    let spec = IndexSpec { id: INDEX, columns: vec![(1, Value::Null), (0, Value::Null)], unique: true };
    let index: Arc<[IndexSpec]> = Arc::new([spec]);
    for n in 1..=3 {
        let row = Row::new(vec![Value::BigInt(7), Value::Null]);
        fixture.write(indexed(write(n, None, Some(row)), &index));
    }
    assert_eq!(index_keys(&fixture.store.snapshot(), &KeyRange::all()), [1, 2, 3].map(key));
}

#[test]
fn a_unique_value_can_move_from_row_to_row_in_one_commit() {
    let fixture = Fixture::new();
    let index = text_index(true);
    fixture.write(indexed(insert(1, "a"), &index));
    fixture.write(indexed(insert(2, "b"), &index));
    let swapped = [indexed(update(&fixture, 1, "b"), &index), indexed(update(&fixture, 2, "a"), &index)];
    fixture.store.commit_blocking(set(swapped)).unwrap();
    assert_eq!(index_keys(&fixture.store.snapshot(), &KeyRange::all()), [key(2), key(1)]);
    let handed_on = [indexed(insert(3, "a"), &index), indexed(write(2, stored(&fixture, 2), None), &index)];
    fixture.store.commit_blocking(set(handed_on)).unwrap();
    assert_eq!(index_keys(&fixture.store.snapshot(), &KeyRange::all()), [key(3), key(1)]);
}

#[test]
fn unique_values_are_guarded_within_a_group_too() {
    let fixture = Fixture::new();
    let index = text_index(true);
    fixture.write(indexed(insert(1, "a"), &index));
    let gate = gate(&fixture.store);
    let held = gate.lock();
    let _first = begin(&fixture.store, set([insert(10, "holds the committer")]));
    let freed = begin(&fixture.store, set([indexed(update(&fixture, 1, "b"), &index)]));
    let taken = begin(&fixture.store, set([indexed(insert(2, "a"), &index)]));
    let refused = begin(&fixture.store, set([indexed(insert(3, "b"), &index)]));
    let refused_too = begin(&fixture.store, set([indexed(insert(4, "a"), &index)]));
    drop(held);
    end(freed).unwrap();
    end(taken).unwrap();
    for refused in [end(refused), end(refused_too)] {
        assert!(is_violation(&refused), "{refused:?}");
    }
    assert_eq!(index_keys(&fixture.store.snapshot(), &KeyRange::all()), [key(2), key(1)]);
}

#[test]
fn of_many_writers_that_race_for_one_unique_value_one_gets_it() {
    let fixture = Fixture::new();
    let index = text_index(true);
    for round in 0..10 {
        let text = format!("value {round}");
        let won = AtomicU64::new(0);
        thread::scope(|scope| {
            for writer in 0..8 {
                let (fixture, index, text, won) = (&fixture, &index, &text, &won);
                scope.spawn(move || {
                    let row = indexed(insert(round * 100 + writer, text), index);
                    match fixture.store.commit_blocking(set([row])) {
                        Ok(_) => drop(won.fetch_add(1, Ordering::Relaxed)),
                        Err(CommitError::UniqueViolation { index: INDEX }) => {}
                        Err(other) => panic!("{other}"),
                    }
                });
            }
        });
        assert_eq!(won.into_inner(), 1);
    }
    let snapshot = fixture.store.snapshot();
    assert_eq!((rows(&snapshot).len(), index_keys(&snapshot, &KeyRange::all()).len()), (10, 10));
}

#[test]
fn a_row_older_than_an_indexed_column_is_indexed_by_the_columns_fill_value() {
    let fixture = Fixture::new();
    let spec = IndexSpec { id: INDEX, columns: vec![(5, Value::Int(42))], unique: false };
    let index: Arc<[IndexSpec]> = Arc::new([spec.clone()]);
    fixture.put(1, "short");
    let built = BuiltIndexEntry { index: spec, scope: Scope::Shared, key: key(1), row: row(1, "short") };
    fixture.store.commit_blocking(WriteSet { build_index: vec![built], ..WriteSet::default() }).unwrap();
    fixture.write(indexed(insert(2, "short too"), &index));
    let of = |n| index_keys(&fixture.store.snapshot(), &KeyRange::exact(&RowKey::new(&[Value::Int(n)])));
    assert_eq!(of(42), [key(1), key(2)]);
    let mut long = row(1, "long").to_vec();
    long.extend([Value::Null, Value::Null, Value::Null, Value::Int(1)]);
    fixture.write(indexed(write(1, stored(&fixture, 1), Some(Row::new(long))), &index));
    assert_eq!((of(42), of(1)), (vec![key(2)], vec![key(1)]));
}

#[test]
fn building_a_unique_index_over_equal_rows_is_refused_and_leaves_nothing() {
    let fixture = Fixture::new();
    for (n, text) in [(1, "a"), (2, "b"), (3, "a")] {
        fixture.put(n, text);
    }
    let build = |unique: bool| {
        let spec = text_index(unique)[0].clone();
        let entries = rows(&fixture.store.snapshot()).into_iter().map(|stored| BuiltIndexEntry {
            index: spec.clone(),
            scope: Scope::Shared,
            key: stored.key,
            row: stored.row,
        });
        let set = WriteSet { build_index: entries.collect(), ..WriteSet::default() };
        fixture.store.commit_blocking(set)
    };
    assert!(is_violation(&build(true)));
    assert_eq!(index_keys(&fixture.store.snapshot(), &KeyRange::all()), []);
    build(false).unwrap();
    assert_eq!(index_keys(&fixture.store.snapshot(), &KeyRange::all()), [1, 3, 2].map(key));
}

#[test]
fn purged_tables_and_indexes_are_gone_in_every_scope_and_others_untouched() {
    let fixture = Fixture::new();
    let index = text_index(true);
    let keep = IndexSpec { id: IndexId(INDEX.0 + 1), columns: vec![(1, Value::Null)], unique: false };
    let keep: Arc<[IndexSpec]> = Arc::new([keep]);
    for scope in [Scope::Shared, user("anna"), user("zoe")] {
        let gone = RowWrite { scope: scope.clone(), ..indexed(insert(1, "gone"), &index) };
        let kept = RowWrite { table: OTHER, scope, ..indexed(insert(1, "kept"), &keep) };
        fixture.store.commit_blocking(set([gone, kept])).unwrap();
    }
    let purge = WriteSet { purge_tables: vec![TABLE], purge_indexes: vec![INDEX], ..WriteSet::default() };
    let heard = Arc::new(Mutex::new(Vec::new()));
    let listener = Arc::clone(&heard);
    fixture.store.listen(Arc::new(move |commit: &Arc<Commit>| listener.lock().push(commit.dropped_tables.clone())));
    fixture.store.commit_blocking(purge).unwrap();
    assert_eq!(*heard.lock(), [[TABLE]]);
    let snapshot = fixture.store.snapshot();
    let count = |table| {
        let mut count = 0;
        let visit = &mut |_, _| {
            count += 1;
            std::ops::ControlFlow::Continue(())
        };
        snapshot.scan_all_rows(table, visit).unwrap();
        count
    };
    assert_eq!((count(TABLE), count(OTHER)), (0, 3));
    for scope in [Scope::Shared, user("anna"), user("zoe")] {
        assert_eq!(changes(&snapshot, TABLE, &scope, SeqId::ZERO), []);
        assert_eq!(changes(&snapshot, OTHER, &scope, SeqId::ZERO).len(), 1);
    }
    assert_eq!(index_keys(&snapshot, &KeyRange::all()), []);
    fixture.write(indexed(insert(1, "gone"), &index));
}

#[test]
fn a_purge_counts_for_later_sets_of_its_group_and_for_rows_beside_it() {
    let fixture = Fixture::new();
    let index = text_index(true);
    fixture.write(indexed(insert(1, "a"), &index));
    let gate = gate(&fixture.store);
    let held = gate.lock();
    let _first = begin(&fixture.store, set([insert(10, "holds the committer")]));
    let _more = begin(&fixture.store, set([indexed(insert(2, "b"), &index)]));
    let purge = WriteSet { purge_tables: vec![TABLE], purge_indexes: vec![INDEX], ..WriteSet::default() };
    let purged = begin(&fixture.store, WriteSet { rows: vec![indexed(insert(1, "b"), &index)], ..purge });
    let after = begin(&fixture.store, set([indexed(insert(2, "a"), &index)]));
    let refused = begin(&fixture.store, set([indexed(insert(3, "b"), &index)]));
    drop(held);
    end(purged).unwrap();
    end(after).unwrap();
    assert!(is_violation(&end(refused)));
    let snapshot = fixture.store.snapshot();
    assert_eq!(texts(&snapshot), [(1, "b".to_owned()), (2, "a".to_owned())]);
    assert_eq!(index_keys(&snapshot, &KeyRange::all()), [key(2), key(1)]);
}

#[test]
fn what_was_committed_is_what_a_model_says() {
    let fixture = Fixture::new();
    let index = text_index(true);
    let mut model = BTreeMap::<i64, String>::new();
    // A fixed run of pseudo-random writes over few keys and values, so that every kind of collision comes.
    let mut state = 0x2545_f491_u64;
    let mut next = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    for _ in 0..600 {
        let (n, text) = (next(12) as i64, format!("value {}", next(12)));
        let new = (next(4) > 0).then(|| row(n, &text));
        if stored(&fixture, n).is_none() && new.is_none() {
            continue;
        }
        let taken = new.is_some() && model.iter().any(|(other, value)| *other != n && *value == text);
        let change = indexed(write(n, stored(&fixture, n), new.clone()), &index);
        let committed = fixture.store.commit_blocking(set([change]));
        assert_eq!(is_violation(&committed), taken, "{committed:?}");
        if taken {
            continue;
        }
        if new.is_some() {
            model.insert(n, text)
        } else {
            model.remove(&n)
        };
    }
    let snapshot = fixture.store.snapshot();
    assert_eq!(texts(&snapshot), model.clone().into_iter().collect::<Vec<_>>());
    let mut by_text: Vec<_> = model.into_iter().map(|(n, text)| (text, n)).collect();
    by_text.sort();
    let expected: Vec<_> = by_text.into_iter().map(|(_, n)| key(n)).collect();
    assert_eq!(index_keys(&snapshot, &KeyRange::all()), expected);
}
