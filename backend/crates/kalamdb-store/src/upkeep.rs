//! The second thread: what must happen whether or not anybody writes.
//!
//! In interval mode it brings what was written to the disk, as often as the options say. Every
//! second it trims the history, in small steps with the syncs kept up in between. It ends within
//! one step of the store's closing. While the disk fails it does nothing but remind the committer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::committer::Message;
use crate::error::{ReadError, WriteError};
use crate::history::{TrimError, Trimmer};
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
    committer: mpsc::WeakSender<Message>,
}

impl Upkeep {
    pub(crate) fn new(shared: Arc<Shared>, trimmer: Trimmer, committer: mpsc::WeakSender<Message>) -> Upkeep {
        let sync_every = match shared.durability {
            Durability::Sync => None,
            Durability::Interval { millis } => Some(Duration::from_millis(millis.max(1))),
        };
        let now = Instant::now();
        let next_sync = sync_every.map_or(now, |every| deadline(now, every));
        Upkeep { shared, trimmer, sync_every, next_sync, next_trim: now, committer }
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
            match self.shared.rocks().and_then(|rocks| rocks.sync()) {
                Ok(()) => metrics::synced(now.elapsed()),
                Err(fault) => {
                    self.shared.has_unsynced();
                    self.shared.fails(&fault);
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
        if self.shared.failing().is_some() {
            // Nobody may be writing: the committer is reminded to look whether the disk works again.
            if let Some(committer) = self.committer.upgrade() {
                let _full = committer.try_send(Message::Wake);
            }
            return;
        }
        let mut changes = 0_usize;
        loop {
            let rocks = self.shared.rocks().map_err(ReadError::from);
            match rocks.map_err(TrimError::from).and_then(|rocks| self.trimmer.step(&rocks)) {
                Ok(step) => {
                    changes = changes.saturating_add(step.changes);
                    if !step.more || self.shared.is_closing() {
                        break;
                    }
                }
                Err(TrimError::Write(WriteError::Storage(fault))) => {
                    self.shared.fails(&fault);
                    break;
                }
                Err(TrimError::Read(error)) => {
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
