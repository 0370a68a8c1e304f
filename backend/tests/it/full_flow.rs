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

/// Everything between `prefix` and `suffix` on lines of its own.
fn lines_of<'a>(page: &'a str, prefix: &str, suffix: &str) -> Vec<&'a str> {
    page.lines().filter_map(|line| line.strip_prefix(prefix)?.strip_suffix(suffix)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_protocol_page_does_by_hand_works_as_it_stands_there() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/protocol.md")).unwrap();
    let (_, by_hand) = page.split_once("## By hand").unwrap();
    let bodies = lines_of(by_hand, "sql '", "'");
    let frames = lines_of(by_hand, r#"{"type":"#, "}");
    assert!(bodies.len() >= 4 && frames.len() == 3, "{bodies:?} {frames:?}");
    let server = TestServer::start().await;
    let root = server.root().await;
    let run = |body: &str| {
        let (http, token, body) = (root.http.clone(), root.access_token.clone(), body.to_owned());
        async move {
            let answer = http.post_text("/v1/api/sql", Some(&token), body.clone()).await;
            assert_eq!(answer.status, 200, "{body}: {:?}", answer.body);
            answer.body["results"][0].clone()
        }
    };
    for body in &bodies {
        run(body).await;
    }
    let mut socket = root.connect().await;
    for frame in &frames[..2] {
        socket.send_text(&format!(r#"{{"type":{frame}}}"#)).await;
    }
    let insert = bodies.iter().find(|body| body.contains("INSERT")).unwrap();
    let mut live = Vec::new();
    for id in ["lobby", "rooms"] {
        let mut rows = kalamdb_testkit::LiveRows::new(&socket.next_of(id).await);
        socket.load(&mut rows).await;
        assert_eq!(rows.cells().len(), 1, "{id}");
        live.push(rows);
    }
    let seq = run(insert).await["seq"].as_u64().unwrap();
    socket.follow(&mut live[0], seq).await;
    socket.follow(&mut live[1], seq).await;
    assert_eq!((live[0].cells().len(), live[1].cells()), (2, vec![vec![json!("lobby"), json!("2")]]));
    socket.send_text(&format!(r#"{{"type":{}}}"#, frames[2])).await;
    assert_eq!(socket.next_of("rooms").await["status"], "unsubscribed");
    let seq = run(insert).await["seq"].as_u64().unwrap();
    socket.follow(&mut live[0], seq).await;
    assert_eq!(live[0].cells().len(), 3);
}
