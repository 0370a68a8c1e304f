//! STREAM tables keep each user's rows for a while only.

use kalamdb_testkit::TestServer;
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_of_a_stream_table_leaves_when_its_time_is_up_and_live_queries_see_it_go() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE STREAM TABLE typing (id INT PRIMARY KEY, room TEXT) WITH (TTL_SECONDS = 1)").await;
    let mut socket = root.connect().await;
    let mut live = socket.subscribe("s", "SELECT * FROM typing").await;
    root.sql("INSERT INTO typing VALUES (1, 'lobby')").await;
    let insert = socket.next_of("s").await;
    assert_eq!(insert["change_type"], "insert");
    live.apply(&insert);
    let gone = socket.next_of("s").await;
    assert_eq!(gone["change_type"], "delete");
    live.apply(&gone);
    assert!(live.cells().is_empty());
    assert_eq!(root.cell("SELECT COUNT(*) FROM typing").await, json!("0"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_of_a_stream_table_are_each_users_own() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE STREAM TABLE typing (id INT PRIMARY KEY) WITH (TTL_SECONDS = 3600)").await;
    let (anna, ben) = (server.user("anna", "user").await, server.user("ben", "user").await);
    anna.sql("INSERT INTO typing VALUES (1)").await;
    assert_eq!(ben.cell("SELECT COUNT(*) FROM typing").await, json!("0"));
    assert_eq!(anna.cell("SELECT COUNT(*) FROM typing").await, json!("1"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_table_needs_a_time_to_live_that_makes_sense() {
    let server = TestServer::start().await;
    let root = server.root().await;
    for with in [
        "",
        "WITH (TTL_SECONDS = 0)",
        "WITH (TTL_SECONDS = -1)",
        "WITH (TTL_SECONDS = 'soon')",
        "WITH (TTL_SECONDS = 99999999999999999999)",
    ] {
        let failure = root.sql_fails(&format!("CREATE STREAM TABLE s (id INT PRIMARY KEY) {with}")).await;
        assert_eq!(failure.status, 400, "{with}: {failure}");
    }
}
