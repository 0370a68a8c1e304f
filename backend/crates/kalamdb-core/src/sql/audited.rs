//! What a statement leaves in the audit log: what kind of thing it does, and to what.
//!
//! A change is noted in its own commit by whoever makes it; a kill, an impersonation and a refusal are
//! noted by the request. Only names are kept, never a value, a password or the statement's text.

use std::collections::BTreeSet;

use datafusion::common::TableReference;
use datafusion::sql::parser::Statement as DFStatement;
use datafusion::sql::resolve::resolve_table_references;
use datafusion::sql::sqlparser::ast;
use kalamdb_commons::Name;
use kalamdb_store::WriteSet;
use kalamdb_system::{AuditEntry, AuditKind};

use super::error_map;
use super::statement::{Ddl, GrantStatement, Statement, UserStatement};
use crate::context::Caller;
use crate::engine::parts::EngineParts;
use crate::error::SqlError;

/// The entry about a statement that only administrators may run; `None` for all others.
#[must_use]
pub fn entry(caller: &Caller, namespace: &Name, statement: &Statement) -> Option<AuditEntry> {
    match statement {
        Statement::Ddl(ddl) => Some(of_ddl(caller, namespace, ddl)),
        Statement::User(statement) => Some(of_user(caller, statement)),
        Statement::KillConnection(id) => Some(caller.audit(AuditKind::Kill, "KILL CONNECTION").on(id.as_str())),
        Statement::KillLiveQuery(id) => Some(caller.audit(AuditKind::Kill, "KILL LIVE QUERY").on(id.as_str())),
        Statement::ExecuteAs { user, statement } => {
            let action = match statement.kind() {
                "insert" => "INSERT",
                "update" => "UPDATE",
                "delete" => "DELETE",
                _ => "SELECT",
            };
            let entry = caller.audit(AuditKind::Impersonation, action).acting_as(user);
            let tables = tables_of(namespace, statement);
            Some(if tables.is_empty() { entry } else { entry.on(Vec::from_iter(tables).join(", ")) })
        }
        Statement::Query(_)
        | Statement::Dml(_)
        | Statement::Begin
        | Statement::Commit
        | Statement::Rollback
        | Statement::Explain(_)
        | Statement::ExplainLive(_)
        | Statement::Use(_)
        | Statement::ShowNamespaces
        | Statement::ShowTables(_)
        | Statement::ShowGrants(_)
        | Statement::DescribeTable(_) => None,
    }
}

/// Full names of what a statement names as tables.
fn tables_of(namespace: &Name, statement: &Statement) -> BTreeSet<String> {
    let ast = match statement {
        Statement::Query(query) => ast::Statement::Query(query.clone()),
        Statement::Dml(dml) => ast::Statement::clone(dml),
        _ => return BTreeSet::new(),
    };
    let found = resolve_table_references(&DFStatement::Statement(Box::new(ast)), true);
    let tables = found.map(|(tables, _ctes)| tables).unwrap_or_default();
    let full = |table: &TableReference| match table.schema() {
        Some(schema) => format!("{schema}.{}", table.table()),
        None => format!("{namespace}.{}", table.table()),
    };
    tables.iter().map(full).collect()
}

/// The entry about a change of the catalog.
#[must_use]
pub fn of_ddl(caller: &Caller, namespace: &Name, ddl: &Ddl) -> AuditEntry {
    let (action, object) = match ddl {
        Ddl::CreateNamespace { name, .. } => ("CREATE NAMESPACE", name.to_string()),
        Ddl::DropNamespace { name, .. } => ("DROP NAMESPACE", name.to_string()),
        Ddl::CreateTable(create) => ("CREATE TABLE", create.table.within(namespace).to_string()),
        Ddl::DropTable { table, .. } => ("DROP TABLE", table.within(namespace).to_string()),
        Ddl::AlterTable { table, .. } => ("ALTER TABLE", table.within(namespace).to_string()),
        Ddl::CreateIndex(create) => ("CREATE INDEX", create.table.within(namespace).to_string()),
        Ddl::DropIndex { table, .. } => ("DROP INDEX", table.within(namespace).to_string()),
        Ddl::Grant(GrantStatement { table, rights, grantee, revoke }) => {
            let (action, preposition) = if *revoke { ("REVOKE", "from") } else { ("GRANT", "to") };
            let object = format!("{rights} on {} {preposition} {grantee}", table.within(namespace));
            return caller.audit(AuditKind::Grant, action).on(object);
        }
    };
    caller.audit(AuditKind::Ddl, action).on(object)
}

/// The entry about a change of the users.
#[must_use]
pub fn of_user(caller: &Caller, statement: &UserStatement) -> AuditEntry {
    let (kind, action, user) = match statement {
        UserStatement::Create { user, .. } => (AuditKind::User, "CREATE USER", user),
        UserStatement::Alter { user, .. } => (AuditKind::User, "ALTER USER", user),
        UserStatement::Drop { user, .. } => (AuditKind::User, "DROP USER", user),
        UserStatement::RevokeTokens { user } => (AuditKind::TokenRevoked, "REVOKE TOKENS", user),
    };
    caller.audit(kind, action).on(user.as_str())
}

/// Lets a change write its own entry.
///
/// # Errors
/// `INTERNAL` when the entry cannot be put into bytes.
pub fn put(engine: &EngineParts, writes: &mut WriteSet, entry: &AuditEntry) -> Result<(), SqlError> {
    engine.audit.put(writes, entry).map_err(|error| error_map::from_audit(&error))
}

/// Writes an entry about what no commit does, before it is answered.
///
/// # Errors
/// `UNAVAILABLE` when the server is shutting down, `INTERNAL` when it cannot be written.
pub async fn record(engine: &EngineParts, entry: &AuditEntry) -> Result<(), SqlError> {
    engine.audit.record(entry).await.map_err(|error| error_map::from_audit(&error))
}
