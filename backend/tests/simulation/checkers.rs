//! What holds in every run. Each checker is named after what it checks, and says what it found wrong.
//!
//! Some look at every frame as it comes, the others at quiet points, when nobody writes and every client that
//! reads has been told everything.

pub mod acknowledged_kept;
pub mod bounded;
pub mod live_queries_true;
pub mod no_change_lost;
pub mod no_change_twice;
pub mod order_kept;
pub mod silent_after_end;
pub mod users_isolated;

/// A promise that was broken.
#[derive(Debug, Clone)]
pub struct Breach {
    /// Who noticed.
    pub checker: &'static str,
    /// What is wrong.
    pub what: String,
}

/// A breach.
pub fn breach<T>(checker: &'static str, what: impl Into<String>) -> Result<T, Breach> {
    Err(Breach { checker, what: what.into() })
}
