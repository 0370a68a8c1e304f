use kalamdb_auth::Identity;

use super::*;
use crate::live::fixtures::identity;
use crate::live::options::LiveOptions;

fn peer(id: u128, user: &str, login: u128) -> Arc<Peer> {
    let identity = Identity { user: UserId::new(user).unwrap(), login, ..identity() };
    Peer::new(ConnectionId(id), &identity, String::new(), 0, &LiveOptions::default())
}

fn ids(peers: Vec<Arc<Peer>>) -> Vec<u128> {
    let mut ids: Vec<u128> = peers.iter().map(|peer| peer.id.0).collect();
    ids.sort_unstable();
    ids
}

#[test]
fn fr001_a_users_connections_are_found_and_leave_one_by_one() {
    let registry = ConnectionRegistry::new(10, 10);
    let peers = [peer(1, "anna", 5), peer(2, "anna", 5), peer(3, "ben", 6)];
    for peer in &peers {
        registry.insert(peer).unwrap();
    }
    assert_eq!(ids(registry.of_user(&peers[0].user)), [1, 2]);
    assert_eq!(ids(registry.all()), [1, 2, 3]);
    registry.remove(&peers[0]);
    registry.remove(&peers[0]);
    assert_eq!(ids(registry.of_user(&peers[0].user)), [2]);
    assert!(registry.get(ConnectionId(1)).is_none() && registry.get(ConnectionId(3)).is_some());
    registry.remove(&peers[1]);
    registry.remove(&peers[2]);
    let state = registry.state.read();
    assert!(state.by_user.is_empty() && state.user_of.is_empty() && state.by_login.is_empty());
}

#[test]
fn s15_a_users_connections_are_limited_and_other_users_are_not_concerned() {
    let registry = ConnectionRegistry::new(1, 10);
    let first = peer(1, "anna", 5);
    registry.insert(&first).unwrap();
    assert_eq!(registry.insert(&peer(2, "anna", 5)), Err(CloseReason::TooManyConnections));
    registry.insert(&peer(3, "ben", 6)).unwrap();
    registry.remove(&first);
    registry.insert(&peer(2, "anna", 5)).unwrap();
}

#[test]
fn i8_a_login_that_ended_finds_its_connections_and_lets_no_other_in() {
    let registry = ConnectionRegistry::new(10, 10);
    let peers = [peer(1, "anna", 5), peer(2, "anna", 6), peer(3, "ben", 7)];
    for peer in &peers {
        registry.insert(peer).unwrap();
    }
    assert_eq!(ids(registry.end_login(5)), [1]);
    assert_eq!(registry.insert(&peer(4, "anna", 5)), Err(CloseReason::TokenRevoked));
    // A connection goes with the token it lives by now.
    registry.renew(&peers[1], Credentials { login: 8, ..peers[1].credentials() }).unwrap();
    assert_eq!(ids(registry.end_login(6)), [0_u128; 0]);
    assert_eq!(ids(registry.end_login(8)), [2]);
    let revoked = Credentials { login: 5, ..peers[2].credentials() };
    assert_eq!(registry.renew(&peers[2], revoked), Err(CloseReason::TokenRevoked));
    assert_eq!(peers[2].credentials().login, 7);
}

#[test]
fn i7_ended_logins_are_remembered_for_a_while_only() {
    let registry = ConnectionRegistry::new(10, 10);
    for login in 0..2_000 {
        registry.end_login(login);
    }
    assert_eq!(registry.state.read().revoked.len(), REVOKED_REMEMBERED_MAX);
}

#[test]
fn a_registry_that_is_shut_lets_nobody_in() {
    let registry = ConnectionRegistry::new(10, 10);
    registry.insert(&peer(1, "anna", 5)).unwrap();
    registry.shut();
    assert_eq!(registry.insert(&peer(2, "anna", 5)), Err(CloseReason::ShuttingDown));
    assert_eq!(ids(registry.all()), [1]);
}

#[test]
fn s15_the_subscriptions_of_all_connections_of_a_user_are_limited_together() {
    let registry = ConnectionRegistry::new(10, 2);
    let id = |text| kalamdb_commons::SubscriptionId::new(text).unwrap();
    let (first, second, other) = (peer(1, "anna", 5), peer(2, "anna", 5), peer(3, "ben", 6));
    for peer in [&first, &second, &other] {
        registry.insert(peer).unwrap();
    }
    first.session.lock().reserve(&id("a"), 0).unwrap();
    second.session.lock().reserve(&id("a"), 0).unwrap();
    let error = second.session.lock().reserve(&id("b"), 0).unwrap_err();
    assert_eq!(error.code, kalamdb_commons::ErrorCode::SubscriptionLimitExceeded);
    assert!(error.message.contains("2 subscriptions on all"), "{error}");
    other.session.lock().reserve(&id("b"), 0).unwrap();
    first.session.lock().release(&id("a"));
    second.session.lock().reserve(&id("b"), 0).unwrap();
    registry.remove(&second);
    drop(second);
    first.session.lock().reserve(&id("a"), 0).unwrap();
    first.session.lock().reserve(&id("b"), 0).unwrap();
}
