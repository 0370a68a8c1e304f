//! The users in memory, and the write sets that change them.
//!
//! A write set expects the very bytes it was decided on, so of two racing changes to one user only
//! one goes through; the other is a conflict and is decided anew.
//!
//! The rows of a user who is dropped are deleted afterwards, by others. Until that is done a record says
//! that the user is leaving, and nobody can be created under its name, who would find them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use kalamdb_commons::{ErrorCode, Role, SeqId, UserId};
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
    leaving: RwLock<BTreeSet<UserId>>,
    /// Every commit up to here has been taken over.
    position: AtomicU64,
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
    /// Its password, hashed, as a PHC string; empty if it has none.
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
    /// There was one, whose rows are still being deleted.
    #[error("the rows of a user \"{0}\" who was dropped are still being deleted; try again")]
    Leaving(UserId),
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
            UserError::Leaving(_) => ErrorCode::Conflict,
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
        let mut leaving = BTreeSet::new();
        for (key, _) in store.scan_records(RecordSpace::Auth, &AuthKey::Leaving.prefix())? {
            leaving.insert(leaving_of(&key).ok_or(StateError::Malformed { what: "user who leaves" })?);
        }
        let position = AtomicU64::new(store.last_seq().0);
        Ok(Users { by_id: RwLock::new(by_id), leaving: RwLock::new(leaving), position })
    }

    /// Takes over what a commit did to users. Called for every commit, in order.
    pub fn apply(&self, commit: &Commit) {
        let mut changed = false;
        for write in commit.records.iter().filter(|write| write.space == RecordSpace::Auth) {
            if let Some(user) = leaving_of(&write.key) {
                let mut leaving = self.leaving.write();
                let _ = if write.value.is_some() { leaving.insert(user) } else { leaving.remove(&user) };
            }
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
        self.position.store(commit.last.0, Ordering::Release);
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

    /// The users who were dropped and whose rows are still being deleted, by name.
    #[must_use]
    pub fn leaving(&self) -> Vec<UserId> {
        self.leaving.read().iter().cloned().collect()
    }

    /// Is this a user who was dropped and whose rows are still being deleted?
    #[must_use]
    pub fn is_leaving(&self, id: &UserId) -> bool {
        self.leaving.read().contains(id)
    }

    /// Says that no rows are left of a user who was dropped.
    #[must_use]
    pub fn left(&self, id: &UserId) -> WriteSet {
        WriteSet { records: vec![leaving(id, Expect::Any, None)], ..WriteSet::default() }
    }

    /// Creates a user. `now` is in microseconds since the Unix epoch.
    ///
    /// # Errors
    /// [`UserError`] when there is one of that name or the wish breaks a rule.
    pub fn create(&self, new: NewUser, now: i64) -> Result<WriteSet, UserError> {
        self.create_since(new, now, now)
    }

    /// Creates a user, who has no password if its hash is empty. Tokens that were given out from
    /// `tokens_valid_after` on count, though there was no such user then.
    ///
    /// # Errors
    /// As [`Users::create`].
    pub fn create_since(&self, new: NewUser, now: i64, tokens_valid_after: i64) -> Result<WriteSet, UserError> {
        if self.by_id.read().contains_key(&new.id) {
            return Err(UserError::Exists(new.id));
        }
        if self.is_leaving(&new.id) {
            return Err(UserError::Leaving(new.id));
        }
        check_email(new.email.as_deref())?;
        let record = UserRecord {
            id: new.id,
            role: new.role,
            password_hash: new.password_hash,
            email: new.email,
            created_at: now,
            updated_at: now,
            tokens_valid_after,
            since: SeqId(self.position.load(Ordering::Acquire)),
        };
        let mut writes = write(&record.id, Expect::Absent, Some(record.encode()?));
        writes.records.push(leaving(&record.id, Expect::Absent, None));
        Ok(writes)
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

    /// Drops a user, who then [leaves](Users::leaving) until [`Users::left`] is committed. `None`: there is none, and `if_exists` says that this is fine.
    ///
    /// # Errors
    /// [`UserError`] when there is no such user, or it is the one that must stay.
    pub fn remove(&self, id: &UserId, if_exists: bool) -> Result<Option<WriteSet>, UserError> {
        if *id == UserId::root() {
            return Err(UserError::RootStays);
        }
        match self.entry(id) {
            Ok((_, stored)) => {
                let mut writes = write(id, Expect::Value(stored), None);
                writes.records.push(leaving(id, Expect::Any, Some(Vec::new())));
                Ok(Some(writes))
            }
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

fn leaving(id: &UserId, expect: Expect, value: Option<Vec<u8>>) -> RecordWrite {
    RecordWrite { space: RecordSpace::Auth, key: AuthKey::leaving(id), expect, value }
}

/// The user of a record that says that one leaves.
fn leaving_of(key: &[u8]) -> Option<UserId> {
    let (AuthKey::Leaving, id) = AuthKey::split(key)? else { return None };
    UserId::new(std::str::from_utf8(id).ok()?).ok()
}

fn write(id: &UserId, expect: Expect, value: Option<Vec<u8>>) -> WriteSet {
    let record = RecordWrite { space: RecordSpace::Auth, key: AuthKey::user(id), expect, value };
    WriteSet { records: vec![record], ..WriteSet::default() }
}

#[cfg(test)]
mod tests;
