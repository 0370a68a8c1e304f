//! A view that is a function of each row by itself: look at the row before and after.
//!
//! Holds no state. The same function serves the commits as they happen and the change log when
//! somebody is caught up.

use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};

use kalamdb_commons::{Row, SeqId};
use kalamdb_store::{Change, RowKey, StoredRow};

use crate::live::delta::RowChange;
use crate::live::plan::{LivePlan, ResultRow, RowFilter};

/// What one changed row means to the view; `None`: nothing.
///
/// An update that leaves the projected cells as they were is nothing.
pub(crate) fn row_change(plan: &LivePlan, filter: &dyn RowFilter, change: &Change) -> Option<RowChange> {
    let (old, new) = project(filter, change);
    (old != new).then(|| row_change_of(plan, change, old, new))
}

/// The same, but a row that was written again and looks as before is something too, and comes with the
/// SeqId that had written it: a client that may not have rows written after some point, because it
/// stopped between two pages of a snapshot that ascends by `_seq`, must be told of the first change after it.
pub(crate) fn row_change_or_rewrite(
    plan: &LivePlan,
    filter: &dyn RowFilter,
    change: &Change,
) -> Option<(RowChange, Option<SeqId>)> {
    let (old, new) = project(filter, change);
    if old.is_none() && new.is_none() {
        return None;
    }
    let written = change.old.as_ref().map(|(seq, _)| *seq).filter(|_| old == new);
    Some((row_change_of(plan, change, old, new), written))
}

/// The row in the result, before and after.
fn project(filter: &dyn RowFilter, change: &Change) -> (Option<Row>, Option<Row>) {
    let stored = |seq, row: &Row| StoredRow { key: change.key.clone(), seq, row: row.clone() };
    let old = change.old.as_ref().and_then(|(seq, row)| filter.project(&stored(*seq, row)));
    let new = change.new.as_ref().and_then(|row| filter.project(&stored(change.seq, row)));
    (old, new)
}

fn row_change_of(plan: &LivePlan, change: &Change, old: Option<Row>, new: Option<Row>) -> RowChange {
    RowChange { seq: change.seq, identity: identity(plan, &change.key), old, new }
}

/// The rows of a scan as the view's result.
pub(crate) fn result_rows(plan: &LivePlan, filter: &dyn RowFilter, stored: &[StoredRow]) -> Vec<ResultRow> {
    let result_row = |row: &StoredRow| {
        filter.project(row).map(|cells| ResultRow { identity: identity(plan, &row.key), cells, seq: Some(row.seq) })
    };
    stored.iter().filter_map(result_row).collect()
}

/// The row's opaque name, where its columns do not tell it.
fn identity(plan: &LivePlan, key: &RowKey) -> Arc<str> {
    static NONE: LazyLock<Arc<str>> = LazyLock::new(|| Arc::from(""));
    if plan.key_columns.is_some() {
        return NONE.clone();
    }
    let mut hex = String::with_capacity(key.0.len().saturating_mul(2));
    for byte in key.0.iter() {
        // Writing into a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex.into()
}

#[cfg(test)]
mod tests;
