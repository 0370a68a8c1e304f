//! What the door-keeper counts. Labels come from closed sets, never from what a client wrote.

use std::time::Duration;

use crate::error::AuthError;

/// How a login ended.
pub(crate) fn login<T>(result: &Result<T, AuthError>) {
    metrics::counter!("kalamdb_auth_logins_total", "outcome" => outcome(result)).increment(1);
}

/// How a refresh ended.
pub(crate) fn refresh<T>(result: &Result<T, AuthError>) {
    metrics::counter!("kalamdb_auth_refreshes_total", "outcome" => outcome(result)).increment(1);
}

/// How the check of an access token ended.
pub(crate) fn verification<T>(result: &Result<T, AuthError>) {
    metrics::counter!("kalamdb_auth_verifications_total", "outcome" => outcome(result)).increment(1);
}

/// A password was hashed or checked.
pub(crate) fn password_hashed(took: Duration) {
    metrics::histogram!("kalamdb_auth_password_seconds").record(took.as_secs_f64());
}

/// The keys of another issuer came, or did not.
pub(crate) fn keys_fetched(came: bool) {
    let outcome = if came { "fetched" } else { "failed" };
    metrics::counter!("kalamdb_auth_key_fetches_total", "outcome" => outcome).increment(1);
}

/// How many revoked pairs are remembered.
pub(crate) fn revoked_pairs(count: usize) {
    metrics::gauge!("kalamdb_auth_revoked_pairs").set(count as f64);
}

fn outcome<T>(result: &Result<T, AuthError>) -> &'static str {
    match result {
        Ok(_) => "accepted",
        Err(
            AuthError::InvalidCredentials | AuthError::InvalidToken | AuthError::UnusableUserName | AuthError::NoUser,
        ) => "invalid",
        Err(AuthError::TokenExpired) => "expired",
        Err(AuthError::TokenRevoked) => "revoked",
        Err(AuthError::RateLimited { .. }) => "limited",
        Err(AuthError::PasswordLength | AuthError::Unavailable | AuthError::NotForIssuer | AuthError::NotOurs) => {
            "refused"
        }
        Err(
            AuthError::Hash(_)
            | AuthError::HashingStopped(_)
            | AuthError::Sign(_)
            | AuthError::Random(_)
            | AuthError::Commit(_)
            | AuthError::Storage(_)
            | AuthError::Audit(_)
            | AuthError::User(_)
            | AuthError::Root(_),
        ) => "failed",
    }
}
