use kalamdb_commons::ConnectionId;

use super::*;
use crate::live::fixtures::facts;

fn id(text: &str) -> SubscriptionId {
    SubscriptionId::new(text).unwrap()
}

fn code(result: Result<(), SqlError>) -> Option<ErrorCode> {
    result.err().map(|error| error.code)
}

#[test]
fn fr003_a_name_is_taken_from_the_first_moment_until_it_is_given_back() {
    let mut session = Session::new(10, 1_000);
    session.reserve(&id("a"), 10).unwrap();
    assert_eq!(code(session.reserve(&id("a"), 10)), Some(ErrorCode::SubscriptionExists));
    assert!(!session.is_active(&id("a")));
    session.activate(&id("a"), facts(ConnectionId(1), "a"));
    assert!(session.is_active(&id("a")));
    assert_eq!(session.active().count(), 1);
    session.release(&id("a"));
    session.reserve(&id("a"), 10).unwrap();
    assert_eq!((session.len(), session.active().count()), (1, 0));
}

#[test]
fn s15_subscriptions_are_limited_and_the_limit_is_named() {
    let mut session = Session::new(2, 1_000);
    session.reserve(&id("a"), 0).unwrap();
    session.reserve(&id("b"), 0).unwrap();
    let error = session.reserve(&id("c"), 0).unwrap_err();
    assert_eq!(error.code, ErrorCode::SubscriptionLimitExceeded);
    assert!(error.message.contains('2'), "{error}");
    session.release(&id("a"));
    session.reserve(&id("c"), 0).unwrap();
}

#[test]
fn i7_the_queries_of_a_connection_are_bounded_together() {
    let mut session = Session::new(10, 100);
    session.reserve(&id("a"), 60).unwrap();
    assert_eq!(code(session.reserve(&id("b"), 41)), Some(ErrorCode::TooLarge));
    session.reserve(&id("b"), 40).unwrap();
    session.release(&id("a"));
    session.reserve(&id("c"), 60).unwrap();
}

#[test]
fn a_row_shows_what_is_known_at_the_moment() {
    let facts = facts(ConnectionId(1), "a");
    let new = facts.row(SeqId(9));
    assert_eq!((new.last_seq_id, new.last_update, new.changes), (None, None, 0));
    facts.told(SeqId(5));
    facts.changed(70);
    facts.change_delivered();
    let row = facts.row(SeqId(9));
    assert_eq!((row.last_seq_id, row.last_update, row.changes), (Some(SeqId(5)), Some(70), 1));
    facts.set_follows_commits(true);
    assert_eq!(facts.row(SeqId(9)).last_seq_id, Some(SeqId(9)), "whatever came since did not concern it");
    assert_eq!(facts.row(SeqId(9)).status, LiveQueryStatus::Active);
    facts.set_paused(true);
    assert_eq!(facts.row(SeqId(9)).status, LiveQueryStatus::Paused);
}
