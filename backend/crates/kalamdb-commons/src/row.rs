//! A row: values by slot.

use std::ops::Deref;
use std::sync::Arc;

use crate::value::Value;

/// The values of one row, shared and never changed.
///
/// In a table's row a value stands at its column's *slot*, a number that the column keeps for
/// life: dropping a column moves no other. A row written before a column was added is shorter
/// than the table is wide; [`Row::at`] gives `None` there and the column says what to read instead.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Row(Arc<[Value]>);

impl Row {
    /// A row of these values, the first in slot 0.
    #[must_use]
    pub fn new(values: Vec<Value>) -> Self {
        Row(values.into())
    }

    /// The value in `slot`, or `None` where the row is older than the column.
    #[must_use]
    pub fn at(&self, slot: usize) -> Option<&Value> {
        self.0.get(slot)
    }

    /// Memory held by the row, in bytes, roughly.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.0.iter().map(Value::size_bytes).sum::<usize>().saturating_add(16)
    }
}

impl Deref for Row {
    type Target = [Value];

    fn deref(&self) -> &[Value] {
        &self.0
    }
}

impl FromIterator<Value> for Row {
    fn from_iter<I: IntoIterator<Item = Value>>(values: I) -> Self {
        Row(values.into_iter().collect())
    }
}
