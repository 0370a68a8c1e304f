//! Rows of `system.settings`.

use kalamdb_commons::{Row, Value};

/// A setting. Secrets must not be put into one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingRow {
    /// Name of the setting, `section.key`.
    pub name: String,
    /// Its value, if it has one.
    pub value: Option<String>,
    /// What it means.
    pub description: String,
}

impl SettingRow {
    /// The values in the order of the table's columns.
    #[must_use]
    pub fn to_row(&self) -> Row {
        Row::new(vec![
            Value::text(self.name.as_str()),
            self.value.as_deref().map_or(Value::Null, Value::text),
            Value::text(self.description.as_str()),
        ])
    }
}
