use super::*;

fn ack(status: &str) -> Json {
    json!({
        "type": "subscription_ack", "subscription_id": "s", "total_rows": 1, "seq": 10, "key": ["id"], "strategy": "filter",
        "resumed": false, "reset": false, "batch_control": { "status": status },
        "schema": [{ "name": "id", "data_type": "Int", "index": 0 }, { "name": "a", "data_type": "Int", "index": 1 }],
    })
}

fn page(rows: Json) -> Json {
    json!({ "type": "initial_data_batch", "subscription_id": "s", "rows": rows,
            "batch_control": { "batch_num": 0, "has_more": false, "status": "ready" } })
}

fn change(kind: &str, seq: u64, rows: Json, old: Json) -> Json {
    json!({ "type": "change", "subscription_id": "s", "change_type": kind, "seq": seq, "rows": rows, "old_values": old })
}

fn row(id: u32, a: u32, seq: u64) -> Json {
    json!({ "id": id, "a": a, "_seq": seq.to_string() })
}

/// One row, `(1, 5)`, written at 9.
fn held() -> LiveRows {
    let mut rows = LiveRows::new(&ack("loading"));
    assert!(!rows.apply(&page(json!([row(1, 5, 9)]))));
    rows
}

#[test]
fn frames_that_keep_the_contract_make_the_result() {
    let mut rows = held();
    rows.apply(&change("insert", 11, json!([row(2, 6, 11)]), json!(null)));
    rows.apply(&change("update", 12, json!([row(1, 7, 12)]), json!([{ "id": 1, "a": 5 }])));
    rows.apply(&change("delete", 13, json!(null), json!([row(2, 6, 13)])));
    assert_eq!((rows.cells(), rows.seq(), rows.changes()), (vec![vec![json!(1), json!(7)]], 13, 3));
}

#[test]
#[should_panic(expected = "comes twice")]
fn a_row_that_comes_twice_is_refused() {
    held().apply(&change("insert", 11, json!([row(1, 5, 11)]), json!(null)));
}

#[test]
#[should_panic(expected = "without being there")]
fn a_row_that_leaves_without_being_there_is_refused() {
    held().apply(&change("delete", 11, json!(null), json!([row(2, 5, 11)])));
}

#[test]
#[should_panic(expected = "the old row is the one held")]
fn an_old_row_that_is_not_the_one_held_is_refused() {
    held().apply(&change("update", 11, json!([row(1, 7, 11)]), json!([{ "id": 1, "a": 6 }])));
}

#[test]
#[should_panic(expected = "commits come in order, once")]
fn a_commit_that_comes_again_is_refused() {
    held().apply(&change("insert", 10, json!([row(2, 5, 10)]), json!(null)));
}

#[test]
#[should_panic(expected = "a commit is not torn")]
fn a_commit_that_another_one_interrupts_is_refused() {
    let mut rows = held();
    let mut first = change("insert", 11, json!([row(2, 5, 11)]), json!(null));
    first["more"] = json!(true);
    rows.apply(&first);
    rows.apply(&change("insert", 12, json!([row(3, 5, 12)]), json!(null)));
}

#[test]
fn changes_that_come_while_pages_are_missing_are_kept_for_later() {
    let mut rows = LiveRows::new(&ack("loading"));
    rows.apply(&change("update", 11, json!([row(1, 7, 11)]), json!([{ "id": 1, "a": 5 }])));
    rows.apply(&page(json!([row(1, 5, 9)])));
    assert_eq!(rows.cells(), [[json!(1), json!(7)]]);
}

#[test]
fn an_order_sorts_numbers_by_value_and_puts_nulls_where_it_says() {
    let mut ack = ack("ready");
    ack["order_by"] = json!([{ "column": "a", "desc": true, "nulls_first": true }, { "column": "id", "desc": false, "nulls_first": false }]);
    let mut rows = LiveRows::new(&ack);
    let come = json!([row(1, 9, 11), row(2, 10, 12), { "id": 3, "a": null, "_seq": "13" }, row(4, 10, 14)]);
    rows.apply(&change("insert", 14, come, json!(null)));
    let ids: Vec<Json> = rows.cells().into_iter().map(|cells| cells[0].clone()).collect();
    assert_eq!(ids, [json!(3), json!(2), json!(4), json!(1)]);
}

#[test]
fn a_client_that_stops_in_the_midst_of_a_snapshot_goes_on_from_its_last_page() {
    let mut rows = LiveRows::new(&ack("loading"));
    assert_eq!(rows.lost(), None, "nothing was read");
    let mut first = page(json!([row(1, 5, 4)]));
    first["batch_control"] = json!({ "has_more": true, "status": "loading_batch", "last_seq_id": 4 });
    assert!(rows.apply(&first));
    assert_eq!(rows.lost(), Some(4));
    let mut again = ack("ready");
    (again["seq"], again["resumed"]) = (json!(4), json!(true));
    rows.resumed(&again);
    rows.apply(&change("update", 9, json!([row(2, 7, 9)]), json!([{ "id": 2, "a": 6 }])));
    assert_eq!(rows.cells(), [[json!(1), json!(5)], [json!(2), json!(7)]]);
}

#[test]
#[should_panic(expected = "commits come in order, once")]
fn a_change_from_before_what_progress_promised_is_refused() {
    let mut rows = held();
    rows.progress(12);
    rows.apply(&change("insert", 12, json!([row(2, 6, 12)]), json!(null)));
}
