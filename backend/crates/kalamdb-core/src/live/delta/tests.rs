use kalamdb_commons::protocol::ServerMessage;
use serde_json::json;

use super::*;
use crate::live::fixtures::{Again, filter_plan, keyless_plan, rerun_plan, row};

fn changed(seq: u64, old: Option<Row>, new: Option<Row>) -> RowChange {
    RowChange { seq: SeqId(seq), identity: format!("k{seq}").into(), old, new }
}

fn frames(plan: &LivePlan, changes: &[RowChange], frame_max_bytes: usize) -> Vec<serde_json::Value> {
    let delta = Delta::encode(plan, SeqId(9), changes, frame_max_bytes).unwrap();
    assert_eq!(delta.seq, SeqId(9));
    assert!(delta.bytes >= delta.frames.iter().map(SharedFrame::size_bytes).sum());
    let decode = |frame: &SharedFrame| {
        let text = frame.for_subscription("s");
        serde_json::from_slice::<ServerMessage>(&text).unwrap();
        serde_json::from_slice(&text).unwrap()
    };
    delta.frames.iter().map(decode).collect()
}

#[test]
fn a_commit_that_changes_nothing_has_no_frames() {
    assert!(Delta::encode(&filter_plan(0), SeqId(9), &[], 1_000).is_none());
}

#[test]
fn new_rows_only_make_an_insert_and_lost_rows_only_a_delete_with_its_own_seq() {
    let plan = filter_plan(0);
    let insert = &frames(&plan, &[changed(8, None, Some(row(1, 2))), changed(9, None, Some(row(2, 3)))], 1_000)[0];
    assert_eq!((&insert["change_type"], &insert["seq"]), (&json!("insert"), &json!(9)));
    assert_eq!(insert["rows"], json!([{ "id": 1, "n": 2, "_seq": "8" }, { "id": 2, "n": 3, "_seq": "9" }]));
    assert!(insert.get("old_values").is_none() && insert.get("keys").is_none());
    let delete = &frames(&plan, &[changed(9, Some(row(1, 2)), None)], 1_000)[0];
    assert_eq!(delete["change_type"], "delete");
    assert_eq!(delete["old_values"], json!([{ "id": 1, "n": 2, "_seq": "9" }]));
    assert!(delete.get("rows").is_none());
}

#[test]
fn anything_else_is_an_update_whose_old_rows_carry_no_seq() {
    let plan = filter_plan(0);
    let changes = [changed(8, Some(row(1, 2)), None), changed(9, Some(row(2, 3)), Some(row(2, 4)))];
    let update = &frames(&plan, &changes, 1_000)[0];
    assert_eq!(update["change_type"], "update");
    assert_eq!(update["rows"], json!([{ "id": 2, "n": 4, "_seq": "9" }]));
    assert_eq!(update["old_values"], json!([{ "id": 1, "n": 2 }, { "id": 2, "n": 3 }]));
}

#[test]
fn rows_without_a_key_are_named_beside_them() {
    let cells = |n| Row::new(vec![kalamdb_commons::Value::Int(n)]);
    let changes = [changed(7, None, Some(cells(1))), changed(8, Some(cells(2)), Some(cells(3)))];
    let update = &frames(&keyless_plan(0), &changes, 1_000)[0];
    assert_eq!((&update["keys"], &update["old_keys"]), (&json!(["k7", "k8"]), &json!(["k8"])));
}

#[test]
fn rows_that_are_no_tables_rows_carry_no_seq() {
    let update = &frames(&rerun_plan(Again::Count), &[changed(9, Some(row(1, 2)), Some(row(2, 3)))], 1_000)[0];
    assert_eq!(update["rows"], json!([{ "c": 2, "s": 3 }]));
}

#[test]
fn i4_a_large_commit_is_split_and_every_frame_but_the_last_says_more() {
    let plan = filter_plan(0);
    let mut changes: Vec<RowChange> = (1..=9).map(|id| changed(id, None, Some(row(id as i32, 1)))).collect();
    changes.push(changed(10, Some(row(20, 1)), None));
    let whole = frames(&plan, &changes, usize::MAX);
    assert_eq!(whole.len(), 1);
    let split = frames(&plan, &changes, changes[0].size_bytes() * 3);
    assert_eq!(split.len(), 4);
    let more: Vec<bool> = split.iter().map(|frame| frame["more"] == true).collect();
    assert_eq!(more, [true, true, true, false]);
    assert!(split.iter().all(|frame| frame["seq"] == 9));
    let rows: usize = split.iter().filter_map(|frame| frame["rows"].as_array()).map(Vec::len).sum();
    assert_eq!(rows, 9);
    assert_eq!(frames(&plan, &changes, 1).len(), 10, "a frame holds at least one row");
}
