use serde_json::json;

use super::*;

fn cell(value: &Value) -> String {
    let mut out = Vec::new();
    value.write_json(&mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn cells_travel_as_the_protocol_says() {
    let cases = [
        (Value::Null, "null"),
        (Value::Bool(true), "true"),
        (Value::SmallInt(-1), "-1"),
        (Value::BigInt(i64::MAX), "\"9223372036854775807\""),
        (Value::Double(f64::NAN), "null"),
        (Value::Double(f64::INFINITY), "null"),
        (Value::Double(1.5), "1.5"),
        (Value::Decimal(Decimal { unscaled: -5, scale: 2 }), "\"-0.05\""),
        (Value::Decimal(Decimal { unscaled: 100, scale: 2 }), "\"1.00\""),
        (Value::Timestamp(1), "1"),
        (Value::Date(-1), "-1"),
        (Value::Json("{\"a\":1}".into()), "\"{\\\"a\\\":1}\""),
        (Value::Bytes([0xff, 0].as_slice().into()), "\"/wA=\""),
        (Value::Uuid(1), "\"00000000-0000-0000-0000-000000000001\""),
    ];
    for (value, expected) in cases {
        assert_eq!(cell(&value), expected);
    }
}

#[test]
fn inputs_are_lenient_where_it_is_safe() {
    let decimal = DataType::Decimal { precision: 10, scale: 2 };
    let cases = [
        (json!("42"), DataType::BigInt, Value::BigInt(42)),
        (json!(42), DataType::BigInt, Value::BigInt(42)),
        (json!(1.5), decimal, Value::Decimal(Decimal { unscaled: 150, scale: 2 })),
        (json!("1.005"), decimal, Value::Decimal(Decimal { unscaled: 101, scale: 2 })),
        (json!("1970-01-01T00:00:01Z"), DataType::Timestamp, Value::Timestamp(1_000_000)),
        (json!("1970-01-01 00:00:01.5"), DataType::DateTime, Value::DateTime(1_500_000)),
        (json!("1970-01-02"), DataType::Date, Value::Date(1)),
        (json!("00:00:01"), DataType::Time, Value::Time(1_000_000)),
        (json!(7), DataType::Timestamp, Value::Timestamp(7)),
        (json!({"a": [1]}), DataType::Json, Value::Json("{\"a\":[1]}".into())),
        (json!("plain"), DataType::Json, Value::Json("\"plain\"".into())),
        (json!(null), DataType::Int, Value::Null),
    ];
    for (input, wanted, expected) in cases {
        assert_eq!(Value::from_json(&input, &wanted).unwrap(), expected, "{input}");
    }
}

#[test]
fn values_that_do_not_fit_are_refused() {
    assert_eq!(Value::from_json(&json!(40_000), &DataType::SmallInt), Err(ValueError::OutOfRange(DataType::SmallInt)));
    assert_eq!(Value::from_json(&json!("x"), &DataType::Int), Err(ValueError::Malformed(DataType::Int)));
    assert!(Value::from_json(&json!(true), &DataType::Int).is_err());
    assert!(Value::from_json(&json!(1e300), &DataType::BigInt).is_err());
    let small = DataType::Decimal { precision: 3, scale: 1 };
    assert!(Value::from_json(&json!(100), &small).is_err());
}

#[test]
fn text_notation_reads_back() {
    let values = [
        Value::Bool(false),
        Value::Int(-7),
        Value::Double(0.1),
        Value::Timestamp(-1),
        Value::DateTime(1_357_034_400_000_001),
        Value::Date(15_706),
        Value::Time(86_399_999_999),
        Value::Bytes([1, 2, 3].as_slice().into()),
        Value::Uuid(0xdead_beef),
    ];
    for value in values {
        let data_type = value.data_type().unwrap();
        assert_eq!(Value::from_text(&value.to_text(), &data_type).unwrap(), value);
    }
}

#[test]
fn equal_decimals_of_different_scale_are_one_value() {
    let a = Decimal { unscaled: 10, scale: 1 };
    let b = Decimal { unscaled: 100, scale: 2 };
    assert_eq!(a, b);
    assert!(Decimal { unscaled: 11, scale: 1 } > b);
    assert_eq!(Decimal::parse("1.5e3"), Some(Decimal { unscaled: 1500, scale: 0 }));
    assert_eq!(Decimal::parse("-0.5"), Some(Decimal { unscaled: -5, scale: 1 }));
    assert_eq!(Decimal::parse("1e99"), None);
}

#[test]
fn times_of_far_years_read_back() {
    for micros in [-123_456_789_012_345_678, 900_000_000_000_000_001, -62_167_219_200_000_001] {
        for value in [Value::DateTime(micros), Value::Timestamp(micros)] {
            let data_type = value.data_type().unwrap();
            let text = value.to_text();
            assert_eq!(Value::from_text(&text, &data_type).map(|again| again.to_text()), Ok(text));
        }
    }
}

/// A reader of JSON that is quick rather than exact takes one in ten of such numbers for its neighbour.
#[test]
fn a_double_is_read_to_its_last_bit() {
    for text in ["907.3038322028689", "481.83792520110524", "432.95284981322555", "-1.5e200", "5e-324"] {
        let json = serde_json::from_str(text).unwrap();
        let value = Value::from_json(&json, &DataType::Double).unwrap();
        assert_eq!(value, Value::Double(text.parse().unwrap()), "{text}");
    }
}
