//! How long a token counts, and that nothing reaches a socket after its end, whatever ended it.

use kalamdb_testkit::{Closed, PATIENCE, Session, Socket, TestServer};
use serde_json::{Value as Json, json};

async fn closed_in_time(socket: &mut Socket) -> Closed {
    tokio::time::timeout(std::time::Duration::from_secs(5), socket.closed()).await.expect("closed within five seconds")
}

async fn post(session: &Session, route: &str, token: &str) -> (u16, Json) {
    let answer = session.http.post(&format!("/v1/api/auth/{route}"), Some(token), &json!({})).await;
    (answer.status, answer.body)
}

/// Whoever ends a user's tokens, and how.
const ENDINGS: [(&str, &str); 5] = [
    ("dropped", "DROP USER 'dropped'"),
    ("promoted", "ALTER USER 'promoted' SET ROLE service"),
    ("renewed", "ALTER USER 'renewed' SET PASSWORD 'another password'"),
    ("revoked", "REVOKE TOKENS FOR USER 'revoked'"),
    ("out", "logout"),
];

async fn end(root: &Session, session: &Session, how: &str) {
    if how == "logout" {
        assert_eq!(post(session, "logout", &session.access_token).await.0, 200);
    } else {
        root.sql(how).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i8_after_a_revocation_no_further_row_reaches_the_socket() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE SHARED TABLE t (id INT PRIMARY KEY) WITH (ACCESS_LEVEL = 'PUBLIC')").await;
    let mut id = 0;
    for (name, how) in ENDINGS {
        let session = server.user(name, "user").await;
        let mut socket = session.connect().await;
        socket.subscribe("filter", "SELECT * FROM t").await;
        socket.subscribe("rerun", "SELECT COUNT(*) AS n FROM t").await;
        for _ in 0..20 {
            id += 1;
            root.sql(&format!("INSERT INTO t VALUES ({id})")).await;
        }
        end(&root, &session, how).await;
        id += 1;
        let after = root.sql(&format!("INSERT INTO t VALUES ({id})")).await.seq();
        let Closed { code, reason } = closed_in_time(&mut socket).await;
        assert_eq!(code, 4002, "{how}");
        assert!(!reason.is_empty(), "{how}");
        for subscription in ["filter", "rerun"] {
            let frames = socket.take_of(subscription);
            assert!(frames.iter().all(|frame| frame["seq"].as_u64() < Some(after)), "{how}: {frames:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sc002_after_a_revocation_every_door_is_closed_to_every_token_of_the_user() {
    let mut server = TestServer::start().await;
    let root = server.root().await;
    let mut ended = Vec::new();
    for (name, how) in ENDINGS {
        let session = server.user(name, "user").await;
        let mut socket = session.connect().await;
        socket.subscribe("s", "SELECT 1 AS one").await;
        end(&root, &session, how).await;
        assert_eq!(closed_in_time(&mut socket).await.code, 4002, "{how}");
        root.until_rows("SELECT COUNT(*) FROM system.connections", |rows| rows == [[json!("0")]]).await;
        root.until_rows("SELECT COUNT(*) FROM system.live_queries", |rows| rows == [[json!("0")]]).await;
        ended.push((session, how));
    }
    for round in ["at once", "after a restart"] {
        for (session, how) in &ended {
            let session = Session { http: server.http(), ..session.clone() };
            let answer = session.http.sql(Some(&session.access_token), "SELECT 1", &[]).await;
            let told = (answer.status, &answer.body["error"]["code"]);
            assert_eq!(told, (401, &json!("TOKEN_REVOKED")), "{how}, {round}");
            assert_eq!(post(&session, "refresh", &session.refresh_token).await.0, 401, "{how}, {round}");
            assert_eq!(post(&session, "logout", &session.access_token).await.0, 401, "{how}, {round}");
            let mut socket = Socket::open(server.addr()).await;
            assert_eq!(socket.authenticate(&session.access_token).await["type"], "auth_error", "{how}, {round}");
            assert_eq!(socket.closed().await.code, 1008);
        }
        server.restart().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i8_a_connection_ends_at_the_second_of_its_token_while_rows_keep_coming() {
    let server = TestServer::with(&[("auth.access_token_ttl_secs", "2")]).await;
    let root = server.root().await;
    root.sql("CREATE SHARED TABLE t (id INT PRIMARY KEY, at BIGINT) WITH (ACCESS_LEVEL = 'PUBLIC')").await;
    let anna = server.user("anna", "user").await;
    let mut socket = anna.connect().await;
    let ends = json!(socket.welcome["expires_at"]);
    socket.subscribe("s", "SELECT id FROM t").await;
    let clock = || kalamdb_store::Clock::now_micros(&kalamdb_store::SystemClock);
    let writing = tokio::spawn({
        let http = server.http();
        async move {
            // Its own token ends as soon, so it logs in for each row. Remembers when each commit had begun.
            let mut begun = Vec::new();
            loop {
                let root = http.login("root", kalamdb_testkit::ROOT_PASSWORD).await;
                let began = clock();
                let id = begun.len();
                let seq = root.sql(&format!("INSERT INTO t VALUES ({id}, 0)")).await.seq();
                begun.push((seq, began));
                if id > 10 && root.cell("SELECT COUNT(*) FROM system.connections").await == json!("0") {
                    return begun;
                }
            }
        }
    });
    let closed = tokio::time::timeout(PATIENCE, socket.closed()).await.expect("it is closed");
    assert_eq!(closed.code, 4001);
    let begun = tokio::time::timeout(PATIENCE, writing).await.expect("the rows end").unwrap();
    let ends = root_time(&server, &ends).await;
    let seen = socket.take_of("s").iter().filter_map(|frame| frame["seq"].as_u64()).max().unwrap_or(0);
    let late = begun.iter().filter(|(_, began)| *began > ends).map(|(seq, _)| *seq).min().unwrap_or(u64::MAX);
    assert!(seen < late, "a row that was written after the end reached the socket: {seen} {late}");
}

/// A time as the server writes it, in microseconds since the Unix epoch.
async fn root_time(server: &TestServer, text: &Json) -> i64 {
    let root = server.root().await;
    let rows = root.sql_with("SELECT CAST($1 AS TIMESTAMP)", std::slice::from_ref(text)).await.rows();
    rows[0][0].as_i64().unwrap_or_else(|| panic!("{rows:?}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fr007_a_token_that_does_not_count_leaves_an_open_connection_as_it_was() {
    let server = TestServer::start().await;
    let (anna, ben) = (server.user("anna", "user").await, server.user("ben", "user").await);
    let mut socket = anna.connect().await;
    socket.subscribe("s", "SELECT 1 AS one").await;
    let before = server.root().await.cell("SELECT expires_at FROM system.connections").await;
    let mut forged = anna.access_token.clone();
    forged.push('A');
    for token in [ben.access_token.as_str(), &anna.refresh_token, &forged, "", "a.b.c"] {
        assert_eq!(socket.authenticate(token).await["type"], "auth_error");
    }
    socket.send(&json!({ "type": "ping" })).await;
    assert_eq!(socket.next().await["type"], "pong");
    let root = server.root().await;
    assert_eq!(root.cell("SELECT expires_at FROM system.connections").await, before);
    assert_eq!(root.cell("SELECT COUNT(*) FROM system.live_queries").await, json!("1"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s05_of_one_refresh_token_shown_many_times_one_pair_comes() {
    let server = TestServer::start().await;
    let anna = server.user("anna", "user").await;
    let tries = (0..8).map(|_| {
        let anna = anna.clone();
        tokio::spawn(async move { post(&anna, "refresh", &anna.refresh_token).await.0 })
    });
    let mut statuses = Vec::new();
    for answered in tries.collect::<Vec<_>>() {
        statuses.push(answered.await.unwrap());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401, 401, 401, 401, 401, 401, 401]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s05_a_user_made_anew_under_an_old_name_does_not_bring_old_tokens_back() {
    let server = TestServer::start().await;
    let root = server.root().await;
    let old = server.user("anna", "user").await;
    root.sql("DROP USER 'anna'").await;
    let create = "CREATE USER 'anna' WITH PASSWORD 'password of anna' ROLE user";
    let made = async {
        // The rows of the former one are deleted first.
        while let Err(failure) = root.try_sql(create).await {
            assert_eq!(failure.code, "CONFLICT", "{failure}");
        }
    };
    tokio::time::timeout(PATIENCE, made).await.expect("the name is free again");
    let answer = old.http.sql(Some(&old.access_token), "SELECT 1", &[]).await;
    assert_eq!((answer.status, &answer.body["error"]["code"]), (401, &json!("TOKEN_REVOKED")));
    assert_eq!(post(&old, "refresh", &old.refresh_token).await.0, 401);
    let new = server.http().login("anna", "password of anna").await;
    assert_eq!(new.cell("SELECT CURRENT_USER()").await, json!("anna"));
}
