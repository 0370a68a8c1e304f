use kalamdb_commons::protocol::ServerMessage;
use kalamdb_commons::{ConnectionId, SubscriptionId};
use kalamdb_store::StoreOptions;

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
