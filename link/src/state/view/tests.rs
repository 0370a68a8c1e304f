use kalamdb_commons::DataType;
use kalamdb_commons::protocol::{OrderBy, SchemaField};
use serde_json::{Map, json};

use super::*;

fn columns(order_by: &[(&str, bool, bool)]) -> Columns {
    let field = |name: &str, data_type, index| SchemaField { name: name.to_owned(), data_type, index, flags: vec![] };
    let fields = vec![
        field("id", DataType::BigInt, 0),
        field("name", DataType::Text, 1),
        field("price", DataType::Decimal { precision: 10, scale: 2 }, 2),
        field("_order_1", DataType::Double, 3),
    ];
    let term =
        |&(column, desc, nulls_first): &(&str, bool, bool)| OrderBy { column: column.to_owned(), desc, nulls_first };
    Columns::new(fields, Some(vec!["id".to_owned()]), &order_by.iter().map(term).collect::<Vec<_>>())
}

fn rows(columns: &Columns, rows: &[(&str, Option<&str>, &str, f64)]) -> Vec<Row> {
    let object = |&(id, name, price, order): &(&str, Option<&str>, &str, f64)| -> Map<String, Json> {
        let row = json!({"id": id, "name": name, "price": price, "_order_1": order, "_seq": "9"});
        row.as_object().unwrap().clone()
    };
    columns.rows(rows.iter().map(object).collect(), None).unwrap()
}

const SOME: [(&str, Option<&str>, &str, f64); 4] = [
    ("10", Some("b"), "9.50", 2.0),
    ("9", None, "10.00", -1.0),
    ("2", Some("a"), "-3.25", 10.0),
    ("30", Some("B"), "10.00", 2.0),
];

fn ids(order_by: &[(&str, bool, bool)]) -> Vec<String> {
    let columns = columns(order_by);
    let mut view = View::new(100);
    view.begin();
    view.page(&columns, rows(&columns, &SOME), true).unwrap();
    view.rows().iter().map(|row| row.cells()[0].as_str().unwrap().to_owned()).collect()
}

#[test]
fn rows_are_in_the_order_of_the_query() {
    assert_eq!(ids(&[("name", false, false)]), ["30", "2", "10", "9"]);
    assert_eq!(ids(&[("name", true, true)]), ["9", "10", "2", "30"]);
    assert_eq!(ids(&[("price", true, false), ("id", false, false)]), ["9", "30", "10", "2"]);
    assert_eq!(ids(&[("_order_1", false, false), ("id", true, false)]), ["9", "30", "10", "2"]);
}

#[test]
fn without_an_order_rows_are_in_that_of_their_key_by_value() {
    assert_eq!(ids(&[]), ["2", "9", "10", "30"]);
}

#[test]
fn places_sort_as_their_values_do() {
    let sorted = |data_type: DataType, desc: bool, cells: &[Json]| {
        let term = Term { source: Source::Column(0), data_type, desc, nulls_first: false };
        let places = cells.iter().map(|cell| {
            let mut place = Vec::new();
            write_term(&mut place, cell, &term);
            place
        });
        let places: Vec<Vec<u8>> = places.collect();
        places.windows(2).all(|two| if desc { two[0] > two[1] } else { two[0] < two[1] })
    };
    for desc in [false, true] {
        let texts = [json!(""), json!("\u{0}"), json!("\u{0}a"), json!("\u{1}"), json!("a"), json!("ab"), json!("b")];
        assert!(sorted(DataType::Text, desc, &texts));
        let whole = [i64::MIN, -256, -1, 0, 1, 255, 256, i64::MAX].map(|n| json!(n.to_string()));
        assert!(sorted(DataType::BigInt, desc, &whole));
        let floats = [-1e300, -2.5, -1e-300, 0.0, 1e-300, 2.5, 1e300].map(|x| json!(x));
        assert!(sorted(DataType::Double, desc, &floats));
        let decimals = ["-10.50", "-0.01", "0.00", "0.10", "9.99", "10.00"].map(|d| json!(d));
        assert!(sorted(DataType::Decimal { precision: 10, scale: 2 }, desc, &decimals));
        assert!(sorted(DataType::Boolean, desc, &[json!(false), json!(true)]));
    }
}

#[test]
fn hidden_columns_are_not_shown() {
    let columns = columns(&[("_order_1", false, false)]);
    let row = &rows(&columns, &SOME)[0];
    assert_eq!(row.schema().fields().len(), 3);
    assert_eq!(row.cells(), [json!("10"), json!("b"), json!("9.50")]);
    assert_eq!((row.key(), row.seq().map(|seq| seq.0)), (Some("[\"10\"]"), Some(9)));
    assert_eq!(row.get("_order_1"), None);
}

#[test]
fn a_change_moves_rows_and_leaves_what_was_given_out_alone() {
    let columns = columns(&[("price", false, false)]);
    let mut view = View::new(5);
    view.page(&columns, rows(&columns, &SOME), true).unwrap();
    let (before, version) = (view.rows(), view.version());
    let old = rows(&columns, &SOME[..1]);
    view.change(&columns, rows(&columns, &[("10", Some("b"), "99.00", 0.0)]), &old).unwrap();
    let last = view.rows().last().unwrap().cells()[0].clone();
    assert_eq!((last, view.version()), (json!("10"), version + 1));
    assert_eq!(before[1].cells()[0], json!("10"));
    view.change(&columns, Vec::new(), &rows(&columns, &SOME)).unwrap();
    assert!(view.rows().is_empty());
    let many: Vec<_> = ["1", "2", "3", "4", "5", "6"].map(|id| (id, None, "0.00", 0.0)).into();
    assert!(view.change(&columns, rows(&columns, &many), &[]).is_err());
}

#[test]
fn a_row_without_identity_is_an_error() {
    let opaque = Columns::new(Vec::new(), None, &[]);
    assert!(opaque.rows(vec![Map::new()], None).is_err());
    assert!(opaque.rows(vec![Map::new()], Some(vec!["k".to_owned()])).is_ok());
    assert!(columns(&[]).rows(vec![Map::new()], None).is_err());
}
