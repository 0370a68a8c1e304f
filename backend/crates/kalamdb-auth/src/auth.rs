//! The door-keeper: logins, tokens, and the first user.
//!
//! It keeps no sessions. Who a token speaks for is found in the stored user each time, so a change of
//! password or role, a drop or a revocation counts from the commit that makes it.

mod outside;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use kalamdb_commons::{Role, UserId};
use kalamdb_store::{Commit, CommitError, Store};
use kalamdb_system::{AuditEntry, AuditKind, AuditLog, NewUser, StateError, UserError, UserRecord, Users};

use crate::error::AuthError;
use crate::login_limit::{LoginLimit, RefreshLimit, RetryAfter};
use crate::metrics;
use crate::outside::{IssuerOptions, Issuers, KeyOptions};
use crate::password::{self, PASSWORD_BYTES_MAX, Passwords};
use crate::revocation::RevokedPairs;
use crate::secret::{Secret, random_bytes};
use crate::token::{Grant, TokenKeys, TokenUse, end_secs};

/// Refreshes per minute and user; more is no client that keeps itself logged in.
const REFRESHES_PER_MINUTE: u32 = 120;
/// Longest time that a refresh may take to be stored, and then some.
const RACING_REFRESH_MICROS: i64 = 60_000_000;

/// Knows who is asking.
pub struct Auth {
    store: Store,
    users: Arc<Users>,
    audit: AuditLog,
    options: AuthOptions,
    keys: TokenKeys,
    issuers: Issuers,
    passwords: Passwords,
    logins: LoginLimit,
    refreshes: RefreshLimit,
    revoked: RevokedPairs,
}

/// What the door-keeper is told.
#[derive(Debug, Clone)]
pub struct AuthOptions {
    /// Tokens are signed with it.
    pub secret: Secret,
    /// Name under which tokens are given out; those of others are not taken.
    pub issuer: String,
    /// Life of an access token.
    pub access_ttl_secs: u64,
    /// Life of a refresh token.
    pub refresh_ttl_secs: u64,
    /// Failed logins per minute, of one address and of one user; 0 means no limit.
    pub login_attempts_per_minute: u32,
    /// Other issuers whose tokens are taken; none means none.
    pub issuers: Vec<IssuerOptions>,
    /// How the keys of other issuers are kept.
    pub issuer_keys: KeyOptions,
}

/// Who a valid access token speaks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The user.
    pub user: UserId,
    /// Its role, as stored.
    pub role: Role,
    /// End of the token, in microseconds since the Unix epoch.
    pub expires_at: i64,
    /// The login that the token goes back to, through any number of refreshes; ended by a logout. Each token
    /// of another issuer is a login of its own.
    pub login: u128,
    /// What the user's `tokens_valid_after` is; when it changes, the token counts no more.
    pub tokens_valid_after: i64,
}

/// A pair of tokens. `Debug` does not show them.
#[derive(Clone)]
pub struct Tokens {
    /// Who they speak for.
    pub user: Arc<UserRecord>,
    /// To ask with.
    pub access_token: String,
    /// End of the access token, in microseconds since the Unix epoch.
    pub access_expires_at: i64,
    /// To get the next pair with.
    pub refresh_token: String,
    /// End of the refresh token, in microseconds since the Unix epoch.
    pub refresh_expires_at: i64,
}

/// What became of the first user. `Debug` does not show a password.
#[derive(Clone, PartialEq, Eq)]
pub enum RootOutcome {
    /// `root` was made.
    Created {
        /// Its password, where one had to be made up. It can be told only now.
        password: Option<String>,
    },
    /// There was one already; its password stays.
    Present,
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth").field("options", &self.options).finish_non_exhaustive()
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("user", &self.user).finish_non_exhaustive()
    }
}

impl fmt::Debug for RootOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RootOutcome::Created { .. } => "Created",
            RootOutcome::Present => "Present",
        })
    }
}

impl Auth {
    /// A door-keeper for the users of this store.
    ///
    /// # Errors
    /// [`StateError`] when the revoked pairs cannot be read.
    pub fn new(store: Store, users: Arc<Users>, audit: AuditLog, options: AuthOptions) -> Result<Auth, StateError> {
        let revoked = RevokedPairs::load(&store, store.clock().now_micros())?;
        let refreshes_per_minute = if options.login_attempts_per_minute == 0 { 0 } else { REFRESHES_PER_MINUTE };
        Ok(Auth {
            keys: TokenKeys::new(&options.secret, &options.issuer),
            issuers: Issuers::new(options.issuers.clone(), options.issuer_keys),
            passwords: Passwords::new(),
            logins: LoginLimit::new(options.login_attempts_per_minute),
            refreshes: RefreshLimit::new(refreshes_per_minute),
            revoked,
            store,
            users,
            audit,
            options,
        })
    }

    /// Who an access token speaks for. Everything is checked: signature, issuer, times, use, revocation,
    /// and that the user is still what it was when the token was given out.
    ///
    /// # Errors
    /// [`AuthError`] saying what is wrong with the token.
    pub fn verify(&self, token: &str) -> Result<Identity, AuthError> {
        let result = if self.is_ours(token) {
            self.granted(token, TokenUse::Access).map(|(grant, user)| Identity {
                expires_at: grant.expires_at(),
                user: grant.user,
                role: user.role,
                login: grant.login,
                tokens_valid_after: grant.tokens_valid_after,
            })
        } else {
            self.verify_outsider(token)
        };
        metrics::verification(&result);
        result
    }

    /// How much longer a token counts that ends at `expires_at`, in microseconds since the Unix epoch.
    #[must_use]
    pub fn time_left(&self, expires_at: i64) -> Duration {
        Duration::from_micros(u64::try_from(expires_at.saturating_sub(self.now())).unwrap_or(0))
    }

    /// Checks a password and gives out a pair of tokens. An unknown user and a wrong password get the
    /// same answer at the same cost.
    ///
    /// # Errors
    /// [`AuthError::InvalidCredentials`], or [`AuthError::RateLimited`] after too many wrong ones.
    pub async fn login(&self, user: &str, password: &str, address: IpAddr) -> Result<Tokens, AuthError> {
        let result = self.try_login(user, password, address).await;
        metrics::login(&result);
        match &result {
            Ok(tokens) => {
                let entry = AuditEntry::new(AuditKind::Login, "LOGIN").by(&tokens.user.id).from(Some(address));
                self.audit.record(&entry).await?;
            }
            Err(error) => {
                tracing::debug!(code = %error.code(), "a login was refused");
                self.note_failed_login("LOGIN", user, error, address);
            }
        }
        result
    }

    /// Counts a login that failed. What was written as a user's name may be a password, so only the name of
    /// a user that exists is kept, as what it was tried on: nobody has proven to be it.
    fn note_failed_login(&self, action: &'static str, user: &str, error: &AuthError, address: IpAddr) {
        let mut entry = AuditEntry::new(AuditKind::LoginFailed, action).refused(error.code()).from(Some(address));
        if let Some(user) = UserId::new(user).ok().and_then(|id| self.users.get(&id)) {
            entry = entry.on(user.id.as_str());
        }
        self.audit.note(entry);
    }

    async fn try_login(&self, user: &str, password: &str, address: IpAddr) -> Result<Tokens, AuthError> {
        self.logins.check(user, address, self.now())?;
        let turn = self.passwords.turn().await?;
        let attempt = self.logins.take(user, address, self.now())?;
        // A text that cannot be a password is not one for any user, known or unknown.
        let password = if password.len() > PASSWORD_BYTES_MAX { "" } else { password };
        let record = UserId::new(user).ok().and_then(|id| self.users.get(&id));
        // A user without a password is to a password like one that does not exist.
        let hash = record.as_ref().map(|record| record.password_hash.clone()).filter(|hash| !hash.is_empty());
        let right = self.passwords.verify(turn, password, hash.clone()).await?;
        // The user as it is now, unless its password was changed meanwhile.
        let current = record.and_then(|record| self.users.get(&record.id));
        match current.filter(|current| right && Some(&current.password_hash) == hash.as_ref()) {
            Some(current) => {
                self.logins.succeeded(&attempt, self.now());
                self.issue(current, random_id()?)
            }
            None => Err(AuthError::InvalidCredentials),
        }
    }

    /// Gives out a new pair for a refresh token, whose own pair counts no more. Connections that were
    /// opened with the old pair stay until its time is up, so that the new token can be shown on them.
    ///
    /// # Errors
    /// [`AuthError`] saying what is wrong with the token.
    pub async fn refresh(&self, refresh_token: &str) -> Result<Tokens, AuthError> {
        let result = self.try_refresh(refresh_token).await;
        metrics::refresh(&result);
        result
    }

    async fn try_refresh(&self, refresh_token: &str) -> Result<Tokens, AuthError> {
        if !self.is_ours(refresh_token) && self.issuers.named_in(refresh_token).is_some() {
            return Err(AuthError::NotOurs);
        }
        let (grant, user) = self.granted(refresh_token, TokenUse::Refresh)?;
        self.refreshes.take(&grant.user, self.now())?;
        let tokens = self.issue(user, grant.login)?;
        if self.retire(grant.pair, grant.pair_expires_at(), None).await? {
            Ok(tokens)
        } else {
            Err(AuthError::TokenRevoked)
        }
    }

    /// Ends the login that an access token goes back to: its pair counts no more, and its connections end.
    /// A token of another issuer counts no more here; with its issuer nothing changes.
    ///
    /// # Errors
    /// [`AuthError`] saying what is wrong with the token, or that the server is shutting down.
    pub async fn logout(&self, access_token: &str, address: IpAddr) -> Result<(), AuthError> {
        if !self.is_ours(access_token) {
            return self.log_outsider_out(access_token, address).await;
        }
        let (grant, _) = self.granted(access_token, TokenUse::Access)?;
        self.end_login(&grant, address).await
    }

    async fn end_login(&self, grant: &Grant, address: IpAddr) -> Result<(), AuthError> {
        // A refresh that is under way may still give out a pair, which lives longer than the one shown here.
        let longest = self.options.access_ttl_secs.max(self.options.refresh_ttl_secs);
        let last_end = self.now().saturating_add(RACING_REFRESH_MICROS).saturating_add(micros(longest));
        let entry = AuditEntry::new(AuditKind::Logout, "LOGOUT").by(&grant.user).from(Some(address));
        self.retire(grant.login, grant.pair_expires_at().max(last_end), Some(&entry)).await.map(drop)
    }

    /// Hashes a password to be, as a PHC string.
    ///
    /// # Errors
    /// [`AuthError::PasswordLength`] when it is too short or too long.
    pub async fn hash_password(&self, password: &str) -> Result<String, AuthError> {
        self.passwords.hash(password).await
    }

    /// Takes over what a commit did to revoked pairs. Called for every commit, in order.
    pub fn apply(&self, commit: &Commit) {
        self.revoked.apply(commit);
    }

    /// Makes the user `root` if there is none, with this password or a random one.
    ///
    /// # Errors
    /// [`AuthError`] when the password breaks the rule or the user cannot be stored.
    pub async fn ensure_root(&self, password: Option<String>) -> Result<RootOutcome, AuthError> {
        let root = UserId::root();
        if self.users.get(&root).is_some() {
            return Ok(RootOutcome::Present);
        }
        let (password, made_up) = match password {
            Some(password) => (password, None),
            None => {
                let password = password::make_up()?;
                (password.clone(), Some(password))
            }
        };
        let password_hash = self.hash_password(&password).await?;
        let new = NewUser { id: root, role: Role::System, password_hash, email: None };
        let mut writes = match self.users.create(new, self.now()) {
            Ok(writes) => writes,
            Err(UserError::Exists(_)) => return Ok(RootOutcome::Present),
            Err(error) => return Err(AuthError::Root(error)),
        };
        // Nobody did it: the server has just been started.
        self.audit.put(&mut writes, &AuditEntry::new(AuditKind::User, "CREATE USER").on(UserId::root().as_str()))?;
        match self.store.commit(writes).await {
            Ok(_) => Ok(RootOutcome::Created { password: made_up }),
            Err(CommitError::Conflict) => Ok(RootOutcome::Present),
            Err(error) => Err(error.into()),
        }
    }

    /// What a token grants, and to whom, if it counts.
    fn granted(&self, token: &str, usage: TokenUse) -> Result<(Grant, Arc<UserRecord>), AuthError> {
        let grant = self.keys.read(token, usage, self.now())?;
        let user = self.users.get(&grant.user).ok_or(AuthError::TokenRevoked)?;
        let is_retired = self.revoked.contains(grant.pair) || self.revoked.contains(grant.login);
        if user.tokens_valid_after != grant.tokens_valid_after || is_retired {
            return Err(AuthError::TokenRevoked);
        }
        Ok((grant, user))
    }

    fn issue(&self, user: Arc<UserRecord>, login: u128) -> Result<Tokens, AuthError> {
        let now = self.now();
        let (access_ends, refresh_ends) =
            (end_secs(now, self.options.access_ttl_secs), end_secs(now, self.options.refresh_ttl_secs));
        let access = Grant {
            user: user.id.clone(),
            pair: random_id()?,
            login,
            tokens_valid_after: user.tokens_valid_after,
            expires_secs: access_ends,
            pair_expires_secs: access_ends.max(refresh_ends),
        };
        let refresh = Grant { expires_secs: refresh_ends, ..access.clone() };
        Ok(Tokens {
            access_token: self.keys.issue(&access, TokenUse::Access, now)?,
            access_expires_at: access.expires_at(),
            refresh_token: self.keys.issue(&refresh, TokenUse::Refresh, now)?,
            refresh_expires_at: refresh.expires_at(),
            user,
        })
    }

    /// Retires a pair or a login, to be remembered until then; `false` when somebody else has just done it.
    async fn retire(&self, id: u128, until: i64, entry: Option<&AuditEntry>) -> Result<bool, AuthError> {
        let mut writes = self.revoked.retire(id, until, self.now());
        if let Some(entry) = entry {
            self.audit.put(&mut writes, entry)?;
        }
        match self.store.commit(writes).await {
            Ok(_) => Ok(true),
            Err(CommitError::Conflict) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn now(&self) -> i64 {
        self.store.clock().now_micros()
    }
}

fn micros(secs: u64) -> i64 {
    i64::try_from(secs).unwrap_or(i64::MAX).saturating_mul(1_000_000)
}

fn random_id() -> Result<u128, AuthError> {
    random_bytes().map(u128::from_be_bytes).map_err(AuthError::Random)
}

impl From<RetryAfter> for AuthError {
    fn from(RetryAfter(retry_after_secs): RetryAfter) -> Self {
        AuthError::RateLimited { retry_after_secs }
    }
}

#[cfg(test)]
pub(crate) mod tests;
