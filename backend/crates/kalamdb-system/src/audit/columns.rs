//! Columns of `system.audit_log`.

use kalamdb_commons::DataType::{BigInt, DateTime, Text};

use crate::system_table::{Audience, SystemColumn, SystemTable};

/// `system.audit_log`.
pub const TABLE: SystemTable = SystemTable {
    name: "audit_log",
    columns: COLUMNS,
    audience: Audience::Admin,
    doc: "What was done and refused: logins, changes of users, rights and tables, kills, acting for others.",
};

const COLUMNS: &[SystemColumn] = &[
    SystemColumn::key("audit_id", BigInt, "Number of the entry; grows with time."),
    SystemColumn::required("at", DateTime, "When it happened; of several times, the last."),
    SystemColumn::nullable("user_id", Text, "Who did it. NULL where nobody had proven to be that."),
    SystemColumn::nullable("acting_as", Text, "In whose name, where that is another user."),
    SystemColumn::required(
        "kind",
        Text,
        "`ddl`, `user`, `grant`, `kill`, `impersonation`, `login`, `login_failed`, `logout` or `token_revoked`.",
    ),
    SystemColumn::required("action", Text, "What was done, such as `CREATE TABLE`; never the text of a statement."),
    SystemColumn::nullable("object", Text, "What it was done to: a table, a user, a connection."),
    SystemColumn::required("outcome", Text, "`ok`, or the code of the error."),
    SystemColumn::nullable("client_addr", Text, "Address that it came from."),
    SystemColumn::required("occurrences", BigInt, "How many times, where repeats within a minute were put together."),
];
