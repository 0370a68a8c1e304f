//! From a write to those who watch, beside pings on the same sockets.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use kalamdb_testkit::{Session, Socket};
use serde_json::json;

use crate::Args;
use crate::measure::{Figure, Unit, milliseconds, quantile};

/// Subscribers that share a socket in the fan-out.
const PER_SOCKET: usize = 10;

/// Time from sending an INSERT to the change frame on another connection.
pub async fn latency(session: &Session, args: &Args) -> Vec<Figure> {
    let reference = "`INSERT` and its answer, nobody watching";
    let mut p50 = Figure::new("INSERT to change frame, p50", reference, Unit::Milliseconds);
    let mut p99 = Figure::new("INSERT to change frame, p99", reference, Unit::Milliseconds);
    let mut socket = session.connect().await;
    socket.subscribe("latency", "SELECT * FROM t WHERE room = 'latency'").await;
    let mut id = -1;
    for _ in 0..args.rounds {
        let (mut watched, mut plain) = (Vec::new(), Vec::new());
        for _ in 0..args.requests.min(300) {
            watched.push(insert_until_seen(session, &mut socket, id).await);
            id -= 1;
            let started = Instant::now();
            session.sql_with("INSERT INTO t VALUES ($1, 'unwatched', 'x')", &[json!(id)]).await;
            plain.push(milliseconds(started.elapsed()));
            id -= 1;
        }
        p50.rounds.push((quantile(&mut watched, 0.5), quantile(&mut plain, 0.5)));
        p99.rounds.push((quantile(&mut watched, 0.99), quantile(&mut plain, 0.99)));
    }
    socket.close().await;
    vec![p50, p99]
}

async fn insert_until_seen(session: &Session, socket: &mut Socket, id: i64) -> f64 {
    let started = Instant::now();
    let writer = session.clone();
    let write = tokio::spawn(async move {
        writer.sql_with("INSERT INTO t VALUES ($1, 'latency', 'x')", &[json!(id)]).await;
    });
    socket.next_of("latency").await;
    let seen = milliseconds(started.elapsed());
    write.await.expect("the writer runs to its end");
    seen
}

/// Time from sending an INSERT until the last of many subscribers has its frame.
pub async fn fan_out(session: &Session, args: &Args) -> Vec<Figure> {
    let sockets = args.subscribers.div_ceil(PER_SOCKET);
    let name = |what| format!("INSERT to {what} of {} subscribers on {sockets} sockets", sockets * PER_SOCKET);
    let reference = "a ping and its pong for each, on the same sockets";
    let mut last = Figure::new(name("the last"), reference, Unit::Milliseconds);
    let mut crowd = Vec::new();
    for _ in 0..sockets {
        let mut socket = session.connect().await;
        for n in 0..PER_SOCKET {
            socket.subscribe(&format!("s{n}"), "SELECT * FROM t WHERE room = 'crowd'").await;
        }
        crowd.push(socket);
    }
    let mut id = -1_000_000_000;
    for _ in 0..args.rounds * 4 {
        let started = Instant::now();
        let writer = session.clone();
        let write = tokio::spawn(async move {
            writer.sql_with("INSERT INTO t VALUES ($1, 'crowd', 'x')", &[json!(id)]).await;
        });
        join_all(crowd.iter_mut().map(all_changes)).await;
        let seen = started.elapsed();
        write.await.expect("the writer runs to its end");
        let pings = pings(&mut crowd).await;
        last.rounds.push((milliseconds(seen), milliseconds(pings)));
        id -= 1;
    }
    vec![last]
}

async fn all_changes(socket: &mut Socket) {
    for _ in 0..PER_SOCKET {
        socket.next_where(|frame| frame["type"] == "change").await;
    }
}

async fn pings(crowd: &mut [Socket]) -> Duration {
    let started = Instant::now();
    join_all(crowd.iter_mut().map(|socket| async move {
        for _ in 0..PER_SOCKET {
            socket.send(&json!({ "type": "ping" })).await;
        }
        for _ in 0..PER_SOCKET {
            socket.next_where(|frame| frame["type"] == "pong").await;
        }
    }))
    .await;
    started.elapsed()
}
