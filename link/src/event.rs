//! What a program is told: of its live queries, and of the connection they share.

use std::time::Duration;

use kalamdb_commons::protocol::ChangeType;
use kalamdb_commons::{Role, SeqId};

use crate::error::Error;
use crate::row::Row;

/// One event of a live query, in the order of commits. A program that applies them one by one holds the query's
/// result as of every `seq` on the way.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A page of the result as it was at `seq`. Changes come only after the last page.
    Snapshot(Snapshot),
    /// Everything that one commit did to the result.
    Change(Change),
    /// What was told so far is void: the server could not go on from there. A snapshot of the whole result follows.
    Reset,
    /// Nothing new comes for now: the connection is lost or the server is catching up. What was told still holds.
    Paused {
        /// Why, for people.
        reason: String,
    },
    /// The live query goes on; nothing was missed.
    Active,
    /// The live query has ended and nothing follows.
    Ended(Error),
}

/// A page of a snapshot.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// The rows; none if the result is empty.
    pub rows: Vec<Row>,
    /// Is this the first page?
    pub first: bool,
    /// Is this the last page?
    pub last: bool,
    /// Where the whole snapshot stands.
    pub seq: SeqId,
}

/// What one commit did to the result of a live query.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Only new rows, only rows that left, or anything else.
    pub kind: ChangeType,
    /// Rows that are now in the result, new or changed.
    pub rows: Vec<Row>,
    /// Rows that changed or left, as they were. The same row here and in `rows` has the same [`Row::key`].
    pub old_rows: Vec<Row>,
    /// Last SeqId of the commit.
    pub seq: SeqId,
}

/// The connection that all live queries of a client share.
#[derive(Debug, Clone, PartialEq)]
pub enum ConnectionState {
    /// There is none, because nothing needs one.
    Idle,
    /// A token is asked for, or the socket is being opened and authenticated.
    Connecting {
        /// Which attempt this is since the last connection that held, from 1.
        attempt: u32,
    },
    /// Open and authenticated.
    Live {
        /// Name of the connection, as `system.connections` shows it.
        connection_id: String,
        /// Who is connected.
        user: String,
        /// Its role.
        role: Role,
        /// When the token ends, RFC 3339; it is replaced before.
        expires_at: String,
    },
    /// Lost or not reached; the next attempt comes.
    Waiting {
        /// Which attempt comes next, from 1.
        attempt: u32,
        /// In how long it comes.
        retry_in: Duration,
        /// What happened.
        reason: String,
    },
    /// Closed for good: by the program, by an administrator, or because the credentials are not accepted. The next
    /// subscription opens it again.
    Closed {
        /// Why.
        reason: Error,
    },
}

/// How a live query is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubscriptionState {
    /// Asked for, or to be asked for as soon as there is a connection.
    Starting,
    /// The snapshot is coming.
    Loading,
    /// Every change is told as it happens.
    Active,
    /// Nothing comes for now: no connection, the server is catching up, or the program is slow to take events.
    Paused,
}

/// One of a client's live queries.
#[derive(Debug, Clone, PartialEq)]
pub struct SubscriptionInfo {
    /// Its name on the connection.
    pub id: String,
    /// Its SELECT.
    pub sql: String,
    /// How it is doing.
    pub state: SubscriptionState,
    /// The program was told everything up to here; where to resume from.
    pub last_seq: Option<SeqId>,
}
