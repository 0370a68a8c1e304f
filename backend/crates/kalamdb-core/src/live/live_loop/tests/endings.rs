//! How a live query ends, by itself or with its connection, and that nothing comes after.

use std::sync::Arc;

use kalamdb_commons::{DataType, Name, TableName, Value};
use kalamdb_system::{AccessLevel, ColumnDef, TableDef, TableKind};
use tokio::sync::oneshot;

use super::*;

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
