//! Whom does a changed row concern? table → scope → (column = constant) → views.
//!
//! A row is looked up as it was and as it is, so a row that leaves a view finds it too. Only views
//! that can match come back: the cost does not depend on subscriptions to other tables, other
//! users' scopes or other constants. Whether the row really matters is the view's own business.

use std::collections::BTreeSet;

use kalamdb_commons::{Row, TableId, Value};
use kalamdb_store::{Change, Scope};
use rustc_hash::FxHashMap;

use super::plan::{LivePlan, RowFilter, Strategy};
use super::view::ViewId;

/// The index of all views by what they read.
#[derive(Debug, Default)]
pub(crate) struct Router {
    tables: FxHashMap<TableId, FxHashMap<Scope, Routes>>,
}

/// Views over one table and scope.
#[derive(Debug, Default)]
struct Routes {
    by_slot: FxHashMap<u16, SlotRoutes>,
    /// Views without an equality that can be looked up.
    any_row: BTreeSet<ViewId>,
}

/// Views that want one value in one column.
#[derive(Debug, Default)]
struct SlotRoutes {
    by_value: FxHashMap<Value, BTreeSet<ViewId>>,
    /// Views that a row older than the column may match.
    by_absence: BTreeSet<ViewId>,
}

impl Router {
    /// Enters a view under every table and scope it reads.
    pub fn add(&mut self, view: ViewId, plan: &LivePlan) {
        for source in &plan.sources {
            let routes = self.tables.entry(source.table).or_default().entry(source.scope.clone()).or_default();
            match lookup_of(plan) {
                Some(lookup) => {
                    let slot = routes.by_slot.entry(lookup.slot).or_default();
                    if lookup.may_match_absent {
                        slot.by_absence.insert(view);
                    }
                    slot.by_value.entry(lookup.value).or_default().insert(view);
                }
                None => {
                    routes.any_row.insert(view);
                }
            }
        }
    }

    /// Takes a view out again, and with it what is empty then.
    pub fn remove(&mut self, view: ViewId, plan: &LivePlan) {
        for source in &plan.sources {
            let Some(scopes) = self.tables.get_mut(&source.table) else { continue };
            let Some(routes) = scopes.get_mut(&source.scope) else { continue };
            routes.remove(view, lookup_of(plan));
            if routes.any_row.is_empty() && routes.by_slot.is_empty() {
                scopes.remove(&source.scope);
            }
            if scopes.is_empty() {
                self.tables.remove(&source.table);
            }
        }
    }

    /// Calls `found` with each view that the change may concern; perhaps twice with the same one.
    pub fn probe(&self, change: &Change, mut found: impl FnMut(ViewId)) {
        let Some(routes) = self.tables.get(&change.table).and_then(|scopes| scopes.get(&change.scope)) else {
            return;
        };
        routes.any_row.iter().copied().for_each(&mut found);
        let rows = [change.old.as_ref().map(|(_, row)| row), change.new.as_ref()];
        for (slot, views) in &routes.by_slot {
            for row in rows.into_iter().flatten() {
                views.probe(row, *slot, &mut found);
            }
        }
    }

    /// Is nothing entered?
    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }
}

impl Routes {
    fn remove(&mut self, view: ViewId, lookup: Option<Lookup>) {
        let Some(lookup) = lookup else {
            self.any_row.remove(&view);
            return;
        };
        let Some(slot) = self.by_slot.get_mut(&lookup.slot) else { return };
        slot.by_absence.remove(&view);
        if let Some(views) = slot.by_value.get_mut(&lookup.value) {
            views.remove(&view);
            if views.is_empty() {
                slot.by_value.remove(&lookup.value);
            }
        }
        if slot.by_value.is_empty() {
            self.by_slot.remove(&lookup.slot);
        }
    }
}

impl SlotRoutes {
    fn probe(&self, row: &Row, slot: u16, found: &mut impl FnMut(ViewId)) {
        let views = match row.at(usize::from(slot)) {
            Some(value) => self.by_value.get(value),
            None => Some(&self.by_absence),
        };
        views.into_iter().flatten().copied().for_each(found);
    }
}

/// The one equality by which a view is found.
struct Lookup {
    slot: u16,
    value: Value,
    may_match_absent: bool,
}

/// The view's first equality whose value is equal exactly when its bits are; plans name the most telling one first.
fn lookup_of(plan: &LivePlan) -> Option<Lookup> {
    let filter: &dyn RowFilter = match &plan.strategy {
        Strategy::Filter(filter) => filter.as_ref(),
        Strategy::Rerun(_) => return None,
    };
    let (slot, value) = filter.equalities().iter().find(|(_, value)| equal_by_bits(value))?;
    let may_match_absent = filter.fill(*slot).is_none_or(|fill| fill == value);
    Some(Lookup { slot: *slot, value: value.clone(), may_match_absent })
}

/// Floats (0.0 = -0.0), decimals of different scale and JSON texts can be equal without being the same bits.
fn equal_by_bits(value: &Value) -> bool {
    match value {
        Value::Null | Value::Float(_) | Value::Double(_) | Value::Decimal(_) | Value::Json(_) => false,
        Value::Bool(_)
        | Value::SmallInt(_)
        | Value::Int(_)
        | Value::BigInt(_)
        | Value::Text(_)
        | Value::Timestamp(_)
        | Value::DateTime(_)
        | Value::Date(_)
        | Value::Time(_)
        | Value::Bytes(_)
        | Value::Uuid(_) => true,
    }
}

#[cfg(test)]
mod tests;
