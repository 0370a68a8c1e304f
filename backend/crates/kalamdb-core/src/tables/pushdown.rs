//! From the conditions of a scan to the keys it must read.
//!
//! Conditions are narrowed to what each column may hold, and that to ranges of the primary key or
//! of an index. A range may hold more rows than the condition allows, never fewer: the planner
//! looks at every row again. Whose rows are read at all is not decided here; every range is within
//! one scope.

mod narrow;

use std::ops::Bound;

use datafusion::logical_expr::Expr;
use datafusion::logical_expr::utils::split_conjunction;
use kalamdb_commons::{IndexId, Value};
use kalamdb_store::{KeyRange, RowKey, encode_values};
use kalamdb_system::TableDef;
use rustc_hash::FxHashMap;

use narrow::Narrow;

/// Keys that are looked up one by one at most; beyond that the range around them is read.
const KEYS_MAX: usize = 4_096;

/// How a scan finds its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Every row.
    All,
    /// The rows under these keys, ascending.
    Keys(Vec<RowKey>),
    /// The rows within these ranges of the primary key, ascending and apart from each other.
    Ranges(Vec<KeyRange>),
    /// The rows that an index has within these ranges.
    Index {
        /// The index.
        index: IndexId,
        /// Ranges of its columns.
        ranges: Vec<KeyRange>,
        /// The ranges come from equalities, so few rows are to be expected.
        exact: bool,
    },
}

/// Can a condition narrow what is read of the table? It may still hold placeholders.
#[must_use]
pub fn narrows(table: &TableDef, condition: &Expr) -> bool {
    let indexed = |slot: u16| table.is_key(slot) || table.indexes.iter().any(|index| index.slots.contains(&slot));
    split_conjunction(condition).into_iter().any(|part| narrow::column_of(part, table).is_some_and(indexed))
}

/// The access that reads fewest rows, as far as the conditions tell.
#[must_use]
pub fn access(table: &TableDef, conditions: &[Expr], use_indexes: bool) -> Access {
    let mut columns: FxHashMap<u16, Narrow> = FxHashMap::default();
    for part in conditions.iter().flat_map(|condition| split_conjunction(condition)) {
        let Some((slot, narrow)) = narrow::of(part, table) else { continue };
        let both = match columns.remove(&slot) {
            Some(known) => known.and(narrow),
            None => narrow,
        };
        columns.insert(slot, both);
    }
    if columns.values().any(Narrow::is_nothing) {
        return Access::Keys(Vec::new());
    }
    let by_key = Path::of(&table.primary_key, &columns);
    if let Some(path) = &by_key
        && path.equalities == table.primary_key.len()
        && !path.ranged
    {
        return Access::Keys(path.keys());
    }
    let best_index = table
        .indexes
        .iter()
        .filter(|_| use_indexes)
        .filter_map(|index| Some((index.id, Path::of(&index.slots, &columns)?)))
        .max_by_key(|(_, path)| path.rank());
    match (by_key, best_index) {
        (by_key, Some((index, path))) if by_key.as_ref().map_or(0, Path::rank) < path.rank() => {
            Access::Index { index, exact: path.equalities > 0, ranges: path.ranges }
        }
        (Some(path), _) => Access::Ranges(path.ranges),
        (None, _) => Access::All,
    }
}

/// What conditions say of the columns of one key, from its first column on.
#[derive(Debug)]
struct Path {
    /// Ascending and apart from each other.
    ranges: Vec<KeyRange>,
    /// Columns that are given by equality.
    equalities: usize,
    /// The column behind them has bounds.
    ranged: bool,
}

impl Path {
    fn of(slots: &[u16], columns: &FxHashMap<u16, Narrow>) -> Option<Path> {
        let mut prefixes: Vec<Vec<u8>> = vec![Vec::new()];
        let mut equalities = 0_usize;
        for slot in slots {
            match columns.get(slot) {
                Some(Narrow::In(values)) if prefixes.len().saturating_mul(values.len()) <= KEYS_MAX => {
                    let longer = |prefix: &Vec<u8>| values.iter().map(|value| join(prefix, value)).collect::<Vec<_>>();
                    prefixes = prefixes.iter().flat_map(longer).collect();
                    equalities = equalities.saturating_add(1);
                }
                Some(narrow) => {
                    let (start, end) = narrow.bounds();
                    let within = |prefix: &Vec<u8>| KeyRange { start: bound(prefix, &start), end: bound(prefix, &end) };
                    let ranges = prefixes.iter().map(within).collect();
                    return Some(Path { ranges, equalities, ranged: true });
                }
                None => break,
            }
        }
        let ranges = prefixes.iter().map(|prefix| KeyRange::prefix(prefix)).collect();
        (equalities > 0).then_some(Path { ranges, equalities, ranged: false })
    }

    /// More equalities are better, then having bounds.
    fn rank(&self) -> usize {
        self.equalities.saturating_mul(2).saturating_add(usize::from(self.ranged))
    }

    /// The ranges as single keys, which they are when every column is given by equality.
    fn keys(&self) -> Vec<RowKey> {
        let key = |range: &KeyRange| match &range.start {
            Bound::Included(bytes) | Bound::Excluded(bytes) => Some(RowKey(bytes.as_slice().into())),
            Bound::Unbounded => None,
        };
        self.ranges.iter().filter_map(key).collect()
    }
}

fn join(prefix: &[u8], value: &Value) -> Vec<u8> {
    let mut bytes = prefix.to_vec();
    bytes.extend(encode_values([value]));
    bytes
}

/// A bound on the value behind `prefix`; without one, everything that begins with the prefix is within.
fn bound(prefix: &[u8], value: &Bound<&Value>) -> Bound<Vec<u8>> {
    match value {
        Bound::Included(value) => Bound::Included(join(prefix, value)),
        Bound::Excluded(value) => Bound::Excluded(join(prefix, value)),
        Bound::Unbounded if prefix.is_empty() => Bound::Unbounded,
        Bound::Unbounded => Bound::Included(prefix.to_vec()),
    }
}

#[cfg(test)]
mod tests;
