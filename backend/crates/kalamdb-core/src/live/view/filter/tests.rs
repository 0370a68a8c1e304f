use super::*;
use crate::live::fixtures::{AtLeast, change, filter_plan, keyless_plan, row, stored};
use crate::live::plan::Strategy;

fn at_least(n: i32) -> AtLeast {
    AtLeast { n, equalities: Vec::new(), fill: None, with_key: true }
}

fn told(
    change: &Change,
    may_lack: Option<u64>,
) -> Option<(Option<kalamdb_commons::Row>, Option<kalamdb_commons::Row>)> {
    let told = row_change(&filter_plan(10), &at_least(10), change, may_lack.map(SeqId));
    told.map(|told| (told.old, told.new))
}

#[test]
fn a_row_that_enters_moves_within_or_leaves_the_result_is_told_as_that() {
    assert_eq!(told(&change(1, 5, None, Some(12)), None), Some((None, Some(row(1, 12)))));
    assert_eq!(told(&change(1, 5, Some((4, 3)), Some(12)), None), Some((None, Some(row(1, 12)))));
    assert_eq!(told(&change(1, 5, Some((4, 11)), Some(12)), None), Some((Some(row(1, 11)), Some(row(1, 12)))));
    assert_eq!(told(&change(1, 5, Some((4, 11)), Some(3)), None), Some((Some(row(1, 11)), None)));
    assert_eq!(told(&change(1, 5, Some((4, 11)), None), None), Some((Some(row(1, 11)), None)));
}

#[test]
fn a_row_that_stays_outside_or_as_it_is_tells_nothing() {
    assert_eq!(told(&change(1, 5, None, Some(3)), None), None);
    assert_eq!(told(&change(1, 5, Some((4, 3)), Some(4)), None), None);
    assert_eq!(told(&change(1, 5, Some((4, 3)), None), None), None);
    assert_eq!(told(&change(1, 5, Some((4, 11)), Some(11)), None), None);
}

#[test]
fn i2_the_first_change_of_a_row_since_a_page_is_told_even_if_nothing_is_different() {
    let unchanged = change(1, 9, Some((4, 11)), Some(11));
    assert!(told(&unchanged, Some(6)).is_some(), "the client may have stopped at 6, before it was sent the row");
    assert!(told(&unchanged, Some(3)).is_none(), "the change at 4 has told of the row");
}

#[test]
fn a_row_is_named_only_where_its_columns_do_not_tell_it() {
    let named = |plan: &LivePlan| {
        let Strategy::Filter(filter) = &plan.strategy else { panic!("a filter") };
        row_change(plan, filter.as_ref(), &change(1, 5, None, Some(12)), None).unwrap().identity
    };
    assert_eq!(&*named(&filter_plan(0)), "");
    assert!(!named(&keyless_plan(0)).is_empty());
}

#[test]
fn a_scan_becomes_the_result_with_the_seq_that_wrote_each_row() {
    let rows = result_rows(&filter_plan(10), &at_least(10), &[stored(1, 12, 3), stored(2, 4, 5), stored(3, 10, 6)]);
    let seqs: Vec<_> = rows.iter().map(|row| row.seq).collect();
    assert_eq!(seqs, [Some(SeqId(3)), Some(SeqId(6))]);
    assert_eq!(rows[0].cells, row(1, 12));
}
