use std::sync::Arc;

use kalamdb_commons::{DataType, Name, TableName, Value};
use kalamdb_store::{Store, StoreOptions};
use kalamdb_system::{AccessLevel, ColumnDef, TableDef, TableKind};

use super::*;
use crate::sql::transaction::WriteState;

struct Fixture {
    store: Store,
    table: Arc<WriteTable>,
    _dir: tempfile::TempDir,
}

impl Fixture {
    /// A table whose row 1 is there.
    fn new() -> Fixture {
        let column = ColumnDef {
            name: Name::new("a").unwrap(),
            data_type: DataType::Int,
            not_null: false,
            default: None,
            slot: 0,
            fill: Value::Null,
        };
        let def = TableDef {
            id: TableId(1),
            name: TableName { namespace: Name::new("n").unwrap(), table: Name::new("t").unwrap() },
            kind: TableKind::Shared,
            access: AccessLevel::Public,
            ttl_secs: None,
            columns: vec![column],
            primary_key: vec![0],
            indexes: Vec::new(),
            grants: Vec::new(),
            next_slot: 1,
            version: 1,
            created_at: 0,
        };
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(StoreOptions::new(dir.path())).unwrap();
        let table = WriteState::default().table(&Arc::new(def), &Limits::default()).unwrap();
        let fixture = Fixture { store, table, _dir: dir };
        let mut pending = fixture.pending(&Limits::default());
        fixture.put(&mut pending, 1, Some("old")).unwrap();
        fixture.store.commit_blocking(pending.into_write_set().0).unwrap();
        fixture
    }

    fn pending(&self, limits: &Limits) -> Pending {
        Pending::new(limits, true)
    }

    fn get(&self, pending: &Pending, n: i32) -> Option<StoredRow> {
        pending.get(&self.store.snapshot(), TableId(1), &Scope::Shared, &key(n)).unwrap()
    }

    fn put(&self, pending: &mut Pending, n: i32, text: Option<&str>) -> Result<WriteRef, SqlError> {
        let current = self.get(pending, n);
        pending.write(&self.table, &Scope::Shared, &key(n), current, text.map(row))
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.store.close();
    }
}

fn key(n: i32) -> RowKey {
    RowKey::new(&[Value::Int(n)])
}

fn row(text: &str) -> Row {
    Row::new(vec![Value::text(text)])
}

#[test]
fn a_row_written_twice_is_one_write_from_the_first_old_to_the_last_new() {
    let fixture = Fixture::new();
    let mut pending = fixture.pending(&Limits::default());
    let first = fixture.put(&mut pending, 1, Some("a")).unwrap();
    fixture.put(&mut pending, 1, None).unwrap();
    assert_eq!(fixture.get(&pending, 1), None, "it is read as it was left");
    let last = fixture.put(&mut pending, 1, Some("b")).unwrap();
    assert_eq!(first, last);
    let (writes, offsets, _) = pending.into_write_set();
    assert_eq!(offsets, [Some(0)]);
    let [write] = writes.rows.as_slice() else { panic!("{writes:?}") };
    assert_eq!(write.old.as_ref().map(|old| &old.row), Some(&row("old")));
    assert_eq!(write.new, Some(row("b")));
}

#[test]
fn a_row_that_came_and_went_leaves_no_write() {
    let fixture = Fixture::new();
    let mut pending = fixture.pending(&Limits::default());
    fixture.put(&mut pending, 2, Some("a")).unwrap();
    let other = fixture.put(&mut pending, 3, Some("b")).unwrap();
    fixture.put(&mut pending, 2, None).unwrap();
    assert_eq!(pending.written(TableId(1), &Scope::Shared, &key(2)), Some(None));
    assert_eq!(pending.rows_of(TableId(1), &Scope::Shared).map(|(key, _)| key.clone()).collect::<Vec<_>>(), [key(3)]);
    let (writes, offsets, _) = pending.into_write_set();
    assert_eq!(writes.rows.len(), 1);
    assert_eq!((offsets[0], offsets[other.0]), (None, Some(0)));
}

#[test]
fn later_statements_read_the_writes_and_earlier_ones_keep_what_they_saw() {
    let fixture = Fixture::new();
    let mut pending = fixture.pending(&Limits::default());
    fixture.put(&mut pending, 1, None).unwrap();
    let before = pending.overlay();
    fixture.put(&mut pending, 2, Some("a")).unwrap();
    let after = pending.overlay();
    let rows = |overlay: &Overlay| overlay.of(TableId(1), &Scope::Shared).unwrap().len();
    assert_eq!((rows(&before), rows(&after)), (1, 2));
    let mut single = Pending::new(&Limits::default(), false);
    fixture.put(&mut single, 2, Some("a")).unwrap();
    assert!(single.overlay().is_empty(), "a statement by itself has no later one");
}

#[test]
fn s15_a_transaction_and_its_rows_are_bounded() {
    let fixture = Fixture::new();
    let long = "x".repeat(2_000);
    let limits = Limits { row_bytes_max: 1_000, ..Limits::default() };
    let error = fixture.put(&mut fixture.pending(&limits), 2, Some(&long)).unwrap_err();
    assert_eq!(error.code, ErrorCode::TooLarge);

    let mut pending = fixture.pending(&Limits { transaction_rows_max: 2, ..Limits::default() });
    fixture.put(&mut pending, 2, Some("a")).unwrap();
    fixture.put(&mut pending, 3, Some("a")).unwrap();
    fixture.put(&mut pending, 3, Some("b")).unwrap();
    assert_eq!(fixture.put(&mut pending, 4, Some("a")).unwrap_err().code, ErrorCode::TooLarge);

    let mut pending = fixture.pending(&Limits { transaction_bytes_max: 3_000, ..Limits::default() });
    fixture.put(&mut pending, 2, Some(&long)).unwrap();
    assert_eq!(fixture.put(&mut pending, 3, Some(&long)).unwrap_err().code, ErrorCode::TooLarge);
}

#[test]
fn indexes_that_on_conflict_looked_into_are_named_once() {
    let fixture = Fixture::new();
    let mut pending = fixture.pending(&Limits::default());
    pending.decided_by(IndexId(3));
    pending.decided_by(IndexId(3));
    pending.decided_by(IndexId(4));
    assert_eq!(pending.into_write_set().2, [IndexId(3), IndexId(4)]);
}
