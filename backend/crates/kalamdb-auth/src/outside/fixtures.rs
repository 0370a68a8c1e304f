//! An issuer for tests: keys, what it publishes of them, and tokens it signs.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use parking_lot::Mutex;
use serde_json::{Value as Json, json};

use super::{IssuerOptions, KeyFetch, KeySource, KeySourceError};

pub(crate) const NOW: i64 = 1_700_000_000_000_000;
pub(crate) const NOW_SECS: i64 = 1_700_000_000;
pub(crate) const ISSUER: &str = "https://id.example.com/";
pub(crate) const AUDIENCE: &str = "kalamdb";

/// A pair of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pair {
    Rsa,
    OtherRsa,
    WeakRsa,
    P256,
    Ed25519,
}

impl Pair {
    pub(crate) fn signing(self) -> EncodingKey {
        let rsa = |pem: &str| EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap();
        match self {
            Pair::Rsa => rsa(include_str!("../../tests/keys/rsa.pem")),
            Pair::OtherRsa => rsa(include_str!("../../tests/keys/other_rsa.pem")),
            Pair::WeakRsa => rsa(include_str!("../../tests/keys/weak_rsa.pem")),
            Pair::P256 => EncodingKey::from_ec_pem(include_bytes!("../../tests/keys/p256.pem")).unwrap(),
            Pair::Ed25519 => EncodingKey::from_ed_pem(include_bytes!("../../tests/keys/ed25519.pem")).unwrap(),
        }
    }

    pub(crate) fn algorithm(self) -> Algorithm {
        match self {
            Pair::Rsa | Pair::OtherRsa | Pair::WeakRsa => Algorithm::RS256,
            Pair::P256 => Algorithm::ES256,
            Pair::Ed25519 => Algorithm::EdDSA,
        }
    }

    /// The public key as it is published, under this name and with nothing else said about it.
    pub(crate) fn published(self, name: &str) -> Json {
        let mut jwk = serde_json::to_value(Jwk::from_encoding_key(&self.signing(), self.algorithm()).unwrap()).unwrap();
        let members = jwk.as_object_mut().unwrap();
        members.remove("alg");
        members.insert("kid".to_owned(), json!(name));
        jwk
    }
}

/// A token signed with this pair, which says that it was signed with the key of this name.
pub(crate) fn signed(pair: Pair, name: &str, claims: &Json) -> String {
    let header = Header { kid: Some(name.to_owned()), ..Header::new(pair.algorithm()) };
    jsonwebtoken::encode(&header, claims, &pair.signing()).unwrap()
}

/// Claims that are all right.
pub(crate) fn claims(user: &str) -> Json {
    json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": user, "iat": NOW_SECS, "nbf": NOW_SECS, "exp": NOW_SECS + 60 })
}

/// Keys that a test gives and takes away.
#[derive(Debug, Default)]
pub(crate) struct GivenKeys {
    set: Mutex<Option<Vec<u8>>>,
    pub(crate) asked: AtomicUsize,
}

impl GivenKeys {
    pub(crate) fn of(keys: &[Json]) -> Self {
        let given = GivenKeys::default();
        given.give(keys);
        given
    }

    pub(crate) fn give(&self, keys: &[Json]) {
        self.give_bytes(json!({ "keys": keys }).to_string());
    }

    pub(crate) fn give_bytes(&self, bytes: impl Into<Vec<u8>>) {
        *self.set.lock() = Some(bytes.into());
    }

    pub(crate) fn take_away(&self) {
        *self.set.lock() = None;
    }

    pub(crate) fn times_asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl KeySource for std::sync::Arc<GivenKeys> {
    fn fetch(&self) -> KeyFetch<'_> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let set = self.set.lock().clone();
        Box::pin(async move { set.ok_or_else(|| KeySourceError::Unreachable("it is gone".to_owned())) })
    }

    fn refresh_interval(&self) -> Duration {
        Duration::from_secs(300)
    }
}

/// The issuer as it is configured.
pub(crate) fn options(keys: &std::sync::Arc<GivenKeys>) -> IssuerOptions {
    IssuerOptions {
        issuer: ISSUER.to_owned(),
        audiences: vec![AUDIENCE.to_owned(), "another".to_owned()],
        user_claim: "sub".to_owned(),
        user_prefix: String::new(),
        create_users: false,
        elevated_users: Vec::new(),
        keys: std::sync::Arc::new(std::sync::Arc::clone(keys)),
    }
}
