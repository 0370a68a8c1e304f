use super::*;
use crate::live::fixtures::{Again, rerun_plan, stored};

fn result(query: Again, rows: &[(i32, i32, u64)]) -> ResultSet {
    let rows: Vec<_> = rows.iter().map(|&(id, n, seq)| stored(id, n, seq)).collect();
    ResultSet::new(&rerun_plan(query), query.evaluate(&rows))
}

fn between(query: Again, then: &ResultSet, now: &ResultSet, (from, to): (u64, u64), may_lack: bool) -> Replay {
    let options = LiveOptions::default();
    difference(&rerun_plan(query), then, now, (SeqId(from), SeqId(to)), may_lack, &options)
}

#[test]
fn i2_a_result_as_it_was_and_as_it_is_differ_in_one_frame() {
    let (then, now) = (result(Again::Count, &[(1, 5, 3)]), result(Again::Count, &[(1, 5, 3), (2, 7, 9)]));
    let replay = between(Again::Count, &then, &now, (5, 9), false);
    assert_eq!((replay.steps.len(), replay.upto, replay.complete), (1, SeqId(9), true));
    assert_eq!((replay.steps[0].0, replay.steps[0].1.seq), (SeqId(5), SeqId(9)));
}

#[test]
fn equal_results_and_no_time_between_tell_nothing() {
    let then = result(Again::Count, &[(1, 5, 3)]);
    assert!(between(Again::Count, &then, &result(Again::Count, &[(2, 5, 9)]), (5, 9), false).steps.is_empty());
    let other = result(Again::Count, &[(2, 6, 9)]);
    assert!(between(Again::Count, &then, &other, (9, 9), false).steps.is_empty());
}

#[test]
fn only_a_query_whose_pages_can_be_left_tells_of_rows_that_are_as_they_were() {
    let rows = |seq| [(1, 1, 2), (2, 9, seq)];
    for (query, told) in [(Again::AboveAverage, 1), (Again::Top, 0)] {
        let (then, now) = (result(query, &rows(3)), result(query, &rows(8)));
        assert_eq!(between(query, &then, &now, (5, 9), true).steps.len(), told, "{query:?}");
        assert_eq!(between(query, &then, &now, (5, 9), false).steps.len(), 0, "{query:?}");
    }
}
