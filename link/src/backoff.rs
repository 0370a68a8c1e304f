//! How long to wait before the next attempt to connect.
//!
//! Pure: the chance that spreads clients out is handed in.

use std::time::Duration;

/// Waiting times between attempts to connect: they grow from `first` by `factor` up to `max`, and each is
/// shortened by chance, so that many clients do not come back in the same moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Backoff {
    /// Before the first new attempt. 250 ms.
    pub first: Duration,
    /// Never longer than this. 15 s.
    pub max: Duration,
    /// Each wait is so many times the one before. 2.
    pub factor: f64,
    /// The part of each wait that is left to chance, from 0 (none) to 1 (all of it). 0.5.
    pub jitter: f64,
    /// Give up after so many failed attempts in a row; `None` never does. `None`.
    pub attempts_max: Option<u32>,
}

impl Default for Backoff {
    fn default() -> Self {
        Backoff {
            first: Duration::from_millis(250),
            max: Duration::from_secs(15),
            factor: 2.0,
            jitter: 0.5,
            attempts_max: None,
        }
    }
}

impl Backoff {
    /// The wait before attempt number `attempt`, counted from 1; `random` is from 0 (inclusive) to 1 (exclusive).
    #[must_use]
    pub fn delay(&self, attempt: u32, random: f64) -> Duration {
        let exponent = i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX);
        let grown = self.first.as_secs_f64() * self.factor.max(1.0).powi(exponent);
        let whole = grown.min(self.max.as_secs_f64());
        let kept = 1.0 - self.jitter.clamp(0.0, 1.0) * random.clamp(0.0, 1.0);
        Duration::try_from_secs_f64(whole * kept).unwrap_or(self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fr012_waits_grow_up_to_the_longest() {
        let backoff = Backoff { jitter: 0.0, ..Backoff::default() };
        let waits: Vec<u128> = (1..=9).map(|n| backoff.delay(n, 0.9).as_millis()).collect();
        assert_eq!(waits, [250, 500, 1000, 2000, 4000, 8000, 15000, 15000, 15000]);
        assert_eq!(backoff.delay(u32::MAX, 0.0), backoff.max);
    }

    #[test]
    fn fr012_chance_only_shortens_a_wait() {
        let backoff = Backoff::default();
        assert_eq!(backoff.delay(1, 0.0), Duration::from_millis(250));
        assert_eq!(backoff.delay(1, 0.5).as_micros(), 187_500);
        let odd = Backoff { factor: f64::NAN, jitter: 7.0, ..Backoff::default() };
        assert!(odd.delay(3, 2.0) <= odd.max);
    }
}
