//! Live queries against an oracle: random statements, and after each the rows that the frames
//! made must be those of the query run afresh. Sockets are lost and resumed on the way.

use kalamdb_testkit::{LiveRows, Session, Socket, TestServer};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;

/// Live queries of every strategy over the tables `a` and `b`.
const QUERIES: [&str; 14] = [
    "SELECT * FROM a",
    "SELECT * FROM a WHERE n > 3",
    "SELECT id, s FROM a WHERE s = 'x' AND n <= 5",
    "SELECT n FROM a WHERE s IS NOT NULL OR n IS NULL",
    "SELECT id, n + 1 AS m FROM a WHERE NOT (n = 2)",
    "SELECT COUNT(*) AS c, SUM(n) AS t, MIN(n) AS lo, MAX(n) AS hi FROM a",
    "SELECT s, COUNT(*) AS c, AVG(n) AS m FROM a GROUP BY s",
    "SELECT s, COUNT(*) AS c FROM a GROUP BY s HAVING COUNT(*) > 1",
    "SELECT DISTINCT s FROM a",
    "SELECT a.id, b.t FROM a JOIN b ON a.n = b.id",
    "SELECT a.id, b.t FROM a LEFT JOIN b ON a.n = b.id AND b.t <> 'y'",
    "SELECT id, n FROM a ORDER BY n DESC NULLS LAST, id LIMIT 3",
    "SELECT id, s FROM a ORDER BY s NULLS FIRST, id OFFSET 1",
    "SELECT id FROM a WHERE n IN (SELECT id FROM b)",
];

#[derive(Debug, Clone)]
enum Step {
    Write(String),
    Commit(Vec<String>),
    LoseTheSocket,
}

fn text() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("NULL"), Just("'x'"), Just("'y'"), Just("''"), Just("'ö'")]
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![1 => Just("NULL".to_owned()), 6 => (0..8_i32).prop_map(|n| n.to_string())]
}

fn condition() -> impl Strategy<Value = String> {
    prop_oneof![
        (0..8_i32).prop_map(|id| format!("id = {id}")),
        (0..8_i32).prop_map(|n| format!("n > {n}")),
        text().prop_map(|s| format!("s IS NOT DISTINCT FROM {s}")),
        Just("true".to_owned()),
    ]
}

fn write() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => (0..8_i32, number(), text()).prop_map(|(id, n, s)| format!(
            "INSERT INTO a VALUES ({id}, {n}, {s}) ON CONFLICT (id) DO UPDATE SET n = EXCLUDED.n, s = EXCLUDED.s"
        )),
        3 => (number(), condition()).prop_map(|(n, c)| format!("UPDATE a SET n = {n} WHERE {c}")),
        2 => (text(), condition()).prop_map(|(s, c)| format!("UPDATE a SET s = {s} WHERE {c}")),
        1 => condition().prop_map(|c| format!("UPDATE a SET n = n + 1 WHERE {c}")),
        3 => condition().prop_map(|c| format!("DELETE FROM a WHERE {c}")),
        2 => (0..8_i32, text()).prop_map(|(id, t)| format!(
            "INSERT INTO b VALUES ({id}, {t}) ON CONFLICT (id) DO UPDATE SET t = EXCLUDED.t"
        )),
        1 => (0..8_i32).prop_map(|id| format!("DELETE FROM b WHERE id = {id}")),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => write().prop_map(Step::Write),
        3 => prop::collection::vec(write(), 2..5).prop_map(Step::Commit),
        1 => Just(Step::LoseTheSocket),
    ]
}

async fn subscribe_all(socket: &mut Socket) -> Vec<LiveRows> {
    let mut live = Vec::new();
    for (n, sql) in QUERIES.iter().enumerate() {
        live.push(socket.subscribe(&format!("q{n}"), sql).await);
    }
    live
}

async fn check(session: &Session, socket: &mut Socket, live: &mut [LiveRows], seq: u64) {
    for (rows, sql) in live.iter_mut().zip(QUERIES) {
        socket.follow(rows, seq).await;
        rows.assert_equals(&session.rows(sql).await);
    }
}

async fn run_case(session: &Session, steps: &[Step]) {
    session.sql("DROP TABLE IF EXISTS a; DROP TABLE IF EXISTS b").await;
    session
        .sql("CREATE TABLE a (id INT PRIMARY KEY, n INT, s TEXT); CREATE TABLE b (id INT PRIMARY KEY, t TEXT)")
        .await;
    session.sql("INSERT INTO a VALUES (1, 1, 'x'), (2, 5, NULL), (3, NULL, 'y'); INSERT INTO b VALUES (1, 'x')").await;
    let mut socket = session.connect().await;
    let mut live = subscribe_all(&mut socket).await;
    let mut seq = 0;
    for step in steps {
        let sql = match step {
            Step::Write(sql) => sql.clone(),
            Step::Commit(writes) => format!("BEGIN; {}; COMMIT", writes.join("; ")),
            Step::LoseTheSocket => {
                drop(socket);
                socket = session.connect().await;
                for (rows, sql) in live.iter_mut().zip(QUERIES) {
                    let ack = socket.resume(rows, sql).await;
                    assert_eq!(ack["resumed"], true, "{sql}: {ack}");
                }
                continue;
            }
        };
        // Sums may overflow nothing here; every statement of the model succeeds.
        for result in session.try_all(&sql, &[]).await.unwrap_or_else(|failure| panic!("{sql}: {failure}")) {
            seq = result.json["seq"].as_u64().unwrap_or(seq).max(seq);
        }
        check(session, &mut socket, &mut live, seq).await;
    }
    socket.close().await;
}

/// Runs `cases` random runs against one server.
fn random_runs(cases: u32, steps: usize, settings: &'static [(&'static str, &'static str)]) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let server = runtime.block_on(TestServer::with(settings));
    let session = runtime.block_on(server.root());
    let config = Config { cases, max_shrink_iters: 40, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&prop::collection::vec(step(), 1..steps), |steps| {
        let session = session.clone();
        let run = runtime.spawn(async move { run_case(&session, &steps).await });
        runtime.block_on(run).map_err(|panic| TestCaseError::fail(panic.to_string()))
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}

#[test]
fn i1_snapshot_and_changes_make_the_querys_result_at_every_commit() {
    random_runs(12, 14, &[]);
}

#[test]
fn i1_the_same_holds_for_a_reader_whose_outbox_is_small_and_whose_pages_are_short() {
    random_runs(6, 10, &[("live.batch_rows", "1"), ("websocket.outbox_max_bytes", "2000")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i1_subscribing_in_the_middle_of_a_storm_of_writes_misses_nothing() {
    let server = TestServer::start().await;
    let root = server.root().await;
    root.sql("CREATE TABLE a (id INT PRIMARY KEY, n INT, s TEXT); CREATE TABLE b (id INT PRIMARY KEY, t TEXT)").await;
    let writers = (0..3).map(|writer| {
        let root = root.clone();
        tokio::spawn(async move {
            let mut seq = 0;
            for n in 0..40 {
                let id = (n * 7 + writer) % 12;
                let sql = match n % 4 {
                    3 => format!("DELETE FROM a WHERE id = {id}"),
                    _ => format!("INSERT INTO a VALUES ({id}, {n}, 'x') ON CONFLICT (id) DO UPDATE SET n = EXCLUDED.n"),
                };
                // Writers may collide for good; the loser's write simply did not happen.
                if let Ok(result) = root.try_sql(&sql).await {
                    seq = result.json["seq"].as_u64().unwrap_or(seq);
                }
            }
            seq
        })
    });
    let writers: Vec<_> = writers.collect();
    let mut socket = root.connect().await;
    let mut live = subscribe_all(&mut socket).await;
    let mut last = 0;
    for writer in writers {
        last = last.max(writer.await.unwrap());
    }
    last = last.max(root.sql("INSERT INTO b VALUES (1, 'end')").await.json["seq"].as_u64().unwrap());
    check(&root, &mut socket, &mut live, last).await;
    let acknowledged = json!(live.len());
    assert_eq!(root.cell("SELECT COUNT(*) FROM system.live_queries").await, json!(acknowledged.to_string()));
}
