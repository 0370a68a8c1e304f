use super::*;
use crate::live::fixtures::{change, filter_plan};
use crate::live::plan::Strategy;

/// Two rows per commit: SeqIds 11 and 12 are the commit 12, and so on.
fn log() -> Vec<Change> {
    let of_commit = |n: u64| {
        let commit = SeqId(10 + 2 * n);
        [0, 1].map(|at| Change { commit, ..change(n as i32, commit.0 - 1 + at, None, Some(5)) })
    };
    (1..=4).flat_map(of_commit).collect()
}

fn point(from: u64) -> Point {
    Point { from: SeqId(from), may_lack: None }
}

/// One query, and readers whose tokens count from 1.
fn query(view: u64, at_least: i32, points: &[Point]) -> QueryPast {
    let plan = Arc::new(filter_plan(at_least));
    let Strategy::Filter(filter) = &plan.strategy else { panic!("a filter") };
    let filter = filter.clone();
    let readers = points.iter().zip(1..).map(|(&point, token)| Reader { token: Token(view * 100 + token), point });
    QueryPast { view: ViewId(view), plan, filter, readers: readers.collect() }
}

fn pass(queries: &[QueryPast], log: &[Change], options: &LiveOptions) -> BTreeMap<Token, Replay> {
    let mut pass = Pass::new(queries, options).unwrap();
    let after = pass.from();
    let _ = log.iter().filter(|change| change.seq > after).try_for_each(|change| pass.change(change));
    let told = pass.finish(SeqId(30)).into_iter().map(|(token, found)| match found {
        Found::Changes(replay) => (token, replay),
        Found::Gone | Found::Snapshot { .. } => panic!("changes"),
    });
    told.collect()
}

fn replay(from: u64, options: &LiveOptions) -> Replay {
    pass(&[query(0, 0, &[point(from)])], &log(), options).remove(&Token(1)).unwrap()
}

fn seqs(replay: &Replay) -> Vec<(u64, u64)> {
    replay.steps().map(|(after, delta)| (after.0, delta.seq.0)).collect()
}

fn frame(replay: &Replay, at: usize) -> String {
    String::from_utf8(replay.steps().nth(at).unwrap().1.frames[0].for_subscription("s")).unwrap()
}

#[test]
fn i2_every_commit_after_the_point_is_told_in_a_frame_of_its_own() {
    let all = replay(10, &LiveOptions::default());
    assert_eq!(seqs(&all), [(10, 12), (12, 14), (14, 16), (16, 18)]);
    assert_eq!((all.upto, all.complete), (SeqId(30), true));
    let rest = replay(14, &LiveOptions::default());
    assert_eq!(seqs(&rest), [(14, 16), (16, 18)]);
    let nothing = replay(18, &LiveOptions::default());
    assert_eq!((seqs(&nothing).len(), nothing.upto, nothing.complete), (0, SeqId(30), true));
}

#[test]
fn a_point_within_a_commit_gets_the_rest_of_it() {
    let rest = replay(11, &LiveOptions::default());
    assert_eq!(seqs(&rest)[0], (11, 12));
    let frame = frame(&rest, 0);
    assert!(frame.contains(r#""_seq":"12""#) && !frame.contains(r#""_seq":"11""#), "{frame}");
}

#[test]
fn i7_a_bounded_amount_is_read_at_a_time_in_whole_commits() {
    let options = LiveOptions { catch_up_max_bytes: 1, ..LiveOptions::default() };
    let first = replay(10, &options);
    assert_eq!((seqs(&first), first.upto, first.complete), (vec![(10, 12)], SeqId(12), false));
    let bytes = first.steps().next().unwrap().1.bytes;
    let two = replay(12, &LiveOptions { outbox_max_bytes: bytes * 3, ..LiveOptions::default() });
    assert_eq!((seqs(&two), two.upto, two.complete), (vec![(12, 14), (14, 16)], SeqId(16), false));
    let last = replay(16, &options);
    assert_eq!((seqs(&last), last.complete), (vec![(16, 18)], true));
    let none = LiveOptions { catch_up_max_bytes: 0, log_pass_max_bytes: 0, ..LiveOptions::default() };
    assert_eq!(replay(10, &none).upto, SeqId(12), "one commit is always read");
}

#[test]
fn commits_outside_the_result_move_the_point_and_tell_nothing() {
    let queries = [query(0, 100, &[point(10)])];
    let told = &pass(&queries, &log(), &LiveOptions { catch_up_max_bytes: 1, ..LiveOptions::default() })[&Token(1)];
    assert_eq!((told.steps().count(), told.upto, told.complete), (0, SeqId(30), true));
    let told = &pass(&queries, &log(), &LiveOptions { log_pass_max_bytes: 1, ..LiveOptions::default() })[&Token(1)];
    assert_eq!((told.steps().count(), told.upto, told.complete), (0, SeqId(12), false));
}

#[test]
fn i2_all_readers_of_a_pass_share_their_frames_and_each_is_told_what_comes_after_its_point() {
    let queries = [query(0, 0, &[point(10), point(14), point(10), point(11)]), query(1, 100, &[point(12)])];
    let told = pass(&queries, &log(), &LiveOptions::default());
    assert_eq!(seqs(&told[&Token(2)]), [(14, 16), (16, 18)]);
    assert_eq!(seqs(&told[&Token(4)]), [(11, 12), (12, 14), (14, 16), (16, 18)]);
    assert_eq!((seqs(&told[&Token(101)]).len(), told[&Token(101)].complete), (0, true));
    let delta = |token: u64, at: usize| told[&Token(token)].steps().nth(at).unwrap().1;
    assert!(Arc::ptr_eq(delta(1, 0), delta(3, 0)) && Arc::ptr_eq(delta(1, 2), delta(2, 0)));
    assert!(Arc::ptr_eq(delta(1, 1), delta(4, 1)));
    assert!(!Arc::ptr_eq(delta(1, 0), delta(4, 0)), "who left in the midst of a commit has a frame of its own");
}

#[test]
fn i2_who_may_lack_a_row_is_told_of_it_and_nobody_else() {
    // Row 1 is written again at 20 as it was since 12, row 2 is another at 21.
    let again = change(1, 20, Some((12, 5)), Some(5));
    let other = change(2, 21, Some((13, 5)), Some(6));
    let log = [Change { commit: SeqId(21), ..again }, other];
    let lacks = |from, may_lack| Point { from: SeqId(from), may_lack: Some(SeqId(may_lack)) };
    let queries = [query(0, 0, &[point(15), lacks(15, 12), lacks(15, 11), lacks(20, 12)])];
    let told = pass(&queries, &log, &LiveOptions::default());
    let rows = |token: u64| frame(&told[&Token(token)], 0).matches("_seq").count();
    assert_eq!([rows(1), rows(2), rows(3), rows(4)], [1, 2, 1, 1]);
}

#[test]
fn i7_a_reader_that_a_full_pass_does_not_reach_is_told_nothing_and_stays_where_it_is() {
    let options = LiveOptions { catch_up_max_bytes: 1, ..LiveOptions::default() };
    let told = pass(&[query(0, 0, &[point(10), point(16)])], &log(), &options);
    assert_eq!(seqs(&told[&Token(1)]), [(10, 12)]);
    let other = &told[&Token(2)];
    assert_eq!((other.steps().count(), other.upto, other.complete), (0, SeqId(16), false));
}

#[test]
fn who_comes_from_before_the_history_is_taken_out() {
    let mut readers = query(0, 0, &[point(5), point(20), point(5)]).readers;
    let gone = take_gone(&mut readers, |from| Ok(from > SeqId(10))).unwrap();
    assert_eq!(gone.iter().map(|(token, _)| token.0).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(readers.len(), 1);
}
