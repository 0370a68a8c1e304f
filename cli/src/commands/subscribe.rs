//! `kalam subscribe`: a live query, line by line or drawn in place.
//!
//! Lost connections are the client library's business; here they are only told, on standard error.

pub mod lines;
mod watch;

use std::io::{self, IsTerminal as _, Write};
use std::time::Duration;

use kalam_link::{Client, ConnectionState, Event, Subscription};
use kalamdb_commons::SeqId;
use serde_json::Value as Json;

use self::lines::{LineStyle, of_event};
use crate::args::SubscribeArgs;
use crate::exit::Failure;
use crate::render::Format;
use crate::render::cell::harmless;
use crate::session::{Session, parameters};

/// What to follow, from where on.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// The query.
    pub sql: String,
    /// The values of its placeholders.
    pub params: Vec<Json>,
    /// Begin with the changes after this SeqId.
    pub from: Option<u64>,
    /// Begin with so many rows.
    pub last_rows: Option<u32>,
    /// Begin with the next change.
    pub no_snapshot: bool,
    /// Its name on the connection; the library makes one up otherwise.
    pub id: Option<String>,
}

/// Runs the subcommand until it has seen enough, is told to end, or the live query ends.
///
/// # Errors
/// The query is refused, or the live query or its connection is ended for good.
pub async fn run(session: &Session, args: &SubscribeArgs) -> Result<(), Failure> {
    let wanted = Wanted {
        sql: args.sql.trim().trim_end_matches(';').to_owned(),
        params: parameters(&args.params),
        from: args.from,
        last_rows: args.last_rows,
        no_snapshot: args.no_snapshot,
        id: None,
    };
    let terminal = io::stdout().is_terminal() && io::stdin().is_terminal();
    let timeout = args.timeout.map(Duration::from_secs);
    if args.watch && terminal {
        return watch::run(session, &wanted, timeout).await;
    }
    if args.watch && !session.quiet {
        eprintln!("--watch needs a terminal; changes follow line by line");
    }
    let style = LineStyle { json: session.style.format != Format::Table, colour: session.style.colour };
    if session.style.format == Format::Csv {
        return Err(Failure::usage("a live query has no csv format; ndjson is for programs"));
    }
    let notes = tokio::spawn(tell_connection(session.client.clone(), session.quiet));
    let following = follow(session, &wanted, style, args.limit);
    let done = tokio::select! {
        done = following => done,
        () = elapsed(timeout) => Ok(()),
        _ = tokio::signal::ctrl_c() => Ok(()),
    };
    notes.abort();
    session.client.disconnect().await;
    done
}

/// Begins the live query.
///
/// # Errors
/// The server refuses it, or cannot be reached.
pub async fn start(session: &Session, wanted: &Wanted) -> Result<Subscription, Failure> {
    let mut asked = session.client.subscribe(&wanted.sql).params(wanted.params.clone());
    if let Some(seq) = wanted.from {
        asked = asked.from(SeqId(seq));
    }
    if let Some(rows) = wanted.last_rows {
        asked = asked.last_rows(rows);
    }
    if wanted.no_snapshot {
        asked = asked.without_snapshot();
    }
    if let Some(id) = &wanted.id {
        asked = asked.id(id.as_str());
    }
    if let Some(namespace) = &session.namespace {
        asked = asked.namespace(namespace.as_str());
    }
    asked.start().await.map_err(|error| Failure::of_sql(&error, &wanted.sql))
}

/// Writes the lines of a live query until it ends or `limit` lines are written.
///
/// # Errors
/// As [`start`]; or the live query was ended.
pub async fn follow(session: &Session, wanted: &Wanted, style: LineStyle, limit: Option<u64>) -> Result<(), Failure> {
    let mut subscription = start(session, wanted).await?;
    let mut left = limit.unwrap_or(u64::MAX);
    while left > 0 {
        let Some(event) = subscription.next().await else { return Ok(()) };
        note(&event, session.quiet);
        if let Event::Ended(error) = event {
            return Err(Failure::of_sql(&error, &wanted.sql));
        }
        let mut out = io::stdout().lock();
        for line in of_event(&event, style) {
            if left == 0 {
                break;
            }
            writeln!(out, "{line}")?;
            left -= 1;
        }
        out.flush()?;
    }
    Ok(())
}

/// Tells what is no row.
fn note(event: &Event, quiet: bool) {
    if quiet {
        return;
    }
    match event {
        Event::Snapshot(page) if page.last => eprintln!("-- live from {}", page.seq.0),
        Event::Reset => eprintln!("-- what came before is void: the result follows again"),
        Event::Paused { reason } => eprintln!("-- paused: {}", harmless(reason)),
        Event::Active => eprintln!("-- goes on; nothing was missed"),
        _ => {}
    }
}

/// Tells on standard error how the connection is doing.
async fn tell_connection(client: Client, quiet: bool) {
    let mut states = client.connection_events();
    while let Some(state) = states.next().await {
        if quiet {
            continue;
        }
        match state {
            ConnectionState::Live { connection_id, user, .. } => {
                eprintln!("-- connected as {} ({})", harmless(&user), harmless(&connection_id));
            }
            ConnectionState::Waiting { attempt, retry_in, reason } => eprintln!(
                "-- not connected: {}; attempt {attempt} in {:.1} s",
                harmless(&reason),
                retry_in.as_secs_f64()
            ),
            _ => {}
        }
    }
}

/// Is ready when the time is over; never, without one.
pub async fn elapsed(timeout: Option<Duration>) {
    match timeout {
        Some(timeout) => tokio::time::sleep(timeout).await,
        None => std::future::pending().await,
    }
}
