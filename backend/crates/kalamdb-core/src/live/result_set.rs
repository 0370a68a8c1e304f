//! A whole result at one SeqId, and how it is compared with another and cut into pages.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use kalamdb_commons::SeqId;

use super::delta::RowChange;
use super::plan::{LivePlan, ResultRow, Strategy};

/// The rows of a result, in the order in which a snapshot delivers them.
#[derive(Debug, Default)]
pub(crate) struct ResultSet {
    rows: Vec<ResultRow>,
    bytes: usize,
}

impl ResultSet {
    /// Takes the rows in the query's order, or ascending by `_seq` where the query gives none and
    /// they have one.
    pub fn new(plan: &LivePlan, mut rows: Vec<ResultRow>) -> Self {
        if pages_ascend(plan) && !rows.is_sorted_by_key(|row| row.seq) {
            rows.sort_by_key(|row| row.seq);
        }
        let bytes = rows.iter().map(size_bytes).sum();
        ResultSet { rows, bytes }
    }

    /// The rows.
    #[cfg(test)]
    pub fn rows(&self) -> &[ResultRow] {
        &self.rows
    }

    /// Memory held by the rows, roughly.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The `n` rows written last, in the result's order; where rows carry no `_seq`, its first `n`.
    pub fn last_rows(&self, plan: &LivePlan, n: usize) -> ResultSet {
        let mut chosen: Vec<usize> = (0..self.rows.len()).collect();
        if plan.rows_have_seq {
            chosen.sort_by_key(|&at| Reverse(self.rows.get(at).and_then(|row| row.seq)));
        }
        chosen.truncate(n);
        chosen.sort_unstable();
        let rows = chosen.into_iter().filter_map(|at| self.rows.get(at).cloned()).collect();
        ResultSet::new(plan, rows)
    }

    /// What turns this result, as of `from`, into `next`, as of `to`; ascending by `_seq`.
    ///
    /// A row that is new to the result without having been written since (a row moved up into a
    /// LIMIT) is delivered with `to` as its `_seq`: clients drop rows whose `_seq` is not greater
    /// than what they have seen. With `client_may_lack_rows`, rows written after `from` are sent even if their cells
    /// are as they were: a client that stopped between two pages has not seen them.
    pub fn changes_to(
        &self,
        plan: &LivePlan,
        next: &ResultSet,
        (from, to): (SeqId, SeqId),
        client_may_lack_rows: bool,
    ) -> Vec<RowChange> {
        let mut before: HashMap<&str, &ResultRow> = self.rows.iter().map(|row| (row.identity.as_ref(), row)).collect();
        let mut changes = Vec::new();
        for row in &next.rows {
            let old = before.remove(row.identity.as_ref());
            let written_since = row.seq.filter(|&seq| seq > from);
            if old.is_some_and(|old| old.cells == row.cells) && !(client_may_lack_rows && written_since.is_some()) {
                continue;
            }
            changes.push(RowChange {
                seq: written_since.unwrap_or(to),
                identity: row.identity.clone(),
                old: old.map(|old| old.cells.clone()),
                new: Some(row.cells.clone()),
            });
        }
        // In the old result's order, so that equal inputs give equal frames.
        for row in self.rows.iter().filter(|row| before.contains_key(row.identity.as_ref())) {
            changes.push(RowChange {
                seq: to,
                identity: row.identity.clone(),
                old: Some(row.cells.clone()),
                new: None,
            });
        }
        if plan.rows_have_seq {
            changes.sort_by_key(|change| change.seq);
        }
        changes
    }
}

/// Do the pages of the plan's snapshots ascend by `_seq`?
pub(crate) fn pages_ascend(plan: &LivePlan) -> bool {
    plan.rows_have_seq && plan.order_by.is_none()
}

/// Can a client that has the pages up to some `_seq` go on from there?
///
/// Only where each row by itself decides whether it is in the result: what other rows brought in or
/// kept out at the snapshot was not so at that `_seq`.
pub(crate) fn pages_are_resume_points(plan: &LivePlan) -> bool {
    pages_ascend(plan) && matches!(plan.strategy, Strategy::Filter(_))
}

/// Memory held by a row, roughly.
pub(crate) fn size_bytes(row: &ResultRow) -> usize {
    row.cells.size_bytes().saturating_add(row.identity.len())
}

/// A result on its way to one subscriber, page by page.
#[derive(Debug, Clone)]
pub(crate) struct Pages {
    result: Arc<ResultSet>,
    page_rows: usize,
    page_bytes: usize,
    sent: usize,
}

impl Pages {
    /// Cuts `result` into pages of at most `page_rows` rows and about `page_bytes` bytes.
    pub fn new(result: Arc<ResultSet>, page_rows: usize, page_bytes: usize) -> Self {
        Pages { result, page_rows: page_rows.max(1), page_bytes, sent: 0 }
    }

    /// Rows in all pages together.
    pub fn total_rows(&self) -> usize {
        self.result.rows.len()
    }

    /// Memory held until the last page is sent.
    pub fn bytes(&self) -> usize {
        self.result.bytes
    }

    /// Are there rows that [`Pages::next_page`] has not given?
    pub fn has_more(&self) -> bool {
        self.sent < self.result.rows.len()
    }

    /// The next page.
    pub fn next_page(&mut self) -> Vec<ResultRow> {
        let rest = self.result.rows.get(self.sent..).unwrap_or_default();
        let mut bytes = 0_usize;
        let fits = |row: &&ResultRow| {
            bytes = bytes.saturating_add(size_bytes(row));
            bytes <= self.page_bytes
        };
        let len = rest.iter().take(self.page_rows).take_while(fits).count().max(1).min(rest.len());
        self.sent = self.sent.saturating_add(len);
        rest.get(..len).unwrap_or_default().to_vec()
    }
}

#[cfg(test)]
mod tests;
