//! Connections: several per user, each authenticated, kept alive and closed by itself.

use kalamdb_testkit::{Closed, Socket, TestServer};
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fr001_one_user_holds_several_connections_that_open_and_close_independently() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY)").await;
    let (one, mut two, mut three) = (root.connect().await, root.connect().await, root.connect().await);
    assert_ne!(two.connection_id(), three.connection_id());
    let mut live_two = two.subscribe("s", "SELECT * FROM t").await;
    let mut live_three = three.subscribe("s", "SELECT * FROM t").await;
    assert_eq!(one.close().await.code, 1000);
    let seq = root.sql("INSERT INTO t VALUES (1)").await.seq();
    two.follow(&mut live_two, seq).await;
    two.close().await;
    three.follow(&mut live_three, seq).await;
    live_three.assert_equals(&[vec![json!(1)]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bearer_on_the_upgrade_is_welcomed_unasked() {
    let server = TestServer::start().await;
    let anna = server.user("anna", "user").await;
    let welcome = anna.connect().await.welcome;
    assert_eq!((&welcome["user"], &welcome["role"]), (&json!("anna"), &json!("user")));
    assert_eq!(welcome["protocol"], json!({ "serialization": "json", "compression": "none" }));
    assert!(welcome["connection_id"].is_string() && welcome["expires_at"].is_string(), "{welcome}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_authenticate_frame_is_welcomed_and_whatever_protocol_was_asked_for_json_is_given() {
    let server = TestServer::start().await;
    let anna = server.user("anna", "user").await;
    let mut socket =
        Socket::try_open(Socket::request(server.addr(), "?serialization=msgpack&compression=gzip")).await.unwrap();
    let protocol = json!({ "serialization": "msgpack", "compression": "gzip" });
    let frame = json!({ "type": "authenticate", "method": "jwt", "token": anna.access_token, "protocol": protocol });
    socket.send(&frame).await;
    let welcome = socket.next().await;
    assert_eq!(welcome["type"], "auth_success");
    assert_eq!(welcome["protocol"]["serialization"], "json");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_authentication_only_authenticate_and_ping_are_answered() {
    let server = TestServer::start().await;
    let root = server.root().await;
    let mut socket = Socket::open(server.addr()).await;
    socket.send(&json!({ "type": "ping" })).await;
    assert_eq!(socket.next().await["type"], "pong");
    socket.send_subscribe("s", "SELECT 1", &[], json!({})).await;
    let error = socket.next().await;
    assert_eq!((&error["type"], &error["code"]), (&json!("error"), &json!("AUTH_REQUIRED")));
    assert_eq!(socket.authenticate(&root.access_token).await["type"], "auth_success");
    socket.subscribe("s", "SELECT 1 AS one").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_not_valid_is_told_so_and_the_socket_closed() {
    let server = TestServer::start().await;
    let root = server.root().await;
    for token in ["", "x", root.refresh_token.as_str()] {
        let mut socket = Socket::open(server.addr()).await;
        let answer = socket.authenticate(token).await;
        assert_eq!(answer["type"], "auth_error", "{answer}");
        assert_eq!(socket.closed().await.code, 1008);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_bearer_on_the_upgrade_never_becomes_a_connection() {
    let server = TestServer::start().await;
    let root = server.root().await;
    let mut request = Socket::request(server.addr(), "");
    request.headers_mut().insert("authorization", "Bearer x.y.z".parse().unwrap());
    match Socket::try_open(request).await {
        Err(status) => assert_eq!(status, 401),
        Ok(mut socket) => {
            assert_eq!(socket.next().await["type"], "auth_error");
            assert_eq!(socket.closed().await.code, 1008);
        }
    }
    assert_eq!(root.cell("SELECT COUNT(*) FROM system.connections").await, json!("0"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s19_a_socket_that_never_authenticates_is_closed() {
    let server = TestServer::with(&[("websocket.auth_timeout_secs", "1")]).await;
    let mut socket = Socket::open(server.addr()).await;
    assert_eq!(socket.closed().await.code, 1008);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_that_is_idle_too_long_is_closed_and_a_new_one_subscribes() {
    let server = TestServer::with(&[("websocket.idle_timeout_secs", "1")]).await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY)").await;
    let mut socket = root.connect().await;
    socket.subscribe("s", "SELECT * FROM t").await;
    let Closed { code, reason } = socket.closed().await;
    assert_eq!(code, 1000);
    assert!(!reason.is_empty());
    assert_eq!(root.cell("SELECT COUNT(*) FROM system.live_queries").await, json!("0"));
    let mut socket = root.connect().await;
    socket.subscribe("s", "SELECT * FROM t").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ping_is_answered() {
    let server = TestServer::start().await;
    let mut socket = server.root().await.connect().await;
    socket.send(&json!({ "type": "ping" })).await;
    assert_eq!(socket.next().await, json!({ "type": "pong" }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ping_of_the_protocol_below_is_answered_and_a_close_without_a_code_is_answered_1000() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let server = TestServer::start().await;
    let mut stream = tokio::net::TcpStream::connect(server.addr()).await.unwrap();
    let head = "GET /v1/ws HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
                sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    // A ping that says "hi", in pieces, and a close; masked with zeros, which change nothing.
    let frames: [&[u8]; 3] = [&[0x89, 0x82, 0, 0], &[0, 0, b'h', b'i'], &[0x88, 0x80, 0, 0, 0, 0]];
    stream.write_all(head.as_bytes()).await.unwrap();
    for piece in frames {
        stream.write_all(piece).await.unwrap();
    }
    let mut answer = Vec::new();
    let reading = stream.read_to_end(&mut answer);
    tokio::time::timeout(kalamdb_testkit::PATIENCE, reading).await.expect("the stream ends").unwrap();
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("an answer with a head") + 4;
    let (head, frames) = answer.split_at(end);
    assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(head));
    assert_eq!(frames[..4], [0x8a, 2, b'h', b'i'], "the pong says what the ping said");
    assert_eq!(frames[4], 0x88);
    assert_eq!(u16::from_be_bytes([frames[6], frames[7]]), 1000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s19_a_reader_that_never_reads_is_cut_off_and_its_rows_are_gone() {
    let server = TestServer::with(&[("websocket.slow_reader_timeout_secs", "1")]).await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id INT PRIMARY KEY, pad TEXT)").await;
    let mut socket = root.connect().await;
    socket.subscribe("s", "SELECT * FROM t").await;
    let pad = json!("x".repeat(400_000));
    let filling = async {
        for id in 0.. {
            root.sql_with("INSERT INTO t VALUES ($1, $2)", &[json!(id), pad.clone()]).await;
            if root.rows("SELECT connection_id FROM system.connections").await.is_empty() {
                return;
            }
        }
    };
    tokio::time::timeout(kalamdb_testkit::PATIENCE, filling).await.expect("it is cut off");
    assert_eq!(root.cell("SELECT COUNT(*) FROM system.live_queries").await, json!("0"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stops_says_so_to_every_socket() {
    let mut server = TestServer::start().await;
    let root = server.root().await;
    let (mut one, mut two) = (root.connect().await, root.connect().await);
    server.stop().await;
    assert_eq!(one.closed().await.code, 1001);
    assert_eq!(two.closed().await.code, 1001);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s07_origin_is_checked_on_the_upgrade() {
    let server = TestServer::start().await;
    let with_origin = |origin: &str| {
        let mut request = Socket::request(server.addr(), "");
        request.headers_mut().insert("origin", origin.parse().unwrap());
        Socket::try_open(request)
    };
    assert!(with_origin(&format!("http://{}", server.addr())).await.is_ok(), "the same origin");
    assert_eq!(with_origin("http://evil.example").await.err(), Some(403));
    assert_eq!(with_origin("null").await.err(), Some(403));
    assert!(Socket::try_open(Socket::request(server.addr(), "")).await.is_ok(), "a client that sends none");
}
