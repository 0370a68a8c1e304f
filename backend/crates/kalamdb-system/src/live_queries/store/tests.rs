use kalamdb_commons::{ConnectionId, LiveQueryId, SubscriptionId, UserId};
use kalamdb_store::StoreOptions;

use super::*;

fn open() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(StoreOptions::new(dir.path().join("db"))).unwrap();
    (dir, store)
}

fn record(node: &str, subscription: &str) -> LiveQueryRecord {
    LiveQueryRecord {
        live_id: LiveQueryId {
            user_id: UserId::new("anna-b").unwrap(),
            connection_id: ConnectionId(0xfeed),
            subscription_id: SubscriptionId::new(subscription).unwrap(),
        },
        namespace_id: "default".to_owned(),
        table_name: "default.t".to_owned(),
        query: "SELECT * FROM t WHERE a = 'x'".to_owned(),
        options: Some("{\"last_rows\":3}".to_owned()),
        strategy: "filter".to_owned(),
        created_at: 17,
        node_id: node.to_owned(),
    }
}

fn save(store: &Store, record: &LiveQueryRecord) -> Result<(), LiveQueryStoreError> {
    write(store, [LiveQueryWrite::Save(record)])
}

#[test]
fn fr004_a_record_is_there_from_save_to_remove() {
    let (_dir, store) = open();
    let (one, two) = (record("n1", "one"), record("n1", "two"));
    save(&store, &one).unwrap();
    save(&store, &two).unwrap();
    save(&store, &two).unwrap();
    assert_eq!(all(&store).unwrap(), [one.clone(), two.clone()]);
    write(&store, [LiveQueryWrite::Remove(&one)]).unwrap();
    write(&store, [LiveQueryWrite::Remove(&one)]).unwrap();
    assert_eq!(all(&store).unwrap(), [two]);
}

#[test]
fn records_are_written_in_the_order_given() {
    let (_dir, store) = open();
    let (one, two) = (record("n1", "one"), record("n1", "two"));
    let (save, remove) = (LiveQueryWrite::Save, LiveQueryWrite::Remove);
    write(&store, [save(&one), remove(&one), save(&two), remove(&two), save(&two)]).unwrap();
    assert_eq!(all(&store).unwrap(), [two]);
}

#[test]
fn fr004_a_node_that_starts_deletes_its_own_stale_records_and_no_others() {
    let (_dir, store) = open();
    // Names that begin alike, and one that holds another whole.
    for node in ["n", "n1", "n1-", "n11", "\u{0}n1", ""] {
        save(&store, &record(node, "a")).unwrap();
        save(&store, &record(node, "b")).unwrap();
    }
    assert_eq!(purge_node(&store, "n1").unwrap(), 2);
    assert_eq!(purge_node(&store, "n1").unwrap(), 0);
    let left = all(&store).unwrap();
    assert_eq!(left.len(), 10);
    assert!(left.iter().all(|record| record.node_id != "n1"), "{left:?}");
}

#[test]
fn fr004_records_of_before_a_restart_are_found_by_the_purge() {
    let (dir, store) = open();
    save(&store, &record("n1", "a")).unwrap();
    store.close();
    drop(store);
    let store = Store::open(StoreOptions::new(dir.path().join("db"))).unwrap();
    assert_eq!(purge_node(&store, "n1").unwrap(), 1);
    assert_eq!(all(&store).unwrap(), []);
}

#[test]
fn a_record_that_does_not_read_is_left_out_and_can_be_purged() {
    let (_dir, store) = open();
    save(&store, &record("n1", "a")).unwrap();
    let key = [LiveQueryRecord::key_prefix("n1"), b"x".to_vec()].concat();
    store.put_record(RecordSpace::LiveQueries, &key, b"not a record").unwrap();
    assert_eq!(all(&store).unwrap().len(), 1);
    assert_eq!(purge_node(&store, "n1").unwrap(), 2);
}
