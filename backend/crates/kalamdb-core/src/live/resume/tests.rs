use super::*;
use crate::live::fixtures::{Again, rerun_plan, stored};
use crate::live::plan::Strategy;

fn result(query: Again, rows: &[(i32, i32, u64)]) -> ResultSet {
    let rows: Vec<_> = rows.iter().map(|&(id, n, seq)| stored(id, n, seq)).collect();
    ResultSet::new(&rerun_plan(query), query.evaluate(&rows))
}

fn reader(token: u64, from: u64, may_lack: bool) -> Reader {
    let may_lack = may_lack.then_some(SeqId(from));
    Reader { token: Token(token), point: Point { from: SeqId(from), may_lack } }
}

fn between(query: Again, then: &ResultSet, now: ResultSet, (from, to): (u64, u64), may_lack: bool) -> Replay {
    let plan = Arc::new(rerun_plan(query));
    let Strategy::Rerun(requery) = &plan.strategy else { panic!("run again") };
    let (query, result) = (requery.clone(), Arc::new(now));
    let past = ResultPast { plan, query, to: SeqId(to), result, readers: vec![reader(1, from, may_lack)] };
    let (mut told, _) = differences(&past, then, &past.readers, 1 << 20);
    let Some((_, Found::Changes(replay))) = told.pop() else { panic!("changes") };
    replay
}

#[test]
fn i2_a_result_as_it_was_and_as_it_is_differ_in_one_frame() {
    let (then, now) = (result(Again::Count, &[(1, 5, 3)]), result(Again::Count, &[(1, 5, 3), (2, 7, 9)]));
    let replay = between(Again::Count, &then, now, (5, 9), false);
    let steps: Vec<_> = replay.steps().map(|(after, delta)| (after, delta.seq)).collect();
    assert_eq!((steps, replay.upto, replay.complete), (vec![(SeqId(5), SeqId(9))], SeqId(9), true));
}

#[test]
fn equal_results_and_no_time_between_tell_nothing() {
    let then = result(Again::Count, &[(1, 5, 3)]);
    let replay = between(Again::Count, &then, result(Again::Count, &[(2, 5, 9)]), (5, 9), false);
    assert_eq!((replay.steps().count(), replay.upto, replay.complete), (0, SeqId(9), true));
    let replay = between(Again::Count, &then, result(Again::Count, &[(2, 6, 9)]), (9, 9), false);
    assert_eq!((replay.steps().count(), replay.upto, replay.complete), (0, SeqId(9), true));
}

#[test]
fn only_a_query_whose_pages_can_be_left_tells_of_rows_that_are_as_they_were() {
    let rows = |seq| [(1, 1, 2), (2, 9, seq)];
    for (query, told) in [(Again::AboveAverage, 1), (Again::Top, 0)] {
        let then = result(query, &rows(3));
        let steps = |may_lack| between(query, &then, result(query, &rows(8)), (5, 9), may_lack).steps().count();
        assert_eq!((steps(true), steps(false)), (told, 0), "{query:?}");
    }
}

#[test]
fn readers_between_whose_points_nothing_has_changed_are_told_the_same() {
    let readers =
        [reader(1, 30, true), reader(2, 10, true), reader(3, 12, false), reader(4, 10, true), reader(5, 31, true)];
    let groups = alike(&readers, |after, upto| Ok(after < SeqId(20) && upto >= SeqId(20))).unwrap();
    let tokens: Vec<Vec<u64>> =
        groups.iter().map(|group| group.iter().map(|reader| reader.token.0).collect()).collect();
    assert_eq!(tokens, [vec![2, 4, 3], vec![1, 5]]);
    assert!(alike(&[], |_, _| Ok(true)).unwrap().is_empty());
}
