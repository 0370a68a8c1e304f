//! Changes of the users.
//!
//! They need the role dba or system. A user of role `system` is made, changed and dropped by `system`
//! alone, and nobody else gives that role away: a dba can make itself no more than it is, and take
//! nothing from those above it. Passwords are hashed before anything of them is kept; whatever ends a
//! user's tokens closes its connections, which the live side learns from the commit. What was granted to a
//! user who is dropped goes in the same commit, its rows in those that follow ([`departure`]).

pub mod departure;

use std::sync::Arc;

use kalamdb_auth::AuthError;
use kalamdb_commons::protocol::StatementResult;
use kalamdb_commons::{ErrorCode, Role, UserId};
use kalamdb_store::{CommitError, WriteSet};
use kalamdb_system::users::UserChange as StoredChange;
use kalamdb_system::{NewUser, UserError, UserRecord};

use crate::context::Caller;
use crate::engine::parts::EngineParts;
use crate::error::SqlError;
use crate::sql::statement::{UserChange, UserStatement};
use crate::sql::{audited, error_map};

/// Runs a statement that changes the users.
///
/// # Errors
/// `PERMISSION_DENIED` unless the caller may administer that user, `NOT_FOUND` and `ALREADY_EXISTS`,
/// `CONSTRAINT_VIOLATION` for a password or an address against the rules, `CONFLICT` when other changes
/// kept coming first.
pub async fn execute(
    engine: &EngineParts,
    caller: &Caller,
    statement: &UserStatement,
) -> Result<StatementResult, SqlError> {
    if !caller.role.is_admin() {
        return Err(SqlError::denied("changing users needs the role dba or system"));
    }
    let user = subject(statement);
    let found = engine.users.get(user);
    check(caller, statement, found.as_deref())?;
    if found.is_some() && matches!(statement, UserStatement::Create { if_not_exists: true, .. }) {
        return Ok(StatementResult { message: Some(unchanged(statement)), ..StatementResult::default() });
    }
    if matches!(statement, UserStatement::Create { .. }) && engine.users.is_leaving(user) {
        departure::finish(engine, user).await?;
    }
    let wish = Wish::of(engine, statement).await?;
    let entry = audited::of_user(caller, statement);
    for _ in 0..engine.limits.transaction_attempts_max.max(1) {
        let before = engine.users.get(user);
        check(caller, statement, before.as_deref())?;
        let Some(mut writes) = wish.writes(engine)? else {
            return Ok(StatementResult { message: Some(unchanged(statement)), ..StatementResult::default() });
        };
        // The write set may stand on a newer record than the one that was checked.
        if !same(before.as_ref(), engine.users.get(user).as_ref()) {
            continue;
        }
        audited::put(engine, &mut writes, &entry)?;
        match engine.store.commit(writes).await {
            Ok(committed) => {
                tracing::info!(by = %caller.user, ?statement, "users changed");
                let message = Some(changed(statement));
                return Ok(StatementResult { message, seq: Some(committed.last), ..StatementResult::default() });
            }
            Err(CommitError::Conflict) => {}
            Err(error) => return Err(error_map::from_commit(&error, &engine.catalog.state())),
        }
    }
    let text = format!("concurrent changes of user \"{user}\" did not settle; try again");
    Err(SqlError::new(ErrorCode::Conflict, text))
}

/// What is asked of the stored users, the password hashed.
enum Wish<'a> {
    Create { new: NewUser, if_not_exists: bool },
    Alter { user: &'a UserId, change: StoredChange },
    Drop { user: &'a UserId, if_exists: bool },
    RevokeTokens { user: &'a UserId },
}

impl<'a> Wish<'a> {
    async fn of(engine: &EngineParts, statement: &'a UserStatement) -> Result<Self, SqlError> {
        Ok(match statement {
            UserStatement::Create { user, password, role, email, if_not_exists } => {
                // A hash costs much; there must be a use for it.
                if engine.users.get(user).is_some() && !if_not_exists {
                    return Err(refused(&UserError::Exists(user.clone())));
                }
                let password_hash = hash(engine, password).await?;
                let new = NewUser { id: user.clone(), role: *role, password_hash, email: email.clone() };
                Wish::Create { new, if_not_exists: *if_not_exists }
            }
            UserStatement::Alter { user, change } => {
                if engine.users.get(user).is_none() {
                    return Err(refused(&UserError::Unknown(user.clone())));
                }
                let mut stored = StoredChange::default();
                match change {
                    UserChange::Password(password) => stored.password_hash = Some(hash(engine, password).await?),
                    UserChange::Role(role) => stored.role = Some(*role),
                    UserChange::Email(email) => stored.email = Some(email.clone()),
                }
                Wish::Alter { user, change: stored }
            }
            UserStatement::Drop { user, if_exists } => Wish::Drop { user, if_exists: *if_exists },
            UserStatement::RevokeTokens { user } => Wish::RevokeTokens { user },
        })
    }

    /// What to commit; `None`: it is already as wished.
    fn writes(&self, engine: &EngineParts) -> Result<Option<WriteSet>, SqlError> {
        let now = engine.store.clock().now_micros();
        let writes = match self {
            Wish::Create { new, if_not_exists } => match engine.users.create(new.clone(), now) {
                Err(UserError::Exists(_)) if *if_not_exists => Ok(None),
                created => created.map(Some),
            },
            Wish::Alter { user, change } => engine.users.alter(user, change.clone(), now).map(Some),
            Wish::Drop { user, if_exists } => {
                let writes = engine.users.remove(user, *if_exists);
                return with_grants(engine, user, writes.map_err(|error| refused(&error))?);
            }
            Wish::RevokeTokens { user } => engine.users.revoke_tokens(user, now).map(Some),
        };
        writes.map_err(|error| refused(&error))
    }
}

/// What drops a user, and with it all that was granted to it.
fn with_grants(engine: &EngineParts, user: &UserId, writes: Option<WriteSet>) -> Result<Option<WriteSet>, SqlError> {
    let Some(mut writes) = writes else { return Ok(None) };
    let grants = engine.catalog.state().forget_user(user).map_err(|error| error_map::from_catalog(&error))?;
    writes.records.extend(grants.records);
    Ok(Some(writes))
}

fn subject(statement: &UserStatement) -> &UserId {
    match statement {
        UserStatement::Create { user, .. }
        | UserStatement::Alter { user, .. }
        | UserStatement::Drop { user, .. }
        | UserStatement::RevokeTokens { user } => user,
    }
}

/// Fails unless the caller stands as high as the user does and as the role it gives.
fn check(caller: &Caller, statement: &UserStatement, user: Option<&UserRecord>) -> Result<(), SqlError> {
    if caller.role == Role::System {
        return Ok(());
    }
    let given = match statement {
        UserStatement::Create { role, .. } | UserStatement::Alter { change: UserChange::Role(role), .. } => Some(*role),
        UserStatement::Alter { .. } | UserStatement::Drop { .. } | UserStatement::RevokeTokens { .. } => None,
    };
    if given == Some(Role::System) {
        return Err(SqlError::denied("only a user of role system can give that role"));
    }
    if user.is_some_and(|user| user.role == Role::System) {
        return Err(SqlError::denied("only a user of role system can change another of that role"));
    }
    Ok(())
}

fn same(one: Option<&Arc<UserRecord>>, other: Option<&Arc<UserRecord>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

async fn hash(engine: &EngineParts, password: &str) -> Result<String, SqlError> {
    engine.auth.hash_password(password).await.map_err(|error: AuthError| match error.code() {
        ErrorCode::Internal => SqlError::internal(error),
        code => SqlError::new(code, error.to_string()),
    })
}

fn refused(error: &UserError) -> SqlError {
    match error.code() {
        ErrorCode::Internal => SqlError::internal(error),
        code => SqlError::new(code, error.to_string()),
    }
}

fn changed(statement: &UserStatement) -> String {
    match statement {
        UserStatement::Create { user, .. } => format!("user \"{user}\" created"),
        UserStatement::Alter { user, .. } => format!("user \"{user}\" altered"),
        UserStatement::Drop { user, .. } => format!("user \"{user}\" dropped"),
        UserStatement::RevokeTokens { user } => format!("tokens of user \"{user}\" revoked"),
    }
}

fn unchanged(statement: &UserStatement) -> String {
    let user = subject(statement);
    match statement {
        UserStatement::Create { .. } => format!("user \"{user}\" exists already; nothing changed"),
        UserStatement::Alter { .. } | UserStatement::Drop { .. } | UserStatement::RevokeTokens { .. } => {
            format!("user \"{user}\" does not exist; nothing changed")
        }
    }
}
