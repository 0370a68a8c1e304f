use kalamdb_store::StoreOptions;

use super::*;

const TABLE: TableId = TableId(7);
const SECOND: i64 = 1_000_000;

fn store() -> (Store, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    (Store::open(StoreOptions::new(dir.path())).unwrap(), dir)
}

#[test]
fn a_row_is_as_old_as_the_first_note_after_it() {
    let (store, _dir) = store();
    let mut ages = Ages::default();
    ages.note(&store, TABLE, Some((SeqId(10), 100 * SECOND)), 60 * SECOND);
    ages.note(&store, TABLE, Some((SeqId(20), 200 * SECOND)), 60 * SECOND);
    assert_eq!(ages.written_at(TABLE, SeqId(5)), Some(100 * SECOND));
    assert_eq!(ages.written_at(TABLE, SeqId(10)), Some(100 * SECOND));
    assert_eq!(ages.written_at(TABLE, SeqId(11)), Some(200 * SECOND));
    assert_eq!(ages.written_at(TABLE, SeqId(21)), None);
    assert_eq!(ages.written_at(TableId(8), SeqId(1)), None);
    store.close();
}

#[test]
fn notes_are_there_after_a_restart_and_go_with_their_rows() {
    let (store, _dir) = store();
    let mut ages = Ages::default();
    for n in 1..=5 {
        ages.note(&store, TABLE, Some((SeqId(n), i64::try_from(n).unwrap() * 10 * SECOND)), 60 * SECOND);
    }
    ages.note_all(&store, &[(TableId(300), (SeqId(6), 60 * SECOND))]);
    ages.trim(&store, TABLE, 30 * SECOND);
    let loaded = Ages::load(&store).unwrap();
    assert_eq!(loaded.0, ages.0);
    assert_eq!(loaded.written_at(TABLE, SeqId(1)), Some(30 * SECOND));
    let mut loaded = loaded;
    loaded.keep_only(&store, |table| table == TABLE);
    assert_eq!(Ages::load(&store).unwrap().0.keys().collect::<Vec<_>>(), [&TABLE]);
    loaded.forget(&store, TABLE);
    assert!(Ages::load(&store).unwrap().0.is_empty());
    store.close();
}

#[test]
fn i7_the_longer_rows_live_the_rarer_are_notes() {
    let (store, _dir) = store();
    let notes = |ttl: i64, seconds: i64| {
        let mut ages = Ages::default();
        for n in 0..seconds {
            ages.note(&store, TABLE, Some((SeqId(u64::try_from(n).unwrap() + 1), n * SECOND)), ttl);
        }
        let count = ages.0.get(&TABLE).map_or(0, VecDeque::len);
        ages.forget(&store, TABLE);
        count
    };
    assert_eq!(notes(60 * SECOND, 100), 100);
    assert_eq!(notes(100_000 * SECOND, 100), 10);
    assert_eq!(notes(i64::MAX, 7_300), 3, "one an hour");
    store.close();
}
