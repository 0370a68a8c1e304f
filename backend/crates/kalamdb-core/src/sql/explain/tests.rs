//! What EXPLAIN shows.

use serde_json::json;

use crate::engine::tests::TestEngine;

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn explain_shows_how_rows_are_found_and_analyze_how_many() {
    let test = TestEngine::start();
    test.sql("CREATE TABLE t (id INT PRIMARY KEY, a TEXT); CREATE INDEX by_a ON t (a)").await;
    test.sql("INSERT INTO t VALUES (1, 'x'), (2, 'x')").await;
    let shown = test.rows("EXPLAIN SELECT id FROM t WHERE a = 'x'").await.to_string();
    assert!(shown.contains("1 ranges of index by_a"), "{shown}");
    let shown = test.rows("EXPLAIN SELECT id FROM t WHERE id IN (1, 5) AND a > 'w'").await.to_string();
    assert!(shown.contains("2 keys"), "{shown}");
    let shown = test.rows("EXPLAIN ANALYZE SELECT id FROM t WHERE a = 'x'").await.to_string();
    assert!(shown.contains("output_rows=2"), "{shown}");
    assert_eq!(test.rows("EXPLAIN VERBOSE SELECT 1").await.as_array().map(Vec::len), Some(3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn explain_live_tells_the_strategy_and_what_finds_the_query() {
    let test = TestEngine::start();
    test.sql("CREATE TABLE t (id INT PRIMARY KEY, a TEXT)").await;
    let shown = test.rows("EXPLAIN LIVE SELECT * FROM t WHERE a = 'x'").await;
    let value = |name: &str| {
        let rows = shown.as_array().unwrap();
        rows.iter().find(|row| row[0] == name).map(|row| row[1].clone()).unwrap_or_default()
    };
    assert_eq!((value("strategy"), value("tables"), value("key")), (json!("filter"), json!("default.t"), json!("id")));
    assert_eq!(value("found by"), json!("equality of a"));
    let shown = test.rows("EXPLAIN LIVE SELECT COUNT(*) AS c FROM t").await.to_string();
    assert!(shown.contains("re-run"), "{shown}");
}
