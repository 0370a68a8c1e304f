//! Tokens: signed, short, and checked whole every time.
//!
//! A token is a JWT signed with HS256 and our secret, and nothing else is taken: no other algorithm,
//! no other issuer, none without a signature. It names its user and its pair, never a role. There is
//! no way to read one without checking it.
//!
//! Whether the user still exists and the pair still counts is checked by [`crate::Auth`].

use std::fmt;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use kalamdb_commons::UserId;
use serde::{Deserialize, Serialize};

use crate::error::AuthError;
use crate::secret::Secret;

/// Longest token that is looked at, in bytes.
const TOKEN_BYTES_MAX: usize = 4096;
/// How far the clock may have gone back since a token was given out, in seconds.
const CLOCK_SKEW_SECS: i64 = 5;
const MICROS_PER_SEC: i64 = 1_000_000;

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TokenUse {
    /// To ask for something.
    Access,
    /// To get a new pair.
    Refresh,
}

/// What a token says, once it is known to be ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) user: UserId,
    /// The pair it was given out in.
    pub(crate) pair: u128,
    /// The login that the pair goes back to, through any number of refreshes.
    pub(crate) login: u128,
    /// What the user's `tokens_valid_after` was.
    pub(crate) tokens_valid_after: i64,
    /// End of this token, in whole seconds since the Unix epoch.
    pub(crate) expires_secs: i64,
    /// When both tokens of the pair have ended, in whole seconds since the Unix epoch.
    pub(crate) pair_expires_secs: i64,
}

/// The claims as they travel.
#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    iat: i64,
    nbf: i64,
    exp: i64,
    jti: String,
    sid: String,
    typ: TokenUse,
    /// `tokens_valid_after` of the user, in microseconds since the Unix epoch.
    tva: i64,
    /// `exp` of the pair's longer-lived token.
    pair_exp: i64,
}

/// Signs and checks tokens.
pub(crate) struct TokenKeys {
    issuer: String,
    signing: EncodingKey,
    checking: DecodingKey,
    rules: Validation,
}

impl fmt::Debug for TokenKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenKeys").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

impl TokenKeys {
    pub(crate) fn new(secret: &Secret, issuer: &str) -> Self {
        let mut rules = Validation::new(Algorithm::HS256);
        rules.set_issuer(&[issuer]);
        rules.set_required_spec_claims(&["iss", "sub", "exp", "nbf"]);
        // Both are checked below, against the clock that was handed in.
        rules.validate_exp = false;
        rules.validate_nbf = false;
        TokenKeys {
            issuer: issuer.to_owned(),
            signing: EncodingKey::from_secret(secret.as_bytes()),
            checking: DecodingKey::from_secret(secret.as_bytes()),
            rules,
        }
    }

    /// Gives out a token. `now` is in microseconds since the Unix epoch.
    pub(crate) fn issue(&self, grant: &Grant, usage: TokenUse, now: i64) -> Result<String, AuthError> {
        let since = now.div_euclid(MICROS_PER_SEC);
        let claims = Claims {
            iss: self.issuer.clone(),
            sub: grant.user.as_str().to_owned(),
            iat: since,
            nbf: since,
            exp: grant.expires_secs,
            jti: format!("{:032x}", grant.pair),
            sid: format!("{:032x}", grant.login),
            typ: usage,
            tva: grant.tokens_valid_after,
            pair_exp: grant.pair_expires_secs,
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.signing).map_err(AuthError::Sign)
    }

    /// What a token says.
    ///
    /// # Errors
    /// [`AuthError::TokenExpired`], or [`AuthError::InvalidToken`] for whatever else is wrong with it.
    pub(crate) fn read(&self, token: &str, usage: TokenUse, now: i64) -> Result<Grant, AuthError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(AuthError::InvalidToken);
        }
        let claims = match jsonwebtoken::decode::<Claims>(token, &self.checking, &self.rules) {
            Ok(decoded) => decoded.claims,
            Err(_) => return Err(AuthError::InvalidToken),
        };
        let begins = claims.nbf.saturating_sub(CLOCK_SKEW_SECS).saturating_mul(MICROS_PER_SEC);
        if claims.typ != usage || claims.iss != self.issuer || now < begins {
            return Err(AuthError::InvalidToken);
        }
        if now >= claims.exp.saturating_mul(MICROS_PER_SEC) {
            return Err(AuthError::TokenExpired);
        }
        Ok(Grant {
            user: UserId::new(&claims.sub).map_err(|_| AuthError::InvalidToken)?,
            pair: u128::from_str_radix(&claims.jti, 16).map_err(|_| AuthError::InvalidToken)?,
            login: u128::from_str_radix(&claims.sid, 16).map_err(|_| AuthError::InvalidToken)?,
            tokens_valid_after: claims.tva,
            expires_secs: claims.exp,
            pair_expires_secs: claims.pair_exp,
        })
    }
}

impl Grant {
    /// End of this token, in microseconds since the Unix epoch.
    pub(crate) fn expires_at(&self) -> i64 {
        self.expires_secs.saturating_mul(MICROS_PER_SEC)
    }

    /// When both tokens of the pair have ended, in microseconds since the Unix epoch.
    pub(crate) fn pair_expires_at(&self) -> i64 {
        self.pair_expires_secs.saturating_mul(MICROS_PER_SEC)
    }
}

/// The first whole second that is `ttl_secs` or more after `now`, so that no token is cut short.
pub(crate) fn end_secs(now: i64, ttl_secs: u64) -> i64 {
    let begun = now.saturating_add(MICROS_PER_SEC - 1).div_euclid(MICROS_PER_SEC);
    begun.saturating_add(i64::try_from(ttl_secs).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests;
