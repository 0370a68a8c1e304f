use super::*;
use crate::live::fixtures::Again;

fn ran(runs: &mut Runs, seq: u64, changed: bool) {
    runs.finish(SeqId(seq), Arc::default(), changed);
}

fn idle_at(seq: u64) -> Runs {
    let mut runs = Runs::new(Arc::new(Again::Count));
    assert!(runs.start());
    ran(&mut runs, seq, true);
    runs.cooling = false;
    runs
}

#[test]
fn a_new_view_runs_at_once() {
    let mut runs = Runs::new(Arc::new(Again::Count));
    assert!(!runs.clean());
    assert!(runs.start());
    assert!(!runs.start(), "one run at a time");
    ran(&mut runs, 5, true);
    assert!(runs.clean());
}

#[test]
fn the_first_commit_after_a_quiet_time_runs_at_once_and_the_next_waits_for_the_tick() {
    let mut runs = idle_at(5);
    runs.commit(SeqId(6));
    assert!(runs.start());
    ran(&mut runs, 6, true);
    runs.commit(SeqId(7));
    runs.commit(SeqId(8));
    assert!(!runs.start(), "it ran within this tick");
    runs.cooling = false;
    assert!(runs.start());
    ran(&mut runs, 8, true);
    assert!(runs.clean(), "both commits are in one run");
}

#[test]
fn a_commit_that_a_run_has_seen_already_asks_for_no_other() {
    let mut runs = idle_at(5);
    runs.commit(SeqId(6));
    assert!(runs.start());
    runs.commit(SeqId(7));
    ran(&mut runs, 9, true);
    assert!(runs.clean());
    runs.commit(SeqId(9));
    assert!(runs.clean(), "the snapshot stood later than the commit's place in the queue");
}

#[test]
fn a_commit_during_a_run_that_it_is_not_in_asks_for_another() {
    let mut runs = idle_at(5);
    runs.commit(SeqId(6));
    assert!(runs.start());
    runs.commit(SeqId(7));
    ran(&mut runs, 6, true);
    assert_eq!(runs.dirty, Some(SeqId(7)));
    assert!(!runs.clean());
}

#[test]
fn only_a_clean_result_stands_for_later_commits_too() {
    let mut runs = idle_at(5);
    runs.touch(SeqId(9));
    assert_eq!(runs.seq, SeqId(9));
    runs.commit(SeqId(10));
    runs.touch(SeqId(10));
    assert_eq!(runs.seq, SeqId(9));
}

#[test]
fn a_run_that_finds_the_same_leaves_when_it_changed() {
    let mut runs = idle_at(5);
    runs.commit(SeqId(6));
    assert!(runs.start());
    ran(&mut runs, 6, false);
    assert_eq!((runs.seq, runs.changed_at), (SeqId(6), SeqId(5)));
    assert_eq!((runs.started, runs.finished), (2, 2));
}
