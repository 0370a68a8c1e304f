//! The client library when things go wrong: cuts, restarts, crashes, kills, revoked and expired tokens.

use std::path::Path;
use std::time::Duration;

use kalam_link::{Client, ConnectionState, Event, SeqId};
use kalamdb_testkit::{ServerProcess, Session, TestServer};
use serde_json::json;

use crate::client_kit::{Held, Network, client_at, client_of, root_at, soon};

const QUERIES: [&str; 4] = [
    "SELECT * FROM t",
    "SELECT n FROM t WHERE n > 10",
    "SELECT kind, COUNT(*) AS c, SUM(n) AS total FROM t GROUP BY kind",
    "SELECT id, n FROM t ORDER BY n DESC, id LIMIT 5",
];

async fn table(root: &Session) {
    root.sql("CREATE TABLE t (id INT PRIMARY KEY, kind TEXT, n INT)").await;
    root.sql("INSERT INTO t VALUES (1, 'a', 10), (2, 'b', 20), (3, 'a', 30)").await;
}

async fn write(root: &Session, n: i64) -> u64 {
    let upsert = "INSERT INTO t VALUES ($1, $2, $3) ON CONFLICT (id) DO UPDATE SET kind = $2, n = $3";
    let kind = ["a", "b", "c"][usize::try_from(n % 3).unwrap()];
    let seq = root.sql_with(upsert, &[json!(n % 13), json!(kind), json!(n)]).await.seq();
    if n % 7 == 0 { root.sql(&format!("DELETE FROM t WHERE id = {}", n % 11)).await.seq().max(seq) } else { seq }
}

/// Waits until the connection is as wanted.
async fn until(client: &Client, wanted: impl Fn(&ConnectionState) -> bool) -> ConnectionState {
    let mut states = client.connection_events();
    soon("a state of the connection", async {
        loop {
            let state = states.next().await.expect("states never end");
            if wanted(&state) {
                return state;
            }
        }
    })
    .await
}

fn is_live(state: &ConnectionState) -> bool {
    matches!(state, ConnectionState::Live { .. })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fr013_a_connection_cut_again_and_again_misses_nothing_and_tells_nothing_twice() {
    let server = TestServer::with(&[("live.batch_rows", "2")]).await;
    let root = server.root().await;
    table(&root).await;
    let network = Network::to(server.addr()).await;
    let client = root_at(network.addr);
    let mut live = Vec::new();
    for sql in QUERIES {
        live.push((client.subscribe(sql).start().await.unwrap(), Held::default()));
    }
    let view = client.live(QUERIES[3]).start().await.unwrap();
    let mut states = client.connection_events();
    let mut seq = 0;
    for n in 0..120 {
        if n % 4 == 0 {
            network.cut();
        }
        seq = write(&root, n).await;
        if n % 20 == 10 {
            // Let it come back before it is cut again.
            for (live, held) in &mut live {
                held.follow(live, seq).await;
            }
        }
    }
    for ((live, held), sql) in live.iter_mut().zip(QUERIES) {
        held.follow(live, seq).await;
        held.assert_is(&root, sql).await;
        assert_eq!(held.resets, 0, "{sql}: the history was there all the time");
    }
    view.wait_for(SeqId(seq)).await.unwrap();
    let rows: Vec<_> = view.rows().iter().map(|row| row.cells().to_vec()).collect();
    assert_eq!(rows, root.rows(QUERIES[3]).await);
    let mut lives = 0;
    soon("it was live several times", async {
        while lives < 5 {
            lives += usize::from(is_live(&states.next().await.unwrap()));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fr012_a_server_that_restarts_finds_its_clients_again() {
    let mut server = TestServer::start().await;
    let root = server.root().await;
    table(&root).await;
    let network = Network::to(server.addr()).await;
    let client = root_at(network.addr);
    let mut live = client.subscribe(QUERIES[0]).id("mine").start().await.unwrap();
    let mut held = Held::default();
    held.follow(&mut live, write(&root, 50).await).await;
    network.lead(None);
    until(&client, |state| matches!(state, ConnectionState::Waiting { attempt, .. } if *attempt > 2)).await;
    // A subscription made now waits for the connection.
    let late = tokio::spawn({
        let client = client.clone();
        async move { client.subscribe(QUERIES[1]).start().await }
    });
    server.restart().await;
    let root = server.root().await;
    let seq = write(&root, 51).await;
    network.lead(Some(server.addr()));
    held.follow(&mut live, seq).await;
    held.assert_is(&root, QUERIES[0]).await;
    assert_eq!(held.resets, 0);
    let mut late = soon("the late subscription", late).await.unwrap().unwrap();
    let mut held = Held::default();
    held.follow(&mut late, seq).await;
    held.assert_is(&root, QUERIES[1]).await;
    assert_eq!(root.rows("SELECT connection_id FROM system.connections").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fr013_a_server_that_is_killed_loses_nothing_that_was_told() {
    let dir = tempfile::tempdir().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_kalamdb-server"));
    let settings = [("websocket.progress_interval_ms", "20")];
    let mut server = ServerProcess::start(program, &dir.path().join("data"), &settings).await;
    let root = server.root().await;
    table(&root).await;
    let network = Network::to(server.addr()).await;
    let client = root_at(network.addr);
    let mut live = client.subscribe(QUERIES[0]).start().await.unwrap();
    let mut held = Held::default();
    for round in 0..3 {
        let root = server.root().await;
        for n in 0..10 {
            write(&root, round * 10 + n).await;
        }
        server.kill().await;
        server.start_again().await;
        network.lead(Some(server.addr()));
        let root = server.root().await;
        let seq = write(&root, round * 10).await;
        held.follow(&mut live, seq).await;
        held.assert_is(&root, QUERIES[0]).await;
        assert_eq!(held.resets, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fr013_history_that_is_gone_is_told_as_a_reset() {
    let settings = [("live.history_max_age_secs", "0"), ("live.history_max_bytes", "0")];
    let mut server = TestServer::with(&settings).await;
    let root = server.root().await;
    table(&root).await;
    let network = Network::to(server.addr()).await;
    let client = root_at(network.addr);
    let mut live = client.subscribe(QUERIES[0]).start().await.unwrap();
    let view = client.live(QUERIES[0]).start().await.unwrap();
    let mut held = Held::default();
    held.follow(&mut live, write(&root, 1).await).await;
    network.lead(None);
    let seq = write(&root, 2).await;
    server.restart().await;
    network.lead(Some(server.addr()));
    let root = server.root().await;
    held.follow(&mut live, seq).await;
    held.assert_is(&root, QUERIES[0]).await;
    assert_eq!((held.resets, held.snapshots), (1, 2));
    view.wait_for(SeqId(seq)).await.unwrap();
    assert_eq!(view.rows().len(), root.rows(QUERIES[0]).await.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn us4_a_killed_connection_is_told_and_comes_back_only_when_asked() {
    let server = TestServer::start().await;
    let root = server.root().await;
    table(&root).await;
    server.user("anna", "user").await;
    let anna = client_of(server.addr(), "anna");
    let mut live = anna.subscribe(QUERIES[0]).start().await.unwrap();
    let mut view = anna.live(QUERIES[0]).start().await.unwrap();
    let ConnectionState::Live { connection_id, .. } = anna.connection_state() else { panic!("not live") };
    root.sql(&format!("KILL CONNECTION '{connection_id}'")).await;
    let ended = soon("the end", async {
        loop {
            match live.next().await {
                Some(Event::Ended(error)) => return error,
                Some(_) => {}
                None => panic!("the end has a reason"),
            }
        }
    })
    .await;
    assert!(ended.is_killed(), "{ended:?}");
    assert_eq!(ended.code(), "CONNECTION_KILLED");
    assert_eq!(live.next().await, None);
    assert!(soon("the view's end", view.changed()).await.unwrap_err().is_killed());
    assert!(matches!(anna.connection_state(), ConnectionState::Closed { reason } if reason.is_killed()));
    assert!(root.rows("SELECT connection_id FROM system.connections").await.is_empty());
    let again = anna.subscribe(QUERIES[0]).start().await.unwrap();
    let id = format!(
        "anna-{}-{}",
        root.cell("SELECT connection_id FROM system.connections").await.as_str().unwrap(),
        again.id()
    );
    root.sql(&format!("KILL LIVE QUERY '{id}'")).await;
    let mut again = again;
    let ended = soon("the end of one", async {
        loop {
            if let Some(Event::Ended(error)) = again.next().await {
                return error;
            }
        }
    })
    .await;
    assert!(ended.is_killed());
    assert!(is_live(&anna.connection_state()), "only the live query was killed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fr012_revoked_tokens_are_replaced_and_a_dropped_user_is_not_let_in() {
    let server = TestServer::start().await;
    let root = server.root().await;
    table(&root).await;
    server.user("anna", "user").await;
    let anna = client_of(server.addr(), "anna");
    let mut live = anna.subscribe(QUERIES[0]).start().await.unwrap();
    let mut held = Held::default();
    let mut states = anna.connection_events();
    root.sql("REVOKE TOKENS FOR USER 'anna'").await;
    let seq = anna.execute("INSERT INTO t VALUES (1, 'x', 1)", ()).await.unwrap()[0].seq.unwrap();
    held.follow(&mut live, seq.0).await;
    assert_eq!((held.changes, held.resets), (1, 0));
    let mut lives = 0;
    soon("it was live twice", async {
        while lives < 2 {
            lives += usize::from(is_live(&states.next().await.unwrap()));
        }
    })
    .await;
    root.sql("DROP USER 'anna'").await;
    let ended = soon("the end", async {
        loop {
            if let Some(Event::Ended(error)) = live.next().await {
                return error;
            }
        }
    })
    .await;
    assert_eq!(ended.code(), "AUTH_FAILED", "{ended}");
    assert_eq!(anna.subscribe(QUERIES[0]).start().await.unwrap_err().code(), "AUTH_FAILED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn us4_a_token_is_replaced_on_the_open_socket_before_it_expires() {
    let server = TestServer::with(&[("auth.access_token_ttl_secs", "4")]).await;
    let root = server.root().await;
    table(&root).await;
    let client = root_at(server.addr());
    let _live = client.subscribe(QUERIES[0]).start().await.unwrap();
    let first = client.connection_state();
    let ConnectionState::Live { connection_id, expires_at, .. } = first else { panic!("not live") };
    let mut states = client.connection_events();
    soon("the token is replaced twice", async {
        let mut replaced = 0;
        let mut until = expires_at;
        while replaced < 2 {
            match states.next().await.unwrap() {
                ConnectionState::Live { connection_id: now, expires_at, .. } => {
                    assert_eq!(now, connection_id, "the socket is the same");
                    replaced += usize::from(expires_at > until);
                    until = expires_at;
                }
                other => panic!("the connection was lost: {other:?}"),
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fr012_a_socket_closed_as_idle_is_opened_again() {
    let server = TestServer::with(&[("websocket.idle_timeout_secs", "1")]).await;
    let root = server.root().await;
    table(&root).await;
    let client = client_at(server.addr())
        .password("root", kalamdb_testkit::ROOT_PASSWORD)
        .ping_interval(Duration::from_secs(3600))
        .build()
        .unwrap();
    let mut live = client.subscribe(QUERIES[0]).start().await.unwrap();
    until(&client, |state| matches!(state, ConnectionState::Waiting { .. })).await;
    until(&client, is_live).await;
    let mut held = Held::default();
    held.follow(&mut live, write(&root, 5).await).await;
    held.assert_is(&root, QUERIES[0]).await;
    drop(live);
    // With nothing subscribed the loss of the socket is none, and the next subscription opens one.
    until(&client, |state| matches!(state, ConnectionState::Idle)).await;
    client.subscribe(QUERIES[0]).start().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_cannot_be_reached_is_said_so_in_time_and_found_when_it_is_there() {
    let server = TestServer::start().await;
    let root = server.root().await;
    table(&root).await;
    let network = Network::to(server.addr()).await;
    network.lead(None);
    let client = client_at(network.addr)
        .password("root", kalamdb_testkit::ROOT_PASSWORD)
        .request_timeout(Duration::from_millis(300))
        .build()
        .unwrap();
    let error = client.subscribe(QUERIES[0]).start().await.unwrap_err();
    assert_eq!(error.code(), "TIMEOUT");
    assert!(client.subscriptions().is_empty());
    network.lead(Some(server.addr()));
    let client = root_at(network.addr);
    client.subscribe(QUERIES[0]).start().await.unwrap();
}

#[test]
fn a_client_outlives_the_runtime_that_held_its_connection() {
    let runtime = || tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let serving = runtime();
    let (server, root) = serving.block_on(async {
        let server = TestServer::start().await;
        let root = server.root().await;
        table(&root).await;
        (server, root)
    });
    let client = root_at(server.addr());
    let first = runtime();
    let mut live = first.block_on(async { client.subscribe(QUERIES[0]).start().await.unwrap() });
    drop(first);
    let second = runtime();
    second.block_on(async {
        let mut held = Held::default();
        let other = client.subscribe(QUERIES[1]).start().await.unwrap();
        held.follow(&mut live, write(&root, 3).await).await;
        held.assert_is(&root, QUERIES[0]).await;
        other.unsubscribe().await;
    });
    drop((second, server));
}
