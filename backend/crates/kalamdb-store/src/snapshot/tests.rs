use std::ops::{Bound, ControlFlow};
use std::sync::Arc;

use kalamdb_commons::{SeqId, Value};

use crate::key::{encode_values, layout};
use crate::tests::{
    Fixture, TABLE, changes, index_keys, indexed, insert, key, row, rows, set, text_index, texts, user, write,
};
use crate::{KeyRange, ReadError, RowKey, RowWrite, Scope, StoredRow};

fn range(start: Bound<i64>, end: Bound<i64>) -> KeyRange {
    let bytes = |n| encode_values(&[Value::BigInt(n)]);
    KeyRange { start: start.map(bytes), end: end.map(bytes) }
}

#[test]
fn i1_a_snapshot_stays_as_it_is_whatever_happens_after_it() {
    let fixture = Fixture::new();
    fixture.put(1, "one");
    let second = fixture.put(2, "two");
    let before = fixture.store.snapshot();
    let copy = before.clone();
    fixture.put(1, "changed");
    let old = before.get(TABLE, &Scope::Shared, &key(2)).unwrap();
    fixture.write(write(2, old, None));
    fixture.put(3, "three");
    for snapshot in [&before, &copy] {
        assert_eq!(snapshot.seq(), second.last);
        assert_eq!(texts(snapshot), [(1, "one".to_owned()), (2, "two".to_owned())]);
        assert_eq!(changes(snapshot, TABLE, &Scope::Shared, SeqId::ZERO).len(), 2);
    }
    let after = fixture.store.snapshot();
    assert_eq!(after.seq(), SeqId(5));
    assert_eq!(texts(&after), [(1, "changed".to_owned()), (3, "three".to_owned())]);
}

#[test]
fn i1_a_snapshot_and_the_changes_after_it_are_the_next_snapshot() {
    let fixture = Fixture::new();
    for n in 0..6 {
        fixture.put(n, "first");
    }
    let snapshot = fixture.store.snapshot();
    for n in 4..9 {
        fixture.put(n, "second");
    }
    let doomed = fixture.store.snapshot().get(TABLE, &Scope::Shared, &key(0)).unwrap();
    fixture.write(write(0, doomed, None));
    let mut followed: std::collections::BTreeMap<_, _> =
        rows(&snapshot).into_iter().map(|stored| (stored.key.clone(), stored)).collect();
    let later = fixture.store.snapshot();
    for change in changes(&later, TABLE, &Scope::Shared, snapshot.seq()) {
        let old = followed.remove(&change.key).map(|stored| (stored.seq, stored.row));
        assert_eq!(old, change.old);
        if let Some(row) = change.new {
            followed.insert(change.key.clone(), StoredRow { key: change.key, seq: change.seq, row });
        }
    }
    assert_eq!(followed.into_values().collect::<Vec<_>>(), rows(&later));
}

#[test]
fn a_row_is_found_with_the_seq_that_wrote_it_and_an_absent_one_is_not() {
    let fixture = Fixture::new();
    let committed = fixture.put(1, "one");
    let snapshot = fixture.store.snapshot();
    let stored = snapshot.get(TABLE, &Scope::Shared, &key(1)).unwrap();
    assert_eq!(stored, Some(StoredRow { key: key(1), seq: committed.first, row: row(1, "one") }));
    assert_eq!(snapshot.get(TABLE, &Scope::Shared, &key(2)).unwrap(), None);
    assert_eq!(snapshot.get(TABLE, &user("anna"), &key(1)).unwrap(), None);
}

#[test]
fn rows_come_in_key_order_within_the_range_until_the_visitor_breaks_off() {
    let fixture = Fixture::new();
    fixture.store.commit_blocking(set([5, -3, 9, 0, 7].map(|n| insert(n, "row")))).unwrap();
    let snapshot = fixture.store.snapshot();
    let found = |range: &KeyRange, most: usize| {
        let mut found = Vec::new();
        let visit = &mut |stored: StoredRow| {
            found.push(stored.row.at(0).cloned());
            if found.len() == most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        snapshot.scan_rows(TABLE, &Scope::Shared, range, visit).unwrap();
        found.into_iter().map(|n| if let Some(Value::BigInt(n)) = n { n } else { i64::MIN }).collect::<Vec<_>>()
    };
    use Bound::{Excluded, Included, Unbounded};
    assert_eq!(found(&KeyRange::all(), 99), [-3, 0, 5, 7, 9]);
    assert_eq!(found(&KeyRange::all(), 2), [-3, 0]);
    assert_eq!(found(&range(Included(0), Excluded(7)), 99), [0, 5]);
    assert_eq!(found(&range(Excluded(0), Included(7)), 99), [5, 7]);
    assert_eq!(found(&range(Unbounded, Excluded(0)), 99), [-3]);
    assert_eq!(found(&range(Included(8), Included(2)), 99), [0_i64; 0]);
    assert_eq!(found(&KeyRange::exact(&key(9)), 99), [9]);
}

#[test]
fn s10_a_scope_holds_its_own_rows_and_changes_only_and_all_scopes_can_be_read_as_one() {
    let fixture = Fixture::new();
    let scopes = [Scope::Shared, user("a"), user("ab"), user("b")];
    for (n, scope) in (0..).zip(&scopes) {
        let write = RowWrite { scope: scope.clone(), ..insert(n, "row") };
        fixture.store.commit_blocking(set([write, RowWrite { scope: scope.clone(), ..insert(9, "nine") }])).unwrap();
    }
    let snapshot = fixture.store.snapshot();
    for (n, scope) in (0..).zip(&scopes) {
        let mut keys = Vec::new();
        let visit = &mut |stored: StoredRow| {
            keys.push(stored.key);
            ControlFlow::Continue(())
        };
        snapshot.scan_rows(TABLE, scope, &KeyRange::all(), visit).unwrap();
        assert_eq!(keys, [key(n), key(9)]);
        let seqs: Vec<_> = changes(&snapshot, TABLE, scope, SeqId::ZERO).iter().map(|change| change.seq.0).collect();
        assert_eq!(seqs, [n as u64 * 2 + 1, n as u64 * 2 + 2]);
    }
    let mut all = Vec::new();
    let visit = &mut |scope, stored: StoredRow| {
        all.push((scope, stored.key));
        ControlFlow::Continue(())
    };
    snapshot.scan_all_rows(TABLE, visit).unwrap();
    let expected: Vec<_> =
        (0..).zip(scopes).flat_map(|(n, scope)| [(scope.clone(), key(n)), (scope, key(9))]).collect();
    assert_eq!(all, expected);
}

#[test]
fn an_index_is_read_in_the_order_of_its_columns() {
    let fixture = Fixture::new();
    for unique in [false, true] {
        let index = text_index(unique);
        let n = if unique { 10 } else { 0 };
        let texts = if unique { ["d", "e", "f"] } else { ["c", "a", "b"] };
        fixture.store.commit_blocking(set((n..).zip(texts).map(|(n, text)| indexed(insert(n, text), &index)))).unwrap();
    }
    let snapshot = fixture.store.snapshot();
    assert_eq!(index_keys(&snapshot, &KeyRange::all()), [1, 2, 0, 10, 11, 12].map(key));
    let text = |text: &str| RowKey::new(&[Value::text(text)]);
    assert_eq!(index_keys(&snapshot, &KeyRange::exact(&text("b"))), [key(2)]);
    let from_c = KeyRange { start: Bound::Excluded(text("b").0.to_vec()), end: Bound::Excluded(text("e").0.to_vec()) };
    assert_eq!(index_keys(&snapshot, &from_c), [key(0), key(10)]);
    let mut first = None;
    let visit = &mut |key| {
        first = Some(key);
        ControlFlow::Break(())
    };
    snapshot.scan_index(crate::tests::INDEX, &Scope::Shared, &KeyRange::all(), visit).unwrap();
    assert_eq!(first, Some(key(1)));
}

#[test]
fn changes_begin_behind_the_given_seq_and_know_their_commit() {
    let fixture = Fixture::new();
    fixture.put(1, "one");
    fixture.store.commit_blocking(set([insert(2, "two"), insert(3, "three")])).unwrap();
    let snapshot = fixture.store.snapshot();
    let seqs = |after| {
        let found = changes(&snapshot, TABLE, &Scope::Shared, SeqId(after));
        found.iter().map(|change| (change.seq.0, change.commit.0)).collect::<Vec<_>>()
    };
    assert_eq!(seqs(0), [(1, 1), (2, 3), (3, 3)]);
    assert_eq!(seqs(2), [(3, 3)]);
    assert_eq!(seqs(3), []);
    assert_eq!(seqs(u64::MAX), []);
}

#[test]
fn a_damaged_row_is_an_error_and_not_a_panic() {
    let fixture = Fixture::new();
    fixture.put(1, "one");
    let rocks = crate::tests::rocks(&fixture.store);
    rocks.db().put_cf(rocks.families().rows, layout::row_key(TABLE, &Scope::Shared, &key(1)), b"torn").unwrap();
    fixture.put(2, "two");
    let snapshot = fixture.store.snapshot();
    let damaged = snapshot.get(TABLE, &Scope::Shared, &key(1)).unwrap_err();
    assert!(matches!(damaged, ReadError::Corrupt { what: "row", .. }), "{damaged:?}");
    let visit = &mut |_| ControlFlow::Continue(());
    assert!(snapshot.scan_rows(TABLE, &Scope::Shared, &KeyRange::all(), visit).is_err());
}

#[test]
fn snapshots_go_from_thread_to_thread_and_outlive_the_store() {
    let fixture = Fixture::new();
    fixture.put(1, "one");
    let snapshot = Arc::new(fixture.store.snapshot());
    drop(fixture.store);
    let reader = std::thread::spawn({
        let snapshot = Arc::clone(&snapshot);
        move || texts(&snapshot)
    });
    assert_eq!(reader.join().unwrap(), texts(&snapshot));
}
