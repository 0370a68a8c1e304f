//! The life of the socket: every transition.

use std::time::Duration;

use super::super::Action;
use super::world::World;
use super::{ALL, LARGE, world, world_with};
use crate::auth::Freshness;
use crate::backoff::Backoff;
use crate::error::Error;
use crate::event::{ConnectionState, SubscriptionState};
use crate::options::Options;

fn state_of(world: &World) -> &'static str {
    match world.state.connection() {
        ConnectionState::Idle => "idle",
        ConnectionState::Connecting { .. } => "connecting",
        ConnectionState::Live { .. } => "live",
        ConnectionState::Waiting { .. } => "waiting",
        ConnectionState::Closed { .. } => "closed",
    }
}

fn wait_of(world: &World) -> (u32, Duration) {
    match world.state.connection() {
        ConnectionState::Waiting { attempt, retry_in, .. } => (attempt, retry_in),
        other => panic!("{other:?}"),
    }
}

fn live() -> World {
    let mut world = world();
    world.subscribe(ALL, false);
    world.run();
    assert_eq!(state_of(&world), "live");
    world
}

#[test]
fn fr010_the_first_subscription_opens_the_socket_and_later_ones_share_it() {
    let mut world = world();
    assert_eq!((world.state.action(), state_of(&world)), (None, "idle"));
    world.subscribe(ALL, false);
    assert_eq!(world.state.action(), Some(Action::AskToken { freshness: Freshness::Connect, refused: None }));
    assert_eq!(state_of(&world), "connecting");
    let moment = world.moment();
    world.state.token_given(moment, crate::auth::Token { text: "t".to_owned(), good_until: None });
    for _ in 0..100 {
        world.subscribe(LARGE, false);
    }
    world.settle();
    assert_eq!((world.server.connections, world.state.keys().len()), (1, 101));
}

#[test]
fn the_socket_stays_when_the_last_subscription_ends_and_is_not_missed_when_it_is_lost() {
    let mut world = live();
    let key = world.state.keys()[0];
    world.unsubscribe(key);
    world.run();
    assert_eq!(state_of(&world), "live");
    world.cut(1006);
    assert_eq!((state_of(&world), world.state.next_timeout()), ("idle", None));
}

#[test]
fn fr012_a_subscription_made_while_the_socket_is_down_opens_it_again() {
    let mut world = live();
    let key = world.state.keys()[0];
    world.unsubscribe(key);
    world.cut(1000);
    world.subscribe(ALL, false);
    world.settle();
    assert_eq!(world.server.connections, 2);
}

#[test]
fn fr012_waits_grow_until_a_connection_has_held() {
    let options = Options { backoff: Backoff { jitter: 0.0, ..Backoff::default() }, ..Options::default() };
    let mut world = world_with(options);
    world.reachable = false;
    world.subscribe(ALL, false);
    let mut waits = Vec::new();
    for _ in 0..4 {
        world.act();
        let (attempt, wait) = wait_of(&world);
        waits.push((attempt, wait.as_millis()));
        world.pass(wait);
    }
    assert_eq!(waits, [(2, 250), (3, 500), (4, 1000), (5, 2000)]);
    world.settle();
    world.cut(1006);
    assert_eq!(wait_of(&world).1.as_millis(), 4000, "a connection that was lost at once did not hold");
    world.settle();
    world.pass(Duration::from_secs(6));
    world.run();
    world.cut(1006);
    assert_eq!(wait_of(&world).1.as_millis(), 250);
}

#[test]
fn fr012_a_limit_of_attempts_ends_the_trying() {
    let backoff = Backoff { attempts_max: Some(2), ..Backoff::default() };
    let mut world = world_with(Options { backoff, ..Options::default() });
    world.reachable = false;
    let key = world.subscribe(ALL, false);
    for _ in 0..3 {
        world.act();
        world.pass(Duration::from_secs(20));
    }
    world.run();
    assert_eq!(state_of(&world), "closed");
    assert_eq!(world.state.has_started(key), Err(Error::Network("unreachable".to_owned())));
}

#[test]
fn the_program_can_say_that_the_network_is_back() {
    let mut world = live();
    world.cut(1006);
    let moment = world.moment();
    world.state.reconnect(moment);
    world.run();
    assert_eq!(state_of(&world), "live");
    let moment = world.moment();
    world.state.reconnect(moment);
    assert_eq!(world.state.action(), None);
}

#[test]
fn fr012_a_refused_token_is_replaced_once() {
    let mut world = world();
    world.server.refused_tokens = vec!["t1".to_owned()];
    world.subscribe(ALL, false);
    world.settle();
    assert_eq!(world.tokens, 2);
    world.server.refused_tokens = vec!["t3".to_owned(), "t4".to_owned()];
    let key = world.state.keys()[0];
    world.cut(1006);
    world.pass(Duration::from_secs(1));
    world.run();
    assert_eq!((state_of(&world), world.tokens), ("closed", 4));
    assert_eq!(world.programs[&key].ended.as_ref().map(Error::code), Some("AUTH_FAILED"));
    world.subscribe(ALL, false);
    world.settle();
}

#[test]
fn credentials_that_are_not_accepted_end_it_and_a_network_that_fails_does_not() {
    let mut world = world();
    world.token_errors = vec![Error::Auth("wrong password".to_owned()), Error::Network("no route".to_owned())];
    let key = world.subscribe(ALL, false);
    world.act();
    assert_eq!(state_of(&world), "waiting");
    world.pass(Duration::from_secs(1));
    world.run();
    assert_eq!(state_of(&world), "closed");
    assert_eq!(world.state.has_started(key), Err(Error::Auth("wrong password".to_owned())));
}

#[test]
fn fr012_an_expired_or_revoked_token_is_replaced_before_coming_back() {
    for code in [4001, 4002] {
        let mut world = live();
        world.cut(code);
        world.pass(Duration::from_secs(1));
        assert_eq!(
            world.state.action(),
            Some(Action::AskToken { freshness: Freshness::Fresh, refused: Some("t1".to_owned()) })
        );
    }
}

#[test]
fn fr012_other_closes_are_followed_by_another_attempt() {
    for code in [1000, 1001, 1006, 1009, 4008, 4029] {
        let mut world = live();
        world.cut(code);
        assert_eq!(state_of(&world), "waiting", "{code}");
        world.settle();
        assert_eq!(world.server.connections, 2, "{code}");
    }
}

#[test]
fn a_kill_by_an_administrator_is_final_and_told() {
    for code in [4003, 1008] {
        let mut world = live();
        let key = world.state.keys()[0];
        world.cut(code);
        world.run();
        assert_eq!((state_of(&world), world.state.next_timeout()), ("closed", None));
        let ended = world.programs[&key].ended.clone().unwrap();
        assert_eq!((ended.is_killed(), world.state.keys().len()), (code == 4003, 0));
        world.subscribe(ALL, false);
        world.settle();
        assert_eq!(world.server.connections, 2);
    }
}

#[test]
fn disconnecting_ends_everything_and_a_subscription_begins_anew() {
    let mut world = live();
    let key = world.state.keys()[0];
    let moment = world.moment();
    world.state.disconnect(moment);
    world.run();
    assert!(world.server.connection.is_none());
    assert_eq!((state_of(&world), world.programs[&key].ended.as_ref().map(Error::code)), ("closed", Some("CLOSED")));
    let moment = world.moment();
    world.state.disconnect(moment);
    assert_eq!(world.state.action(), None);
    world.subscribe(ALL, false);
    world.settle();
}

#[test]
fn a_ping_that_is_answered_keeps_the_connection_and_silence_ends_it() {
    let mut world = live();
    world.pass(Duration::from_secs(9));
    world.run();
    assert_eq!(world.sent.last().map(String::as_str), Some(r#"{"type":"ping"}"#));
    world.pass(Duration::from_secs(8));
    assert_eq!(state_of(&world), "live");
    world.pass(Duration::from_secs(1));
    world.act();
    world.server.connection.as_mut().unwrap().out.clear();
    world.pass(Duration::from_millis(4999));
    assert_eq!(state_of(&world), "live");
    world.pass(Duration::from_millis(1));
    assert_eq!(state_of(&world), "waiting");
    world.settle();
    assert_eq!(world.server.connections, 2);
}

#[test]
fn a_server_that_does_not_answer_is_not_waited_for_for_ever() {
    let mut world = world();
    world.subscribe(ALL, false);
    let _ = world.state.action();
    let moment = world.moment();
    let token = || crate::auth::Token { text: "t".to_owned(), good_until: None };
    world.state.token_given(moment, token());
    assert_eq!(world.state.action(), Some(Action::Open));
    world.pass(Duration::from_secs(10));
    assert_eq!((state_of(&world), world.state.action()), ("waiting", Some(Action::Close)));
    world.pass(Duration::from_secs(1));
    let _ = world.state.action();
    let moment = world.moment();
    world.state.token_given(moment, token());
    let _ = world.state.action();
    world.state.opened(moment);
    world.pass(Duration::from_secs(10));
    assert_eq!(state_of(&world), "waiting");
}

#[test]
fn a_token_is_replaced_on_the_open_socket_before_it_expires() {
    let mut world = world();
    // The world's clock stands at 1,800,001,000 seconds since the epoch; the token lives 1000 seconds more.
    world.server.expires_at = "2027-01-15T08:33:20Z".to_owned();
    world.subscribe(ALL, false);
    world.settle();
    let mut ping = Duration::ZERO;
    while world.tokens == 1 {
        world.pass(Duration::from_secs(9));
        ping += Duration::from_secs(9);
        world.run();
    }
    assert_eq!(ping.as_secs() / 10, 94, "sixty seconds before");
    assert_eq!((world.server.connections, state_of(&world)), (1, "live"));
    world.cut(4001);
    world.pass(Duration::from_secs(1));
    let refused = Some("t2".to_owned());
    assert_eq!(world.state.action(), Some(Action::AskToken { freshness: Freshness::Fresh, refused }));
}

#[test]
fn a_clock_that_is_wrong_replaces_no_token_again_and_again() {
    let mut world = world();
    world.server.expires_at = "2020-01-01T00:00:00Z".to_owned();
    world.subscribe(ALL, false);
    world.settle();
    for _ in 0..10 {
        world.pass(Duration::from_secs(9));
        world.run();
    }
    assert_eq!((state_of(&world), world.tokens), ("live", 1));
}

#[test]
fn a_token_that_cannot_be_replaced_counts_until_it_expires() {
    let mut world = world();
    world.server.expires_at = "2027-01-15T08:17:00Z".to_owned();
    world.subscribe(ALL, false);
    world.settle();
    world.token_errors = vec![Error::Auth("no".to_owned()), Error::Network("no".to_owned())];
    world.pass(Duration::from_secs(10));
    world.run();
    world.pass(Duration::from_secs(5));
    world.run();
    assert_eq!((state_of(&world), world.tokens), ("live", 1));
    world.server.refused_tokens = vec!["t2".to_owned()];
    world.pass(Duration::from_secs(5));
    world.run();
    assert_eq!((state_of(&world), world.tokens), ("live", 2));
}

#[test]
fn what_cannot_be_read_ends_the_socket_and_what_is_of_tomorrow_is_left_out() {
    let mut world = live();
    let moment = world.moment();
    world.state.frame(moment, r#"{"type":"weather","sunny":true}"#);
    assert_eq!(state_of(&world), "live");
    world.state.frame(moment, r#"{"type":"change","subscription_id":"s0"}"#);
    assert_eq!(state_of(&world), "waiting");
    world.settle();
    let moment = world.moment();
    world.state.frame(moment, "{");
    assert_eq!(state_of(&world), "waiting");
}

#[test]
fn coming_back_with_many_subscriptions_keeps_to_the_rate() {
    let mut world = world_with(Options { messages_per_sec_max: 10, ..Options::default() });
    for _ in 0..35 {
        world.subscribe(LARGE, true);
    }
    let asked = |world: &World| world.sent.iter().filter(|text| text.contains("\"subscribe\"")).count();
    world.run();
    assert_eq!(asked(&world), 10);
    world.pass(Duration::from_secs(1));
    world.run();
    assert_eq!(asked(&world), 20);
    world.settle();
    assert!(world.state.keys().iter().all(|key| world.state.info(*key).unwrap().state == SubscriptionState::Active));
}
