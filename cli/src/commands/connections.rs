//! `kalam connections` and `kalam kill`: who is here, and an end to it.

use std::io;

use serde_json::json;

use crate::args::{ConnectionsArgs, KillArgs};
use crate::exit::Failure;
use crate::session::Session;
use crate::sql_text::quoted_text;

/// What is shown of a connection.
const COLUMNS: &str =
    "connection_id, user_id, role, client_addr, opened_at, last_activity_at, expires_at, subscriptions, queued_bytes";

/// Lists the open connections, the oldest first.
///
/// # Errors
/// As the server says.
pub async fn list(session: &mut Session, args: &ConnectionsArgs) -> Result<(), Failure> {
    let (condition, params) = match &args.of {
        Some(user) => ("WHERE user_id = $1", vec![json!(user)]),
        None => ("", Vec::new()),
    };
    let sql = format!("SELECT {COLUMNS} FROM system.connections {condition} ORDER BY opened_at, connection_id");
    show(session, &sql, params).await
}

/// Ends a connection or a live query.
///
/// # Errors
/// There is none of this id, or the user may not.
pub async fn kill(session: &mut Session, args: &KillArgs) -> Result<(), Failure> {
    match (&args.connection, &args.live_query) {
        (_, Some(live_id)) => show(session, &format!("KILL LIVE QUERY {}", quoted_text(live_id)), Vec::new()).await,
        (Some(connection), None) => kill_connection(session, connection).await,
        (None, None) => Err(Failure::usage("which connection? `kalam connections` lists them")),
    }
}

/// Ends a connection.
///
/// # Errors
/// There is none of this id, or the user may not.
pub async fn kill_connection(session: &mut Session, id: &str) -> Result<(), Failure> {
    show(session, &format!("KILL CONNECTION {}", quoted_text(id)), Vec::new()).await
}

/// Runs one statement and writes its outcome.
///
/// # Errors
/// As the server says.
pub async fn show(session: &mut Session, sql: &str, params: Vec<serde_json::Value>) -> Result<(), Failure> {
    for outcome in session.execute(sql, params).await? {
        session.write(&mut io::stdout().lock(), &outcome)?;
    }
    Ok(())
}
