//! Columns of `system.settings`.

use kalamdb_commons::DataType::Text;

use crate::system_table::{Audience, SystemColumn, SystemTable};

/// `system.settings`.
pub const TABLE: SystemTable = SystemTable {
    name: "settings",
    columns: COLUMNS,
    audience: Audience::Admin,
    doc: "What the server runs with. Secrets are not shown.",
};

const COLUMNS: &[SystemColumn] = &[
    SystemColumn::key("name", Text, "Name of the setting, `section.key`."),
    SystemColumn::nullable("value", Text, "Its value."),
    SystemColumn::required("description", Text, "What it means."),
];
