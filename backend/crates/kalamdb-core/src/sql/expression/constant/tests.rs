use serde_json::json;

use super::*;
use crate::options::Limits;
use crate::sql::script::parse_expression;

fn value_of(sql: &str, params: &[serde_json::Value]) -> Option<Value> {
    constant(&parse_expression(sql, &Limits::default()).unwrap(), params)
}

fn decimal(text: &str) -> Option<Value> {
    Decimal::parse(text).map(Value::Decimal)
}

#[test]
fn literals_are_read_as_values_of_their_own_type() {
    assert_eq!(value_of("42", &[]), Some(Value::BigInt(42)));
    assert_eq!(value_of("-42", &[]), Some(Value::BigInt(-42)));
    assert_eq!(value_of("-(42)", &[]), Some(Value::BigInt(-42)));
    assert_eq!(value_of("-9223372036854775808", &[]), Some(Value::BigInt(i64::MIN)));
    assert_eq!(value_of("9223372036854775808", &[]), decimal("9223372036854775808"));
    assert_eq!(value_of("1.50", &[]), decimal("1.5"));
    assert_eq!(value_of("'it''s'", &[]), Some(Value::text("it's")));
    assert_eq!(value_of("NULL", &[]), Some(Value::Null));
    assert_eq!(value_of("true", &[]), Some(Value::Bool(true)));
    assert_eq!(value_of("X'00ff'", &[]), Some(Value::Bytes([0x00, 0xff].as_slice().into())));
    assert_eq!(value_of("DATE '1970-01-11'", &[]), Some(Value::Date(10)));
    assert_eq!(value_of("TIMESTAMP '1970-01-01T00:00:01'", &[]), Some(Value::Timestamp(1_000_000)));
}

#[test]
fn parameters_are_read_by_number() {
    let params = [json!("x"), json!(7), json!(null), json!(1.5), json!({"a": 1}), json!(u64::MAX)];
    assert_eq!(value_of("$1", &params), Some(Value::text("x")));
    assert_eq!(value_of("($2)", &params), Some(Value::BigInt(7)));
    assert_eq!(value_of("$3", &params), Some(Value::Null));
    assert_eq!(value_of("$4", &params), Some(Value::Double(1.5)));
    assert_eq!(value_of("$5", &params), Some(Value::Json(r#"{"a":1}"#.into())));
    assert_eq!(value_of("$6", &params), decimal("18446744073709551615"));
    assert_eq!(value_of("$7", &params), None);
    assert_eq!(value_of("$0", &params), None);
}

#[test]
fn whatever_needs_evaluation_is_no_constant() {
    for sql in ["a", "1 + 1", "now()", "- a", "-$1", "-'x'", "CAST('1' AS INT)", "DATE '5'", "DATE 'soon'"] {
        assert_eq!(value_of(sql, &[json!(1)]), None, "{sql}");
    }
}
