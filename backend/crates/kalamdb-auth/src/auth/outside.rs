//! Tokens of other issuers against the stored users.
//!
//! Their user must exist, or is made where its issuer may do that; it stands above the role `user` only if
//! its issuer was named for it. They count until their time is up, a logout ends them, or the user's tokens
//! are ended: those that were given out before that count no more.

use std::net::IpAddr;
use std::sync::Arc;

use kalamdb_commons::{ErrorCode, Role, UserId};
use kalamdb_store::CommitError;
use kalamdb_system::{AuditEntry, AuditKind, NewUser, UserError, UserRecord};

use super::{Auth, Identity};
use crate::error::AuthError;
use crate::metrics;
use crate::outside::{Issuer, OutsideGrant, OutsideRefusal};

/// What the check of a token came to.
enum Checked {
    Known(Identity),
    /// Everything is right, but there is no such user, and its issuer may make one.
    Newcomer(OutsideGrant),
}

impl Auth {
    /// Who an access token speaks for, of ours or of another issuer. As [`Auth::verify`], and beyond that it
    /// looks for keys that are not known yet and makes users where that is configured.
    ///
    /// # Errors
    /// [`AuthError`] saying what is wrong with the token.
    pub async fn admit(&self, token: &str, address: IpAddr) -> Result<Identity, AuthError> {
        if self.is_ours(token) {
            return self.verify(token);
        }
        let result = self.admit_outsider(token, address).await;
        metrics::verification(&result);
        if let Err(error) = &result
            && error.code() != ErrorCode::TokenExpired
            && self.issuers.named_in(token).is_some()
        {
            let entry = AuditEntry::new(AuditKind::LoginFailed, "TOKEN").refused(error.code());
            self.audit.note(entry.from(Some(address)));
        }
        result
    }

    /// Fetches the keys of other issuers where it is time to. To be called every few seconds.
    pub async fn upkeep(&self) {
        for issuer in self.issuers.iter() {
            issuer.keys.upkeep(self.store.clock()).await;
        }
    }

    pub(super) fn is_ours(&self, token: &str) -> bool {
        self.issuers.iter().next().is_none() || crate::outside::is_ours(token)
    }

    /// The same as [`Auth::admit`] without waiting for anything.
    pub(super) fn verify_outsider(&self, token: &str) -> Result<Identity, AuthError> {
        match self.check_outsider(token) {
            Ok(Checked::Known(identity)) => Ok(identity),
            Ok(Checked::Newcomer(_)) => Err(AuthError::NoUser),
            Err(OutsideRefusal::Auth(error)) => Err(error),
            Err(OutsideRefusal::Unknown | OutsideRefusal::UnknownKey) => Err(AuthError::InvalidToken),
        }
    }

    /// Ends a token, which counts no more from now on.
    pub(super) async fn log_outsider_out(&self, token: &str, address: IpAddr) -> Result<(), AuthError> {
        let identity = self.admit_outsider(token, address).await?;
        let entry = AuditEntry::new(AuditKind::Logout, "LOGOUT").by(&identity.user).from(Some(address));
        self.retire(identity.login, identity.expires_at, Some(&entry)).await.map(drop)
    }

    async fn admit_outsider(&self, token: &str, address: IpAddr) -> Result<Identity, AuthError> {
        if let Err(OutsideRefusal::UnknownKey) = self.check_outsider(token)
            && let Some(issuer) = self.issuers.named_in(token)
        {
            issuer.keys.look_again(self.store.clock()).await;
        }
        if let Ok(Checked::Newcomer(grant)) = self.check_outsider(token) {
            self.make_newcomer(&grant, address).await?;
        }
        self.verify_outsider(token)
    }

    fn check_outsider(&self, token: &str) -> Result<Checked, OutsideRefusal> {
        let (issuer, grant) = self.issuers.read(token, self.now())?;
        if self.revoked.contains(grant.id) {
            return Err(AuthError::TokenRevoked.into());
        }
        match self.users.get(&grant.user) {
            Some(user) => Ok(Checked::Known(identity(issuer, grant, &user)?)),
            None if issuer.options.create_users && grant.user != UserId::root() => Ok(Checked::Newcomer(grant)),
            None => Err(AuthError::NoUser.into()),
        }
    }

    /// Makes the user whom a token speaks for: of the lowest role, with no password.
    async fn make_newcomer(&self, grant: &OutsideGrant, address: IpAddr) -> Result<(), AuthError> {
        let new = NewUser { id: grant.user.clone(), role: Role::User, password_hash: String::new(), email: None };
        // The token that brings the user along was given out before there was one.
        let mut writes = match self.users.create_since(new, self.now(), grant.issued_at) {
            Ok(writes) => writes,
            Err(UserError::Exists(_)) => return Ok(()),
            Err(UserError::Leaving(_)) => return Err(AuthError::NoUser),
            Err(error) => return Err(AuthError::User(error)),
        };
        let entry = AuditEntry::new(AuditKind::User, "CREATE USER").by(&grant.user).on(grant.user.as_str());
        self.audit.put(&mut writes, &entry.from(Some(address)))?;
        match self.store.commit(writes).await {
            Ok(_) => tracing::info!(user = %grant.user, "a user was made for a token of another issuer"),
            // Somebody else made it, or its name has just been taken away: looked at again by the caller.
            Err(CommitError::Conflict) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}

fn identity(issuer: &Issuer, grant: OutsideGrant, user: &Arc<UserRecord>) -> Result<Identity, AuthError> {
    let is_elevated = user.role != Role::User;
    if (is_elevated && !issuer.options.elevated_users.contains(&user.id)) || user.id == UserId::root() {
        return Err(AuthError::NotForIssuer);
    }
    if grant.issued_at < user.tokens_valid_after {
        return Err(AuthError::TokenRevoked);
    }
    Ok(Identity {
        user: grant.user,
        role: user.role,
        expires_at: grant.expires_at,
        login: grant.id,
        tokens_valid_after: user.tokens_valid_after,
    })
}

#[cfg(test)]
mod tests;
