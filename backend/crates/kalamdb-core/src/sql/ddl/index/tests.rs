use std::sync::Arc;

use kalamdb_commons::{DataType, Name, Row, TableName, UserId, Value};
use kalamdb_store::{KeyRange, RowKey, RowWrite, Scope, StoreOptions};
use kalamdb_system::{Catalog, NewColumn, NewIndex, NewTable, TableOptions};

use super::*;

const ROWS: i32 = 100;

/// A table of a hundred rows, half of them anna's and half ben's, each with a number of its own and its `half`.
struct World {
    store: Store,
    catalog: Arc<Catalog>,
    table: TableName,
    _dir: tempfile::TempDir,
}

impl World {
    fn new() -> World {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(StoreOptions::new(dir.path().join("db"))).unwrap();
        let catalog = Arc::new(Catalog::load(&store).unwrap());
        let follower = Arc::clone(&catalog);
        store.listen(Arc::new(move |commit| follower.apply(commit)));
        let table = TableName { namespace: name("default"), table: name("t") };
        let column = |text| NewColumn {
            name: name(text),
            data_type: DataType::Int,
            not_null: false,
            default: None,
            fill: Value::Null,
        };
        let new = NewTable {
            name: table.clone(),
            kind: None,
            options: TableOptions::default(),
            columns: vec![column("n"), column("half")],
            primary_key: vec![name("n")],
            unique: Vec::new(),
        };
        store.commit_blocking(catalog.state().create_table(new, 0).unwrap()).unwrap();
        let id = catalog.state().table(&table).unwrap().id;
        let row = |n: i32| RowWrite {
            table: id,
            scope: scope(n),
            key: RowKey::new(&[Value::Int(n)]),
            old: None,
            new: Some(Row::new(vec![Value::Int(n), Value::Int(n / 2)])),
            indexes: Arc::new([]),
        };
        let rows = (0..ROWS).map(row).collect();
        store.commit_blocking(WriteSet { rows, ..WriteSet::default() }).unwrap();
        World { store, catalog, table, _dir: dir }
    }

    fn revision(&self, column: &str) -> TableRevision {
        let new = NewIndex { name: name("i"), columns: vec![name(column)], unique: true };
        self.catalog.state().create_index(&self.table, &new, false).unwrap().unwrap()
    }

    fn entries(&self, index: IndexId) -> Vec<RowKey> {
        let mut found = Vec::new();
        for n in 0..2 {
            let mut visit = |key| {
                found.push(key);
                ControlFlow::Continue(())
            };
            self.store.snapshot().scan_index(index, &scope(n), &KeyRange::all(), &mut visit).unwrap();
        }
        found
    }
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn scope(n: i32) -> Scope {
    Scope::User(UserId::new(if n % 2 == 0 { "anna" } else { "ben" }).unwrap())
}

#[test]
fn every_row_of_every_scope_gets_an_entry_however_much_is_committed_at_once() {
    let spills =
        [SPILL, Spill { entries_max: 7, ..SPILL }, Spill { entries_max: 50, ..SPILL }, Spill { bytes_max: 1, ..SPILL }];
    for spill in spills {
        let world = World::new();
        let revision = world.revision("n");
        let index = revision.build[0].id;
        build(&world.store, revision, spill).unwrap().unwrap();
        assert_eq!(world.entries(index).len(), usize::try_from(ROWS).unwrap(), "{spill:?}");
        let state = world.catalog.state();
        assert_eq!(state.table(&world.table).unwrap().indexes[0].id, index);
        let next = state.create_index(
            &world.table,
            &NewIndex { name: name("j"), columns: vec![name("n")], unique: false },
            false,
        );
        assert!(next.unwrap().unwrap().build[0].id > index, "the number is taken: {spill:?}");
    }
}

#[test]
fn rows_that_do_not_fit_leave_no_entry_and_no_index() {
    // Within a scope each row has another half; the one that comes last in key order has the first one's.
    for spill in [SPILL, Spill { entries_max: 7, ..SPILL }] {
        let world = World::new();
        let table = world.catalog.state().table(&world.table).unwrap().id;
        let twin = RowWrite {
            table,
            scope: scope(0),
            key: RowKey::new(&[Value::Int(ROWS)]),
            old: None,
            new: Some(Row::new(vec![Value::Int(ROWS), Value::Int(0)])),
            indexes: Arc::new([]),
        };
        world.store.commit_blocking(WriteSet { rows: vec![twin], ..WriteSet::default() }).unwrap();
        let revision = world.revision("half");
        let index = revision.build[0].id;
        let outcome = build(&world.store, revision, spill).unwrap();
        assert!(matches!(outcome, Err(CommitError::UniqueViolation { .. })), "{outcome:?}");
        assert_eq!(world.entries(index), [], "{spill:?}");
        assert!(world.catalog.state().table(&world.table).unwrap().indexes.is_empty());
    }
}

#[test]
fn a_build_that_meets_another_change_of_the_catalog_is_a_conflict() {
    for spill in [SPILL, Spill { entries_max: 7, ..SPILL }] {
        let world = World::new();
        let (late, first) = (world.revision("n"), world.revision("n"));
        let index = first.build[0].id;
        build(&world.store, first, spill).unwrap().unwrap();
        let outcome = build(&world.store, late, spill).unwrap();
        assert!(matches!(outcome, Err(CommitError::Conflict)), "{outcome:?}");
        assert_eq!(world.entries(index).len(), usize::try_from(ROWS).unwrap(), "the first index is whole");
    }
}

#[tokio::test]
async fn a_unique_index_that_cannot_be_made_is_told_with_its_columns() {
    let world = World::new();
    let mut revision = world.revision("half");
    // As if the column had come later, with one value for all.
    revision.build[0].columns = vec![(7, Value::Int(1))];
    let error = commit(&world.store, revision).await.unwrap_err();
    assert_eq!(error.code, kalamdb_commons::ErrorCode::ConstraintViolation);
    assert!(error.message.contains("\"i\"") && error.message.contains("half"), "{error}");
}
