//! Coming back: after a lost socket or a restart, from any SeqId, with nothing lost or doubled.

use kalamdb_testkit::TestServer;
use serde_json::json;

const QUERIES: [&str; 5] = [
    "SELECT * FROM t",
    "SELECT id, n FROM t WHERE n > 10",
    "SELECT n FROM t",
    "SELECT kind, COUNT(*) AS c FROM t GROUP BY kind",
    "SELECT id, n FROM t ORDER BY n DESC, id LIMIT 2",
];

async fn table(server: &TestServer) -> kalamdb_testkit::Session {
    let root = server.root().await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY, kind TEXT, n INT)").await;
    root.sql("INSERT INTO t VALUES (1, 'a', 10), (2, 'b', 20), (3, 'a', 30)").await;
    root
}

async fn writes(root: &kalamdb_testkit::Session) -> u64 {
    root.sql("INSERT INTO t VALUES (4, 'c', 40)").await;
    root.sql("UPDATE t SET n = 5 WHERE id = 3").await;
    root.sql("DELETE FROM t WHERE id = 1").await;
    root.sql("UPDATE t SET n = n + 1").await.seq()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i2_a_lost_socket_comes_back_with_nothing_missed_and_nothing_twice() {
    let server = TestServer::start().await;
    let root = table(&server).await;
    let mut socket = root.connect().await;
    let mut live = Vec::new();
    for (n, sql) in QUERIES.iter().enumerate() {
        live.push(socket.subscribe(&format!("s{n}"), sql).await);
    }
    drop(socket);
    let seq = writes(&root).await;
    let mut socket = root.connect().await;
    for (live, sql) in live.iter_mut().zip(QUERIES) {
        let ack = socket.resume(live, sql).await;
        assert_eq!((&ack["resumed"], &ack["reset"]), (&json!(true), &json!(false)), "{sql}");
        socket.follow(live, seq).await;
        live.assert_equals(&root.rows(sql).await);
    }
    let seq = root.sql("INSERT INTO t VALUES (5, 'a', 50)").await.seq();
    for (live, sql) in live.iter_mut().zip(QUERIES) {
        socket.follow(live, seq).await;
        live.assert_equals(&root.rows(sql).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i2_a_restarted_server_resumes_its_clients() {
    let mut server = TestServer::start().await;
    let root = table(&server).await;
    let mut socket = root.connect().await;
    let mut live = Vec::new();
    for (n, sql) in QUERIES.iter().enumerate() {
        live.push(socket.subscribe(&format!("s{n}"), sql).await);
    }
    writes(&root).await;
    server.restart().await;
    let root = server.root().await;
    let seq = root.sql("INSERT INTO t VALUES (6, 'b', 60)").await.seq();
    let mut socket = root.connect().await;
    for (live, sql) in live.iter_mut().zip(QUERIES) {
        let ack = socket.resume(live, sql).await;
        assert_eq!(ack["resumed"], true, "{sql}: {ack}");
        socket.follow(live, seq).await;
        live.assert_equals(&root.rows(sql).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn resuming_where_nothing_happened_sends_nothing() {
    let server = TestServer::start().await;
    let root = table(&server).await;
    let mut socket = root.connect().await;
    let mut live = socket.subscribe("s", "SELECT * FROM t").await;
    drop(socket);
    let mut socket = root.connect().await;
    socket.resume(&mut live, "SELECT * FROM t").await;
    let seq = root.sql("INSERT INTO t VALUES (9, 'z', 9)").await.seq();
    socket.follow(&mut live, seq).await;
    assert_eq!(live.changes(), 1);
    live.assert_equals(&root.rows("SELECT * FROM t").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn resuming_from_a_seq_never_given_out_resets() {
    let server = TestServer::start().await;
    let root = table(&server).await;
    let mut socket = root.connect().await;
    for (n, from) in
        [json!(1_000_000_000), json!("9007199254740999"), json!(u64::MAX.to_string())].into_iter().enumerate()
    {
        let id = format!("s{n}");
        let live = socket.subscribe_with(&id, "SELECT * FROM t", &[], json!({ "from": from })).await;
        assert_eq!((&live.ack["resumed"], &live.ack["reset"]), (&json!(false), &json!(true)));
        live.assert_equals(&root.rows("SELECT * FROM t").await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn resuming_from_before_the_retained_history_resets() {
    let mut server = TestServer::with(&[("live.history_max_age_secs", "0"), ("live.history_max_bytes", "0")]).await;
    let root = table(&server).await;
    let mut socket = root.connect().await;
    let mut live = socket.subscribe("s", "SELECT * FROM t").await;
    drop(socket);
    let seq = writes(&root).await;
    // History is trimmed from time to time, and before a start answers.
    server.restart().await;
    let root = server.root().await;
    let mut socket = root.connect().await;
    let ack = socket.resume(&mut live, "SELECT * FROM t").await;
    assert_eq!((&ack["resumed"], &ack["reset"]), (&json!(false), &json!(true)), "{ack}");
    socket.follow(&mut live, seq).await;
    live.assert_equals(&root.rows("SELECT * FROM t").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_wins_over_last_rows_and_has_an_alias() {
    let server = TestServer::start().await;
    let root = table(&server).await;
    let seq = root.sql("INSERT INTO t VALUES (4, 'c', 40)").await.seq();
    let mut socket = root.connect().await;
    for (id, options) in
        [("a", json!({ "from": seq - 1, "last_rows": 3 })), ("b", json!({ "from_seq_id": (seq - 1).to_string() }))]
    {
        socket.send_subscribe(id, "SELECT id FROM t", &[], options).await;
        assert_eq!(socket.next_of(id).await["resumed"], true);
        let change = socket.next_of(id).await;
        assert_eq!((&change["type"], &change["rows"][0]["id"]), (&json!("change"), &json!(4)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_came_and_went_meanwhile_is_as_if_it_had_never_been() {
    let server = TestServer::start().await;
    let root = table(&server).await;
    let mut socket = root.connect().await;
    let mut live = socket.subscribe("s", "SELECT * FROM t").await;
    drop(socket);
    root.sql("INSERT INTO t VALUES (7, 'x', 7)").await;
    let seq = root.sql("DELETE FROM t WHERE id = 7").await.seq();
    let mut socket = root.connect().await;
    socket.resume(&mut live, "SELECT * FROM t").await;
    socket.follow(&mut live, seq).await;
    live.assert_equals(&root.rows("SELECT * FROM t").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_made_anew_under_an_old_name_resets_who_resumes() {
    let server = TestServer::start().await;
    let root = table(&server).await;
    let mut socket = root.connect().await;
    let mut live = socket.subscribe("s", "SELECT id FROM t").await;
    drop(socket);
    root.sql("DROP TABLE t; CREATE TABLE t (id INT PRIMARY KEY)").await;
    let seq = root.sql("INSERT INTO t VALUES (100)").await.seq();
    let mut socket = root.connect().await;
    let ack = socket.resume(&mut live, "SELECT id FROM t").await;
    assert_eq!(ack["reset"], true, "{ack}");
    socket.follow(&mut live, seq).await;
    live.assert_equals(&root.rows("SELECT id FROM t").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i2_a_crowd_that_comes_back_at_once_is_told_what_each_of_it_has_missed() {
    let server = TestServer::start().await;
    let root = table(&server).await;
    let queries = [
        "SELECT * FROM t",
        "SELECT id, kind FROM t WHERE n >= 10",
        "SELECT kind, COUNT(*) AS c FROM t GROUP BY kind",
        "SELECT id, n FROM t ORDER BY n DESC, id LIMIT 2",
    ];
    let mut crowd = Vec::new();
    for n in 0..24 {
        let sql = queries[n % queries.len()];
        let mut socket = root.connect().await;
        crowd.push((socket.subscribe("s", sql).await, sql));
        // Everybody leaves at another point.
        root.sql(&format!("INSERT INTO t VALUES ({}, 'c', {n})", 100 + n)).await;
    }
    let seq = writes(&root).await;
    let mut sockets = Vec::new();
    for _ in 0..crowd.len() {
        sockets.push(root.connect().await);
    }
    for (socket, (rows, sql)) in sockets.iter_mut().zip(&crowd) {
        socket.send_subscribe("s", sql, &[], json!({ "from": rows.seq() })).await;
    }
    for (socket, (rows, sql)) in sockets.iter_mut().zip(&mut crowd) {
        let ack = socket.next_of("s").await;
        assert_eq!(ack["resumed"], true, "{sql}: {ack}");
        rows.resumed(&ack);
        socket.follow(rows, seq).await;
        rows.assert_equals(&root.rows(sql).await);
    }
}
