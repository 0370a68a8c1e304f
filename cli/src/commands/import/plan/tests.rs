use serde_json::json;

use super::*;

fn columns() -> Vec<SchemaField> {
    let field = |index: u32, name: &str, data_type: DataType, marks: &[&str]| SchemaField {
        name: name.to_owned(),
        data_type,
        index,
        flags: marks.iter().map(|mark| (*mark).to_owned()).collect(),
    };
    vec![
        field(0, "id", DataType::BigInt, &["pk", "nn"]),
        field(1, "name", DataType::Text, &["nn"]),
        field(2, "note", DataType::Text, &[]),
        field(3, "Born", DataType::Date, &[]),
    ]
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn plan(header: &[&str], null: Option<&str>, on_conflict: OnConflict) -> Result<Plan, String> {
    Plan::new("app.people", &columns(), &names(header), null.map(str::to_owned), on_conflict)
}

#[test]
fn the_header_names_the_columns_in_any_case_and_order() {
    let plan = plan(&["born", " ID", "-", "Name"], None, OnConflict::Fail).unwrap();
    assert_eq!(plan.insert(2), "INSERT INTO app.people (\"Born\", id, name) VALUES ($1, $2, $3), ($4, $5, $6)");
    let record = csv::StringRecord::from(vec!["2013-01-31", "9007199254740993", "left out", "Anna"]);
    assert_eq!(plan.cells(&record, 2).unwrap(), [json!(15_736), json!("9007199254740993"), json!("Anna")]);
}

#[test]
fn a_column_that_is_not_there_or_there_twice_is_named() {
    let error = plan(&["id", "nmae"], None, OnConflict::Fail).unwrap_err();
    assert!(error.contains("\"nmae\"") && error.contains("id, name, note, Born"), "{error}");
    assert!(plan(&["id", "ID"], None, OnConflict::Fail).unwrap_err().contains("\"id\""));
    assert!(plan(&["-"], None, OnConflict::Fail).is_err());
}

#[test]
fn an_empty_value_is_null_where_it_may_be() {
    let record = csv::StringRecord::from(vec!["1", "", "", ""]);
    let header = ["id", "name", "note", "born"];
    let without = plan(&header, None, OnConflict::Fail).unwrap();
    assert_eq!(without.cells(&record, 2).unwrap(), [json!("1"), json!(""), json!(null), json!(null)]);
    let with = plan(&header, Some("NA"), OnConflict::Fail).unwrap();
    assert_eq!(with.cells(&record, 2).unwrap(), [json!("1"), json!(""), json!(""), json!(null)]);
    let record = csv::StringRecord::from(vec!["1", "x", "NA", "NA"]);
    assert_eq!(with.cells(&record, 2).unwrap(), [json!("1"), json!("x"), json!(null), json!(null)]);
}

#[test]
fn a_bad_row_is_told_by_line_and_column_and_not_by_its_value() {
    let plan = plan(&["id", "born"], None, OnConflict::Fail).unwrap();
    let bad = plan.cells(&csv::StringRecord::from(vec!["1", "s3cret"]), 17).unwrap_err();
    assert_eq!(bad.line, 17);
    assert!(bad.text.contains("\"Born\"") && !bad.text.contains("s3cret"), "{}", bad.text);
    let short = plan.cells(&csv::StringRecord::from(vec!["1"]), 18).unwrap_err();
    assert!(short.text.contains("1 values where there should be 2"), "{}", short.text);
}

#[test]
fn conflicts_are_met_as_asked() {
    let skip = plan(&["id", "name"], None, OnConflict::Skip).unwrap();
    assert!(skip.insert(1).ends_with("($1, $2) ON CONFLICT (id) DO NOTHING"));
    let update = plan(&["id", "name", "born"], None, OnConflict::Update).unwrap();
    assert!(
        update.insert(1).ends_with("ON CONFLICT (id) DO UPDATE SET name = EXCLUDED.name, \"Born\" = EXCLUDED.\"Born\"")
    );
    let keyless = Plan::new("t", &columns()[1..], &names(&["name"]), None, OnConflict::Skip);
    assert!(keyless.unwrap_err().contains("primary key"));
}

#[test]
fn a_batch_stays_within_the_parameters_of_one_statement() {
    let two = plan(&["id", "name"], None, OnConflict::Fail).unwrap();
    assert_eq!((two.rows_max(200), two.rows_max(1_000)), (200, 500));
}
