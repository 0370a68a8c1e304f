//! After a kill or a revocation was answered, nothing that was written later reaches that socket; and of a
//! write that was refused nothing is ever seen.

use super::{Breach, breach};
use crate::client::Client;
use crate::storm::Storm;

/// Stamps that were seen on one connection.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// The connection.
    pub connection: String,
    /// In order.
    pub stamps: Vec<String>,
}

/// Looks at what was seen on one connection.
///
/// # Errors
/// Something that should not have been.
pub fn check(storm: &Storm, seen: &Seen) -> Result<(), Breach> {
    let killed_at = storm.killed_at(&seen.connection).unwrap_or(u64::MAX);
    let ledger = storm.ledger();
    for stamp in seen.stamps.iter().filter(|stamp| !stamp.is_empty()) {
        if ledger.is_refused(stamp) {
            return breach("acknowledged_kept", format!("write {stamp} was refused, and a client saw its rows"));
        }
        match ledger.began(stamp) {
            None => return breach("acknowledged_kept", format!("a client saw rows of {stamp}, which nobody wrote")),
            Some(began) if began > killed_at => {
                return breach(
                    "silent_after_end",
                    format!("{} was killed before write {stamp} began", seen.connection),
                );
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// A client that has been told of what came after the kill of its connection was served on.
///
/// # Errors
/// It was.
pub fn still_served(storm: &Storm, client: &Client) -> Result<(), Breach> {
    let connection = client.connection().filter(|_| client.is_present());
    match connection.filter(|connection| storm.killed_at(connection).is_some()) {
        Some(connection) => breach("silent_after_end", format!("{connection} was killed and is served on")),
        None => Ok(()),
    }
}
