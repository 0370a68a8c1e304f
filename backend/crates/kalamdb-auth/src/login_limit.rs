//! How often a password may be tried, per address and per user, in bounded memory; and the same for
//! refreshing tokens, per user.
//!
//! Only failed attempts count in the end: a right password gives back what it took. An address from
//! which a user has logged in before has an allowance of its own, so strangers who try that user's
//! password cannot lock it out. Names and addresses are kept as keyed hashes of equal size; when there
//! are too many of them newcomers are turned away, as forgetting the others would let them try again.
//!
//! Whether the address is the client's own or a proxy's word is decided by the doors.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::net::{IpAddr, Ipv6Addr};

use kalamdb_commons::UserId;
use parking_lot::Mutex;

/// Most users, and most addresses, with failed attempts in the last minute.
const KEYS_MAX: usize = 1 << 16;
/// Most pairs of a user and an address from which it has logged in.
const FAMILIAR_MAX: usize = 1 << 14;
/// Least time between two searches for what may be forgotten.
const SWEEP_INTERVAL_MICROS: i64 = 1_000_000;
const MICROS_PER_SEC: u64 = 1_000_000;
const MICROS_PER_MINUTE: i64 = 60_000_000;

/// An IPv6 subscriber holds a whole /64, so that is what counts as one address.
const IPV6_NETWORK: u128 = !0 << 64;

/// Seconds after which trying again makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RetryAfter(pub(crate) u64);

/// Counts attempts to log in. 0 attempts per minute means no limit.
#[derive(Debug)]
pub(crate) struct LoginLimit {
    per_minute: u32,
    hasher: RandomState,
    counts: Mutex<Counts>,
}

#[derive(Debug)]
struct Counts {
    addresses: Pace,
    users: Pace,
    familiar: Pace,
}

/// Who tries: hashes of the user, its address, and both.
#[derive(Debug, Clone, Copy)]
struct Keys {
    user: u64,
    address: u64,
    both: u64,
}

/// An attempt that was let through.
#[derive(Debug)]
#[must_use]
pub(crate) struct Attempt {
    keys: Keys,
    familiar: bool,
}

impl LoginLimit {
    pub(crate) fn new(per_minute: u32) -> Self {
        let counts = Counts {
            addresses: Pace::new(per_minute, KEYS_MAX),
            users: Pace::new(per_minute, KEYS_MAX),
            familiar: Pace::new(per_minute, FAMILIAR_MAX),
        };
        LoginLimit { per_minute, hasher: RandomState::new(), counts: Mutex::new(counts) }
    }

    /// Would an attempt be let through now? Takes nothing. `now` is in microseconds.
    pub(crate) fn check(&self, user: &str, address: IpAddr, now: i64) -> Result<(), RetryAfter> {
        self.admit(user, address, now, false).map(drop)
    }

    /// Lets an attempt through and counts it.
    pub(crate) fn take(&self, user: &str, address: IpAddr, now: i64) -> Result<Attempt, RetryAfter> {
        self.admit(user, address, now, true)
    }

    fn admit(&self, user: &str, address: IpAddr, now: i64, count: bool) -> Result<Attempt, RetryAfter> {
        let keys = self.keys(user, address);
        if self.per_minute == 0 {
            return Ok(Attempt { keys, familiar: false });
        }
        let mut counts = self.counts.lock();
        let familiar = counts.familiar.next_free.contains_key(&keys.both);
        let Counts { addresses, users, familiar: pairs } = &mut *counts;
        let (of_user, user_key) = if familiar { (pairs, keys.both) } else { (users, keys.user) };
        // The user's count is not touched by an address that is over its own.
        addresses.check(keys.address, now)?;
        of_user.check(user_key, now)?;
        if count {
            addresses.take(keys.address, now);
            of_user.take(user_key, now);
        }
        Ok(Attempt { keys, familiar })
    }

    /// The password was right: the attempt does not count.
    pub(crate) fn succeeded(&self, attempt: &Attempt, now: i64) {
        if self.per_minute == 0 {
            return;
        }
        let Attempt { keys, familiar } = attempt;
        let mut counts = self.counts.lock();
        counts.addresses.give_back(keys.address);
        if *familiar {
            counts.familiar.give_back(keys.both);
        } else {
            counts.users.give_back(keys.user);
            counts.familiar.remember(keys.both, now);
        }
    }

    fn keys(&self, user: &str, address: IpAddr) -> Keys {
        let address = match address.to_canonical() {
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & IPV6_NETWORK)),
            address @ IpAddr::V4(_) => address,
        };
        Keys {
            user: self.hasher.hash_one(user),
            address: self.hasher.hash_one(address),
            both: self.hasher.hash_one((user, address)),
        }
    }
}

/// Counts the refreshes of each user. 0 per minute means no limit.
#[derive(Debug)]
pub(crate) struct RefreshLimit {
    per_minute: u32,
    hasher: RandomState,
    users: Mutex<Pace>,
}

impl RefreshLimit {
    pub(crate) fn new(per_minute: u32) -> Self {
        RefreshLimit { per_minute, hasher: RandomState::new(), users: Mutex::new(Pace::new(per_minute, KEYS_MAX)) }
    }

    /// Lets a refresh through and counts it.
    pub(crate) fn take(&self, user: &UserId, now: i64) -> Result<(), RetryAfter> {
        if self.per_minute == 0 {
            return Ok(());
        }
        let key = self.hasher.hash_one(user);
        let mut users = self.users.lock();
        users.check(key, now)?;
        users.take(key, now);
        Ok(())
    }
}

/// So many per minute and key, evenly refilled. One number per key: the time at which all that was
/// taken will be refilled. A key whose time has passed is as good as unknown.
#[derive(Debug)]
struct Pace {
    /// Time in which one is refilled, in microseconds.
    refill: i64,
    /// Time in which all are.
    window: i64,
    keys_max: usize,
    next_free: HashMap<u64, i64>,
    swept_at: i64,
}

impl Pace {
    fn new(per_minute: u32, keys_max: usize) -> Self {
        let per_minute = i64::from(per_minute.max(1));
        let refill = MICROS_PER_MINUTE.checked_div(per_minute).unwrap_or(MICROS_PER_MINUTE).max(1);
        let window = refill.saturating_mul(per_minute);
        Pace { refill, window, keys_max, next_free: HashMap::new(), swept_at: i64::MIN }
    }

    /// When this key will have everything back, were one more taken. A clock that was set back locks
    /// nobody out for longer than a window.
    fn after_one_more(&self, key: u64, now: i64) -> i64 {
        let taken = self.next_free.get(&key).copied().unwrap_or(now);
        taken.clamp(now, now.saturating_add(self.window)).saturating_add(self.refill)
    }

    fn check(&mut self, key: u64, now: i64) -> Result<(), RetryAfter> {
        if !self.next_free.contains_key(&key) && self.next_free.len() >= self.keys_max {
            self.sweep(now);
            if self.next_free.len() >= self.keys_max {
                return Err(retry_after(self.refill));
            }
        }
        let over = self.after_one_more(key, now).saturating_sub(now.saturating_add(self.window));
        if over > 0 { Err(retry_after(over)) } else { Ok(()) }
    }

    fn take(&mut self, key: u64, now: i64) {
        let after = self.after_one_more(key, now);
        self.next_free.insert(key, after);
    }

    fn give_back(&mut self, key: u64) {
        if let Some(next_free) = self.next_free.get_mut(&key) {
            *next_free = next_free.saturating_sub(self.refill);
        }
    }

    /// Keeps a key that has taken nothing; where there is no room, the one longest unused goes.
    fn remember(&mut self, key: u64, now: i64) {
        if !self.next_free.contains_key(&key) && self.next_free.len() >= self.keys_max {
            let oldest = self.next_free.iter().min_by_key(|(_, next_free)| **next_free).map(|(key, _)| *key);
            oldest.and_then(|oldest| self.next_free.remove(&oldest));
        }
        self.next_free.insert(key, now);
    }

    fn sweep(&mut self, now: i64) {
        if now.saturating_sub(self.swept_at) >= SWEEP_INTERVAL_MICROS || now < self.swept_at {
            self.swept_at = now;
            self.next_free.retain(|_, next_free| *next_free > now);
        }
    }
}

fn retry_after(micros: i64) -> RetryAfter {
    RetryAfter(u64::try_from(micros).unwrap_or(0).div_ceil(MICROS_PER_SEC).max(1))
}

#[cfg(test)]
mod tests;
