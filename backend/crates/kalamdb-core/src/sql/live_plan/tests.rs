//! Queries planned over tables that exist only as definitions, for the tests beside this file.

use std::sync::Arc;

use datafusion::prelude::{SessionConfig, SessionContext};
use kalamdb_commons::protocol::SchemaField;
use kalamdb_commons::{DataType, IndexId, Name, TableId, TableName, UserId, Value};
use kalamdb_system::{AccessLevel, ColumnDef, IndexDef, TableDef, TableKind};

use super::shape::{self, Origin};
use super::*;
use crate::sql::query::PlannedTable;
use crate::tables::arrow::data_type_of;
use crate::tables::provider::StoredTable;

fn table(id: u32, name: &str, columns: &[(&str, DataType)]) -> Arc<TableDef> {
    let column = |(slot, (name, data_type)): (usize, &(&str, DataType))| ColumnDef {
        name: Name::new(name).unwrap(),
        data_type: *data_type,
        not_null: false,
        default: None,
        slot: u16::try_from(slot).unwrap(),
        fill: Value::Null,
    };
    Arc::new(TableDef {
        id: TableId(id),
        name: TableName { namespace: Name::new("default").unwrap(), table: Name::new(name).unwrap() },
        kind: TableKind::User,
        access: AccessLevel::Private,
        ttl_secs: None,
        columns: columns.iter().enumerate().map(column).collect(),
        primary_key: vec![0],
        indexes: vec![IndexDef { id: IndexId(id), name: Name::new("by_room").unwrap(), slots: vec![1], unique: false }],
        grants: Vec::new(),
        next_slot: 9,
        version: 1,
        created_at: 0,
    })
}

/// `t (id INT PRIMARY KEY, room TEXT, n INT, x DOUBLE)`.
pub(super) fn table_t() -> Arc<TableDef> {
    let columns = [("id", DataType::Int), ("room", DataType::Text), ("n", DataType::Int), ("x", DataType::Double)];
    table(1, "t", &columns)
}

/// The query as planned over `t` and `u`, for anna.
pub(super) fn planned(sql: &str) -> PlannedQuery {
    let context = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(1));
    let tables = [table_t(), table(2, "u", &[("id", DataType::Double), ("room", DataType::Text)])];
    let with_hidden = sql.contains("_seq") || sql.contains("_key");
    for table in &tables {
        let stored = StoredTable::new(Arc::clone(table), with_hidden);
        context.register_table(table.name.table.as_str(), Arc::new(stored)).unwrap();
    }
    let state = context.state();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let plan = runtime.block_on(state.create_logical_plan(sql)).unwrap();
    let plan = state.analyzer().execute_and_check(plan, &state.config_options().clone(), |_, _| {}).unwrap();
    let field = |(at, field): (usize, &Arc<datafusion::arrow::datatypes::Field>)| SchemaField {
        name: field.name().clone(),
        data_type: data_type_of(field).unwrap(),
        index: u32::try_from(at).unwrap(),
        flags: vec![],
    };
    let named = |table: &&Arc<TableDef>| {
        let name = table.name.table.as_str();
        sql.split(|c: char| !c.is_alphanumeric()).any(|word| word == name)
    };
    let read = |def: &Arc<TableDef>| PlannedTable {
        def: Arc::clone(def),
        scope: Scope::User(UserId::new("anna").unwrap()),
        slots: vec![0, 1],
    };
    PlannedQuery {
        schema: plan.schema().fields().iter().enumerate().map(field).collect(),
        plan,
        tables: tables.iter().filter(named).map(read).collect(),
        system_tables: false,
        volatile: sql.contains("now()"),
        depends_on_caller: false,
        uses_indexes: true,
    }
}

#[test]
fn rows_that_stand_for_table_rows_are_known_as_such() {
    for sql in [
        "SELECT * FROM t",
        "SELECT id FROM t AS a WHERE n > 1 ORDER BY n LIMIT 3",
        "SELECT id, row_number() OVER (ORDER BY n) FROM t",
        "WITH big AS (SELECT * FROM t WHERE n > 1) SELECT n FROM big",
        "SELECT id FROM t WHERE id IN (SELECT n FROM t)",
    ] {
        let planned = planned(sql);
        assert!(shape::is_row_wise(&planned.plan), "{sql}");
        assert_eq!(shape::table_of(&planned.plan).map(|table| table.id), Some(TableId(1)), "{sql}");
    }
    let join = planned("SELECT t.id FROM t LEFT JOIN u ON t.room = u.room");
    assert!(shape::is_row_wise(&join.plan) && shape::table_of(&join.plan).is_none());
    for sql in [
        "SELECT count(*) FROM t",
        "SELECT DISTINCT room FROM t",
        "SELECT room FROM t UNION ALL SELECT room FROM u",
        "SELECT unnest([id, n]) FROM t",
    ] {
        assert!(!shape::is_row_wise(&planned(sql).plan), "{sql}");
    }
}

#[test]
fn what_looks_beyond_the_row_is_known_as_such() {
    assert!(!shape::looks_beyond_the_row(&planned("SELECT id FROM t WHERE n > 1 ORDER BY n LIMIT 1").plan));
    for sql in [
        "SELECT id, row_number() OVER (ORDER BY n) FROM t",
        "SELECT id FROM t WHERE id IN (SELECT n FROM t)",
        "SELECT id, (SELECT max(n) FROM t) FROM t",
        "SELECT id FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.room = t.room)",
    ] {
        assert!(shape::looks_beyond_the_row(&planned(sql).plan), "{sql}");
    }
}

#[test]
fn columns_are_traced_to_the_table_and_to_the_groups() {
    let origins = |sql: &str| {
        let planned = planned(sql);
        (0..planned.schema.len()).map(|at| shape::origin(&planned.plan, at)).collect::<Vec<_>>()
    };
    let column = |name: &str| Some(Origin::Column(name.to_owned()));
    assert_eq!(origins("SELECT n AS m, id, n + 1 FROM t AS a ORDER BY x"), [column("n"), column("id"), None]);
    assert_eq!(origins("SELECT b.n FROM (SELECT n FROM t) AS b"), [column("n")]);
    let group = |number| Some(Origin::Group(number));
    let sql = "SELECT count(*), lower(room) AS r, n FROM t GROUP BY n, lower(room) HAVING count(*) > 1 ORDER BY 1";
    assert_eq!(origins(sql), [None, group(1), group(0)]);
    assert_eq!(shape::groups(&planned(sql).plan), Some(2));
    assert_eq!(shape::groups(&planned("SELECT count(*) FROM t").plan), Some(0));
    assert_eq!(shape::groups(&planned("SELECT n, count(*) FROM t GROUP BY ROLLUP (n)").plan), None);
    assert_eq!(shape::groups(&planned("SELECT n FROM t").plan), None);
}

#[test]
fn each_scope_of_a_table_is_a_source_once() {
    let mut planned = planned("SELECT 1 FROM t");
    let mut again = planned.tables[0].clone();
    again.slots = vec![3, 1];
    planned.tables.push(again);
    let sources = sources_of(&planned);
    assert_eq!(sources.len(), 1);
    assert_eq!((sources[0].name.as_str(), sources[0].slots.as_slice()), ("default.t", [0, 1, 3].as_slice()));
}
