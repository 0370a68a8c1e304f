//! Columns of `system.tables`.

use kalamdb_commons::DataType::{BigInt, Boolean, DateTime, Int, Text};

use crate::system_table::{Audience, SystemColumn, SystemTable};

/// `system.tables`.
pub const TABLE: SystemTable = SystemTable {
    name: "tables",
    columns: COLUMNS,
    audience: Audience::Visible,
    doc: "The tables that the reader may use.",
};

const COLUMNS: &[SystemColumn] = &[
    SystemColumn::key("namespace_id", Text, "The namespace that holds it."),
    SystemColumn::key("table_name", Text, "Its name."),
    SystemColumn::nullable("table_id", BigInt, "Its number for life; NULL for a system table."),
    SystemColumn::required("table_type", Text, "`user`, `shared`, `stream` or `system`."),
    SystemColumn::nullable("access_level", Text, "`public`, `restricted` or `private`; NULL unless it is shared."),
    SystemColumn::nullable("ttl_seconds", BigInt, "How long a stream table keeps a row."),
    SystemColumn::nullable(
        "primary_key",
        Text,
        "Its key columns, comma-separated; NULL if rows are keyed by a hidden number.",
    ),
    SystemColumn::nullable("indexes", Text, "Its secondary indexes, comma-separated."),
    SystemColumn::required("column_count", Int, "How many columns it has."),
    SystemColumn::required("version", Int, "Grows with every ALTER and every index that comes or goes."),
    SystemColumn::required("read_only", Boolean, "Is it closed to INSERT, UPDATE and DELETE?"),
    SystemColumn::nullable("created_at", DateTime, "When it was created; NULL for a system table."),
];
