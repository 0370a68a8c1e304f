//! Statements and sockets that mean harm: each has its end within the bounds, with a clear answer, and whoever
//! else is there goes on.

use std::sync::Arc;
use std::time::Duration;

use kalamdb_testkit::{PATIENCE, Session, Socket, TestServer};
use serde_json::{Value as Json, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

/// Short bounds, so that they are reached.
const SETTINGS: [(&str, &str); 3] = [
    ("limits.query_timeout_secs", "1"),
    ("limits.max_query_memory_bytes", "16000000"),
    ("limits.max_result_bytes", "4000000"),
];

async fn server_with_rows() -> (TestServer, Session, Session) {
    let server = TestServer::with(&SETTINGS).await;
    let (root, anna) = (server.root().await, server.user("anna", "user").await);
    root.sql("CREATE SHARED TABLE kind (id INT PRIMARY KEY, a TEXT) WITH (ACCESS_LEVEL='PUBLIC')").await;
    root.sql("INSERT INTO kind VALUES (1, 'x')").await;
    (server, root, anna)
}

/// Refused for what it costs, while another user is served.
async fn is_refused(hostile: &Session, sql: &str, params: &[Json], neighbour: &Session) {
    let start: String = sql.chars().take(90).collect();
    let ask = async {
        let failure = hostile.try_all(sql, params).await.expect_err(&start);
        assert_eq!((failure.status, failure.code.as_str()), (413, "TOO_LARGE"), "{start}: {failure}");
    };
    let serve = async {
        for _ in 0..3 {
            assert_eq!(neighbour.cell("SELECT COUNT(*) FROM kind").await, json!("1"), "{start}");
        }
    };
    tokio::join!(ask, serve);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s16_joins_and_series_without_end_run_out_of_time() {
    let (_server, root, anna) = server_with_rows().await;
    for sql in [
        "SELECT COUNT(*) FROM generate_series(1, 1000000000000)",
        "SELECT COUNT(*) FROM generate_series(1, 200000) a, generate_series(1, 1000000000) b",
        "SELECT COUNT(*) FROM generate_series(1, 1000) a, generate_series(1, 1000) b, generate_series(1, 1000000) c",
        "SELECT COUNT(*) FROM generate_series(1, 200000) a JOIN generate_series(1, 10000000) b ON a.value * b.value % 7 = 8",
        "SELECT COUNT(*) FROM generate_series(1, 100000) a JOIN generate_series(1, 100000) b \
         ON a.value % 2 = b.value % 2 AND a.value + b.value < 0",
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT COUNT(*) FROM r",
    ] {
        is_refused(&anna, sql, &[], &root).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s16_many_joins_without_end_leave_room_for_others() {
    let (_server, root, anna) = server_with_rows().await;
    let sql = "SELECT COUNT(*) FROM generate_series(1, 20000) a JOIN generate_series(1, 10000000) b ON a.value * b.value % 7 = 8";
    let all = (0..6).map(|_| is_refused(&anna, sql, &[], &root));
    futures_util::future::join_all(all).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s16_what_is_held_for_a_query_is_bounded_whatever_holds_it() {
    let (_server, root, anna) = server_with_rows().await;
    let series = "FROM generate_series(1, 1000000000000)";
    for sql in [
        format!("SELECT value, COUNT(*) {series} GROUP BY value"),
        format!("SELECT COUNT(DISTINCT value) {series}"),
        format!("SELECT value {series} ORDER BY -value"),
        format!("SELECT SUM(value) OVER () {series}"),
        format!("SELECT MAX(n) FROM (SELECT lead(value, 1000000000) OVER () AS n {series})"),
        format!("SELECT length(string_agg(repeat('x', 1000), ',')) {series}"),
        format!("SELECT repeat('x', 10000) {series}"),
        format!("SELECT value {series}"),
    ] {
        is_refused(&anna, &sql, &[], &root).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s16_functions_make_no_value_that_memory_has_no_room_for() {
    let (_server, root, anna) = server_with_rows().await;
    let nested =
        |open: &str, middle: &str, close: &str, times| format!("{}{middle}{}", open.repeat(times), close.repeat(times));
    let list = |item: &str, times: usize| vec![item; times].join(", ");
    for sql in [
        "SELECT length(repeat('x', 1000000000))".to_owned(),
        "SELECT length(lpad('x', 1000000000, 'y'))".to_owned(),
        "SELECT array_length(array_repeat(1, 1000000000))".to_owned(),
        "SELECT array_length(array_repeat(array_repeat(1, 1000000), 1000000))".to_owned(),
        format!("SELECT {}", list("length(repeat('x', 30000000))", 300)),
        format!("SELECT length({})", vec!["repeat('x', 30000000)"; 60].join(" || ")),
        format!("SELECT length(concat({}))", list("repeat('x', 10000000)", 40)),
        format!("SELECT length({})", nested("encode(", "repeat('x', 100000)", ", 'hex')", 8)),
        format!("SELECT length({})", nested("repeat(", "'x'", ", 8)", 12)),
        format!("SELECT array_length(array_concat({}))", list("array_repeat(1, 3000000)", 60)),
        format!(
            "SELECT length(regexp_replace(repeat('x', 1000000), '{}(.*)', '{}'))",
            "()".repeat(50),
            "\\51".repeat(100)
        ),
        "SELECT levenshtein(repeat('x', 100000), repeat('y', 100000))".to_owned(),
        "SELECT MAX(levenshtein(repeat('x', 5000 + value), repeat('y', 5000))) FROM generate_series(1, 1000)"
            .to_owned(),
        "SELECT MAX(length(a || a || a)) FROM (SELECT repeat('x', 50000 + value) AS a FROM generate_series(1, 1000))"
            .to_owned(),
    ] {
        is_refused(&anna, &sql, &[], &root).await;
    }
    let long = json!("x".repeat(3_000_000));
    is_refused(&anna, "SELECT $1 AS a, $1 AS b FROM generate_series(1, 100000)", &[long], &root).await;
    // A guard within a guard costs no more than one.
    assert_eq!(anna.cell(&format!("SELECT {}", nested("repeat(", "'x'", ", 1)", 40))).await, json!("x"));
    assert_eq!(anna.cell("SELECT 'a' || NULL || 'b'").await, Json::Null);
    assert_eq!(anna.cell("SELECT concat('a', NULL, 'b') || 'c'").await, json!("abc"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s16_patterns_and_documents_are_answered_however_they_are_made() {
    let (_server, root, anna) = server_with_rows().await;
    let subject = json!("a".repeat(20_000));
    let patterns =
        ["(a+)+$", "^(a|a|a)*b", "(a*)*c", "(.*)(.*)(.*)(.*)z", "x{1000}{1000}", "(\\w{500}){500}", "((((((("];
    for pattern in patterns {
        let params = [subject.clone(), json!(pattern)];
        if let Err(failure) = anna.try_all("SELECT $1 ~ $2", &params).await {
            assert_eq!(failure.status, 400, "{pattern}: {failure}");
        }
        if let Err(failure) = anna.try_all("SELECT regexp_like($1 || id::text, $2) FROM kind", &params).await {
            assert_eq!(failure.status, 400, "{pattern}: {failure}");
        }
        assert_eq!(root.cell("SELECT COUNT(*) FROM kind").await, json!("1"));
    }
    let many = "SELECT COUNT(*) FROM generate_series(1, 1000) WHERE 'x' ~ ('(\\w{' || value::text || '}){50}')";
    is_refused(&anna, many, &[], &root).await;
    let few = "SELECT COUNT(*) FROM generate_series(1, 1000) WHERE 'x' || value::text ~ ('x' || value::text)";
    assert_eq!(anna.cell(few).await, json!("1000"));
    let like = [subject, json!(format!("{}b", "a%".repeat(5_000)))];
    assert_eq!(anna.sql_with("SELECT $1 LIKE $2", &like).await.rows(), [[json!(false)]]);
    let deep = json!("[".repeat(200_000));
    for sql in ["SELECT json_length($1::text)", "SELECT json_get_str($1::text, 'a')"] {
        if let Err(failure) = anna.try_all(sql, std::slice::from_ref(&deep)).await {
            assert_eq!(failure.status, 400, "{sql}: {failure}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s16_a_live_query_without_end_is_ended_and_its_neighbours_go_on() {
    let (_server, root, anna) = server_with_rows().await;
    let (mut hostile, mut kind) = (anna.connect().await, root.connect().await);
    let mut live = kind.subscribe("s", "SELECT * FROM kind").await;
    let mut counted = kind.subscribe("c", "SELECT COUNT(*) AS n FROM kind").await;
    let endless = [
        "SELECT COUNT(*) AS n FROM kind, generate_series(1, 100000) a, generate_series(1, 1000000000) b",
        "SELECT COUNT(*) AS n FROM kind JOIN generate_series(1, 10000000000) b ON kind.id + b.value < 0",
        "SELECT SUM(b.value) OVER () AS n FROM kind, generate_series(1, 10000000000) b",
        "SELECT repeat(a, 1000000000) AS n FROM kind",
    ];
    for (n, sql) in (0..12).zip(endless.into_iter().cycle()) {
        hostile.send_subscribe(&format!("h{n}"), sql, &[], json!({})).await;
    }
    let mut seq = 0;
    for id in 2..8 {
        seq = root.sql(&format!("INSERT INTO kind VALUES ({id}, 'x')")).await.seq();
        kind.follow(&mut live, seq).await;
    }
    kind.follow(&mut counted, seq).await;
    live.assert_equals(&root.rows("SELECT * FROM kind").await);
    counted.assert_equals(&root.rows("SELECT COUNT(*) AS n FROM kind").await);
    for n in 0..12 {
        let id = format!("h{n}");
        let wanted = |frame: &Json| frame["subscription_id"] == json!(id) && frame["type"] == "error";
        assert_eq!(hostile.next_where(wanted).await["code"], json!("TOO_LARGE"), "{id}");
    }
}

/// Reads until the server ends the connection; a reset is an end as well.
async fn ended(mut stream: TcpStream) -> Vec<u8> {
    let mut read = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut read)).await.expect("the server ends it");
    read
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s19_heads_and_bodies_that_come_slowly_are_not_waited_for() {
    let settings = [("http.header_timeout_secs", "1"), ("http.body_timeout_secs", "1")];
    let server = TestServer::with(&settings).await;
    let root = server.root().await;
    let head = format!(
        "POST /v1/api/sql HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         content-length: 100\r\n\r\n",
        root.access_token
    );
    let chunked = head.replace("content-length: 100", "transfer-encoding: chunked");
    for beginning in [
        "",
        "POST /v1/api/sql HT",
        "GET /health HTTP/1.1\r\nhost: x\r\nx: ",
        &head,
        &format!("{head}{{\"sql\":"),
        &format!("{chunked}5\r\n{{\"sq"),
    ] {
        let mut stream = TcpStream::connect(server.addr()).await.unwrap();
        stream.write_all(beginning.as_bytes()).await.unwrap();
        let answer = ended(stream).await;
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "{beginning}: {}", String::from_utf8_lossy(&answer));
    }
    // A byte now and then is not enough.
    let (mut reading, mut writing) = TcpStream::connect(server.addr()).await.unwrap().into_split();
    let drip = async {
        let mut tick = tokio::time::interval(Duration::from_millis(50));
        while writing.write_all(b"a").await.is_ok() {
            tick.tick().await;
        }
    };
    let end = async {
        let mut read = Vec::new();
        let _ = reading.read_to_end(&mut read).await;
    };
    let both = async {
        tokio::select! { () = drip => (), () = end => () }
    };
    tokio::time::timeout(PATIENCE, both).await.expect("the server ends it");
    assert_eq!(root.cell("SELECT 1").await.to_string().trim_matches('"'), "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s19_sockets_that_never_authenticate_leave_their_room_to_others() {
    let settings = [
        ("websocket.auth_timeout_secs", "1"),
        ("websocket.max_unauthenticated", "8"),
        ("websocket.max_unauthenticated_per_address", "8"),
    ];
    let server = TestServer::with(&settings).await;
    let root = server.root().await;
    let mut silent = Vec::new();
    for _ in 0..8 {
        silent.push(Socket::open(server.addr()).await);
    }
    assert!(
        matches!(Socket::try_open(Socket::request(server.addr(), "")).await.err(), Some(429 | 503)),
        "no more room"
    );
    // Those who ask for the time of day do not gain time.
    for socket in &mut silent {
        socket.send(&json!({ "type": "ping" })).await;
    }
    for socket in &mut silent {
        assert_eq!(socket.closed().await.code, 1008);
    }
    let mut socket = Socket::open(server.addr()).await;
    assert_eq!(socket.authenticate(&root.access_token).await["type"], "auth_success");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s19_a_request_whose_answer_is_never_read_is_cut_off() {
    let server =
        TestServer::with(&[("websocket.slow_reader_timeout_secs", "1"), ("http.max_requests_per_user", "2")]).await;
    let (root, anna) = (server.root().await, server.user("anna", "user").await);
    let body = json!({ "sql": "SELECT repeat('x', 1000) FROM generate_series(1, 30000)" }).to_string();
    let request = format!(
        "POST /v1/api/sql HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        anna.access_token,
        body.len()
    );
    let mut deaf = Vec::new();
    for _ in 0..4 {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(2_048).unwrap();
        let mut stream = socket.connect(server.addr()).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        deaf.push(stream);
    }
    let open = Arc::new(deaf);
    let all_cut_off = async {
        let mut tick = tokio::time::interval(Duration::from_millis(20));
        // A write into a connection that the server has reset fails.
        for stream in open.iter() {
            while stream.try_write(b" ").is_ok() {
                tick.tick().await;
            }
        }
    };
    tokio::time::timeout(PATIENCE, all_cut_off).await.expect("they are cut off");
    assert_eq!(root.sql("SELECT 1").await.row_count(), 1);
    assert_eq!(anna.sql("SELECT 1").await.row_count(), 1);
}
