//! No user ever sees a row of another user's scope, on any path.

use kalamdb_testkit::TestServer;
use serde_json::{Value as Json, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i5_rows_of_a_user_table_are_each_users_own_on_every_path() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE TABLE notes (id INT PRIMARY KEY, text TEXT); CREATE INDEX by_text ON notes (text)").await;
    let (anna, ben) = (server.user("anna", "user").await, server.user("ben", "user").await);
    let (mut anna_socket, mut ben_socket) = (anna.connect().await, ben.connect().await);
    let mut anna_live = anna_socket.subscribe("s", "SELECT * FROM notes").await;
    let mut ben_live = ben_socket.subscribe("s", "SELECT * FROM notes").await;
    let mut ben_count = ben_socket.subscribe("c", "SELECT COUNT(*) AS c FROM notes").await;
    anna.sql("INSERT INTO notes VALUES (1, 'of anna')").await;
    let seq = ben.sql("INSERT INTO notes VALUES (1, 'of ben')").await.seq();
    anna_socket.follow(&mut anna_live, seq).await;
    ben_socket.follow(&mut ben_live, seq).await;
    ben_socket.follow(&mut ben_count, seq).await;
    anna_live.assert_equals(&[vec![json!(1), json!("of anna")]]);
    ben_live.assert_equals(&[vec![json!(1), json!("of ben")]]);
    ben_count.assert_equals(&[vec![json!("1")]]);

    for sql in [
        "SELECT text FROM notes",
        "SELECT text FROM notes WHERE id = 1",
        "SELECT text FROM notes WHERE text LIKE 'of %'",
        "SELECT text FROM notes WHERE text = 'of ben' OR text = 'of anna'",
        "SELECT a.text FROM notes a JOIN notes b ON a.id = b.id",
        "SELECT max(text) FROM notes",
    ] {
        assert_eq!(ben.rows(sql).await, [[json!("of ben")]], "{sql}");
    }
    assert_eq!(ben.sql("UPDATE notes SET text = 'ben again'").await.row_count(), 1);
    assert_eq!(ben.sql("DELETE FROM notes").await.row_count(), 1);
    assert_eq!(anna.rows("SELECT text FROM notes").await, [[json!("of anna")]]);
    assert_eq!(root.rows("SELECT * FROM notes").await, Vec::<Vec<Json>>::new(), "root has rows of its own only");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s10_user_names_that_begin_alike_share_nothing() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE TABLE notes (id INT PRIMARY KEY)").await;
    let names = ["a", "aa", "a-b", "a.b", "a_b", "a@b", "ab"];
    for (n, name) in names.iter().enumerate() {
        server.user(name, "user").await.sql(&format!("INSERT INTO notes VALUES ({n})")).await;
    }
    for (n, name) in names.iter().enumerate() {
        let session = server.http().login(name, &format!("password of {name}")).await;
        assert_eq!(session.rows("SELECT id FROM notes").await, [[json!(n)]], "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i5_a_resume_replays_only_the_users_own_changes() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE TABLE notes (id INT PRIMARY KEY, text TEXT)").await;
    let (anna, ben) = (server.user("anna", "user").await, server.user("ben", "user").await);
    let from = ben.sql("INSERT INTO notes VALUES (1, 'of ben')").await.seq();
    anna.sql("INSERT INTO notes VALUES (2, 'of anna'); UPDATE notes SET text = 'of anna, still'").await;
    let seq = ben.sql("INSERT INTO notes VALUES (3, 'of ben')").await.seq();
    let mut socket = ben.connect().await;
    for (id, sql) in [("filter", "SELECT * FROM notes"), ("rerun", "SELECT COUNT(*) AS c FROM notes")] {
        socket.send_subscribe(id, sql, &[], json!({ "from": from })).await;
    }
    socket.until(seq).await;
    for frame in socket.take_of("filter").into_iter().chain(socket.take_of("rerun")) {
        assert!(!frame.to_string().contains("anna"), "{frame}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s20_a_table_one_may_not_see_and_one_that_is_not_there_tell_nothing_of_its_rows() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE SHARED TABLE secrets (id INT PRIMARY KEY, text TEXT); INSERT INTO secrets VALUES (1, 'hidden')")
        .await;
    let anna = server.user("anna", "user").await;
    for sql in [
        "SELECT * FROM secrets",
        "SELECT text FROM secrets WHERE id = 1",
        "SELECT no_such FROM secrets",
        "INSERT INTO secrets VALUES (1, 'x')",
        "SELECT (SELECT text FROM secrets LIMIT 1)",
        "WITH s AS (SELECT * FROM secrets) SELECT * FROM s",
        "EXPLAIN LIVE SELECT * FROM secrets",
        "EXPLAIN SELECT * FROM secrets",
        "UPDATE secrets SET text = ''",
        "DELETE FROM secrets",
        "DESCRIBE TABLE secrets",
        "SHOW GRANTS ON secrets",
    ] {
        // Word for word what a table is answered with that is not there.
        let failure = anna.sql_fails(sql).await;
        let missing = anna.sql_fails(&sql.replace("secrets", "nothing")).await;
        assert_eq!((failure.status, failure.code), (400, "NOT_FOUND".to_owned()), "{sql}");
        assert_eq!(failure.message.replace("secrets", "nothing"), missing.message, "{sql}");
        assert!(!failure.message.contains("hidden") && !failure.message.contains("text"), "{}", failure.message);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i8_a_live_query_ends_when_its_table_is_closed_to_the_user() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE SHARED TABLE news (id INT PRIMARY KEY) WITH (ACCESS_LEVEL = 'PUBLIC')").await;
    let anna = server.user("anna", "user").await;
    let mut socket = anna.connect().await;
    socket.subscribe("s", "SELECT * FROM news").await;
    root.sql("ALTER TABLE news SET (ACCESS_LEVEL = 'PRIVATE')").await;
    let seq = root.sql("INSERT INTO news VALUES (1)").await.seq();
    socket.until(seq).await;
    let frames = socket.take_of("s");
    assert!(frames.iter().all(|frame| frame["type"] != "change"), "{frames:?}");
}
