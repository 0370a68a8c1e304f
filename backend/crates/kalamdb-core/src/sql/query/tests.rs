//! Queries through a whole engine: hidden columns, parameters, kept plans, limits, names, rights.

use std::time::Duration;

use kalamdb_commons::protocol::StatementResult;
use kalamdb_commons::{ErrorCode, Role};
use serde_json::{Value as Json, json};

use crate::engine::tests::TestEngine;
use crate::options::Limits;

async fn ask(test: &TestEngine, sql: &str, params: &[Json]) -> StatementResult {
    let mut response = test.run_as("root", Role::System, sql, params).await;
    assert_eq!(response.error, None, "{sql}");
    response.results.pop().unwrap()
}

async fn rows(test: &TestEngine, sql: &str, params: &[Json]) -> Json {
    serde_json::to_value(ask(test, sql, params).await).unwrap()["rows"].clone()
}

fn names(result: &StatementResult) -> Vec<&str> {
    result.schema.iter().map(|field| field.name.as_str()).collect()
}

async fn with_tables() -> TestEngine {
    let test = TestEngine::start();
    test.sql("CREATE TABLE t (id INT PRIMARY KEY, a TEXT, n BIGINT); CREATE TABLE u (id INT PRIMARY KEY, b TEXT)")
        .await;
    test.sql("INSERT INTO t VALUES (1, 'x', 10), (2, 'y', 20), (3, NULL, 30)").await;
    test.sql("INSERT INTO u VALUES (1, 'p'), (2, 'q')").await;
    test
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn hidden_columns_are_selectable_and_never_part_of_a_wildcard() {
    let test = with_tables().await;
    for (sql, columns) in [
        ("SELECT * FROM t", vec!["id", "a", "n"]),
        ("SELECT _seq FROM t", vec!["_seq"]),
        ("SELECT *, _seq FROM t", vec!["id", "a", "n", "_seq"]),
        ("SELECT _seq, t.* FROM t ORDER BY _SEQ", vec!["_seq", "id", "a", "n"]),
        ("SELECT x._seq, x.* FROM t AS x WHERE x._seq > 0", vec!["_seq", "id", "a", "n"]),
        ("SELECT *, t._seq FROM t JOIN u ON t.id = u.id", vec!["id", "a", "n", "id", "b", "_seq"]),
        ("SELECT *, t._seq FROM t JOIN u USING (id)", vec!["id", "a", "n", "b", "_seq"]),
        ("SELECT * FROM (SELECT *, _seq FROM t) AS s", vec!["id", "a", "n", "_seq"]),
        ("WITH t AS (SELECT * FROM t WHERE _seq > 0) SELECT * FROM t", vec!["id", "a", "n"]),
        ("WITH s AS (SELECT id, _seq AS w FROM t) SELECT * FROM s JOIN u ON s.id = u.id", vec!["id", "w", "id", "b"]),
        ("SELECT * FROM t AS x (k, l, m) WHERE x._seq > 0", vec!["k", "l", "m"]),
        ("SELECT COUNT(*) AS c FROM t WHERE _seq > 0", vec!["c"]),
        ("SELECT id FROM t WHERE EXISTS (SELECT * FROM u WHERE u._seq > t._seq AND u.id = t.id)", vec!["id"]),
    ] {
        let result = ask(&test, sql, &[]).await;
        assert_eq!(names(&result), columns, "{sql}");
        assert!(result.row_count > 0, "{sql}");
    }
    let error = test.fails("SELECT *, t._seq FROM t NATURAL JOIN u").await;
    assert_eq!(error.code, ErrorCode::Unsupported);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_parameter_has_the_type_of_what_it_is_compared_with() {
    let test = with_tables().await;
    for (sql, params, wanted) in [
        ("SELECT id FROM t WHERE id = $1", vec![json!("2")], json!([[2]])),
        ("SELECT id FROM t WHERE n = $1", vec![json!("20")], json!([[2]])),
        ("SELECT id FROM t WHERE n > $1 ORDER BY id", vec![json!(10.5)], json!([[2], [3]])),
        ("SELECT id FROM t WHERE id < $1 ORDER BY id", vec![json!(2.5)], json!([[1], [2]])),
        ("SELECT id FROM t WHERE id < $1 AND id > $2", vec![json!(5_000_000_000_i64), json!(2)], json!([[3]])),
        ("SELECT id FROM t WHERE a = $1", vec![json!("y")], json!([[2]])),
        ("SELECT id FROM t WHERE a LIKE $1", vec![json!("y%")], json!([[2]])),
        ("SELECT id FROM t WHERE id IN ($1, $2) ORDER BY id", vec![json!(1), json!("3")], json!([[1], [3]])),
        ("SELECT id FROM t WHERE id BETWEEN $1 AND $1", vec![json!(2)], json!([[2]])),
        ("SELECT id FROM t WHERE a = $1", vec![json!(null)], json!([])),
        ("SELECT id FROM t ORDER BY id LIMIT $1 OFFSET $2", vec![json!(1), json!(1)], json!([[2]])),
        ("SELECT $1", vec![json!("free")], json!([["free"]])),
        ("SELECT $1", vec![json!(7)], json!([["7"]])),
        ("SELECT $1 + 1", vec![json!(7)], json!([["8"]])),
        ("SELECT id + $1 FROM t WHERE id = 1", vec![json!(1)], json!([[2]])),
        ("SELECT upper($1)", vec![json!("x")], json!([["X"]])),
        ("SELECT COALESCE(a, $1) FROM t WHERE id = 3", vec![json!("none")], json!([["none"]])),
        ("SELECT value FROM generate_series(1, $1)", vec![json!(2)], json!([["1"], ["2"]])),
        ("SELECT CAST($1 AS INT)", vec![json!("5")], json!([[5]])),
    ] {
        // The second and third time the plan is a kept one.
        for _ in 0..3 {
            assert_eq!(rows(&test, sql, &params).await, wanted, "{sql} {params:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_parameter_that_is_missing_or_of_another_kind_is_named_and_not_repeated() {
    let test = with_tables().await;
    for (sql, params, named) in [
        ("SELECT id FROM t WHERE id = $1", vec![], "$1"),
        ("SELECT id FROM t WHERE id = $2", vec![json!(1)], "$2"),
        ("SELECT id FROM t WHERE id > $1", vec![json!("tell-nobody")], "$1"),
        ("SELECT id FROM t WHERE id = $1", vec![json!("2.5")], "$1"),
        ("SELECT id FROM t WHERE id = $1", vec![json!(true)], "$1"),
        ("SELECT id FROM t WHERE id = $word", vec![json!(1)], "$1"),
        ("SELECT id FROM t WHERE id = $0", vec![json!(1)], "$1"),
    ] {
        let error = test.run_as("root", Role::System, sql, &params).await.error;
        let error = error.unwrap_or_else(|| panic!("{sql} {params:?}: succeeded"));
        assert_eq!(error.code, ErrorCode::InvalidParameter, "{sql}: {error:?}");
        assert!(error.message.contains(named) && !error.message.contains("tell-nobody"), "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_kept_plan_serves_other_values_users_and_times_and_ends_with_its_table() {
    let test = with_tables().await;
    let sql = "SELECT a, CURRENT_USER, NOW() FROM t WHERE n >= $1 ORDER BY n LIMIT 1";
    for (low, a) in [(5, "x"), (15, "y"), (15, "y"), (5, "x")] {
        test.clock.advance_secs(1);
        let found = rows(&test, sql, &[json!(low)]).await;
        assert_eq!((&found[0][0], &found[0][1]), (&json!(a), &json!("root")));
        assert_eq!(found[0][2], json!(kalamdb_store::Clock::now_micros(&*test.clock)));
    }
    for _ in 0..3 {
        let response = test.run_as("anna", Role::User, sql, &[json!(5)]).await;
        assert_eq!((response.error, response.results[0].row_count), (None, 0), "anna has rows of her own only");
    }
    test.sql("ALTER TABLE t ADD COLUMN late INT DEFAULT 9").await;
    for _ in 0..3 {
        assert_eq!(names(&ask(&test, "SELECT * FROM t WHERE n > 5", &[]).await), ["id", "a", "n", "late"]);
    }
    test.sql("ALTER TABLE t DROP COLUMN a").await;
    let error = test.run_as("root", Role::System, sql, &[json!(5)]).await.error.unwrap();
    assert_eq!(error.code, ErrorCode::NotFound);
    assert_eq!(names(&ask(&test, "SELECT * FROM t WHERE n > 5", &[]).await), ["id", "n", "late"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn s20_a_kept_plan_gives_nothing_to_those_who_may_not_read_its_table() {
    let test = TestEngine::start();
    test.sql("CREATE SHARED TABLE secrets (id INT PRIMARY KEY, a TEXT); INSERT INTO secrets VALUES (1, 'x')").await;
    let sql = "SELECT a FROM secrets WHERE a > ''";
    for _ in 0..3 {
        assert_eq!(rows(&test, sql, &[]).await, json!([["x"]]));
    }
    let code = async |sql| test.run_as("anna", Role::User, sql, &[]).await.error.map(|error| error.code);
    assert_eq!(code("SELECT user_id FROM system.users").await, Some(ErrorCode::PermissionDenied));
    for (grant, wanted) in [
        (None, Some(ErrorCode::NotFound)),
        (Some("GRANT INSERT ON secrets TO USER 'anna'"), Some(ErrorCode::PermissionDenied)),
        (Some("GRANT SELECT ON secrets TO USER 'anna'"), None),
        (Some("REVOKE SELECT ON secrets FROM USER 'anna'"), Some(ErrorCode::PermissionDenied)),
        (Some("REVOKE ALL ON secrets FROM USER 'anna'"), Some(ErrorCode::NotFound)),
    ] {
        if let Some(grant) = grant {
            test.sql(grant).await;
        }
        // Root's plan is kept again each time before anna comes.
        for _ in 0..3 {
            assert_eq!(rows(&test, sql, &[]).await, json!([["x"]]));
        }
        for sql in [sql, sql, "SELECT a FROM secrets WHERE id = 1"] {
            assert_eq!(code(sql).await, wanted, "{grant:?} {sql}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_query_by_key_looks_the_same_with_and_without_a_plan() {
    let test = with_tables().await;
    test.sql("CREATE UNIQUE INDEX t_n ON t (n)").await;
    for items in ["*", "id, a", "t.n AS m, id", "_seq, *", "t.*, _seq AS w"] {
        let direct = ask(&test, &format!("SELECT {items} FROM t WHERE id = 2"), &[]).await;
        let planned = ask(&test, &format!("SELECT {items} FROM t WHERE id = 2 AND true"), &[]).await;
        assert_eq!((direct.schema, direct.rows), (planned.schema, planned.rows), "{items}");
    }
    for (condition, params, wanted) in [
        ("2 = id", vec![], json!([["y"]])),
        ("(id) = (2)", vec![], json!([["y"]])),
        ("id = $1", vec![json!(2)], json!([["y"]])),
        ("id = 9", vec![], json!([])),
        ("id = NULL", vec![], json!([])),
        ("id = 2.5", vec![], json!([])),
        ("id = 99999999999", vec![], json!([])),
    ] {
        assert_eq!(rows(&test, &format!("SELECT a FROM t WHERE {condition}"), &params).await, wanted, "{condition}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn columns_are_called_as_they_are_written() {
    let test = with_tables().await;
    for (sql, columns) in [
        ("SELECT COUNT(*), SUM(n) FROM t", vec!["count(*)", "sum(n)"]),
        ("SELECT id + 1, A, 'Quoted' FROM t", vec!["id + 1", "a", "'Quoted'"]),
        ("SELECT NOW(), NOW()", vec!["now()", "now()"]),
        ("SELECT id, id, *, id FROM t", vec!["id", "id", "id", "a", "n", "id"]),
        ("SELECT 1 AS a, 2 AS a", vec!["a", "a"]),
        ("SELECT a FROM t UNION ALL SELECT b FROM u", vec!["a"]),
        ("SELECT t.a, u.b AS \"B\" FROM t JOIN u ON t.id = u.id", vec!["a", "B"]),
    ] {
        assert_eq!(names(&ask(&test, sql, &[]).await), columns, "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn s17_whole_numbers_do_not_wrap_around() {
    let test = with_tables().await;
    for sql in [
        "SELECT 9223372036854775807 + 1",
        "SELECT -9223372036854775808 - 1",
        "SELECT 9223372036854775807 * 2",
        "SELECT n + 9223372036854775807 FROM t",
        "SELECT -(n - 9223372036854775807 - 31) FROM t WHERE id = 1",
        "SELECT SUM(n + 9223372036854775700) FROM t",
        "SELECT id FROM t WHERE n * 9223372036854775807 > 0",
        "SELECT CAST(3000000000 AS INT)",
        "SELECT 1 / 0",
        "SELECT 18446744073709551615",
    ] {
        let error = test.fails(sql).await;
        assert_eq!(error.code, ErrorCode::ConstraintViolation, "{sql}: {error:?}");
    }
    assert_eq!(
        test.rows("SELECT 2147483647 + 1, -n + 1, n * 2 FROM t WHERE id = 1").await,
        json!([["2147483648", "-9", "20"]])
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn s15_results_memory_time_and_functions_are_bounded() {
    let limits = Limits {
        result_rows_max: 1_000,
        result_bytes_max: 200_000,
        query_memory_bytes_max: 4 << 20,
        query_timeout: Duration::from_millis(700),
        ..Limits::default()
    };
    let test = TestEngine::with(limits);
    for sql in [
        "SELECT value FROM generate_series(1, 1001)",
        "SELECT repeat('x', 1000) FROM generate_series(1, 500)",
        "SELECT array_agg(value) FROM generate_series(1, 2000000)",
        "SELECT COUNT(*) FROM generate_series(1, 100000) a CROSS JOIN generate_series(1, 1000000) b",
        "SELECT COUNT(*) FROM generate_series(1, 9223372036854775807)",
        "WITH RECURSIVE c AS (SELECT 1 AS n UNION ALL SELECT n FROM c) SELECT COUNT(*) FROM c",
        "SELECT repeat('x', 2000000000)",
        "SELECT lpad('x', 2000000000, 'y')",
        "SELECT replace(repeat('a', 1000000), 'a', repeat('b', 1000000))",
        "SELECT array_repeat(1, 2000000000)",
        "SELECT levenshtein(repeat('a', 100000), repeat('b', 100000))",
    ] {
        let error = test.fails(sql).await;
        assert_eq!(error.code, ErrorCode::TooLarge, "{sql}: {error:?}");
    }
    assert_eq!(test.rows("SELECT value FROM generate_series(1, 9223372036854775807) LIMIT 1").await, json!([["1"]]));
    assert_eq!(test.rows("SELECT repeat('ab', 2), replace('aXa', 'X', 'yy')").await, json!([["abab", "ayya"]]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_query_reads_nothing_but_tables() {
    let test = with_tables().await;
    for sql in [
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM 'file.csv'",
        "SELECT * FROM \"/etc/passwd\"",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM other.default.t",
        "SELECT * FROM information_schema.tables",
    ] {
        let error = test.fails(sql).await;
        assert!(matches!(error.code, ErrorCode::NotFound | ErrorCode::InvalidSql), "{sql}: {error:?}");
    }
    for sql in ["SELECT id INTO copy FROM t", "SELECT id FROM t FOR UPDATE"] {
        assert_eq!(test.fails(sql).await.code, ErrorCode::Unsupported, "{sql}");
    }
    let missing = test.fails("SELECT id\nFROM missing").await;
    assert_eq!((missing.code, missing.position), (ErrorCode::NotFound, Some(16)));
    assert_eq!(test.rows("SELECT id FROM kalam.default.t ORDER BY id LIMIT 1").await, json!([[1]]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn literals_compare_in_every_notation_that_a_column_takes() {
    let test = TestEngine::start();
    test.sql("CREATE TABLE v (id INT PRIMARY KEY, u UUID, b BYTES, at TIMESTAMP, d DATE, p DECIMAL(10,2))").await;
    test.sql("INSERT INTO v VALUES (1, '0195f2c0-0000-7000-8000-00000000000a', X'00ff10', 1000000, 1, 1.50)").await;
    for condition in [
        "u = '0195F2C0-0000-7000-8000-00000000000A'",
        "u IN ('0195F2C000007000800000000000000A')",
        "CAST('0195F2C0-0000-7000-8000-00000000000A' AS UUID) = u",
        "b = 'AP8Q'",
        "b = X'00ff10'",
        "at = 1000000",
        "at BETWEEN 0 AND '1970-01-01T00:00:02'",
        "at = '1970-01-01T00:00:01Z'",
        "d = '1970-01-02'",
        "d = 1",
        "p = 1.5",
        "p > 1",
    ] {
        for sql in
            [format!("SELECT id FROM v WHERE {condition}"), format!("SELECT id FROM v WHERE {condition} AND id > 0")]
        {
            assert_eq!(test.rows(&sql).await, json!([[1]]), "{sql}");
        }
    }
    assert_eq!(test.fails("SELECT CAST('no uuid' AS UUID)").await.code, ErrorCode::ConstraintViolation);
    assert_eq!(test.fails("SELECT CAST('{' AS JSON)").await.code, ErrorCode::ConstraintViolation);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn rows_come_by_key_and_index_as_by_reading_everything() {
    let test = TestEngine::start();
    test.sql("CREATE TABLE k (a INT, b TEXT, n INT, s TEXT, PRIMARY KEY (a, b))").await;
    for a in 0..6 {
        for (at, b) in ["p", "q", "r", "ab", "abc"].into_iter().enumerate() {
            let n = if at == 2 { "NULL".to_owned() } else { ((a * 7 + at) % 5).to_string() };
            test.sql(&format!("INSERT INTO k VALUES ({a}, '{b}', {n}, 's{}')", (a + at) % 3)).await;
        }
    }
    let conditions = [
        "a = 3",
        "a = 3 AND b = 'q'",
        "a IN (1, 4) AND b > 'p'",
        "a > 2 AND a <= 4",
        "a BETWEEN 1 AND 2",
        "a = 2 AND b LIKE 'ab%'",
        "n = 3",
        "n > 2",
        "n IS NULL",
        "n < 2 OR n = 4",
        "s = 's1'",
        "s = 's1' AND n >= 1",
        "s >= 's1'",
        "n IN (1, 2, 9)",
        "a = 1 OR a = 5",
        "a = 1 AND a = 2",
        "NOT (n = 3)",
        "s LIKE 's2'",
        "n = 3 AND s = 's0'",
    ];
    let mut plain = Vec::new();
    for condition in conditions {
        let sql = format!("SELECT * FROM k WHERE CASE WHEN {condition} THEN true ELSE false END ORDER BY a, b");
        plain.push(test.rows(&sql).await);
    }
    test.sql("CREATE INDEX by_n ON k (n); CREATE INDEX by_s ON k (s, n)").await;
    for (condition, wanted) in conditions.iter().zip(&plain) {
        assert_eq!(
            &test.rows(&format!("SELECT * FROM k WHERE {condition} ORDER BY a, b")).await,
            wanted,
            "{condition}"
        );
        let within = format!(
            "BEGIN; DELETE FROM k WHERE a = 3; INSERT INTO k VALUES (3, 'p', 4, 's2'), (9, 'z', 3, 's1'); \
             SELECT * FROM k WHERE {condition} ORDER BY a, b; \
             SELECT * FROM k WHERE CASE WHEN {condition} THEN true ELSE false END ORDER BY a, b; ROLLBACK"
        );
        let response = test.run_as("root", Role::System, &within, &[]).await;
        assert_eq!(response.error, None, "{condition}");
        let read: Vec<_> = response.results.iter().filter(|result| !result.schema.is_empty()).collect();
        assert_eq!((&read[0].rows, read.len()), (&read[1].rows, 2), "{condition}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn notations_that_the_planner_does_not_know_work_all_the_same() {
    let test = with_tables().await;
    for (sql, wanted) in [
        ("TABLE u", json!([[1, "p"], [2, "q"]])),
        ("SELECT id FROM t ORDER BY id FETCH FIRST 1 ROW ONLY", json!([[1]])),
        ("SELECT id FROM t ORDER BY id OFFSET 1 FETCH NEXT 2 ROWS ONLY", json!([[2], [3]])),
        ("SELECT EXISTS (SELECT 1 FROM t WHERE id = 2), NOT EXISTS (SELECT 1 FROM t)", json!([[true, false]])),
        ("SELECT EXISTS (SELECT max(id) FROM t WHERE false)", json!([[true]])),
        ("SELECT EXISTS (SELECT id FROM t LIMIT 0)", json!([[false]])),
        (
            "SELECT id, EXISTS (SELECT 1 FROM u WHERE u.id = t.id) AS e FROM t ORDER BY id",
            json!([[1, true], [2, true], [3, false]]),
        ),
        ("SELECT CAST('1' AS INT), CAST('1' AS TEXT), CAST('1' AS DOUBLE)", json!([[1, "1", 1.0]])),
        (
            "SELECT value FROM generate_series(TIMESTAMP '1970-01-01', TIMESTAMP '1970-01-02', INTERVAL '1 day')",
            json!([[0], [86_400_000_000_i64]]),
        ),
        ("SELECT json_get_array('[1, \"x\", {\"a\": 2}]')", json!([["[1,\"x\",{\"a\":2}]"]])),
    ] {
        for _ in 0..3 {
            assert_eq!(test.rows(sql).await, wanted, "{sql}");
        }
    }
    for sql in [
        "SELECT id FROM t TABLESAMPLE BERNOULLI (10)",
        "SELECT id FROM t FETCH FIRST 10 PERCENT ROWS ONLY",
        "SELECT id, (SELECT COUNT(*) FROM u WHERE u.id < t.id) FROM t",
    ] {
        assert_eq!(test.fails(sql).await.code, ErrorCode::Unsupported, "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_union_of_uuids_and_other_texts_is_text() {
    let test = TestEngine::start();
    test.sql("CREATE TABLE v (id INT PRIMARY KEY, u UUID, doc JSON, a TEXT)").await;
    for (sql, wanted) in [
        ("SELECT u FROM v UNION SELECT u FROM v", "UUID"),
        ("SELECT u FROM v UNION ALL SELECT a FROM v", "TEXT"),
        ("SELECT a FROM v UNION SELECT doc FROM v UNION SELECT u FROM v", "TEXT"),
        ("SELECT doc FROM v UNION ALL SELECT doc FROM v", "JSON"),
        ("SELECT CAST(u AS TEXT) FROM v", "TEXT"),
    ] {
        assert_eq!(ask(&test, sql, &[]).await.schema[0].data_type.to_string(), wanted, "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_a_statement_does_to_its_data_is_never_our_fault() {
    let test = with_tables().await;
    for sql in [
        "SELECT date_trunc('garbage', NOW())",
        "SELECT extract(garbage FROM NOW())",
        "SELECT a ~ '(' FROM t",
        "SELECT regexp_replace('abc', '(', 'x')",
        "SELECT id FROM t WHERE regexp_like(a, '[')",
        "SELECT CAST(99999 AS DECIMAL(5,2))",
        "SELECT arrow_cast(1, 'Garbage')",
        "SELECT split_part('a,b', ',', 0)",
        "SELECT ntile(0) OVER (ORDER BY id) FROM t",
        "SELECT (SELECT id FROM t)",
        "SELECT id FROM t WHERE row_number() OVER () = 1",
        "SELECT a COLLATE \"C\" FROM t",
        "SELECT U&'\\0041'",
    ] {
        let error = test.fails(sql).await;
        assert!(error.code != ErrorCode::Internal && error.code.http_status() < 500, "{sql}: {error:?}");
        assert!(!error.message.contains(['{', '[']), "{sql}: {}", error.message);
    }
}
