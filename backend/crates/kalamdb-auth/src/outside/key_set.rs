//! A key set (JWKS) read: the public keys that may sign tokens, each with the algorithms it is for.
//!
//! Keys of kinds that are not taken, keys for encryption, secret keys and keys that are too weak are left
//! out one by one, as issuers publish such keys beside the others.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value as Json;

use super::source::KeySourceError;

/// Most keys of one set.
const KEYS_MAX: usize = 64;
/// Longest name of a key, in bytes.
pub(super) const KID_BYTES_MAX: usize = 512;
/// Size of an RSA modulus, in bytes: 2,048 to 8,192 bits.
const RSA_MODULUS_BYTES: std::ops::RangeInclusive<usize> = 256..=1_024;
/// Largest exponent of an RSA key, in bytes.
const RSA_EXPONENT_BYTES_MAX: usize = 8;
/// Size of an Ed25519 key, and of each coordinate of a P-256 key, in bytes.
const CURVE_BYTES: usize = 32;

/// The keys of an issuer.
#[derive(Debug, Default)]
pub(crate) struct KeySet(Vec<Key>);

/// A public key.
pub(super) struct Key {
    name: Option<String>,
    algorithms: Vec<Algorithm>,
    pub(super) checking: DecodingKey,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("name", &self.name).field("algorithms", &self.algorithms).finish_non_exhaustive()
    }
}

/// A key as it travels.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
    /// The private part of a key. Nothing that holds one is public.
    d: Option<Json>,
}

impl KeySet {
    /// Reads a key set. One without any key of use to us is a key set, too: then no token is taken.
    ///
    /// # Errors
    /// [`KeySourceError::NotKeys`] when it is something else.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, KeySourceError> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Json>,
        }
        let set: Set = serde_json::from_slice(bytes).map_err(|_| KeySourceError::NotKeys("no JSON with \"keys\""))?;
        if set.keys.len() > KEYS_MAX {
            return Err(KeySourceError::NotKeys("too many keys"));
        }
        Ok(KeySet(set.keys.into_iter().filter_map(|key| Key::of(serde_json::from_value(key).ok()?)).collect()))
    }

    /// How many keys there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The key of this name for this algorithm. A token that names none is checked with the only one there is.
    pub(super) fn find(&self, name: Option<&str>, algorithm: Algorithm) -> Option<&Key> {
        let mut fitting = self.0.iter().filter(|key| key.algorithms.contains(&algorithm));
        match name {
            Some(name) => fitting.find(|key| key.name.as_deref() == Some(name)),
            None => fitting.next().filter(|_| fitting.next().is_none()),
        }
    }
}

impl Key {
    fn of(jwk: Jwk) -> Option<Key> {
        let signs = jwk.usage.as_deref().is_none_or(|usage| usage == "sig")
            && jwk.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        let name_fits = jwk.kid.as_ref().is_none_or(|name| name.len() <= KID_BYTES_MAX);
        if !signs || !name_fits || jwk.d.is_some() {
            return None;
        }
        let (of_kind, checking) = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("RSA", None) => (vec![Algorithm::RS256, Algorithm::PS256], rsa(&jwk)?),
            ("EC", Some("P-256")) => (vec![Algorithm::ES256], p256(&jwk)?),
            ("OKP", Some("Ed25519")) => (vec![Algorithm::EdDSA], ed25519(&jwk)?),
            _ => return None,
        };
        let algorithms: Vec<Algorithm> = match &jwk.alg {
            None => of_kind,
            Some(name) => of_kind.into_iter().filter(|algorithm| algorithm_of(name) == Some(*algorithm)).collect(),
        };
        (!algorithms.is_empty()).then_some(Key { name: jwk.kid, algorithms, checking })
    }
}

/// The algorithm of this name, if tokens of other issuers may be signed with it.
pub(super) fn algorithm_of(name: &str) -> Option<Algorithm> {
    match name {
        "RS256" => Some(Algorithm::RS256),
        "PS256" => Some(Algorithm::PS256),
        "ES256" => Some(Algorithm::ES256),
        "EdDSA" => Some(Algorithm::EdDSA),
        _ => None,
    }
}

fn rsa(jwk: &Jwk) -> Option<DecodingKey> {
    let (modulus, exponent) = (jwk.n.as_ref()?, jwk.e.as_ref()?);
    let bytes = URL_SAFE_NO_PAD.decode(modulus).ok()?;
    // Zeros in front make no key longer.
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let exponent_bytes = URL_SAFE_NO_PAD.decode(exponent).ok()?.len();
    let fits = RSA_MODULUS_BYTES.contains(&bytes.len().saturating_sub(zeros))
        && (1..=RSA_EXPONENT_BYTES_MAX).contains(&exponent_bytes);
    fits.then(|| DecodingKey::from_rsa_components(modulus, exponent).ok()).flatten()
}

fn p256(jwk: &Jwk) -> Option<DecodingKey> {
    let (x, y) = (jwk.x.as_ref()?, jwk.y.as_ref()?);
    (is_point(x) && is_point(y)).then(|| DecodingKey::from_ec_components(x, y).ok()).flatten()
}

fn ed25519(jwk: &Jwk) -> Option<DecodingKey> {
    let x = jwk.x.as_ref()?;
    is_point(x).then(|| DecodingKey::from_ed_components(x).ok()).flatten()
}

fn is_point(text: &str) -> bool {
    URL_SAFE_NO_PAD.decode(text).is_ok_and(|bytes| bytes.len() == CURVE_BYTES)
}

#[cfg(test)]
mod tests;
