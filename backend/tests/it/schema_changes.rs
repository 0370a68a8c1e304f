//! Tables that are altered or dropped under a live query.

use kalamdb_testkit::TestServer;
use serde_json::{Value as Json, json};

async fn table(server: &TestServer) -> kalamdb_testkit::Session {
    let root = server.root().await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY, a TEXT, b INT); INSERT INTO t VALUES (1, 'x', 1)").await;
    root
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_table_ends_its_live_queries_and_no_others() {
    let server = TestServer::start().await;
    let root = table(&server).await;
    root.sql("CREATE TABLE u (id INT PRIMARY KEY)").await;
    let mut socket = root.connect().await;
    socket.subscribe("filter", "SELECT * FROM t").await;
    socket.subscribe("join", "SELECT t.id FROM t JOIN u ON t.id = u.id").await;
    let mut other = socket.subscribe("other", "SELECT * FROM u").await;
    root.sql("DROP TABLE t").await;
    for id in ["filter", "join"] {
        let error = socket.next_of(id).await;
        assert_eq!((&error["type"], &error["code"]), (&json!("error"), &json!("NOT_FOUND")), "{id}");
        assert_eq!(socket.unsubscribe(id).await, "not_found");
    }
    let seq = root.sql("INSERT INTO u VALUES (1)").await.seq();
    socket.follow(&mut other, seq).await;
    other.assert_equals(&[vec![json!(1)]]);
    assert_eq!(root.rows("SELECT subscription_id FROM system.live_queries").await, [[json!("other")]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_column_ends_the_queries_that_name_it_and_no_others() {
    let server = TestServer::start().await;
    let root = table(&server).await;
    let mut socket = root.connect().await;
    socket.subscribe("selects", "SELECT id, b FROM t").await;
    socket.subscribe("filters", "SELECT id FROM t WHERE b > 0").await;
    let mut without = socket.subscribe("without", "SELECT id, a FROM t").await;
    root.sql("ALTER TABLE t DROP COLUMN b").await;
    for id in ["selects", "filters"] {
        let error = socket.next_of(id).await;
        assert_eq!((&error["type"], &error["code"]), (&json!("error"), &json!("NOT_FOUND")), "{id}");
    }
    let seq = root.sql("INSERT INTO t VALUES (2, 'y')").await.seq();
    socket.follow(&mut without, seq).await;
    without.assert_equals(&root.rows("SELECT id, a FROM t").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_added_column_leaves_live_queries_as_they_were() {
    let server = TestServer::start().await;
    let root = table(&server).await;
    let mut socket = root.connect().await;
    let mut live = socket.subscribe("s", "SELECT id, a, b FROM t WHERE b >= 1").await;
    root.sql("ALTER TABLE t ADD COLUMN c INT DEFAULT 5").await;
    let seq = root.sql("INSERT INTO t VALUES (2, 'y', 2, 9)").await.seq();
    socket.follow(&mut live, seq).await;
    live.assert_equals(&root.rows("SELECT id, a, b FROM t WHERE b >= 1").await);
    assert_eq!(root.rows("SELECT id, c FROM t ORDER BY id").await, [[json!(1), json!(5)], [json!(2), json!(9)]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_column_that_returns_under_an_old_name_is_another_column() {
    let server = TestServer::start().await;
    let root = table(&server).await;
    root.sql("ALTER TABLE t DROP COLUMN b").await;
    assert_eq!(root.sql_fails("SELECT b FROM t").await.code, "NOT_FOUND");
    root.sql("ALTER TABLE t ADD COLUMN b TEXT").await;
    assert_eq!(root.rows("SELECT * FROM t").await, [[json!(1), json!("x"), Json::Null]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_column_cannot_be_dropped() {
    let server = TestServer::start().await;
    let root = table(&server).await;
    assert_eq!(root.sql_fails("ALTER TABLE t DROP COLUMN id").await.status, 400);
    assert_eq!(root.rows("SELECT id FROM t").await, [[json!(1)]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_that_is_built_later_answers_like_the_table() {
    let server = TestServer::start().await;
    let root = table(&server).await;
    root.sql("INSERT INTO t SELECT value, 'k' || (value % 5), value FROM generate_series(2, 60)").await;
    let sql = "SELECT id FROM t WHERE a = 'k3' ORDER BY id";
    let before = root.rows(sql).await;
    root.sql("CREATE INDEX t_a ON t (a)").await;
    assert_eq!(root.rows(sql).await, before);
    root.sql("UPDATE t SET a = 'k3' WHERE id = 2; DELETE FROM t WHERE id = 3").await;
    let indexed = root.rows(sql).await;
    root.sql("DROP INDEX t_a ON t").await;
    assert_eq!(root.rows(sql).await, indexed);
    assert_eq!(root.sql_fails("CREATE UNIQUE INDEX t_u ON t (a)").await.code, "CONSTRAINT_VIOLATION");
}

/// A live query per strategy, each with what is to be done in place of `SELECT *`.
const BOTH: [(&str, &str); 2] =
    [("filter", "SELECT * FROM t WHERE id > 0"), ("re-run", "SELECT * FROM t ORDER BY id LIMIT 1000")];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_of_all_columns_keeps_those_it_began_with_when_one_is_added() {
    let server = TestServer::start().await;
    let root = table(&server).await;
    let mut socket = root.connect().await;
    let mut live = Vec::new();
    for (strategy, sql) in BOTH {
        let rows = socket.subscribe(strategy, sql).await;
        assert_eq!(rows.ack["strategy"], strategy);
        live.push(rows);
    }
    root.sql("ALTER TABLE t ADD COLUMN c INT DEFAULT 5").await;
    let seq = root.sql("INSERT INTO t VALUES (2, 'y', 2, 9); UPDATE t SET c = 6, a = 'z' WHERE id = 1").await.seq();
    for rows in &mut live {
        socket.follow(rows, seq).await;
        rows.assert_equals(&root.rows("SELECT id, a, b FROM t ORDER BY id").await);
    }
    for (strategy, sql) in BOTH {
        let rows = socket.subscribe(&format!("{strategy} anew"), sql).await;
        rows.assert_equals(&root.rows("SELECT id, a, b, c FROM t ORDER BY id").await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i2_who_was_away_while_a_table_got_other_columns_begins_anew() {
    for alter in [
        "ALTER TABLE t ADD COLUMN c INT DEFAULT 5",
        "ALTER TABLE t DROP COLUMN b",
        "ALTER TABLE t DROP COLUMN b; ALTER TABLE t ADD COLUMN b INT",
    ] {
        let server = TestServer::start().await;
        let root = table(&server).await;
        let mut socket = root.connect().await;
        let mut live = Vec::new();
        for (strategy, sql) in BOTH {
            live.push(socket.subscribe(strategy, sql).await);
        }
        drop(socket);
        let mut seq = root.sql("INSERT INTO t (id, a) VALUES (2, 'y')").await.seq();
        root.sql(alter).await;
        let mut socket = root.connect().await;
        for (rows, (_, sql)) in live.iter_mut().zip(BOTH) {
            let ack = socket.resume(rows, sql).await;
            assert_eq!((&ack["reset"], &ack["resumed"]), (&json!(true), &json!(false)), "{alter}: {ack}");
            rows.assert_equals(&root.rows(sql).await);
        }
        // From there on all is as ever.
        drop(socket);
        seq = root.sql("INSERT INTO t (id, a) VALUES (3, 'z'); DELETE FROM t WHERE id = 1").await.seq().max(seq);
        let mut socket = root.connect().await;
        for (rows, (_, sql)) in live.iter_mut().zip(BOTH) {
            assert_eq!(socket.resume(rows, sql).await["resumed"], true);
            socket.follow(rows, seq).await;
            rows.assert_equals(&root.rows(sql).await);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_alterations_keep_the_history_of_a_table() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE SHARED TABLE t (id INT PRIMARY KEY, a TEXT, b INT); INSERT INTO t VALUES (1, 'x', 1)").await;
    let mut socket = root.connect().await;
    let mut live = Vec::new();
    for (strategy, sql) in BOTH {
        live.push(socket.subscribe(strategy, sql).await);
    }
    drop(socket);
    root.sql("CREATE INDEX t_a ON t (a); ALTER TABLE t SET (ACCESS_LEVEL = 'PUBLIC')").await;
    let seq = root.sql("INSERT INTO t VALUES (2, 'y', 2); DROP INDEX t_a ON t").await.seq();
    let mut socket = root.connect().await;
    for (rows, (_, sql)) in live.iter_mut().zip(BOTH) {
        assert_eq!(socket.resume(rows, sql).await["resumed"], true);
        socket.follow(rows, seq).await;
        rows.assert_equals(&root.rows(sql).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_namespace_ends_the_live_queries_of_its_tables_and_no_others() {
    let server = TestServer::start().await;
    let root = table(&server).await;
    root.sql("CREATE NAMESPACE n; CREATE TABLE n.u (id INT PRIMARY KEY)").await;
    let mut socket = root.connect().await;
    socket.subscribe("filter", "SELECT * FROM n.u").await;
    socket.subscribe("re-run", "SELECT COUNT(*) AS c FROM n.u").await;
    socket.subscribe("join", "SELECT t.id FROM t LEFT JOIN n.u ON t.id = u.id").await;
    let mut other = socket.subscribe("other", "SELECT * FROM t").await;
    root.sql("DROP NAMESPACE n CASCADE").await;
    for id in ["filter", "re-run", "join"] {
        assert_eq!(socket.next_of(id).await["code"], "NOT_FOUND", "{id}");
    }
    let seq = root.sql("INSERT INTO t VALUES (2, 'y', 2)").await.seq();
    socket.follow(&mut other, seq).await;
    other.assert_equals(&root.rows("SELECT * FROM t").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn indexes_come_and_go_under_live_queries_that_could_use_them() {
    let server = TestServer::start().await;
    let root = table(&server).await;
    root.sql(
        "CREATE INDEX t_a ON t (a); INSERT INTO t SELECT value, 'k' || (value % 3), value FROM generate_series(2, 30)",
    )
    .await;
    let queries = [
        "SELECT id, b FROM t WHERE a = 'k1'",
        "SELECT COUNT(*) AS c, SUM(b) AS s FROM t WHERE a = 'k1'",
        "SELECT id, a FROM t WHERE a >= 'k1' ORDER BY a, id LIMIT 5",
    ];
    let mut socket = root.connect().await;
    let mut live = Vec::new();
    for (n, sql) in queries.iter().enumerate() {
        live.push(socket.subscribe(&format!("q{n}"), sql).await);
    }
    let changes =
        ["DROP INDEX t_a ON t", "CREATE INDEX t_a ON t (a, b)", "DROP INDEX t_a ON t; CREATE INDEX t_a ON t (a)"];
    for (n, change) in changes.iter().enumerate() {
        root.sql(change).await;
        let seq = root
            .sql(&format!(
                "INSERT INTO t VALUES ({}, 'k1', 1); UPDATE t SET a = 'k1' WHERE id = {}",
                100 + n,
                3 + 3 * n
            ))
            .await
            .seq();
        for (rows, sql) in live.iter_mut().zip(queries) {
            socket.follow(rows, seq).await;
            rows.assert_equals(&root.rows(sql).await);
        }
        drop(socket);
        let seq = root.sql(&format!("DELETE FROM t WHERE id = {}", 4 + 3 * n)).await.seq();
        socket = root.connect().await;
        for (rows, sql) in live.iter_mut().zip(queries) {
            assert_eq!(socket.resume(rows, sql).await["resumed"], true, "{change}: {sql}");
            socket.follow(rows, seq).await;
            rows.assert_equals(&root.rows(sql).await);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i8_a_table_that_is_closed_to_a_role_ends_the_live_queries_of_those_who_had_it() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE SHARED TABLE t (id INT PRIMARY KEY, n INT) WITH (ACCESS_LEVEL = 'PUBLIC')").await;
    let anna = server.user("anna", "user").await;
    let (mut hers, mut socket) = (anna.connect().await, root.connect().await);
    hers.subscribe("filter", "SELECT * FROM t").await;
    hers.subscribe("re-run", "SELECT COUNT(*) AS c FROM t").await;
    let mut live = socket.subscribe("s", "SELECT * FROM t").await;
    root.sql("ALTER TABLE t SET (ACCESS_LEVEL = 'PRIVATE')").await;
    let seq = root.sql("INSERT INTO t VALUES (1, 1)").await.seq();
    for id in ["filter", "re-run"] {
        assert_eq!(hers.next_of(id).await["code"], "PERMISSION_DENIED", "{id}");
    }
    hers.send_subscribe("again", "SELECT * FROM t", &[], json!({ "from": seq - 1 })).await;
    assert_eq!(hers.next_of("again").await["type"], "error");
    for id in ["filter", "re-run", "again"] {
        assert!(hers.take_of(id).is_empty(), "nothing comes after the end");
    }
    socket.follow(&mut live, seq).await;
    live.assert_equals(&[vec![json!(1), json!(1)]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_time_to_live_that_changes_leaves_live_queries_as_they_were() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE STREAM TABLE t (id INT PRIMARY KEY, n INT) WITH (TTL_SECONDS = 3600)").await;
    let mut socket = root.connect().await;
    let mut live = socket.subscribe("s", "SELECT * FROM t").await;
    root.sql("ALTER TABLE t SET (TTL_SECONDS = 7200)").await;
    let seq = root.sql("INSERT INTO t VALUES (1, 1)").await.seq();
    socket.follow(&mut live, seq).await;
    live.assert_equals(&[vec![json!(1), json!(1)]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_changes_while_a_snapshot_is_read_ends_it_or_leaves_it_whole() {
    for (ddl, ends) in [
        ("DROP TABLE t", true),
        ("ALTER TABLE t DROP COLUMN b", true),
        ("ALTER TABLE t ADD COLUMN c INT DEFAULT 5", false),
        ("CREATE INDEX t_b ON t (b)", false),
    ] {
        for (strategy, sql) in BOTH {
            let server = TestServer::start().await;
            let root = table(&server).await;
            root.sql("INSERT INTO t SELECT value, 'x', value FROM generate_series(2, 9)").await;
            let mut socket = root.connect().await;
            socket.send_subscribe("s", sql, &[], json!({ "batch_size": 3 })).await;
            let mut rows = kalamdb_testkit::LiveRows::new(&socket.next_of("s").await);
            assert!(rows.apply(&socket.next_of("s").await), "there are more pages");
            root.sql(ddl).await;
            socket.send(&json!({ "type": "next_batch", "subscription_id": "s" })).await;
            if ends {
                let next = socket.next_where(|frame| frame["subscription_id"] == "s" && frame["type"] == "error").await;
                assert_eq!(next["code"], "NOT_FOUND", "{ddl}, {strategy}");
                assert_eq!(socket.unsubscribe("s").await, "not_found");
                continue;
            }
            let seq = root.sql("INSERT INTO t (id, a, b) VALUES (100, 'y', 2)").await.seq();
            socket.load(&mut rows).await;
            socket.follow(&mut rows, seq).await;
            rows.assert_equals(&root.rows("SELECT id, a, b FROM t ORDER BY id").await);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_goes_while_its_reader_lags_or_comes_back_ends_the_query_and_says_so() {
    let server = TestServer::with(&[("websocket.outbox_max_bytes", "20000")]).await;
    let root = table(&server).await;
    let mut narrow = root.connect_narrow().await;
    for (strategy, sql) in BOTH {
        narrow.subscribe(strategy, sql).await;
    }
    let pad = json!("x".repeat(60_000));
    let mut id = 10;
    while root.cell("SELECT COUNT(*) FROM system.live_queries WHERE status = 'paused'").await != json!("2") {
        root.sql_with("INSERT INTO t VALUES ($1, $2, 0)", &[json!(id), pad.clone()]).await;
        id += 1;
    }
    let (mut back, mut racing) = (root.connect().await, root.connect().await);
    for (strategy, sql) in BOTH {
        back.send_subscribe(strategy, sql, &[], json!({ "from": 1 })).await;
        assert_eq!(back.next_of(strategy).await["type"], "subscription_ack");
        racing.send_subscribe(strategy, sql, &[], json!({ "from": 1 })).await;
    }
    root.sql("DROP TABLE t; CREATE TABLE t (id INT PRIMARY KEY, a TEXT, b INT); INSERT INTO t VALUES (1, 'new', 1)")
        .await;
    let is_end = |frame: &Json| frame["type"] == "error";
    for socket in [&mut narrow, &mut back] {
        let ends = [socket.next_where(is_end).await, socket.next_where(is_end).await];
        assert!(ends.iter().all(|end| end["code"] == "NOT_FOUND"), "{ends:?}");
    }
    // Whoever asks just then has the old table, which ends, or the new one; never both.
    for (strategy, _) in BOTH {
        let mut seen = vec![racing.next_of(strategy).await];
        let is_new = |frame: &Json| frame["rows"][0]["a"] == "new";
        while !seen.last().is_some_and(|frame| is_end(frame) || is_new(frame)) {
            seen.push(racing.next_of(strategy).await);
        }
        let last = seen.last().expect("a frame");
        assert!(is_new(last) || last["code"] == "NOT_FOUND", "{last}");
        assert!(!is_new(last) || seen.len() == 2, "its ack and its page, and nothing of the old one");
    }
    racing.close().await;
    root.until_rows("SELECT * FROM system.live_queries", |rows| rows.is_empty()).await;
    // The table of the same name is another one.
    let mut again = root.connect().await;
    for (strategy, sql) in BOTH {
        let rows = again.subscribe_with(strategy, sql, &[], json!({ "from": 2 })).await;
        assert_eq!(rows.ack["reset"], true);
        rows.assert_equals(&[vec![json!(1), json!("new"), json!(1)]]);
    }
}
