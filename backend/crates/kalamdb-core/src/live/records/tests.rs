use kalamdb_commons::protocol::ServerMessage;
use kalamdb_commons::{ConnectionId, SubscriptionId};
use kalamdb_store::StoreOptions;
use kalamdb_store::faults::Faults;

use super::*;
use crate::live::fixtures::{facts, peer};
use crate::live::live_loop::Token;
use crate::live::options::LiveOptions;
use crate::live::outbox::OutgoingItem;

fn open() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(StoreOptions::new(dir.path().join("db"))).unwrap();
    (dir, store)
}

fn stored(store: &Store) -> Vec<String> {
    let records = live_queries::all(store).unwrap();
    records.iter().map(|record| record.live_id.subscription_id.to_string()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fr004_a_record_is_there_from_before_the_ack_until_before_the_last_word() {
    let (_dir, store) = open();
    let records = Records::new(store.clone(), Handle::current());
    let peer = peer(1, &LiveOptions::default());
    for id in ["a", "b"] {
        let facts = facts(ConnectionId(1), id);
        peer.session.lock().reserve(facts.id(), 0).unwrap();
        assert!(records.save(facts).await);
    }
    assert_eq!(stored(&store), ["a", "b"]);
    let (done, ended) = oneshot::channel();
    let last = Some(ServerMessage::Pong);
    let facts = facts(ConnectionId(1), "a");
    records.end(Ended { peer: peer.clone(), token: Token(1), facts, last, cause: "test", done: Some(done) });
    assert_eq!(ended.await, Ok(true));
    assert_eq!(stored(&store), ["b"]);
    assert!(matches!(peer.outbox.take().item, Some(OutgoingItem::Frame(_))));
    peer.session.lock().reserve(&SubscriptionId::new("a").unwrap(), 0).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fr004_a_closed_connections_records_are_gone_when_that_is_said() {
    let (_dir, store) = open();
    let records = Records::new(store.clone(), Handle::current());
    let all: Vec<Arc<Facts>> = (0..200).map(|n| facts(ConnectionId(1), &format!("s{n}"))).collect();
    let saved = futures_util::future::join_all(all.iter().map(|facts| records.save(facts.clone()))).await;
    assert!(saved.into_iter().all(|saved| saved));
    assert_eq!(stored(&store).len(), 200);
    let (done, closed) = oneshot::channel();
    records.close(all, Some(done));
    assert_eq!(closed.await, Ok(true));
    assert!(stored(&store).is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_asked_for_later_is_done_later() {
    let (_dir, store) = open();
    let records = Records::new(store.clone(), Handle::current());
    for _ in 0..50 {
        records.remove(facts(ConnectionId(1), "s"));
        assert!(records.save(facts(ConnectionId(1), "s")).await);
        records.remove(facts(ConnectionId(1), "s"));
    }
    assert!(records.save(facts(ConnectionId(1), "last")).await);
    assert_eq!(stored(&store), ["last"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fr004_a_disk_that_fails_holds_up_no_subscription_and_gets_the_records_afterwards() {
    let (faults, dir) = (Faults::new(), tempfile::tempdir().unwrap());
    let mut options = StoreOptions::new(dir.path().join("db"));
    options.faults = Some(faults.clone());
    let store = Store::open(options).unwrap();
    let records = Records::new(store.clone(), Handle::current());
    let record = |id: &str| facts(ConnectionId(1), id);
    assert!(records.save(record("ends meanwhile")).await);
    faults.cut_power();
    assert!(records.save(record("begins meanwhile")).await);
    assert!(records.save(record("comes and goes")).await);
    records.remove(record("comes and goes"));
    records.remove(record("ends meanwhile"));
    assert!(records.save(record("ends meanwhile")).await);
    let (done, closed) = oneshot::channel();
    records.close(vec![record("ends meanwhile")], Some(done));
    assert_eq!(closed.await, Ok(true));
    assert_eq!(stored(&store), ["ends meanwhile"]);
    assert_eq!(records.state.lock().owed.0.len(), 2, "one for each record that is not as it should be");
    faults.restore_power();
    while stored(&store) != ["begins meanwhile"] {
        tokio::task::yield_now().await;
    }
    while !records.state.lock().owed.0.is_empty() {
        tokio::task::yield_now().await;
    }
}
