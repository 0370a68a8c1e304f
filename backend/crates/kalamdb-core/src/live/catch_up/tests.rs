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

fn replay(from: u64, options: &LiveOptions) -> Replay {
    let plan = filter_plan(0);
    let Strategy::Filter(filter) = &plan.strategy else { panic!("a filter") };
    let mut replayer = Replayer::new(&plan, filter.as_ref(), (SeqId(from), None), options);
    for change in log().iter().filter(|change| change.seq > SeqId(from)) {
        if replayer.change(change).is_break() {
            break;
        }
    }
    replayer.finish(SeqId(30))
}

fn seqs(replay: &Replay) -> Vec<(u64, u64)> {
    replay.steps.iter().map(|(after, delta)| (after.0, delta.seq.0)).collect()
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
    let frame = String::from_utf8(rest.steps[0].1.frames[0].for_subscription("s")).unwrap();
    assert!(frame.contains(r#""_seq":"12""#) && !frame.contains(r#""_seq":"11""#), "{frame}");
}

#[test]
fn i7_a_bounded_amount_is_read_at_a_time_in_whole_commits() {
    let options = LiveOptions { catch_up_max_bytes: 1, ..LiveOptions::default() };
    let first = replay(10, &options);
    assert_eq!((seqs(&first), first.upto, first.complete), (vec![(10, 12)], SeqId(12), false));
    let bytes = first.steps[0].1.bytes;
    let two = replay(12, &LiveOptions { outbox_max_bytes: bytes * 3, ..LiveOptions::default() });
    assert_eq!((seqs(&two), two.upto, two.complete), (vec![(12, 14), (14, 16)], SeqId(16), false));
    let last = replay(16, &options);
    assert_eq!((seqs(&last), last.complete), (vec![(16, 18)], true));
}

#[test]
fn commits_outside_the_result_move_the_point_and_tell_nothing() {
    let plan = filter_plan(100);
    let Strategy::Filter(filter) = &plan.strategy else { panic!("a filter") };
    let options = LiveOptions { catch_up_max_bytes: 1, ..LiveOptions::default() };
    let mut replayer = Replayer::new(&plan, filter.as_ref(), (SeqId(10), None), &options);
    assert!(log().iter().all(|change| replayer.change(change).is_continue()));
    let replay = replayer.finish(SeqId(30));
    assert_eq!((replay.steps.len(), replay.upto, replay.complete), (0, SeqId(30), true));
}
