//! The users in memory, and the write sets that change them.
//!
//! A write set expects the very bytes it was decided on, so of two racing changes to one user only
//! one goes through; the other is a conflict and is decided anew.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use kalamdb_commons::{ErrorCode, Role, UserId};
use kalamdb_store::{Commit, Expect, RecordSpace, RecordWrite, Store, WriteSet};
use parking_lot::RwLock;

use super::UserRecord;
use crate::catalog::StateError;
use crate::metrics;
use crate::record_key::AuthKey;

/// Longest e-mail address, in bytes.
const EMAIL_BYTES_MAX: usize = 320;

/// All users. Shared; replaced user by user as commits say so.
#[derive(Debug)]
pub struct Users {
    by_id: RwLock<BTreeMap<UserId, Entry>>,
}

/// A user, and the bytes that stand in the store for it.
#[derive(Debug, Clone)]
struct Entry {
    record: Arc<UserRecord>,
    stored: StoredBytes,
}

#[derive(Clone)]
struct StoredBytes(Vec<u8>);

impl fmt::Debug for StoredBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // They hold the password hash.
        write!(f, "{} bytes", self.0.len())
    }
}

/// A user to be. `Debug` does not show the password hash.
#[derive(Clone)]
pub struct NewUser {
    /// Name of the user.
    pub id: UserId,
    /// What it may do.
    pub role: Role,
    /// Its password, hashed, as a PHC string.
    pub password_hash: String,
    /// E-mail address.
    pub email: Option<String>,
}

/// What of a user changes; `None` stays as it is. `Debug` does not show the password hash.
#[derive(Clone, Default)]
pub struct UserChange {
    /// The new role.
    pub role: Option<Role>,
    /// The new password, hashed.
    pub password_hash: Option<String>,
    /// The new e-mail address; an inner `None` takes it away.
    pub email: Option<Option<String>>,
}

impl fmt::Debug for NewUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewUser").field("id", &self.id).field("role", &self.role).finish_non_exhaustive()
    }
}

impl fmt::Debug for UserChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserChange").field("role", &self.role).finish_non_exhaustive()
    }
}

/// Why a user cannot be created or changed.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// There is no such user.
    #[error("user \"{0}\" does not exist")]
    Unknown(UserId),
    /// There is one already.
    #[error("user \"{0}\" exists already")]
    Exists(UserId),
    /// The first administrator must stay one, or nobody could get in any more.
    #[error("user \"root\" cannot be dropped and keeps its role")]
    RootStays,
    /// The e-mail address is too long or has no `@`.
    #[error("the e-mail address must hold an @ and be at most {EMAIL_BYTES_MAX} printable bytes")]
    MalformedEmail,
    /// The user could not be put into bytes.
    #[error("the user could not be encoded")]
    Encode(#[from] serde_json::Error),
}

impl UserError {
    /// The stable code a client is told.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            UserError::Unknown(_) => ErrorCode::NotFound,
            UserError::Exists(_) => ErrorCode::AlreadyExists,
            UserError::RootStays => ErrorCode::PermissionDenied,
            UserError::MalformedEmail => ErrorCode::ConstraintViolation,
            UserError::Encode(_) => ErrorCode::Internal,
        }
    }
}

impl Users {
    /// Reads all users from the store.
    ///
    /// # Errors
    /// [`StateError`] when the store cannot be read or holds something else than a user.
    pub fn load(store: &Store) -> Result<Users, StateError> {
        let mut by_id = BTreeMap::new();
        for (key, value) in store.scan_records(RecordSpace::Auth, &AuthKey::User.prefix())? {
            let (_, id) = AuthKey::split(&key).ok_or(StateError::Malformed { what: "user" })?;
            let record = UserRecord::decode(id, &value).ok_or(StateError::Malformed { what: "user" })?;
            by_id.insert(record.id.clone(), Entry { record: Arc::new(record), stored: StoredBytes(value) });
        }
        metrics::users(by_id.len());
        Ok(Users { by_id: RwLock::new(by_id) })
    }

    /// Takes over what a commit did to users. Called for every commit, in order.
    pub fn apply(&self, commit: &Commit) {
        let mut changed = false;
        for write in commit.records.iter().filter(|write| write.space == RecordSpace::Auth) {
            let Some((AuthKey::User, id)) = AuthKey::split(&write.key) else { continue };
            changed = true;
            let mut by_id = self.by_id.write();
            match &write.value {
                Some(value) => match UserRecord::decode(id, value) {
                    Some(record) => {
                        let entry = Entry { record: Arc::new(record), stored: StoredBytes(value.clone()) };
                        by_id.insert(entry.record.id.clone(), entry);
                    }
                    None => tracing::error!(seq = commit.last.0, "a commit holds a user that does not read"),
                },
                None => by_id.retain(|user, _| user.as_str().as_bytes() != id),
            }
        }
        if changed {
            metrics::users(self.by_id.read().len());
        }
    }

    /// The user of this name.
    #[must_use]
    pub fn get(&self, id: &UserId) -> Option<Arc<UserRecord>> {
        self.by_id.read().get(id).map(|entry| Arc::clone(&entry.record))
    }

    /// All users, by name.
    #[must_use]
    pub fn list(&self) -> Vec<Arc<UserRecord>> {
        self.by_id.read().values().map(|entry| Arc::clone(&entry.record)).collect()
    }

    /// Creates a user. `now` is in microseconds since the Unix epoch.
    ///
    /// # Errors
    /// [`UserError`] when there is one of that name or the wish breaks a rule.
    pub fn create(&self, new: NewUser, now: i64) -> Result<WriteSet, UserError> {
        if self.by_id.read().contains_key(&new.id) {
            return Err(UserError::Exists(new.id));
        }
        check_email(new.email.as_deref())?;
        let record = UserRecord {
            id: new.id,
            role: new.role,
            password_hash: new.password_hash,
            email: new.email,
            created_at: now,
            updated_at: now,
            tokens_valid_after: now,
        };
        Ok(write(&record.id, Expect::Absent, Some(record.encode()?)))
    }

    /// Changes a user. A new password or another role ends its tokens; a new e-mail address does not.
    ///
    /// # Errors
    /// [`UserError`] when there is no such user or the wish breaks a rule.
    pub fn alter(&self, id: &UserId, change: UserChange, now: i64) -> Result<WriteSet, UserError> {
        let (mut record, stored) = self.entry(id)?;
        if let Some(email) = change.email {
            check_email(email.as_deref())?;
            record.email = email;
        }
        let new_role = change.role.filter(|role| *role != record.role);
        if new_role.is_some() && *id == UserId::root() {
            return Err(UserError::RootStays);
        }
        if new_role.is_some() || change.password_hash.is_some() {
            end_tokens(&mut record, now);
        }
        record.role = new_role.unwrap_or(record.role);
        record.password_hash = change.password_hash.unwrap_or(record.password_hash);
        record.updated_at = now;
        Ok(write(id, Expect::Value(stored), Some(record.encode()?)))
    }

    /// Ends all tokens of a user.
    ///
    /// # Errors
    /// [`UserError::Unknown`] when there is no such user.
    pub fn revoke_tokens(&self, id: &UserId, now: i64) -> Result<WriteSet, UserError> {
        let (mut record, stored) = self.entry(id)?;
        end_tokens(&mut record, now);
        Ok(write(id, Expect::Value(stored), Some(record.encode()?)))
    }

    /// Drops a user. `None`: there is none, and `if_exists` says that this is fine.
    ///
    /// # Errors
    /// [`UserError`] when there is no such user, or it is the one that must stay.
    pub fn remove(&self, id: &UserId, if_exists: bool) -> Result<Option<WriteSet>, UserError> {
        if *id == UserId::root() {
            return Err(UserError::RootStays);
        }
        match self.entry(id) {
            Ok((_, stored)) => Ok(Some(write(id, Expect::Value(stored), None))),
            Err(UserError::Unknown(_)) if if_exists => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn entry(&self, id: &UserId) -> Result<(UserRecord, Vec<u8>), UserError> {
        let by_id = self.by_id.read();
        let entry = by_id.get(id).ok_or_else(|| UserError::Unknown(id.clone()))?;
        Ok((entry.record.as_ref().clone(), entry.stored.0.clone()))
    }
}

/// Raises `tokens_valid_after`, also when the clock stands still or went back.
fn end_tokens(record: &mut UserRecord, now: i64) {
    record.tokens_valid_after = now.max(record.tokens_valid_after.saturating_add(1));
}

fn check_email(email: Option<&str>) -> Result<(), UserError> {
    let fine = |email: &str| {
        email.len() <= EMAIL_BYTES_MAX
            && email.contains('@')
            && !email.chars().any(|c| c.is_control() || c.is_whitespace())
    };
    if email.is_none_or(fine) { Ok(()) } else { Err(UserError::MalformedEmail) }
}

fn write(id: &UserId, expect: Expect, value: Option<Vec<u8>>) -> WriteSet {
    let record = RecordWrite { space: RecordSpace::Auth, key: AuthKey::user(id), expect, value };
    WriteSet { records: vec![record], ..WriteSet::default() }
}

#[cfg(test)]
mod tests;
