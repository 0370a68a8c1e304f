//! Clients that come back at once, beside a single one that does.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use kalamdb_testkit::{Session, Socket};
use serde_json::json;

use crate::Args;
use crate::measure::{Figure, Unit, milliseconds};

/// Subscriptions that share a socket.
const PER_SOCKET: usize = 10;

/// Rooms, each with a view of its own.
const ROOMS: usize = 100;

/// Commits that were missed, spread over the rooms.
const MISSED: usize = 2_000;

/// Time until the last of many clients has all that it missed.
pub async fn storms(session: &Session, args: &Args) -> Vec<Figure> {
    session.sql("CREATE SHARED TABLE resumes (id BIGINT PRIMARY KEY, room INT, body TEXT)").await;
    let from = session.sql("INSERT INTO resumes VALUES (0, -1, 'x')").await.seq();
    for id in 1..=MISSED {
        let room = json!(id % ROOMS);
        session.sql_with("INSERT INTO resumes VALUES ($1, $2, 'a message')", &[json!(id), room]).await;
    }
    let sockets = args.subscribers.div_ceil(PER_SOCKET);
    let crowd = sockets * PER_SOCKET;
    let missed = MISSED / ROOMS;
    let reference = "one client that comes back";
    let name =
        |views| format!("{crowd} clients of {views} come back at once, {missed} of {MISSED} commits missed by each");
    let mut one_view = Figure::new(name("one query"), reference, Unit::Milliseconds);
    let mut many_views = Figure::new(name(&format!("{ROOMS} queries")), reference, Unit::Milliseconds);
    let filtered = |room: usize| format!("SELECT * FROM resumes WHERE room = {room}");
    let counted = |_: usize| "SELECT room, COUNT(*) AS c FROM resumes GROUP BY room".to_owned();
    let rerun = format!("{crowd} clients of one re-run query come back at once");
    let mut rerun = Figure::new(rerun, reference, Unit::Milliseconds);
    for _ in 0..args.rounds {
        let one = come_back(session, (1, 1), from, missed, |_| filtered(1)).await;
        let same = come_back(session, (sockets, PER_SOCKET), from, missed, |_| filtered(1)).await;
        let each = come_back(session, (sockets, PER_SOCKET), from, missed, |n| filtered(n % ROOMS)).await;
        one_view.rounds.push((milliseconds(same), milliseconds(one)));
        many_views.rounds.push((milliseconds(each), milliseconds(one)));
        let one = come_back(session, (1, 1), from, 1, counted).await;
        let all = come_back(session, (sockets, PER_SOCKET), from, 1, counted).await;
        rerun.rounds.push((milliseconds(all), milliseconds(one)));
    }
    vec![one_view, many_views, rerun]
}

/// Subscribes from `from` on so many sockets, so many times each, until every subscription has its changes.
async fn come_back(
    session: &Session,
    (sockets, per_socket): (usize, usize),
    from: u64,
    changes: usize,
    sql: impl Fn(usize) -> String,
) -> Duration {
    let mut crowd = Vec::new();
    for at in 0..sockets {
        let queries: Vec<String> = (0..per_socket).map(|n| sql(at * per_socket + n)).collect();
        crowd.push((session.connect().await, queries));
    }
    let started = Instant::now();
    join_all(crowd.iter_mut().map(|(socket, queries)| resume_all(socket, queries, from, changes))).await;
    let took = started.elapsed();
    for (socket, _) in crowd {
        socket.close().await;
    }
    took
}

async fn resume_all(socket: &mut Socket, queries: &[String], from: u64, changes: usize) {
    for (n, sql) in queries.iter().enumerate() {
        socket.send_subscribe(&format!("s{n}"), sql, &[], json!({ "from": from })).await;
    }
    for _ in 0..queries.len() * changes {
        socket.next_where(|frame| frame["type"] == "change").await;
    }
}
