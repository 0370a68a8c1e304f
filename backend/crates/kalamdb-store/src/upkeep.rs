//! The second thread: what must happen whether or not anybody writes.
//!
//! In interval mode it brings what was written to the disk, as often as the options say. Every
//! second it trims the history, in small steps with the syncs kept up in between. It ends within
//! one step of the store's closing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::history::Trimmer;
use crate::metrics;
use crate::options::Durability;
use crate::store::Shared;

const TRIM_EVERY: Duration = Duration::from_secs(1);

/// Syncs and trims, on its own thread.
pub(crate) struct Upkeep {
    shared: Arc<Shared>,
    trimmer: Trimmer,
    sync_every: Option<Duration>,
    next_sync: Instant,
    next_trim: Instant,
}

impl Upkeep {
    pub(crate) fn new(shared: Arc<Shared>, trimmer: Trimmer) -> Upkeep {
        let sync_every = match shared.durability {
            Durability::Sync => None,
            Durability::Interval { millis } => Some(Duration::from_millis(millis.max(1))),
        };
        let now = Instant::now();
        Upkeep { shared, trimmer, sync_every, next_sync: now, next_trim: now }
    }

    /// Works until the store closes.
    pub(crate) fn run(mut self) {
        loop {
            self.sync_if_due();
            self.trim_if_due();
            let next = if self.sync_every.is_some() { self.next_sync.min(self.next_trim) } else { self.next_trim };
            if self.shared.closes_before(next) {
                return;
            }
        }
    }

    fn sync_if_due(&mut self) {
        let now = Instant::now();
        let Some(every) = self.sync_every.filter(|_| now >= self.next_sync) else {
            return;
        };
        if self.shared.take_unsynced() {
            match self.shared.rocks.sync() {
                Ok(()) => metrics::synced(now.elapsed()),
                Err(error) => {
                    self.shared.has_unsynced();
                    tracing::error!(%error, "commits could not be synced");
                }
            }
        }
        self.next_sync = deadline(now, every);
    }

    fn trim_if_due(&mut self) {
        let now = Instant::now();
        if now < self.next_trim {
            return;
        }
        self.next_trim = deadline(now, TRIM_EVERY);
        let mut changes = 0_usize;
        loop {
            match self.trimmer.step() {
                Ok(step) => {
                    changes = changes.saturating_add(step.changes);
                    if !step.more || self.shared.is_closing() {
                        break;
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "the history could not be trimmed");
                    break;
                }
            }
            self.sync_if_due();
        }
        metrics::history(self.trimmer.kept_bytes());
        if changes > 0 {
            metrics::trimmed(changes);
            if let Err(error) = self.shared.refresh() {
                tracing::error!(%error, "the trimmed history could not be shown");
            }
        }
    }
}

fn deadline(now: Instant, wait: Duration) -> Instant {
    now.checked_add(wait).unwrap_or(now)
}
