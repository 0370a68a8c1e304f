//! A view that is a function of each row by itself: look at the row before and after.
//!
//! Holds no state. The same function serves the commits as they happen and the change log when
//! somebody is caught up.

use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};

use kalamdb_commons::SeqId;
use kalamdb_store::{Change, RowKey, StoredRow};

use crate::live::delta::RowChange;
use crate::live::plan::{LivePlan, ResultRow, RowFilter};

/// What one changed row means to the view; `None`: nothing.
///
/// An update that leaves the projected cells as they were is nothing, except where `may_lack` says
/// that the client may not have rows written after that SeqId: it may have stopped between two pages of a snapshot
/// that ascends by `_seq`, so the first change of each row after that point is always told.
pub(crate) fn row_change(
    plan: &LivePlan,
    filter: &dyn RowFilter,
    change: &Change,
    may_lack: Option<SeqId>,
) -> Option<RowChange> {
    let stored = |seq, row: &kalamdb_commons::Row| StoredRow { key: change.key.clone(), seq, row: row.clone() };
    let old = change.old.as_ref().and_then(|(seq, row)| filter.project(&stored(*seq, row)));
    let new = change.new.as_ref().and_then(|row| filter.project(&stored(change.seq, row)));
    let nothing = match (&old, &new) {
        (None, None) => true,
        (Some(old), Some(new)) => {
            let first_since = may_lack.is_some_and(|from| change.old.as_ref().is_some_and(|(seq, _)| *seq <= from));
            old == new && !first_since
        }
        (Some(_), None) | (None, Some(_)) => false,
    };
    (!nothing).then(|| RowChange { seq: change.seq, identity: identity(plan, &change.key), old, new })
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
