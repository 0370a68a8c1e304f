use kalamdb_commons::Value;

use super::*;

const TABLE: TableId = TableId(1);

fn row(n: i64) -> Waiting {
    let seq = SeqId(u64::try_from(n).unwrap());
    Waiting { written_at: n * 10, seq, scope: Scope::Shared, key: RowKey::new(&[Value::BigInt(n)]) }
}

fn rows(numbers: impl IntoIterator<Item = i64>) -> Vec<Waiting> {
    numbers.into_iter().map(row).collect()
}

/// A queue that knows that the table is empty.
fn empty(rows_max: usize) -> Queue {
    let mut queue = Queue::new(rows_max);
    queue.add(TABLE);
    queue.begin_scan(TABLE);
    queue.end_scan(TABLE, Vec::new(), true);
    queue
}

#[test]
fn rows_come_out_oldest_first_once_they_are_due() {
    let mut queue = empty(100);
    (1..=5).for_each(|n| queue.note(TABLE, row(n)));
    assert_eq!(queue.next(TABLE), Some(10));
    assert_eq!(queue.take_due(TABLE, 30, 2), rows([1, 2]));
    assert_eq!(queue.take_due(TABLE, 30, 2), rows([3]));
    assert!(queue.take_due(TABLE, 30, 2).is_empty());
    queue.put_back(TABLE, rows([2, 3]));
    assert_eq!(queue.take_due(TABLE, 1_000, 100), rows([2, 3, 4, 5]));
    assert_eq!((queue.next(TABLE), queue.wants_scan(TABLE)), (None, false));
}

#[test]
fn a_table_of_which_nothing_is_known_is_read_and_misses_nothing_that_is_written_meanwhile() {
    let mut queue = Queue::new(100);
    queue.add(TABLE);
    queue.note(TABLE, row(1));
    assert_eq!((queue.next(TABLE), queue.wants_scan(TABLE)), (None, true), "older rows may be there");
    queue.begin_scan(TABLE);
    queue.note(TABLE, row(3));
    queue.end_scan(TABLE, rows([1, 2]), true);
    assert!(!queue.wants_scan(TABLE));
    assert_eq!(queue.take_due(TABLE, 1_000, 100), rows([1, 2, 3]));
}

#[test]
fn a_new_table_is_known_from_its_first_row_on() {
    let mut queue = Queue::new(100);
    queue.note(TABLE, row(1));
    assert_eq!((queue.next(TABLE), queue.wants_scan(TABLE)), (Some(10), false));
}

#[test]
fn i7_a_full_queue_takes_nothing_in_and_has_the_table_read_when_it_is_empty() {
    let mut queue = empty(3);
    (1..=5).for_each(|n| queue.note(TABLE, row(n)));
    assert!(!queue.wants_scan(TABLE));
    assert_eq!(queue.take_due(TABLE, 1_000, 100), rows([1, 2, 3]));
    queue.note(TABLE, row(6));
    assert_eq!(queue.next(TABLE), None, "row 6 must not come before 4 and 5");
    assert!(queue.wants_scan(TABLE));
    queue.begin_scan(TABLE);
    queue.end_scan(TABLE, rows([4, 5, 6]), true);
    assert_eq!(queue.take_due(TABLE, 1_000, 100), rows([4, 5, 6]));
    assert_eq!(queue.newest_of(TABLE), Some((SeqId(6), 60)));
}

#[test]
fn a_scan_that_found_only_the_oldest_is_followed_by_another() {
    let mut queue = empty(100);
    queue.add(TABLE);
    queue.begin_scan(TABLE);
    queue.note(TABLE, row(9));
    queue.end_scan(TABLE, rows([1, 2]), false);
    assert_eq!(queue.take_due(TABLE, 1_000, 100), rows([1, 2]));
    assert!(queue.wants_scan(TABLE));
}

#[test]
fn tables_share_the_room_and_give_it_back() {
    let other = TableId(2);
    let mut queue = empty(2);
    queue.add(other);
    queue.begin_scan(other);
    queue.end_scan(other, Vec::new(), true);
    queue.note(TABLE, row(1));
    queue.note(TABLE, row(2));
    queue.forget(TABLE);
    queue.note(other, row(3));
    assert_eq!(queue.next(other), Some(30));
    assert_eq!(queue.tables().collect::<Vec<_>>(), [other]);
}
