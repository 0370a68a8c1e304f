use super::*;
use crate::live::fixtures::{AtLeast, change, filter_plan, keyless_plan, row, stored};
use crate::live::plan::Strategy;

fn at_least(n: i32) -> AtLeast {
    AtLeast { n, equalities: Vec::new(), fill: None, with_key: true }
}

fn told(change: &Change) -> Option<(Option<Row>, Option<Row>)> {
    row_change(&filter_plan(10), &at_least(10), change).map(|told| (told.old, told.new))
}

#[test]
fn a_row_that_enters_moves_within_or_leaves_the_result_is_told_as_that() {
    assert_eq!(told(&change(1, 5, None, Some(12))), Some((None, Some(row(1, 12)))));
    assert_eq!(told(&change(1, 5, Some((4, 3)), Some(12))), Some((None, Some(row(1, 12)))));
    assert_eq!(told(&change(1, 5, Some((4, 11)), Some(12))), Some((Some(row(1, 11)), Some(row(1, 12)))));
    assert_eq!(told(&change(1, 5, Some((4, 11)), Some(3))), Some((Some(row(1, 11)), None)));
    assert_eq!(told(&change(1, 5, Some((4, 11)), None)), Some((Some(row(1, 11)), None)));
}

#[test]
fn a_row_that_stays_outside_or_as_it_is_tells_nothing() {
    assert_eq!(told(&change(1, 5, None, Some(3))), None);
    assert_eq!(told(&change(1, 5, Some((4, 3)), Some(4))), None);
    assert_eq!(told(&change(1, 5, Some((4, 3)), None)), None);
    assert_eq!(told(&change(1, 5, Some((4, 11)), Some(11))), None);
}

#[test]
fn i2_a_row_that_is_written_again_and_looks_as_before_comes_with_when_it_had_been_written() {
    let written =
        |change: &Change| row_change_or_rewrite(&filter_plan(10), &at_least(10), change).map(|(_, written)| written);
    assert_eq!(written(&change(1, 9, Some((4, 11)), Some(11))), Some(Some(SeqId(4))));
    assert_eq!(written(&change(1, 9, Some((4, 11)), Some(12))), Some(None));
    assert_eq!(written(&change(1, 9, None, Some(12))), Some(None));
    assert_eq!(written(&change(1, 9, Some((4, 3)), Some(5))), None, "it was not there and is not");
}

#[test]
fn a_row_is_named_only_where_its_columns_do_not_tell_it() {
    let named = |plan: &LivePlan| {
        let Strategy::Filter(filter) = &plan.strategy else { panic!("a filter") };
        row_change(plan, filter.as_ref(), &change(1, 5, None, Some(12))).unwrap().identity
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
