//! Whole engines over stores of their own, driven through the front door.

use kalamdb_auth::{AuthOptions, Secret};
use kalamdb_commons::protocol::StatementResult;
use kalamdb_commons::{ErrorCode, Role, SeqId, UserId, Value};
use kalamdb_store::{ManualClock, StoreOptions};
use kalamdb_system::NewUser;
use serde_json::{Value as Json, json};

use super::*;
use crate::live::LiveOptions;
use crate::options::Limits;

/// An engine whose clock is the test's.
pub(crate) struct TestEngine {
    pub engine: Engine,
    pub clock: Arc<ManualClock>,
    store: Store,
    dir: tempfile::TempDir,
}

impl TestEngine {
    pub fn start() -> TestEngine {
        Self::open(tempfile::tempdir().unwrap(), Arc::new(ManualClock::new(1_600_000_000_000_000)), Limits::default())
    }

    pub fn with(limits: Limits) -> TestEngine {
        Self::open(tempfile::tempdir().unwrap(), Arc::new(ManualClock::new(1_600_000_000_000_000)), limits)
    }

    fn open(dir: tempfile::TempDir, clock: Arc<ManualClock>, limits: Limits) -> TestEngine {
        let store = Store::open(StoreOptions { clock: clock.clone(), ..StoreOptions::new(dir.path()) }).unwrap();
        let catalog = Arc::new(Catalog::load(&store).unwrap());
        let users = Arc::new(Users::load(&store).unwrap());
        let auth = AuthOptions {
            secret: Secret::new(vec![7; 32]).unwrap(),
            issuer: "test".to_owned(),
            access_ttl_secs: 60,
            refresh_ttl_secs: 60,
            login_attempts_per_minute: 0,
            issuers: Vec::new(),
            issuer_keys: kalamdb_auth::KeyOptions::default(),
        };
        let audit = AuditLog::open(store.clone(), kalamdb_system::AuditOptions::default()).unwrap();
        let auth = Arc::new(Auth::new(store.clone(), users.clone(), audit.clone(), auth).unwrap());
        let options =
            EngineOptions { node_id: "n1".to_owned(), limits, live: LiveOptions::default(), settings: Vec::new() };
        let engine = Engine::open(store.clone(), catalog, users, auth, audit, options).unwrap();
        TestEngine { engine, clock, store, dir }
    }

    /// Stops, and starts again on the same data.
    pub async fn restart(self) -> TestEngine {
        self.engine.shutdown().await;
        self.store.close();
        let TestEngine { engine, clock, store, dir } = self;
        drop((engine, store));
        Self::open(dir, clock, Limits::default())
    }

    /// A user of this name and role is there.
    fn stored(&self, user: &str, role: Role) -> UserId {
        let id = UserId::new(user).unwrap();
        let users = &self.engine.0.parts.users;
        if users.get(&id).is_none() {
            let new = NewUser { id: id.clone(), role, password_hash: String::new(), email: None };
            self.store.commit_blocking(users.create(new, 0).unwrap()).unwrap();
        }
        id
    }

    pub async fn run_as(&self, user: &str, role: Role, sql: &str, params: &[Json]) -> SqlResponse {
        let caller = Caller::new(self.stored(user, role), role);
        let params = (!params.is_empty()).then(|| params.to_vec());
        self.engine.execute(caller, SqlRequest { sql: sql.to_owned(), params, namespace_id: None }).await
    }

    /// Runs SQL that succeeds as `root`; the result of its last statement.
    pub async fn sql(&self, sql: &str) -> StatementResult {
        let mut response = self.run_as("root", Role::System, sql, &[]).await;
        assert_eq!(response.error, None, "{sql}");
        response.results.pop().unwrap()
    }

    /// Rows of the last statement, as they travel.
    pub async fn rows(&self, sql: &str) -> Json {
        serde_json::to_value(self.sql(sql).await).unwrap()["rows"].clone()
    }

    /// Runs SQL that fails as `root`.
    pub async fn fails(&self, sql: &str) -> kalamdb_commons::protocol::ErrorBody {
        self.run_as("root", Role::System, sql, &[]).await.error.unwrap_or_else(|| panic!("{sql}: succeeded"))
    }

    /// Asks again and again until the rows are as wanted.
    pub async fn until_rows(&self, sql: &str, wanted: Json) {
        let asking = async {
            let mut tick = tokio::time::interval(Duration::from_millis(20));
            while self.rows(sql).await != wanted {
                tick.tick().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), asking).await.unwrap_or_else(|_| panic!("{sql}: never {wanted}"));
    }
}

#[tokio::test]
async fn a_syntax_error_anywhere_keeps_the_whole_request_from_running() {
    let test = TestEngine::start();
    test.sql("CREATE TABLE t (id INT PRIMARY KEY)").await;
    let error = test.fails("INSERT INTO t VALUES (1); SELEC 1; SELECT 1").await;
    assert_eq!((error.code, error.details.as_deref()), (ErrorCode::InvalidSql, Some("statement 2 of 3")));
    assert_eq!(test.rows("SELECT COUNT(*) FROM t").await, json!([["0"]]));
}

#[tokio::test]
async fn a_rollback_runs_its_statements_and_keeps_nothing() {
    let test = TestEngine::start();
    test.sql("CREATE TABLE t (id INT PRIMARY KEY)").await;
    let response =
        test.run_as("root", Role::System, "BEGIN; INSERT INTO t VALUES (1); SELECT id FROM t; ROLLBACK", &[]).await;
    assert_eq!(response.error, None);
    assert_eq!(response.results.len(), 4);
    assert_eq!(response.results[2].rows[0][0], Value::Int(1));
    assert!(response.results.iter().all(|result| result.seq.is_none()));
    assert_eq!(test.rows("SELECT COUNT(*) FROM t").await, json!([["0"]]));
}

#[tokio::test]
async fn a_failing_transaction_names_its_statement_and_takes_its_results_along() {
    let test = TestEngine::start();
    test.sql("CREATE TABLE t (id INT PRIMARY KEY, u INT); CREATE UNIQUE INDEX t_u ON t (u)").await;
    let sql = "INSERT INTO t VALUES (1, 1); BEGIN; INSERT INTO t VALUES (2, 2); INSERT INTO t VALUES (2, 3); COMMIT";
    let response = test.run_as("root", Role::System, sql, &[]).await;
    assert_eq!((response.results.len(), response.error.unwrap().details.unwrap()), (1, "statement 4 of 5".to_owned()));
    let error = test.fails("BEGIN; INSERT INTO t VALUES (2, 2); INSERT INTO t VALUES (3, 2); COMMIT").await;
    assert_eq!(error.code, ErrorCode::ConstraintViolation);
    assert_eq!(error.details.unwrap(), "statement 4 of 4", "unique indexes are checked by the commit");
    assert_eq!(test.rows("SELECT id FROM t").await, json!([[1]]));
}

#[tokio::test]
async fn returning_tells_the_seq_that_the_commit_gave() {
    let test = TestEngine::start();
    test.sql("CREATE TABLE t (id INT PRIMARY KEY, a TEXT)").await;
    let result = test.sql("INSERT INTO t VALUES (1, 'x'), (2, 'y') RETURNING _seq, *, upper(a) AS b").await;
    let names: Vec<&str> = result.schema.iter().map(|field| field.name.as_str()).collect();
    assert_eq!(names, ["_seq", "id", "a", "b"]);
    assert_eq!(result.schema.iter().map(|field| field.index).collect::<Vec<_>>(), [0, 1, 2, 3]);
    let stored = test.rows("SELECT _seq, id, a, upper(a) FROM t ORDER BY id").await;
    assert_eq!(serde_json::to_value(&result).unwrap()["rows"], stored);
    let SeqId(last) = result.seq.unwrap();
    assert_eq!(result.rows[1][0], Value::BigInt(i64::try_from(last).unwrap()));
    let deleted = test.sql("DELETE FROM t WHERE id = 1 RETURNING id, _seq").await;
    assert_eq!(deleted.rows[0][1], Value::BigInt(i64::try_from(deleted.seq.unwrap().0).unwrap()));
    assert_eq!(test.fails("UPDATE t SET a = 'z' RETURNING _seq + 1").await.code, ErrorCode::Unsupported);
    assert_eq!(test.fails("UPDATE t SET a = 'z' RETURNING COUNT(*)").await.code, ErrorCode::InvalidSql);
    assert_eq!(test.rows("SELECT a FROM t").await, json!([["y"]]), "what RETURNING refuses is not written");
}

#[tokio::test]
async fn rows_change_their_primary_keys_and_may_change_places() {
    let test = TestEngine::start();
    test.sql("CREATE TABLE t (id INT PRIMARY KEY, a TEXT); INSERT INTO t VALUES (1, 'x'), (2, 'y'), (5, 'z')").await;
    test.sql("UPDATE t SET id = 3 - id WHERE id < 3").await;
    assert_eq!(test.rows("SELECT * FROM t ORDER BY id").await, json!([[1, "y"], [2, "x"], [5, "z"]]));
    let moved = test.sql("UPDATE t SET id = id + 1 WHERE id < 3 RETURNING id, _seq").await;
    assert_eq!(moved.row_count, 2);
    assert_eq!(test.rows("SELECT * FROM t ORDER BY id").await, json!([[2, "y"], [3, "x"], [5, "z"]]));
    let error = test.fails("UPDATE t SET id = 5 WHERE id = 2").await;
    assert_eq!(error.code, ErrorCode::ConstraintViolation);
    assert!(error.message.contains("\"id\"") && error.message.contains("default.t"), "{error:?}");
    assert_eq!(test.fails("UPDATE t SET id = 7").await.code, ErrorCode::ConstraintViolation);
    assert_eq!(test.rows("SELECT * FROM t ORDER BY id").await, json!([[2, "y"], [3, "x"], [5, "z"]]));
}

#[tokio::test]
async fn on_conflict_writes_no_row_twice_in_one_statement() {
    let test = TestEngine::start();
    test.sql("CREATE TABLE t (id INT PRIMARY KEY, n INT); INSERT INTO t VALUES (1, 10)").await;
    for rows in ["(2, 0), (2, 1)", "(1, 0), (1, 1)"] {
        let error =
            test.fails(&format!("INSERT INTO t VALUES {rows} ON CONFLICT (id) DO UPDATE SET n = EXCLUDED.n")).await;
        assert_eq!(error.code, ErrorCode::ConstraintViolation);
        assert!(error.message.contains("a second time"), "{error:?}");
    }
    let sql = "INSERT INTO t VALUES (1, 1), (2, 2), (3, 3) \
               ON CONFLICT (id) DO UPDATE SET n = t.n + EXCLUDED.n RETURNING id, n";
    assert_eq!(test.rows(sql).await, json!([[1, 11], [2, 2], [3, 3]]));
    let sql = "INSERT INTO t VALUES (1, 5), (2, 5), (4, 5) \
               ON CONFLICT (id) DO UPDATE SET n = abs(EXCLUDED.n) * 2, id = t.id + 10 WHERE default.t.n > 10 RETURNING *";
    assert_eq!(test.rows(sql).await, json!([[11, 10], [4, 5]]));
    assert_eq!(test.rows("SELECT * FROM t ORDER BY id").await, json!([[2, 2], [3, 3], [4, 5], [11, 10]]));
}

#[tokio::test]
async fn on_conflict_takes_a_unique_index_and_sees_the_transactions_own_rows() {
    let test = TestEngine::start();
    test.sql("CREATE TABLE t (id INT PRIMARY KEY, u TEXT, n INT); CREATE UNIQUE INDEX t_u ON t (u)").await;
    test.sql("INSERT INTO t VALUES (1, 'a', 0)").await;
    let upsert = |id: i32, u: &str| {
        format!("INSERT INTO t VALUES ({id}, {u}, 1) ON CONFLICT (u) DO UPDATE SET n = t.n + EXCLUDED.n")
    };
    test.sql(&upsert(2, "'a'")).await;
    test.sql(&format!(
        "BEGIN; {}; {}; UPDATE t SET u = 'c' WHERE id = 1; {}; COMMIT",
        upsert(3, "'b'"),
        upsert(4, "'b'"),
        upsert(5, "'a'")
    ))
    .await;
    test.sql(&upsert(6, "NULL")).await;
    test.sql(&upsert(7, "NULL")).await;
    assert_eq!(
        test.rows("SELECT * FROM t ORDER BY id").await,
        json!([[1, "c", 1], [3, "b", 2], [5, "a", 1], [6, null, 1], [7, null, 1]])
    );
    assert_eq!(test.sql("INSERT INTO t VALUES (9, 'a', 9), (1, 'd', 9) ON CONFLICT DO NOTHING").await.row_count, 0);
    assert_eq!(test.fails(&upsert(1, "'new'")).await.code, ErrorCode::ConstraintViolation);
    assert_eq!(
        test.fails("INSERT INTO t VALUES (1, 'a', 1) ON CONFLICT (n) DO NOTHING").await.code,
        ErrorCode::InvalidSql
    );
    assert_eq!(
        test.fails("INSERT INTO t VALUES (1, 'a', 1) ON CONFLICT DO UPDATE SET n = 1").await.code,
        ErrorCode::InvalidSql
    );
}

#[tokio::test]
async fn defaults_are_constants_made_up_ids_or_any_expression() {
    let test = TestEngine::start();
    test.sql(
        "CREATE TABLE t (id BIGINT DEFAULT SNOWFLAKE_ID() PRIMARY KEY, who TEXT DEFAULT CURRENT_USER(), \
         at TIMESTAMP DEFAULT NOW(), x TEXT DEFAULT upper('a' || 'b'), n INT DEFAULT 7)",
    )
    .await;
    let rows = test.rows("INSERT INTO t (n) VALUES (1), (DEFAULT), (1 + 2) RETURNING who, at, x, n").await;
    let row = |n: i32| json!(["root", 1_600_000_000_000_000_i64, "AB", n]);
    assert_eq!(rows, json!([row(1), row(7), row(3)]));
    assert_eq!(
        test.rows("UPDATE t SET n = 9, x = 'y'; UPDATE t SET n = DEFAULT, x = DEFAULT RETURNING n, x").await,
        json!([[7, "AB"], [7, "AB"], [7, "AB"]])
    );
    assert_eq!(test.rows("INSERT INTO t DEFAULT VALUES RETURNING n").await, json!([[7]]));
    assert_eq!(test.rows("SELECT COUNT(DISTINCT id) FROM t").await, json!([["4"]]));
}

#[tokio::test]
async fn a_table_without_a_key_keeps_equal_rows_apart() {
    let test = TestEngine::start();
    test.sql("CREATE TABLE log (line TEXT); INSERT INTO log VALUES ('a'), ('a'), ('b')").await;
    assert_eq!(test.sql("UPDATE log SET line = 'c' WHERE line = 'b'").await.row_count, 1);
    assert_eq!(test.sql("DELETE FROM log WHERE line = 'a'").await.row_count, 2);
    assert_eq!(test.rows("SELECT * FROM log").await, json!([["c"]]));
}

#[tokio::test]
async fn what_other_databases_do_is_refused_by_name() {
    let test = TestEngine::start();
    test.sql("CREATE TABLE t (id INT PRIMARY KEY, n INT)").await;
    for sql in [
        "UPDATE t SET n = u.n FROM t AS u WHERE t.id = u.id",
        "DELETE FROM t USING t AS u WHERE t.id = u.id",
        "INSERT INTO t VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET (id, n) = (SELECT 1, 2)",
    ] {
        assert_eq!(test.fails(sql).await.code, ErrorCode::Unsupported, "{sql}");
    }
    assert_eq!(test.fails("UPDATE t SET n = 1, n = 2").await.code, ErrorCode::InvalidSql);
    assert_eq!(test.fails("INSERT INTO t (id, id) VALUES (1, 2)").await.code, ErrorCode::InvalidSql);
    assert_eq!(test.fails("INSERT INTO t (id, n) VALUES (1)").await.code, ErrorCode::InvalidSql);
}

#[tokio::test]
async fn s11_system_tables_are_not_written() {
    let test = TestEngine::start();
    for sql in
        ["DELETE FROM system.users", "INSERT INTO system.tables VALUES (1)", "USE system; UPDATE users SET role = 'x'"]
    {
        assert_eq!(test.fails(sql).await.code, ErrorCode::PermissionDenied, "{sql}");
    }
    assert_eq!(test.fails("DELETE FROM system.nothing").await.code, ErrorCode::NotFound);
}

#[tokio::test]
async fn a_parameter_of_the_wrong_kind_is_told_from_a_value_that_does_not_fit() {
    let test = TestEngine::start();
    test.sql("CREATE TABLE t (id SMALLINT PRIMARY KEY)").await;
    for (param, code) in [
        (json!("no number"), ErrorCode::InvalidParameter),
        (json!(true), ErrorCode::InvalidParameter),
        (json!(40_000), ErrorCode::ConstraintViolation),
        (Json::Null, ErrorCode::ConstraintViolation),
    ] {
        let response =
            test.run_as("root", Role::System, "INSERT INTO t VALUES ($1)", std::slice::from_ref(&param)).await;
        assert_eq!(response.error.unwrap().code, code, "{param}");
    }
}

#[tokio::test]
async fn s15_the_results_of_one_request_are_bounded() {
    let test = TestEngine::with(Limits { result_bytes_max: 10_000, ..Limits::default() });
    test.sql("CREATE TABLE t (id INT PRIMARY KEY, a TEXT); INSERT INTO t VALUES (1, repeat('x', 8000))").await;
    test.sql("SELECT a FROM t").await;
    let response = test.run_as("root", Role::System, "SELECT a FROM t; SELECT a FROM t; SELECT 1", &[]).await;
    let error = response.error.unwrap();
    assert_eq!((error.code, error.details.as_deref()), (ErrorCode::TooLarge, Some("statement 2 of 3")));
    let error = test.fails("UPDATE t SET a = a || 'y' RETURNING a, a").await;
    assert_eq!(error.code, ErrorCode::TooLarge);
    assert_eq!(test.rows("SELECT length(a) FROM t").await.as_array().unwrap().len(), 1);
    assert_eq!(test.sql("SELECT id FROM t WHERE a LIKE '%y'").await.row_count, 0, "it was not written either");
}

#[tokio::test]
async fn after_shutdown_nothing_is_run() {
    let test = TestEngine::start();
    test.sql("CREATE TABLE t (id INT PRIMARY KEY)").await;
    test.engine.shutdown().await;
    assert_eq!(test.fails("SELECT 1").await.code, ErrorCode::Unavailable);
    let caller = Caller::new(UserId::root(), Role::System);
    let planned = test.engine.plan_live(&caller, "SELECT 1", Vec::new(), None).await;
    assert_eq!(planned.unwrap_err().code, ErrorCode::Unavailable);
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_whole_commits_or_none() {
    let test = TestEngine::start();
    test.sql("CREATE TABLE t (id INT PRIMARY KEY, n INT)").await;
    for n in 0..40 {
        let sql = format!("INSERT INTO t SELECT value, {n} FROM generate_series({n}0, {n}9); SELECT 1");
        let patience =
            tokio::time::timeout(Duration::from_micros(n * 150), test.run_as("root", Role::System, &sql, &[]));
        let _ = patience.await;
    }
    test.sql("INSERT INTO t VALUES (100000, 100000)").await;
    let torn = "SELECT n FROM t WHERE n < 100000 GROUP BY n HAVING COUNT(*) <> 10";
    assert_eq!(test.rows(torn).await, json!([]));
    test.sql("CREATE INDEX t_n ON t (n)").await;
    let found = test.rows("SELECT COUNT(*) FROM t WHERE n >= 0").await;
    assert_eq!(found, test.rows("SELECT COUNT(*) FROM t").await);
}

#[tokio::test]
async fn s12_nobody_acts_for_a_user_of_a_higher_role() {
    let test = TestEngine::start();
    test.sql("CREATE USER 'chief' WITH PASSWORD 'long enough' ROLE system").await;
    let sql = "EXECUTE AS USER 'chief' (SELECT CURRENT_USER())";
    let response = test.run_as("admin", Role::Dba, sql, &[]).await;
    assert_eq!(response.error.unwrap().code, ErrorCode::PermissionDenied);
    assert_eq!(test.rows(sql).await, json!([["chief"]]));
}

#[tokio::test]
async fn expressions_of_a_write_may_be_any_over_the_row_and_other_tables() {
    let test = TestEngine::start();
    test.sql("CREATE TABLE u (id INT PRIMARY KEY, n INT); INSERT INTO u VALUES (1, 5), (2, 7)").await;
    test.sql("CREATE TABLE \"Töne\" (id INT PRIMARY KEY, n INT, a TEXT)").await;
    test.sql("INSERT INTO \"Töne\" AS x SELECT id, n, 'u' || id FROM u ORDER BY id DESC LIMIT 1 RETURNING x.a").await;
    test.sql("INSERT INTO \"Töne\" VALUES ((SELECT MAX(id) + 1 FROM u), length('abc'), upper('z') || 'y')").await;
    assert_eq!(test.rows("SELECT * FROM \"Töne\" ORDER BY id").await, json!([[2, 7, "u2"], [3, 3, "Zy"]]));
    let sql = "UPDATE \"Töne\" AS x SET n = (SELECT SUM(u.n) + 5 FROM u WHERE u.id = x.id), a = x.a || x.n \
               WHERE EXISTS (SELECT 1 FROM u WHERE u.id = x.id) RETURNING x.*, (SELECT COUNT(*) FROM u) AS c, x.n % 5 AS m";
    assert_eq!(test.rows(sql).await, json!([[2, 12, "u27", "2", "2"]]));
    let sql = "DELETE FROM \"Töne\" AS x WHERE x.id NOT IN (SELECT id FROM u) RETURNING x.id";
    assert_eq!(test.rows(sql).await, json!([[3]]));
    assert_eq!(test.sql("UPDATE \"Töne\" SET (n, a) = (1, 'one')").await.row_count, 1);
    assert_eq!(test.rows("SELECT * FROM \"Töne\"").await, json!([[2, 1, "one"]]));
}

#[tokio::test]
async fn a_write_may_ask_for_the_version_of_the_row_it_saw() {
    let test = TestEngine::start();
    test.sql("CREATE TABLE t (id INT PRIMARY KEY, n INT)").await;
    let SeqId(seen) = test.sql("INSERT INTO t VALUES (1, 1)").await.seq.unwrap();
    let update = format!("UPDATE t SET n = n + 1 WHERE id = 1 AND _seq = {seen}");
    assert_eq!(test.sql(&update).await.row_count, 1);
    assert_eq!(test.sql(&update).await.row_count, 0);
    assert_eq!(test.fails("UPDATE t SET _seq = 1").await.code, ErrorCode::NotFound);
}

#[tokio::test]
async fn columns_that_are_younger_than_a_row_keep_their_fill_when_it_is_written() {
    let test = TestEngine::start();
    test.sql("CREATE TABLE t (id INT PRIMARY KEY, a TEXT); INSERT INTO t VALUES (1, 'x')").await;
    test.sql("ALTER TABLE t ADD COLUMN b INT DEFAULT 7; ALTER TABLE t DROP COLUMN a; ALTER TABLE t ADD COLUMN a INT")
        .await;
    assert_eq!(test.rows("UPDATE t SET id = 2 WHERE id = 1 RETURNING *").await, json!([[2, 7, null]]));
    assert_eq!(test.rows("SELECT * FROM t").await, json!([[2, 7, null]]));
}

#[tokio::test]
async fn a_statement_of_many_rows_is_one_commit() {
    let test = TestEngine::start();
    test.sql("CREATE TABLE t (id INT PRIMARY KEY, n INT)").await;
    let values: Vec<String> = (0..5_000).map(|n| format!("({n}, abs({n}))")).collect();
    let SeqId(last) = test.sql(&format!("INSERT INTO t VALUES {}", values.join(","))).await.seq.unwrap();
    let first = json!([[(last - 4_999).to_string(), last.to_string()]]);
    assert_eq!(test.rows("SELECT MIN(_seq), MAX(_seq) FROM t").await, first);
    assert_eq!(test.sql("UPDATE t SET n = -n WHERE n % 2 = 0").await.row_count, 2_500);
    assert_eq!(test.sql("DELETE FROM t").await.row_count, 5_000);
}

#[tokio::test]
async fn json_parameters_are_documents_wherever_they_are_assigned() {
    let test = TestEngine::start();
    test.sql("CREATE TABLE t (id INT PRIMARY KEY, doc JSON)").await;
    for sql in [
        "INSERT INTO t VALUES (1, $1)",
        "UPDATE t SET doc = $1 WHERE id = 1",
        "UPDATE t SET doc = $1 WHERE id > 0",
        "INSERT INTO t VALUES (1, NULL) ON CONFLICT (id) DO UPDATE SET doc = $1",
    ] {
        let document = json!({"in": sql});
        let response = test.run_as("root", Role::System, sql, std::slice::from_ref(&document)).await;
        assert_eq!(response.error, None, "{sql}");
        assert_eq!(test.rows("SELECT doc FROM t").await, json!([[document.to_string()]]), "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_upserts_by_a_unique_index_settle_on_one_row() {
    let test = Arc::new(TestEngine::start());
    test.sql("CREATE TABLE t (id BIGINT DEFAULT SNOWFLAKE_ID() PRIMARY KEY, u TEXT, n INT)").await;
    test.sql("CREATE UNIQUE INDEX t_u ON t (u)").await;
    let upsert = "INSERT INTO t (u, n) VALUES ('a', 1) ON CONFLICT (u) DO UPDATE SET n = t.n + EXCLUDED.n";
    let writers = (0..20).map(|_| {
        let test = Arc::clone(&test);
        tokio::spawn(async move { test.run_as("root", Role::System, upsert, &[]).await.error })
    });
    let mut settled = 0;
    for writer in writers.collect::<Vec<_>>() {
        match writer.await.unwrap() {
            None => settled += 1,
            Some(error) => assert_eq!(error.code, ErrorCode::Conflict),
        }
    }
    assert_eq!(test.rows("SELECT u, n FROM t").await, json!([["a", settled]]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_and_catalog_changes_at_one_time_leave_no_row_of_an_old_shape() {
    let test = Arc::new(TestEngine::start());
    test.sql("CREATE TABLE t (id INT PRIMARY KEY, n INT)").await;
    let writers = (0..4).map(|writer| {
        let test = Arc::clone(&test);
        tokio::spawn(async move {
            for row in 0..50 {
                test.sql(&format!("INSERT INTO t (id, n) VALUES ({}, {row})", writer * 1_000 + row)).await;
                test.sql(&format!("SELECT COUNT(*) FROM t WHERE n = {row}")).await;
            }
        })
    });
    let writers: Vec<_> = writers.collect();
    for _ in 0..10 {
        test.sql("CREATE INDEX t_n ON t (n)").await;
        let by_index = "SELECT (SELECT COUNT(*) FROM t WHERE n >= 0) - (SELECT COUNT(*) FROM t WHERE n + 0 >= 0)";
        assert_eq!(test.rows(by_index).await, json!([["0"]]));
        test.sql("DROP INDEX t_n ON t; ALTER TABLE t ADD COLUMN x INT DEFAULT 3; ALTER TABLE t DROP COLUMN x").await;
    }
    for writer in writers {
        writer.await.unwrap();
    }
    test.sql("CREATE INDEX t_n ON t (n)").await;
    assert_eq!(test.rows("SELECT COUNT(*) FROM t WHERE n >= 0").await, json!([["200"]]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn i5_rows_of_a_dropped_user_go_also_if_the_server_stopped_before_they_were_deleted() {
    let test = TestEngine::start();
    test.sql("CREATE TABLE t (id INT PRIMARY KEY, n INT); CREATE INDEX by_n ON t (n)").await;
    for user in ["anna", "ben"] {
        let sql = "INSERT INTO t SELECT value, 1 FROM generate_series(1, 5000)";
        assert_eq!(test.run_as(user, Role::User, sql, &[]).await.error, None);
    }
    // What a crash leaves right behind the commit that drops a user.
    let dropped = |test: &TestEngine, user: &str| {
        let writes = test.engine.0.parts.users.remove(&UserId::new(user).unwrap(), false).unwrap().unwrap();
        test.store.commit_blocking(writes).unwrap();
    };
    dropped(&test, "anna");
    let test = test.restart().await;
    while !test.engine.0.parts.users.leaving().is_empty() {
        tokio::task::yield_now().await;
    }
    let count = "SELECT count(*) FROM t WHERE n = 1";
    let rows_of = async |user| {
        let response = test.run_as(user, Role::User, count, &[]).await;
        (response.error, response.results.last().map(|result| result.rows[0][0].clone()))
    };
    assert_eq!(rows_of("anna").await, (None, Some(Value::BigInt(0))));
    assert_eq!(rows_of("ben").await, (None, Some(Value::BigInt(5_000))));
    // Nor does anybody find them who is created before.
    dropped(&test, "ben");
    test.sql("CREATE USER 'ben' WITH PASSWORD 'long enough' ROLE user").await;
    assert_eq!(rows_of("ben").await, (None, Some(Value::BigInt(0))));
    assert_eq!(test.engine.0.parts.users.leaving(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn i8_who_acts_in_a_request_is_not_another_of_the_same_name() {
    let test = TestEngine::start();
    let parts = &test.engine.0.parts;
    let begin = || acting::Acting::begin(parts, Caller::new(test.stored("anna", Role::User), Role::User)).unwrap();
    let first = begin();
    assert_eq!(first.check(parts), Ok(()));
    test.sql("DROP USER 'anna'").await;
    assert_eq!(first.check(parts).unwrap_err().code, ErrorCode::TokenRevoked);
    let second = begin();
    assert_eq!(first.check(parts).unwrap_err().code, ErrorCode::TokenRevoked, "that is another anna");
    assert_eq!(second.check(parts), Ok(()));
    test.sql("ALTER USER 'anna' SET EMAIL 'a@b'").await;
    assert_eq!(second.check(parts), Ok(()));
    test.sql("ALTER USER 'anna' SET ROLE service").await;
    assert_eq!(second.check(parts).unwrap_err().code, ErrorCode::TokenRevoked);
}
