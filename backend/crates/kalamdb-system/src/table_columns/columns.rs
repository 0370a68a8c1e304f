//! Columns of `system.columns`.

use kalamdb_commons::DataType::{Boolean, Int, Text};

use crate::system_table::{Audience, SystemColumn, SystemTable};

/// `system.columns`.
pub const TABLE: SystemTable = SystemTable {
    name: "columns",
    columns: COLUMNS,
    audience: Audience::Visible,
    doc: "The columns of the tables that the reader may use.",
};

const COLUMNS: &[SystemColumn] = &[
    SystemColumn::key("namespace_id", Text, "The namespace that holds the table."),
    SystemColumn::key("table_name", Text, "The table."),
    SystemColumn::key("column_name", Text, "Its name."),
    SystemColumn::required("ordinal_position", Int, "Its place in `SELECT *`, from 1."),
    SystemColumn::required("data_type", Text, "Its type, as SQL writes it."),
    SystemColumn::required("not_null", Boolean, "May it not be NULL?"),
    SystemColumn::required("primary_key", Boolean, "Is it part of the primary key?"),
    SystemColumn::nullable("default_value", Text, "Its DEFAULT expression."),
    SystemColumn::nullable("description", Text, "What it means; told of system tables."),
];
