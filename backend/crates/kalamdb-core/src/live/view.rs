//! A view: one query's result as a stream of changes, shared by all who subscribe to it.
//!
//! Views are found by their key; a view without subscribers is dropped. How a view is kept is the
//! business of `filter` and `rerun`; here is what they have in common and the set of all views.

pub(crate) mod filter;
pub(crate) mod rerun;

use std::collections::BTreeSet;
use std::sync::Arc;

use kalamdb_commons::{SeqId, TableId};
use rustc_hash::FxHashMap;

use super::live_loop::Token;
use super::plan::{LivePlan, RowFilter, Strategy, ViewKey};
use super::router::Router;
use rerun::Runs;

/// A view, for as long as the process lives; never given to another view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ViewId(pub u64);

/// One shared query.
#[derive(Debug)]
pub(crate) struct View {
    /// What it was planned as.
    pub plan: Arc<LivePlan>,
    /// How its result is kept.
    pub kind: ViewKind,
    /// Who gets its changes.
    pub subscribers: BTreeSet<Token>,
    /// The last commit (or run) that changed the result while somebody was subscribed.
    pub changed_at: SeqId,
}

/// How a view's result is kept.
#[derive(Debug)]
pub(crate) enum ViewKind {
    /// Not at all: each changed row is looked at.
    Filter(Arc<dyn RowFilter>),
    /// By running the query again.
    Rerun(Runs),
}

impl View {
    /// The runs, if that is how the view is kept.
    pub fn runs(&mut self) -> Option<&mut Runs> {
        match &mut self.kind {
            ViewKind::Filter(_) => None,
            ViewKind::Rerun(runs) => Some(runs),
        }
    }
}

/// All views, and the ways to find them.
#[derive(Debug, Default)]
pub(crate) struct Views {
    by_id: FxHashMap<ViewId, View>,
    by_key: FxHashMap<ViewKey, ViewId>,
    by_table: FxHashMap<TableId, BTreeSet<ViewId>>,
    /// Whom a changed row concerns.
    pub router: Router,
    last: u64,
}

impl Views {
    /// Adds a subscriber to the plan's view, which is made if it is not there.
    pub fn join(&mut self, plan: &Arc<LivePlan>, token: Token) -> ViewId {
        let id = self.by_key.get(&plan.key).copied().unwrap_or_else(|| self.create(plan));
        if let Some(view) = self.by_id.get_mut(&id) {
            view.subscribers.insert(token);
        }
        id
    }

    fn create(&mut self, plan: &Arc<LivePlan>) -> ViewId {
        self.last = self.last.saturating_add(1);
        let id = ViewId(self.last);
        let kind = match &plan.strategy {
            Strategy::Filter(filter) => ViewKind::Filter(filter.clone()),
            Strategy::Rerun(query) => ViewKind::Rerun(Runs::new(query.clone())),
        };
        self.router.add(id, plan);
        for source in &plan.sources {
            self.by_table.entry(source.table).or_default().insert(id);
        }
        self.by_key.insert(plan.key.clone(), id);
        let view = View { plan: plan.clone(), kind, subscribers: BTreeSet::new(), changed_at: SeqId::ZERO };
        self.by_id.insert(id, view);
        id
    }

    /// Takes a subscriber away, and the view with its last one.
    pub fn leave(&mut self, id: ViewId, token: Token) {
        let Some(view) = self.by_id.get_mut(&id) else { return };
        view.subscribers.remove(&token);
        if !view.subscribers.is_empty() {
            return;
        }
        let plan = view.plan.clone();
        self.by_id.remove(&id);
        self.by_key.remove(&plan.key);
        self.router.remove(id, &plan);
        for source in &plan.sources {
            if let Some(views) = self.by_table.get_mut(&source.table) {
                views.remove(&id);
                if views.is_empty() {
                    self.by_table.remove(&source.table);
                }
            }
        }
    }

    /// The view.
    pub fn get(&self, id: ViewId) -> Option<&View> {
        self.by_id.get(&id)
    }

    /// The view, to change it.
    pub fn get_mut(&mut self, id: ViewId) -> Option<&mut View> {
        self.by_id.get_mut(&id)
    }

    /// Views over a table, whatever their scope.
    pub fn over(&self, table: TableId) -> impl Iterator<Item = &View> {
        self.by_table.get(&table).into_iter().flatten().filter_map(|id| self.by_id.get(id))
    }

    /// How many views there are.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }
}
