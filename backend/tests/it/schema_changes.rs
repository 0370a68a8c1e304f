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
