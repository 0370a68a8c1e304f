//! The power fails, and with it whatever was not synced; and what the history still holds after all that.

use kalamdb_store::faults::{Rest, Tear};
use kalamdb_testkit::TestServer;
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i3_in_sync_mode_acknowledged_writes_survive_any_power_loss_and_clients_resume() {
    let mut server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY, n INT)").await;
    let mut socket = root.connect().await;
    let mut live = socket.subscribe("s", "SELECT * FROM t").await;
    for seed in 0..4 {
        let root = server.root().await;
        let seq = root.sql(&format!("INSERT INTO t VALUES ({seed}, 0)")).await.seq();
        root.sql("UPDATE t SET n = n + 1").await;
        server.lose_power(|unsynced| Tear::from_seed(seed, unsynced)).await;
        assert_eq!(socket.closed().await.code, 1006);
        server.start_again().await;
        let root = server.root().await;
        let expected: Vec<_> = (0..=seed).map(|id| vec![json!(id), json!(seed - id + 1)]).collect();
        assert_eq!(root.rows("SELECT * FROM t ORDER BY id").await, expected);
        assert_eq!(root.cell("SELECT COUNT(*) FROM system.live_queries").await, json!("0"));
        socket = root.connect().await;
        let ack = socket.resume(&mut live, "SELECT * FROM t").await;
        assert_eq!(ack["resumed"], true, "{ack}");
        let next = root.sql("DELETE FROM t WHERE id = 1000").await;
        assert_eq!(next.row_count(), 0);
        socket.follow(&mut live, seq).await;
        live.assert_equals(&expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i2_in_interval_mode_what_a_power_loss_took_is_never_resumed_from_nor_its_numbers_used_again() {
    let settings = [("storage.durability", "interval"), ("storage.sync_interval_ms", "3600000")];
    let mut server = TestServer::with(&settings).await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY)").await;
    root.sql("INSERT INTO t VALUES (1)").await;
    // A clean stop brings everything to the disk.
    server.restart().await;
    let root = server.root().await;
    let mut socket = root.connect().await;
    let mut live = socket.subscribe("s", "SELECT * FROM t").await;
    let seq = root.sql("INSERT INTO t VALUES (2), (3)").await.seq();
    socket.follow(&mut live, seq).await;
    server.lose_power(|unsynced| Tear { length: unsynced.start, rest: Rest::Zeros }).await;
    server.start_again().await;
    let root = server.root().await;
    assert_eq!(root.rows("SELECT * FROM t").await, [[json!(1)]], "the last moments are lost");
    let next = root.sql("INSERT INTO t VALUES (4)").await.seq();
    assert!(next > seq, "{next} after {seq}");
    let mut socket = root.connect().await;
    let ack = socket.resume(&mut live, "SELECT * FROM t").await;
    assert_eq!((&ack["reset"], &ack["resumed"]), (&json!(true), &json!(false)), "{ack}");
    live.assert_equals(&[vec![json!(1)], vec![json!(4)]]);
    server.crash().await;
    server.start_again().await;
    let root = server.root().await;
    assert_eq!(root.cell("SELECT COUNT(*) FROM t").await, json!("2"), "the end of the process alone takes nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i2_progress_keeps_a_quiet_client_inside_a_short_history() {
    let server = TestServer::with(&[("live.history_max_age_secs", "0"), ("live.history_max_bytes", "0")]).await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY, kind TEXT)").await;
    root.sql("INSERT INTO t VALUES (0, 'mine')").await;
    let sql = "SELECT * FROM t WHERE kind = 'mine'";
    let mut socket = root.connect().await;
    let mut with_progress = socket.subscribe("p", sql).await;
    let mut without = with_progress.clone();
    for id in 1..20 {
        root.sql(&format!("INSERT INTO t VALUES ({id}, 'of others')")).await;
    }
    let last = root.sql("UPDATE t SET kind = 'theirs' WHERE id > 0").await.seq();
    socket.follow(&mut with_progress, last).await;
    assert_eq!(with_progress.changes(), 0, "nothing concerned it");
    with_progress.progress(last);
    drop(socket);
    // It is trimmed from time to time; what is too old is gone when a client without a new point is reset.
    let trimmed = async {
        loop {
            let mut socket = root.connect().await;
            if socket.resume(&mut without, sql).await["reset"] == true {
                return;
            }
        }
    };
    tokio::time::timeout(kalamdb_testkit::PATIENCE, trimmed).await.expect("the history is trimmed");
    let mut socket = root.connect().await;
    let ack = socket.resume(&mut with_progress, sql).await;
    assert_eq!(ack["resumed"], true, "{ack}");
    let seq = root.sql("INSERT INTO t VALUES (100, 'mine')").await.seq();
    socket.follow(&mut with_progress, seq).await;
    with_progress.assert_equals(&root.rows(sql).await);
}
