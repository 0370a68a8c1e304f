//! Plans that are kept, so that a statement that comes again costs less.
//!
//! What is kept is optimised, with placeholders where parameters and the statement's own values go,
//! and knows no user: the same plan serves everybody who may read its tables. A statement is kept
//! when it comes for the second time, so that statements with their values written into them do not
//! push others out. A plan whose tables have changed is forgotten when it is next looked for.

use std::hash::{Hash as _, Hasher as _};
use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::sqlparser::ast::{Expr, Query, Visit as _, Visitor};
use kalamdb_commons::Name;
use kalamdb_system::{Right, TableDef};
use parking_lot::Mutex;
use rustc_hash::{FxHashMap, FxHashSet, FxHasher};

use super::bind;
use super::execute::Execution;
use super::prepare::Prepared;
use super::session::QuerySession;
use crate::context::StatementContext;
use crate::error::SqlError;
use crate::sql::error_map::from_datafusion;

/// Plans of one generation; there are two of them at most.
const PLANS_MAX: usize = 512;

/// Statements that are remembered as seen once.
const SEEN_MAX: usize = 4_096;

/// Expressions of a statement that is worth keeping.
const EXPRESSIONS_MAX: usize = 400;

/// Plans that are kept.
#[derive(Debug, Default)]
pub(super) struct PlanCache(Mutex<Generations>);

#[derive(Debug, Default)]
struct Generations {
    young: FxHashMap<u64, Arc<KeptPlan>>,
    old: FxHashMap<u64, Arc<KeptPlan>>,
    seen: FxHashSet<u64>,
}

/// An optimised plan with placeholders.
#[derive(Debug)]
pub(super) struct KeptPlan {
    query: Query,
    namespace: Name,
    plan: LogicalPlan,
    prepared: Prepared,
}

impl PlanCache {
    /// The plan of a query, if it is kept and still stands for this catalog and caller.
    pub(super) fn find(&self, query: &Query, ctx: &StatementContext) -> Option<Arc<KeptPlan>> {
        let hash = hash(query, ctx);
        let mut plans = self.0.lock();
        let kept = match plans.young.get(&hash) {
            Some(kept) => Arc::clone(kept),
            None => {
                let kept = plans.old.remove(&hash)?;
                plans.keep(hash, Arc::clone(&kept));
                kept
            }
        };
        if kept.namespace != ctx.namespace || kept.query != *query {
            return None;
        }
        if !kept.is_current(ctx) {
            plans.young.remove(&hash);
            return None;
        }
        drop(plans);
        kept.is_allowed(ctx).then_some(kept)
    }

    /// Has the query come before, and is it small enough to be kept? Remembers that it has come.
    pub(super) fn is_worth_keeping(&self, query: &Query, ctx: &StatementContext) -> bool {
        let hash = hash(query, ctx);
        let mut plans = self.0.lock();
        if plans.seen.len() >= SEEN_MAX {
            plans.seen.clear();
        }
        if plans.seen.insert(hash) {
            return false;
        }
        drop(plans);
        let mut size = Size(0);
        query.visit(&mut size).is_continue()
    }

    /// Optimises a query's plan and keeps it.
    ///
    /// # Errors
    /// [`SqlError`] when the planner finds that it cannot be run.
    pub(super) fn keep(
        &self,
        session: &QuerySession,
        ctx: &StatementContext,
        query: &Query,
        prepared: Prepared,
    ) -> Result<Arc<KeptPlan>, SqlError> {
        let plan = bind::for_keeping(prepared.plan.clone()).map_err(|error| from_datafusion(&error))?;
        let plan = session
            .state()
            .optimizer()
            .optimize(plan, session.state(), |_, _| {})
            .map_err(|error| from_datafusion(&error))?;
        let serves_others = !prepared.holds_values;
        let kept = Arc::new(KeptPlan { query: query.clone(), namespace: ctx.namespace.clone(), plan, prepared });
        if serves_others {
            self.0.lock().keep(hash(query, ctx), Arc::clone(&kept));
        }
        Ok(kept)
    }
}

impl Generations {
    fn keep(&mut self, hash: u64, kept: Arc<KeptPlan>) {
        if self.young.len() >= PLANS_MAX {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(hash, kept);
    }
}

impl KeptPlan {
    /// The plan with the statement's values; `None` if one of them needs a plan of its own.
    ///
    /// # Errors
    /// `INVALID_PARAMETER`.
    pub(super) fn bind(&self, ctx: &StatementContext) -> Result<Option<Execution>, SqlError> {
        if !self.prepared.serves(ctx) {
            return Ok(None);
        }
        let Some(values) = self.prepared.values(ctx)? else { return Ok(None) };
        let plan = bind::kept(self.plan.clone(), ctx, &values).map_err(|error| from_datafusion(&error))?;
        Ok(Some(Execution { schema: Arc::clone(&self.prepared.schema), plan, use_indexes: true }))
    }

    /// Are its tables still what they were?
    fn is_current(&self, ctx: &StatementContext) -> bool {
        let is_current =
            |def: &Arc<TableDef>| ctx.catalog.table(&def.name).is_some_and(|known| Arc::ptr_eq(known, def));
        self.prepared.tables.iter().map(|read| &read.def).all(is_current)
    }

    /// May the caller read all of its tables?
    fn is_allowed(&self, ctx: &StatementContext) -> bool {
        let role = ctx.caller.role;
        self.prepared.tables.iter().all(|read| ctx.caller.may(Right::Select, &read.def))
            && self.prepared.traits.system_tables.iter().all(|table| table.audience.admits(role))
    }
}

fn hash(query: &Query, ctx: &StatementContext) -> u64 {
    let mut hasher = FxHasher::default();
    query.hash(&mut hasher);
    ctx.namespace.hash(&mut hasher);
    hasher.finish()
}

/// Counts expressions, and breaks off when there are too many.
struct Size(usize);

impl Visitor for Size {
    type Break = ();

    fn pre_visit_expr(&mut self, _: &Expr) -> ControlFlow<()> {
        self.0 = self.0.saturating_add(1);
        if self.0 > EXPRESSIONS_MAX { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}
