//! Which constants a key takes without the planner.

use super::*;

#[test]
fn a_constant_is_a_key_only_where_it_means_the_same_to_the_planner() {
    let decimal = |unscaled, scale| Value::Decimal(kalamdb_commons::value::Decimal { unscaled, scale });
    let money = DataType::Decimal { precision: 10, scale: 2 };
    for (value, data_type, wanted) in [
        (Value::BigInt(5), DataType::Int, Some(Value::Int(5))),
        (Value::BigInt(5_000_000_000), DataType::Int, None),
        (Value::Double(5.0), DataType::Int, None),
        (decimal(15, 1), money, Some(decimal(150, 2))),
        (decimal(1_555, 3), money, None),
        (Value::BigInt(2), money, Some(decimal(200, 2))),
        (Value::text("5"), DataType::Int, None),
        (Value::BigInt(5), DataType::Text, None),
        (Value::text("x"), DataType::Text, Some(Value::text("x"))),
        (Value::Null, DataType::Text, Some(Value::Null)),
        (Value::text("1970-01-02"), DataType::Date, Some(Value::Date(1))),
        (Value::text("no date"), DataType::Date, None),
        (Value::BigInt(7), DataType::Timestamp, Some(Value::Timestamp(7))),
        (Value::Bool(true), DataType::Boolean, Some(Value::Bool(true))),
        (Value::BigInt(1), DataType::Double, None),
    ] {
        assert_eq!(key_value(&value, &data_type), wanted, "{value:?} {data_type}");
    }
}
