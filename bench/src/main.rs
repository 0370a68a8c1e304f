//! Measures a server that it starts itself, as a program of its own, over the wire.
//!
//! A figure alone says little on a machine one does not know, so each stands beside a reference
//! that is measured in the same run and takes the same path without the database: requests of
//! the health route, pings on the same sockets, appends that are synced to the same disk.
//! What counts is the ratio. Rounds alternate between the two, and the median is printed.

#![forbid(unsafe_code)]

mod lifetime;
mod measure;
mod notifications;
mod requests;
mod resumes;
mod stalled;

use anyhow::Result;
use clap::Parser;
use kalamdb_testkit::ServerProcess;
use measure::Figure;

#[derive(Parser)]
#[command(about = "Measures KalamDB on this machine, beside references in the same run")]
struct Args {
    /// Rounds per figure.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Requests per round and figure.
    #[arg(long, default_value_t = 400)]
    requests: usize,
    /// Subscribers of the fan-out.
    #[arg(long, default_value_t = 1000)]
    subscribers: usize,
    /// `sync` or `interval`.
    #[arg(long, default_value = "sync")]
    durability: String,
    /// Measure only how fast authority ends.
    #[arg(long)]
    lifetime: bool,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let folder = tempfile::tempdir()?;
    let program = std::env::current_exe()?.with_file_name("kalamdb-server");
    if args.lifetime {
        measure::print(&lifetime::figures(&program, folder.path(), &args).await?, &args.durability);
        return Ok(());
    }
    let settings = [
        ("storage.durability", args.durability.as_str()),
        ("websocket.max_messages_per_sec", "1000000"),
        ("websocket.slow_reader_timeout_secs", "3600"),
        ("live.max_connections_per_user", "10000"),
    ];
    let mut server = ServerProcess::start(&program, &folder.path().join("data"), &settings).await;
    let session = server.root().await;
    session.sql("CREATE SHARED TABLE t (id BIGINT PRIMARY KEY, room TEXT, body TEXT)").await;

    let mut figures: Vec<Figure> = Vec::new();
    figures.push(requests::inserts(&session, folder.path(), &args, 1).await?);
    figures.push(requests::inserts(&session, folder.path(), &args, 32).await?);
    figures.push(requests::point_selects(&session, &args, 1).await);
    figures.push(requests::point_selects(&session, &args, 8).await);
    figures.extend(notifications::latency(&session, &args).await);
    figures.extend(notifications::fan_out(&session, &args).await);
    figures.extend(resumes::storms(&session, &args).await);
    figures.extend(stalled::figures(&session, &args).await);
    figures.extend(lifetime::figures(&program, folder.path(), &args).await?);
    measure::print(&figures, &args.durability);
    server.terminate().await;
    Ok(())
}
