//! Columns of `system.users`. Password hashes are not among them.

use kalamdb_commons::DataType::{DateTime, Text};

use crate::system_table::{Audience, SystemColumn, SystemTable};

/// `system.users`.
pub const TABLE: SystemTable =
    SystemTable { name: "users", columns: COLUMNS, audience: Audience::Admin, doc: "The users." };

const COLUMNS: &[SystemColumn] = &[
    SystemColumn::key("user_id", Text, "Name of the user."),
    SystemColumn::required("role", Text, "`user`, `service`, `dba` or `system`."),
    SystemColumn::nullable("email", Text, "E-mail address."),
    SystemColumn::required("created_at", DateTime, "When it was created."),
    SystemColumn::required("updated_at", DateTime, "When it was last altered."),
    SystemColumn::required("tokens_valid_after", DateTime, "Tokens given out before this are no longer valid."),
];
