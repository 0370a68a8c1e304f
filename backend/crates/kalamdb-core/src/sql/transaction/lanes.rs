//! Turns at rows that many writers want at once.
//!
//! Without order, writers of one row would keep undoing each other's attempts. A transaction that
//! has met a conflict enters the lanes of its rows and leaves them when it is done; one that finds
//! a lane taken gets in line before it commits. Rows are spread over a fixed number of lanes by
//! hash, so two rows may share one; that costs a wait, never correctness, which is the committer's.

use std::hash::{Hash as _, Hasher as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use kalamdb_store::WriteSet;
use rustc_hash::FxHasher;
use tokio::sync::{Mutex, OwnedMutexGuard};

const LANES: usize = 512;

/// All lanes of an engine.
#[derive(Debug)]
pub struct Lanes(Vec<Arc<Lane>>);

#[derive(Debug, Default)]
struct Lane {
    turn: Arc<Mutex<()>>,
    /// Those who are in the lane or wait for it.
    taken: AtomicU32,
}

impl Default for Lanes {
    fn default() -> Self {
        Lanes(std::iter::repeat_with(Arc::default).take(LANES).collect())
    }
}

/// Lanes that a transaction is in; leaves them when dropped.
#[derive(Debug, Default)]
pub struct Held(Vec<Entered>);

#[derive(Debug)]
struct Entered {
    number: usize,
    _turn: OwnedMutexGuard<()>,
    _place: Place,
}

/// A place in a lane's line, given up when dropped, also by a request that is cancelled.
#[derive(Debug)]
struct Place(Arc<Lane>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Lanes {
    /// The lanes of the rows that `writes` touches, ascending.
    #[must_use]
    pub fn of(&self, writes: &WriteSet) -> Vec<usize> {
        let mut wanted: Vec<usize> = writes
            .rows
            .iter()
            .map(|write| {
                let mut hasher = FxHasher::default();
                (write.table, &write.scope, &write.key).hash(&mut hasher);
                usize::try_from(hasher.finish() % LANES as u64).unwrap_or_default()
            })
            .collect();
        wanted.sort_unstable();
        wanted.dedup();
        wanted
    }

    /// Is anybody in one of these lanes, or waiting for it?
    #[must_use]
    pub fn are_busy(&self, wanted: &[usize]) -> bool {
        let taken = |lane: &Arc<Lane>| lane.taken.load(Ordering::Relaxed) > 0;
        wanted.iter().filter_map(|&number| self.0.get(number)).any(taken)
    }

    /// Gets in line for these lanes, which must ascend, and returns when it is in all of them.
    pub async fn enter(&self, wanted: Vec<usize>) -> Held {
        let mut held = Held(Vec::with_capacity(wanted.len()));
        // Everybody enters in ascending order, so nobody waits in a circle.
        for number in wanted {
            let Some(lane) = self.0.get(number) else { continue };
            lane.taken.fetch_add(1, Ordering::Relaxed);
            let place = Place(Arc::clone(lane));
            let turn = Arc::clone(&lane.turn).lock_owned().await;
            held.0.push(Entered { number, _turn: turn, _place: place });
        }
        held
    }
}

impl Held {
    /// Is this no lane at all?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Are all of `wanted` among these?
    #[must_use]
    pub fn cover(&self, wanted: &[usize]) -> bool {
        wanted.iter().all(|wanted| self.0.iter().any(|entered| entered.number == *wanted))
    }
}
