//! How a live query begins: whole, in pages, with the last rows, or not at all.

use kalamdb_testkit::TestServer;
use serde_json::json;

async fn numbers(settings: &[(&str, &str)], rows: u32) -> (TestServer, kalamdb_testkit::Session) {
    let server = TestServer::with(settings).await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY, n INT)").await;
    for id in 1..=rows {
        root.sql(&format!("INSERT INTO t VALUES ({id}, {})", rows - id)).await;
    }
    (server, root)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_comes_in_pages_each_asked_for_but_the_first() {
    let (_server, root) = numbers(&[], 7).await;
    let mut socket = root.connect().await;
    socket.send_subscribe("s", "SELECT * FROM t", &[], json!({ "batch_size": 3 })).await;
    let ack = socket.next_of("s").await;
    assert_eq!((&ack["type"], &ack["total_rows"]), (&json!("subscription_ack"), &json!(7)));
    assert_eq!((&ack["key"], &ack["strategy"]), (&json!(["id"]), &json!("filter")));
    let mut sizes = Vec::new();
    for page in 0.. {
        let batch = socket.next_of("s").await;
        assert_eq!(
            (&batch["type"], &batch["batch_control"]["batch_num"]),
            (&json!("initial_data_batch"), &json!(page))
        );
        sizes.push(batch["rows"].as_array().unwrap().len());
        if batch["batch_control"]["status"] == "ready" {
            break;
        }
        socket.send(&json!({ "type": "next_batch", "subscription_id": "s" })).await;
    }
    assert_eq!(sizes, [3, 3, 1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_snapshot_is_ready_at_once() {
    let (_server, root) = numbers(&[], 0).await;
    let mut socket = root.connect().await;
    let live = socket.subscribe("s", "SELECT * FROM t").await;
    assert!(live.ready() && live.cells().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i1_writes_while_the_pages_are_read_are_neither_lost_nor_doubled() {
    let (_server, root) = numbers(&[("live.batch_rows", "2")], 9).await;
    let mut socket = root.connect().await;
    for sql in ["SELECT * FROM t", "SELECT id, n FROM t ORDER BY n, id", "SELECT n FROM t"] {
        socket.send_subscribe("s", sql, &[], json!({})).await;
        let mut live = kalamdb_testkit::LiveRows::new(&socket.next_of("s").await);
        let mut seq = 0;
        let mut writes = [
            "UPDATE t SET n = n + 1 WHERE id = 9",
            "DELETE FROM t WHERE id = 1",
            "INSERT INTO t VALUES (1, 0)",
            "UPDATE t SET n = 100 WHERE id = 2",
        ]
        .into_iter();
        while !live.ready() {
            if let Some(write) = writes.next() {
                seq = root.sql(write).await.seq();
            }
            let frame = socket.next_of("s").await;
            if live.apply(&frame) {
                socket.send(&json!({ "type": "next_batch", "subscription_id": "s" })).await;
            }
        }
        socket.follow(&mut live, seq).await;
        live.assert_equals(&root.rows(sql).await);
        assert_eq!(socket.unsubscribe("s").await, "unsubscribed");
        socket.take_of("s");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn last_rows_begins_with_the_rows_written_last() {
    let (_server, root) = numbers(&[], 6).await;
    root.sql("UPDATE t SET n = 50 WHERE id = 2").await;
    let mut socket = root.connect().await;
    let mut live = socket.subscribe_with("s", "SELECT id FROM t", &[], json!({ "last_rows": 2 })).await;
    live.assert_equals(&[vec![json!(2)], vec![json!(6)]]);
    let seq = root.sql("INSERT INTO t VALUES (7, 0)").await.seq();
    socket.follow(&mut live, seq).await;
    live.assert_equals(&[vec![json!(2)], vec![json!(6)], vec![json!(7)]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn options_null_or_without_initial_begin_with_live_changes_only() {
    let (_server, root) = numbers(&[], 3).await;
    let mut socket = root.connect().await;
    for (n, options) in [json!(null), json!({ "without_initial": true })].into_iter().enumerate() {
        let id = format!("s{n}");
        let mut live = socket.subscribe_with(&id, "SELECT * FROM t", &[], options).await;
        assert_eq!((live.cells().len(), &live.ack["batch_control"]["status"]), (0, &json!("ready")));
        let key = 10 + n;
        let seq = root.sql(&format!("INSERT INTO t VALUES ({key}, 0)")).await.seq();
        socket.follow(&mut live, seq).await;
        assert_eq!(live.cells().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn next_batch_of_nothing_is_an_error_that_harms_nothing() {
    let (_server, root) = numbers(&[], 3).await;
    let mut socket = root.connect().await;
    socket.send(&json!({ "type": "next_batch", "subscription_id": "none" })).await;
    let error = socket.next().await;
    assert_eq!((&error["type"], &error["subscription_id"]), (&json!("error"), &json!("none")), "{error}");
    socket.subscribe("s", "SELECT * FROM t").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_is_a_point_to_resume_from() {
    let (_server, root) = numbers(&[], 6).await;
    let mut socket = root.connect().await;
    socket.send_subscribe("s", "SELECT id, n FROM t", &[], json!({ "batch_size": 4 })).await;
    socket.next_of("s").await;
    let page = socket.next_of("s").await;
    let from = page["batch_control"]["last_seq_id"].clone();
    let held: Vec<_> = page["rows"].as_array().unwrap().iter().map(|row| row["id"].clone()).collect();
    assert_eq!(held, [json!(1), json!(2), json!(3), json!(4)]);
    drop(socket);
    let mut socket = root.connect().await;
    socket.send_subscribe("s", "SELECT id, n FROM t", &[], json!({ "from": from })).await;
    let ack = socket.next_of("s").await;
    assert_eq!(ack["resumed"], true, "{ack}");
    let mut rest = Vec::new();
    while rest.len() < 2 {
        let change = socket.next_of("s").await;
        rest.extend(change["rows"].as_array().unwrap().iter().map(|row| row["id"].clone()));
    }
    assert_eq!(rest, [json!(5), json!(6)]);
}
