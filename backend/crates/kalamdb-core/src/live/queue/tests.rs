use std::sync::Arc;
use std::sync::mpsc;

use kalamdb_commons::{ConnectionId, SeqId};

use super::*;
use crate::live::fixtures::change;

fn commit(seq: u64) -> Input {
    let commit = Commit {
        first: SeqId(seq),
        last: SeqId(seq),
        at_micros: 0,
        changes: vec![change(1, seq, None, Some(1))],
        records: Vec::new(),
        dropped_tables: Vec::new(),
    };
    Input::Commit { commit: Arc::new(commit), tables: Vec::new() }
}

fn name(next: Next) -> String {
    match next {
        Next::Input(Input::Commit { commit, .. }) => format!("commit {}", commit.last),
        Next::Input(Input::Drained(connection)) => format!("drained {}", connection.0),
        Next::Input(other) => panic!("{other:?}"),
        Next::Late => "late".to_owned(),
        Next::End => "end".to_owned(),
    }
}

#[test]
fn i4_what_comes_is_taken_in_the_order_of_its_coming() {
    let queue = LoopQueue::new(1 << 20);
    queue.push_commit(commit(1));
    queue.push(Input::Drained(ConnectionId(7)));
    queue.push_commit(commit(2));
    let taken: Vec<String> = (0..3).map(|_| name(queue.take(None))).collect();
    assert_eq!(taken, ["commit 1", "drained 7", "commit 2"]);
    assert_eq!(name(queue.take(Some(Instant::now()))), "late");
}

#[test]
fn i7_whoever_commits_waits_while_too_much_is_queued() {
    let queue = Arc::new(LoopQueue::new(0));
    queue.push_commit(commit(1));
    let (sender, done) = mpsc::channel();
    let committer = queue.clone();
    let thread = std::thread::spawn(move || {
        committer.push_commit(commit(2));
        sender.send(()).unwrap();
    });
    // Others are not held up.
    assert!(queue.push(Input::Drained(ConnectionId(7))));
    assert!(done.try_recv().is_err(), "there is no room for a second commit");
    let taken: Vec<String> = (0..3).map(|_| name(queue.take(None))).collect();
    assert_eq!(taken, ["commit 1", "drained 7", "commit 2"]);
    thread.join().unwrap();
    done.recv().unwrap();
}

#[test]
fn a_closed_queue_gives_what_it_has_and_holds_nobody_up() {
    let queue = LoopQueue::new(1);
    queue.push_commit(commit(1));
    queue.close();
    queue.push_commit(commit(2));
    assert!(!queue.push(Input::Drained(ConnectionId(7))));
    assert_eq!([name(queue.take(None)), name(queue.take(None))], ["commit 1", "end"]);
}
