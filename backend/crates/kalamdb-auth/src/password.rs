//! Passwords: hashed with Argon2id, slowly on purpose, and away from the threads that serve sockets.
//!
//! A password is checked at the same cost whether or not its user exists. As each hash takes a core
//! and some 19 MiB for a while, only a few run at one time, and only so many wait for their turn.
//!
//! Which attempts are let this far is the business of [`crate::login_limit`].

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use argon2::password_hash::{self, PasswordHasher, PasswordVerifier, phc::PasswordHash};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::AuthError;
use crate::metrics;
use crate::secret::random_bytes;

/// Fewest bytes of a password to be.
pub const PASSWORD_BYTES_MIN: usize = 8;
/// Most bytes of a password.
pub const PASSWORD_BYTES_MAX: usize = 1024;

/// Most hashes that run at one time, however many cores there are.
const RUNNING_MAX: usize = 8;
/// Most callers that wait for their turn.
const WAITING_MAX: usize = 256;

/// Letters of a made-up password: none looks like another.
const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Letters in a made-up password, five bits each.
const MADE_UP_LETTERS: usize = 26;

/// Hashes and checks passwords.
pub(crate) struct Passwords {
    argon2: Argon2<'static>,
    running: Arc<Semaphore>,
    inside: Arc<Semaphore>,
}

/// Leave to hash one password. The slot is taken until the hash is done, also when nobody waits for it any more.
#[derive(Debug)]
pub(crate) struct Turn {
    _running: OwnedSemaphorePermit,
    _inside: OwnedSemaphorePermit,
}

impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passwords").finish_non_exhaustive()
    }
}

impl Passwords {
    pub(crate) fn new() -> Self {
        let running = std::thread::available_parallelism().map_or(1, usize::from).clamp(2, RUNNING_MAX);
        Passwords {
            // Argon2id, 19 MiB, two passes, one lane: what OWASP recommends.
            argon2: Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::DEFAULT),
            running: Arc::new(Semaphore::new(running)),
            inside: Arc::new(Semaphore::new(running.saturating_add(WAITING_MAX))),
        }
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// [`AuthError::RateLimited`] when too many wait already.
    pub(crate) async fn turn(&self) -> Result<Turn, AuthError> {
        let inside = Arc::clone(&self.inside).try_acquire_owned();
        let inside = inside.map_err(|_| AuthError::RateLimited { retry_after_secs: 1 })?;
        let running = Arc::clone(&self.running).acquire_owned().await.map_err(|_| AuthError::Unavailable)?;
        Ok(Turn { _running: running, _inside: inside })
    }

    /// Hashes a password to be.
    ///
    /// # Errors
    /// [`AuthError::PasswordLength`] when it breaks the rule.
    pub(crate) async fn hash(&self, password: &str) -> Result<String, AuthError> {
        check_length(password)?;
        let turn = self.turn().await?;
        let (argon2, password) = (self.argon2.clone(), password.to_owned());
        let hash = off_thread(turn, move || argon2.hash_password(password.as_bytes()).map(|hash| hash.to_string()));
        hash.await?.map_err(AuthError::Hash)
    }

    /// Is this the password that was hashed? Without a hash the same work is done, and the answer is no.
    pub(crate) async fn verify(&self, turn: Turn, password: &str, hash: Option<String>) -> Result<bool, AuthError> {
        let (argon2, password) = (self.argon2.clone(), password.to_owned());
        off_thread(turn, move || check(&argon2, password.as_bytes(), hash.as_deref())).await?.map_err(AuthError::Hash)
    }
}

/// May this become a password?
pub(crate) fn check_length(password: &str) -> Result<(), AuthError> {
    let fits = (PASSWORD_BYTES_MIN..=PASSWORD_BYTES_MAX).contains(&password.len());
    if fits { Ok(()) } else { Err(AuthError::PasswordLength) }
}

/// A password nobody can guess.
pub(crate) fn make_up() -> Result<String, AuthError> {
    let bytes: [u8; MADE_UP_LETTERS] = random_bytes().map_err(AuthError::Random)?;
    let letters = bytes.iter().filter_map(|byte| LETTERS.get(usize::from(byte & 31)));
    Ok(letters.map(|letter| char::from(*letter)).collect())
}

fn check<A>(algorithm: &A, password: &[u8], hash: Option<&str>) -> password_hash::Result<bool>
where
    A: PasswordHasher<PasswordHash> + PasswordVerifier<str>,
{
    let Some(hash) = hash else {
        let _same_work: PasswordHash = algorithm.hash_password(password)?;
        return Ok(false);
    };
    match algorithm.verify_password(password, hash) {
        Ok(()) => Ok(true),
        Err(password_hash::Error::PasswordInvalid) => Ok(false),
        Err(error) => Err(error),
    }
}

async fn off_thread<T: Send + 'static>(
    turn: Turn,
    work: impl FnOnce() -> password_hash::Result<T> + Send + 'static,
) -> Result<password_hash::Result<T>, tokio::task::JoinError> {
    let started = Instant::now();
    let done = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        work()
    })
    .await;
    metrics::password_hashed(started.elapsed());
    done
}

#[cfg(test)]
mod tests;
