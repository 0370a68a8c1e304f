use std::sync::Arc;

use kalamdb_store::Scope;

use super::super::tests::write_table;
use super::*;
use crate::options::Limits;
use crate::sql::script::parse_expression;

const COLUMNS: [(&str, DataType); 4] =
    [("s", DataType::SmallInt), ("i", DataType::Int), ("b", DataType::BigInt), ("t", DataType::Text)];

/// The expression over the row (7, 1000, NULL, 'x') and, in ON CONFLICT, (1, 2, 3, 'y').
fn value(sql: &str, in_on_conflict: bool) -> Option<Value> {
    let target = Target { table: Arc::new(write_table(&COLUMNS, &[])), scope: Scope::Shared, name: Ident::new("x") };
    let current = Row::new(vec![Value::SmallInt(7), Value::Int(1_000), Value::Null, Value::text("x")]);
    let proposed = Row::new(vec![Value::SmallInt(1), Value::Int(2), Value::BigInt(3), Value::text("y")]);
    let expr = parse_expression(sql, &Limits::default()).unwrap();
    let name = in_on_conflict.then(|| Ident::new("excluded"));
    let direct = Direct::of(&target, name.as_ref(), &[serde_json::json!(4)], &expr)?;
    direct.value(&current, in_on_conflict.then_some(&proposed))
}

#[test]
fn columns_constants_and_sums_of_whole_numbers_need_no_planner() {
    assert_eq!(value("t", false), Some(Value::text("x")));
    assert_eq!(value("x.I", false), Some(Value::Int(1_000)));
    assert_eq!(value("i + 1", false), Some(Value::BigInt(1_001)));
    assert_eq!(value("(i - s)", false), Some(Value::Int(993)));
    assert_eq!(value("i + $1", false), Some(Value::BigInt(1_004)));
    assert_eq!(value("b + 1", false), Some(Value::Null));
}

#[test]
fn in_on_conflict_both_rows_have_names_and_no_column_goes_without() {
    assert_eq!(value("EXCLUDED.t", true), Some(Value::text("y")));
    assert_eq!(value("x.i + excluded.i", true), Some(Value::Int(1_002)));
    assert_eq!(value("i + 1", true), None, "ambiguous");
    assert_eq!(value("excluded.i", false), None);
}

#[test]
fn whatever_is_not_certain_is_left_to_the_planner() {
    for sql in ["t + 1", "i * 2", "upper(t)", "missing", "i + 9223372036854775807", "x.y.i", "i + 1.5", "(SELECT 1)"] {
        assert_eq!(value(sql, false), None, "{sql}");
    }
    let long = "i".to_owned() + &" + 1".repeat(OPERATORS_MAX + 1);
    assert_eq!(value(&long, false), None);
}
