//! Columns of `system.namespaces`.

use kalamdb_commons::DataType::{BigInt, DateTime, Text};

use crate::system_table::{Audience, SystemColumn, SystemTable};

/// `system.namespaces`.
pub const TABLE: SystemTable =
    SystemTable { name: "namespaces", columns: COLUMNS, audience: Audience::Visible, doc: "The namespaces." };

const COLUMNS: &[SystemColumn] = &[
    SystemColumn::key("namespace_id", Text, "Its name."),
    SystemColumn::required("table_count", BigInt, "How many of its tables the reader may use."),
    SystemColumn::nullable("created_at", DateTime, "When it was created; NULL for the system's own."),
];
