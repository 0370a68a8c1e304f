//! What the SQL door does beyond what the golden files show: transactions, parameters, roles.

use kalamdb_testkit::TestServer;
use serde_json::{Value as Json, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_is_one_commit_and_reads_its_own_writes() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY, n INT)").await;
    let mut socket = root.connect().await;
    let mut live = socket.subscribe("s", "SELECT * FROM t").await;
    let results = root
        .try_all(
            "BEGIN; INSERT INTO t VALUES (1, 1); UPDATE t SET n = n + 1; SELECT n FROM t; INSERT INTO t VALUES (2, 5); COMMIT",
            &[],
        )
        .await
        .unwrap();
    assert!(results.iter().any(|r| r.json["rows"] == json!([[2]])), "it reads its own writes: {results:?}");
    let seq = root.sql("INSERT INTO t VALUES (3, 0)").await.seq();
    socket.follow(&mut live, seq).await;
    assert_eq!(live.changes(), 2, "one frame for the transaction, one for the insert");
    live.assert_equals(&root.rows("SELECT * FROM t").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_fails_or_rolls_back_leaves_nothing() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY)").await;
    let failure = root.sql_fails("BEGIN; INSERT INTO t VALUES (1); INSERT INTO t VALUES (1); COMMIT").await;
    assert_eq!(failure.code, "CONSTRAINT_VIOLATION");
    root.sql("BEGIN; INSERT INTO t VALUES (2); ROLLBACK").await;
    assert_eq!(root.cell("SELECT COUNT(*) FROM t").await, json!("0"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_is_not_ended_leaves_nothing() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY)").await;
    let outcome = root.try_sql("BEGIN; INSERT INTO t VALUES (1)").await;
    assert!(outcome.is_err() || root.cell("SELECT COUNT(*) FROM t").await == json!("0"));
    assert_eq!(root.cell("SELECT COUNT(*) FROM t").await, json!("0"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_request_namespace_and_use_say_where_unqualified_names_are() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE NAMESPACE a; CREATE NAMESPACE b").await;
    root.sql("CREATE TABLE a.t (id INT PRIMARY KEY); CREATE TABLE b.t (id INT PRIMARY KEY)").await;
    root.sql("INSERT INTO a.t VALUES (1); INSERT INTO b.t VALUES (2)").await;
    let body = json!({ "sql": "SELECT id FROM t", "namespace_id": "b" });
    let answer = root.http.post("/v1/api/sql", Some(&root.access_token), &body).await;
    assert_eq!(answer.body["results"][0]["rows"], json!([[2]]), "{:?}", answer.body);
    assert_eq!(root.rows("USE a; SELECT id FROM t").await, [[json!(1)]]);
    assert_eq!(root.sql_fails("SELECT id FROM t").await.code, "NOT_FOUND", "USE ends with its request");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cached_plan_tells_no_user_of_another() {
    let server = TestServer::start().await;
    let (anna, ben) = (server.user("anna", "user").await, server.user("ben", "user").await);
    for _ in 0..3 {
        assert_eq!(anna.cell("SELECT CURRENT_USER()").await, json!("anna"));
        assert_eq!(ben.cell("SELECT CURRENT_USER()").await, json!("ben"));
        assert_eq!(anna.cell("SELECT CURRENT_ROLE()").await, json!("user"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn now_moves_from_statement_to_statement_and_stands_within_one() {
    let server = TestServer::start().await;
    let root = server.root().await;
    let one = root.rows("SELECT NOW(), NOW()").await;
    assert_eq!(one[0][0], one[0][1]);
    let later = root.rows("SELECT NOW(), NOW()").await;
    assert!(later[0][0].as_i64() > one[0][0].as_i64(), "{one:?} {later:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn generated_ids_differ_from_row_to_row() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id BIGINT DEFAULT SNOWFLAKE_ID() PRIMARY KEY, u UUID DEFAULT UUID_V7(), l TEXT DEFAULT ULID(), n INT)")
        .await;
    let rows = root.sql("INSERT INTO t (n) VALUES (1), (2), (3) RETURNING id, u, l").await.rows();
    for column in 0..3 {
        let distinct: std::collections::BTreeSet<String> = rows.iter().map(|row| row[column].to_string()).collect();
        assert_eq!(distinct.len(), 3, "{rows:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_where_that_matches_nothing_or_asks_a_subquery_changes_only_what_it_says() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY, n INT)").await;
    root.sql("INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)").await;
    assert_eq!(root.sql("DELETE FROM t WHERE false").await.row_count(), 0);
    assert_eq!(root.sql("UPDATE t SET n = 0 WHERE id IN (SELECT id FROM t WHERE n > 5)").await.row_count(), 0);
    assert_eq!(root.sql("DELETE FROM t WHERE id IN (SELECT id FROM t WHERE n > 2)").await.row_count(), 1);
    assert_eq!(root.rows("SELECT id FROM t ORDER BY id").await, [[json!(1)], [json!(2)]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_public_table_is_read_by_all_and_written_by_service_and_above() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE SHARED TABLE news (id INT PRIMARY KEY) WITH (ACCESS_LEVEL = 'PUBLIC')").await;
    root.sql("CREATE SHARED TABLE jobs (id INT PRIMARY KEY) WITH (ACCESS_LEVEL = 'RESTRICTED')").await;
    root.sql("CREATE SHARED TABLE keys (id INT PRIMARY KEY)").await;
    let (anna, robot) = (server.user("anna", "user").await, server.user("robot", "service").await);
    robot.sql("INSERT INTO news VALUES (1)").await;
    robot.sql("INSERT INTO jobs VALUES (1)").await;
    assert_eq!(anna.cell("SELECT COUNT(*) FROM news").await, json!("1"));
    for (who, sql) in [(&anna, "INSERT INTO news VALUES (2)"), (&anna, "DELETE FROM news")] {
        assert_eq!(who.sql_fails(sql).await.code, "PERMISSION_DENIED", "{sql}");
    }
    for (who, sql) in
        [(&anna, "SELECT * FROM jobs"), (&robot, "SELECT * FROM keys"), (&robot, "INSERT INTO keys VALUES (1)")]
    {
        assert_eq!(who.sql_fails(sql).await.code, "NOT_FOUND", "{sql}: it has no right at all on the table");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s13_dropping_a_namespace_that_holds_tables_needs_cascade() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE NAMESPACE n; CREATE TABLE n.t (id INT PRIMARY KEY)").await;
    let failure = root.sql_fails("DROP NAMESPACE n").await;
    assert!(failure.message.to_uppercase().contains("CASCADE"), "{failure}");
    root.sql("DROP NAMESPACE n CASCADE").await;
    assert_eq!(root.sql_fails("SELECT * FROM n.t").await.code, "NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s12_acting_for_another_user_needs_an_administrator_and_a_user_that_exists() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE USER TABLE notes (id INT PRIMARY KEY)").await;
    let anna = server.user("anna", "user").await;
    root.sql("EXECUTE AS USER 'anna' (INSERT INTO notes VALUES (1))").await;
    assert_eq!(anna.rows("SELECT id FROM notes").await, [[json!(1)]]);
    assert_eq!(root.rows("SELECT id FROM notes").await, Vec::<Vec<Json>>::new());
    assert_eq!(anna.sql_fails("EXECUTE AS USER 'root' (SELECT 1)").await.code, "PERMISSION_DENIED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i3_every_acknowledged_write_is_there_after_a_restart() {
    let mut server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE NAMESPACE app; CREATE TABLE app.t (id INT PRIMARY KEY, a TEXT, b INT DEFAULT 7)").await;
    root.sql("CREATE INDEX t_a ON app.t (a)").await;
    root.sql("INSERT INTO app.t (id, a) VALUES (1, 'x'), (2, 'y'), (3, 'z')").await;
    root.sql("UPDATE app.t SET a = 'w' WHERE id = 2; DELETE FROM app.t WHERE id = 3").await;
    let seq = root.sql("ALTER TABLE app.t ADD COLUMN c INT DEFAULT 9").await.json["seq"].clone();
    let before = root.rows("SELECT *, _seq FROM app.t ORDER BY id").await;
    server.restart().await;
    let root = server.root().await;
    assert_eq!(root.rows("SELECT *, _seq FROM app.t ORDER BY id").await, before);
    assert_eq!(root.rows("SELECT id FROM app.t WHERE a = 'w'").await, [[json!(2)]]);
    let next = root.sql("INSERT INTO app.t (id) VALUES (4)").await.seq();
    assert!(seq.as_u64().is_none_or(|seq| next > seq), "SeqIds go on growing");
}
