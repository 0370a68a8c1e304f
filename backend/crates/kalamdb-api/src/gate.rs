//! Bounds how many are inside at one time, in all and per key (an address, a user).
//!
//! Memory is bounded by what is inside: a key is forgotten when its last pass is dropped.

use std::hash::Hash;
use std::sync::Arc;

use parking_lot::Mutex;
use rustc_hash::FxHashMap;

/// A door with a limit. Cheap to clone; clones count together.
#[derive(Debug)]
pub(crate) struct Gate<K>(Arc<Inner<K>>);

#[derive(Debug)]
struct Inner<K> {
    total_max: usize,
    per_key_max: usize,
    inside: Mutex<Inside<K>>,
}

#[derive(Debug)]
struct Inside<K> {
    total: usize,
    by_key: FxHashMap<K, usize>,
}

/// Which limit kept someone out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    /// Too many in all.
    Total,
    /// Too many of this key.
    Key,
}

/// Leave to be inside, until it is dropped.
#[derive(Debug)]
pub(crate) struct Pass<K: Hash + Eq> {
    gate: Arc<Inner<K>>,
    key: K,
}

impl<K> Clone for Gate<K> {
    fn clone(&self) -> Self {
        Gate(Arc::clone(&self.0))
    }
}

impl<K: Hash + Eq + Clone> Gate<K> {
    /// A gate with these limits; 0 means no limit.
    pub(crate) fn new(total_max: usize, per_key_max: usize) -> Self {
        let inside = Mutex::new(Inside { total: 0, by_key: FxHashMap::default() });
        Gate(Arc::new(Inner { total_max, per_key_max, inside }))
    }

    /// Lets one in, or says which limit is reached.
    pub(crate) fn enter(&self, key: K) -> Result<Pass<K>, Full> {
        let mut inside = self.0.inside.lock();
        if self.0.total_max != 0 && inside.total >= self.0.total_max {
            return Err(Full::Total);
        }
        let of_key = inside.by_key.get(&key).copied().unwrap_or(0);
        if self.0.per_key_max != 0 && of_key >= self.0.per_key_max {
            return Err(Full::Key);
        }
        inside.total = inside.total.saturating_add(1);
        inside.by_key.insert(key.clone(), of_key.saturating_add(1));
        drop(inside);
        Ok(Pass { gate: Arc::clone(&self.0), key })
    }
}

impl<K: Hash + Eq> Drop for Pass<K> {
    fn drop(&mut self) {
        let mut inside = self.gate.inside.lock();
        inside.total = inside.total.saturating_sub(1);
        if let Some(count) = inside.by_key.get_mut(&self.key) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                inside.by_key.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests;
