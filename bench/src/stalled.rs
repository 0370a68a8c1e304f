//! Some sockets are never read: what the others and the writers notice, beside the same without them.

use std::time::Instant;

use futures_util::future::join_all;
use kalamdb_testkit::{Session, Socket};
use serde_json::json;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::Args;
use crate::measure::{Figure, Unit, milliseconds, per_second, quantile};

/// Subscribers, each on a socket of its own, the stalled ones among them.
const SUBSCRIBERS: usize = 200;

const WRITERS: usize = 16;

/// Latency and throughput with 1 % and with 10 % of the subscribers stalled.
pub async fn figures(session: &Session, args: &Args) -> Vec<Figure> {
    session.sql("CREATE SHARED TABLE crowd (id BIGINT PRIMARY KEY, body TEXT)").await;
    session.sql("CREATE SHARED TABLE ballast (id BIGINT PRIMARY KEY, body TEXT)").await;
    let mut figures = Vec::new();
    let mut next = 0_i64;
    for percent in [1, 10] {
        let stalled = SUBSCRIBERS * percent / 100;
        let reference = "the same without the stalled";
        let of = |what| format!("{what}, {SUBSCRIBERS} subscribers of which {percent} % never read");
        let mut p50 = Figure::new(of("INSERT to change frame, p50"), reference, Unit::Milliseconds);
        let mut p99 = Figure::new(of("INSERT to change frame, p99"), reference, Unit::Milliseconds);
        let mut writes = Figure::new(of(&format!("INSERT, {WRITERS} writers")), reference, Unit::PerSecond);
        let mut readers = Readers::open(session, SUBSCRIBERS - stalled).await;
        for _ in 0..args.rounds {
            let alone = readers.measure(session, args, &mut next).await;
            let never_read = stall(session, stalled, &mut next).await;
            let beside = readers.measure(session, args, &mut next).await;
            drop(never_read);
            p50.rounds.push((beside.p50, alone.p50));
            p99.rounds.push((beside.p99, alone.p99));
            writes.rounds.push((beside.per_second, alone.per_second));
        }
        readers.close().await;
        figures.extend([p50, p99, writes]);
    }
    figures
}

/// Sockets that subscribe like the others and are not read any more; their outboxes are full.
async fn stall(session: &Session, count: usize, next: &mut i64) -> Vec<Socket> {
    let mut stalled = Vec::new();
    for _ in 0..count {
        let mut socket = session.connect_narrow().await;
        socket.subscribe("s", "SELECT * FROM crowd WHERE id < 0").await;
        let from_now_on = json!({ "without_initial": true });
        socket.subscribe_with("live", "SELECT * FROM crowd", &[], from_now_on.clone()).await;
        socket.subscribe_with("ballast", "SELECT * FROM ballast", &[], from_now_on).await;
        stalled.push(socket);
    }
    let all_lag = format!(
        "SELECT COUNT(*) FROM system.live_queries WHERE status = 'paused' AND subscription_id = 'ballast' HAVING COUNT(*) = {count}"
    );
    while session.rows(&all_lag).await.is_empty() {
        *next += 1;
        session.sql_with("INSERT INTO ballast VALUES ($1, repeat('x', 1000000))", &[json!(*next)]).await;
    }
    stalled
}

struct Measured {
    p50: f64,
    p99: f64,
    per_second: f64,
}

/// Subscribers that read, and say when they have seen a row.
struct Readers {
    count: usize,
    seen: UnboundedReceiver<(i64, Instant)>,
    stop: Vec<tokio::task::JoinHandle<()>>,
}

impl Readers {
    async fn open(session: &Session, count: usize) -> Self {
        let (tell, seen) = unbounded_channel();
        let mut stop = Vec::new();
        for _ in 0..count {
            let mut socket = session.connect().await;
            let from_now_on = json!({ "without_initial": true });
            socket.subscribe_with("live", "SELECT * FROM crowd", &[], from_now_on).await;
            stop.push(tokio::spawn(read_on(socket, tell.clone())));
        }
        Readers { count, seen, stop }
    }

    async fn measure(&mut self, session: &Session, args: &Args, next: &mut i64) -> Measured {
        let mut latencies = Vec::new();
        for _ in 0..args.requests.min(100) {
            *next += 1;
            let (id, started, writer) = (*next, Instant::now(), session.clone());
            let write = tokio::spawn(async move { insert(&writer, id).await });
            self.all_seen(&[id], |at| latencies.push(milliseconds(at - started))).await;
            write.await.expect("the writer runs to its end");
        }
        let ids: Vec<i64> = (1..=args.requests as i64).map(|n| *next + n).collect();
        *next += args.requests as i64;
        let started = Instant::now();
        let shares = ids.chunks(ids.len().div_ceil(WRITERS)).map(|share| async move {
            for id in share {
                insert(session, *id).await;
            }
        });
        join_all(shares).await;
        let per_second = per_second(ids.len(), started.elapsed());
        self.all_seen(&ids, |_| {}).await;
        Measured { p50: quantile(&mut latencies, 0.5), p99: quantile(&mut latencies, 0.99), per_second }
    }

    /// Waits until every reader has seen these rows.
    async fn all_seen(&mut self, ids: &[i64], mut at: impl FnMut(Instant)) {
        for _ in 0..ids.len() * self.count {
            let (id, when) = self.seen.recv().await.expect("the readers read");
            assert!(ids.contains(&id), "row {id} is one of those just written");
            at(when);
        }
    }

    async fn close(self) {
        for reader in self.stop {
            reader.abort();
            // It was told to stop.
            let _ = reader.await;
        }
    }
}

async fn insert(session: &Session, id: i64) {
    session.sql_with("INSERT INTO crowd VALUES ($1, 'a message of ordinary length')", &[json!(id)]).await;
}

async fn read_on(mut socket: Socket, tell: UnboundedSender<(i64, Instant)>) {
    loop {
        let frame = socket.next_where(|frame| frame["type"] == "change").await;
        let now = Instant::now();
        for row in frame["rows"].as_array().into_iter().flatten() {
            let id = row["id"].as_str().and_then(|id| id.parse().ok()).expect("a row has an id");
            if tell.send((id, now)).is_err() {
                return;
            }
        }
    }
}
