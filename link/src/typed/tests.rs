use std::collections::HashMap;

use kalamdb_commons::protocol::SchemaField;
use serde::Deserialize;
use serde_json::json;

use super::*;
use crate::row::Schema;

fn row(cells: &[(&str, DataType, Json)]) -> Row {
    let field = |(name, data_type, _): &(&str, DataType, Json)| SchemaField {
        name: (*name).to_owned(),
        data_type: *data_type,
        index: 0,
        flags: Vec::new(),
    };
    let schema = Schema::new(cells.iter().map(field).collect());
    Row::of_query(schema, cells.iter().map(|(_, _, cell)| cell.clone()).collect())
}

fn wide() -> Row {
    row(&[
        ("id", DataType::BigInt, json!("9007199254740993")),
        ("small", DataType::SmallInt, json!(-7)),
        ("price", DataType::Decimal { precision: 12, scale: 2 }, json!("1234.50")),
        ("ratio", DataType::Double, json!(0.5)),
        ("name", DataType::Text, json!("12")),
        ("gone", DataType::Text, Json::Null),
        ("at", DataType::Timestamp, json!(1_700_000_000_000_000_i64)),
        ("tags", DataType::Json, json!(r#"["a","b"]"#)),
        ("blob", DataType::Bytes, json!("AAEC/w==")),
        ("flag", DataType::Boolean, json!(true)),
    ])
}

#[derive(Debug, Deserialize, PartialEq)]
struct Wide {
    id: i64,
    small: i32,
    price: String,
    ratio: f64,
    name: String,
    gone: Option<String>,
    at: u64,
    tags: Vec<String>,
    blob: Vec<u8>,
    flag: bool,
}

#[test]
fn a_row_becomes_a_struct_by_the_types_of_both_sides() {
    let wanted = Wide {
        id: 9_007_199_254_740_993,
        small: -7,
        price: "1234.50".to_owned(),
        ratio: 0.5,
        name: "12".to_owned(),
        gone: None,
        at: 1_700_000_000_000_000,
        tags: vec!["a".to_owned(), "b".to_owned()],
        blob: vec![0, 1, 2, 255],
        flag: true,
    };
    assert_eq!(wide().to::<Wide>().unwrap(), wanted);
}

#[test]
fn whole_numbers_go_where_they_fit_and_nowhere_else() {
    let of = |digits: &str| row(&[("n", DataType::BigInt, json!(digits))]);
    assert_eq!(of("-5").to::<i8>().unwrap(), -5);
    assert_eq!(of("9223372036854775807").to::<i128>().unwrap(), i128::from(i64::MAX));
    assert_eq!(of("7").to::<u64>().unwrap(), 7);
    assert_eq!(of("7").to::<String>().unwrap(), "7");
    assert_eq!(of("7").to::<f64>().unwrap(), 7.0);
    assert!(of("300").to::<u8>().is_err());
    assert!(of("-1").to::<u64>().is_err());
    let decimal = |digits: &str| row(&[("n", DataType::Decimal { precision: 38, scale: 2 }, json!(digits))]);
    assert_eq!(decimal("12.00").to::<i64>().unwrap(), 12);
    assert_eq!(decimal("12.25").to::<f64>().unwrap(), 12.25);
    assert_eq!(
        decimal("999999999999999999999999999999.00").to::<i128>().unwrap(),
        999_999_999_999_999_999_999_999_999_999
    );
    assert!(decimal("12.50").to::<i64>().is_err(), "nothing is rounded in silence");
}

#[test]
fn a_document_becomes_what_it_holds_or_its_text() {
    #[derive(Debug, Deserialize, PartialEq)]
    struct Inner {
        a: i64,
    }
    #[derive(Debug, Deserialize, PartialEq)]
    struct Outer {
        doc: Inner,
    }
    let of = |text: &str| row(&[("doc", DataType::Json, json!(text))]);
    assert_eq!(of(r#"{"a":1}"#).to::<Outer>().unwrap(), Outer { doc: Inner { a: 1 } });
    assert_eq!(of(r#"{"a":1}"#).to::<String>().unwrap(), r#"{"a":1}"#);
    assert_eq!(of("[1,2]").to::<(Vec<i64>,)>().unwrap(), (vec![1, 2],));
    let doc: HashMap<String, Json> = of(r#"{"a":1}"#).to().unwrap();
    assert_eq!(doc["doc"], json!({"a": 1}));
    assert!(of("{").to::<Outer>().is_err());
}

#[test]
fn rows_become_tuples_maps_and_single_values() {
    let pair = row(&[("a", DataType::BigInt, json!("1")), ("b", DataType::Text, json!("x"))]);
    assert_eq!(pair.to::<(i64, String)>().unwrap(), (1, "x".to_owned()));
    assert!(pair.to::<(i64,)>().is_err());
    assert!(pair.to::<i64>().is_err());
    let map: HashMap<String, Json> = pair.to().unwrap();
    assert_eq!(map["a"], json!("1"), "who does not say what it wants gets every digit");
    let null = row(&[("a", DataType::BigInt, Json::Null)]);
    assert_eq!(null.to::<Option<i64>>().unwrap(), None);
    assert!(null.to::<i64>().is_err());
    #[derive(Debug, Deserialize, PartialEq)]
    struct Id(i64);
    assert_eq!(row(&[("a", DataType::BigInt, json!("4"))]).to::<Id>().unwrap(), Id(4));
    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "lowercase")]
    enum Kind {
        Red,
        Green,
    }
    assert_eq!(row(&[("kind", DataType::Text, json!("green"))]).to::<Kind>().unwrap(), Kind::Green);
    assert_eq!(row(&[("kind", DataType::Text, json!("red"))]).to::<(Kind,)>().unwrap(), (Kind::Red,));
}

#[test]
fn an_error_names_the_column_and_never_the_value() {
    #[derive(Debug, Deserialize)]
    struct Wrong {
        #[expect(dead_code, reason = "only read into")]
        name: i64,
    }
    let secret = row(&[("name", DataType::Text, json!("s3cr3t"))]);
    let error = secret.to::<Wrong>().unwrap_err().to_string();
    assert!(error.contains("column \"name\"") && error.contains("expected i64"), "{error}");
    assert!(!error.contains("s3cr3t"), "{error}");
    let number = row(&[("name", DataType::BigInt, json!("77001"))]);
    let error = number.to::<(u8,)>().unwrap_err().to_string();
    assert!(!error.contains("77001"), "{error}");
}

#[test]
fn a_missing_column_is_an_error_and_a_surplus_one_is_not() {
    #[derive(Debug, Deserialize, PartialEq)]
    struct Narrow {
        flag: bool,
    }
    assert_eq!(wide().to::<Narrow>().unwrap(), Narrow { flag: true });
    #[derive(Debug, Deserialize)]
    struct Other {
        #[expect(dead_code, reason = "only read into")]
        nothing: bool,
    }
    assert!(wide().to::<Other>().unwrap_err().to_string().contains("nothing"));
}
