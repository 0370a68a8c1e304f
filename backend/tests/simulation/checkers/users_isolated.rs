//! No row of another user's scope on any socket: such rows carry their owner in a column `mine…`.

use serde_json::Value as Json;

use super::{Breach, breach};

/// Looks at every row of a frame, the old ones too.
///
/// # Errors
/// A row that is somebody else's.
pub fn check(frame: &Json, user: &str) -> Result<(), Breach> {
    for row in rows_of(frame) {
        for (column, cell) in row.as_object().into_iter().flatten() {
            if column.starts_with("mine") && cell.as_str().is_some_and(|owner| owner != user) {
                return breach("users_isolated", format!("{user} was sent a row of {cell}: {frame}"));
            }
        }
    }
    Ok(())
}

/// All rows of a frame.
pub fn rows_of(frame: &Json) -> impl Iterator<Item = &Json> {
    let of = |name: &str| frame[name].as_array().map(Vec::as_slice).unwrap_or_default();
    of("rows").iter().chain(of("old_values"))
}
