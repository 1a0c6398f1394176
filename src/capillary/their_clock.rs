//! The time at Capillary, as its answers tell it.
//!
//! Which of two answers is older is judged by when they were asked for, and the two may have been asked for by two processes. So both go by
//! the one clock that they share: the API's, which stands in each answer's `Date` header.

use std::sync::atomic::{AtomicI64, Ordering};

use http::{HeaderMap, header::DATE};

use crate::clock::from_http_date;

/// A greater difference is no clock that is a little wrong, but one that tells nothing, in milliseconds (15 min). AWS itself does not
/// take calls from a process whose clock is wrong by more than five minutes.
const MAX_DIFFERENCE_MS: i64 = 15 * 60 * 1000;
/// The header is in whole seconds, rounded down.
const RESOLUTION_MS: i64 = 1000;
/// What two good clocks may differ by.
const TOLERANCE_MS: i64 = 1000;

/// How far Capillary's clock is ahead of this process's.
#[derive(Default)]
pub(super) struct TheirClock {
    ahead_ms: AtomicI64,
}

impl TheirClock {
    /// Compares the clocks by an answer. While they can be equal, they count as equal.
    pub(super) fn learn(&self, headers: &HeaderMap, asked_at_ms: i64, answered_at_ms: i64) {
        let date_s = headers.get(DATE).and_then(|date| from_http_date(date.to_str().ok()?));
        let Some(date_ms) = date_s.and_then(|date_s| date_s.checked_mul(1000)) else { return };
        // The answer was begun at some time between question and answer, and that was in this second there.
        let (least, most) = (date_ms - answered_at_ms, date_ms + RESOLUTION_MS - asked_at_ms);
        let agree = least <= TOLERANCE_MS && most >= -TOLERANCE_MS;
        let ahead_ms = if agree { 0 } else { least.midpoint(most) };
        if ahead_ms.abs() <= MAX_DIFFERENCE_MS {
            self.ahead_ms.store(ahead_ms, Ordering::Relaxed);
        }
    }

    /// The time there at a time here, both in milliseconds since 1970.
    pub(super) fn at(&self, own_ms: i64) -> i64 {
        own_ms.saturating_add(self.ahead_ms.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sun, 06 Nov 1994 08:49:37 GMT.
    const DATE_MS: i64 = 784_111_777_000;

    /// How far ahead a clock seems to be whose answer bears that date, asked for and answered at these times of our own.
    fn ahead_ms(asked_at_ms: i64, answered_at_ms: i64) -> i64 {
        let clock = TheirClock::default();
        let headers = HeaderMap::from_iter([(DATE, "Sun, 06 Nov 1994 08:49:37 GMT".parse().unwrap())]);
        clock.learn(&headers, asked_at_ms, answered_at_ms);
        clock.at(0)
    }

    #[test]
    fn clocks_that_can_be_equal_count_as_equal() {
        for asked_after_ms in [-990, -500, 0, 500, 1_990] {
            assert_eq!(ahead_ms(DATE_MS + asked_after_ms, DATE_MS + asked_after_ms + 10), 0, "{asked_after_ms}");
        }
        // A slow answer tells little of the clock.
        assert_eq!(ahead_ms(DATE_MS - 9_000, DATE_MS + 1_000), 0);
    }

    #[test]
    fn a_clock_that_is_wrong_by_minutes_is_put_right_to_a_second() {
        for wrong_ms in [-300_000, -4_000, 4_000, 300_000] {
            for (into_the_second_ms, took_ms) in [(0, 20), (400, 200), (980, 20)] {
                let asked_at_ms = DATE_MS + into_the_second_ms - wrong_ms;
                let error_ms = ahead_ms(asked_at_ms, asked_at_ms + took_ms) - wrong_ms;
                assert!(error_ms.abs() <= 600, "{wrong_ms}: {error_ms}");
            }
        }
    }

    #[test]
    fn what_is_no_time_tells_nothing() {
        let clock = TheirClock::default();
        for date in ["", "0", "Sun, 06 Nov 1994", "Sun, 99 Nov 1994 08:49:37 GMT", "1994-11-06T08:49:37Z"] {
            clock.learn(&HeaderMap::from_iter([(DATE, date.parse().unwrap())]), 0, 0);
        }
        clock.learn(&HeaderMap::new(), 0, 0);
        assert_eq!((clock.at(5), ahead_ms(0, 0)), (5, 0), "a day of 1970 is no clock that is a little wrong");
    }
}
