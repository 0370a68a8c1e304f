//! Every limit is reached, and what happens then is a clear answer.

use kalamdb_testkit::{Socket, TestServer};
use serde_json::{Value as Json, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s15_subscriptions_per_connection_are_limited_and_the_others_live_on() {
    let server = TestServer::with(&[("live.max_subscriptions_per_connection", "300")]).await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY)").await;
    let mut socket = root.connect().await;
    let mut live = Vec::new();
    for n in 0..300 {
        live.push(socket.subscribe(&format!("s{n}"), &format!("SELECT * FROM t WHERE id > {n}")).await);
    }
    socket.send_subscribe("one-more", "SELECT * FROM t", &[], json!({})).await;
    let error = socket.next_of("one-more").await;
    assert_eq!((&error["type"], &error["code"]), (&json!("error"), &json!("SUBSCRIPTION_LIMIT_EXCEEDED")));
    assert!(error["message"].as_str().unwrap().contains("300"), "{error}");
    let seq = root.sql("INSERT INTO t VALUES (150)").await.seq();
    for (n, live) in live.iter_mut().enumerate() {
        socket.follow(live, seq).await;
        assert_eq!(live.cells().len(), usize::from(n < 150), "s{n}");
    }
    socket.unsubscribe("s0").await;
    socket.subscribe("one-more", "SELECT * FROM t").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s15_subscriptions_per_user_are_limited_over_all_connections() {
    let server = TestServer::with(&[("live.max_subscriptions_per_user", "3")]).await;
    let (anna, ben) = (server.user("anna", "user").await, server.user("ben", "user").await);
    server.root().await.sql("CREATE TABLE t (id INT PRIMARY KEY)").await;
    let (mut first, mut second, mut other) = (anna.connect().await, anna.connect().await, ben.connect().await);
    first.subscribe("a", "SELECT * FROM t").await;
    first.subscribe("b", "SELECT * FROM t").await;
    second.subscribe("a", "SELECT * FROM t").await;
    second.send_subscribe("b", "SELECT * FROM t", &[], json!({})).await;
    let error = second.next_of("b").await;
    assert_eq!((&error["type"], &error["code"]), (&json!("error"), &json!("SUBSCRIPTION_LIMIT_EXCEEDED")));
    other.subscribe("a", "SELECT * FROM t").await;
    first.unsubscribe("b").await;
    second.subscribe("b", "SELECT * FROM t").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s15_connections_per_user_are_limited() {
    let server = TestServer::with(&[("live.max_connections_per_user", "2")]).await;
    let (anna, ben) = (server.user("anna", "user").await, server.user("ben", "user").await);
    let (first, _second) = (anna.connect().await, anna.connect().await);
    let mut third = Socket::open(server.addr()).await;
    third.send(&json!({ "type": "authenticate", "method": "jwt", "token": anna.access_token })).await;
    assert_eq!(third.closed().await.code, 4029);
    ben.connect().await;
    first.close().await;
    let root = server.root().await;
    root.until_rows("SELECT COUNT(*) FROM system.connections WHERE user_id = 'anna'", |rows| rows == [[json!("1")]])
        .await;
    anna.connect().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i7_a_slow_reader_is_paused_within_its_bound_and_caught_up_without_a_gap() {
    let server = TestServer::with(&[("websocket.outbox_max_bytes", "200000")]).await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY, n INT, pad TEXT)").await;
    let mut slow = root.connect().await;
    let mut fast = root.connect().await;
    let mut slow_rows = slow.subscribe("s", "SELECT * FROM t").await;
    let mut fast_rows = fast.subscribe("s", "SELECT * FROM t").await;
    let pad = "x".repeat(400_000);
    let mut seq = 0;
    for id in 0..60 {
        let sql = "INSERT INTO t VALUES ($1, 0, $2)";
        seq = root.sql_with(sql, &[json!(id % 6 + 10 * (id / 6)), json!(pad)]).await.seq();
        fast.follow(&mut fast_rows, seq).await;
        let queued = root.rows("SELECT queued_bytes FROM system.connections").await;
        for row in queued {
            let bytes: u64 = row[0].to_string().trim_matches('"').parse().unwrap();
            assert!(bytes <= 200_000 + 2 * 400_500, "queued {bytes}");
        }
    }
    fast_rows.assert_equals(&root.rows("SELECT * FROM t").await);
    slow.until(seq).await;
    let frames = slow.take_of("s");
    assert!(frames.iter().any(|frame| frame["status"] == "paused"), "it was paused");
    for frame in frames {
        if slow_rows.apply(&frame) {
            slow.send(&json!({ "type": "next_batch", "subscription_id": "s" })).await;
        }
    }
    slow.load(&mut slow_rows).await;
    slow.follow(&mut slow_rows, seq).await;
    slow_rows.assert_equals(&root.rows("SELECT * FROM t").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s16_a_deep_or_huge_statement_costs_an_answer_and_not_the_server() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY, a TEXT); INSERT INTO t VALUES (1, 'x')").await;
    let deep = |open: &str, middle: &str, close: &str, times: usize| {
        format!("SELECT id FROM t WHERE {}{middle}{}", open.repeat(times), close.repeat(times))
    };
    let list: Vec<String> = (0..100_000).map(|n| n.to_string()).collect();
    let statements = [
        deep("(", "id = 1", ")", 5_000),
        deep("NOT ", "id = 1", "", 5_000),
        deep("- ", "id = 1", "", 5_000),
        deep("abs(", "id", ")", 5_000),
        deep("CASE WHEN id = 1 THEN true ELSE ", "false", " END", 5_000),
        deep("CASE WHEN ", "id = 1", " THEN id = 2 ELSE id = 3 END", 40),
        deep("coalesce(", "id = 1", ", false)", 40),
        deep("(", "(id = 1)", " BETWEEN false AND true)", 40),
        deep("", "id = 1", " OR id = 2", 20_000),
        deep("", "id = 1", " AND id + 1 = 2", 20_000),
        deep("id IN (SELECT id FROM t WHERE ", "id = 1", ")", 500),
        format!("SELECT id FROM t WHERE id IN ({})", list.join(",")),
        format!("SELECT {}", "1 + ".repeat(20_000) + "1"),
        format!("SELECT {}1{}", "[".repeat(5_000), "]".repeat(5_000)),
        format!("SELECT id FROM t WHERE a LIKE '{}'", "%a".repeat(5_000)),
        format!("SELECT id FROM t WHERE a ~ '{}'", "(a*)*".repeat(1_000)),
        format!("SELECT 1 {}", "UNION ALL SELECT 1 ".repeat(5_000)),
        "WITH ".to_owned()
            + &(0..2_000).map(|n| format!("c{n} AS (SELECT 1)")).collect::<Vec<_>>().join(",")
            + " SELECT 1",
        "SELECT 1;".repeat(10_000),
    ];
    for sql in &statements {
        let start: String = sql.chars().take(60).collect();
        if let Err(failure) = root.try_all(sql, &[]).await {
            assert!(matches!(failure.status, 400 | 413), "{start}: {failure:?}");
        }
        assert_eq!(root.cell("SELECT id FROM t").await, json!(1), "{start}");
    }
    let mut socket = root.connect().await;
    for sql in statements.iter().filter(|sql| sql.len() < 900_000) {
        socket.send_subscribe("s", sql, &[], json!({})).await;
        let answer = socket.next_of("s").await;
        if answer["type"] == "subscription_ack" {
            socket.unsubscribe("s").await;
            socket.take_of("s");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s16_hostile_patterns_are_answered_by_live_queries_too() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY, a TEXT)").await;
    let mut socket = root.connect().await;
    let sql = format!("SELECT * FROM t WHERE a LIKE '{}b'", "%a".repeat(30));
    let mut live = socket.subscribe("s", &sql).await;
    let seq = root.sql_with("INSERT INTO t VALUES (1, $1)", &[json!("a".repeat(5_000))]).await.seq();
    socket.follow(&mut live, seq).await;
    live.assert_equals(&root.rows(&sql).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s15_too_many_parameters_or_columns_are_refused() {
    let server = TestServer::start().await;
    let root = server.root().await;
    let params: Vec<Json> = (0..100_000).map(|n| json!(n)).collect();
    let failure = root.try_all("SELECT $1", &params).await.unwrap_err();
    assert!(matches!(failure.status, 400 | 413), "{failure}");
    let columns: Vec<String> = (0..20_000).map(|n| format!("c{n} INT")).collect();
    let failure = root.sql_fails(&format!("CREATE TABLE wide (id INT PRIMARY KEY, {})", columns.join(", "))).await;
    assert!(matches!(failure.status, 400 | 413), "{failure}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s17_numbers_at_the_edge_are_errors_and_not_panics() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id BIGINT PRIMARY KEY, s SMALLINT)").await;
    for sql in [
        "SELECT 9223372036854775807 + 1",
        "SELECT -9223372036854775808 - 1",
        "SELECT abs(-9223372036854775808)",
        "SELECT 1 / 0",
        "SELECT 1 % 0",
        "INSERT INTO t VALUES (9223372036854775808, 1)",
        "INSERT INTO t VALUES (1, 32768)",
        "SELECT CAST(1e300 AS BIGINT)",
        "SELECT * FROM t LIMIT 9223372036854775807 OFFSET 9223372036854775807",
        "SELECT repeat('x', 9223372036854775807)",
        "SELECT repeat('x', 2000000000)",
        "SELECT * FROM generate_series(1, 9223372036854775807) LIMIT 1",
        "SELECT DATE '9999999-01-01'",
        "SELECT INTERVAL '99999999999999 years'",
        "SELECT to_timestamp(9223372036854775807)",
    ] {
        let answer = root.http.sql(Some(&root.access_token), sql, &[]).await;
        assert!(matches!(answer.status, 200 | 400 | 413), "{sql}: {answer:?}");
    }
    assert_eq!(root.cell("SELECT COUNT(*) FROM t").await, json!("0"));
    let mut socket = root.connect().await;
    for (n, options) in [
        json!({ "batch_size": 0 }),
        json!({ "batch_size": u32::MAX }),
        json!({ "last_rows": 0 }),
        json!({ "last_rows": u32::MAX }),
        json!({ "from": 0 }),
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("s{n}");
        socket.send_subscribe(&id, "SELECT * FROM t", &[], options.clone()).await;
        let answer = socket.next_of(&id).await;
        assert!(answer["type"] == "subscription_ack" || answer["type"] == "error", "{options}: {answer}");
    }
}
