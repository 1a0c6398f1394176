//! The wall clock, and times as text.

use std::time::{SystemTime, UNIX_EPOCH};

use time::{OffsetDateTime, format_description::well_known::Rfc2822, macros::format_description};

use crate::ports::Clock;

/// The machine's clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .ok()
            .and_then(|since| i64::try_from(since.as_millis()).ok())
            .unwrap_or_default()
    }
}

/// RFC 3339 in UTC with milliseconds: `2026-01-31T09:30:00.000Z`. Times that can't be written so become 1970.
pub fn rfc3339(ms: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000);
    let time = time.ok().filter(|time| time.year() >= 0).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    time.format(format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z")).unwrap_or_default()
}

/// A time as HTTP headers write it (RFC 9110, 5.6.7), in seconds since 1970.
pub fn from_http_date(text: &str) -> Option<i64> {
    Some(OffsetDateTime::parse(text, &Rfc2822).ok()?.unix_timestamp())
}

#[cfg(test)]
mod tests {
    #[test]
    fn times_are_written_in_utc_with_milliseconds() {
        assert_eq!(super::rfc3339(1_631_580_115_710), "2021-09-14T00:41:55.710Z");
        assert_eq!(super::rfc3339(0), "1970-01-01T00:00:00.000Z");
        for ms in [i64::MAX, i64::MIN, -100_000_000_000_000] {
            assert_eq!(super::rfc3339(ms), "1970-01-01T00:00:00.000Z");
        }
    }
}
