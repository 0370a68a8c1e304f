//! Times as they travel outside of rows: RFC 3339, in UTC.

use chrono::{DateTime, SecondsFormat};

/// Microseconds since the Unix epoch as RFC 3339; times beyond the calendar as its last moment.
pub(crate) fn rfc3339(micros: i64) -> String {
    let time = DateTime::from_timestamp_micros(micros).unwrap_or(DateTime::<chrono::Utc>::MAX_UTC);
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc_and_as_exact_as_they_are() {
        assert_eq!(rfc3339(1_893_456_000_000_000), "2030-01-01T00:00:00Z");
        assert_eq!(rfc3339(1_500), "1970-01-01T00:00:00.001500Z");
        assert!(rfc3339(i64::MAX).ends_with('Z'));
    }
}
