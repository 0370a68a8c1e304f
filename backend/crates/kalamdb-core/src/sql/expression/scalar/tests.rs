use kalamdb_commons::{Row, SeqId};
use kalamdb_store::RowKey;

use super::*;

fn row(values: Vec<Value>) -> StoredRow {
    StoredRow { key: RowKey::new(&[]), seq: SeqId(3), row: Row::new(values) }
}

fn column(slot: u16) -> ColumnRef {
    ColumnRef { slot, fill: Value::Int(7) }
}

fn is(slot: u16, constant: i32) -> Test {
    Test::ColumnIs(column(slot), Comparison::Eq, Value::Int(constant))
}

#[test]
fn and_or_and_not_know_three_states() {
    let known = [Some(true), Some(false), None];
    for a in known {
        for b in known {
            let both = || vec![Test::Known(a), Test::Known(b)];
            let and = match (a, b) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            };
            let or = match (a, b) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            };
            assert_eq!(Test::All(both()).eval(&row(vec![])), and, "{a:?} AND {b:?}");
            assert_eq!(Test::Any(both()).eval(&row(vec![])), or, "{a:?} OR {b:?}");
        }
        assert_eq!(Test::Not(Box::new(Test::Known(a))).eval(&row(vec![])), a.map(|truth| !truth));
        for wanted in known {
            assert_eq!(Test::Is(Box::new(Test::Known(a)), wanted).eval(&row(vec![])), Some(a == wanted));
        }
    }
}

#[test]
fn a_row_older_than_a_column_holds_its_fill() {
    assert_eq!(is(1, 7).eval(&row(vec![Value::Int(1)])), Some(true));
    assert_eq!(is(1, 7).eval(&row(vec![Value::Int(1), Value::Null])), None);
    assert_eq!(is(1, 7).eval(&row(vec![Value::Int(1), Value::Int(8)])), Some(false));
}

#[test]
fn the_two_zeros_are_equal_and_nan_is_the_largest_number() {
    assert_eq!(compare(&Value::Double(0.0), &Value::Double(-0.0)), Some(Ordering::Equal));
    assert_eq!(compare(&Value::Float(f32::NAN), &Value::Float(f32::INFINITY)), Some(Ordering::Greater));
    assert_eq!(compare(&Value::Double(f64::NAN), &Value::Double(f64::NAN)), Some(Ordering::Equal));
    assert_eq!(compare(&Value::Null, &Value::Null), None);
}

#[test]
fn a_list_with_null_never_denies() {
    let members = |has_null| Members { values: vec![Value::Int(1), Value::Int(3)], has_null };
    let within = |value: Value, has_null| Test::In(Node::Column(column(0)), members(has_null)).eval(&row(vec![value]));
    assert_eq!(within(Value::Int(3), true), Some(true));
    assert_eq!(within(Value::Int(2), false), Some(false));
    assert_eq!(within(Value::Int(2), true), None);
    assert_eq!(within(Value::Null, false), None);
}
