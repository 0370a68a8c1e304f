use kalamdb_commons::{Row, Value};

use super::*;
use crate::live::fixtures::{Again, filter_plan, rerun_plan, row};

fn result_row(id: i32, n: i32, seq: u64) -> ResultRow {
    ResultRow { identity: id.to_string().into(), cells: row(id, n), seq: Some(SeqId(seq)) }
}

fn ids(rows: &[ResultRow]) -> Vec<i32> {
    rows.iter().map(|row| if let Some(Value::Int(id)) = row.cells.at(0) { *id } else { -1 }).collect()
}

fn changes(before: Vec<ResultRow>, after: Vec<ResultRow>, lacks: bool) -> Vec<RowChange> {
    let plan = filter_plan(0);
    let (before, after) = (ResultSet::new(&plan, before), ResultSet::new(&plan, after));
    before.changes_to(&plan, &after, (SeqId(10), SeqId(20)), lacks)
}

#[test]
fn a_result_without_an_order_ascends_by_seq_and_an_ordered_one_stays_as_it_is() {
    let rows = || vec![result_row(1, 0, 9), result_row(2, 0, 3), result_row(3, 0, 5)];
    assert_eq!(ids(ResultSet::new(&filter_plan(0), rows()).rows()), [2, 3, 1]);
    assert_eq!(ids(ResultSet::new(&rerun_plan(Again::Top), rows()).rows()), [1, 2, 3]);
}

#[test]
fn the_last_rows_are_those_written_last_in_the_results_order() {
    let rows = || vec![result_row(1, 0, 9), result_row(2, 0, 3), result_row(3, 0, 5)];
    let plan = filter_plan(0);
    assert_eq!(ids(ResultSet::new(&plan, rows()).last_rows(&plan, 2).rows()), [3, 1]);
    assert_eq!(ids(ResultSet::new(&plan, rows()).last_rows(&plan, 9).rows()), [2, 3, 1]);
    let ordered = rerun_plan(Again::Top);
    assert_eq!(ids(ResultSet::new(&ordered, rows()).last_rows(&ordered, 2).rows()), [1, 3]);
}

#[test]
fn equal_results_have_no_changes_between_them() {
    assert_eq!(changes(vec![result_row(1, 5, 3)], vec![result_row(1, 5, 3)], false), []);
    assert_eq!(changes(vec![result_row(1, 5, 3)], vec![result_row(1, 5, 15)], false), [], "written, but as it was");
}

#[test]
fn rows_that_come_change_and_leave_are_told_in_the_order_of_their_seqs() {
    let before = vec![result_row(1, 1, 3), result_row(2, 2, 4)];
    let after = vec![result_row(2, 7, 15), result_row(3, 3, 12)];
    let told = changes(before, after, false);
    let seqs: Vec<u64> = told.iter().map(|change| change.seq.0).collect();
    assert_eq!(seqs, [12, 15, 20]);
    assert_eq!((&told[0].old, &told[0].new), (&None, &Some(row(3, 3))));
    assert_eq!((&told[1].old, &told[1].new), (&Some(row(2, 2)), &Some(row(2, 7))));
    assert_eq!((&told[2].old, &told[2].new), (&Some(row(1, 1)), &None));
}

#[test]
fn a_row_that_moves_into_the_result_unwritten_is_told_with_the_runs_seq() {
    let told = changes(vec![], vec![result_row(1, 1, 3)], false);
    assert_eq!(told[0].seq, SeqId(20));
}

#[test]
fn i2_a_client_that_may_lack_rows_is_told_of_all_that_were_written_since() {
    let told =
        changes(vec![result_row(1, 5, 3), result_row(2, 5, 8)], vec![result_row(1, 5, 15), result_row(2, 5, 8)], true);
    assert_eq!(told.len(), 1);
    assert_eq!((&told[0].old, &told[0].new), (&Some(row(1, 5)), &Some(row(1, 5))));
}

#[test]
fn pages_hold_as_many_rows_as_they_may_and_every_row_once() {
    let plan = filter_plan(0);
    let result = Arc::new(ResultSet::new(&plan, (1..=7).map(|id| result_row(id, 0, id as u64)).collect()));
    let mut pages = Pages::new(result, 3, usize::MAX);
    assert_eq!(pages.total_rows(), 7);
    let mut sizes = Vec::new();
    let mut all = Vec::new();
    while pages.has_more() {
        let page = pages.next_page();
        sizes.push(page.len());
        all.extend(ids(&page));
    }
    assert_eq!((sizes, all), (vec![3, 3, 1], (1..=7).collect()));
}

#[test]
fn i7_a_page_is_bounded_in_bytes_but_holds_at_least_one_row() {
    let plan = filter_plan(0);
    let wide = |id: i32| ResultRow {
        identity: id.to_string().into(),
        cells: Row::new(vec![Value::Int(id), Value::text("x".repeat(1_000))]),
        seq: Some(SeqId(id as u64)),
    };
    let result = Arc::new(ResultSet::new(&plan, (1..=4).map(wide).collect()));
    let sizes = |page_bytes| {
        let mut pages = Pages::new(result.clone(), 100, page_bytes);
        let mut sizes = Vec::new();
        while pages.has_more() {
            sizes.push(pages.next_page().len());
        }
        sizes
    };
    assert_eq!(sizes(10), [1, 1, 1, 1]);
    assert_eq!(sizes(2_500), [2, 2]);
    assert_eq!(sizes(usize::MAX), [4]);
}
