//! The keys of one issuer, kept until newer ones come.
//!
//! They are fetched again after a time, and when a token names a key that is not known; the latter at most
//! every so often, as anybody can make up such a token. While the source gives none the old keys stay,
//! but not for ever. One fetch runs at a time, and few wait for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use kalamdb_store::Clock;
use parking_lot::RwLock;

use super::KeyOptions;
use super::key_set::KeySet;
use super::source::{KEY_SET_BYTES_MAX, KeySource, KeySourceError};
use crate::metrics;

/// Most callers that wait for a fetch; others are answered from what is known.
const WAITING_MAX: usize = 64;
const MICROS_PER_SEC: i64 = 1_000_000;

/// The keys of one issuer.
#[derive(Debug)]
pub(crate) struct KeyCache {
    source: Arc<dyn KeySource>,
    options: KeyOptions,
    state: RwLock<State>,
    fetching: tokio::sync::Mutex<()>,
    waiting: AtomicUsize,
}

#[derive(Debug, Default)]
struct State {
    keys: Arc<KeySet>,
    /// When the source gave them, in microseconds since the Unix epoch.
    fetched_at: Option<i64>,
    /// When it was last asked.
    asked_at: Option<i64>,
}

/// Leave to wait for a fetch.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl KeyCache {
    pub(super) fn new(source: Arc<dyn KeySource>, options: KeyOptions) -> Self {
        KeyCache {
            source,
            options,
            state: RwLock::default(),
            fetching: tokio::sync::Mutex::default(),
            waiting: AtomicUsize::new(0),
        }
    }

    /// The keys that are believed now, in microseconds since the Unix epoch.
    pub(super) fn keys(&self, now: i64) -> Arc<KeySet> {
        let state = self.state.read();
        let is_fresh = state.fetched_at.is_some_and(|at| now.saturating_sub(at) <= micros(self.options.max_stale_secs));
        if is_fresh { Arc::clone(&state.keys) } else { Arc::default() }
    }

    /// A key is not known: looks for newer ones, unless that was done just now.
    pub(crate) async fn look_again(&self, clock: &dyn Clock) {
        if self.waiting.fetch_add(1, Ordering::Relaxed) < WAITING_MAX {
            let _waiting = Waiting(&self.waiting);
            self.fetch_after(micros(self.options.min_refresh_secs), clock).await;
        } else {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Fetches the keys if it is time to.
    pub(crate) async fn upkeep(&self, clock: &dyn Clock) {
        let interval = i64::try_from(self.source.refresh_interval().as_micros()).unwrap_or(i64::MAX);
        self.fetch_after(interval, clock).await;
    }

    /// Fetches the keys, unless the source was asked within the last `pause` microseconds.
    async fn fetch_after(&self, pause: i64, clock: &dyn Clock) {
        let asked_before = self.state.read().asked_at;
        let _turn = self.fetching.lock().await;
        let now = clock.now_micros();
        {
            let mut state = self.state.write();
            // Whoever waited for somebody else's fetch has what that one brought.
            let was_fetched = state.asked_at != asked_before;
            let is_soon = state.asked_at.is_some_and(|at| (0..pause).contains(&now.saturating_sub(at)));
            if was_fetched || is_soon {
                return;
            }
            state.asked_at = Some(now);
        }
        let fetched = self.source.fetch().await.and_then(|bytes| {
            if bytes.len() > KEY_SET_BYTES_MAX { Err(KeySourceError::TooLarge) } else { KeySet::parse(&bytes) }
        });
        metrics::keys_fetched(fetched.is_ok());
        match fetched {
            Ok(keys) => {
                tracing::debug!(keys = keys.len(), "the keys of an issuer were fetched");
                let mut state = self.state.write();
                (state.keys, state.fetched_at) = (Arc::new(keys), Some(now));
            }
            Err(error) => tracing::warn!(%error, "the keys of an issuer could not be fetched; those known stay"),
        }
    }
}

fn micros(secs: u64) -> i64 {
    i64::try_from(secs).unwrap_or(i64::MAX).saturating_mul(MICROS_PER_SEC)
}

#[cfg(test)]
mod tests;
