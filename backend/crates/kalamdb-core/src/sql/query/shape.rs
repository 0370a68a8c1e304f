//! What a plan reads and what its result looks like.

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, TableReference};
use datafusion::datasource::source_as_provider;
use datafusion::error::Result as PlanResult;
use datafusion::logical_expr::{Distinct, Expr, JoinType, LogicalPlan, TableScan, Volatility};
use kalamdb_commons::ErrorCode;
use kalamdb_commons::protocol::{SchemaField, flags};
use kalamdb_system::{SystemTable, TableDef};
use rustc_hash::FxHashSet;

use super::column_names::ColumnNames;
use crate::error::SqlError;
use crate::sql::functions::session::SessionValue;
use crate::tables::arrow::data_type_of;
use crate::tables::provider::StoredTable;
use crate::tables::system::SystemView;

/// A stored table that a plan reads.
#[derive(Debug, Clone)]
pub(super) struct ReadTable {
    pub def: Arc<TableDef>,
    /// Slots of the columns it uses.
    pub slots: Vec<u16>,
}

/// What a plan's result depends on beside the rows of tables.
#[derive(Debug, Clone, Default)]
pub(super) struct Traits {
    pub system_tables: Vec<&'static SystemTable>,
    pub volatile: bool,
    pub depends_on_caller: bool,
}

/// The columns of a plan's result.
///
/// # Errors
/// `UNSUPPORTED` for a column that no cell can show, `TOO_LARGE` for too many columns.
pub(super) fn schema(
    plan: &LogicalPlan,
    names: &ColumnNames,
    columns_max: usize,
) -> Result<Vec<SchemaField>, SqlError> {
    let fields = plan.schema().fields();
    if fields.len() > columns_max {
        let text = format!("the result has more than {columns_max} columns");
        return Err(SqlError::new(ErrorCode::TooLarge, text));
    }
    let field = |(at, field): (usize, &Arc<datafusion::arrow::datatypes::Field>)| {
        let name = names.name_of(at, fields.len()).unwrap_or_else(|| field.name().clone());
        Ok(SchemaField {
            name,
            data_type: data_type_of(field)?,
            index: u32::try_from(at).unwrap_or(u32::MAX),
            flags: flags_of(plan, at, field.is_nullable()),
        })
    };
    fields.iter().enumerate().map(field).collect()
}

fn flags_of(plan: &LogicalPlan, at: usize, nullable: bool) -> Vec<String> {
    let Some(origin) = Origin::of(plan, at) else { return Vec::new() };
    let mut found = Vec::new();
    if origin.is_key && origin.of_table_rows {
        found.push(flags::PRIMARY_KEY);
    }
    if origin.not_null && !nullable {
        found.push(flags::NOT_NULL);
    }
    if origin.unique && origin.of_table_rows {
        found.push(flags::UNIQUE);
    }
    found.into_iter().map(str::to_owned).collect()
}

/// The column of a table that a column of a result comes from, unchanged.
struct Origin {
    is_key: bool,
    not_null: bool,
    unique: bool,
    /// Each row of the result is a row of that one table.
    of_table_rows: bool,
}

impl Origin {
    fn of(plan: &LogicalPlan, at: usize) -> Option<Origin> {
        match plan {
            LogicalPlan::Projection(projection) => {
                let column = plain_column(projection.expr.get(at)?)?;
                Origin::of(&projection.input, projection.input.schema().index_of_column(column).ok()?)
            }
            LogicalPlan::Filter(filter) => Origin::of(&filter.input, at),
            LogicalPlan::Sort(sort) => Origin::of(&sort.input, at),
            LogicalPlan::Limit(limit) => Origin::of(&limit.input, at),
            LogicalPlan::SubqueryAlias(alias) => Origin::of(&alias.input, at),
            LogicalPlan::Distinct(Distinct::All(input)) => Origin::of(input, at),
            LogicalPlan::Window(window) if at < window.input.schema().fields().len() => Origin::of(&window.input, at),
            LogicalPlan::Join(join) => {
                let left = match join.join_type {
                    JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => 0,
                    _ => join.left.schema().fields().len(),
                };
                let origin = match at.checked_sub(left) {
                    None => Origin::of(&join.left, at)?,
                    Some(at) if at < join.right.schema().fields().len() => Origin::of(&join.right, at)?,
                    Some(_) => return None,
                };
                Some(Origin { of_table_rows: false, ..origin })
            }
            LogicalPlan::Aggregate(aggregate) => {
                let column = plain_column(aggregate.group_expr.get(at)?)?;
                let at = aggregate.input.schema().index_of_column(column).ok()?;
                Some(Origin { of_table_rows: false, ..Origin::of(&aggregate.input, at)? })
            }
            LogicalPlan::TableScan(scan) => Origin::in_scan(scan, at),
            _ => None,
        }
    }

    fn in_scan(scan: &TableScan, at: usize) -> Option<Origin> {
        let at = match &scan.projection {
            Some(projection) => *projection.get(at)?,
            None => at,
        };
        let provider = source_as_provider(&scan.source).ok()?;
        if let Some(system) = system_view(&provider) {
            let column = system.table().columns.get(at)?;
            return Some(Origin { is_key: column.pk, not_null: column.not_null, unique: false, of_table_rows: true });
        }
        let def = stored_table(&provider)?.def();
        let Some(column) = def.columns.get(at) else {
            // A hidden column, which every row has.
            return Some(Origin { is_key: false, not_null: true, unique: false, of_table_rows: true });
        };
        let is_key = def.is_key(column.slot);
        let unique = def.indexes.iter().any(|index| index.unique && index.slots == [column.slot]);
        Some(Origin { is_key, not_null: is_key || column.not_null, unique, of_table_rows: true })
    }
}

fn plain_column(expr: &Expr) -> Option<&Column> {
    match expr {
        Expr::Column(column) => Some(column),
        Expr::Alias(alias) => plain_column(&alias.expr),
        _ => None,
    }
}

fn stored_table(provider: &Arc<dyn TableProvider>) -> Option<&StoredTable> {
    provider.downcast_ref::<StoredTable>()
}

fn system_view(provider: &Arc<dyn TableProvider>) -> Option<&SystemView> {
    provider.downcast_ref::<SystemView>()
}

/// The tables that a plan reads, each once, and what else it depends on.
///
/// # Errors
/// Never for a plan of a query; the planner's traversal may fail.
pub(super) fn reads(plan: &LogicalPlan) -> PlanResult<(Vec<ReadTable>, Traits)> {
    let mut reads = Reads::default();
    plan.apply_with_subqueries(|node| {
        reads.node(node)?;
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(reads.finish())
}

#[derive(Default)]
struct Reads {
    /// Tables, and the names their columns go by.
    tables: Vec<(Arc<TableDef>, Vec<TableReference>)>,
    columns: FxHashSet<Column>,
    traits: Traits,
}

impl Reads {
    fn node(&mut self, node: &LogicalPlan) -> PlanResult<()> {
        match node {
            LogicalPlan::TableScan(scan) => self.table(scan, scan.table_name.clone())?,
            LogicalPlan::SubqueryAlias(alias) => {
                if let LogicalPlan::TableScan(scan) = alias.input.as_ref() {
                    self.table(scan, alias.alias.clone())?;
                }
            }
            _ => {}
        }
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                self.expression(expr);
                Ok(TreeNodeRecursion::Continue)
            })
        })?;
        Ok(())
    }

    fn table(&mut self, scan: &TableScan, name: TableReference) -> PlanResult<()> {
        let provider = source_as_provider(&scan.source)?;
        if let Some(system) = system_view(&provider) {
            self.traits.system_tables.push(system.table());
        }
        let Some(table) = stored_table(&provider) else { return Ok(()) };
        match self.tables.iter_mut().find(|(def, _)| def.id == table.def().id) {
            Some((_, names)) => names.push(name),
            None => self.tables.push((Arc::clone(table.def()), vec![name])),
        }
        Ok(())
    }

    fn expression(&mut self, expr: &Expr) {
        match expr {
            Expr::Column(column) | Expr::OuterReferenceColumn(_, column) => {
                self.columns.insert(column.clone());
            }
            Expr::ScalarFunction(call) => match SessionValue::called_by(expr) {
                Some(value) if value.is_of_caller() => self.traits.depends_on_caller = true,
                Some(_) => self.traits.volatile = true,
                None => self.traits.volatile |= call.func.signature().volatility != Volatility::Immutable,
            },
            _ => {}
        }
    }

    fn finish(self) -> (Vec<ReadTable>, Traits) {
        let Reads { tables, columns, traits } = self;
        let uses = |names: &[TableReference], name: &str| {
            columns.iter().any(|column| {
                column.name == name && column.relation.as_ref().is_none_or(|relation| names.contains(relation))
            })
        };
        let read = |(def, names): (Arc<TableDef>, Vec<TableReference>)| {
            let used = def.columns.iter().filter(|column| uses(&names, column.name.as_str()));
            let slots = used.map(|column| column.slot).collect();
            ReadTable { def, slots }
        };
        (tables.into_iter().map(read).collect(), traits)
    }
}
