//! What SQL shows of connections and live queries, and of the rest of the system.

use std::collections::BTreeSet;

use kalamdb_testkit::TestServer;
use serde_json::{Value as Json, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn us2_every_active_subscription_has_exactly_one_row_with_what_there_is_to_know() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY); CREATE TABLE u (id INT PRIMARY KEY)").await;
    let anna = server.user("anna", "user").await;
    let mut socket = anna.connect().await;
    socket.subscribe("plain", "SELECT * FROM t").await;
    let mut joined = socket
        .subscribe_with("joined", "SELECT t.id FROM t JOIN u ON t.id = u.id", &[], json!({"batch_size": 5}))
        .await;
    let seq = anna.sql("BEGIN; INSERT INTO t VALUES (1); INSERT INTO u VALUES (1); COMMIT").await.json["seq"].as_u64();
    let seq = seq.expect("the transaction's last result tells its commit");
    socket.follow(&mut joined, seq).await;
    let rows = root.sql("SELECT * FROM system.live_queries ORDER BY subscription_id").await.objects();
    assert_eq!(rows.len(), 2);
    for (row, id) in rows.iter().zip(["joined", "plain"]) {
        assert_eq!(row["live_id"], json!(format!("anna-{}-{id}", socket.connection_id())));
        assert_eq!((&row["connection_id"], &row["subscription_id"]), (&json!(socket.connection_id()), &json!(id)));
        assert_eq!(
            (&row["user_id"], &row["status"], &row["node_id"]),
            (&json!("anna"), &json!("active"), &json!("n1"))
        );
        assert_eq!(row["namespace_id"], "default");
        assert!(row["created_at"].is_i64() && row["options"].is_string() && row["strategy"].is_string(), "{row}");
    }
    assert_eq!(rows[0]["query"], "SELECT t.id FROM t JOIN u ON t.id = u.id");
    let tables: BTreeSet<&str> = rows[0]["table_name"].as_str().unwrap().split(',').map(str::trim).collect();
    assert_eq!(tables.len(), 2, "{tables:?}");
    assert_eq!(rows[1]["strategy"], "filter");
    assert!(rows[0]["changes"].as_str().unwrap().parse::<u64>().unwrap() >= 1, "{}", rows[0]);
    let last: u64 = rows[0]["last_seq_id"]
        .as_str()
        .map_or_else(|| rows[0]["last_seq_id"].as_u64().unwrap(), |s| s.parse().unwrap());
    assert!(last > 0 && last <= seq, "{last} {seq}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fr004_a_row_is_gone_on_every_way_a_subscription_can_end() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY)").await;
    let count = "SELECT COUNT(*) FROM system.live_queries";
    let none = |rows: &[Vec<Json>]| rows == [[json!("0")]];

    let mut socket = root.connect().await;
    socket.subscribe("s", "SELECT * FROM t").await;
    assert_eq!(root.cell(count).await, json!("1"));
    socket.unsubscribe("s").await;
    assert_eq!(root.cell(count).await, json!("0"), "unsubscribed");

    socket.subscribe("s", "SELECT * FROM t").await;
    socket.close().await;
    root.until_rows(count, none).await;

    let mut socket = root.connect().await;
    socket.subscribe("s", "SELECT * FROM t").await;
    drop(socket);
    root.until_rows(count, none).await;

    let mut socket = root.connect().await;
    socket.subscribe("s", "SELECT * FROM t").await;
    root.sql("DROP TABLE t").await;
    assert_eq!(socket.next_of("s").await["code"], "NOT_FOUND");
    root.until_rows(count, none).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fr004_rows_of_before_a_restart_are_gone_after_it() {
    let mut server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY)").await;
    let mut socket = root.connect().await;
    socket.subscribe("s", "SELECT * FROM t").await;
    server.restart().await;
    let root = server.root().await;
    assert_eq!(root.cell("SELECT COUNT(*) FROM system.live_queries").await, json!("0"));
    assert_eq!(root.cell("SELECT COUNT(*) FROM system.connections").await, json!("0"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fr015_a_connection_shows_what_an_administrator_needs_to_find_it() {
    let server = TestServer::start().await;
    let root = server.root().await;
    let anna = server.user("anna", "user").await;
    let mut socket = anna.connect().await;
    socket.subscribe("a", "SELECT 1 AS one").await;
    socket.subscribe("b", "SELECT 2 AS two").await;
    let rows = root.sql("SELECT * FROM system.connections").await.objects();
    assert_eq!(rows.len(), 1);
    let row = &rows[0];
    assert_eq!(row["connection_id"], json!(socket.connection_id()));
    assert_eq!((&row["user_id"], &row["role"], &row["node_id"]), (&json!("anna"), &json!("user"), &json!("n1")));
    assert!(row["client_addr"].as_str().unwrap().starts_with("127.0.0.1"), "{row}");
    for time in ["opened_at", "last_activity_at", "expires_at"] {
        assert!(row[time].as_i64().unwrap() > 1_600_000_000_000_000, "{time}: {row}");
    }
    assert_eq!(row["subscriptions"].to_string().trim_matches('"'), "2");
    assert!(!row["queued_bytes"].is_null());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i6_live_queries_are_exactly_the_active_subscriptions_after_any_run_of_events() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY)").await;
    let mut sockets = Vec::new();
    for _ in 0..4 {
        sockets.push(root.connect().await);
    }
    let mut active = BTreeSet::new();
    for step in 0_usize..60 {
        let at = step * 7 % sockets.len();
        let id = format!("s{}", step * 5 % 6);
        let socket = &mut sockets[at];
        let key = (socket.connection_id(), id.clone());
        if active.contains(&key) {
            assert_eq!(socket.unsubscribe(&id).await, "unsubscribed");
            active.remove(&key);
        } else {
            socket.subscribe(&id, "SELECT * FROM t").await;
            active.insert(key);
        }
        if step % 20 == 19 {
            let gone = sockets.remove(0);
            active.retain(|(connection, _)| *connection != gone.connection_id());
            gone.close().await;
            sockets.push(root.connect().await);
        }
        let wanted: Vec<Vec<Json>> = active.iter().map(|(c, s)| vec![json!(c), json!(s)]).collect();
        let sql = "SELECT connection_id, subscription_id FROM system.live_queries ORDER BY 1, 2";
        root.until_rows(sql, |rows| rows == wanted).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s11_system_tables_are_read_only_and_show_a_user_only_its_own() {
    let server = TestServer::start().await;
    let root = server.root().await;
    let (anna, ben) = (server.user("anna", "user").await, server.user("ben", "user").await);
    let mut socket = anna.connect().await;
    socket.subscribe("s", "SELECT 1 AS one").await;
    let mut other = ben.connect().await;
    other.subscribe("s", "SELECT 1 AS one").await;
    for table in ["live_queries", "connections"] {
        let sql = format!("SELECT user_id FROM system.{table}");
        assert_eq!(anna.rows(&sql).await, [[json!("anna")]]);
        assert_eq!(root.rows(&sql).await.len(), 2);
    }
    for table in ["live_queries", "connections", "users", "namespaces", "tables", "columns", "settings"] {
        for sql in [format!("DELETE FROM system.{table}"), format!("DROP TABLE system.{table}")] {
            assert!(root.try_sql(&sql).await.is_err(), "{sql}");
        }
        root.rows(&format!("SELECT * FROM system.{table}")).await;
    }
    assert!(root.try_sql("CREATE TABLE system.mine (id INT PRIMARY KEY)").await.is_err());
    if let Ok(users) = anna.try_sql("SELECT user_id FROM system.users").await {
        assert!(users.rows().iter().all(|row| row[0] == "anna"), "{users:?}");
    }
    let columns = root.sql("SELECT * FROM system.users").await.columns();
    assert!(columns.iter().all(|name| !name.contains("password") && !name.contains("hash")), "{columns:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s09_settings_show_no_secret() {
    let secret = "0123456789abcdef0123456789abcdef-secret";
    let server = TestServer::with(&[("auth.jwt_secret", secret)]).await;
    let root = server.root().await;
    let shown = json!(root.rows("SELECT * FROM system.settings").await).to_string();
    assert!(!shown.contains(secret) && !shown.contains(kalamdb_testkit::ROOT_PASSWORD), "{shown}");
    assert!(shown.contains("websocket.idle_timeout_secs"), "{shown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_catalog_lists_namespaces_tables_and_columns() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE NAMESPACE app; CREATE SHARED TABLE app.t (id BIGINT PRIMARY KEY, a TEXT NOT NULL)").await;
    for sql in ["SHOW NAMESPACES", "SHOW TABLES IN app", "DESCRIBE TABLE app.t", "SELECT * FROM system.namespaces"] {
        let shown = json!(root.rows(sql).await).to_string();
        assert!(shown.contains("app") || shown.contains("\"t\"") || shown.contains("\"a\""), "{sql}: {shown}");
    }
    assert!(json!(root.rows("SELECT * FROM system.tables").await).to_string().contains("\"t\""));
    assert!(json!(root.rows("SELECT * FROM system.columns").await).to_string().contains("\"a\""));
}
