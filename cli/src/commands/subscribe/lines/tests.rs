use kalamdb_commons::DataType;
use serde_json::json;

use super::*;

fn columns() -> Vec<Column> {
    let column = |name: &str, data_type| Column { name: name.to_owned(), data_type };
    vec![column("id", DataType::BigInt), column("body", DataType::Text), column("at", DataType::DateTime)]
}

fn shown(became: Became, cells: &[Cell], before: Option<&[Cell]>, json: bool) -> String {
    let told = Told { became, cells, before, seq: SeqId(7) };
    line(&columns(), &told, LineStyle { json, colour: false })
}

#[test]
fn people_read_a_mark_and_what_changed() {
    let row = [json!("1"), json!("two words"), json!(0)];
    let old = [json!("1"), json!("hello"), json!(0)];
    let empty = [json!("2"), json!(""), json!(null)];
    assert_eq!(shown(Became::There, &old, None, false), "  id=1 body=hello at=\"1970-01-01 00:00:00Z\"");
    assert_eq!(
        shown(Became::Changed, &row, Some(&old), false),
        "~ id=1 body=hello → \"two words\" at=\"1970-01-01 00:00:00Z\""
    );
    assert_eq!(shown(Became::New, &empty, None, false), "+ id=2 body=\"\" at=NULL");
    assert_eq!(
        shown(Became::Gone, &[json!("3"), json!("NULL"), json!(null)], None, false),
        "- id=3 body=\"NULL\" at=NULL"
    );
}

#[test]
fn programs_read_objects_with_cells_as_on_the_wire() {
    let row = [json!("1"), json!("b"), json!(5)];
    let old = [json!("1"), json!("a"), json!(5)];
    assert_eq!(
        shown(Became::Changed, &row, Some(&old), true),
        r#"{"change":"update","seq":7,"row":{"id":"1","body":"b","at":5},"old":{"id":"1","body":"a","at":5}}"#
    );
    assert_eq!(
        shown(Became::Gone, &old, None, true),
        r#"{"change":"delete","seq":7,"old":{"id":"1","body":"a","at":5}}"#
    );
    assert!(shown(Became::There, &row, None, true).starts_with(r#"{"change":"snapshot","seq":7,"row":{"#));
}

#[test]
fn no_line_holds_what_a_terminal_obeys() {
    let evil = [json!("1"), json!("\x1b[2J\u{9b}1m\n"), json!(null)];
    for json in [true, false] {
        let text = shown(Became::New, &evil, None, json);
        assert!(!text.contains(crate::render::cell::is_dangerous), "{text:?}");
    }
}
