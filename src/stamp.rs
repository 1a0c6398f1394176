//! The time of an entity's last update, as Capillary gives it in the entity itself.

use std::{cmp::Ordering, fmt};

use serde_json::Value;
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

use crate::{entity::Kind, moment::Moment};

/// The member that bears it.
const MEMBER: &str = "autoUpdateTime";

/// An update time. A mere date is none: it could not tell two updates of a day apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    at: OffsetDateTime,
    /// Whether it came with an offset. Without one it is some local time, which compares only with its like.
    has_offset: bool,
}

impl Stamp {
    /// The update time in an entity's body, if there is one: a customer's is the latest of her profiles'.
    ///
    /// A stamp must be that of the whole entity, or a change that does not move it would pass for older than what is known. No
    /// documented answer about a card, a group or a coupon has such a time (a card's `statusInfo.autoUpdateTime` is the day when its
    /// status changed), so their order rests on when they were asked for.
    pub fn of(kind: Kind, body: &Value) -> Option<Self> {
        let own = body.get(MEMBER).and_then(Self::read);
        match kind {
            Kind::Transaction => own,
            Kind::Card | Kind::Group | Kind::Coupon | Kind::PointsLedger => None,
            Kind::Customer => {
                let profiles = body.get("profiles").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
                let stamps = profiles.iter().filter_map(|profile| profile.get(MEMBER)).filter_map(Self::read).chain(own);
                stamps.reduce(|one, other| if one.compare(&other) == Some(Ordering::Less) { other } else { one })
            }
        }
    }

    /// From the text of [`fmt::Display`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::at(Moment::parse(text)?)
    }

    /// A time that can be written down.
    fn new(at: OffsetDateTime, has_offset: bool) -> Option<Self> {
        (0..=9999).contains(&at.year()).then_some(Self { at, has_offset })
    }

    /// Which one is earlier; none if that can't be told.
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        (self.has_offset == other.has_offset).then(|| self.at.cmp(&other.at))
    }

    fn read(value: &Value) -> Option<Self> {
        Self::at(Moment::of(value)?)
    }

    fn at(moment: Moment) -> Option<Self> {
        match moment {
            Moment::Instant(at) => Self::new(at.checked_to_offset(UtcOffset::UTC)?, true),
            Moment::Local(at) => Self::new(at.assume_utc(), false),
            Moment::Day(_) => None,
        }
    }
}

/// RFC 3339 in UTC, or without the `Z` where there was no offset.
impl fmt::Display for Stamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.at.format(&Rfc3339).map_err(|_| fmt::Error)?;
        formatter.write_str(if self.has_offset { &text } else { text.trim_end_matches('Z') })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn stamp(text: &str) -> Stamp {
        Stamp::parse(text).unwrap()
    }

    #[test]
    fn every_form_that_occurs_is_read_and_written_in_one() {
        for (text, written) in [
            ("2017-01-02T18:50:23+08:00", "2017-01-02T10:50:23Z"),
            ("2025-02-06T11:59:27Z", "2025-02-06T11:59:27Z"),
            ("2021-01-09T15:57:16.042+0000", "2021-01-09T15:57:16.042Z"),
            ("2022-01-30T11:49:17", "2022-01-30T11:49:17"),
            ("2022-01-30 11:49:17.5", "2022-01-30T11:49:17.5"),
        ] {
            assert_eq!(stamp(text).to_string(), written);
            assert_eq!(stamp(written), stamp(text));
        }
        for text in ["2025-06-22", "", "soon", "1693164549783", "9999-12-31T23:59:59-05:00", "0000-01-01T00:00:00+05:30"] {
            assert_eq!(Stamp::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_local_time_compares_only_with_its_like() {
        assert_eq!(stamp("2022-01-30T11:49:17").compare(&stamp("2022-01-30T11:49:18")), Some(Ordering::Less));
        assert_eq!(stamp("2022-01-30T11:49:17+01:00").compare(&stamp("2022-01-30T11:00:00Z")), Some(Ordering::Less));
        assert_eq!(stamp("2022-01-30T11:49:17").compare(&stamp("2022-01-30T11:49:17Z")), None);
    }

    #[test]
    fn a_customers_stamp_is_that_of_the_profile_that_was_updated_last() {
        let customer =
            json!({"profiles": [{"autoUpdateTime": "2025-02-06T11:59:27Z"}, {"autoUpdateTime": "2025-02-06T11:59:32Z"}, {}]});
        assert_eq!(Stamp::of(Kind::Customer, &customer), Some(stamp("2025-02-06T11:59:32Z")));
        assert_eq!(
            Stamp::of(Kind::Transaction, &json!({"autoUpdateTime": 1_693_164_549_783_u64})),
            Some(stamp("2023-08-27T19:29:09.783Z"))
        );
        assert_eq!(Stamp::of(Kind::Customer, &json!({"profiles": {}})), None);
        assert_eq!(Stamp::of(Kind::Transaction, &json!({"autoUpdateTime": -100_000_000_000_000_i64})), None);
        assert_eq!(Stamp::of(Kind::Transaction, &customer), None);
    }

    #[test]
    fn a_time_of_a_part_is_no_time_of_the_whole() {
        let card = json!({"id": 328_623, "statusInfo": {"autoUpdateTime": "2025-11-03T08:19:33Z"}, "autoUpdateTime": "2025-11-03T08:19:33Z"});
        for kind in [Kind::Card, Kind::Group, Kind::Coupon, Kind::PointsLedger] {
            assert_eq!(Stamp::of(kind, &card), None, "{}", kind.as_str());
        }
    }
}
