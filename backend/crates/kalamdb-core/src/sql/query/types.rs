//! Type names in expressions: the same as those of columns.

use datafusion::arrow::datatypes::FieldRef;
use datafusion::error::Result;
use datafusion::logical_expr::planner::TypePlanner;
use datafusion::sql::sqlparser::ast::DataType as SqlType;

use crate::sql::grammar;
use crate::tables::arrow::arrow_field;

/// Gives type names the meaning they have in CREATE TABLE; leaves all others to the planner.
#[derive(Debug)]
pub(super) struct ColumnTypes;

impl TypePlanner for ColumnTypes {
    fn plan_type_field(&self, sql_type: &SqlType) -> Result<Option<FieldRef>> {
        let known = grammar::data_type(sql_type).ok();
        Ok(known.map(|data_type| arrow_field("", &data_type, true).into()))
    }
}
