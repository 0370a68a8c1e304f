//! Portions of rows, with a transaction's writes and history in front, against a plain map.

use kalamdb_commons::{DataType, Name, Role, Row, TableId, TableName, UserId, Value};
use kalamdb_store::{RowWrite, Store, StoreOptions, WriteSet, encode_values};
use kalamdb_system::{AccessLevel, Catalog, ColumnDef, IndexDef, TableKind};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;
use crate::context::{Caller, Overlay, StatementContext};

fn bound() -> impl Strategy<Value = Bound<Vec<u8>>> {
    let key = prop_oneof![
        (0..5_i32).prop_map(|a| encode_values(&[Value::Int(a)])),
        (0..5_i32, 0..5_i32).prop_map(|(a, b)| encode_values(&[Value::Int(a), Value::Int(b)])),
    ];
    prop_oneof![Just(Bound::Unbounded), key.clone().prop_map(Bound::Included), key.prop_map(Bound::Excluded),]
}

proptest! {
    #[test]
    fn the_parts_of_a_range_are_the_range(start in bound(), end in bound(), last in (0..5_i32, 0..5_i32)) {
        let whole = KeyRange { start: start.clone(), end: end.clone() };
        let last = RowKey::new(&[Value::Int(last.0), Value::Int(last.1)]);
        prop_assume!(contains(&whole, &last));
        let part = KeyRange { start, end: Bound::Included(last.as_bytes().to_vec()) };
        let rest = KeyRange { start: Bound::Excluded(last.as_bytes().to_vec()), end };
        for a in 0..5 {
            for b in 0..5 {
                let key = RowKey::new(&[Value::Int(a), Value::Int(b)]);
                let (within, first, second) = (contains(&whole, &key), contains(&part, &key), contains(&rest, &key));
                prop_assert_eq!(within, first || second);
                prop_assert!(!(first && second));
            }
        }
    }
}

/// `t (id INT PRIMARY KEY, n INT)` with an index on `n`.
fn table() -> TableDef {
    let column = |slot, name| ColumnDef {
        name: Name::new(name).unwrap(),
        data_type: DataType::Int,
        not_null: false,
        default: None,
        slot,
        fill: Value::Null,
    };
    TableDef {
        id: TableId(7),
        name: TableName { namespace: Name::new("default").unwrap(), table: Name::new("t").unwrap() },
        kind: TableKind::Shared,
        access: AccessLevel::Public,
        ttl_secs: None,
        columns: vec![column(0, "id"), column(1, "n")],
        primary_key: vec![0],
        indexes: vec![IndexDef { id: IndexId(7), name: Name::new("by_n").unwrap(), slots: vec![1], unique: false }],
        grants: Vec::new(),
        next_slot: 2,
        version: 1,
        created_at: 0,
    }
}

struct Rows {
    store: Store,
    catalog: Catalog,
    table: Arc<TableDef>,
    _dir: tempfile::TempDir,
}

fn key(id: i32) -> RowKey {
    RowKey::new(&[Value::Int(id)])
}

fn row(id: i32, n: i32) -> Row {
    Row::new(vec![Value::Int(id), Value::Int(n)])
}

impl Rows {
    fn new() -> Rows {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(StoreOptions::new(dir.path())).unwrap();
        let catalog = Catalog::load(&store).unwrap();
        Rows { store, catalog, table: Arc::new(table()), _dir: dir }
    }

    fn write(&self, id: i32, n: Option<i32>) {
        let old = self.store.snapshot().get(self.table.id, &Scope::Shared, &key(id)).unwrap();
        if old.is_none() && n.is_none() {
            return;
        }
        let new = n.map(|n| row(id, n));
        let indexes = self.table.index_specs();
        let write = RowWrite { table: self.table.id, scope: Scope::Shared, key: key(id), old, new, indexes };
        self.store.commit_blocking(WriteSet { rows: vec![write], ..WriteSet::default() }).unwrap();
    }

    fn view(&self, overlay: Overlay, as_of: Option<SeqId>, memory_bytes_max: usize) -> Arc<View> {
        let ctx = StatementContext {
            caller: Caller::new(UserId::root(), Role::System),
            namespace: Name::new("default").unwrap(),
            params: Arc::from([]),
            now_micros: 0,
            catalog: self.catalog.state(),
            snapshot: self.store.snapshot(),
            overlay: Arc::new(overlay),
            as_of,
            finds_in: None,
        };
        Arc::new(View { ctx, use_indexes: true, memory_bytes_max })
    }

    fn read(&self, view: &Arc<View>, access: Access, portion: usize) -> Result<Vec<(i32, i32)>, SqlError> {
        let mut reader = RowReader::new(Arc::clone(view), Arc::clone(&self.table), Scope::Shared, access);
        let mut found = Vec::new();
        loop {
            let rows = reader.next(portion)?;
            if rows.is_empty() {
                return Ok(found);
            }
            found.extend(rows.iter().map(|stored| match (&stored.row[0], &stored.row[1]) {
                (Value::Int(id), Value::Int(n)) => (*id, *n),
                other => panic!("{other:?}"),
            }));
        }
    }
}

type Step = (i32, Option<i32>);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let n = prop_oneof![1 => Just(None), 3 => (0..4_i32).prop_map(Some)];
    prop::collection::vec((0..12_i32, n), 0..20)
}

fn applied(steps: &[Step]) -> BTreeMap<i32, i32> {
    let mut rows = BTreeMap::new();
    for (id, n) in steps {
        match n {
            Some(n) => rows.insert(*id, *n),
            None => rows.remove(id),
        };
    }
    rows
}

#[test]
fn rows_in_front_and_history_are_seen_in_key_order_whatever_the_portions() {
    let config = Config { cases: 40, failure_persistence: None, ..Config::default() };
    let case = (steps(), steps(), steps(), 1..5_usize);
    let outcome = TestRunner::new(config).run(&case, |(before, after, own, portion)| {
        let rows = Rows::new();
        before.iter().for_each(|(id, n)| rows.write(*id, *n));
        let then = rows.store.last_seq();
        after.iter().for_each(|(id, n)| rows.write(*id, *n));
        for (as_of, seen) in [(None, [&before[..], &after[..]].concat()), (Some(then), before.clone())] {
            let mut overlay = Overlay::default();
            for (id, n) in &own {
                let stored = n.map(|n| StoredRow { key: key(*id), seq: SeqId::ZERO, row: row(*id, n) });
                overlay.put(rows.table.id, Scope::Shared, key(*id), stored);
            }
            let view = rows.view(overlay, as_of, usize::MAX);
            let wanted: Vec<(i32, i32)> = applied(&[&seen[..], &own[..]].concat()).into_iter().collect();
            let of = |test: &dyn Fn(&(i32, i32)) -> bool| wanted.iter().copied().filter(test).collect::<Vec<_>>();
            prop_assert_eq!(rows.read(&view, Access::All, portion).unwrap(), wanted.clone());
            let within = KeyRange {
                start: Bound::Included(encode_values(&[Value::Int(2)])),
                end: Bound::Excluded(encode_values(&[Value::Int(9)])),
            };
            let found = rows.read(&view, Access::Ranges(vec![within]), portion).unwrap();
            prop_assert_eq!(found, of(&|(id, _)| (2..9).contains(id)));
            let found = rows.read(&view, Access::Keys(vec![key(1), key(5), key(9)]), portion).unwrap();
            prop_assert_eq!(found, of(&|(id, _)| [1, 5, 9].contains(id)));
            let ranges = vec![KeyRange::prefix(&encode_values(&[Value::Int(2)]))];
            let by_index = Access::Index { index: IndexId(7), ranges, exact: true };
            let mut found = rows.read(&view, by_index, portion).unwrap();
            // What stands in front comes along and is sorted out by whoever asked.
            found.retain(|(_, n)| *n == 2);
            prop_assert_eq!(found, of(&|(_, n)| *n == 2));
        }
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}

#[test]
fn more_history_than_a_query_may_hold_is_an_error() {
    let rows = Rows::new();
    (0..10).for_each(|id| rows.write(id, Some(1)));
    let then = rows.store.last_seq();
    (0..10).for_each(|id| rows.write(id, Some(2)));
    let view = rows.view(Overlay::default(), Some(then), 300);
    assert_eq!(rows.read(&view, Access::All, 3).unwrap_err().code, ErrorCode::TooLarge);
    let view = rows.view(Overlay::default(), Some(then), 1 << 20);
    assert_eq!(rows.read(&view, Access::All, 3).unwrap(), (0..10).map(|id| (id, 1)).collect::<Vec<_>>());
}
