//! An administrator ends connections and live queries with SQL.

use std::time::Duration;

use kalamdb_testkit::{Closed, Socket, TestServer};
use serde_json::{Value as Json, json};

/// What the requirements allow between the statement and the closed socket.
const ALLOWED: Duration = Duration::from_secs(5);

async fn closed_in_time(socket: &mut Socket) -> Closed {
    tokio::time::timeout(ALLOWED, socket.closed()).await.expect("closed within five seconds")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn us3_kill_connection_closes_the_socket_and_all_its_subscriptions() {
    let server = TestServer::start().await;
    let root = server.root().await;
    let anna = server.user("anna", "user").await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY)").await;
    let (mut socket, mut other) = (anna.connect().await, anna.connect().await);
    socket.subscribe("a", "SELECT * FROM t").await;
    socket.subscribe("b", "SELECT * FROM t WHERE id > 5").await;
    let mut live = other.subscribe("a", "SELECT * FROM t").await;
    root.sql(&format!("KILL CONNECTION '{}'", socket.connection_id())).await;
    let rows = root.rows("SELECT connection_id FROM system.live_queries").await;
    assert_eq!(rows, [[json!(other.connection_id())]], "its rows are gone when the statement returns");
    let Closed { code, reason } = closed_in_time(&mut socket).await;
    assert_eq!(code, 4003);
    assert!(reason.contains("kill"), "{reason}");
    let seq = anna.sql("INSERT INTO t VALUES (1)").await.seq();
    other.follow(&mut live, seq).await;
    live.assert_equals(&[vec![json!(1)]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fr005_only_administrators_kill_and_an_unknown_id_is_not_found() {
    let server = TestServer::start().await;
    let root = server.root().await;
    let (anna, robot, admin) =
        (server.user("anna", "user").await, server.user("robot", "service").await, server.user("admin", "dba").await);
    let mut socket = anna.connect().await;
    socket.subscribe("s", "SELECT 1 AS one").await;
    let connection = format!("KILL CONNECTION '{}'", socket.connection_id());
    let query = format!("KILL LIVE QUERY 'anna-{}-s'", socket.connection_id());
    for (session, sql) in [(&anna, &connection), (&anna, &query), (&robot, &connection), (&robot, &query)] {
        assert_eq!(session.sql_fails(sql).await.code, "PERMISSION_DENIED", "not even its own");
    }
    let unknown = root.sql_fails("KILL CONNECTION '0123456789abcdef0123456789abcdef'").await;
    assert_eq!(unknown.code, "NOT_FOUND");
    for sql in ["KILL CONNECTION 'nonsense'", "KILL LIVE QUERY 'nonsense'"] {
        let unknown = root.sql_fails(sql).await;
        assert_eq!(unknown.code, "NOT_FOUND", "{sql}");
        assert!(unknown.message.contains("must"), "it says how an id reads: {unknown}");
    }
    admin.sql(&connection).await;
    assert_eq!(closed_in_time(&mut socket).await.code, 4003);
    assert_eq!(root.sql_fails(&connection).await.code, "NOT_FOUND", "gone is gone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fr005_kill_live_query_ends_that_one_only() {
    let server = TestServer::start().await;
    let root = server.root().await;
    let anna = server.user("anna-b", "user").await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY)").await;
    let mut socket = anna.connect().await;
    let mut stays = socket.subscribe("stays", "SELECT * FROM t").await;
    socket.subscribe("goes-now", "SELECT * FROM t").await;
    let live_id = format!("anna-b-{}-goes-now", socket.connection_id());
    let listed = root.rows("SELECT live_id FROM system.live_queries WHERE subscription_id = 'goes-now'").await;
    assert_eq!(listed, [[json!(live_id)]]);
    root.sql(&format!("KILL LIVE QUERY '{live_id}'")).await;
    assert_eq!(root.cell("SELECT COUNT(*) FROM system.live_queries").await, json!("1"));
    let error = socket.next_of("goes-now").await;
    assert_eq!((&error["type"], &error["code"]), (&json!("error"), &json!("KILLED")));
    let seq = anna.sql("INSERT INTO t VALUES (1)").await.seq();
    socket.follow(&mut stays, seq).await;
    stays.assert_equals(&[vec![json!(1)]]);
    assert_eq!(socket.take_of("goes-now"), Vec::<Json>::new());
    assert_eq!(socket.unsubscribe("goes-now").await, "not_found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fr006_an_administrator_can_kill_its_own_connection() {
    let server = TestServer::start().await;
    let root = server.root().await;
    let mut socket = root.connect().await;
    root.sql(&format!("KILL CONNECTION '{}'", socket.connection_id())).await;
    assert_eq!(closed_in_time(&mut socket).await.code, 4003);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sc002_kill_is_over_within_five_seconds_every_time() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY)").await;
    for _ in 0..20 {
        let mut socket = root.connect().await;
        socket.subscribe("a", "SELECT * FROM t").await;
        root.sql(&format!("KILL CONNECTION '{}'", socket.connection_id())).await;
        assert_eq!(root.cell("SELECT COUNT(*) FROM system.live_queries").await, json!("0"));
        assert_eq!(closed_in_time(&mut socket).await.code, 4003);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i8_after_a_kill_no_further_row_reaches_the_socket() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY)").await;
    let mut socket = root.connect().await;
    socket.subscribe("s", "SELECT * FROM t").await;
    for id in 0..50 {
        root.sql(&format!("INSERT INTO t VALUES ({id})")).await;
    }
    root.sql(&format!("KILL CONNECTION '{}'", socket.connection_id())).await;
    let after = root.sql("INSERT INTO t VALUES (1000)").await.seq();
    assert_eq!(closed_in_time(&mut socket).await.code, 4003);
    assert!(socket.take_of("s").iter().all(|frame| frame["seq"].as_u64() < Some(after)));
}
