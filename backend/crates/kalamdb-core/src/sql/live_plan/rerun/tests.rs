use super::*;

fn layout(identity: Vec<usize>) -> Layout {
    Layout { cells: vec![1], seq: Some(2), identity }
}

fn rows(rows: &[(i32, &str, i64)]) -> Vec<Row> {
    rows.iter().map(|(a, b, c)| Row::new(vec![Value::Int(*a), Value::text(*b), Value::BigInt(*c)])).collect()
}

fn names(layout: &Layout, of: &[(i32, &str, i64)]) -> Vec<String> {
    layout.result_rows(&rows(of)).iter().map(|row| row.identity.to_string()).collect()
}

#[test]
fn a_row_is_taken_apart_into_its_cells_its_seq_and_its_name() {
    let found = layout(vec![0]).result_rows(&rows(&[(1, "x", 7)]));
    assert_eq!(found[0].cells, Row::new(vec![Value::text("x")]));
    assert_eq!(found[0].seq, Some(SeqId(7)));
}

#[test]
fn a_row_keeps_its_name_whatever_else_changes_and_wherever_it_stands() {
    let by_key = layout(vec![0]);
    let before = names(&by_key, &[(1, "x", 1), (2, "y", 2)]);
    let after = names(&by_key, &[(2, "z", 3), (1, "x", 1)]);
    assert_eq!((&before[0], &before[1]), (&after[1], &after[0]));
    assert_ne!(before[0], before[1]);
}

#[test]
fn rows_of_equal_content_are_numbered() {
    let by_content = layout(vec![1]);
    let three = names(&by_content, &[(1, "x", 1), (2, "x", 2), (3, "y", 3)]);
    assert_eq!(three[1], format!("{}-1", three[0]));
    let two = names(&by_content, &[(2, "x", 2), (3, "y", 3)]);
    assert_eq!((&two[0], &two[1]), (&three[0], &three[2]), "the last of the equal rows is the one that left");
}

#[test]
fn the_one_row_of_an_aggregate_is_always_the_same() {
    assert_eq!(names(&layout(vec![]), &[(1, "x", 1)]), names(&layout(vec![]), &[(2, "y", 2)]));
}

#[test]
fn null_and_nothing_are_told_apart() {
    let outer = layout(vec![0, 1]);
    let row = |cells: Vec<Value>| outer.result_rows(&[Row::new(cells)])[0].identity.clone();
    let absent = row(vec![Value::Int(1), Value::Null, Value::Null]);
    assert_ne!(absent, row(vec![Value::Int(1), Value::text(""), Value::Null]));
}

#[test]
fn fingerprints_are_the_same_for_all_time() {
    // Clients keep these names over restarts and upgrades.
    assert_eq!(fingerprint(b""), 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d);
    assert_eq!(fingerprint(b"a"), 0xd228_cb69_6f1a_8caf_7891_2b70_4e4a_8964);
}

#[test]
fn order_columns_get_names_that_are_free() {
    let field = |name: &str| SchemaField {
        name: name.to_owned(),
        data_type: kalamdb_commons::DataType::Int,
        index: 0,
        flags: vec![],
    };
    assert_eq!(order_names(&[field("a"), field("_order_1")], 2), ["_order_2", "_order_3"]);
}
