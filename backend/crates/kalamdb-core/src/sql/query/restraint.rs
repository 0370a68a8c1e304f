//! Operators that could hold a thread or memory without end, and what is put around them.
//!
//! The planner's operators give way whenever they have read a batch. A join may make millions of batches of
//! one, or compare millions of rows without making any; so joins give way for each batch they make, and
//! their conditions look at the clock. A window holds all rows it is given and tells no memory pool, so
//! what it is given is counted. A long constant is written out for each row of a batch, so its batches are cut.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{FieldRef, Schema};
use datafusion::common::tree_node::{Transformed, TransformedResult as _, TreeNode as _, TreeNodeRecursion};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Literal;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::joins::utils::JoinFilter;
use datafusion::physical_plan::joins::{
    CrossJoinExec, HashJoinExec, NestedLoopJoinExec, NestedLoopJoinExecBuilder, SortMergeJoinExec,
};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::unnest::UnnestExec;
use datafusion::physical_plan::windows::{BoundedWindowAggExec, WindowAggExec};
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, ReplaceChildrenOptions,
    SendableRecordBatchStream,
};
use futures_util::{StreamExt as _, stream};
use kalamdb_commons::ErrorCode;
use tokio::runtime::{Handle, RuntimeFlavor};

use super::execute::too_slow;
use crate::error::SqlError;
use crate::options::Limits;
use crate::tables::external;

/// Bytes that the constants of one operator may become when they are written out for each row.
const CONSTANTS_BYTES_MAX: usize = 16 << 20;

/// How long a condition is computed before its thread is left to others.
const GIVE_WAY_AFTER: Duration = Duration::from_millis(20);

/// The plan with what it needs to stay within its bounds.
///
/// # Errors
/// `TOO_LARGE` for constants that no bound has room for; else when the planner cannot rebuild the plan.
pub(super) fn restrained(plan: Arc<dyn ExecutionPlan>, limits: &Limits) -> Result<Arc<dyn ExecutionPlan>> {
    plan.transform_up(|node| {
        if let Some(join) = node.downcast_ref::<NestedLoopJoinExec>() {
            let filter = join.filter().map(|filter| timed(filter, limits));
            let join = NestedLoopJoinExecBuilder::from(join).with_filter(filter).build()?;
            return Ok(Transformed::yes(giving_way(Arc::new(join))));
        }
        if let Some(join) = node.downcast_ref::<HashJoinExec>() {
            let filter = join.filter().map(|filter| timed(filter, limits));
            let join = join.builder().with_filter(filter).build()?;
            return Ok(Transformed::yes(giving_way(Arc::new(join))));
        }
        if node.is::<CrossJoinExec>() || node.is::<SortMergeJoinExec>() || node.is::<UnnestExec>() {
            return Ok(Transformed::yes(giving_way(node)));
        }
        if node.is::<WindowAggExec>() || node.is::<BoundedWindowAggExec>() {
            return over_inputs(node, |input| Portions { input, rows_max: None, counted: true });
        }
        if let Some(projection) = node.downcast_ref::<ProjectionExec>() {
            let bytes = constants_of(projection)?;
            if bytes > limits.query_memory_bytes_max {
                let text = "the constants of the statement are larger than what one statement may hold in memory";
                return Err(external(SqlError::new(ErrorCode::TooLarge, text)));
            }
            let rows_max = CONSTANTS_BYTES_MAX.checked_div(bytes).map(|rows| rows.max(1));
            let batch_rows = super::session::BATCH_ROWS;
            if let Some(rows_max) = rows_max.filter(|rows| *rows < batch_rows) {
                return over_inputs(node, |input| Portions { input, rows_max: Some(rows_max), counted: false });
            }
        }
        Ok(Transformed::no(node))
    })
    .data()
}

fn giving_way(plan: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
    Arc::new(CooperativeExec::new(plan))
}

fn over_inputs(
    node: Arc<dyn ExecutionPlan>,
    restrain: impl Fn(Arc<dyn ExecutionPlan>) -> Portions,
) -> Result<Transformed<Arc<dyn ExecutionPlan>>> {
    let inputs = node.children().into_iter().cloned();
    let inputs = inputs.map(|input| Arc::new(restrain(input)) as Arc<dyn ExecutionPlan>).collect();
    let recomputed = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
    Ok(Transformed::yes(node.replace_children(inputs, recomputed)?))
}

/// Bytes of all constants in a projection's expressions.
fn constants_of(projection: &ProjectionExec) -> Result<usize> {
    let mut bytes = 0_usize;
    for column in projection.expr() {
        column.expr.apply(|expr| {
            if let Some(literal) = expr.downcast_ref::<Literal>() {
                bytes = bytes.saturating_add(literal.value().size());
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
    }
    Ok(bytes)
}

fn timed(filter: &JoinFilter, limits: &Limits) -> JoinFilter {
    let inner = Arc::clone(filter.expression());
    let condition = Timed { inner, limits: limits.clone(), began: OnceLock::new(), turn: OnceLock::new() };
    JoinFilter::new(Arc::new(condition), filter.column_indices().to_vec(), Arc::clone(filter.schema()))
}

/// A join's condition that is computed for so long and no longer, and not at the cost of others.
#[derive(Debug)]
struct Timed {
    inner: Arc<dyn PhysicalExpr>,
    limits: Limits,
    /// When the query began to compare.
    began: OnceLock<Instant>,
    /// When its thread was last left to others.
    turn: OnceLock<parking_lot::Mutex<Instant>>,
}

impl Timed {
    fn look_at_the_clock(&self) -> Result<()> {
        if self.began.get_or_init(Instant::now).elapsed() > self.limits.query_timeout {
            return Err(external(too_slow(&self.limits)));
        }
        let mut turn = self.turn.get_or_init(|| parking_lot::Mutex::new(Instant::now())).lock();
        if turn.elapsed() > GIVE_WAY_AFTER {
            give_way();
            *turn = Instant::now();
        }
        Ok(())
    }
}

/// Lets another thread take over what waits for this one, and goes on when it has done something.
fn give_way() {
    let Ok(handle) = Handle::try_current() else { return };
    if handle.runtime_flavor() == RuntimeFlavor::MultiThread {
        // At a shutdown nothing is done any more.
        let _ = tokio::task::block_in_place(|| handle.block_on(handle.spawn(async {})));
    }
}

impl PartialEq for Timed {
    fn eq(&self, other: &Self) -> bool {
        self.inner.as_ref() == other.inner.as_ref()
    }
}

impl Eq for Timed {}

impl Hash for Timed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
    }
}

impl fmt::Display for Timed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl PhysicalExpr for Timed {
    fn return_field(&self, input_schema: &Schema) -> Result<FieldRef> {
        self.inner.return_field(input_schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        self.look_at_the_clock()?;
        self.inner.evaluate(batch)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.inner]
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        let inner = only(children)?;
        Ok(Arc::new(Timed { inner, limits: self.limits.clone(), began: OnceLock::new(), turn: OnceLock::new() }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt_sql(f)
    }
}

fn only<T>(mut children: Vec<T>) -> Result<T> {
    children.pop().ok_or_else(|| DataFusionError::Internal("an operator without its input".to_owned()))
}

/// An operator's input, cut into small batches or counted as held in memory.
#[derive(Debug)]
struct Portions {
    input: Arc<dyn ExecutionPlan>,
    rows_max: Option<usize>,
    counted: bool,
}

impl DisplayAs for Portions {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.rows_max {
            Some(rows) => write!(f, "Portions: at most {rows} rows"),
            None => write!(f, "Portions: counted"),
        }
    }
}

impl ExecutionPlan for Portions {
    fn name(&self) -> &'static str {
        "Portions"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(Portions { input: only(children)?, rows_max: self.rows_max, counted: self.counted }))
    }

    fn execute(&self, partition: usize, task: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let held = self.counted.then(|| MemoryConsumer::new("a window's rows").register(task.memory_pool()));
        let rows_max = self.rows_max.unwrap_or(usize::MAX);
        let batches = self.input.execute(partition, task)?.flat_map(move |batch| {
            let counted = batch.and_then(|batch| {
                held.as_ref().map_or(Ok(()), |held| held.try_grow(batch.get_array_memory_size()))?;
                Ok(batch)
            });
            stream::iter(match counted {
                Ok(batch) => cut(&batch, rows_max),
                Err(error) => vec![Err(error)],
            })
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), batches)))
    }
}

fn cut(batch: &RecordBatch, rows_max: usize) -> Vec<Result<RecordBatch>> {
    let rows = batch.num_rows();
    if rows <= rows_max {
        return vec![Ok(batch.clone())];
    }
    let starts = (0..rows).step_by(rows_max.max(1));
    starts.map(|start| Ok(batch.slice(start, rows_max.min(rows.saturating_sub(start))))).collect()
}
