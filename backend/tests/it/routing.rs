//! The work for a commit does not grow with what it does not concern.

use kalamdb_testkit::{Session, TestServer};
use serde_json::json;

/// How many views have been asked about a changed row so far.
async fn evaluations(root: &Session) -> u64 {
    let metrics = root.http.get("/metrics", Some(&root.access_token)).await;
    let text = metrics.body.as_str().expect("metrics are text").to_owned();
    let line = text.lines().find(|line| line.starts_with("kalamdb_live_view_evaluations_total"));
    line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).unwrap_or(0.0) as u64
}

async fn cost_of_one_insert(root: &Session, id: u32) -> u64 {
    let mut socket = root.connect().await;
    let mut live = socket.subscribe("mine", "SELECT * FROM t WHERE room = 'mine'").await;
    let before = evaluations(root).await;
    let seq = root.sql(&format!("INSERT INTO t VALUES ({id}, 'mine')")).await.seq();
    socket.follow(&mut live, seq).await;
    assert_eq!(live.changes(), 1);
    evaluations(root).await - before
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i9_a_commit_asks_no_view_whose_equality_it_does_not_meet() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE SHARED TABLE t (id INT PRIMARY KEY, room TEXT)").await;
    root.sql("CREATE SHARED TABLE other (id INT PRIMARY KEY)").await;
    let alone = cost_of_one_insert(&root, 1).await;
    let mut crowd = root.connect().await;
    for n in 0..100 {
        crowd.subscribe(&format!("room{n}"), &format!("SELECT * FROM t WHERE room = 'room {n}'")).await;
        crowd.subscribe(&format!("other{n}"), &format!("SELECT * FROM other WHERE id > {n}")).await;
    }
    assert_eq!(cost_of_one_insert(&root, 2).await, alone);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fr014_a_commit_asks_no_view_of_another_users_rows() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY, room TEXT)").await;
    let alone = cost_of_one_insert(&root, 1).await;
    let mut sockets = Vec::new();
    for n in 0..8 {
        let mut socket = server.user(&format!("user{n}"), "user").await.connect().await;
        socket.subscribe("all", "SELECT * FROM t").await;
        socket.subscribe("mine", "SELECT * FROM t WHERE room = 'mine'").await;
        sockets.push(socket);
    }
    assert_eq!(cost_of_one_insert(&root, 2).await, alone);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscribers_of_one_query_share_one_evaluation() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE SHARED TABLE t (id INT PRIMARY KEY, room TEXT)").await;
    let alone = cost_of_one_insert(&root, 1).await;
    let mut crowd = Vec::new();
    for n in 0..20 {
        let mut socket = root.connect().await;
        socket.subscribe(&format!("s{n}"), "select *  from t where room='mine'").await;
        crowd.push(socket);
    }
    assert_eq!(cost_of_one_insert(&root, 2).await, alone);
    for (n, socket) in crowd.iter_mut().enumerate() {
        assert_eq!(socket.next_of(&format!("s{n}")).await["rows"][0]["id"], json!(2));
    }
}
