//! One socket through everything the first version promises.

use kalamdb_testkit::TestServer;
use serde_json::{Value as Json, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sc005_multi_subscribe_unsubscribe_resume_list_kill_and_expiry_on_one_server() {
    let server = TestServer::with(&[("auth.access_token_ttl_secs", "4")]).await;
    let root = server.root().await;
    root.sql("CREATE NAMESPACE chat; CREATE SHARED TABLE chat.messages (id BIGINT PRIMARY KEY, room TEXT, body TEXT) WITH (ACCESS_LEVEL = 'PUBLIC')")
        .await;
    let anna = server.user("anna", "service").await;

    // Two subscriptions on one socket; one ends, the other goes on.
    let mut socket = anna.connect().await;
    let lobby = "SELECT * FROM chat.messages WHERE room = 'lobby'";
    let counts = "SELECT room, COUNT(*) AS n FROM chat.messages GROUP BY room";
    let mut live = socket.subscribe("lobby", lobby).await;
    let mut counted = socket.subscribe("counts", counts).await;
    let seq =
        anna.sql("INSERT INTO chat.messages VALUES (1, 'lobby', 'hello'), (2, 'attic', 'who is there?')").await.seq();
    socket.follow(&mut live, seq).await;
    socket.follow(&mut counted, seq).await;
    live.assert_equals(&anna.rows(lobby).await);
    counted.assert_equals(&anna.rows(counts).await);

    // They are listed, and one row goes with the unsubscribe.
    let listed = "SELECT subscription_id FROM system.live_queries ORDER BY 1";
    assert_eq!(root.rows(listed).await, [[json!("counts")], [json!("lobby")]]);
    assert_eq!(socket.unsubscribe("counts").await, "unsubscribed");
    assert_eq!(root.rows(listed).await, [[json!("lobby")]]);

    // The socket is lost, the world moves on, and the client comes back where it was.
    drop(socket);
    anna.sql("INSERT INTO chat.messages VALUES (3, 'lobby', 'are you there?')").await;
    let seq = anna.sql("DELETE FROM chat.messages WHERE id = 1").await.seq();
    let mut socket = anna.connect().await;
    let ack = socket.resume(&mut live, lobby).await;
    assert_eq!(ack["resumed"], true, "{ack}");
    socket.follow(&mut live, seq).await;
    live.assert_equals(&anna.rows(lobby).await);

    // An administrator finds the connection and ends it.
    let found = root.cell("SELECT connection_id FROM system.connections WHERE user_id = 'anna'").await;
    assert_eq!(found, json!(socket.connection_id()));
    root.sql(&format!("KILL CONNECTION '{}'", socket.connection_id())).await;
    assert_eq!(socket.closed().await.code, 4003);
    assert_eq!(root.rows(listed).await, Vec::<Vec<Json>>::new());

    // A last socket ends with its token.
    let mut socket = anna.connect().await;
    socket.subscribe("lobby", lobby).await;
    assert_eq!(socket.closed().await.code, 4001);
    let root = server.root().await;
    assert_eq!(root.rows(listed).await, Vec::<Vec<Json>>::new());
}
