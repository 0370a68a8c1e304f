//! `kill -9` in the midst of many writers, at moments made up from a seed, again and again on the same data.
//!
//! Writers keep a ledger of what they were told. Afterwards everything acknowledged is there, everything
//! refused is not, whatever got no answer is there wholly or not at all, and subscribers go on where they were.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use kalamdb_testkit::{LiveRows, ServerProcess, Session, Socket};
use serde_json::{Value as Json, json};
use tokio::sync::mpsc;

const WRITERS: i64 = 4;

/// Rows of one commit have ids that far apart.
const TWIN: i64 = 1_000_000_000;

const QUERIES: [&str; 3] = [
    "SELECT * FROM t",
    "SELECT writer, COUNT(*) AS c, SUM(n) AS s FROM t GROUP BY writer",
    "SELECT * FROM counters WHERE id < 2",
];

/// What goes on besides.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Besides {
    Nothing,
    Trimming,
    Indexes,
    Tables,
    Users,
}

/// What one writer was told.
#[derive(Default)]
struct Ledger {
    acknowledged: BTreeSet<i64>,
    unknown: BTreeSet<i64>,
    /// Increments of the writer's own counter that were acknowledged, and those that may have happened.
    increments: u64,
    increments_unknown: u64,
    highest_seq: u64,
}

/// What became of a statement.
enum Outcome {
    Done(u64),
    Refused,
    Unknown,
}

async fn run(client: &reqwest::Client, session: &Session, sql: &str) -> Outcome {
    let url = format!("http://{}/v1/api/sql", session.http.addr());
    let request = client.post(url).bearer_auth(&session.access_token).json(&json!({ "sql": sql }));
    let Ok(response) = request.send().await else { return Outcome::Unknown };
    let Ok(body) = response.json::<Json>().await else { return Outcome::Unknown };
    if body["status"] != "success" {
        return Outcome::Refused;
    }
    let seqs = body["results"].as_array().into_iter().flatten().filter_map(|result| result["seq"].as_u64());
    Outcome::Done(seqs.max().unwrap_or_default())
}

/// Writes until nobody answers any more.
async fn write(session: Session, writer: i64, mut next: i64, acks: Arc<AtomicU64>) -> (i64, Ledger) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut ledger = Ledger::default();
    loop {
        let id = writer * 10_000_000 + next;
        let sql = if next % 3 == 0 {
            format!("UPDATE counters SET n = n + 1 WHERE id = {writer}")
        } else {
            format!(
                "BEGIN; INSERT INTO t VALUES ({id}, {writer}, {n}); INSERT INTO t VALUES ({twin}, {writer}, {n}); COMMIT",
                n = next % 10,
                twin = id + TWIN
            )
        };
        let is_increment = next % 3 == 0;
        next += 1;
        match run(&client, &session, &sql).await {
            Outcome::Done(seq) => {
                acks.fetch_add(1, Ordering::Relaxed);
                ledger.highest_seq = ledger.highest_seq.max(seq);
                if is_increment {
                    ledger.increments += 1;
                } else {
                    ledger.acknowledged.insert(id);
                }
            }
            // Writers of different rows may meet in an index that is being made; nothing was written then.
            Outcome::Refused => {}
            Outcome::Unknown => {
                if is_increment {
                    ledger.increments_unknown += 1;
                } else {
                    ledger.unknown.insert(id);
                }
                return (next, ledger);
            }
        }
    }
}

/// Does something else until nobody answers; tells which statements were acknowledged.
async fn disturb(session: Session, besides: Besides, round: usize) -> Vec<String> {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut done = Vec::new();
    for n in 0_usize.. {
        let sql = match (besides, n % 2) {
            (Besides::Nothing | Besides::Trimming, _) => "SELECT COUNT(*) FROM t".to_owned(),
            (Besides::Indexes, 0) => "CREATE INDEX by_n ON t (n)".to_owned(),
            (Besides::Indexes, _) => "DROP INDEX by_n ON t".to_owned(),
            (Besides::Tables, 0) => format!("CREATE TABLE made_{round}_{n} (id INT PRIMARY KEY)"),
            (Besides::Tables, _) => format!("INSERT INTO made_{round}_{} VALUES ({n})", n - 1),
            (Besides::Users, 0) => {
                format!("CREATE USER 'made_{round}_{n}' WITH PASSWORD 'password of the made' ROLE user")
            }
            (Besides::Users, _) => format!("ALTER USER 'made_{round}_{}' SET ROLE service", n - 1),
        };
        match run(&client, &session, &sql).await {
            Outcome::Done(_) => done.push(sql),
            Outcome::Refused => {}
            Outcome::Unknown => break,
        }
    }
    done
}

/// A little chance, the same for the same seed.
fn chance(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *seed >> 33
}

async fn subscribe(session: &Session) -> (Socket, Vec<LiveRows>) {
    let mut socket = session.connect().await;
    let mut live = Vec::new();
    for (n, sql) in QUERIES.iter().enumerate() {
        live.push(socket.subscribe(&format!("s{n}"), sql).await);
    }
    (socket, live)
}

/// Everything that was acknowledged is there, and nothing is half there.
async fn check(root: &Session, ledgers: &BTreeMap<i64, Ledger>) {
    let rows = root.rows("SELECT id FROM t").await;
    let there: BTreeSet<i64> = rows.iter().map(|row| row[0].as_str().unwrap().parse().unwrap()).collect();
    for (writer, ledger) in ledgers {
        for id in &ledger.acknowledged {
            assert!(there.contains(id) && there.contains(&(id + TWIN)), "{id} was acknowledged");
        }
        let sql = format!("SELECT n FROM counters WHERE id = {writer}");
        let counted = root.cell(&sql).await.as_u64().unwrap();
        let possible = ledger.increments..=ledger.increments + ledger.increments_unknown;
        assert!(possible.contains(&counted), "counter {writer} is {counted}, should be in {possible:?}");
    }
    for id in there.iter().filter(|id| **id < TWIN) {
        let known = |ledger: &Ledger| ledger.acknowledged.contains(id) || ledger.unknown.contains(id);
        assert!(ledgers.values().any(known), "{id} was refused, or never asked for");
        assert!(there.contains(&(id + TWIN)), "{id} is there without its twin");
    }
    assert!(there.iter().all(|id| *id < TWIN || there.contains(&(id - TWIN))), "a twin is there alone");
    for n in 0..3 {
        let by_index = root.rows(&format!("SELECT id FROM t WHERE n = {n} ORDER BY id")).await;
        let by_scan = root.rows(&format!("SELECT id FROM t WHERE n + 0 = {n} ORDER BY id")).await;
        assert_eq!(by_index, by_scan, "an index has exactly the rows");
    }
}

/// What else was acknowledged is there too.
async fn check_besides(root: &Session, done: &[String]) {
    for sql in done {
        let name = sql.split(' ').nth(2).unwrap_or_default().trim_matches('\'');
        if sql.starts_with("CREATE TABLE") {
            let inserted = done.iter().any(|other| other.starts_with(&format!("INSERT INTO {name} ")));
            let found = root.rows(&format!("SELECT * FROM {name}")).await.len();
            assert!(found >= usize::from(inserted), "{sql}");
        }
        if sql.contains(" USER ") {
            let role = root.cell(&format!("SELECT role FROM system.users WHERE user_id = '{name}'")).await;
            assert!(sql.starts_with("CREATE") || role == "service", "{sql}: {role}");
        }
    }
}

async fn storm(besides: Besides, mut seed: u64, rounds: usize, settings: &[(&str, &str)]) {
    let dir = tempfile::tempdir().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_kalamdb-server"));
    let mut all = vec![("websocket.progress_interval_ms", "20")];
    all.extend_from_slice(settings);
    let mut server = ServerProcess::start(program, &dir.path().join("data"), &all).await;
    let root = server.root().await;
    root.sql("CREATE TABLE t (id BIGINT PRIMARY KEY, writer INT, n INT)").await;
    root.sql("CREATE TABLE counters (id INT PRIMARY KEY, n INT)").await;
    root.sql("INSERT INTO counters VALUES (0, 0), (1, 0), (2, 0), (3, 0)").await;
    let (mut socket, mut live) = subscribe(&root).await;
    let mut ledgers: BTreeMap<i64, Ledger> = BTreeMap::new();
    let mut next = vec![1_i64; WRITERS as usize];
    let mut highest_seq = 0;
    for round in 0..rounds {
        let root = server.root().await;
        let acks = Arc::new(AtomicU64::new(0));
        let (done, mut ended) = mpsc::unbounded_channel();
        for writer in 0..WRITERS {
            let (session, acks, done) = (root.clone(), Arc::clone(&acks), done.clone());
            let from = next[writer as usize];
            tokio::spawn(async move { done.send((writer, write(session, writer, from, acks).await)) });
        }
        drop(done);
        let disturbing = tokio::spawn(disturb(root.clone(), besides, round));
        let kill_after = 5 + chance(&mut seed) % 60;
        let reached = async {
            while acks.load(Ordering::Relaxed) < kill_after {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(kalamdb_testkit::PATIENCE, reached).await.expect("writers get on");
        server.kill().await;
        while let Some((writer, (from, ledger))) = ended.recv().await {
            next[writer as usize] = from;
            highest_seq = highest_seq.max(ledger.highest_seq);
            let whole = ledgers.entry(writer).or_default();
            whole.acknowledged.extend(ledger.acknowledged);
            whole.unknown.extend(ledger.unknown);
            whole.increments += ledger.increments;
            whole.increments_unknown += ledger.increments_unknown;
        }
        let done = disturbing.await.unwrap();
        assert_eq!(socket.closed().await.code, 1006);
        for live in &mut live {
            for frame in socket.take_of(&live.id) {
                live.apply(&frame);
            }
            live.lost();
        }
        server.start_again().await;
        let root = server.root().await;
        assert_eq!(root.cell("SELECT COUNT(*) FROM system.live_queries").await, json!("0"));
        check(&root, &ledgers).await;
        check_besides(&root, &done).await;
        socket = root.connect().await;
        for (live, sql) in live.iter_mut().zip(QUERIES) {
            let ack = socket.resume(live, sql).await;
            assert!(ack["resumed"] == true || besides == Besides::Trimming, "{sql}: {ack}");
        }
        let seq = root.sql(&format!("INSERT INTO counters VALUES ({}, 0)", 100 + round)).await.seq();
        assert!(seq > highest_seq, "a SeqId is never used twice");
        for (live, sql) in live.iter_mut().zip(QUERIES) {
            socket.follow(live, seq).await;
            live.assert_equals(&root.rows(sql).await);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i1_i2_i3_killed_in_a_storm_of_writers_nothing_is_lost_and_subscribers_go_on() {
    storm(Besides::Nothing, 1, 4, &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i2_i3_killed_in_interval_mode_nothing_is_lost_and_subscribers_go_on() {
    let settings = [("storage.durability", "interval"), ("storage.sync_interval_ms", "60000")];
    storm(Besides::Nothing, 2, 3, &settings).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i2_i3_killed_while_the_history_is_trimmed_clients_resume_or_are_reset() {
    storm(Besides::Trimming, 3, 3, &[("live.history_max_bytes", "20000")]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i3_killed_while_indexes_are_built_and_dropped_they_are_whole_or_not_there() {
    storm(Besides::Indexes, 4, 3, &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i3_killed_while_tables_are_made_those_acknowledged_are_there() {
    storm(Besides::Tables, 5, 3, &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i3_killed_while_users_are_made_those_acknowledged_are_there() {
    storm(Besides::Users, 6, 2, &[]).await;
}
