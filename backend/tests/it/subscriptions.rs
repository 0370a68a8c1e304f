//! Many subscriptions on one socket, each with a life of its own.

use kalamdb_testkit::TestServer;
use serde_json::{Value as Json, json};

async fn table(server: &TestServer) -> kalamdb_testkit::Session {
    let root = server.root().await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY, kind TEXT, n INT)").await;
    root.sql("INSERT INTO t VALUES (1, 'a', 10), (2, 'b', 20), (3, 'a', 30)").await;
    root
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fr002_one_connection_hosts_many_independent_subscriptions() {
    let server = TestServer::start().await;
    let root = table(&server).await;
    let mut socket = root.connect().await;
    let queries = [
        "SELECT * FROM t",
        "SELECT * FROM t WHERE kind = 'a'",
        "SELECT id, n FROM t WHERE n > 15",
        "SELECT kind, COUNT(*) AS c FROM t GROUP BY kind",
        "SELECT * FROM t ORDER BY n DESC LIMIT 2",
    ];
    let mut live = Vec::new();
    for (n, sql) in queries.iter().enumerate() {
        live.push(socket.subscribe(&format!("s{n}"), sql).await);
    }
    let mut seq = 0;
    for sql in ["INSERT INTO t VALUES (4, 'a', 40)", "UPDATE t SET n = 12 WHERE id = 3", "DELETE FROM t WHERE id = 1"] {
        seq = root.sql(sql).await.seq();
    }
    for (live, sql) in live.iter_mut().zip(queries) {
        socket.follow(live, seq).await;
        live.assert_equals(&root.rows(sql).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn us1_a_subscription_ended_alone_leaves_the_others_and_the_socket() {
    let server = TestServer::start().await;
    let root = table(&server).await;
    let mut socket = root.connect().await;
    let mut kept = socket.subscribe("kept", "SELECT * FROM t").await;
    socket.subscribe("ended", "SELECT * FROM t").await;
    assert_eq!(socket.unsubscribe("ended").await, "unsubscribed");
    let seq = root.sql("INSERT INTO t VALUES (4, 'c', 1)").await.seq();
    socket.follow(&mut kept, seq).await;
    kept.assert_equals(&root.rows("SELECT * FROM t").await);
    assert_eq!(socket.take_of("ended"), Vec::<Json>::new(), "nothing comes after the answer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sc001_of_two_subscriptions_one_is_unsubscribed_and_the_other_unaffected_every_time() {
    let server = TestServer::start().await;
    let root = table(&server).await;
    let mut socket = root.connect().await;
    let mut stays = socket.subscribe("stays", "SELECT * FROM t WHERE kind = 'a'").await;
    for round in 0..25 {
        socket.subscribe("goes", "SELECT * FROM t WHERE kind = 'a'").await;
        let id = 100 + round;
        root.sql(&format!("INSERT INTO t VALUES ({id}, 'a', {round})")).await;
        assert_eq!(socket.unsubscribe("goes").await, "unsubscribed");
        let seq = root.sql(&format!("UPDATE t SET n = n + 1 WHERE id = {id}")).await.seq();
        socket.follow(&mut stays, seq).await;
        stays.assert_equals(&root.rows("SELECT * FROM t WHERE kind = 'a'").await);
        socket.take_of("goes");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fr003_a_second_subscription_of_an_active_id_is_refused_and_the_first_lives_on() {
    let server = TestServer::start().await;
    let root = table(&server).await;
    let mut socket = root.connect().await;
    let mut first = socket.subscribe("s", "SELECT * FROM t").await;
    socket.send_subscribe("s", "SELECT 1", &[], json!({})).await;
    let error = socket.next_of("s").await;
    assert_eq!((&error["type"], &error["code"]), (&json!("error"), &json!("SUBSCRIPTION_EXISTS")));
    let seq = root.sql("DELETE FROM t WHERE id = 1").await.seq();
    socket.follow(&mut first, seq).await;
    first.assert_equals(&root.rows("SELECT * FROM t").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fr003_one_id_may_be_used_on_two_connections_and_again_after_it_ended() {
    let server = TestServer::start().await;
    let root = table(&server).await;
    let (mut one, mut two) = (root.connect().await, root.connect().await);
    one.subscribe("s", "SELECT * FROM t").await;
    two.subscribe("s", "SELECT id FROM t").await;
    let rows = root.rows("SELECT connection_id, subscription_id FROM system.live_queries").await;
    assert_eq!(rows.len(), 2);
    assert_eq!(one.unsubscribe("s").await, "unsubscribed");
    let again = one.subscribe("s", "SELECT * FROM t WHERE id = 1").await;
    assert_eq!(again.cells().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fr008_unsubscribing_what_is_not_there_is_answered_and_harms_nothing() {
    let server = TestServer::start().await;
    let root = table(&server).await;
    let mut socket = root.connect().await;
    assert_eq!(socket.unsubscribe("never").await, "not_found");
    socket.subscribe("s", "SELECT * FROM t").await;
    assert_eq!(socket.unsubscribe("s").await, "unsubscribed");
    assert_eq!(socket.unsubscribe("s").await, "not_found");
    socket.subscribe("s", "SELECT * FROM t").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_over_long_or_unprintable_subscription_id_is_refused_with_the_reason() {
    let server = TestServer::start().await;
    let root = table(&server).await;
    let mut socket = root.connect().await;
    for id in ["", "a\nb", &"x".repeat(129)] {
        socket.send_subscribe(id, "SELECT * FROM t", &[], json!({})).await;
        let error = socket.next().await;
        assert_eq!((&error["type"], &error["code"]), (&json!("error"), &json!("INVALID_SUBSCRIPTION_ID")), "{id:?}");
    }
    socket.subscribe(&"x".repeat(128), "SELECT * FROM t").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_that_fails_is_answered_by_an_error_instead_of_an_ack() {
    let server = TestServer::start().await;
    let root = table(&server).await;
    root.sql("CREATE SHARED TABLE secrets (id INT PRIMARY KEY); CREATE SHARED TABLE drop_box (id INT PRIMARY KEY)")
        .await;
    root.sql("GRANT INSERT ON drop_box TO ROLE user").await;
    let anna = server.user("anna", "user").await;
    let mut socket = anna.connect().await;
    for (sql, code) in [
        ("SELEC", "INVALID_SQL"),
        ("", "EMPTY_SQL"),
        ("SELECT * FROM missing", "NOT_FOUND"),
        ("SELECT nothing FROM t", "NOT_FOUND"),
        ("SELECT * FROM secrets", "NOT_FOUND"),
        ("SELECT * FROM drop_box", "PERMISSION_DENIED"),
        ("SELECT * FROM t WHERE id = $1", "INVALID_PARAMETER"),
    ] {
        socket.send_subscribe("s", sql, &[], json!({})).await;
        let error = socket.next_of("s").await;
        assert_eq!((&error["type"], &error["code"]), (&json!("error"), &json!(code)), "{sql}: {error}");
    }
    for sql in ["INSERT INTO t VALUES (9, 'x', 1)", "DELETE FROM t", "SELECT 1; SELECT 2", "CREATE NAMESPACE n"] {
        socket.send_subscribe("s", sql, &[], json!({})).await;
        let error = socket.next_of("s").await;
        assert_eq!(error["type"], "error", "{sql}: {error}");
    }
    socket.subscribe("s", "SELECT * FROM t").await;
    assert_eq!(root.cell("SELECT COUNT(*) FROM system.live_queries").await, json!("1"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parameters_and_the_namespace_of_a_subscription_are_its_own() {
    let server = TestServer::start().await;
    let root = table(&server).await;
    root.sql("CREATE NAMESPACE n; CREATE TABLE n.t (id INT PRIMARY KEY); INSERT INTO n.t VALUES (77)").await;
    let mut socket = root.connect().await;
    let sql = "SELECT id FROM t WHERE kind = $1 AND n > $2";
    let mut a = socket.subscribe_with("a", sql, &[json!("a"), json!(15)], json!({})).await;
    let mut b = socket.subscribe_with("b", sql, &[json!("b"), json!(15)], json!({})).await;
    let seq = root.sql("INSERT INTO t VALUES (4, 'b', 16), (5, 'a', 1)").await.seq();
    socket.follow(&mut a, seq).await;
    socket.follow(&mut b, seq).await;
    a.assert_equals(&[vec![json!(3)]]);
    b.assert_equals(&[vec![json!(2)], vec![json!(4)]]);

    let subscription = json!({ "id": "n", "sql": "SELECT id FROM t", "namespace_id": "n" });
    socket.send(&json!({ "type": "subscribe", "subscription": subscription })).await;
    assert_eq!(socket.next_of("n").await["total_rows"], 1);
    assert_eq!(socket.next_of("n").await["rows"][0]["id"], 77);
}
