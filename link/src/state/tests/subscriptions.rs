//! One live query: beginning, ending, resuming, waiting, and programs that are slow.

use kalamdb_commons::{ErrorCode, SeqId};

use super::super::Taken;
use super::super::subscription::Wanted;
use super::{ALL, LARGE, world, world_with};
use crate::error::Error;
use crate::event::{Event, SubscriptionState};
use crate::options::Options;

fn wanted(id: &str) -> Wanted {
    Wanted { id: id.to_owned(), sql: ALL.sql(), ..Wanted::default() }
}

#[test]
fn fr009_subscriptions_are_listed_with_what_the_program_has() {
    let mut world = world();
    let key = world.subscribe_as(wanted("mine"), ALL);
    assert_eq!(world.state.info(key).unwrap().state, SubscriptionState::Starting);
    while world.act() || world.deliver() {}
    let info = world.state.info(key).unwrap();
    assert_eq!((info.id.as_str(), info.last_seq), ("mine", None));
    world.run();
    let info = world.state.info(key).unwrap();
    assert_eq!((info.state, info.last_seq), (SubscriptionState::Active, Some(SeqId(5))));
    assert_eq!(world.programs[&key].events, ["snapshot 2 ..", "snapshot 2 ..", "snapshot 1"]);
    world.cut(1006);
    assert_eq!(world.state.info(key).unwrap().state, SubscriptionState::Paused);
}

#[test]
fn names_are_made_up_and_never_twice() {
    let mut world = world();
    world.subscribe_as(wanted("s1"), ALL);
    world.subscribe(ALL, false);
    world.subscribe(ALL, false);
    let names: Vec<String> = world.state.keys().iter().map(|key| world.state.info(*key).unwrap().id).collect();
    assert_eq!(names.len(), 3);
    assert!(names[0] != names[1] && names[1] != names[2] && names[0] != names[2], "{names:?}");
    let moment = world.moment();
    for bad in ["s1", " \n", &"x".repeat(200)] {
        let error = world.state.subscribe(moment, wanted(bad)).unwrap_err();
        assert_eq!(error.code(), "INVALID_ARGUMENT", "{bad}");
    }
    world.settle();
}

#[test]
fn fr009_a_query_that_is_refused_harms_no_other() {
    let mut world = world();
    let good = world.subscribe(ALL, false);
    let moment = world.moment();
    let bad = world.state.subscribe(moment, Wanted { sql: "nonsense".to_owned(), ..Wanted::default() }).unwrap();
    world.run();
    let error = world.state.has_started(bad).unwrap_err();
    assert_eq!(error.server_code(), Some(ErrorCode::InvalidSql));
    assert!(matches!(world.state.take(moment, bad), Taken::Event(Event::Ended(_))));
    assert_eq!(world.state.take(moment, bad), Taken::Finished);
    assert_eq!((world.state.keys(), world.server.connections), (vec![good], 1));
    world.settle();
}

#[test]
fn fr009_unsubscribing_once_more_is_nothing_and_the_name_is_free() {
    let mut world = world();
    let key = world.subscribe_as(wanted("mine"), ALL);
    world.run();
    world.unsubscribe(key);
    world.unsubscribe(key);
    assert!(!world.state.is_left(key));
    // The name is asked for again only when the server has let go of it.
    let again = world.subscribe_as(wanted("mine"), ALL);
    world.server.commit(&[(9, Some(9))]);
    world.settle();
    assert!(world.state.is_left(key));
    assert_eq!(world.programs[&again].events.len(), 3);
    assert_eq!(world.sent.iter().filter(|text| text.contains("unsubscribe")).count(), 1);
}

#[test]
fn a_subscription_that_was_never_asked_for_is_never_left() {
    let mut world = world();
    let key = world.subscribe(ALL, false);
    world.unsubscribe(key);
    world.run();
    assert_eq!(world.sent.len(), 1, "only the token: {:?}", world.sent);
}

#[test]
fn fr013_a_program_comes_back_after_a_restart_with_the_seq_it_kept() {
    let mut world = world();
    let key = world.subscribe_as(Wanted { from: Some(SeqId(3)), ..wanted("") }, ALL);
    while world.act() || world.deliver() {}
    assert_eq!(world.state.delivered(key), Some(SeqId(3)));
    let moment = world.moment();
    assert!(matches!(world.state.take(moment, key), Taken::Event(Event::Change(change)) if change.rows.len() == 2));
    assert_eq!(world.state.delivered(key), Some(SeqId(5)));
    world.server.history_from = 4;
    let late = world.subscribe_as(Wanted { from: Some(SeqId(3)), ..wanted("") }, ALL);
    world.run();
    assert_eq!(world.programs[&late].events[..2], ["reset", "snapshot 2 .."]);
}

#[test]
fn changes_alone_begin_where_the_ack_stands_and_are_resumed_from_there() {
    let mut world = world();
    let key = world.subscribe_as(Wanted { without_snapshot: true, ..wanted("") }, ALL);
    while world.act() || world.deliver() {}
    assert_eq!(world.state.delivered(key), Some(SeqId(5)));
    world.cut(1006);
    world.server.commit(&[(1, None)]);
    while world.act() || world.deliver() || world.state.next_timeout().is_some_and(|due| due < world.now) {}
    world.pass(std::time::Duration::from_secs(1));
    while world.act() || world.deliver() {}
    let moment = world.moment();
    assert!(matches!(world.state.take(moment, key), Taken::Event(Event::Change(change)) if change.seq == SeqId(6)));
}

#[test]
fn a_pause_is_told_and_that_it_is_over_too() {
    let mut world = world();
    let key = world.subscribe(LARGE, false);
    world.settle();
    world.cut(1006);
    world.run();
    world.settle();
    assert_eq!(world.programs[&key].events, ["snapshot 2 ..", "snapshot 1", "paused", "active"]);
}

#[test]
fn fr013_a_program_that_is_slow_holds_little_and_misses_nothing() {
    let mut world = world_with(Options { event_buffer_bytes: 1000, ..Options::default() });
    let slow = world.subscribe(ALL, false);
    let quick = world.subscribe(LARGE, true);
    world.settle();
    for n in 0..200 {
        world.server.commit(&[(n % 7, Some(100 + n))]);
        while world.act() || world.deliver() {}
    }
    let held = world.server.connection.as_ref().unwrap().subscriptions.len();
    assert_eq!(held, 1, "the slow one has left");
    assert_eq!(world.state.info(slow).unwrap().state, SubscriptionState::Paused);
    assert!(world.state.is_visible(quick, SeqId(world.server.seq)).unwrap());
    assert!(!world.state.is_visible(slow, SeqId(world.server.seq)).unwrap());
    world.settle();
    let changes = world.programs[&slow].events.iter().filter(|event| event.starts_with("change")).count();
    assert_eq!((changes, world.server.connections), (200, 1));
}

#[test]
fn a_snapshot_is_asked_for_page_by_page_as_the_program_takes_it() {
    let mut world = world_with(Options { event_buffer_bytes: 100, ..Options::default() });
    let key = world.subscribe(ALL, false);
    while world.act() || world.deliver() {}
    assert!(!world.sent.iter().any(|text| text.contains("next_batch")));
    assert!(world.take(key));
    while world.act() || world.deliver() {}
    assert_eq!(world.sent.iter().filter(|text| text.contains("next_batch")).count(), 1);
    world.settle();
}

#[test]
fn a_commit_over_the_limit_ends_the_subscription_with_an_error() {
    let mut world = world_with(Options { event_max_bytes: 300, ..Options::default() });
    let key = world.subscribe(LARGE, false);
    world.settle();
    world.server.commit(&[(11, Some(11)), (12, Some(12)), (13, Some(13)), (14, Some(14))]);
    world.run();
    let ended = world.programs[&key].ended.clone().unwrap();
    assert!(ended.to_string().contains("event_max_bytes"), "{ended}");
    assert!(world.server.connection.as_ref().unwrap().subscriptions.is_empty());
}

#[test]
fn a_live_view_over_the_limit_ends_with_an_error() {
    let mut world = world_with(Options { live_rows_max: 6, ..Options::default() });
    let key = world.subscribe(ALL, true);
    world.settle();
    world.server.commit(&[(11, Some(11)), (12, Some(12))]);
    world.run();
    assert!(matches!(world.state.has_started(key), Err(Error::Limit(_))));
}

#[test]
fn a_live_view_shows_whole_results_only_and_keeps_them_while_it_comes_back() {
    let mut world = world();
    let key = world.subscribe(ALL, true);
    world.act();
    while !world.state.has_started(key).unwrap() {
        assert!(world.state.rows(key).unwrap().0.is_empty());
        assert!(world.deliver() || world.act());
    }
    let (before, version) = world.state.rows(key).unwrap();
    assert_eq!(before.len(), 5);
    world.server.history_from = u64::MAX;
    world.cut(1006);
    world.server.commit(&[(6, Some(6))]);
    while world.state.rows(key).unwrap().1 == version {
        assert_eq!(world.state.rows(key).unwrap().0.len(), 5);
        if !world.deliver() && !world.act() {
            world.pass(std::time::Duration::from_millis(250));
        }
    }
    assert_eq!(world.state.rows(key).unwrap().0.len(), 6);
    assert_eq!(before.len(), 5, "what the program holds does not change");
}

#[test]
fn what_a_write_did_is_visible_once_it_has_come_or_is_known_to_concern_others() {
    let mut world = world();
    let key = world.subscribe(LARGE, false);
    world.settle();
    world.server.commit(&[(1, Some(50))]);
    let seq = SeqId(world.server.seq);
    assert!(!world.state.is_visible(key, seq).unwrap());
    while world.deliver() {}
    assert!(world.state.is_visible(key, seq).unwrap());
    world.server.commit(&[(4, Some(1))]);
    while world.deliver() {}
    let seq = SeqId(world.server.seq);
    assert!(!world.state.is_visible(key, seq).unwrap());
    world.server.progress();
    while world.deliver() {}
    assert!(world.state.is_visible(key, seq).unwrap());
    assert_ne!(world.state.delivered(key), Some(seq), "the change before it is not taken");
    world.run();
    assert_eq!(world.state.delivered(key), Some(seq));
    world.unsubscribe(key);
    assert!(world.state.is_visible(key, seq).is_err());
}

#[test]
fn fr013_resuming_from_an_earlier_seq_tells_its_changes_again() {
    let mut world = world();
    let key = world.subscribe(LARGE, false);
    world.settle();
    let from = SeqId(world.server.seq);
    world.server.commit(&[(2, Some(20))]);
    world.server.commit(&[(2, Some(21))]);
    while world.deliver() {}
    let moment = world.moment();
    world.state.resume(moment, key, from).unwrap();
    world.settle();
    let changes = world.programs[&key].events.iter().filter(|event| event.starts_with("change")).count();
    assert_eq!((changes, world.server.connections), (2, 1));
    world.unsubscribe(key);
    assert!(world.state.resume(moment, key, from).is_err());
}
