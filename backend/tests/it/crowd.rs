//! Thousands of connections, and those of one user among them end: they and no others, and in time.

use std::time::Duration;

use futures_util::future::join_all;
use kalamdb_testkit::{Session, Socket, TestServer};
use serde_json::json;

/// What the requirements allow between the commit and the closed socket.
const ALLOWED: Duration = Duration::from_secs(5);
/// Connections in all, where the system lets this process have so many sockets.
const CONNECTIONS: usize = 5_000;
/// Opened at one time.
const AT_ONCE: usize = 50;
/// Life of the tokens that expire while their sockets are open.
const BRIEF_SECS: &str = "20";

/// The sockets of one user, each with a live query.
struct Crowd {
    user: &'static str,
    sockets: Vec<Socket>,
}

impl Crowd {
    async fn gather(session: &Session, user: &'static str, size: usize) -> Self {
        let mut sockets = Vec::with_capacity(size);
        while sockets.len() < size {
            let opening = (sockets.len()..size.min(sockets.len() + AT_ONCE)).map(|_| async {
                let mut socket = session.connect().await;
                socket.subscribe("s", "SELECT * FROM crowd.news").await;
                socket
            });
            sockets.extend(join_all(opening).await);
        }
        Crowd { user, sockets }
    }

    /// All are closed in time, with code 4002, and were not told of the row `later`, which came after what ended them.
    async fn ends(mut self, root: &Session, later: u32) {
        let closed =
            join_all(self.sockets.iter_mut().map(|socket| tokio::time::timeout(ALLOWED, socket.closed()))).await;
        for closed in closed {
            assert_eq!(closed.expect("closed in time").code, 4002, "{}", self.user);
        }
        let count = format!("SELECT COUNT(*) FROM system.live_queries WHERE user_id = '{}'", self.user);
        root.until_rows(&count, |rows| rows == [[json!("0")]]).await;
        for socket in &mut self.sockets {
            assert!(!was_told(socket, later), "no row reaches a socket without authority");
        }
    }
}

fn was_told(socket: &mut Socket, id: u32) -> bool {
    let frames = socket.take_of("s");
    frames.iter().filter_map(|frame| frame["rows"].as_array()).flatten().any(|row| row["id"] == id)
}

async fn connected(root: &Session) -> usize {
    root.cell("SELECT COUNT(*) FROM system.connections").await.as_str().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sc002_i8_among_5_000_connections_exactly_those_without_authority_end_in_time() {
    // Both ends of each socket are here.
    let files = usize::try_from(rlimit::increase_nofile_limit(u64::MAX).unwrap()).unwrap();
    let size = CONNECTIONS.min(files.saturating_sub(1_000) / 2) / 5;
    assert!(size >= 100, "the system lets this process have only {files} files open");
    let settings = [
        ("live.max_connections_per_user", "100000"),
        ("http.max_connections_per_address", "0"),
        ("websocket.max_sockets_per_address", "0"),
        ("websocket.max_unauthenticated", "0"),
        ("websocket.max_unauthenticated_per_address", "0"),
        ("websocket.idle_timeout_secs", "3600"),
        ("auth.access_token_ttl_secs", BRIEF_SECS),
    ];
    let mut server = TestServer::with(&settings).await;
    for user in ["brief", "dropped", "revoked", "changed", "stays"] {
        server.user(user, "user").await;
    }
    server
        .root()
        .await
        .sql("CREATE NAMESPACE crowd; CREATE SHARED TABLE crowd.news (id INT PRIMARY KEY) WITH (ACCESS_LEVEL='PUBLIC')")
        .await;
    let login = async |server: &TestServer, user: &str| server.http().login(user, &format!("password of {user}")).await;
    let brief = login(&server, "brief").await;
    // Tokens that are given out from here on live longer.
    server.restart_with(&[("auth.access_token_ttl_secs", "3600")]).await;
    let brief = Session { http: server.http(), ..brief };
    let root = server.root().await;
    let brief = Crowd::gather(&brief, "brief", size).await;
    let dropped = Crowd::gather(&login(&server, "dropped").await, "dropped", size).await;
    let revoked = Crowd::gather(&login(&server, "revoked").await, "revoked", size).await;
    let changed = Crowd::gather(&login(&server, "changed").await, "changed", size).await;
    let mut stays = Crowd::gather(&login(&server, "stays").await, "stays", size).await;

    root.sql("DROP USER 'dropped'; INSERT INTO crowd.news VALUES (1)").await;
    dropped.ends(&root, 1).await;
    root.sql("REVOKE TOKENS FOR USER 'revoked'; INSERT INTO crowd.news VALUES (2)").await;
    revoked.ends(&root, 2).await;
    root.sql("ALTER USER 'changed' SET ROLE service; INSERT INTO crowd.news VALUES (3)").await;
    changed.ends(&root, 3).await;
    let mut killed = stays.sockets.split_off(size - 1);
    root.sql(&format!("KILL CONNECTION '{}'; INSERT INTO crowd.news VALUES (4)", killed[0].connection_id())).await;
    let closed = tokio::time::timeout(ALLOWED, killed[0].closed()).await.expect("closed in time");
    assert_eq!(closed.code, 4003);
    assert!(!was_told(&mut killed[0], 4));
    root.until_rows("SELECT COUNT(*) FROM system.connections WHERE user_id = 'brief'", |rows| rows == [[json!("0")]])
        .await;

    assert_eq!(connected(&root).await, size - 1, "the others are untouched");
    let seq = root.sql("INSERT INTO crowd.news VALUES (5)").await.seq();
    for socket in &mut stays.sockets {
        socket.until(seq).await;
    }
    for mut socket in brief.sockets {
        assert_eq!(socket.closed().await.code, 4001);
    }
}
