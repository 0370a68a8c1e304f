//! `GRANT` and `REVOKE` of rights on a table.
//!
//! Who administers has every right on every table, so what is granted matters to the roles below. A
//! user of role `system` is above a dba, who can give it nothing and take nothing from it. REVOKE
//! takes back what was granted, never what the access level gives, and says so.
//!
//! The gate is closed until the live loop has the commit in its queue, so no row is written between the
//! loss of a right and that moment: whatever is read later comes to the loop later.

use kalamdb_commons::{Role, TableName};
use kalamdb_system::{Grantee, Rights, TableKind, UserError};

use super::{Change, Decision, refused};
use crate::context::StatementContext;
use crate::engine::parts::EngineParts;
use crate::error::SqlError;
use crate::sql::statement::GrantStatement;

/// What a GRANT or REVOKE comes to.
///
/// # Errors
/// `NOT_FOUND` for a table or user that is not there, `UNSUPPORTED` for a table that is not SHARED,
/// `PERMISSION_DENIED` for a user above the caller, `TOO_LARGE` for too many grantees.
pub(super) fn decide(
    engine: &EngineParts,
    ctx: &StatementContext,
    statement: &GrantStatement,
) -> Result<Decision, SqlError> {
    let GrantStatement { rights, grantee, revoke, .. } = statement;
    let name = statement.table.within(&ctx.namespace);
    // The table first: what is wrong with it is wrong for everybody.
    let revision = if *revoke {
        ctx.catalog.revoke(&name, grantee, *rights)
    } else {
        ctx.catalog.grant(&name, grantee, *rights, engine.limits.grantees_max)
    };
    let revision = revision.map_err(refused)?;
    let role = role_of(engine, ctx, grantee)?;
    let changed = revision.is_some();
    let mut message = match (changed, revoke) {
        (true, false) => format!("{rights} on table \"{name}\" granted to {grantee}"),
        (true, true) => format!("{rights} on table \"{name}\" revoked from {grantee}"),
        (false, false) if role.is_admin() => {
            format!("{grantee} may do everything with table \"{name}\" already; nothing changed")
        }
        (false, false) => format!("{rights} on table \"{name}\" was granted to {grantee} before; nothing changed"),
        (false, true) => format!("{rights} on table \"{name}\" was not granted to {grantee}; nothing changed"),
    };
    if *revoke {
        let left = still_has(ctx, &name, grantee, role, revision.as_ref().map(|revision| revision.table.as_ref()));
        let left = left.among(*rights);
        if !left.is_empty() {
            message.push_str(&format!(
                ". It still has {left}, by its role, the table's ACCESS_LEVEL or a grant to a role"
            ));
        }
    }
    Ok(Decision { change: Change::from(revision), message })
}

/// The role that the grantee is or has.
fn role_of(engine: &EngineParts, ctx: &StatementContext, grantee: &Grantee) -> Result<Role, SqlError> {
    let user = match grantee {
        Grantee::Role(role) => return Ok(*role),
        Grantee::User(user) => user,
    };
    let Some(record) = engine.users.get(user) else {
        return Err(SqlError::not_found(UserError::Unknown(user.clone()).to_string()));
    };
    if record.role > ctx.caller.role {
        return Err(SqlError::denied("only a user of role system can change the rights of another of that role"));
    }
    Ok(record.role)
}

/// What the grantee may do after a REVOKE, which left the table as `after` if it changed it.
fn still_has(
    ctx: &StatementContext,
    name: &TableName,
    grantee: &Grantee,
    role: Role,
    after: Option<&kalamdb_system::TableDef>,
) -> Rights {
    let Some(table) = after.or_else(|| ctx.catalog.table(name).map(AsRef::as_ref)) else { return Rights::NONE };
    debug_assert_eq!(table.kind, TableKind::Shared, "others have no grants");
    match grantee {
        Grantee::User(user) => table.rights_of(user, role),
        Grantee::Role(role) => {
            let reaching = table.grants.iter().filter(|grant| match &grant.grantee {
                Grantee::Role(granted) => role >= granted,
                Grantee::User(_) => false,
            });
            reaching.fold(table.rights_by_level(*role), |rights, grant| rights.and(grant.rights))
        }
    }
}
