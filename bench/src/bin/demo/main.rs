//! Replays a week of New York's flights and shows live queries follow.
//!
//! One connection of the client library holds four live queries: a filter, a count per airline joined with
//! the airlines' names, the longest delays, and where to. Each hour of 2013 is one commit; after it the queries'
//! rows, kept current by the library, are printed. At the end each is compared with the query run afresh.

#![forbid(unsafe_code)]

mod flights;
mod followed;
mod screen;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Parser;
use flights::Hour;
use followed::Followed;
use kalam_link::{Client, SeqId};
use kalamdb_testkit::{ROOT_PASSWORD, ServerProcess};
use serde_json::Value as Json;

#[derive(Parser)]
#[command(about = "Replays a week of New York's flights and shows live queries follow")]
struct Args {
    /// A server that runs already; otherwise one is started for the demo and forgotten after it.
    #[arg(long)]
    server: Option<SocketAddr>,
    /// Password of `root` on that server.
    #[arg(long, env = "KALAMDB_ROOT_PASSWORD", default_value = ROOT_PASSWORD, hide_default_value = true, hide_env_values = true)]
    password: String,
    /// Folder of the CSV files.
    #[arg(long, default_value = "examples/nycflights13")]
    data: PathBuf,
    /// Time between two hours of 2013, in milliseconds.
    #[arg(long, default_value_t = 120)]
    pace_ms: u64,
    /// Print the last hour only.
    #[arg(long)]
    quiet: bool,
}

/// Title and query.
const LIVE: [(&str, &str); 4] = [
    (
        "Now late from JFK (over an hour)",
        "SELECT id, carrier, flight, dest, dep_delay FROM flights.departures WHERE origin = 'JFK' AND dep_delay > 60",
    ),
    (
        "Flights per airline",
        "SELECT a.name, COUNT(*) AS flights, AVG(d.dep_delay) AS mean_delay FROM flights.departures d \
         JOIN flights.airlines a ON a.carrier = d.carrier GROUP BY a.name ORDER BY flights DESC, a.name LIMIT 6",
    ),
    (
        "Longest delays",
        "SELECT d.id, a.name, d.dest, d.dep_delay FROM flights.departures d JOIN flights.airlines a ON a.carrier = d.carrier \
         WHERE d.dep_delay IS NOT NULL ORDER BY d.dep_delay DESC, d.id LIMIT 5",
    ),
    (
        "Where to",
        "SELECT p.name, COUNT(*) AS flights FROM flights.departures d JOIN flights.airports p ON p.faa = d.dest \
         GROUP BY p.name ORDER BY flights DESC, p.name LIMIT 5",
    ),
];

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let folder = tempfile::tempdir()?;
    let mut started = None;
    let addr = match args.server {
        Some(addr) => addr,
        None => {
            let program = std::env::current_exe()?.with_file_name("kalamdb-server");
            let settings = [("websocket.progress_interval_ms", "20")];
            started.insert(ServerProcess::start(&program, &folder.path().join("data"), &settings).await).addr()
        }
    };
    let client = Client::builder(format!("http://{addr}")).password("root", &args.password).build()?;
    let hours = flights::hours(&args.data)?;
    prepare(&client, &args.data).await?;
    let mut live = Vec::new();
    for (title, sql) in LIVE {
        live.push(Followed::start(&client, title, sql).await?);
    }
    replay(&args, &client, &mut live, &hours).await?;
    for followed in &live {
        followed.compare(&client).await?;
        println!(
            "{}: the rows changed {} times, and are those of the query run afresh",
            followed.title(),
            followed.changes()
        );
    }
    drop(live);
    client.disconnect().await;
    if let Some(mut server) = started {
        server.terminate().await;
    }
    Ok(())
}

/// Creates the tables anew and fills those that do not change.
async fn prepare(client: &Client, data: &Path) -> Result<()> {
    let tables = "DROP NAMESPACE IF EXISTS flights CASCADE; \
        CREATE NAMESPACE flights; \
        CREATE SHARED TABLE flights.airlines (carrier TEXT PRIMARY KEY, name TEXT); \
        CREATE SHARED TABLE flights.airports (faa TEXT PRIMARY KEY, name TEXT, lat DOUBLE, lon DOUBLE); \
        CREATE SHARED TABLE flights.departures (id BIGINT PRIMARY KEY, scheduled DATETIME, carrier TEXT, flight INT, \
        tailnum TEXT, origin TEXT, dest TEXT, dep_delay INT, arr_delay INT, distance INT)";
    client.execute(tables, ()).await?;
    for (file, table, columns) in [("airlines.csv", "airlines", 2), ("airports.csv", "airports", 4)] {
        let text = std::fs::read_to_string(data.join(file)).with_context(|| format!("reading {file}"))?;
        let rows: Vec<Vec<Json>> = text.lines().skip(1).map(|line| flights::cells(line, columns)).collect();
        for chunk in rows.chunks(200) {
            insert(client, table, chunk).await?;
        }
    }
    Ok(())
}

/// One INSERT, one commit; the commit's SeqId.
async fn insert(client: &Client, table: &str, rows: &[Vec<Json>]) -> Result<SeqId> {
    let mut placeholder = 0_usize;
    let mut values = Vec::new();
    for row in rows {
        let cells: Vec<String> = row
            .iter()
            .map(|_| {
                placeholder += 1;
                format!("${placeholder}")
            })
            .collect();
        values.push(format!("({})", cells.join(", ")));
    }
    let sql = format!("INSERT INTO flights.{table} VALUES {}", values.join(", "));
    let outcomes = client.execute(sql, rows.concat()).await?;
    outcomes.last().and_then(|outcome| outcome.seq).context("an INSERT has a SeqId")
}

async fn replay(args: &Args, client: &Client, live: &mut [Followed], hours: &[Hour]) -> Result<()> {
    let mut pace = tokio::time::interval(Duration::from_millis(args.pace_ms.max(1)));
    for (n, hour) in hours.iter().enumerate() {
        let seq = insert(client, "departures", &hour.rows).await?;
        for followed in live.iter_mut() {
            followed.wait_for(seq).await?;
        }
        if !args.quiet || n + 1 == hours.len() {
            screen::show(&hour.title, hour.rows.len(), live);
        }
        if args.pace_ms > 0 && !args.quiet {
            pace.tick().await;
        }
    }
    Ok(())
}
