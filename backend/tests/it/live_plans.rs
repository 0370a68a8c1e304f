//! How a SELECT is kept, and what its rows, keys and order look like to the client that keeps them.

use kalamdb_testkit::{Session, TestServer};
use serde_json::{Value as Json, json};

async fn tables(server: &TestServer) -> Session {
    let root = server.root().await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY, k TEXT, n INT, x DOUBLE)").await;
    root.sql("INSERT INTO t VALUES (1, 'a', 10, 1.5), (2, 'b', 20, NULL), (3, 'a', 10, 0.5), (4, NULL, 40, 2)").await;
    root.sql("CREATE TABLE u (k TEXT PRIMARY KEY, id INT); INSERT INTO u VALUES ('a', 7), ('c', 8)").await;
    root
}

async fn explained(root: &Session, sql: &str) -> String {
    let rows = root.rows(&format!("EXPLAIN LIVE {sql}")).await;
    let strategy = rows.iter().find(|row| row[0] == "strategy").unwrap_or_else(|| panic!("{rows:?}"));
    strategy[1].as_str().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_of_each_row_is_a_filter_and_everything_else_is_run_again() {
    let server = TestServer::start().await;
    let root = tables(&server).await;
    for sql in [
        "SELECT * FROM t",
        "SELECT id, n + 1 FROM t AS a WHERE a.k = 'a' AND x > 1 OR n IN (10, 20)",
        "SELECT upper(k) AS k FROM t WHERE k ILIKE 'A%' AND length(k) < 5",
        "SELECT id FROM t WHERE k = CURRENT_USER()",
        "SELECT _seq, id FROM t",
    ] {
        assert_eq!(explained(&root, sql).await, "filter", "{sql}");
    }
    for sql in [
        "SELECT * FROM t ORDER BY n",
        "SELECT * FROM t LIMIT 1",
        "SELECT COUNT(*) FROM t",
        "SELECT DISTINCT k FROM t",
        "SELECT t.id FROM t JOIN u ON t.k = u.k",
        "SELECT id FROM t WHERE 10 / n > 1",
        "SELECT id FROM t WHERE NOW() > '2013-01-01'",
        "SELECT 1 AS one",
    ] {
        assert_eq!(explained(&root, sql).await, "re-run", "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i1_every_kind_of_result_stays_true_under_every_kind_of_write() {
    let server = TestServer::start().await;
    let root = tables(&server).await;
    let queries = [
        "SELECT n, k FROM t",
        "SELECT id AS number, n FROM t ORDER BY n, number DESC",
        "SELECT k FROM t ORDER BY n * -1, x NULLS FIRST, id LIMIT 3",
        "SELECT id, n FROM t ORDER BY n, id LIMIT 2",
        "SELECT id FROM t LIMIT 2 OFFSET 1",
        "SELECT t.id, u.id, u.k FROM t FULL JOIN u ON t.k = u.k",
        "SELECT a.n FROM t a CROSS JOIN t b WHERE a.id < b.id",
        "SELECT COUNT(*) AS c FROM t GROUP BY k",
        "SELECT lower(k) AS l, SUM(n) AS s FROM t GROUP BY lower(k) ORDER BY SUM(n) DESC, l",
        "SELECT k, n, COUNT(*) AS c FROM t GROUP BY ROLLUP (k, n)",
        "SELECT k FROM t UNION ALL SELECT k FROM u ORDER BY k",
        "SELECT x.k FROM (SELECT k, n FROM t WHERE n > 5) AS x ORDER BY x.n, x.k",
        "SELECT y.k AS a FROM (SELECT k, n AS id, id AS n FROM t) AS y ORDER BY y.n, y.id",
        "SELECT t.* FROM t ORDER BY t.n, t.id",
        "SELECT id, LAG(n) OVER (ORDER BY id) AS before FROM t",
        "SELECT id, (SELECT COUNT(*) FROM u WHERE u.k = t.k) AS c FROM t",
        "SELECT unnest([id, n]) AS v FROM t",
        "SELECT DISTINCT k FROM t ORDER BY k NULLS FIRST",
        "SELECT id FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.k = t.k)",
        "VALUES (1), (2)",
    ];
    let mut socket = root.connect().await;
    let mut live = Vec::new();
    for (n, sql) in queries.iter().enumerate() {
        let rows = socket.subscribe(&format!("q{n}"), sql).await;
        rows.assert_equals(&root.rows(sql).await);
        live.push(rows);
    }
    for write in [
        "INSERT INTO t VALUES (5, 'c', 10, 1.5), (6, 'c', NULL, NULL)",
        "UPDATE t SET n = 10",
        "UPDATE t SET k = 'A' WHERE id IN (1, 3)",
        "BEGIN; DELETE FROM u WHERE k = 'a'; INSERT INTO u VALUES ('A', 9), ('b', 1); COMMIT",
        "DELETE FROM t WHERE id = 2",
        "UPDATE t SET n = id * 3, x = NULL",
        "DELETE FROM t",
    ] {
        let result = root.try_all(write, &[]).await.unwrap_or_else(|failure| panic!("{write}: {failure}"));
        let seq = result.iter().filter_map(|result| result.json["seq"].as_u64()).max().unwrap();
        for (rows, sql) in live.iter_mut().zip(queries) {
            socket.follow(rows, seq).await;
            rows.assert_equals(&root.rows(sql).await);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_key_is_told_where_the_result_holds_it_under_the_name_it_has_there() {
    let server = TestServer::start().await;
    let root = tables(&server).await;
    root.sql("CREATE TABLE pair (a INT, b TEXT, n INT, PRIMARY KEY (b, a)); CREATE TABLE free (n INT)").await;
    let mut socket = root.connect().await;
    for (n, (sql, key)) in [
        ("SELECT * FROM t", json!(["id"])),
        ("SELECT n, id AS number FROM t", json!(["number"])),
        ("SELECT id, n FROM t ORDER BY n LIMIT 1", json!(["id"])),
        ("SELECT n FROM t", Json::Null),
        ("SELECT id + 0 AS id FROM t", Json::Null),
        ("SELECT t.id FROM t JOIN u ON t.k = u.k", Json::Null),
        ("SELECT id, COUNT(*) AS c FROM t GROUP BY id", Json::Null),
        ("SELECT a, b FROM pair", json!(["b", "a"])),
        ("SELECT a, n FROM pair", Json::Null),
        ("SELECT * FROM free", Json::Null),
    ]
    .into_iter()
    .enumerate()
    {
        let live = socket.subscribe(&format!("s{n}"), sql).await;
        assert_eq!(live.ack["key"], key, "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_of_one_table_carry_their_seq_once_and_other_rows_carry_none() {
    let server = TestServer::start().await;
    let root = tables(&server).await;
    let mut socket = root.connect().await;
    for (n, (sql, carries)) in [
        ("SELECT id FROM t", true),
        ("SELECT _seq, id FROM t", true),
        ("SELECT id FROM t ORDER BY n LIMIT 2", true),
        ("SELECT id, _seq FROM t ORDER BY n", true),
        ("SELECT n AS _seq FROM t", true),
        ("SELECT COUNT(*) AS c FROM t", false),
        ("SELECT t.id FROM t JOIN u ON t.k = u.k", false),
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("s{n}");
        socket.send_subscribe(&id, sql, &[], json!({})).await;
        socket.next_of(&id).await;
        let page = socket.next_of(&id).await;
        for row in page["rows"].as_array().unwrap() {
            assert_eq!(row.get("_seq").is_some_and(Json::is_string), carries, "{sql}: {row}");
        }
    }
    let mut live = socket.subscribe("selected", "SELECT _seq, id FROM t WHERE id = 1").await;
    let names: Vec<_> = live.ack["schema"].as_array().unwrap().iter().map(|field| field["name"].clone()).collect();
    assert_eq!(names, [json!("_seq"), json!("id")]);
    let seq = root.sql("UPDATE t SET n = n + 1 WHERE id = 1").await.seq();
    socket.follow(&mut live, seq).await;
    live.assert_equals(&root.rows("SELECT _seq, id FROM t WHERE id = 1").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn columns_of_one_name_travel_under_different_ones() {
    let server = TestServer::start().await;
    let root = tables(&server).await;
    let mut socket = root.connect().await;
    let live = socket.subscribe("s", "SELECT * FROM t JOIN u ON t.k = u.k").await;
    let names: Vec<_> = live.ack["schema"].as_array().unwrap().iter().map(|field| field["name"].clone()).collect();
    assert_eq!(names, ["id", "k", "n", "x", "k_2", "id_2"].map(Json::from));
    live.assert_equals(&root.rows("SELECT * FROM t JOIN u ON t.k = u.k").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i5_a_query_that_says_who_asks_is_each_users_own() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE SHARED TABLE news (id INT PRIMARY KEY, reader TEXT) WITH (ACCESS_LEVEL = 'PUBLIC')").await;
    let (anna, ben) = (server.user("anna", "user").await, server.user("ben", "user").await);
    let (mut of_anna, mut of_ben) = (anna.connect().await, ben.connect().await);
    let filter = "SELECT id FROM news WHERE reader = CURRENT_USER()";
    let count = "SELECT COUNT(*) AS c FROM news WHERE reader = CURRENT_USER()";
    let mut live = [
        (of_anna.subscribe("f", filter).await, vec![vec![json!(1)]]),
        (of_anna.subscribe("c", count).await, vec![vec![json!("1")]]),
        (of_ben.subscribe("f", filter).await, vec![]),
        (of_ben.subscribe("c", count).await, vec![vec![json!("0")]]),
    ];
    let seq = root.sql("INSERT INTO news VALUES (1, 'anna')").await.seq();
    for (n, (rows, wanted)) in live.iter_mut().enumerate() {
        let socket = if n < 2 { &mut of_anna } else { &mut of_ben };
        socket.follow(rows, seq).await;
        rows.assert_equals(wanted);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_query_outlives_the_index_it_was_planned_with() {
    let server = TestServer::start().await;
    let root = tables(&server).await;
    root.sql("CREATE INDEX t_k ON t (k)").await;
    let mut socket = root.connect().await;
    let queries = ["SELECT id FROM t WHERE k = 'a'", "SELECT COUNT(*) AS c FROM t WHERE k = 'a'"];
    let mut live = Vec::new();
    for (n, sql) in queries.iter().enumerate() {
        live.push(socket.subscribe(&format!("s{n}"), sql).await);
    }
    root.sql("DROP INDEX t_k ON t").await;
    let seq = root.sql("UPDATE t SET k = 'a' WHERE id = 2").await.seq();
    for (n, (rows, sql)) in live.iter_mut().zip(queries).enumerate() {
        socket.follow(rows, seq).await;
        rows.assert_equals(&root.rows(sql).await);
        let late = socket.subscribe(&format!("late{n}"), sql).await;
        late.assert_equals(&root.rows(sql).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_query_over_system_tables_is_refused() {
    let server = TestServer::start().await;
    let root = tables(&server).await;
    let mut socket = root.connect().await;
    for sql in ["SELECT * FROM system.users", "SELECT id FROM t WHERE k IN (SELECT user_id FROM system.connections)"] {
        socket.send_subscribe("s", sql, &[], json!({})).await;
        let error = socket.next_of("s").await;
        assert_eq!((&error["type"], &error["code"]), (&json!("error"), &json!("UNSUPPORTED")), "{sql}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_with_the_time_in_it_begins_anew_when_resumed() {
    let server = TestServer::start().await;
    let root = tables(&server).await;
    let sql = "SELECT id, n FROM t WHERE NOW() > '2013-01-01'";
    let mut socket = root.connect().await;
    let mut live = socket.subscribe("s", sql).await;
    drop(socket);
    let seq = root.sql("DELETE FROM t WHERE id = 1").await.seq();
    let mut socket = root.connect().await;
    let ack = socket.resume(&mut live, sql).await;
    assert_eq!((&ack["resumed"], &ack["reset"]), (&json!(false), &json!(true)), "{ack}");
    socket.follow(&mut live, seq).await;
    live.assert_equals(&root.rows(sql).await);
}
