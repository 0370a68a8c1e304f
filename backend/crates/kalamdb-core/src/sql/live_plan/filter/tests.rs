use kalamdb_commons::{SeqId, UserId};

use super::super::tests::planned;
use super::*;

fn live(sql: &str) -> Option<LivePlan> {
    plan(&planned(sql), &Limits::default())
}

fn filter(sql: &str) -> Arc<dyn RowFilter> {
    match live(sql).unwrap().strategy {
        Strategy::Filter(filter) => filter,
        Strategy::Rerun(_) => panic!("{sql}"),
    }
}

fn row(id: i32, room: &str, n: i32) -> StoredRow {
    let values = vec![Value::Int(id), Value::text(room), Value::Int(n), Value::Double(0.5)];
    StoredRow { key: RowKey::new(&[Value::Int(id)]), seq: SeqId(9), row: Row::new(values) }
}

#[test]
fn a_row_within_the_where_is_projected_and_another_is_not() {
    let filter = filter("SELECT n + 1 AS m, id FROM t WHERE room = 'a' AND n <= 5");
    assert_eq!(filter.project(&row(1, "a", 5)), Some(Row::new(vec![Value::BigInt(6), Value::Int(1)])));
    assert_eq!(filter.project(&row(1, "a", 6)), None);
    assert_eq!(filter.project(&row(1, "b", 5)), None);
}

#[test]
fn a_selected_seq_takes_part_in_comparing_only() {
    let plan = live("SELECT _seq, id FROM t").unwrap();
    assert_eq!(plan.schema.len(), 2);
    let Strategy::Filter(filter) = plan.strategy else { panic!() };
    assert_eq!(filter.project(&row(1, "a", 5)), Some(Row::new(vec![Value::Int(1), Value::BigInt(9)])));
}

#[test]
fn the_equality_that_fewest_rows_meet_comes_first() {
    assert_eq!(
        filter("SELECT * FROM t WHERE n = 1 AND room = 'a' AND id = 3").equalities(),
        [(0, Value::Int(3)), (1, Value::text("a")), (2, Value::Int(1))]
    );
    assert_eq!(filter("SELECT * FROM t WHERE n = 1 OR room = 'a'").equalities(), []);
}

#[test]
fn everything_that_is_no_function_of_the_row_is_run_again() {
    for sql in [
        "SELECT count(*) FROM t",
        "SELECT DISTINCT id FROM t",
        "SELECT id FROM t ORDER BY id",
        "SELECT id FROM t LIMIT 1",
        "SELECT id, row_number() OVER (ORDER BY n) FROM t",
        "SELECT id FROM t WHERE n IN (SELECT n FROM t)",
        "SELECT t.id FROM t, u",
        "SELECT id FROM t WHERE x < 1 AND now() > '2013-01-01'",
        "SELECT id FROM t WHERE 10 / n > 1",
        "SELECT id FROM (SELECT id FROM t) AS x",
        "SELECT 1",
    ] {
        assert!(live(sql).is_none(), "{sql}");
    }
}

#[test]
fn queries_that_mean_the_same_are_one_view() {
    let key = |sql: &str| live(sql).unwrap().key;
    let wanted = key("SELECT * FROM t WHERE room = 'mine'");
    for same in [
        "select *  from t where room='mine'",
        "SELECT id, room, n, x FROM t AS a WHERE 'mine' = a.room",
        "SELECT t.* FROM t WHERE room IN ('mine')",
    ] {
        assert_eq!(key(same), wanted, "{same}");
    }
    for other in [
        "SELECT * FROM t WHERE room = 'yours'",
        "SELECT * FROM t",
        "SELECT id, room, n AS m, x FROM t WHERE room = 'mine'",
        "SELECT * FROM t WHERE room = 'mine' AND n = 1",
        "SELECT * FROM t WHERE room = 'mine'') OR (''1'' = ''1'",
    ] {
        assert_ne!(key(other), wanted, "{other}");
    }
}

#[test]
fn i5_another_users_rows_are_another_view() {
    let mut planned = planned("SELECT * FROM t");
    let annas = plan(&planned, &Limits::default()).unwrap().key;
    planned.tables[0].scope = Scope::User(UserId::new("ben").unwrap());
    assert_ne!(plan(&planned, &Limits::default()).unwrap().key, annas);
}

#[test]
fn rows_are_found_by_key_and_by_index() {
    let access = |sql: &str| format!("{:?}", filter(sql)).split("access: ").last().unwrap_or_default().to_owned();
    assert!(access("SELECT * FROM t WHERE id = 3").starts_with("Keys"));
    assert!(access("SELECT * FROM t WHERE room = 'a'").starts_with("Index"));
    assert!(access("SELECT * FROM t WHERE x > 3").starts_with("All"));
}
