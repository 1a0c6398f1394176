//! Points in time in the forms in which Capillary writes them: ISO 8601 with and without an offset in entities, and five forms
//! in events (facts 1.8).

use serde_json::Value;
use time::{
    Date, OffsetDateTime, PrimitiveDateTime, UtcOffset,
    format_description::{BorrowedFormatItem, well_known::Rfc3339},
    macros::format_description,
};

/// `+0000`, beside the `+00:00` of RFC 3339.
const OFFSET_WITHOUT_COLON: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second][optional [.[subsecond]]][offset_hour][offset_minute]");
/// An org can have offsets dropped from all times (facts 4.6).
const WITHOUT_OFFSET: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second][optional [.[subsecond]]]");
const DAY: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");
/// `Tue Mar 04 15:27:00 GMT 2025`, without its zone.
const WORDS: &[BorrowedFormatItem<'_>] =
    format_description!("[weekday repr:short] [month repr:short] [day] [hour]:[minute]:[second] [year]");

/// Milliseconds since 1970 of a text that tells a point in time with its offset.
pub fn instant_ms(text: &str) -> Option<i64> {
    match Moment::parse(text)? {
        Moment::Instant(instant) => i64::try_from(instant.unix_timestamp_nanos() / 1_000_000).ok(),
        Moment::Local(_) | Moment::Day(_) => None,
    }
}

/// A point in time, as exactly as a text tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// With an offset, which is kept: it says in which zone the writer counts days.
    Instant(OffsetDateTime),
    /// By some clock whose zone is not told.
    Local(PrimitiveDateTime),
    /// No more than a day, in some zone.
    Day(Date),
}

impl Moment {
    /// From any of the forms.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        // A space instead of the `T` occurs, too.
        let iso = text.trim().replacen(' ', "T", 1);
        let instant =
            || OffsetDateTime::parse(&iso, &Rfc3339).or_else(|_| OffsetDateTime::parse(&iso, OFFSET_WITHOUT_COLON)).ok();
        let local = || PrimitiveDateTime::parse(&iso, WITHOUT_OFFSET).ok();
        let day = || Date::parse(&iso, DAY).ok();
        instant()
            .map(Self::Instant)
            .or_else(|| local().map(Self::Local))
            .or_else(|| day().map(Self::Day))
            .or_else(|| in_words(text))
    }

    /// From a value: a text, or a whole number of milliseconds since 1970.
    pub(crate) fn of(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Self::parse(text),
            Value::Number(ms) => {
                OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms.as_i64()?) * 1_000_000).ok().map(Self::Instant)
            }
            _ => None,
        }
    }

    /// Whether both are the same point, as far as both tell: two instants wherever they were written, else what stands there. A
    /// clock without a zone and a mere day are taken to be in the zone of the other one, since nothing says otherwise.
    pub(crate) fn is(self, other: Self) -> bool {
        let (one, other) = match (self, other) {
            (Self::Instant(one), Self::Instant(other)) => (one, other),
            (Self::Day(_), _) | (_, Self::Day(_)) => return self.day() == other.day(),
            (one, other) => (one.clock(), other.clock()),
        };
        // Some forms have no fractions of a second.
        let (fraction, other_fraction) = (one.nanosecond(), other.nanosecond());
        one.unix_timestamp() == other.unix_timestamp() && (fraction == other_fraction || fraction == 0 || other_fraction == 0)
    }

    /// Whether both are on one day, as the other one counts days.
    pub(crate) fn is_on_day_of(self, other: Self) -> bool {
        let here = match (self, other) {
            (Self::Instant(one), Self::Instant(other)) => one.checked_to_offset(other.offset()).map(Self::Instant),
            _ => Some(self),
        };
        here.is_some_and(|here| here.day() == other.day())
    }

    fn day(self) -> Date {
        match self {
            Self::Instant(at) => at.date(),
            Self::Local(at) => at.date(),
            Self::Day(day) => day,
        }
    }

    /// What a clock showed there, as if it was that of UTC.
    fn clock(self) -> OffsetDateTime {
        match self {
            Self::Instant(at) => at.replace_offset(UtcOffset::UTC),
            Self::Local(at) => at.assume_utc(),
            Self::Day(day) => day.midnight().assume_utc(),
        }
    }
}

/// As Java prints a date. Its zones' names have no one meaning but for this one; the others count as not told.
fn in_words(text: &str) -> Option<Moment> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [weekday, month, day, clock, zone, year] = words.as_slice() else { return None };
    let at = PrimitiveDateTime::parse(&[*weekday, month, day, clock, year].join(" "), WORDS).ok()?;
    Some(if matches!(*zone, "GMT" | "UTC") { Moment::Instant(at.assume_utc()) } else { Moment::Local(at) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn moment(text: &str) -> Moment {
        Moment::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn every_form_that_occurs_is_read() {
        let noon = moment("2025-03-04T15:27:00Z");
        for text in [
            "Tue Mar 04 15:27:00 GMT 2025",
            " Tue Mar 04 15:27:00 UTC 2025 ",
            "2025-03-04T15:27:00.000+0000",
            "2025-03-04T20:57:00+05:30",
            "2025-03-04 15:27:00Z",
            "2025-03-04 15:27:00",
            "2025-03-04T15:27:00.0",
            "Tue Mar 04 15:27:00 IST 2025",
            "2025-03-04",
        ] {
            assert!(moment(text).is(noon) && noon.is(moment(text)), "{text}");
        }
        assert!(Moment::of(&json!(1_741_102_020_000_i64)).unwrap().is(noon));
        for value in [
            json!("soon"),
            json!("Tue Mar 04 2025"),
            json!("2025"),
            json!("2025-13-01"),
            json!(null),
            json!(1.5),
            json!("1741102020000"),
        ] {
            assert_eq!(Moment::of(&value), None, "{value}");
        }
    }

    #[test]
    fn what_both_tell_must_agree() {
        for (one, other) in [
            ("2025-03-04T15:27:00Z", "2025-03-04T15:27:01Z"),
            ("2025-03-04T15:27:00Z", "2025-03-04T15:27:00+05:30"),
            ("2025-03-04T15:27:00.5Z", "2025-03-04T15:27:00.6Z"),
            ("2025-03-04 15:27:00", "2025-03-04T20:57:00+05:30"),
            ("2025-03-04 15:27:00", "2025-03-04 15:28:00"),
            ("2025-03-04", "2025-03-05T00:00:00Z"),
            ("2025-03-04", "2025-03-03"),
        ] {
            assert!(!moment(one).is(moment(other)) && !moment(other).is(moment(one)), "{one} {other}");
        }
        assert!(moment("2025-03-04T15:27:00.172+0000").is(moment("Tue Mar 04 15:27:00 GMT 2025")), "one has no fractions");
        assert!(moment("2025-03-04 00:00:00.0").is(moment("2025-03-04")));
    }

    #[test]
    fn a_day_is_counted_where_the_other_one_counts_it() {
        let expiry = moment("2117-04-29T23:59:59+05:30");
        for text in ["2117-04-29", "2117-04-29 00:00:00.0", "2117-04-28T18:30:00Z", "2117-04-29T18:29:59+0000"] {
            assert!(moment(text).is_on_day_of(expiry), "{text}");
        }
        for text in ["2117-04-30", "2117-04-28T18:29:59Z", "2117-04-29T18:30:00Z"] {
            assert!(!moment(text).is_on_day_of(expiry), "{text}");
        }
    }
}
