//! UNION of JSON or UUIDs with other texts is text.
//!
//! The planner goes by the Arrow types, which are the same, and lets one input say for all of them
//! what the text is. So where the inputs do not agree, all of them give plain text.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType as ArrowType, Field, FieldRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult};
use datafusion::common::{DFSchema, TableReference};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, Union, cast};
use datafusion::optimizer::AnalyzerRule;

use crate::tables::arrow::extension_of;

/// Makes the inputs of a UNION plain text where they do not agree on what their text is.
#[derive(Debug)]
pub struct PlainUnions;

impl AnalyzerRule for PlainUnions {
    fn name(&self) -> &'static str {
        "plain_unions"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let mut changed = false;
        plan.transform_up_with_subqueries(|node| {
            let node = match node {
                LogicalPlan::Union(union) => plain(union)?,
                other => Transformed::no(other),
            };
            changed |= node.transformed;
            // What stands above has the types of before.
            if changed && !node.transformed { node.data.recompute_schema().map(Transformed::yes) } else { Ok(node) }
        })
        .data()
    }
}

fn plain(union: Union) -> Result<Transformed<LogicalPlan>> {
    let extension = |input: &LogicalPlan, at: usize| {
        input.schema().fields().get(at).and_then(|field| extension_of(field)).map(str::to_owned)
    };
    let disagree = |at: &usize| {
        let mut found = union.inputs.iter().map(|input| extension(input, *at));
        let first = found.next().flatten();
        found.any(|other| other != first)
    };
    let places: Vec<usize> = (0..union.schema.fields().len()).filter(disagree).collect();
    if places.is_empty() {
        return Ok(Transformed::no(LogicalPlan::Union(union)));
    }
    let inputs = union.inputs.iter().map(|input| texts(input, &places)).collect::<Result<_>>()?;
    let field = |(at, (relation, field)): (usize, (Option<&TableReference>, &FieldRef))| {
        let plain = Field::new(field.name(), field.data_type().clone(), field.is_nullable());
        (relation.cloned(), if places.contains(&at) { Arc::new(plain) } else { Arc::clone(field) })
    };
    let fields = union.schema.iter().enumerate().map(field).collect();
    let schema = Arc::new(DFSchema::new_with_metadata(fields, union.schema.metadata().clone())?);
    Ok(Transformed::yes(LogicalPlan::Union(Union { inputs, schema })))
}

/// A plan whose columns at these places say nothing of their text.
fn texts(input: &Arc<LogicalPlan>, places: &[usize]) -> Result<Arc<LogicalPlan>> {
    let column = |(at, (relation, field)): (usize, (Option<&TableReference>, &FieldRef))| {
        let column = Expr::Column((relation, field).into());
        if !places.contains(&at) || extension_of(field).is_none() {
            return column;
        }
        cast(column, ArrowType::Utf8).alias_qualified(relation.cloned(), field.name())
    };
    let columns: Vec<Expr> = input.schema().iter().enumerate().map(column).collect();
    Ok(Arc::new(LogicalPlanBuilder::from(Arc::clone(input)).project(columns)?.build()?))
}
