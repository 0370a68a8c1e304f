//! `KILL CONNECTION` and `KILL LIVE QUERY`.
//!
//! Both return when the rows of what they ended are gone from the system tables; the socket of a
//! connection is closed right after.

use std::str::FromStr;

use kalamdb_commons::protocol::StatementResult;
use kalamdb_commons::{ConnectionId, LiveQueryId, ids::IdError};

use crate::context::Caller;
use crate::engine::parts::EngineParts;
use crate::error::SqlError;
use crate::sql::statement::Statement;

/// Ends the connection or the live query that `statement` names.
///
/// # Errors
/// `PERMISSION_DENIED` unless the caller administers, whatever the id; `NOT_FOUND` for an id of nothing
/// that is running, with the reason where it cannot be an id at all.
pub async fn execute(
    engine: &EngineParts,
    caller: &Caller,
    statement: &Statement,
) -> Result<StatementResult, SqlError> {
    if !caller.role.is_admin() {
        return Err(SqlError::denied("KILL needs the role dba or system"));
    }
    let by = &caller.user;
    let message = match statement {
        Statement::KillConnection(text) => {
            let id: ConnectionId = parse(text, "connection")?;
            if !engine.live.kill_connection(id).await {
                return Err(SqlError::not_found(format!("connection \"{id}\" does not exist")));
            }
            tracing::info!(connection_id = %id, %by, "a connection was killed");
            format!("connection \"{id}\" was ended")
        }
        Statement::KillLiveQuery(text) => {
            let id: LiveQueryId = parse(text, "live query")?;
            if !engine.live.kill_live_query(&id).await {
                return Err(SqlError::not_found(format!("live query \"{id}\" does not exist")));
            }
            tracing::info!(live_id = %id, %by, "a live query was killed");
            format!("live query \"{id}\" was ended")
        }
        other => return Err(SqlError::internal(format_args!("a {} statement is no KILL", other.kind()))),
    };
    Ok(StatementResult { message: Some(message), ..StatementResult::default() })
}

/// What is no id names nothing that runs, so it is as unknown as any other.
fn parse<T: FromStr<Err = IdError>>(text: &str, what: &str) -> Result<T, SqlError> {
    text.parse().map_err(|error: IdError| SqlError::not_found(format!("there is no such {what}: {error}")))
}
