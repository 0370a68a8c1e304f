mod client;
mod sharing;
mod stage;
mod world;

use std::sync::Arc;

use kalamdb_commons::protocol::SubscribeOptions;
use kalamdb_commons::{DataType, ErrorCode, Name, SeqId, SubscriptionId, TableName, Value};
use kalamdb_system::{AccessLevel, ColumnDef, TableDef, TableKind};
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::sync::oneshot;

use super::*;
use crate::live::close_reason::CloseReason;
use crate::live::fixtures::{Again, TABLE, filter_plan, keyless_plan, rerun_plan};
use stage::{Client, Stage};

fn stage() -> Stage {
    Stage::new(LiveOptions::default())
}

fn all() -> SubscribeOptions {
    SubscribeOptions::default()
}

fn pages_of(rows: u32) -> SubscribeOptions {
    SubscribeOptions { batch_size: Some(rows), ..all() }
}

fn from(seq: u64) -> SubscribeOptions {
    SubscribeOptions { from: Some(SeqId(seq)), ..all() }
}

/// A result that the loop has not been given yet.
fn finish_one(stage: &mut Stage) {
    let result = stage.results.remove(0);
    stage.input(result);
}

fn rows(n: i32) -> Vec<(i32, Option<i32>)> {
    (1..=n).map(|id| (id, Some(id))).collect()
}

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
fn a_commit_is_encoded_once_for_all_subscribers_of_a_query() {
    let mut stage = stage();
    let mut clients: Vec<Client> = (0..3).map(|_| stage.client()).collect();
    for client in &mut clients {
        stage.subscribe(client, "s", filter_plan(0), all());
        stage.read_all(client);
    }
    assert_eq!(stage.state.views.len(), 1);
    stage.commit(&[(1, Some(1))]);
    stage.settle();
    for client in &mut clients {
        stage.read_all(client);
        assert_eq!(client.copies["s"].changes, 1);
    }
}

#[test]
fn fr008_nothing_comes_after_the_answer_to_unsubscribe_and_the_others_go_on() {
    let mut stage = stage();
    let mut client = stage.client();
    for id in ["goes", "stays"] {
        stage.subscribe(&mut client, id, filter_plan(0), all());
    }
    stage.read_all(&mut client);
    stage.commit(&[(1, Some(1))]);
    let (done, mut ended) = oneshot::channel();
    let input = Input::Unsubscribe { peer: client.peer.clone(), subscription_id: "goes".to_owned(), done };
    stage.queue.push_back(input);
    stage.commit(&[(2, Some(2))]);
    stage.settle();
    assert_eq!(ended.try_recv(), Ok(true));
    assert_eq!(stage.forgotten, ["goes"]);
    assert!(!client.peer.session.lock().is_active(&SubscriptionId::new("goes").unwrap()));
    client.copies.remove("goes");
    stage.read_all(&mut client);
    assert_eq!(client.answers.len(), 1, "{:?}", client.answers);
    assert_eq!(client.answers[0]["status"], "unsubscribed");
    assert_eq!(client.copies["stays"].changes, 2);
    let (done, mut ended) = oneshot::channel();
    let input = Input::Unsubscribe { peer: client.peer.clone(), subscription_id: "goes".to_owned(), done };
    stage.input(input);
    stage.read_all(&mut client);
    assert_eq!((ended.try_recv(), &client.answers[1]["status"]), (Ok(false), &"not_found".into()));
}

#[test]
fn i8_a_killed_subscription_gets_no_row_that_was_queued() {
    let mut stage = stage();
    let mut client = stage.client();
    stage.subscribe(&mut client, "s", filter_plan(0), all());
    stage.read_all(&mut client);
    stage.commit(&[(1, Some(1))]);
    stage.settle();
    let (done, mut ended) = oneshot::channel();
    let subscription_id = SubscriptionId::new("s").unwrap();
    stage.input(Input::Kill { peer: client.peer.clone(), subscription_id, done });
    assert_eq!(ended.try_recv(), Ok(true));
    stage.read_all(&mut client);
    let copy = &client.copies["s"];
    assert_eq!((copy.changes, copy.error.as_deref()), (0, Some("KILLED")));
}

#[test]
fn a_closed_connection_leaves_nothing_behind() {
    let mut stage = stage();
    let mut client = stage.client();
    stage.commit(&rows(3));
    stage.settle();
    for (id, plan) in [("a", filter_plan(0)), ("b", rerun_plan(Again::Count)), ("c", rerun_plan(Again::Top))] {
        stage.subscribe(&mut client, id, plan, pages_of(1));
    }
    while stage.step() {}
    client.peer.outbox.close(CloseReason::Killed);
    stage.input(Input::Close { peer: client.peer.clone(), done: None });
    let mut forgotten = stage.forgotten.clone();
    forgotten.sort();
    assert_eq!(forgotten, ["a", "b", "c"]);
    // What was asked for on its behalf comes back to nobody.
    stage.settle();
    assert!(stage.state.subscriptions.is_empty() && stage.state.connections.is_empty());
    assert!(stage.state.awaiting.is_empty() && stage.state.cooling.is_empty());
    assert_eq!((stage.state.views.len(), stage.state.reads_running, stage.state.runs_running), (0, 0, 0));
    assert!(stage.state.views.router.is_empty() && stage.state.groups.is_empty());
    // A subscribe that was on its way finds the door shut.
    stage.subscribe(&mut client, "late", filter_plan(0), all());
    stage.settle();
    assert_eq!(stage.forgotten.last().unwrap(), "late");
    assert!(stage.state.connections.is_empty());
}

fn table(columns: &[u16], access: AccessLevel) -> Arc<TableDef> {
    let column = |&slot: &u16| ColumnDef {
        name: Name::new(["id", "n"][usize::from(slot)]).unwrap(),
        data_type: DataType::Int,
        not_null: slot == 0,
        default: None,
        slot,
        fill: Value::Null,
    };
    Arc::new(TableDef {
        id: TABLE,
        name: TableName { namespace: Name::new("default").unwrap(), table: Name::new("t").unwrap() },
        kind: TableKind::Shared,
        access,
        ttl_secs: None,
        columns: columns.iter().map(column).collect(),
        primary_key: vec![0],
        indexes: Vec::new(),
        grants: Vec::new(),
        next_slot: 2,
        version: 2,
        created_at: 0,
    })
}

#[test]
fn a_table_that_is_dropped_loses_a_column_or_is_closed_ends_the_queries_it_concerns() {
    for (now, code) in [
        (None, Some(ErrorCode::NotFound)),
        (Some(table(&[0], AccessLevel::Public)), Some(ErrorCode::NotFound)),
        (Some(table(&[0, 1], AccessLevel::Private)), Some(ErrorCode::PermissionDenied)),
        (Some(table(&[0, 1], AccessLevel::Public)), None),
    ] {
        let mut stage = stage();
        let mut client = stage.client();
        stage.subscribe(&mut client, "filter", filter_plan(0), all());
        stage.subscribe(&mut client, "rerun", rerun_plan(Again::Count), all());
        stage.read_all(&mut client);
        stage.commit_with(&[], vec![(TABLE, now.clone())]);
        // A subscribe that was planned before meets the table as it is now.
        stage.subscribe_with(&mut client, "late", filter_plan(0), all(), vec![(TABLE, now)]);
        stage.read_all(&mut client);
        for (id, copy) in &client.copies {
            assert_eq!(copy.error.as_deref(), code.map(ErrorCode::as_str), "{id}");
        }
        assert_eq!(stage.state.subscriptions.len(), if code.is_none() { 3 } else { 0 });
        assert_eq!(client.peer.session.lock().len(), stage.state.subscriptions.len());
    }
}

#[test]
fn i8_whatever_stage_a_query_is_in_nothing_of_after_its_right_is_lost_reaches_it() {
    for turns in 0..24 {
        let mut stage = stage();
        let mut client = stage.client();
        let begun = stage.commit(&rows(3)).0;
        stage.commit(&[(4, Some(4))]);
        stage.settle();
        stage.subscribe(&mut client, "pages", filter_plan(0), pages_of(1));
        stage.subscribe(&mut client, "rerun", rerun_plan(Again::Top), pages_of(1));
        let resumed = ["resumed", "rerun resumed"];
        for (id, plan) in resumed.into_iter().zip([filter_plan(0), rerun_plan(Again::Count)]) {
            stage.subscribe(&mut client, id, plan, from(begun));
            let copy = client.copies.get_mut(id).unwrap();
            (copy.exact, copy.seq) = (false, begun);
        }
        for turn in 0..turns {
            let _ = match turn % 4 {
                0 => stage.step(),
                1 if !stage.results.is_empty() => {
                    finish_one(&mut stage);
                    true
                }
                2 => stage.read_one(&mut client) || stage.ask(&mut client),
                _ => stage.commit(&[(turn, Some(turn))]) > SeqId::ZERO,
            };
        }
        let lost = stage.commit_with(&[], vec![(TABLE, Some(table(&[0, 1], AccessLevel::Private)))]);
        stage.commit(&[(999, Some(999)), (1, None)]);
        stage.read_all(&mut client);
        for (id, copy) in &client.copies {
            assert_eq!(copy.error.as_deref(), Some("PERMISSION_DENIED"), "{id} after {turns}");
            assert!(copy.seq <= lost.0 && !copy.rows.contains_key("999"), "{id} after {turns}");
        }
        assert!(stage.state.subscriptions.is_empty() && stage.state.views.router.is_empty());
    }
}

#[test]
fn i7_a_slow_reader_is_paused_once_and_caught_up_and_nobody_else_notices() {
    let mut stage = Stage::new(LiveOptions { outbox_max_bytes: 2_000, ..LiveOptions::default() });
    let (mut slow, mut fast) = (stage.client(), stage.client());
    for client in [&mut slow, &mut fast] {
        stage.subscribe(client, "s", filter_plan(0), all());
        stage.read_all(client);
    }
    for n in 0..100 {
        stage.commit(&[(n % 7, Some(n))]);
        stage.read_all(&mut fast);
        assert!(slow.peer.outbox.bytes() <= 2_500, "{}", slow.peer.outbox.bytes());
    }
    assert_eq!((fast.copies["s"].changes, fast.copies["s"].statuses.len()), (100, 0));
    stage.read_all(&mut slow);
    let copy = &slow.copies["s"];
    assert_eq!((copy.changes, copy.resets), (100, 0));
    assert_eq!(copy.statuses, ["paused", "active"]);
    copy.check_at(&stage.world, stage.world.last());
}

#[test]
fn i7_a_reader_too_slow_for_the_history_gets_a_fresh_snapshot() {
    for plan in [filter_plan(0), rerun_plan(Again::AboveAverage)] {
        let mut stage = Stage::new(LiveOptions { outbox_max_bytes: 2_000, ..LiveOptions::default() });
        let mut client = stage.client();
        stage.subscribe(&mut client, "s", plan, pages_of(2));
        stage.read_all(&mut client);
        for n in 0..100 {
            stage.commit(&[(n % 7, Some(n))]);
            stage.settle();
        }
        stage.world.trimmed = stage.world.last().0;
        stage.read_all(&mut client);
        let copy = &client.copies["s"];
        assert_eq!((copy.resets, copy.acks), (1, 2));
        assert_eq!(copy.statuses, ["paused", "active"]);
        copy.check_at(&stage.world, stage.world.last());
    }
}

#[test]
fn i4_a_commit_of_several_frames_that_was_begun_is_not_torn_by_a_lag() {
    let mut stage = Stage::new(LiveOptions { outbox_max_bytes: 4_000, frame_max_bytes: 100, ..LiveOptions::default() });
    let mut client = stage.client();
    stage.subscribe(&mut client, "s", filter_plan(0), all());
    stage.read_all(&mut client);
    stage.commit(&rows(10));
    stage.settle();
    assert!(stage.read_one(&mut client), "the first frame of several");
    for n in 0..50 {
        stage.commit(&[(n % 7, Some(n + 100))]);
    }
    stage.settle();
    stage.read_all(&mut client);
    let copy = &client.copies["s"];
    assert_eq!(copy.statuses, ["paused", "active"]);
    copy.check_at(&stage.world, stage.world.last());
}

#[test]
fn one_commit_larger_than_the_outbox_gets_through() {
    let mut stage = Stage::new(LiveOptions { outbox_max_bytes: 1_000, ..LiveOptions::default() });
    let mut client = stage.client();
    stage.subscribe(&mut client, "s", filter_plan(0), all());
    stage.read_all(&mut client);
    stage.commit(&rows(200));
    stage.commit(&rows(100));
    stage.read_all(&mut client);
    client.copies["s"].check_at(&stage.world, stage.world.last());
}

#[test]
fn a_rerun_query_runs_once_for_the_commits_of_a_tick() {
    let mut stage = stage();
    let mut client = stage.client();
    stage.subscribe(&mut client, "s", rerun_plan(Again::Count), all());
    stage.read_all(&mut client);
    stage.commit(&[(1, Some(1))]);
    while stage.step() {}
    assert_eq!(stage.results.len(), 1, "the first after a quiet time runs at once");
    finish_one(&mut stage);
    for n in 2..10 {
        stage.commit(&[(n, Some(n))]);
    }
    while stage.step() {}
    assert!(stage.results.is_empty() && stage.state.wants_tick());
    stage.input(Input::Tick);
    assert_eq!(stage.results.len(), 1);
    stage.read_all(&mut client);
    assert_eq!(client.copies["s"].changes, 2);
    client.copies["s"].check_at(&stage.world, stage.world.last());
}

#[test]
fn a_second_subscriber_of_a_quiet_rerun_query_needs_no_run() {
    let mut stage = stage();
    let (mut one, mut two) = (stage.client(), stage.client());
    stage.commit(&rows(3));
    stage.subscribe(&mut one, "s", rerun_plan(Again::Count), all());
    stage.read_all(&mut one);
    stage.subscribe(&mut two, "s", rerun_plan(Again::Count), all());
    while stage.step() {}
    assert!(stage.results.is_empty());
    stage.read_all(&mut two);
    two.copies["s"].check_at(&stage.world, stage.world.last());
}

#[test]
fn a_subscriber_begins_with_a_result_no_older_than_its_place_in_the_queue() {
    let mut stage = stage();
    let (mut one, mut two) = (stage.client(), stage.client());
    stage.subscribe(&mut one, "s", rerun_plan(Again::Count), all());
    stage.read_all(&mut one);
    // A run is under way whose snapshot is older than the second commit.
    stage.commit(&[(1, Some(1))]);
    while stage.step() {}
    let written = stage.commit(&[(2, Some(2))]);
    stage.subscribe(&mut two, "s", rerun_plan(Again::Count), all());
    stage.read_all(&mut two);
    let copy = &two.copies["s"];
    assert_eq!((copy.acks, copy.changes), (1, 0));
    assert!(copy.seq >= written.0);
}

#[test]
fn i7_only_so_many_queries_run_and_so_many_reads_are_under_way_at_one_time() {
    let options = LiveOptions { reruns_max: 1, reads_max: 2, reads_per_connection_max: 1, ..LiveOptions::default() };
    let mut stage = Stage::new(options);
    let mut clients: Vec<Client> = (0..4).map(|_| stage.client()).collect();
    stage.commit(&rows(3));
    for client in &mut clients {
        for (id, plan) in [
            ("a", filter_plan(0)),
            ("b", keyless_plan(0)),
            ("c", rerun_plan(Again::Count)),
            ("d", rerun_plan(Again::Top)),
        ] {
            stage.subscribe(client, id, plan, all());
        }
    }
    while stage.step() {}
    let mut most = 0;
    while !stage.results.is_empty() {
        most = most.max(stage.results.len());
        let reads: Vec<ConnectionId> = stage
            .results
            .iter()
            .filter_map(
                |result| if let Input::Found { slot: Some(slot), .. } = result { Some(slot.connection) } else { None },
            )
            .collect();
        let connections: BTreeSet<_> = reads.iter().collect();
        assert!(reads.len() <= 2 && connections.len() == reads.len());
        assert!(stage.results.len() - reads.len() <= 1);
        finish_one(&mut stage);
    }
    assert_eq!(most, 3);
    for client in &mut clients {
        stage.read_all(client);
        assert!(client.copies.values().all(|copy| copy.ready));
    }
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
fn a_query_that_fails_ends_its_subscriptions_and_no_others() {
    let mut stage = stage();
    let mut client = stage.client();
    for (id, plan) in [("a", rerun_plan(Again::Count)), ("b", rerun_plan(Again::Count)), ("c", filter_plan(0))] {
        stage.subscribe(&mut client, id, plan, all());
    }
    stage.read_all(&mut client);
    stage.commit(&[(1, Some(1))]);
    while stage.step() {}
    let Some(Input::Ran { view, .. }) = stage.results.pop() else { panic!("a run") };
    let error = SqlError::new(ErrorCode::TooLarge, "the result is too large");
    stage.input(Input::Ran { view, at_micros: 1, ran: Err(error) });
    stage.read_all(&mut client);
    let errors: Vec<_> = client.copies.values().map(|copy| copy.error.as_deref()).collect();
    assert_eq!(errors, [Some("TOO_LARGE"), Some("TOO_LARGE"), None]);
    assert_eq!(stage.state.views.len(), 1);
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

fn any_plan(rng: &mut SmallRng) -> LivePlan {
    match rng.random_range(0..7) {
        0 => filter_plan(0),
        1 => filter_plan(4),
        2 => keyless_plan(3),
        3 => rerun_plan(Again::Count),
        4 => rerun_plan(Again::Top),
        _ => rerun_plan(Again::AboveAverage),
    }
}

fn any_of<T: Copy>(rng: &mut SmallRng, choices: &[T]) -> T {
    choices[rng.random_range(0..choices.len())]
}

fn any_options(rng: &mut SmallRng) -> LiveOptions {
    const HUGE: usize = 1 << 20;
    LiveOptions {
        outbox_max_bytes: any_of(rng, &[0, 400, 1_500, 5_000, HUGE]),
        batch_rows: any_of(rng, &[1, 2, 1_000]),
        frame_max_bytes: any_of(rng, &[60, HUGE]),
        waiting_max_bytes: any_of(rng, &[0, 600, HUGE]),
        catch_up_max_bytes: any_of(rng, &[0, 700, HUGE]),
        log_pass_max_bytes: any_of(rng, &[0, 300, HUGE]),
        snapshots_max_bytes: any_of(rng, &[0, HUGE]),
        reruns_max: any_of(rng, &[1, 4]),
        reads_max: any_of(rng, &[1, 4]),
        reads_per_connection_max: any_of(rng, &[1, 2]),
        ..LiveOptions::default()
    }
}

/// The client's connection is lost, and it comes back wherever it remembers to have been.
fn come_back(stage: &mut Stage, client: &mut Client) {
    client.peer.outbox.close(CloseReason::ClientAsked);
    stage.queue.push_back(Input::Close { peer: client.peer.clone(), done: None });
    let mut again = stage.client();
    again.copies = std::mem::take(&mut client.copies);
    let points: BTreeMap<String, Option<u64>> = client.asks.drain(..).collect();
    *client = again;
    let ids: Vec<String> = client.copies.keys().cloned().collect();
    for id in ids {
        let copy = client.copies.get_mut(&id).unwrap();
        let plan = LivePlan::clone(&copy.plan);
        let options = match (copy.ready, points.get(&id)) {
            (true, _) => from(copy.seq),
            (false, Some(Some(point))) => {
                copy.seq = *point;
                copy.exact = false;
                from(*point)
            }
            (false, _) => all(),
        };
        copy.lost();
        stage.subscribe(client, &id, plan, options);
    }
}

fn random_step(stage: &mut Stage, clients: &mut [Client], rng: &mut SmallRng) {
    let at = rng.random_range(0..clients.len());
    let client = &mut clients[at];
    match rng.random_range(0..100) {
        0..22 => {
            let writes: Vec<(i32, Option<i32>)> = (0..any_of(rng, &[0, 1, 1, 1, 2, 5]))
                .map(|_| (rng.random_range(0..8), rng.random_bool(0.7).then(|| rng.random_range(0..8))))
                .collect();
            stage.commit(&writes);
        }
        22..50 => {
            stage.step();
        }
        50..65 if !stage.results.is_empty() => {
            let result = stage.results.swap_remove(rng.random_range(0..stage.results.len()));
            stage.queue.push_back(result);
        }
        65..68 if stage.state.wants_tick() => stage.queue.push_back(Input::Tick),
        68..86 => {
            stage.read_one(client);
        }
        86..91 => {
            stage.ask(client);
        }
        91..94 => stage.ask_progress(client),
        94..97 => {
            let id = format!("s{}", rng.random_range(0..5));
            if !client.copies.contains_key(&id) {
                stage.subscribe(client, &id, any_plan(rng), all());
            }
        }
        97 => come_back(stage, client),
        98 if rng.random_bool(0.2) => stage.world.trimmed = stage.world.last().0,
        _ => {}
    }
}

fn random_run(seed: u64) {
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut stage = Stage::new(any_options(&mut rng));
    let mut clients: Vec<Client> = (0..3).map(|_| stage.client()).collect();
    for client in &mut clients {
        stage.subscribe(client, "first", any_plan(&mut rng), all());
    }
    for _ in 0..250 {
        random_step(&mut stage, &mut clients, &mut rng);
    }
    for client in &mut clients {
        stage.read_all(client);
        stage.ask_progress(client);
    }
    let last = stage.world.last();
    for client in &mut clients {
        stage.read_all(client);
        assert_eq!(client.progress, last.0, "everything has been told, and the loop knows");
        for (id, copy) in &client.copies {
            assert!(copy.ready && copy.error.is_none(), "{id}: {copy:?}");
            copy.check_at(&stage.world, last);
            let in_turn = copy.statuses.chunks(2).all(|told| told == ["paused", "active"]);
            assert!(in_turn, "{id}: {:?}", copy.statuses);
        }
    }
}

/// Any interleaving of commits, jobs, readers and lost connections; a failure names its seed.
#[test]
fn i1_i2_whatever_happens_in_whatever_order_every_client_has_the_querys_result() {
    for seed in 0..300 {
        let run = std::panic::catch_unwind(|| random_run(seed));
        assert!(run.is_ok(), "seed {seed}");
    }
}
