//! Sockets that are not read: they are paused within their bound, caught up without a gap, cut off after
//! a while, and nobody else notices.

use kalamdb_testkit::{LiveRows, PATIENCE, Session, Socket, TestServer};
use serde_json::{Value as Json, json};

const OUTBOX: u64 = 256_000;

/// What waits for a socket beyond its bound: answers, which are always taken.
const ANSWERS: u64 = 2_000;

async fn server_with_table() -> (TestServer, Session) {
    let server = TestServer::with(&[("websocket.outbox_max_bytes", "256000")]).await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY, n INT, pad TEXT)").await;
    (server, root)
}

async fn queued_bytes(root: &Session, socket: &Socket) -> u64 {
    let sql = "SELECT queued_bytes FROM system.connections WHERE connection_id = $1";
    let rows = root.sql_with(sql, &[json!(socket.connection_id())]).await.rows();
    rows[0][0].to_string().trim_matches('"').parse().expect("a number")
}

async fn status(root: &Session, socket: &Socket, id: &str) -> Json {
    let sql = "SELECT status FROM system.live_queries WHERE connection_id = $1 AND subscription_id = $2";
    root.sql_with(sql, &[json!(socket.connection_id()), json!(id)]).await.rows()[0][0].clone()
}

const QUERIES: [(&str, &str); 3] = [
    ("filter", "SELECT * FROM t"),
    ("top", "SELECT id, pad FROM t ORDER BY id DESC LIMIT 10"),
    ("groups", "SELECT n % 3 AS g, COUNT(*) AS c, MAX(pad) AS m FROM t GROUP BY n % 3"),
];

async fn subscribe_all(socket: &mut Socket) -> Vec<LiveRows> {
    let mut live = Vec::new();
    for (id, sql) in QUERIES {
        live.push(socket.subscribe(id, sql).await);
    }
    live
}

/// One of several kinds of commit; gives its seq.
async fn commit(root: &Session, n: i32) -> u64 {
    let pad = json!("x".repeat(16_000));
    let insert = "INSERT INTO t VALUES ($1, $2, $3)";
    match n % 8 {
        3 => root.sql(&format!("UPDATE t SET n = n + 1 WHERE id IN ({n}, {})", n - 1)).await.seq(),
        5 => root.sql(&format!("DELETE FROM t WHERE id IN ({}, {})", n - 5, n / 2)).await.seq(),
        6 => {
            let sql =
                format!("BEGIN; {insert}; INSERT INTO t VALUES ($4, $2, $3); UPDATE t SET n = 0 WHERE id = 2; COMMIT");
            let params = [json!(n), json!(n), pad, json!(n + 1_000)];
            let results = root.try_all(&sql, &params).await.expect("a transaction");
            results.iter().filter_map(|result| result.json["seq"].as_u64()).max().expect("a seq")
        }
        _ => root.sql_with(insert, &[json!(n), json!(n), pad]).await.seq(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i7_a_stalled_socket_is_paused_within_its_bound_and_changes_nothing_for_others() {
    let (_server, root) = server_with_table().await;
    let (mut stalled, mut fast) = (root.connect_narrow().await, root.connect().await);
    let mut late = subscribe_all(&mut stalled).await;
    let mut live = subscribe_all(&mut fast).await;
    let mut seq = 0;
    for n in 0..100 {
        seq = commit(&root, n).await;
        if n % 5 == 4 {
            for rows in &mut live {
                fast.follow(rows, seq).await;
            }
        }
        let queued = queued_bytes(&root, &stalled).await;
        assert!(queued <= OUTBOX + ANSWERS, "{queued}");
    }
    assert_eq!(status(&root, &stalled, "filter").await, json!("paused"));
    for (rows, (id, sql)) in live.iter().zip(QUERIES) {
        assert_eq!(status(&root, &fast, id).await, json!("active"));
        rows.assert_equals(&root.rows(sql).await);
    }
    // It reads on: everything is there, in order, and it is told how it stood.
    stalled.until(seq).await;
    for (rows, (id, sql)) in late.iter_mut().zip(QUERIES) {
        let frames = stalled.take_of(id);
        let told: Vec<&str> = frames.iter().filter_map(|frame| frame["status"].as_str()).collect();
        assert!(told.chunks(2).all(|pair| pair == ["paused", "active"]), "{id}: {told:?}");
        assert!(id != "filter" || !told.is_empty(), "it was paused");
        for frame in &frames {
            assert!(frame["type"] != "subscription_ack", "the history was there, so nothing is sent anew");
            rows.apply(frame);
        }
        rows.assert_equals(&root.rows(sql).await);
        assert_eq!(status(&root, &stalled, id).await, json!("active"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i7_a_snapshot_that_is_half_read_waits_within_its_bound_and_goes_on_exactly() {
    let (_server, root) = server_with_table().await;
    root.sql("INSERT INTO t SELECT value, value, repeat('x', 1000) FROM generate_series(5000, 5199)").await;
    let mut stalled = root.connect_narrow().await;
    let mut late = Vec::new();
    for (id, sql) in [("filter", "SELECT * FROM t"), ("re-run", "SELECT id, n, pad FROM t WHERE n >= 0 ORDER BY id")] {
        stalled.send_subscribe(id, sql, &[], json!({ "batch_size": 5 })).await;
        late.push((LiveRows::new(&stalled.next_of(id).await), sql));
    }
    let mut seq = 0;
    for n in 0..100 {
        // It asks and does not read.
        if n % 10 == 0 {
            stalled.send(&json!({ "type": "next_batch", "subscription_id": "filter" })).await;
        }
        seq = commit(&root, n).await;
        let queued = queued_bytes(&root, &stalled).await;
        assert!(queued <= OUTBOX + ANSWERS, "{queued}");
    }
    for (rows, _) in &mut late {
        stalled.load(rows).await;
    }
    stalled.until(seq).await;
    for (rows, sql) in &mut late {
        stalled.follow(rows, seq).await;
        rows.assert_equals(&root.rows(sql).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i7_rows_larger_than_the_outbox_get_through_to_a_reader_that_stalls_between_them() {
    let (_server, root) = server_with_table().await;
    let huge = 300_000_u64;
    let insert = format!("INSERT INTO t VALUES ($1, $1, repeat('y', {huge}))");
    for id in 0..4 {
        root.sql_with(&insert, &[json!(id)]).await;
    }
    let mut stalled = root.connect_narrow().await;
    stalled.send_subscribe("s", "SELECT * FROM t", &[], json!({ "batch_size": 1 })).await;
    let mut seq = 0;
    for id in 4..16 {
        seq = root.sql_with(&insert, &[json!(id)]).await.seq();
        let queued = queued_bytes(&root, &stalled).await;
        assert!(queued <= OUTBOX / 2 + huge + ANSWERS, "one row beyond half of the bound: {queued}");
    }
    let mut rows = LiveRows::new(&stalled.next_of("s").await);
    stalled.load(&mut rows).await;
    for id in 16..28 {
        seq = root.sql_with(&insert, &[json!(id)]).await.seq();
        let queued = queued_bytes(&root, &stalled).await;
        assert!(queued <= OUTBOX / 2 + huge + ANSWERS, "{queued}");
    }
    stalled.until(seq).await;
    stalled.follow(&mut rows, seq).await;
    rows.assert_equals(&root.rows("SELECT * FROM t").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i7_many_stalled_sockets_of_one_query_are_caught_up_together() {
    let (server, root) = server_with_table().await;
    let mut stalled = Vec::new();
    for _ in 0..12 {
        let mut socket = root.connect_narrow().await;
        let rows = socket.subscribe("s", "SELECT * FROM t").await;
        stalled.push((socket, rows));
    }
    let mut seq = 0;
    for n in 0..120 {
        seq = commit(&root, n).await;
    }
    for (socket, rows) in &mut stalled {
        socket.until(seq).await;
        socket.follow(rows, seq).await;
        rows.assert_equals(&root.rows("SELECT * FROM t").await);
    }
    let text = server.http().get("/metrics", Some(&root.access_token)).await.body;
    assert!(text.as_str().expect("text").contains("kalamdb_live_log_passes_total"), "the log was read for them");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s19_after_how_long_a_reader_is_too_slow_is_a_setting_and_its_code_says_so() {
    let settings = [("websocket.slow_reader_timeout_secs", "1"), ("websocket.outbox_max_bytes", "256000")];
    let server = TestServer::with(&settings).await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY, n INT, pad TEXT)").await;
    let mut socket = root.connect_narrow().await;
    socket.subscribe("s", "SELECT * FROM t").await;
    let filling = async {
        for n in 0.. {
            commit(&root, n).await;
            if root.rows("SELECT connection_id FROM system.connections").await.is_empty() {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, filling).await.expect("it is cut off");
    assert_eq!(root.cell("SELECT COUNT(*) FROM system.live_queries").await, json!("0"));
    let closed = socket.closed().await;
    // Who reads on at once hears why; the stream of who does not is simply at its end.
    assert!([4008, 1006].contains(&closed.code), "{closed:?}");
    let text = server.http().get("/metrics", Some(&root.access_token)).await.body;
    let reason = r#"kalamdb_live_connections_closed_total{reason="reader_too_slow"} 1"#;
    assert!(text.as_str().expect("text").contains(reason), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i8_of_what_waited_for_a_stalled_socket_little_comes_after_its_kill() {
    let server = TestServer::with(&[("websocket.outbox_max_bytes", "4000000")]).await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY, pad TEXT)").await;
    let mut stalled = root.connect_narrow().await;
    stalled.subscribe("s", "SELECT * FROM t").await;
    for id in 0..100 {
        root.sql(&format!("INSERT INTO t VALUES ({id}, repeat('z', 32000))")).await;
    }
    root.sql(&format!("KILL CONNECTION '{}'", stalled.connection_id())).await;
    stalled.closed().await;
    // What had left stays sent: what the client's system holds, and the little that the server's may.
    let came: usize = stalled.take_of("s").iter().map(|frame| frame.to_string().len()).sum();
    assert!(came < 1_000_000, "{came} of 3,200,000 bytes");
}
