//! What a commit looks like to the live queries it concerns.

use kalamdb_testkit::TestServer;
use serde_json::{Value as Json, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn insert_update_and_delete_arrive_as_such_with_old_and_new_rows() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY, a TEXT, b INT)").await;
    let mut socket = root.connect().await;
    socket.subscribe("s", "SELECT * FROM t").await;

    let seq = root.sql("INSERT INTO t VALUES (1, 'x', NULL)").await.seq();
    let insert = socket.next_of("s").await;
    let row = json!({ "id": 1, "a": "x", "b": null, "_seq": seq.to_string() });
    assert_eq!((&insert["change_type"], &insert["seq"]), (&json!("insert"), &json!(seq)));
    assert_eq!((&insert["rows"], insert.get("old_values")), (&json!([row]), None));

    let seq = root.sql("UPDATE t SET b = 2 WHERE id = 1").await.seq();
    let update = socket.next_of("s").await;
    assert_eq!(update["change_type"], "update");
    assert_eq!(update["rows"], json!([{ "id": 1, "a": "x", "b": 2, "_seq": seq.to_string() }]));
    assert_eq!(update["old_values"], json!([{ "id": 1, "a": "x", "b": null }]), "whole, without _seq");

    let seq = root.sql("DELETE FROM t WHERE id = 1").await.seq();
    let delete = socket.next_of("s").await;
    assert_eq!((&delete["change_type"], delete.get("rows")), (&json!("delete"), None));
    let row = json!({ "id": 1, "a": "x", "b": 2, "_seq": seq.to_string() });
    assert_eq!(delete["old_values"], json!([row]), "with the delete's own _seq");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_enters_moves_within_or_leaves_the_where_arrives_as_insert_update_and_delete() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY, n INT)").await;
    root.sql("INSERT INTO t VALUES (1, 1)").await;
    let mut socket = root.connect().await;
    let mut live = socket.subscribe("s", "SELECT * FROM t WHERE n > 10").await;
    assert!(live.cells().is_empty());
    for (n, kind) in [(11, "insert"), (12, "update"), (5, "delete")] {
        root.sql(&format!("UPDATE t SET n = {n}")).await;
        let change = socket.next_of("s").await;
        assert_eq!(change["change_type"], kind);
        live.apply(&change);
    }
    let seq = root.sql("UPDATE t SET n = 6").await.seq();
    socket.follow(&mut live, seq).await;
    assert_eq!(live.changes(), 3, "a change outside the WHERE sends nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_where_that_is_null_for_a_row_does_not_hold_it() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY, n INT, s TEXT)").await;
    let queries = [
        "SELECT * FROM t WHERE n > 5",
        "SELECT * FROM t WHERE NOT (n > 5)",
        "SELECT * FROM t WHERE n IS NULL",
        "SELECT * FROM t WHERE n IS DISTINCT FROM 6",
        "SELECT * FROM t WHERE n NOT IN (1, NULL)",
        "SELECT * FROM t WHERE n > 5 OR s = 'x'",
        "SELECT * FROM t WHERE n > 5 AND s = 'x'",
        "SELECT * FROM t WHERE s LIKE 'x%'",
        "SELECT * FROM t WHERE s NOT LIKE 'x%'",
        "SELECT * FROM t WHERE COALESCE(n, 9) > 5",
        "SELECT * FROM t WHERE n BETWEEN 1 AND 6",
        "SELECT * FROM t WHERE CASE WHEN n IS NULL THEN true ELSE n = 6 END",
    ];
    let mut socket = root.connect().await;
    let mut live = Vec::new();
    for (n, sql) in queries.iter().enumerate() {
        live.push(socket.subscribe(&format!("s{n}"), sql).await);
    }
    let mut seq = 0;
    for sql in [
        "INSERT INTO t VALUES (1, NULL, NULL), (2, 6, NULL), (3, NULL, 'x'), (4, 6, 'xy'), (5, 1, 'z')",
        "UPDATE t SET n = NULL WHERE id = 2",
        "UPDATE t SET n = 6 WHERE id = 1",
        "UPDATE t SET s = NULL WHERE id = 4",
    ] {
        seq = root.sql(sql).await.seq();
    }
    for (live, sql) in live.iter_mut().zip(queries) {
        socket.follow(live, seq).await;
        live.assert_equals(&root.rows(sql).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i4_all_of_a_commit_arrives_in_one_frame_and_commits_in_order() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY, n INT)").await;
    let mut socket = root.connect().await;
    let mut live = socket.subscribe("s", "SELECT * FROM t").await;
    root.sql("INSERT INTO t SELECT value, 0 FROM generate_series(1, 50)").await;
    let change = socket.next_of("s").await;
    assert_eq!(change["rows"].as_array().unwrap().len(), 50);
    live.apply(&change);
    let writers = (0..8).map(|n| {
        let root = root.clone();
        tokio::spawn(async move {
            let sql = format!("UPDATE t SET n = n + 1 WHERE id % 8 = {n}");
            root.sql(&sql).await.seq()
        })
    });
    let mut last = 0;
    for writer in writers.collect::<Vec<_>>() {
        last = last.max(writer.await.unwrap());
    }
    socket.follow(&mut live, last).await;
    assert_eq!(live.changes(), 9, "one frame per commit");
    live.assert_equals(&root.rows("SELECT * FROM t").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_changes_to_one_row_in_one_commit_arrive_as_their_sum() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY, n INT); INSERT INTO t VALUES (1, 1)").await;
    let mut socket = root.connect().await;
    let mut live = socket.subscribe("s", "SELECT * FROM t").await;
    root.sql("BEGIN; UPDATE t SET n = 2; UPDATE t SET n = 3; INSERT INTO t VALUES (2, 0); DELETE FROM t WHERE id = 2; COMMIT")
        .await;
    let change = socket.next_of("s").await;
    live.apply(&change);
    assert_eq!(change["change_type"], "update");
    assert_eq!(change["rows"].as_array().unwrap().len(), 1);
    assert_eq!(live.cells(), [[json!(1), json!(3)]]);
    root.sql("BEGIN; DELETE FROM t WHERE id = 1; INSERT INTO t VALUES (1, 3); COMMIT").await;
    let seq = root.sql("INSERT INTO t VALUES (9, 9)").await.seq();
    socket.follow(&mut live, seq).await;
    live.assert_equals(&root.rows("SELECT * FROM t").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_key_that_changes_moves_the_row() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY, n INT); INSERT INTO t VALUES (1, 1), (2, 2)").await;
    let mut socket = root.connect().await;
    let mut live = socket.subscribe("s", "SELECT * FROM t").await;
    let Ok(result) = root.try_sql("UPDATE t SET id = 3 WHERE id = 1").await else {
        return; // A server may refuse to change keys; it must not do half of it.
    };
    socket.follow(&mut live, result.seq()).await;
    live.assert_equals(&root.rows("SELECT * FROM t").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_result_without_the_key_identifies_its_rows_by_opaque_keys() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY, n INT)").await;
    root.sql("INSERT INTO t VALUES (1, 5), (2, 5), (3, 6)").await;
    let mut socket = root.connect().await;
    let mut live = socket.subscribe("s", "SELECT n FROM t").await;
    assert!(live.ack["key"].is_null());
    live.assert_equals(&[vec![json!(5)], vec![json!(5)], vec![json!(6)]]);
    let seq = root.sql("UPDATE t SET n = 6 WHERE id = 1").await.seq();
    socket.follow(&mut live, seq).await;
    let seq = root.sql("DELETE FROM t WHERE id = 3").await.seq();
    socket.follow(&mut live, seq).await;
    live.assert_equals(&[vec![json!(5)], vec![json!(6)]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn aggregates_joins_windows_distinct_and_top_n_stay_true() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY, k TEXT, n INT); CREATE TABLE names (k TEXT PRIMARY KEY, name TEXT)")
        .await;
    root.sql("INSERT INTO t VALUES (1, 'a', 1), (2, 'b', 2), (3, 'a', 3); INSERT INTO names VALUES ('a', 'Anna')")
        .await;
    let queries = [
        "SELECT COUNT(*) AS c, SUM(n) AS s, AVG(n) AS m FROM t",
        "SELECT k, MAX(n) AS m FROM t GROUP BY k HAVING COUNT(*) > 1",
        "SELECT DISTINCT k FROM t",
        "SELECT t.id, names.name FROM t JOIN names ON t.k = names.k",
        "SELECT t.id, names.name FROM t LEFT JOIN names ON t.k = names.k",
        "SELECT id, n FROM t ORDER BY n DESC, id LIMIT 2",
        "SELECT id, row_number() OVER (ORDER BY n DESC) AS place FROM t",
        "SELECT id FROM t WHERE n > (SELECT AVG(n) FROM t)",
        "WITH big AS (SELECT * FROM t WHERE n > 1) SELECT k, COUNT(*) AS c FROM big GROUP BY k",
        "SELECT k FROM t UNION ALL SELECT k FROM names",
    ];
    let mut socket = root.connect().await;
    let mut live = Vec::new();
    for (n, sql) in queries.iter().enumerate() {
        let rows = socket.subscribe(&format!("s{n}"), sql).await;
        rows.assert_equals(&root.rows(sql).await);
        live.push(rows);
    }
    for write in [
        "INSERT INTO t VALUES (4, 'b', 40)",
        "INSERT INTO names VALUES ('b', 'Ben')",
        "UPDATE t SET n = 0 WHERE id = 4",
        "UPDATE names SET name = 'Annika' WHERE k = 'a'",
        "DELETE FROM t WHERE id = 3",
        "DELETE FROM names",
        "DELETE FROM t",
    ] {
        let seq = root.sql(write).await.seq();
        for (live, sql) in live.iter_mut().zip(queries) {
            socket.follow(live, seq).await;
            live.assert_equals(&root.rows(sql).await);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ordered_result_says_how_to_keep_it_ordered() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY, a TEXT, n INT)").await;
    root.sql("INSERT INTO t VALUES (1, 'b', NULL), (2, 'a', 5), (3, NULL, 7), (4, 'B', 6)").await;
    let mut socket = root.connect().await;
    for (n, sql) in [
        "SELECT id, n FROM t ORDER BY n DESC NULLS LAST, id",
        "SELECT id, a FROM t ORDER BY a NULLS FIRST, id DESC",
        "SELECT id FROM t ORDER BY n * -1 NULLS LAST, id",
    ]
    .iter()
    .enumerate()
    {
        let mut live = socket.subscribe(&format!("s{n}"), sql).await;
        assert!(live.ack["order_by"].is_array(), "{sql}: {}", live.ack);
        live.assert_equals(&root.rows(sql).await);
        let id = 10 + n;
        let seq = root.sql(&format!("INSERT INTO t VALUES ({id}, 'aa', 6)")).await.seq();
        socket.follow(&mut live, seq).await;
        live.assert_equals(&root.rows(sql).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_huge_commit_and_a_huge_row_arrive_whole() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY, a TEXT)").await;
    let mut socket = root.connect().await;
    let mut live = socket.subscribe("s", "SELECT * FROM t").await;
    let seq = root.sql("INSERT INTO t SELECT value, repeat('x', 500) FROM generate_series(1, 2000)").await.seq();
    socket.follow(&mut live, seq).await;
    assert_eq!(live.cells().len(), 2000);
    let huge = "y".repeat(900_000);
    let seq = root.sql_with("INSERT INTO t VALUES (9999, $1)", &[json!(huge)]).await.seq();
    socket.follow(&mut live, seq).await;
    assert!(live.cells().contains(&vec![json!(9999), json!(huge)]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn progress_tells_a_quiet_connection_how_far_it_has_read() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE TABLE quiet (id INT PRIMARY KEY); CREATE TABLE busy (id INT PRIMARY KEY)").await;
    let mut socket = root.connect().await;
    let live = socket.subscribe("s", "SELECT * FROM quiet").await;
    let seq = root.sql("INSERT INTO busy VALUES (1), (2), (3)").await.seq();
    socket.until(seq).await;
    assert!(socket.progress() >= seq && live.changes() == 0);
    assert_eq!(socket.take_of("s"), Vec::<Json>::new());
}
