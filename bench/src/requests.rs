//! Statements over HTTP, beside bare requests and synced appends.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use kalamdb_testkit::Session;
use serde_json::json;

use crate::Args;
use crate::measure::{Figure, Unit, per_second};

/// What a row holds beside its key.
const BODY: &str = "a message of ordinary length, such as people write to each other all day long";

/// Runs `requests` times `one` from `clients` at once.
async fn timed<F, Done>(clients: usize, requests: usize, one: F) -> Duration
where
    F: Fn() -> Done + Clone + Send + 'static,
    Done: Future<Output = ()> + Send,
{
    let started = Instant::now();
    let mut running = Vec::new();
    for client in 0..clients {
        let share = requests / clients + usize::from(client < requests % clients);
        let one = one.clone();
        running.push(tokio::spawn(async move {
            for _ in 0..share {
                one().await;
            }
        }));
    }
    for client in running {
        client.await.expect("a client runs to its end");
    }
    started.elapsed()
}

/// Rows inserted, one per statement and commit.
pub async fn inserts(session: &Session, folder: &Path, args: &Args, writers: usize) -> Result<Figure> {
    let name = format!("INSERT of one row, {writers} writer{}", if writers == 1 { "" } else { "s" });
    let by_itself = writers == 1 && args.durability == "sync";
    let reference = if by_itself { "append of 256 bytes and fsync" } else { "`GET /health`, as many clients" };
    let mut figure = Figure::new(name, reference, Unit::PerSecond);
    let next = Arc::new(AtomicI64::new(writers as i64 * 1_000_000_000));
    let requests = if writers == 1 { args.requests } else { args.requests * 4 };
    for _ in 0..args.rounds {
        let (writer, next) = (session.clone(), next.clone());
        let measured = timed(writers, requests, move || {
            let (writer, id) = (writer.clone(), next.fetch_add(1, Ordering::Relaxed));
            async move {
                writer.sql_with("INSERT INTO t VALUES ($1, 'bench', $2)", &[json!(id), json!(BODY)]).await;
            }
        })
        .await;
        let reference =
            if by_itself { appends(folder, args.requests)? } else { health(session, writers, requests).await };
        figure.rounds.push((per_second(requests, measured), reference));
    }
    Ok(figure)
}

/// Rows read by primary key.
pub async fn point_selects(session: &Session, args: &Args, readers: usize) -> Figure {
    let name = format!("SELECT by primary key, {readers} reader{}", if readers == 1 { "" } else { "s" });
    let mut figure = Figure::new(name, "`GET /health`, as many clients", Unit::PerSecond);
    session.sql("INSERT INTO t SELECT value, 'read', 'x' FROM generate_series(1, 10000)").await;
    let next = Arc::new(AtomicI64::new(1));
    let requests = args.requests * 5;
    for _ in 0..args.rounds {
        let (reader, next) = (session.clone(), next.clone());
        let measured = timed(readers, requests, move || {
            let (reader, id) = (reader.clone(), next.fetch_add(7, Ordering::Relaxed) % 10_000 + 1);
            async move {
                let row = reader.sql_with("SELECT * FROM t WHERE id = $1", &[json!(id)]).await;
                assert_eq!(row.row_count(), 1, "row {id} is there");
            }
        })
        .await;
        figure.rounds.push((per_second(requests, measured), health(session, readers, requests).await));
    }
    session.sql("DELETE FROM t WHERE room = 'read'").await;
    figure
}

/// Requests per second that do nothing.
async fn health(session: &Session, clients: usize, requests: usize) -> f64 {
    let http = session.http.clone();
    let time = timed(clients, requests, move || {
        let http = http.clone();
        async move {
            assert_eq!(http.get("/health", None).await.status, 200, "the server is well");
        }
    })
    .await;
    per_second(requests, time)
}

/// Synced appends per second, on the disk that holds the data.
fn appends(folder: &Path, count: usize) -> Result<f64> {
    let mut file = std::fs::File::create(folder.join("appends"))?;
    let started = Instant::now();
    for _ in 0..count {
        file.write_all(&[b'x'; 256])?;
        file.sync_data()?;
    }
    Ok(per_second(count, started.elapsed()))
}
