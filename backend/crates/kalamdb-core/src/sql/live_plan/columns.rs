//! The columns of a live query's result: their names on the wire, and which of them are its key.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::logical_expr::LogicalPlan;
use kalamdb_commons::DataType;
use kalamdb_commons::protocol::{ColumnKeys, SchemaField};
use kalamdb_system::TableDef;

use super::shape::{Origin, origin};
use crate::tables::provider::SEQ_COLUMN;

/// A result's columns, as they travel.
#[derive(Debug)]
pub(super) struct Columns {
    /// Columns as the client is told of them.
    pub schema: Arc<[SchemaField]>,
    /// Their names in front of the cells. A selected `_seq` is not among them: rows that carry
    /// their `_seq` have it once.
    pub keys: ColumnKeys,
    /// Where a selected `_seq` stands, if rows carry theirs.
    pub seq_at: Option<usize>,
}

impl Columns {
    /// Takes the fields of a plan, where `visible` are those the client is to see, under names that
    /// differ: a row is an object. The second `id` becomes `id_2`.
    pub fn new(plan: &LogicalPlan, visible: &[SchemaField], rows_have_seq: bool) -> Columns {
        let is_seq = |at: &usize| {
            let named = visible.get(*at).is_some_and(|field| field.name == SEQ_COLUMN);
            named && origin(plan, *at) == Some(Origin::Column(SEQ_COLUMN.to_owned()))
        };
        let seq_at = (0..visible.len()).filter(|_| rows_have_seq).find(is_seq);
        let mut taken = HashSet::new();
        if rows_have_seq {
            taken.insert(SEQ_COLUMN.to_owned());
        }
        let mut schema = Vec::with_capacity(visible.len());
        for (at, field) in visible.iter().enumerate() {
            let name = if seq_at == Some(at) { SEQ_COLUMN.to_owned() } else { free_name(&field.name, &mut taken) };
            let index = u32::try_from(at).unwrap_or(u32::MAX);
            schema.push(SchemaField { name, index, ..field.clone() });
        }
        let names = schema.iter().enumerate().filter(|(at, _)| seq_at != Some(*at));
        let keys = ColumnKeys::new(names.map(|(_, field)| field.name.as_str()));
        Columns { schema: schema.into(), keys, seq_at }
    }

    /// Where the columns of the primary key stand in the result, in key order; `None` unless all do.
    ///
    /// A key with floats is not told: `NaN` and the infinities all travel as null.
    pub fn key_places(&self, plan: &LogicalPlan, table: &TableDef) -> Option<Vec<usize>> {
        let origins: Vec<_> = (0..self.schema.len()).map(|at| origin(plan, at)).collect();
        let place = |slot: &u16| {
            let column = table.column_at(*slot)?;
            if matches!(column.data_type, DataType::Float | DataType::Double) {
                return None;
            }
            let wanted = Some(Origin::Column(column.name.as_str().to_owned()));
            origins.iter().position(|origin| *origin == wanted)
        };
        let places = table.primary_key.iter().map(place).collect::<Option<Vec<_>>>()?;
        (!places.is_empty()).then_some(places)
    }

    /// The names of the columns at these places.
    pub fn names_at(&self, places: &[usize]) -> Vec<String> {
        places.iter().filter_map(|&at| self.schema.get(at)).map(|field| field.name.clone()).collect()
    }
}

/// The name, or with a number behind it if it is taken; taken it is then.
fn free_name(wish: &str, taken: &mut HashSet<String>) -> String {
    let numbered = (2_usize..).map(|number| format!("{wish}_{number}"));
    let name = std::iter::once(wish.to_owned()).chain(numbered).find(|name| !taken.contains(name));
    let name = name.unwrap_or_default();
    taken.insert(name.clone());
    name
}

#[cfg(test)]
mod tests;
