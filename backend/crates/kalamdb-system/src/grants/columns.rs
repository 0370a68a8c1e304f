//! Columns of `system.grants`.

use kalamdb_commons::DataType::Text;

use crate::system_table::{Audience, SystemColumn, SystemTable};

/// `system.grants`.
pub const TABLE: SystemTable = SystemTable {
    name: "grants",
    columns: COLUMNS,
    audience: Audience::Visible,
    doc: "What was granted on SHARED tables beyond their access level.",
};

const COLUMNS: &[SystemColumn] = &[
    SystemColumn::key("namespace_id", Text, "Namespace of the table."),
    SystemColumn::key("table_name", Text, "The table."),
    SystemColumn::key("grantee_type", Text, "`role` or `user`."),
    SystemColumn::key("grantee", Text, "The role or the user."),
    SystemColumn::key("privilege", Text, "`SELECT`, `INSERT`, `UPDATE` or `DELETE`."),
];
