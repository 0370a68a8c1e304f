//! Who comes back is told what it missed, or is reset; and how far anybody has been told everything.

use super::*;

#[test]
fn i2_who_comes_back_is_told_what_was_missed_commit_by_commit() {
    let mut stage = stage();
    let mut client = stage.client();
    stage.commit(&rows(3));
    for (id, plan) in [("filter", filter_plan(2)), ("keyless", keyless_plan(2)), ("rerun", rerun_plan(Again::Count))] {
        stage.subscribe(&mut client, id, plan, all());
    }
    stage.read_all(&mut client);
    stage.commit(&[(1, Some(9))]);
    stage.commit(&[(2, None), (4, Some(4))]);
    let mut again = stage.client();
    again.copies = std::mem::take(&mut client.copies);
    for (id, plan) in [("filter", filter_plan(2)), ("keyless", keyless_plan(2)), ("rerun", rerun_plan(Again::Count))] {
        let copy = again.copies.get_mut(id).unwrap();
        copy.lost();
        let options = from(copy.seq);
        stage.subscribe(&mut again, id, plan, options);
    }
    stage.read_all(&mut again);
    for (id, changes) in [("filter", 2), ("keyless", 2), ("rerun", 1)] {
        let copy = &again.copies[id];
        assert_eq!((copy.resets, copy.changes), (0, changes), "{id}");
        copy.check_at(&stage.world, stage.world.last());
    }
}

#[test]
fn i2_from_nowhere_from_tomorrow_and_from_before_the_history_reset() {
    for (from_seq, trimmed) in [(0, 0), (1_000_000, 0), (2, 3)] {
        let mut stage = stage();
        let mut client = stage.client();
        stage.commit(&rows(4));
        stage.world.trimmed = trimmed;
        stage.subscribe(&mut client, "filter", filter_plan(0), from(from_seq));
        stage.subscribe(&mut client, "rerun", rerun_plan(Again::Count), from(from_seq));
        stage.read_all(&mut client);
        for copy in client.copies.values() {
            assert_eq!((copy.acks, copy.resets), (1, 1), "{from_seq}");
            copy.check_at(&stage.world, stage.world.last());
        }
    }
}

#[test]
fn progress_waits_for_pages_runs_and_whoever_lags() {
    let mut stage = stage();
    let mut client = stage.client();
    stage.commit(&rows(3));
    stage.subscribe(&mut client, "filter", filter_plan(0), pages_of(1));
    stage.subscribe(&mut client, "rerun", rerun_plan(Again::Count), all());
    stage.settle();
    stage.ask_progress(&client);
    stage.settle();
    for _ in 0..4 {
        stage.read_one(&mut client);
    }
    assert_eq!(client.progress, 0, "pages are outstanding");
    stage.read_all(&mut client);
    let before = stage.world.last();
    stage.commit(&[(9, Some(9))]);
    while stage.step() {}
    // The run of the re-run query is under way.
    stage.ask_progress(&client);
    while stage.step() {}
    while stage.read_one(&mut client) {}
    assert_eq!(client.progress, before.0, "nothing is said of what the run may find");
    stage.read_all(&mut client);
    stage.ask_progress(&client);
    stage.read_all(&mut client);
    assert_eq!(client.progress, stage.world.last().0);
    stage.ask_progress(&client);
    stage.settle();
    assert!(!stage.read_one(&mut client), "nothing new, nothing said");
}

#[test]
fn i2_progress_is_not_said_of_a_time_at_which_the_result_was_another() {
    let mut stage = stage();
    let mut client = stage.client();
    stage.commit(&[(1, Some(5))]);
    stage.subscribe(&mut client, "s", rerun_plan(Again::Count), all());
    stage.read_all(&mut client);
    // The result changes and changes back before a run has seen it; the run is ahead of the loop.
    stage.commit(&[(1, Some(6))]);
    let back = stage.world.commit(&[(1, Some(5))]);
    while stage.step() {}
    finish_one(&mut stage);
    let before = client.progress;
    stage.ask_progress(&client);
    while stage.step() {}
    while stage.read_one(&mut client) {}
    assert_eq!(client.progress, before);
    stage.queue.push_back(Input::Commit { commit: back, tables: Vec::new() });
    stage.settle();
    stage.ask_progress(&client);
    stage.read_all(&mut client);
    assert_eq!((client.progress, client.copies["s"].changes), (stage.world.last().0, 0));
}
