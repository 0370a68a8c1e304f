//! Tokens of other issuers: those that the configuration names, and no others.
//!
//! A token is taken when one of its issuer's own keys signed it, with an algorithm that belongs to that
//! kind of key, for an audience that is ours, within its time. It says who somebody is and nothing of
//! what they may do: that comes from the stored user. Where the keys come from is behind [`KeySource`].
//!
//! Whether the user exists and the token still counts is checked by [`crate::Auth`].

#[cfg(test)]
pub(crate) mod fixtures;
mod key_cache;
pub(crate) mod key_set;
mod source;
mod token;

use std::sync::Arc;

use kalamdb_commons::UserId;

pub use source::{FileKeys, KEY_SET_BYTES_MAX, KeyFetch, KeySource, KeySourceError};
pub(crate) use token::{OutsideGrant, OutsideRefusal, is_ours};

pub(crate) use key_cache::KeyCache;

/// An issuer whose tokens are taken.
#[derive(Debug, Clone)]
pub struct IssuerOptions {
    /// Its name, exactly as its tokens have it in `iss`.
    pub issuer: String,
    /// A token must be for one of these (`aud`). An empty list takes none.
    pub audiences: Vec<String>,
    /// The claim that names the user.
    pub user_claim: String,
    /// What is put in front of the claim to make the user's name here.
    pub user_prefix: String,
    /// Is a user that does not exist made, with the role `user`?
    pub create_users: bool,
    /// The users above the role `user` that it may speak for. `root` is never one of them.
    pub elevated_users: Vec<UserId>,
    /// Where its keys come from.
    pub keys: Arc<dyn KeySource>,
}

/// How the keys of issuers are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyOptions {
    /// Least time between two looks for a key that is not known, in seconds.
    pub min_refresh_secs: u64,
    /// How long keys are believed while their source gives none, in seconds.
    pub max_stale_secs: u64,
}

/// The issuers whose tokens are taken, with their keys.
#[derive(Debug)]
pub(crate) struct Issuers(Vec<Issuer>);

/// An issuer, and its keys as they are now.
#[derive(Debug)]
pub(crate) struct Issuer {
    pub(crate) options: IssuerOptions,
    pub(crate) keys: KeyCache,
}

impl Default for KeyOptions {
    fn default() -> Self {
        KeyOptions { min_refresh_secs: 30, max_stale_secs: 86_400 }
    }
}

impl Issuers {
    /// These issuers; no keys are known yet.
    pub(crate) fn new(issuers: Vec<IssuerOptions>, keys: KeyOptions) -> Self {
        let issuer = |options: IssuerOptions| {
            let keys = KeyCache::new(Arc::clone(&options.keys), keys);
            Issuer { options, keys }
        };
        Issuers(issuers.into_iter().map(issuer).collect())
    }

    /// The issuer of this name.
    pub(crate) fn get(&self, name: &str) -> Option<&Issuer> {
        self.0.iter().find(|issuer| issuer.options.issuer == name)
    }

    /// Every issuer.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Issuer> {
        self.0.iter()
    }
}
