use serde_json::json;

use crate::engine::tests::TestEngine;

async fn stream(ttl: u32) -> TestEngine {
    let test = TestEngine::start();
    test.sql(&format!("CREATE STREAM TABLE s (id INT PRIMARY KEY, a TEXT) WITH (TTL_SECONDS = {ttl})")).await;
    test
}

const IDS: &str = "SELECT id FROM s ORDER BY id";

#[tokio::test]
async fn a_row_leaves_when_nobody_has_written_it_for_its_time() {
    let test = stream(60).await;
    test.sql("INSERT INTO s VALUES (1, 'x'), (2, 'y'), (3, 'z')").await;
    test.clock.advance_secs(40);
    test.sql("UPDATE s SET a = 'again' WHERE id = 2; DELETE FROM s WHERE id = 3; INSERT INTO s VALUES (4, 'new')")
        .await;
    test.clock.advance_secs(19);
    assert_eq!(test.rows(IDS).await, json!([[1], [2], [4]]));
    test.clock.advance_secs(1);
    test.until_rows(IDS, json!([[2], [4]])).await;
    test.clock.advance_secs(40);
    test.until_rows(IDS, json!([])).await;
}

#[tokio::test]
async fn rows_keep_their_age_over_a_restart() {
    let test = stream(600).await;
    test.sql("INSERT INTO s VALUES (1, 'x')").await;
    test.clock.advance_secs(400);
    test.sql("INSERT INTO s VALUES (2, 'y')").await;
    let test = test.restart().await;
    test.clock.advance_secs(201);
    test.until_rows(IDS, json!([[2]])).await;
    test.clock.advance_secs(400);
    test.until_rows(IDS, json!([])).await;
}

#[tokio::test]
async fn another_time_to_live_counts_for_the_rows_that_are_there() {
    let test = stream(3_600).await;
    test.sql("INSERT INTO s VALUES (1, 'x')").await;
    test.clock.advance_secs(100);
    assert_eq!(test.rows(IDS).await, json!([[1]]));
    test.sql("ALTER TABLE s SET (TTL_SECONDS = 50)").await;
    test.until_rows(IDS, json!([])).await;
}

#[tokio::test]
async fn a_dropped_table_is_forgotten() {
    let test = stream(60).await;
    test.sql("INSERT INTO s VALUES (1, 'x'); DROP TABLE s").await;
    test.clock.advance_secs(100);
    test.sql("CREATE STREAM TABLE s (id INT PRIMARY KEY) WITH (TTL_SECONDS = 60); INSERT INTO s VALUES (2)").await;
    assert_eq!(test.rows(IDS).await, json!([[2]]));
    test.clock.advance_secs(61);
    test.until_rows(IDS, json!([])).await;
}
