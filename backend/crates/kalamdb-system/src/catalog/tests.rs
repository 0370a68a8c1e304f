use std::sync::Arc;

use kalamdb_commons::{DataType, ErrorCode, IndexId, SeqId, TableId, TableName, Value};
use kalamdb_store::{CommitError, Committed, Expect, ManualClock, RecordWrite, StoreOptions, WriteSet};

use super::*;
use crate::record_key::CatalogKey;
use crate::rights::{Grantee, Right, Rights};
use crate::table_def::{AccessLevel, TableDef, TableKind};

/// A store whose commits the catalog follows, as in the server.
struct World {
    store: Store,
    catalog: Arc<Catalog>,
    dir: tempfile::TempDir,
}

impl World {
    fn new() -> World {
        World::at(tempfile::tempdir().unwrap())
    }

    fn at(dir: tempfile::TempDir) -> World {
        let clock = Arc::new(ManualClock::new(1_000));
        let store = Store::open(StoreOptions { clock, ..StoreOptions::new(dir.path().join("db")) }).unwrap();
        let catalog = Arc::new(Catalog::load(&store).unwrap());
        let follower = Arc::clone(&catalog);
        store.listen(Arc::new(move |commit| follower.apply(commit)));
        World { store, catalog, dir }
    }

    fn restarted(self) -> World {
        self.store.close();
        let World { store, catalog, dir } = self;
        drop((store, catalog));
        World::at(dir)
    }

    fn state(&self) -> Arc<CatalogState> {
        self.catalog.state()
    }

    fn commit(&self, writes: WriteSet) -> Result<Committed, CommitError> {
        self.store.commit_blocking(writes)
    }

    fn create(&self, new: NewTable) -> Arc<TableDef> {
        let name = new.name.clone();
        self.commit(self.state().create_table(new, 1_000).unwrap()).unwrap();
        self.table(&name)
    }

    fn namespace(&self, text: &str) {
        self.commit(self.state().create_namespace(&name(text), false, 1_000).unwrap().unwrap()).unwrap();
    }

    fn alter(&self, table: &TableName, changes: Vec<Alteration>) -> Arc<TableDef> {
        let revision = self.state().alter_table(table, changes).unwrap().unwrap();
        let after = Arc::clone(&revision.table);
        self.commit(whole(revision)).unwrap();
        assert_eq!(self.table(table), after);
        after
    }

    fn table(&self, name: &TableName) -> Arc<TableDef> {
        Arc::clone(self.state().table(name).unwrap())
    }
}

/// The whole revision as one write set, as for a table without rows.
fn whole(revision: TableRevision) -> WriteSet {
    let mut writes = revision.writes;
    writes.records.extend(revision.counters);
    writes
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn names(texts: &[&str]) -> Vec<Name> {
    texts.iter().map(|text| name(text)).collect()
}

fn table_name(text: &str) -> TableName {
    let (namespace, table) = text.split_once('.').unwrap_or(("default", text));
    TableName { namespace: name(namespace), table: name(table) }
}

fn column(text: &str) -> NewColumn {
    NewColumn { name: name(text), data_type: DataType::Int, not_null: false, default: None, fill: Value::Null }
}

/// A table with the columns `id` (its key), `a` and `b`.
fn new_table(text: &str) -> NewTable {
    NewTable {
        name: table_name(text),
        kind: None,
        options: TableOptions::default(),
        columns: vec![column("id"), column("a"), column("b")],
        primary_key: names(&["id"]),
        unique: Vec::new(),
    }
}

fn index(text: &str, columns: &[&str], unique: bool) -> NewIndex {
    NewIndex { name: name(text), columns: names(columns), unique }
}

fn add(column: NewColumn) -> Vec<Alteration> {
    vec![Alteration::AddColumn { column, if_not_exists: false, unique: false }]
}

fn drop_column(text: &str) -> Vec<Alteration> {
    vec![Alteration::DropColumn { name: name(text), if_exists: false }]
}

fn code<T: std::fmt::Debug>(result: Result<T, CatalogError>) -> ErrorCode {
    result.unwrap_err().code()
}

#[test]
fn the_namespace_default_is_there_from_the_first_start_and_stays() {
    let world = World::new();
    let created_at = world.state().namespace(&name("default")).unwrap().created_at;
    let refused = world.state().drop_namespace(&name("default"), false, true);
    assert_eq!(code(refused), ErrorCode::PermissionDenied);
    let world = world.restarted();
    assert_eq!(world.state().namespace(&name("default")).unwrap().created_at, created_at);
    assert_eq!(world.store.last_seq(), SeqId(1), "it is made once");
}

#[test]
fn s11_nothing_is_created_changed_or_dropped_in_the_systems_namespace() {
    let state = World::new().state();
    let system = table_name("system.users");
    assert!(state.namespace(&name("system")).is_none() && state.table(&system).is_none());
    for error in [
        state.create_namespace(&name("system"), true, 0).map(drop).unwrap_err(),
        state.drop_namespace(&name("system"), true, true).map(drop).unwrap_err(),
        state.create_table(new_table("system.mine"), 0).map(drop).unwrap_err(),
        state.drop_table(&system, true).map(drop).unwrap_err(),
        state.alter_table(&system, add(column("mine"))).map(drop).unwrap_err(),
        state.create_index(&system, &index("i", &["user_id"], false), true).map(drop).unwrap_err(),
        state.drop_index(&system, &name("i"), true).map(drop).unwrap_err(),
    ] {
        assert_eq!(error.code(), ErrorCode::PermissionDenied, "{error}");
    }
}

#[test]
fn i3_the_catalog_is_after_a_restart_what_it_was_before() {
    let world = World::new();
    world.namespace("shop");
    let options = TableOptions { access: Some(AccessLevel::Public), ..TableOptions::default() };
    world.create(NewTable { kind: Some(TableKind::Shared), options, ..new_table("shop.items") });
    world.create(NewTable { unique: vec![names(&["a", "b"])], ..new_table("t") });
    world.alter(&table_name("t"), add(NewColumn { fill: Value::Int(5), ..column("c") }));
    world.create(new_table("gone"));
    world.commit(world.state().drop_table(&table_name("gone"), false).unwrap().unwrap()).unwrap();
    let before = world.state();
    let world = world.restarted();
    let after = world.state();
    assert!(before.tables().eq(after.tables()) && before.namespaces().eq(after.namespaces()));
    assert_eq!(format!("{before:?}"), format!("{after:?}"), "counters and bytes are the same too");
    let shown: Vec<String> = after.tables().map(|table| table.name.to_string()).collect();
    assert_eq!(shown, ["default.t", "shop.items"]);
}

#[test]
fn a_table_is_what_was_asked_for() {
    let world = World::new();
    let columns = vec![
        NewColumn { default: Some("7".to_owned()), ..column("a") },
        NewColumn { not_null: true, ..column("b") },
        column("c"),
    ];
    let key = names(&["c", "a"]);
    let table = world.create(NewTable { columns, primary_key: key, unique: vec![names(&["b"])], ..new_table("t") });
    assert_eq!((table.kind, table.access, table.ttl_secs), (TableKind::User, AccessLevel::Private, None));
    assert_eq!((table.version, table.created_at, table.next_slot), (1, 1_000, 3));
    assert_eq!(table.primary_key, [2, 0], "slots in key order");
    assert!(table.columns.iter().all(|column| column.not_null), "key columns are NOT NULL: {table:?}");
    assert_eq!(table.column("a").unwrap().default.as_deref(), Some("7"));
    let unique = table.index("b_key").unwrap();
    assert_eq!((unique.slots.as_slice(), unique.unique), ([1].as_slice(), true));
    assert_eq!(world.state().table_by_id(table.id), Some(&table));
    let keyless = world.create(NewTable { primary_key: Vec::new(), ..new_table("keyless") });
    assert!(keyless.primary_key.is_empty());
}

#[test]
fn a_table_that_makes_no_sense_is_refused_by_name() {
    let world = World::new();
    world.create(new_table("t"));
    let with = |kind, options| NewTable { kind, options, ..new_table("u") };
    let none = TableOptions::default();
    let access = TableOptions { access: Some(AccessLevel::Public), ..none };
    let ttl = |secs| TableOptions { ttl_secs: Some(secs), ..none };
    let shared = TableOptions { kind: Some(TableKind::Shared), ..none };
    let cases = [
        (new_table("t"), ErrorCode::AlreadyExists),
        (new_table("nowhere.t"), ErrorCode::NotFound),
        (NewTable { columns: Vec::new(), primary_key: Vec::new(), ..new_table("u") }, ErrorCode::InvalidSql),
        (NewTable { columns: vec![column("id"), column("id")], ..new_table("u") }, ErrorCode::AlreadyExists),
        (NewTable { primary_key: names(&["x"]), ..new_table("u") }, ErrorCode::NotFound),
        (NewTable { unique: vec![names(&["x"])], ..new_table("u") }, ErrorCode::NotFound),
        (with(Some(TableKind::User), shared), ErrorCode::InvalidSql),
        (with(None, access), ErrorCode::InvalidSql),
        (with(Some(TableKind::Shared), ttl(5)), ErrorCode::InvalidSql),
        (with(Some(TableKind::Stream), none), ErrorCode::InvalidSql),
        (with(Some(TableKind::Stream), ttl(0)), ErrorCode::InvalidSql),
    ];
    for (new, wanted) in cases {
        let shown = format!("{new:?}");
        assert_eq!(code(world.state().create_table(new, 0)), wanted, "{shown}");
    }
    assert_eq!(world.state().tables().count(), 1);
}

#[test]
fn s18_hidden_names_cannot_be_columns_in_any_case() {
    let world = World::new();
    world.create(new_table("t"));
    for bad in ["_seq", "_key", "_SEQ", "_order_1", "_Order_x"] {
        let refused = world.state().create_table(NewTable { columns: vec![column(bad)], ..new_table("u") }, 0);
        assert_eq!(code(refused), ErrorCode::InvalidSql, "{bad}");
        let refused = world.state().alter_table(&table_name("t"), add(column(bad)));
        assert_eq!(code(refused), ErrorCode::InvalidSql, "{bad}");
    }
    world.alter(&table_name("t"), add(column("_order")));
    world.alter(&table_name("t"), add(column("seq")));
}

#[test]
fn unique_constraints_become_indexes_with_names_of_their_own() {
    let world = World::new();
    let (long_a, long_b) = ("a".repeat(60), "ä".repeat(32));
    let columns = vec![column("id"), column("a"), column(&long_a), column(&long_b)];
    let unique = vec![
        names(&["a"]),
        names(&["a"]),
        names(&["id"]),
        names(&[&long_a, &long_b]),
        names(&[&long_a, "a"]),
        names(&[&long_b]),
    ];
    let table = world.create(NewTable { columns, unique, ..new_table("t") });
    let shown: Vec<&str> = table.indexes.iter().map(|index| index.name.as_str()).collect();
    let (cut_a, cut_b) = (format!("{long_a}_key"), format!("{}_key", "ä".repeat(30)));
    let numbered = format!("{}_key2", "a".repeat(59));
    assert_eq!(shown, ["a_key", &cut_a, &numbered, &cut_b], "what says nothing new gets no index");
    let ids: Vec<IndexId> = table.indexes.iter().map(|index| index.id).collect();
    assert_eq!(ids, [IndexId(1), IndexId(2), IndexId(3), IndexId(4)]);
}

#[test]
fn ids_of_tables_and_indexes_are_never_given_twice() {
    let world = World::new();
    let one = world.create(NewTable { unique: vec![names(&["a"])], ..new_table("t") });
    world.commit(world.state().drop_table(&table_name("t"), false).unwrap().unwrap()).unwrap();
    let world = world.restarted();
    let two = world.create(NewTable { unique: vec![names(&["a"])], ..new_table("t") });
    assert!(two.id > one.id && two.indexes[0].id > one.indexes[0].id, "{one:?} {two:?}");
}

#[test]
fn dropping_a_table_takes_its_rows_and_index_entries_along() {
    let world = World::new();
    let table = world.create(NewTable { unique: vec![names(&["a"]), names(&["b"])], ..new_table("t") });
    let writes = world.state().drop_table(&table.name, false).unwrap().unwrap();
    assert_eq!((writes.purge_tables.as_slice(), writes.purge_indexes.len()), ([table.id].as_slice(), 2));
    world.commit(writes).unwrap();
    assert!(world.state().table(&table.name).is_none() && world.state().table_by_id(table.id).is_none());
    assert_eq!(code(world.state().drop_table(&table.name, false)), ErrorCode::NotFound);
    assert!(world.state().drop_table(&table.name, true).unwrap().is_none());
}

#[test]
fn s13_a_namespace_that_holds_tables_goes_only_with_cascade_and_then_whole() {
    let world = World::new();
    world.namespace("shop");
    world.namespace("shops");
    let one = world.create(new_table("shop.one"));
    let two = world.create(NewTable { unique: vec![names(&["a"])], ..new_table("shop.two") });
    world.create(new_table("shops.one"));
    let refused = world.state().drop_namespace(&name("shop"), false, false).unwrap_err();
    assert_eq!(refused.code(), ErrorCode::ConstraintViolation);
    assert!(refused.to_string().contains("2 tables") && refused.to_string().contains("CASCADE"), "{refused}");
    let writes = world.state().drop_namespace(&name("shop"), false, true).unwrap().unwrap();
    assert_eq!(writes.purge_tables, [one.id, two.id]);
    assert_eq!(writes.purge_indexes, [two.indexes[0].id]);
    world.commit(writes).unwrap();
    let left: Vec<String> = world.state().tables().map(|table| table.name.to_string()).collect();
    assert_eq!(left, ["shops.one"]);
    assert!(world.state().namespace(&name("shop")).is_none());
    assert_eq!(code(world.state().drop_namespace(&name("shop"), false, false)), ErrorCode::NotFound);
    assert!(world.state().drop_namespace(&name("shop"), true, false).unwrap().is_none());
    let empty = world.state().create_namespace(&name("shop"), false, 0).unwrap();
    world.commit(empty.unwrap()).unwrap();
    assert_eq!(world.state().tables_in(&name("shop")).count(), 0);
}

#[test]
fn namespaces_exist_once() {
    let world = World::new();
    world.namespace("shop");
    assert_eq!(code(world.state().create_namespace(&name("shop"), false, 0)), ErrorCode::AlreadyExists);
    assert!(world.state().create_namespace(&name("shop"), true, 0).unwrap().is_none());
}

#[test]
fn of_two_racing_changes_one_is_a_conflict() {
    type Change = fn(&CatalogState, &TableName) -> WriteSet;
    let drop_namespace: Change = |state, table| state.drop_namespace(&table.namespace, false, true).unwrap().unwrap();
    let create: Change = |state, _| state.create_table(new_table("shop.new"), 0).unwrap();
    let alter: Change = |state, table| whole(state.alter_table(table, add(column("c"))).unwrap().unwrap());
    let index: Change =
        |state, table| whole(state.create_index(table, &index("i", &["a"], false), false).unwrap().unwrap());
    let drop: Change = |state, table| state.drop_table(table, false).unwrap().unwrap();
    let pairs = [
        (create, create),
        (create, drop_namespace),
        (drop_namespace, create),
        (drop_namespace, alter),
        (drop_namespace, drop_namespace),
        (alter, alter),
        (alter, index),
        (index, alter),
        (index, index),
        (index, drop),
        (drop, alter),
        (drop, drop),
        (create, index),
        (alter, drop_namespace),
    ];
    for (n, (first, second)) in pairs.into_iter().enumerate() {
        let world = World::new();
        world.namespace("shop");
        let table = world.create(new_table("shop.t")).name.clone();
        let state = world.state();
        let (first, second) = (first(&state, &table), second(&state, &table));
        world.commit(first).unwrap();
        assert!(matches!(world.commit(second), Err(CommitError::Conflict)), "pair {n}");
    }
    let world = World::new();
    let (one, two) = (world.state(), world.state());
    world.commit(one.create_namespace(&name("n"), false, 1).unwrap().unwrap()).unwrap();
    let late = two.create_namespace(&name("n"), false, 2).unwrap().unwrap();
    assert!(matches!(world.commit(late), Err(CommitError::Conflict)));
}

#[test]
fn changes_that_do_not_concern_each_other_both_go_through() {
    let world = World::new();
    let (t, u) = (world.create(new_table("t")).name.clone(), world.create(new_table("u")).name.clone());
    let state = world.state();
    world.commit(whole(state.alter_table(&t, add(column("c"))).unwrap().unwrap())).unwrap();
    world.commit(whole(state.alter_table(&u, add(column("c"))).unwrap().unwrap())).unwrap();
    world.commit(state.create_namespace(&name("n"), false, 0).unwrap().unwrap()).unwrap();
    assert!(world.table(&t).column("c").is_some() && world.table(&u).column("c").is_some());
}

#[test]
fn a_column_that_comes_gets_a_slot_that_none_has_had() {
    let world = World::new();
    let name = world.create(new_table("t")).name.clone();
    world.alter(&name, drop_column("b"));
    let table = world.alter(&name, add(NewColumn { data_type: DataType::Text, fill: Value::Int(5), ..column("b") }));
    let added = table.column("b").unwrap();
    assert_eq!((added.slot, &added.fill), (3, &Value::text("5")), "the fill is one of the column's type");
    assert_eq!((table.next_slot, table.version), (4, 3));
    let order: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(order, ["id", "a", "b"]);
}

#[test]
fn columns_that_cannot_come_or_go_are_refused() {
    let world = World::new();
    let table = world.create(NewTable { unique: vec![names(&["a"])], ..new_table("t") }).name.clone();
    let bare = world.create(NewTable { columns: vec![column("n")], primary_key: Vec::new(), ..new_table("u") });
    let not_null = NewColumn { not_null: true, ..column("c") };
    let mismatch = NewColumn { fill: Value::text("x"), ..column("c") };
    let cases = [
        (&table, add(column("a")), ErrorCode::AlreadyExists),
        (&table, add(not_null), ErrorCode::ConstraintViolation),
        (&table, add(mismatch), ErrorCode::ConstraintViolation),
        (&table, drop_column("x"), ErrorCode::NotFound),
        (&table, drop_column("id"), ErrorCode::ConstraintViolation),
        (&table, drop_column("a"), ErrorCode::ConstraintViolation),
        (&bare.name, drop_column("n"), ErrorCode::InvalidSql),
    ];
    for (table, changes, wanted) in cases {
        let shown = format!("{changes:?}");
        assert_eq!(code(world.state().alter_table(table, changes)), wanted, "{shown}");
    }
    let unknown = world.state().alter_table(&table_name("missing"), drop_column("a"));
    assert_eq!(code(unknown), ErrorCode::NotFound);
    let fine = vec![
        Alteration::AddColumn { column: column("a"), if_not_exists: true, unique: true },
        Alteration::DropColumn { name: name("x"), if_exists: true },
    ];
    assert!(world.state().alter_table(&table, fine).unwrap().is_none(), "it is already as wished");
}

#[test]
fn several_changes_are_one_or_none() {
    let world = World::new();
    let table = world.create(new_table("t"));
    let both = [drop_column("b"), drop_column("x")].concat();
    assert_eq!(code(world.state().alter_table(&table.name, both)), ErrorCode::NotFound);
    let both = [drop_column("b"), add(column("b")), add(column("c"))].concat();
    let after = world.alter(&table.name, both);
    assert_eq!((after.columns.len(), after.version), (4, 2));
}

#[test]
fn options_change_only_where_they_mean_something() {
    let world = World::new();
    let options = TableOptions { ttl_secs: Some(60), ..TableOptions::default() };
    let stream = world.create(NewTable { kind: Some(TableKind::Stream), options, ..new_table("stream") });
    let shared = world.create(NewTable { kind: Some(TableKind::Shared), ..new_table("shared") });
    let set = |options| vec![Alteration::Set(options)];
    let none = TableOptions::default();
    let access = TableOptions { access: Some(AccessLevel::Public), ..none };
    let ttl = TableOptions { ttl_secs: Some(5), ..none };
    let kind = TableOptions { kind: Some(TableKind::User), ..none };
    assert_eq!(world.alter(&shared.name, set(access)).access, AccessLevel::Public);
    assert_eq!(world.alter(&stream.name, set(ttl)).ttl_secs, Some(5));
    assert_eq!(code(world.state().alter_table(&shared.name, set(ttl))), ErrorCode::InvalidSql);
    assert_eq!(code(world.state().alter_table(&stream.name, set(access))), ErrorCode::InvalidSql);
    assert_eq!(code(world.state().alter_table(&shared.name, set(kind))), ErrorCode::Unsupported);
    let same = TableOptions { kind: Some(TableKind::Shared), ..access };
    assert!(world.state().alter_table(&shared.name, set(same)).unwrap().is_none());
}

#[test]
fn an_index_comes_with_what_the_store_needs_to_build_it_and_goes_with_its_entries() {
    let world = World::new();
    let table = world.create(new_table("t")).name.clone();
    world.alter(&table, add(NewColumn { fill: Value::Int(9), ..column("c") }));
    let revision = world.state().create_index(&table, &index("i", &["c", "a"], true), false).unwrap().unwrap();
    let [spec] = revision.build.as_slice() else { panic!("{revision:?}") };
    let spec = spec.clone();
    assert_eq!(spec.columns, [(3, Value::Int(9)), (1, Value::Null)]);
    assert_eq!((spec.id, spec.unique), (IndexId(1), true));
    world.commit(whole(revision)).unwrap();
    assert_eq!(world.table(&table).index_specs().as_ref(), [spec]);
    let again = index("i", &["a"], false);
    assert_eq!(code(world.state().create_index(&table, &again, false)), ErrorCode::AlreadyExists);
    assert!(world.state().create_index(&table, &again, true).unwrap().is_none());
    let unknown = index("j", &["x"], false);
    assert_eq!(code(world.state().create_index(&table, &unknown, false)), ErrorCode::NotFound);

    let revision = world.state().drop_index(&table, &name("i"), false).unwrap().unwrap();
    assert_eq!((revision.writes.purge_indexes.as_slice(), revision.build.len()), ([IndexId(1)].as_slice(), 0));
    world.commit(revision.writes).unwrap();
    assert!(world.table(&table).indexes.is_empty());
    assert_eq!(code(world.state().drop_index(&table, &name("i"), false)), ErrorCode::NotFound);
    assert!(world.state().drop_index(&table, &name("i"), true).unwrap().is_none());
}

#[test]
fn a_unique_column_that_comes_is_built_like_an_index() {
    let world = World::new();
    let table = world.create(new_table("t")).name.clone();
    let changes = vec![Alteration::AddColumn { column: column("c"), if_not_exists: false, unique: true }];
    let revision = world.state().alter_table(&table, changes).unwrap().unwrap();
    assert_eq!(revision.build.len(), 1);
    assert_eq!(revision.table.index("c_key").map(|index| index.slots.as_slice()), Some([3].as_slice()));
    world.commit(whole(revision)).unwrap();
}

#[test]
fn s15_too_many_indexes_or_key_columns_are_refused() {
    let world = World::new();
    let texts: Vec<String> = (0..40).map(|n| format!("c{n}")).collect();
    let all: Vec<&str> = texts.iter().map(String::as_str).collect();
    let columns: Vec<NewColumn> = all.iter().map(|text| column(text)).collect();
    let wide = NewTable { columns, primary_key: names(&all), ..new_table("t") };
    assert_eq!(code(world.state().create_table(wide.clone(), 0)), ErrorCode::TooLarge);
    let table = world.create(NewTable { primary_key: names(&["c0"]), ..wide }).name.clone();
    let broad = index("broad", &all, false);
    assert_eq!(code(world.state().create_index(&table, &broad, false)), ErrorCode::TooLarge);
    for n in 0..64 {
        let new = index(&format!("i{n}"), &["c1"], false);
        world.commit(whole(world.state().create_index(&table, &new, false).unwrap().unwrap())).unwrap();
    }
    let one_more = index("one_more", &["c1"], false);
    assert_eq!(code(world.state().create_index(&table, &one_more, false)), ErrorCode::TooLarge);
}

#[test]
fn a_damaged_record_stops_the_start_and_is_left_out_of_a_running_catalog() {
    let record = |key, value: &[u8]| RecordWrite {
        space: RecordSpace::Catalog,
        key,
        expect: Expect::Any,
        value: Some(value.to_vec()),
    };
    for (key, value) in [
        (CatalogKey::table(TableId(1)), b"{}".as_slice()),
        (CatalogKey::table(TableId(1)), b"not JSON"),
        (CatalogKey::namespace(&name("n")), b"[]"),
        (CatalogKey::header(), b"{\"next_table\":-1}"),
        (vec![3, 1], b"{}"),
        (vec![99], b"{}"),
        (Vec::new(), b"{}"),
    ] {
        let world = World::new();
        world.create(new_table("t"));
        let records = vec![record(key.clone(), value)];
        world.commit(WriteSet { records, ..WriteSet::default() }).unwrap();
        assert!(world.state().table(&table_name("t")).is_some(), "{key:?}");
        assert!(matches!(Catalog::load(&world.store), Err(StateError::Malformed { .. })), "{key:?}");
    }
}

#[test]
fn grants_are_part_of_their_table_and_go_with_their_user() {
    let world = World::new();
    let shared = |text| NewTable { kind: Some(TableKind::Shared), ..new_table(text) };
    let table = world.create(shared("t"));
    world.create(shared("u"));
    world.create(new_table("own"));
    let user = |text| Grantee::User(kalamdb_commons::UserId::new(text).unwrap());
    let (anna, ben) = (user("anna"), user("ben"));
    let read = Rights::from(Right::Select);
    let grant = |text, grantee: &Grantee, rights| {
        let revision = world.state().grant(&table_name(text), grantee, rights, 2).unwrap();
        let changes = revision.is_some();
        revision.map(|revision| world.commit(whole(revision)).unwrap());
        changes
    };
    assert!(grant("t", &anna, read) && !grant("t", &anna, read), "the second one changes nothing");
    assert!(grant("t", &ben, Rights::ALL) && grant("t", &anna, Right::Insert.into()) && grant("u", &anna, read));
    assert!(world.table(&table.name).version > table.version);
    let third = Grantee::Role(kalamdb_commons::Role::Service);
    assert_eq!(code(world.state().grant(&table.name, &third, read, 2)), ErrorCode::TooLarge);
    assert_eq!(code(world.state().grant(&table_name("own"), &anna, read, 2)), ErrorCode::Unsupported);
    assert_eq!(code(world.state().revoke(&table_name("own"), &anna, read)), ErrorCode::Unsupported);
    assert_eq!(code(world.state().grant(&table_name("no"), &anna, read, 2)), ErrorCode::NotFound);

    let world = world.restarted();
    assert_eq!(world.table(&table.name).granted_to(&anna).to_string(), "SELECT, INSERT");
    let revoked = world.state().revoke(&table.name, &ben, read).unwrap().unwrap();
    let racing = world.state().revoke(&table.name, &ben, Right::Delete.into()).unwrap().unwrap();
    world.commit(whole(revoked)).unwrap();
    assert!(matches!(world.commit(whole(racing)), Err(CommitError::Conflict)));
    assert_eq!(world.table(&table.name).granted_to(&ben).to_string(), "INSERT, UPDATE, DELETE");
    assert!(world.state().revoke(&table.name, &ben, read).unwrap().is_none());

    let Grantee::User(name) = &anna else { unreachable!() };
    world.commit(world.state().forget_user(name).unwrap()).unwrap();
    let left = [&table.name, &table_name("u")].map(|name| world.table(name).granted_to(&anna));
    assert_eq!(left, [Rights::NONE; 2]);
    assert_eq!(world.table(&table.name).grants.len(), 1);
    assert!(world.state().forget_user(name).unwrap().records.is_empty());
}
