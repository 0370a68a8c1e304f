//! Every row of the error table: the HTTP status and the code that go with a situation.

use kalamdb_testkit::{Session, TestServer};
use serde_json::json;

async fn fails(session: &Session, sql: &str, status: u16, code: &str) -> kalamdb_testkit::SqlFailure {
    let failure = session.sql_fails(sql).await;
    assert_eq!((failure.status, failure.code.as_str()), (status, code), "{sql}: {}", failure.message);
    assert!(!failure.message.is_empty(), "{sql}");
    failure
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sql_without_a_token_is_missing_authorization() {
    let server = TestServer::start().await;
    let answer = server.http().sql(None, "SELECT 1", &[]).await;
    assert_eq!((answer.status, &answer.body["error"]["code"]), (401, &json!("MISSING_AUTHORIZATION")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sql_with_a_bad_token_is_invalid_credentials() {
    let server = TestServer::start().await;
    for token in ["x", "a.b.c", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJyb290In0."] {
        let answer = server.http().sql(Some(token), "SELECT 1", &[]).await;
        assert_eq!((answer.status, &answer.body["error"]["code"]), (401, &json!("INVALID_CREDENTIALS")), "{token}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sql_with_a_revoked_token_is_token_revoked() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.http.post("/v1/api/auth/logout", Some(&root.access_token), &json!({})).await;
    let answer = server.http().sql(Some(&root.access_token), "SELECT 1", &[]).await;
    assert_eq!((answer.status, &answer.body["error"]["code"]), (401, &json!("TOKEN_REVOKED")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_who_may_not_is_permission_denied() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE SHARED TABLE news (id INT PRIMARY KEY) WITH (ACCESS_LEVEL = 'PUBLIC')").await;
    let anna = server.user("anna", "user").await;
    for sql in [
        "SELECT * FROM system.users",
        "INSERT INTO news VALUES (1)",
        "UPDATE news SET id = 2",
        "DELETE FROM news",
        "CREATE TABLE t (id INT PRIMARY KEY)",
        "CREATE NAMESPACE n",
        "DROP TABLE news",
        "GRANT INSERT ON news TO USER 'anna'",
        "REVOKE SELECT ON news FROM ROLE user",
        "CREATE USER 'x' WITH PASSWORD 'long enough' ROLE user",
        "KILL CONNECTION '00000000000000000000000000000000'",
    ] {
        fails(&anna, sql, 403, "PERMISSION_DENIED").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sql_that_does_not_parse_is_invalid_sql_and_says_where() {
    let server = TestServer::start().await;
    let root = server.root().await;
    let failure = fails(&root, "SELECT 1 FRM t WHERE", 400, "INVALID_SQL").await;
    assert!(failure.position.is_some(), "{failure:?}");
    for sql in ["SELEC 1", "SELECT (", "CREATE TABLE", "SELECT 'open"] {
        fails(&root, sql, 400, "INVALID_SQL").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_to_run_is_empty_sql() {
    let server = TestServer::start().await;
    let root = server.root().await;
    for sql in ["", "  \n\t ", ";", "-- only a comment"] {
        fails(&root, sql, 400, "EMPTY_SQL").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_exist_is_not_found() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY, a INT)").await;
    for sql in [
        "SELECT * FROM missing",
        "SELECT * FROM nowhere.t",
        "SELECT b FROM t",
        "SELECT no_such_function(1)",
        "INSERT INTO t (b) VALUES (1)",
        "UPDATE t SET b = 1",
        "DELETE FROM missing",
        "CREATE TABLE nowhere.t (id INT PRIMARY KEY)",
        "DROP TABLE missing",
        "DROP NAMESPACE missing",
        "DROP INDEX missing ON t",
        "DROP USER 'missing'",
        "ALTER TABLE t DROP COLUMN b",
        "ALTER USER 'missing' SET ROLE user",
        "KILL CONNECTION '00000000000000000000000000000000'",
        "KILL LIVE QUERY 'root-00000000000000000000000000000000-x'",
        "EXECUTE AS USER 'missing' (SELECT 1)",
        "DESCRIBE TABLE missing",
    ] {
        fails(&root, sql, 400, "NOT_FOUND").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_constraint_is_constraint_violation_and_changes_nothing() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY, a INT NOT NULL, b SMALLINT, c TEXT)").await;
    root.sql("CREATE UNIQUE INDEX t_c ON t (c)").await;
    root.sql("INSERT INTO t VALUES (1, 1, 1, 'x')").await;
    for sql in [
        "INSERT INTO t VALUES (1, 2, 2, 'y')",
        "INSERT INTO t VALUES (2, 2, 2, 'y'), (2, 3, 3, 'z')",
        "INSERT INTO t (id) VALUES (2)",
        "INSERT INTO t VALUES (NULL, 1, 1, 'y')",
        "UPDATE t SET a = NULL",
        "INSERT INTO t VALUES (2, 1, 100000, 'y')",
        "INSERT INTO t VALUES (2, 1, 1, 'x')",
    ] {
        fails(&root, sql, 400, "CONSTRAINT_VIOLATION").await;
    }
    assert_eq!(root.rows("SELECT * FROM t").await, [[json!(1), json!(1), json!(1), json!("x")]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_exists_already_is_already_exists_unless_that_is_fine() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE NAMESPACE n").await;
    root.sql("CREATE TABLE n.t (id INT PRIMARY KEY, a INT)").await;
    root.sql("CREATE INDEX i ON n.t (a)").await;
    root.sql("CREATE USER 'u' WITH PASSWORD 'long enough' ROLE user").await;
    for sql in [
        "CREATE NAMESPACE n",
        "CREATE TABLE n.t (id INT PRIMARY KEY)",
        "CREATE INDEX i ON n.t (a)",
        "CREATE USER 'u' WITH PASSWORD 'long enough' ROLE user",
        "ALTER TABLE n.t ADD COLUMN a INT",
    ] {
        fails(&root, sql, 400, "ALREADY_EXISTS").await;
    }
    root.sql("CREATE NAMESPACE IF NOT EXISTS n").await;
    root.sql("CREATE TABLE IF NOT EXISTS n.t (id INT PRIMARY KEY)").await;
    root.sql("CREATE INDEX IF NOT EXISTS i ON n.t (a)").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn valid_sql_that_is_not_for_here_is_unsupported() {
    let server = TestServer::start().await;
    let root = server.root().await;
    for sql in
        ["CREATE VIEW v AS SELECT 1", "TRUNCATE TABLE t", "COPY t TO 'x'", "GRANT SELECT ON t TO ROLE user AND MORE"]
    {
        let failure = root.sql_fails(sql).await;
        assert_eq!(failure.status, 400, "{sql}: {failure}");
        assert!(matches!(failure.code.as_str(), "UNSUPPORTED" | "INVALID_SQL"), "{sql}: {failure}");
    }
    fails(&root, "CREATE VIEW v AS SELECT 1", 400, "UNSUPPORTED").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_surplus_or_wrong_parameter_is_invalid_parameter() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY)").await;
    for (sql, params) in [
        ("SELECT * FROM t WHERE id = $1", vec![]),
        ("SELECT * FROM t WHERE id = $2", vec![json!(1)]),
        ("SELECT * FROM t WHERE id = $1", vec![json!("not a number")]),
    ] {
        let failure = root.try_all(sql, &params).await.unwrap_err();
        assert_eq!((failure.status, failure.code.as_str()), (400, "INVALID_PARAMETER"), "{sql}: {}", failure.message);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_of_another_shape_is_invalid_input() {
    let server = TestServer::start().await;
    let root = server.root().await;
    for body in ["", "{", "[]", "{}", r#"{"sql":1}"#, r#"{"sql":"SELECT 1","params":{}}"#] {
        let answer = root.http.post_text("/v1/api/sql", Some(&root.access_token), body).await;
        assert_eq!((answer.status, &answer.body["error"]["code"]), (400, &json!("INVALID_INPUT")), "{body}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s15_a_body_or_statement_over_its_limit_is_too_large() {
    let server = TestServer::start().await;
    let root = server.root().await;
    let failure = root.sql_fails(&format!("SELECT '{}'", "x".repeat(20 << 20))).await;
    assert_eq!((failure.status, failure.code.as_str()), (413, "TOO_LARGE"));
    let failure = root.sql_fails(&format!("SELECT '{}'", "x".repeat((1 << 20) + 1))).await;
    assert_eq!((failure.status, failure.code.as_str()), (413, "TOO_LARGE"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_statements_stop_at_the_first_failure_which_is_named() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY)").await;
    let failure = root.sql_fails("INSERT INTO t VALUES (1); SELECT * FROM missing; INSERT INTO t VALUES (2)").await;
    assert_eq!(failure.code, "NOT_FOUND");
    assert_eq!(failure.details.as_deref(), Some("statement 2 of 3"));
    assert_eq!(failure.results.len(), 1, "the results before it are there");
    assert_eq!(root.rows("SELECT id FROM t").await, [[json!(1)]], "each statement is its own commit");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_increments_of_one_row_settle_or_say_conflict_and_none_is_lost() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE TABLE counter (id INT PRIMARY KEY, n INT)").await;
    root.sql("INSERT INTO counter VALUES (1, 0)").await;
    let writers = (0..20).map(|_| {
        let root = root.clone();
        tokio::spawn(async move { root.try_sql("UPDATE counter SET n = n + 1 WHERE id = 1").await })
    });
    let mut settled = 0;
    for writer in writers.collect::<Vec<_>>() {
        match writer.await.unwrap() {
            Ok(_) => settled += 1,
            Err(failure) => assert_eq!((failure.status, failure.code.as_str()), (409, "CONFLICT")),
        }
    }
    assert_eq!(root.cell("SELECT n FROM counter").await, json!(settled));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s20_an_unknown_route_and_a_wrong_method_tell_nothing() {
    let server = TestServer::start().await;
    let http = server.http();
    assert_eq!(http.get("/v1/api/nothing", None).await.status, 404);
    assert_eq!(http.get("/v1/api/sql", None).await.status, 405);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s09_error_messages_hold_no_values() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id TEXT PRIMARY KEY, n INT)").await;
    root.sql("INSERT INTO t VALUES ('tell-nobody', 1)").await;
    let duplicate = root.sql_fails("INSERT INTO t VALUES ('tell-nobody', 2)").await;
    assert!(!duplicate.message.contains("tell-nobody"), "{duplicate}");
    let mistyped = root.try_all("INSERT INTO t VALUES ($1, $2)", &[json!("a"), json!("tell-nobody")]).await;
    let mistyped = mistyped.unwrap_err();
    assert!(!mistyped.message.contains("tell-nobody"), "{mistyped}");
}
