//! What waits for a socket stays within its bound. One commit may stand above it, because it is delivered whole.

use super::{Breach, breach};
use crate::plan::Plan;

/// Answers to requests, such as acks, are always taken.
const ANSWERS_BYTES: u64 = 16_384;

/// Looks at the most that ever waited for one socket.
///
/// # Errors
/// That was too much.
pub fn check(plan: &Plan, queued: u64, largest_frame: usize) -> Result<(), Breach> {
    let largest = u64::try_from(largest_frame).unwrap_or(u64::MAX);
    let bound = plan.outbox_bytes + 2 * largest + ANSWERS_BYTES;
    if queued <= bound {
        return Ok(());
    }
    breach(
        "bounded",
        format!("{queued} bytes waited for one socket; {} may, and {largest} is the largest frame", plan.outbox_bytes),
    )
}
