//! How fast authority ends: from the statement that ends it to the close frame at the client, with few
//! connections and with thousands, and what an idle connection costs.
//!
//! It has a server of its own, without the bounds of connections per address that others are to have.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result};
use futures_util::future::join_all;
use kalamdb_testkit::{ServerProcess, Session, Socket};

use crate::Args;
use crate::measure::{Figure, Unit, milliseconds, quantile};

/// Connections that end at once when their user's authority does.
const PER_VICTIM: usize = 5;
/// Connections beside those: few are none, many are these, of several users.
const CROWD: usize = 4_990;
/// Users of the crowd.
const CROWD_USERS: usize = 5;
/// Connections opened at one time.
const AT_ONCE: usize = 50;
/// How often each way to end is measured in a round.
const TIMES: usize = 20;
/// Files that a process needs beside its sockets.
const OTHER_FILES: u64 = 1_000;

/// A way in which authority ends, and what is sent for it.
const WAYS: [&str; 3] = ["`KILL CONNECTION`", "`REVOKE TOKENS`", "`DROP USER`"];

const SETTINGS: [(&str, &str); 7] = [
    ("live.max_connections_per_user", "100000"),
    ("http.max_connections_per_address", "0"),
    ("websocket.max_sockets_per_address", "0"),
    ("websocket.max_unauthenticated", "0"),
    ("websocket.max_unauthenticated_per_address", "0"),
    ("websocket.idle_timeout_secs", "86400"),
    ("websocket.progress_interval_ms", "3600000"),
];

/// Times to the close frame with 5,000 connections beside those with 10, and memory per connection.
///
/// # Errors
/// When the system does not let a process have so many sockets, or tell its memory.
pub async fn figures(program: &Path, folder: &Path, args: &Args) -> Result<Vec<Figure>> {
    let files = rlimit::increase_nofile_limit(u64::MAX).context("the limit of open files")?;
    anyhow::ensure!(files >= CROWD as u64 + OTHER_FILES, "5,000 sockets need more than {files} open files");
    let mut settings = SETTINGS.to_vec();
    settings.push(("storage.durability", args.durability.as_str()));
    let mut server = ServerProcess::start(program, &folder.join("lifetime"), &settings).await;
    let root = server.root().await;
    root.sql("CREATE SHARED TABLE news (id BIGINT PRIMARY KEY) WITH (ACCESS_LEVEL='PUBLIC')").await;
    let mut crowd_users = Vec::new();
    for n in 0..CROWD_USERS {
        crowd_users.push(user(&root, &format!("crowd{n}")).await);
    }
    let of = |what: &str, figure: &str| {
        format!("{what} to the close frame, {figure}, {} connections", CROWD + 2 * PER_VICTIM)
    };
    let mut times: Vec<Figure> = Vec::new();
    for way in WAYS {
        for figure in ["p50", "p99", "longest"] {
            times.push(Figure::new(of(way, figure), "the same, 10 connections", Unit::Milliseconds));
        }
    }
    let mut memory = Figure::new(
        format!("memory of an idle connection with a live query, of {CROWD}"),
        "memory of the server before, by as many",
        Unit::Kibibytes,
    );
    for _ in 0..args.rounds {
        let few = round(&root).await;
        let before = resident_kibibytes(&server)?;
        let crowd = gather(&crowd_users).await;
        let after = resident_kibibytes(&server)?;
        let many = round(&root).await;
        join_all(crowd.into_iter().map(Socket::close)).await;
        for ((figure, many), few) in times.iter_mut().zip(many).zip(few) {
            figure.rounds.push((many, few));
        }
        memory.rounds.push(((after - before) / CROWD as f64, before / CROWD as f64));
    }
    server.terminate().await;
    // Later rounds find memory that earlier ones have left behind.
    memory.rounds.truncate(1);
    times.push(memory);
    Ok(times)
}

/// The figures of each way, in the order of the table.
async fn round(root: &Session) -> Vec<f64> {
    let mut bystander = Victim::arrive(root, "bystander").await;
    let mut victim = Victim::arrive(root, "victim").await;
    let mut figures = Vec::new();
    for way in WAYS {
        let mut samples = Vec::new();
        for _ in 0..TIMES {
            if victim.sockets.is_empty() {
                victim = Victim::arrive(root, "victim").await;
            }
            samples.extend(victim.end(root, way).await);
        }
        figures.extend([0.5, 0.99, 1.0].map(|share| quantile(&mut samples, share)));
    }
    bystander.end(root, WAYS[2]).await;
    figures
}

/// A user and its connections.
struct Victim {
    name: &'static str,
    sockets: Vec<Socket>,
}

impl Victim {
    async fn arrive(root: &Session, name: &'static str) -> Self {
        let session = user(root, name).await;
        let sockets = join_all((0..PER_VICTIM).map(|_| watching(&session))).await;
        Victim { name, sockets }
    }

    /// Ends its authority; the time to the close frame of each connection that ends with it.
    async fn end(&mut self, root: &Session, way: &str) -> Vec<f64> {
        let count = if way == WAYS[0] { 1 } else { self.sockets.len() };
        let mut ending = self.sockets.split_off(self.sockets.len() - count);
        let name = self.name;
        let sql = match way {
            "`KILL CONNECTION`" => format!("KILL CONNECTION '{}'", ending[0].connection_id()),
            "`REVOKE TOKENS`" => format!("REVOKE TOKENS FOR USER '{name}'"),
            _ => format!("DROP USER '{name}'"),
        };
        let started = Instant::now();
        let closings = ending.iter_mut().map(|socket| async move {
            socket.closed().await;
            milliseconds(started.elapsed())
        });
        let (_, times) = tokio::join!(root.sql(&sql), join_all(closings));
        times
    }
}

/// Logs in as a user, which is made if it is not there.
async fn user(root: &Session, name: &str) -> Session {
    let password = format!("password of {name}");
    let is_there = format!("SELECT COUNT(*) FROM system.users WHERE user_id = '{name}'");
    if root.cell(&is_there).await == "0" {
        root.sql(&format!("CREATE USER '{name}' WITH PASSWORD '{password}' ROLE user")).await;
    }
    root.http.login(name, &password).await
}

async fn watching(session: &Session) -> Socket {
    let mut socket = session.connect().await;
    socket.subscribe("s", "SELECT * FROM news").await;
    socket
}

async fn gather(users: &[Session]) -> Vec<Socket> {
    let mut crowd = Vec::with_capacity(CROWD);
    while crowd.len() < CROWD {
        let next = crowd.len()..CROWD.min(crowd.len() + AT_ONCE);
        crowd.extend(join_all(next.map(|n| watching(&users[n % users.len()]))).await);
    }
    crowd
}

/// What the system says the server holds in memory.
fn resident_kibibytes(server: &ServerProcess) -> Result<f64> {
    let id = server.id().context("the server runs")?;
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).context("what the system says of a process")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("its memory")?;
    line.trim().trim_end_matches(" kB").parse().context("a number of kB")
}
