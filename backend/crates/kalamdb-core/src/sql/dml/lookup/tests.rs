use std::sync::Arc;

use datafusion::sql::sqlparser::ast::Ident;
use kalamdb_store::Scope;
use serde_json::{Value as Json, json};

use super::super::tests::write_table;
use super::*;
use crate::options::Limits;
use crate::sql::script::parse_expression;

fn found(columns: &[(&str, DataType)], key: &[u16], sql: &str, params: &[Json]) -> Option<Option<RowKey>> {
    let target = Target { table: Arc::new(write_table(columns, key)), scope: Scope::Shared, name: Ident::new("t") };
    let selection = parse_expression(sql, &Limits::default()).unwrap();
    lookup(&target, &selection, params).map(|lookup| match lookup {
        Lookup::Key(key) => Some(key),
        Lookup::Nothing => None,
    })
}

fn key(values: &[Value]) -> Option<Option<RowKey>> {
    Some(Some(RowKey::new(values)))
}

#[test]
fn a_where_of_the_whole_key_and_no_more_names_a_row() {
    let columns = [("id", DataType::Int), ("a", DataType::Int)];
    let find = |sql: &str| found(&columns, &[0], sql, &[]);
    let five = key(&[Value::Int(5)]);
    for sql in ["id = 5", "5 = id", "(id = 5)", "t.id = 5", "ID = 5", "T.Id = 5", "\"id\" = 5", "id = '5'"] {
        assert_eq!(find(sql), five, "{sql}");
    }
    for sql in ["a = 5", "id = 5 AND a = 1", "id > 5", "id = a", "id = 5 OR id = 6", "u.id = 5", "id = 5.5", "_seq = 5"]
    {
        assert_eq!(find(sql), None, "{sql}");
    }
}

#[test]
fn all_columns_of_a_key_are_needed_in_any_order() {
    let columns = [("a", DataType::Int), ("b", DataType::Text)];
    let find = |sql: &str| found(&columns, &[1, 0], sql, &[]);
    assert_eq!(find("a = 1 AND b = 'x'"), key(&[Value::text("x"), Value::Int(1)]));
    assert_eq!(find("b = 'x' AND (a = 1)"), key(&[Value::text("x"), Value::Int(1)]));
    for sql in ["a = 1", "a = 1 AND a = 2", "a = 1 AND b = 'x' AND a = 1"] {
        assert_eq!(find(sql), None, "{sql}");
    }
}

#[test]
fn what_no_row_can_hold_finds_nothing() {
    let find = |sql: &str| found(&[("id", DataType::SmallInt)], &[0], sql, &[]);
    assert_eq!(find("id = NULL"), Some(None));
    assert_eq!(find("id = 40000"), Some(None));
}

#[test]
fn parameters_are_read_as_leniently_as_the_wire_says() {
    let find = |data_type, json: Json| found(&[("id", data_type)], &[0], "id = $1", &[json]);
    assert_eq!(find(DataType::BigInt, json!(5)), key(&[Value::BigInt(5)]));
    assert_eq!(find(DataType::BigInt, json!("5")), key(&[Value::BigInt(5)]));
    assert_eq!(find(DataType::Text, json!("5")), key(&[Value::text("5")]));
    assert_eq!(find(DataType::Int, Json::Null), Some(None));
    for (data_type, json) in [
        (DataType::Int, json!("not a number")),
        (DataType::Int, json!(5.5)),
        (DataType::Text, json!(5)),
        (DataType::Timestamp, json!("2013-01-01")),
        (DataType::Uuid, json!("0195F2C0-0000-7000-8000-00000000000A")),
    ] {
        assert_eq!(find(data_type, json.clone()), None, "{data_type} {json}: the planner's business");
    }
}

#[test]
fn a_table_without_a_key_is_never_looked_up() {
    assert_eq!(found(&[("id", DataType::Int)], &[], "id = 5", &[]), None);
}
