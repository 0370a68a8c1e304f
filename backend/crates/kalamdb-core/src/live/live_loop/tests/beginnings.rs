//! How a live query begins: its snapshot, the pages of it, and the commits that come meanwhile.

use super::*;

#[test]
fn a_snapshot_that_is_ahead_of_the_queue_is_told_of_no_commit_twice() {
    let mut stage = stage();
    let mut client = stage.client();
    stage.commit(&rows(3));
    stage.settle();
    stage.subscribe(&mut client, "s", filter_plan(0), all());
    // These stand behind the subscribe in the queue, and yet in front of its snapshot.
    stage.commit(&[(4, Some(4))]);
    stage.commit(&[(1, None)]);
    assert!(stage.step());
    stage.commit(&[(5, Some(5))]);
    stage.read_all(&mut client);
    let copy = &client.copies["s"];
    assert_eq!((copy.rows.len(), copy.changes), (4, 1));
    copy.check_at(&stage.world, stage.world.last());
}

#[test]
fn i1_commits_that_come_while_the_snapshot_is_read_follow_its_last_page() {
    let mut stage = stage();
    let mut client = stage.client();
    stage.commit(&rows(5));
    stage.subscribe(&mut client, "s", filter_plan(0), pages_of(2));
    stage.settle();
    stage.commit(&[(5, Some(50))]);
    stage.commit(&[(1, None), (6, Some(6))]);
    stage.settle();
    assert!(stage.read_one(&mut client) && stage.read_one(&mut client), "the ack and a page");
    assert!(!stage.read_one(&mut client), "nothing more before it is asked for");
    assert!(!client.copies["s"].ready);
    stage.read_all(&mut client);
    let copy = &client.copies["s"];
    assert_eq!(copy.changes, 2);
    copy.check_at(&stage.world, stage.world.last());
}

#[test]
fn i7_changes_beyond_what_may_wait_for_a_snapshots_reader_are_read_from_the_log() {
    let mut stage = Stage::new(LiveOptions { waiting_max_bytes: 500, ..LiveOptions::default() });
    let mut client = stage.client();
    stage.commit(&rows(4));
    stage.subscribe(&mut client, "s", filter_plan(0), pages_of(1));
    stage.settle();
    for n in 10..40 {
        stage.commit(&[(n % 6, Some(n))]);
    }
    stage.read_all(&mut client);
    let copy = &client.copies["s"];
    assert_eq!((copy.changes, copy.resets, copy.statuses.len()), (30, 0, 0));
    copy.check_at(&stage.world, stage.world.last());
}

#[test]
fn i7_a_snapshot_is_not_loaded_while_too_many_pages_are_unread() {
    let mut stage = Stage::new(LiveOptions { snapshots_max_bytes: 1, ..LiveOptions::default() });
    let mut client = stage.client();
    stage.commit(&rows(4));
    for (id, plan) in [("a", filter_plan(0)), ("b", rerun_plan(Again::Top)), ("c", keyless_plan(0))] {
        stage.subscribe(&mut client, id, plan, pages_of(1));
        stage.settle();
    }
    let paging = |stage: &Stage| {
        let pages = |subscription: &&Subscription| matches!(subscription.stage, subscription::Stage::Pages(_));
        stage.state.subscriptions.values().filter(pages).count()
    };
    assert_eq!(paging(&stage), 1);
    stage.read_all(&mut client);
    assert_eq!(paging(&stage), 0);
    assert!(client.copies.values().all(|copy| copy.ready));
    assert_eq!(stage.state.connections[&client.peer.id].held_bytes, 0);
}

#[test]
fn an_empty_snapshot_is_ready_with_its_ack() {
    let mut stage = stage();
    let mut client = stage.client();
    stage.subscribe(&mut client, "s", filter_plan(0), all());
    stage.read_all(&mut client);
    assert!(client.copies["s"].ready, "an empty snapshot is ready with its ack");
    assert_eq!(client.copies["s"].acks, 1);
}

#[test]
fn without_initial_begins_where_the_loop_stands() {
    let mut stage = stage();
    let mut client = stage.client();
    stage.commit(&rows(3));
    let options = SubscribeOptions { without_initial: true, ..all() };
    stage.subscribe(&mut client, "filter", filter_plan(0), options.clone());
    stage.subscribe(&mut client, "rerun", rerun_plan(Again::AboveAverage), options);
    stage.read_all(&mut client);
    assert!(client.copies.values().all(|copy| copy.ready && copy.rows.is_empty()));
    stage.commit(&[(9, Some(100))]);
    stage.read_all(&mut client);
    assert_eq!(client.copies["filter"].rows.keys().collect::<Vec<_>>(), ["9"]);
    assert_eq!(client.copies["rerun"].rows.keys().collect::<Vec<_>>(), ["9"]);
}

#[test]
fn last_rows_are_the_rows_written_last() {
    let mut stage = stage();
    let mut client = stage.client();
    stage.commit(&rows(6));
    stage.commit(&[(2, Some(60))]);
    let options = SubscribeOptions { last_rows: Some(2), ..all() };
    stage.subscribe(&mut client, "filter", filter_plan(0), options.clone());
    stage.subscribe(&mut client, "rerun", rerun_plan(Again::Top), SubscribeOptions { last_rows: Some(1), ..options });
    stage.read_all(&mut client);
    assert_eq!(client.copies["filter"].rows.keys().collect::<Vec<_>>(), ["2", "6"]);
    assert_eq!(client.copies["rerun"].rows.keys().collect::<Vec<_>>(), ["2"]);
}

#[test]
fn page_sizes_are_the_clients_within_bounds() {
    let options = LiveOptions { batch_rows: 10, batch_rows_max: 50, ..LiveOptions::default() };
    let rows = |asked| Subscription::page_rows(asked, &options);
    assert_eq!([rows(None), rows(Some(0)), rows(Some(7)), rows(Some(u32::MAX))], [10, 10, 7, 50]);
}

#[test]
fn next_batch_of_nothing_is_an_error_and_of_what_is_ready_is_nothing() {
    let mut stage = stage();
    let mut client = stage.client();
    stage.subscribe(&mut client, "s", filter_plan(0), all());
    stage.read_all(&mut client);
    for id in ["s", "none", "bad\nid"] {
        stage.input(Input::NextBatch { peer: client.peer.clone(), subscription_id: id.to_owned() });
    }
    stage.read_all(&mut client);
    assert!(client.copies["s"].error.is_none());
    let answers: Vec<_> = client.answers.iter().map(|answer| (&answer["subscription_id"], &answer["code"])).collect();
    assert_eq!(answers, [(&"none".into(), &"NOT_FOUND".into()), (&"bad\nid".into(), &"NOT_FOUND".into())]);
}

#[test]
fn a_snapshot_that_cannot_be_read_is_an_error_in_place_of_the_ack() {
    let mut stage = stage();
    let mut client = stage.client();
    stage.subscribe(&mut client, "s", filter_plan(0), all());
    while stage.step() {}
    let Some(Input::Found { slot, mut found, .. }) = stage.results.pop() else { panic!("a read") };
    found[0].1 = Err(SqlError::new(ErrorCode::Internal, "unreadable"));
    stage.input(Input::Found { slot, at_micros: 1, found });
    stage.read_all(&mut client);
    let copy = &client.copies["s"];
    assert_eq!((copy.acks, copy.error.as_deref()), (0, Some("INTERNAL")));
}
