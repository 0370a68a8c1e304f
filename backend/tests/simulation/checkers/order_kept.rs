//! Commits come in SeqId order and whole, and a SeqId stands for one thing for ever.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::{Breach, breach};
use crate::door::seq_of;
use crate::query::{Model, Query, Whole};
use crate::storm::Storm;

/// A `_seq` belongs to one row as one write left it.
///
/// # Errors
/// It was seen with another row before.
pub fn row_seqs(storm: &Storm, query: &Query, user: &str, frame: &Json) -> Result<(), Breach> {
    let Model::Rows(table, ..) = query.model else { return Ok(()) };
    for row in frame["rows"].as_array().into_iter().flatten() {
        let (Some(seq), Some(stamp)) = (seq_of(&row["_seq"]), row["stamp"].as_str()) else { continue };
        let scope = if table.owner() == "mine" { user } else { "" };
        let this = format!("{} {scope} {stamp}", table.name());
        if let Some(other) = storm.saw_row(seq, this.clone()) {
            return breach("order_kept", format!("_seq {seq} is that of {this} and of {other}"));
        }
    }
    Ok(())
}

/// A batch of markers was written by one commit, so it is there as a whole or not at all.
///
/// # Errors
/// A part of a batch.
pub fn whole(query: &Query, cells: &[Vec<Json>], seq: u64) -> Result<(), Breach> {
    let number = |json: &Json| seq_of(json).unwrap_or_default();
    match query.whole {
        Whole::None => {}
        Whole::Rows => {
            let mut batches: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
            for row in cells {
                let entry = batches.entry(number(&row[1])).or_insert((0, number(&row[2])));
                entry.0 += 1;
            }
            if let Some((batch, (held, size))) = batches.into_iter().find(|(_, (held, size))| held != size) {
                return breach("order_kept", format!("{held} of {size} markers of batch {batch} at {seq}"));
            }
        }
        Whole::Counts => {
            if let Some(row) = cells.iter().find(|row| number(&row[1]) != number(&row[2])) {
                return breach("order_kept", format!("a torn batch of markers at {seq}: {row:?}"));
            }
        }
    }
    Ok(())
}

/// A SeqId that is told now is larger than any that was told before.
///
/// # Errors
/// It is not.
pub fn grows(seq: u64, told: u64) -> Result<(), Breach> {
    if seq > told { Ok(()) } else { breach("order_kept", format!("a new commit is {seq}, and {told} was told before")) }
}
