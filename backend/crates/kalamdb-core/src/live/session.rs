//! The subscriptions of one connection, by the names its client gave them. Pure state.
//!
//! A name is taken from the moment a subscribe frame is accepted until the subscription has ended and
//! its record is gone, so that no two subscriptions of one name can ever be mixed up. Only the
//! connection adds names, only the live loop gives active ones back. [`Facts`] is what there is to
//! know of one subscription, kept current by the loop and shown by `system.live_queries`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering};

use kalamdb_commons::{ErrorCode, SeqId, SubscriptionId};
use kalamdb_system::{LiveQueryRecord, LiveQueryRow, LiveQueryStatus};
use rustc_hash::FxHashMap;

use crate::error::SqlError;

/// The subscriptions of one connection.
#[derive(Debug)]
pub(crate) struct Session {
    by_id: FxHashMap<SubscriptionId, Entry>,
    query_bytes: usize,
    subscriptions_max: u32,
    query_bytes_max: usize,
    of_user: Arc<UserLoad>,
}

/// The subscriptions of all connections of one user.
#[derive(Debug)]
pub(crate) struct UserLoad {
    subscriptions: AtomicU32,
    subscriptions_max: u32,
}

impl UserLoad {
    /// A user without subscriptions, who may have so many.
    pub fn new(subscriptions_max: u32) -> Self {
        UserLoad { subscriptions: AtomicU32::new(0), subscriptions_max }
    }

    fn add(&self) -> Result<(), SqlError> {
        let more = |held: u32| held.checked_add(1).filter(|&held| held <= self.subscriptions_max);
        match self.subscriptions.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more) {
            Ok(_) => Ok(()),
            Err(_) => {
                let message =
                    format!("the user already holds {} subscriptions on all connections", self.subscriptions_max);
                Err(SqlError::new(ErrorCode::SubscriptionLimitExceeded, message))
            }
        }
    }

    fn take_off(&self, subscriptions: u32) {
        let less = |held: u32| Some(held.saturating_sub(subscriptions));
        let _held = self.subscriptions.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }
}

#[derive(Debug)]
struct Entry {
    query_bytes: usize,
    /// `None` while the query is being planned.
    facts: Option<Arc<Facts>>,
}

impl Session {
    /// A session without subscriptions that may hold so many, with queries of so many bytes together.
    pub fn new(subscriptions_max: u32, query_bytes_max: usize) -> Self {
        let of_user = Arc::new(UserLoad::new(u32::MAX));
        Session { by_id: FxHashMap::default(), query_bytes: 0, subscriptions_max, query_bytes_max, of_user }
    }

    /// From now on the subscriptions count among those of their user, too. To be called before there are any.
    pub fn count_for(&mut self, of_user: Arc<UserLoad>) {
        self.of_user = of_user;
    }

    /// Takes a name for a subscription whose query has so many bytes.
    ///
    /// # Errors
    /// The name is in use, or the connection holds as much as it may.
    pub fn reserve(&mut self, id: &SubscriptionId, query_bytes: usize) -> Result<(), SqlError> {
        if self.by_id.contains_key(id) {
            let message = format!("the connection has an active subscription \"{id}\"");
            return Err(SqlError::new(ErrorCode::SubscriptionExists, message));
        }
        if self.by_id.len() >= usize::try_from(self.subscriptions_max).unwrap_or(usize::MAX) {
            let message = format!("the connection already holds {} subscriptions", self.subscriptions_max);
            return Err(SqlError::new(ErrorCode::SubscriptionLimitExceeded, message));
        }
        let together = self.query_bytes.saturating_add(query_bytes);
        if together > self.query_bytes_max {
            let max = self.query_bytes_max;
            let message = format!("the queries of the connection's subscriptions exceed {max} bytes together");
            return Err(SqlError::new(ErrorCode::TooLarge, message));
        }
        self.of_user.add()?;
        self.query_bytes = together;
        self.by_id.insert(id.clone(), Entry { query_bytes, facts: None });
        Ok(())
    }

    /// The subscription of a reserved name begins.
    pub fn activate(&mut self, id: &SubscriptionId, facts: Arc<Facts>) {
        if let Some(entry) = self.by_id.get_mut(id) {
            entry.facts = Some(facts);
        }
    }

    /// Gives a name back.
    pub fn release(&mut self, id: &SubscriptionId) {
        if let Some(entry) = self.by_id.remove(id) {
            self.query_bytes = self.query_bytes.saturating_sub(entry.query_bytes);
            self.of_user.take_off(1);
        }
    }

    /// Names that are taken.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Is a subscription of this name active?
    pub fn is_active(&self, id: &SubscriptionId) -> bool {
        self.by_id.get(id).is_some_and(|entry| entry.facts.is_some())
    }

    /// The active subscriptions.
    pub fn active(&self) -> impl Iterator<Item = &Arc<Facts>> {
        self.by_id.values().filter_map(|entry| entry.facts.as_ref())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.of_user.take_off(u32::try_from(self.by_id.len()).unwrap_or(u32::MAX));
    }
}

/// What there is to know of one subscription.
#[derive(Debug)]
pub(crate) struct Facts {
    /// What is stored of it.
    pub record: LiveQueryRecord,
    seq: AtomicU64,
    follows_commits: AtomicBool,
    paused: AtomicBool,
    changes: AtomicU64,
    /// Microseconds since the Unix epoch; 0 before the first.
    updated_at: AtomicI64,
}

impl Facts {
    /// A subscription that has been told nothing.
    pub fn new(record: LiveQueryRecord) -> Self {
        Facts {
            record,
            seq: AtomicU64::new(0),
            follows_commits: AtomicBool::new(false),
            paused: AtomicBool::new(false),
            changes: AtomicU64::new(0),
            updated_at: AtomicI64::new(0),
        }
    }

    /// Its name.
    pub fn id(&self) -> &SubscriptionId {
        &self.record.live_id.subscription_id
    }

    /// It has been told everything up to `seq`.
    pub fn told(&self, seq: SeqId) {
        self.seq.store(seq.0, Ordering::Relaxed);
    }

    /// Does every commit that the loop has seen count as told, because it would have been?
    pub fn set_follows_commits(&self, follows: bool) {
        self.follows_commits.store(follows, Ordering::Relaxed);
    }

    /// It lags, or has caught up.
    pub fn set_paused(&self, paused: bool) {
        self.paused.store(paused, Ordering::Relaxed);
    }

    /// A frame of changes was made.
    pub fn changed(&self, at_micros: i64) {
        self.updated_at.store(at_micros, Ordering::Relaxed);
    }

    /// A frame of changes was delivered.
    pub fn change_delivered(&self) {
        self.changes.fetch_add(1, Ordering::Relaxed);
    }

    /// Its row, when the loop has seen everything up to `position`.
    pub fn row(&self, position: SeqId) -> LiveQueryRow {
        let mut seq = SeqId(self.seq.load(Ordering::Relaxed));
        if self.follows_commits.load(Ordering::Relaxed) {
            seq = seq.max(position);
        }
        let paused = self.paused.load(Ordering::Relaxed);
        LiveQueryRow {
            status: if paused { LiveQueryStatus::Paused } else { LiveQueryStatus::Active },
            last_update: Some(self.updated_at.load(Ordering::Relaxed)).filter(|&at| at != 0),
            changes: self.changes.load(Ordering::Relaxed),
            last_seq_id: Some(seq).filter(|&seq| seq > SeqId::ZERO),
            ..LiveQueryRow::from_record(&self.record)
        }
    }
}

#[cfg(test)]
mod tests;
