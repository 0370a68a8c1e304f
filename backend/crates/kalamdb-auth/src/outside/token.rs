//! A token of another issuer, checked whole.
//!
//! What is read before the signature is checked (the algorithm, the name of the key, the issuer) only
//! chooses what to check it with. Keys that a token brings along are never looked at.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Validation};
use kalamdb_commons::UserId;
use serde::Deserialize;
use serde_json::{Map, Value as Json};

use super::key_set::{KID_BYTES_MAX, algorithm_of};
use super::{Issuer, Issuers};
use crate::error::AuthError;

/// Longest token of another issuer that is looked at, in bytes: they carry more than ours.
const TOKEN_BYTES_MAX: usize = 8_192;
/// How far an issuer's clock may be ahead, in seconds.
const CLOCK_SKEW_SECS: i64 = 30;
const MICROS_PER_SEC: i64 = 1_000_000;
/// The algorithm of our own tokens, which no other issuer's token may have.
const OURS: &str = "HS256";
/// What a token may say that it is.
const TYPES: [&str; 3] = ["jwt", "at+jwt", "application/at+jwt"];
/// Makes an id of a token's text. It is no secret: the id only has to be another for every token.
const ID_KEY: &[u8] = b"kalamdb: id of a token of another issuer";

/// What a token says, once its signature and times are known to be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OutsideGrant {
    pub(crate) user: UserId,
    /// Takes the place of the login: ended by a logout.
    pub(crate) id: u128,
    /// When it was given out, in microseconds since the Unix epoch, to the second.
    pub(crate) issued_at: i64,
    /// Its end, in microseconds since the Unix epoch.
    pub(crate) expires_at: i64,
}

/// Why a token is not taken as it stands.
#[derive(Debug)]
pub(crate) enum OutsideRefusal {
    /// It is not one of these issuers' tokens.
    Unknown,
    /// No key of its name is known.
    UnknownKey,
    /// It is wrong, or over.
    Auth(AuthError),
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    /// Says that there is something one must understand. There is nothing of the kind that we do.
    crit: Option<Json>,
    /// Says that the payload is encoded in another way, which belongs to `crit`.
    b64: Option<Json>,
}

/// Says the token that it was signed as we sign ours? Then nobody else's keys are tried on it.
pub(crate) fn is_ours(token: &str) -> bool {
    header_of(token).is_none_or(|header| header.alg == OURS)
}

impl Issuers {
    /// The issuer that the token says it is from. It has proven nothing yet.
    pub(crate) fn named_in(&self, token: &str) -> Option<&Issuer> {
        #[derive(Deserialize)]
        struct Named {
            iss: String,
        }
        let named: Named = if token.len() <= TOKEN_BYTES_MAX { part(token, 1)? } else { return None };
        self.get(&named.iss)
    }

    /// What a token says. `now` is in microseconds since the Unix epoch.
    ///
    /// # Errors
    /// [`OutsideRefusal`] saying what is wrong with it.
    pub(crate) fn read(&self, token: &str, now: i64) -> Result<(&Issuer, OutsideGrant), OutsideRefusal> {
        let issuer = self.named_in(token).ok_or(OutsideRefusal::Unknown)?;
        let (algorithm, key_name) = choice(token).ok_or(OutsideRefusal::Auth(AuthError::InvalidToken))?;
        let keys = issuer.keys.keys(now);
        let key = keys.find(key_name.as_deref(), algorithm).ok_or(OutsideRefusal::UnknownKey)?;
        let decoded = jsonwebtoken::decode::<Map<String, Json>>(token, &key.checking, &rules(issuer, algorithm));
        let claims = decoded.map_err(|_| AuthError::InvalidToken)?.claims;
        Ok((issuer, granted(issuer, token, &claims, now)?))
    }
}

impl From<AuthError> for OutsideRefusal {
    fn from(error: AuthError) -> Self {
        OutsideRefusal::Auth(error)
    }
}

/// With what to check a token: the algorithm, and the name of the key.
fn choice(token: &str) -> Option<(Algorithm, Option<String>)> {
    let header = header_of(token)?;
    let is_token = header.typ.is_none_or(|typ| TYPES.contains(&typ.to_ascii_lowercase().as_str()));
    let name_fits = header.kid.as_ref().is_none_or(|name| name.len() <= KID_BYTES_MAX);
    if !is_token || !name_fits || header.crit.is_some() || header.b64.is_some() {
        return None;
    }
    Some((algorithm_of(&header.alg)?, header.kid))
}

fn rules(issuer: &Issuer, algorithm: Algorithm) -> Validation {
    let mut rules = Validation::new(algorithm);
    rules.set_issuer(&[&issuer.options.issuer]);
    rules.set_audience(&issuer.options.audiences);
    rules.set_required_spec_claims(&["iss", "aud", "exp"]);
    // The times are checked below, against the clock that was handed in.
    rules.validate_exp = false;
    rules.validate_nbf = false;
    rules
}

fn granted(issuer: &Issuer, token: &str, claims: &Map<String, Json>, now: i64) -> Result<OutsideGrant, AuthError> {
    let options = &issuer.options;
    if claims.get("iss").and_then(Json::as_str) != Some(options.issuer.as_str()) {
        return Err(AuthError::InvalidToken);
    }
    let expires_at = seconds(claims.get("exp"))?.ok_or(AuthError::InvalidToken)?;
    let issued_at = seconds(claims.get("iat"))?.ok_or(AuthError::InvalidToken)?;
    let begins_at = seconds(claims.get("nbf"))?.unwrap_or(issued_at).max(issued_at);
    if now < begins_at.saturating_sub(CLOCK_SKEW_SECS.saturating_mul(MICROS_PER_SEC)) {
        return Err(AuthError::InvalidToken);
    }
    if now >= expires_at {
        return Err(AuthError::TokenExpired);
    }
    let named = claims.get(&options.user_claim).and_then(Json::as_str).ok_or(AuthError::InvalidToken)?;
    let user = UserId::new(&format!("{}{named}", options.user_prefix)).map_err(|_| AuthError::UnusableUserName)?;
    Ok(OutsideGrant { user, id: id_of(token)?, issued_at, expires_at })
}

/// A time in whole seconds, as microseconds; `None` where there is none.
fn seconds(claim: Option<&Json>) -> Result<Option<i64>, AuthError> {
    let Some(claim) = claim else { return Ok(None) };
    // Times may be written with a fraction; the range is checked before it is cut off.
    let whole = claim.as_i64().or_else(|| {
        let number = claim.as_f64().filter(|number| (0.0..9.0e12).contains(number))?;
        Some(number as i64)
    });
    whole.map(|secs| Some(secs.saturating_mul(MICROS_PER_SEC))).ok_or(AuthError::InvalidToken)
}

/// An id that no other token has. The signature has no part in it: there are several for one token.
fn id_of(token: &str) -> Result<u128, AuthError> {
    let (signed, _) = token.rsplit_once('.').ok_or(AuthError::InvalidToken)?;
    let digest = jsonwebtoken::crypto::sign(signed.as_bytes(), &EncodingKey::from_secret(ID_KEY), Algorithm::HS256)
        .map_err(AuthError::Sign)?;
    let bytes = URL_SAFE_NO_PAD.decode(digest).unwrap_or_default();
    let first = bytes.first_chunk::<16>().ok_or(AuthError::InvalidToken)?;
    Ok(u128::from_be_bytes(*first))
}

fn header_of(token: &str) -> Option<Header> {
    if token.len() > TOKEN_BYTES_MAX { None } else { part(token, 0) }
}

/// One of the three parts of a token, not checked by anybody.
fn part<T: for<'de> Deserialize<'de>>(token: &str, number: usize) -> Option<T> {
    let parts: Vec<&str> = token.splitn(4, '.').collect();
    let [_, _, _] = parts.as_slice() else { return None };
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts.get(number)?).ok()?).ok()
}

#[cfg(test)]
pub(crate) mod tests;
