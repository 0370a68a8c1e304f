//! What no token and no key set from outside may do: for the fuzzer, and for the tests alike.
//!
//! It fails on a defect only: a panic, or a token that was taken though nobody signed it.

use crate::outside::{self, Issuers, KeyOptions};
use crate::secret::Secret;
use crate::token::{TokenKeys, TokenUse};

const SECRET: [u8; 32] = [7; 32];
/// Any time, in microseconds since the Unix epoch.
const NOW: i64 = 1_800_000_000_000_000;

/// A token as a stranger could make it up.
pub fn token(data: &[u8]) {
    let Ok(secret) = Secret::new(SECRET) else { return };
    let Ok(text) = std::str::from_utf8(data) else { return };
    let keys = TokenKeys::new(&secret, "kalamdb");
    for usage in [TokenUse::Access, TokenUse::Refresh] {
        assert!(keys.read(text, usage, NOW).is_err());
    }
    // Nobody is trusted, so nothing is taken.
    let _ours = outside::is_ours(text);
    assert!(Issuers::new(Vec::new(), KeyOptions::default()).read(text, NOW).is_err());
}

/// What an issuer could publish.
pub fn key_set(data: &[u8]) {
    let _keys = outside::key_set::KeySet::parse(data);
}

#[cfg(test)]
mod tests;
