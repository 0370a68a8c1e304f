//! Frames that are not as they should be.

use kalamdb_testkit::{Socket, TestServer};
use serde_json::{Value as Json, json};

async fn code(socket: &mut Socket) -> Json {
    let frame = socket.next().await;
    assert_eq!(frame["type"], "error", "{frame}");
    frame["code"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frame_that_does_not_parse_is_an_error_and_the_connection_lives_on() {
    let server = TestServer::start().await;
    let root = server.root().await;
    let mut socket = root.connect().await;
    for text in ["", "{", "[]", "null", "hello", r#"{"type":"unknown"}"#, r#"{"type":"subscribe"}"#, r#"{"type":1}"#] {
        socket.send_text(text).await;
        let error = socket.next().await;
        assert_eq!(
            (&error["type"], &error["subscription_id"]),
            (&json!("error"), &json!("protocol")),
            "{text}: {error}"
        );
        assert_eq!(error["code"], "PROTOCOL", "{text}");
        socket.send(&json!({ "type": "ping" })).await;
        assert_eq!(socket.next().await["type"], "pong");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_frames_in_a_row_that_do_not_parse_close_the_connection() {
    let server = TestServer::start().await;
    let mut socket = server.root().await.connect().await;
    for _ in 0..10 {
        socket.send_text("{").await;
    }
    assert_eq!(socket.closed().await.code, 1008);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn binary_garbage_is_an_error_and_the_connection_lives_on() {
    let server = TestServer::start().await;
    let mut socket = server.root().await.connect().await;
    socket.send_binary(vec![0xff, 0x00, 0x13, 0x37]).await;
    let code = code(&mut socket).await;
    assert!(code == "UNSUPPORTED_DATA" || code == "PROTOCOL", "{code}");
    socket.send(&json!({ "type": "ping" })).await;
    assert_eq!(socket.next().await["type"], "pong");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s15_a_message_over_its_limit_is_an_error_and_repeated_ones_close() {
    let server = TestServer::with(&[("websocket.max_message_bytes", "2048")]).await;
    let mut socket = server.root().await.connect().await;
    let large = json!({ "type": "ping", "padding": "x".repeat(4000) }).to_string();
    socket.send_text(&large).await;
    assert_eq!(code(&mut socket).await, "MESSAGE_TOO_LARGE");
    socket.send(&json!({ "type": "ping" })).await;
    assert_eq!(socket.next().await["type"], "pong");
    for _ in 0..100 {
        socket.send_text(&large).await;
    }
    assert_eq!(socket.closed().await.code, 1009);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s15_a_message_beyond_all_measure_is_not_read() {
    let server = TestServer::with(&[("websocket.max_message_bytes", "2048")]).await;
    let root = server.root().await;
    let mut socket = root.connect().await;
    socket.send_text(&"x".repeat(8 << 20)).await;
    let closed = socket.closed().await;
    assert!(closed.code == 1009 || closed.code == 1006, "{closed:?}");
    root.until_rows("SELECT COUNT(*) FROM system.connections", |rows| rows == [[json!("0")]]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s15_too_many_messages_close_the_connection() {
    let server = TestServer::with(&[("websocket.max_messages_per_sec", "2")]).await;
    let mut socket = server.root().await.connect().await;
    for _ in 0..500 {
        socket.send(&json!({ "type": "ping" })).await;
    }
    assert_eq!(socket.closed().await.code, 4029);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_fields_are_ignored() {
    let server = TestServer::start().await;
    let mut socket = server.root().await.connect().await;
    let subscription = json!({ "id": "s", "sql": "SELECT 1 AS one", "tomorrow": [1], "options": { "mood": "good" } });
    socket.send(&json!({ "type": "subscribe", "subscription": subscription, "trace": "x" })).await;
    assert_eq!(socket.next_of("s").await["type"], "subscription_ack");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn options_of_the_wrong_kind_are_an_error() {
    let server = TestServer::start().await;
    let mut socket = server.root().await.connect().await;
    for options in [json!({ "batch_size": "many" }), json!({ "from": -1 }), json!({ "from": "x" }), json!([1])] {
        socket.send_subscribe("s", "SELECT 1", &[], options.clone()).await;
        assert_eq!(code(&mut socket).await, "PROTOCOL", "{options}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deeply_nested_json_costs_an_error_and_nothing_more() {
    let server = TestServer::start().await;
    let mut socket = server.root().await.connect().await;
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    socket.send_text(&deep).await;
    assert_eq!(code(&mut socket).await, "PROTOCOL");
    socket.send_text(&format!(r#"{{"type":"ping","deep":{deep}}}"#)).await;
    socket.next().await;
    socket.subscribe("s", "SELECT 1 AS one").await;
}
