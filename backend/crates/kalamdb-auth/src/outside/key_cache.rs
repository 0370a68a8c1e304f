//! The keys of one issuer, kept until newer ones come.
//!
//! They are fetched again after a time, and when a token names a key that is not known; the latter at most
//! every so often, as anybody can make up such a token. While the source gives none the old keys stay,
//! but not for ever. One fetch runs at a time, and few wait for it. A fetch that has begun is brought to its
//! end whoever asked for it: otherwise clients that go away could keep new keys from ever coming.

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

/// Shortest time after which a source that gave none is asked again, in microseconds.
const RETRY_MICROS: i64 = 5_000_000;

/// The keys of one issuer.
#[derive(Debug)]
pub(crate) struct KeyCache(Arc<Inner>);

#[derive(Debug)]
struct Inner {
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
        KeyCache(Arc::new(Inner {
            source,
            options,
            state: RwLock::default(),
            fetching: tokio::sync::Mutex::default(),
            waiting: AtomicUsize::new(0),
        }))
    }

    /// The keys that are believed now, in microseconds since the Unix epoch.
    pub(super) fn keys(&self, now: i64) -> Arc<KeySet> {
        let state = self.0.state.read();
        let max_stale = micros(self.0.options.max_stale_secs);
        let is_fresh = state.fetched_at.is_some_and(|at| now.saturating_sub(at) <= max_stale);
        if is_fresh { Arc::clone(&state.keys) } else { Arc::default() }
    }

    /// A key is not known: looks for newer ones, unless that was done just now.
    pub(crate) async fn look_again(&self, clock: &Arc<dyn Clock>) {
        let before = self.0.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.0.waiting);
        if before < WAITING_MAX {
            self.fetch(micros(self.0.options.min_refresh_secs), clock).await;
        }
    }

    /// Fetches the keys if it is time to.
    pub(crate) async fn upkeep(&self, clock: &Arc<dyn Clock>) {
        let interval = i64::try_from(self.0.source.refresh_interval().as_micros()).unwrap_or(i64::MAX);
        let now = clock.now_micros();
        let fetched_at = self.0.state.read().fetched_at;
        if fetched_at.is_none_or(|at| !(0..interval).contains(&now.saturating_sub(at))) {
            let pause = micros(self.0.options.min_refresh_secs).max(RETRY_MICROS).min(interval);
            self.fetch(pause, clock).await;
        }
    }

    async fn fetch(&self, pause: i64, clock: &Arc<dyn Clock>) {
        let (inner, clock) = (Arc::clone(&self.0), Arc::clone(clock));
        let fetched = tokio::spawn(async move { inner.fetch_after(pause, clock.as_ref()).await });
        if let Err(error) = fetched.await {
            tracing::error!(%error, "fetching the keys of an issuer broke");
        }
    }
}

impl Inner {
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
