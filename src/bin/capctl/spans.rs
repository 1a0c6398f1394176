//! Times and durations as people read them.

use capillary_events::clock::rfc3339;

const SECOND_MS: i64 = 1000;
const MINUTE_MS: i64 = 60 * SECOND_MS;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// `340 ms`, `12 s`, `5 min`, `3 h 20 min`, `12 d 4 h`.
pub(crate) fn duration(ms: i64) -> String {
    let ms = ms.max(0);
    let parts = |whole: i64, (unit, word): (i64, &str), (smaller, smaller_word): (i64, &str)| {
        let rest = ms % unit / smaller;
        if rest == 0 { format!("{whole} {word}") } else { format!("{whole} {word} {rest} {smaller_word}") }
    };
    match ms {
        0..SECOND_MS => format!("{ms} ms"),
        SECOND_MS..MINUTE_MS => format!("{} s", ms / SECOND_MS),
        MINUTE_MS..HOUR_MS => format!("{} min", ms / MINUTE_MS),
        HOUR_MS..DAY_MS => parts(ms / HOUR_MS, (HOUR_MS, "h"), (MINUTE_MS, "min")),
        _ => parts(ms / DAY_MS, (DAY_MS, "d"), (HOUR_MS, "h")),
    }
}

/// `2026-01-31 09:30:00.000 (5 min ago)`, in UTC.
pub(crate) fn moment(ms: i64, now_ms: i64) -> String {
    let relative = match now_ms.saturating_sub(ms) {
        ahead @ ..0 => format!("in {}", duration(ahead.saturating_neg())),
        ago => format!("{} ago", duration(ago)),
    };
    format!("{} ({relative})", time(ms))
}

/// `2026-01-31 09:30:00.000`, in UTC.
pub(crate) fn time(ms: i64) -> String {
    rfc3339(ms).replace('T', " ").trim_end_matches('Z').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_two_units_at_the_most() {
        let cases = [
            (-5, "0 ms"),
            (999, "999 ms"),
            (59_999, "59 s"),
            (5 * MINUTE_MS + 59_000, "5 min"),
            (2 * HOUR_MS, "2 h"),
            (3 * HOUR_MS + 20 * MINUTE_MS, "3 h 20 min"),
            (12 * DAY_MS + 4 * HOUR_MS, "12 d 4 h"),
        ];
        for (ms, expected) in cases {
            assert_eq!(duration(ms), expected);
        }
    }

    #[test]
    fn a_moment_is_told_in_utc_and_from_now() {
        assert_eq!(moment(0, 61_000), "1970-01-01 00:00:00.000 (1 min ago)");
        assert_eq!(moment(5_000, 0), "1970-01-01 00:00:05.000 (in 5 s)");
    }
}
