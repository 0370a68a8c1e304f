//! What all SELECTs of an engine share: the planner's rules and functions, the plan cache, and where
//! the rows of system tables come from.

use std::fmt;
use std::sync::Arc;

use chrono::DateTime;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::{SessionState, SessionStateBuilder, TaskContext};
use datafusion::optimizer::analyzer::{Analyzer, AnalyzerRule};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::prelude::SessionConfig;
use kalamdb_commons::Value;
use kalamdb_store::Clock;

use super::cache::PlanCache;
use crate::context::StatementContext;
use crate::error::SqlError;
use crate::options::Limits;
use crate::sql::error_map::from_datafusion;
use crate::sql::functions;
use crate::sql::functions::ids::{IdKind, IdSource};
use crate::sql::functions::unions::PlainUnions;
use crate::tables::View;
use crate::tables::system::SystemSources;

/// Rows of one batch. Small, because a row may be large and a batch is held in one piece.
pub(super) const BATCH_ROWS: usize = 1_024;

/// Rules about statistics that scans do not have, filters and orders that they do not take, and
/// partitions of which there is one. They would cost a good part of a small query's time.
const POINTLESS_RULES: [&str; 7] = [
    "aggregate_statistics",
    "FilterPushdown",
    "FilterPushdown(Post)",
    "HashJoinBuffering",
    "PushdownSort",
    "TopKRepartition",
    "WindowTopN",
];

/// What all SELECTs share. Cheap to clone.
#[derive(Clone)]
pub struct QuerySession(Arc<Shared>);

struct Shared {
    state: SessionState,
    runtime: RuntimeEnv,
    system: Arc<SystemSources>,
    ids: Arc<IdSource>,
    cache: PlanCache,
    limits: Limits,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for QuerySession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QuerySession").finish_non_exhaustive()
    }
}

impl QuerySession {
    /// A session.
    ///
    /// # Errors
    /// `INTERNAL` when a function cannot be registered.
    pub fn new(limits: &Limits, system: SystemSources, clock: Arc<dyn Clock>) -> Result<QuerySession, SqlError> {
        let ids = Arc::new(IdSource::new(Arc::clone(&clock)));
        let disk = DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled);
        let runtime = RuntimeEnvBuilder::new()
            .with_disk_manager_builder(disk)
            .build()
            .map_err(|error| from_datafusion(&error))?;
        let mut state = SessionStateBuilder::new()
            .with_config(config())
            .with_runtime_env(Arc::new(runtime.clone()))
            .with_default_features()
            .with_analyzer_rules(analyzer_rules())
            .with_physical_optimizer_rules(physical_rules())
            .build();
        functions::register(&mut state, &ids).map_err(|error| from_datafusion(&error))?;
        Ok(QuerySession(Arc::new(Shared {
            state,
            runtime,
            system: Arc::new(system),
            ids,
            cache: PlanCache::default(),
            limits: limits.clone(),
            clock,
        })))
    }

    /// A new id of the kind that `SNOWFLAKE_ID()`, `UUID_V7()` or `ULID()` make up.
    #[must_use]
    pub fn next_id(&self, kind: IdKind) -> Value {
        self.0.ids.next(kind)
    }

    /// Tells the time.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }

    /// Bounds of one request.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    pub(super) fn cache(&self) -> &PlanCache {
        &self.0.cache
    }

    pub(super) fn system(&self) -> &Arc<SystemSources> {
        &self.0.system
    }

    /// The planner's rules and functions, without a statement.
    pub(super) fn state(&self) -> &SessionState {
        &self.0.state
    }

    /// The planner's session for one statement.
    pub(super) fn state_for(&self, ctx: &StatementContext, use_indexes: bool) -> SessionState {
        let mut state = self.0.state.clone();
        let memory_bytes_max = self.0.limits.query_memory_bytes_max;
        let view = View { ctx: ctx.clone(), use_indexes, memory_bytes_max };
        state.config_mut().set_extension(Arc::new(view));
        state.execution_props_mut().query_execution_start_time = DateTime::from_timestamp_micros(ctx.now_micros);
        state
    }

    /// What operators need while they run: the statement's own bound of memory among it.
    pub(super) fn task(&self) -> Arc<TaskContext> {
        let pool = GreedyMemoryPool::new(self.0.limits.query_memory_bytes_max);
        let runtime = RuntimeEnv { memory_pool: Arc::new(pool), ..self.0.runtime.clone() };
        let config = self.0.state.config().clone();
        let (scalar, higher, aggregate, window) = Default::default();
        let session_id = String::new();
        Arc::new(TaskContext::new(None, session_id, config, scalar, higher, aggregate, window, Arc::new(runtime)))
    }
}

/// The planner's rules for settling types, with ours before them.
fn analyzer_rules() -> Vec<Arc<dyn AnalyzerRule + Send + Sync>> {
    let mut rules = Analyzer::new().rules;
    rules.insert(0, Arc::new(PlainUnions));
    rules
}

/// The planner's rules for operators, less those that can do nothing here.
fn physical_rules() -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let mut rules = PhysicalOptimizer::new().rules;
    rules.retain(|rule| !POINTLESS_RULES.contains(&rule.name()));
    rules
}

fn config() -> SessionConfig {
    let mut config = SessionConfig::new()
        .with_target_partitions(1)
        .with_batch_size(BATCH_ROWS)
        .with_information_schema(false)
        .with_create_default_catalog_and_schema(false)
        .with_default_catalog_and_schema("kalam", kalamdb_system::system_table::DEFAULT_NAMESPACE);
    let options = config.options_mut();
    options.sql_parser.map_string_types_to_utf8view = false;
    options.sql_parser.collect_spans = true;
    options.execution.planning_concurrency = 1;
    options.execution.collect_statistics = false;
    // The types that extensions give a field do not always survive an aggregate in the same way.
    options.execution.skip_physical_aggregate_schema_check = true;
    // Scans do not take filters that are made while a query runs.
    options.optimizer.enable_dynamic_filter_pushdown = false;
    config
}
