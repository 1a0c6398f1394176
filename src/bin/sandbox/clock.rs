//! The time of day, and the forms in which Capillary tells it.

use std::time::{SystemTime, UNIX_EPOCH};

use time::format_description::BorrowedFormatItem;
use time::macros::{format_description, offset};
use time::{OffsetDateTime, UtcOffset};

/// There is no colon in the offset.
const FORM: &[BorrowedFormatItem<'_>] = format_description!(
    "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3][offset_hour sign:mandatory][offset_minute]"
);
/// The event log's samples are of the servers' own time zones; this is one of them.
const SERVER_OFFSET: UtcOffset = offset!(+5:30);

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// As webhooks say when they were made and changed.
pub(crate) fn attribution_time(at_ms: u64) -> String {
    formatted(at_ms, UtcOffset::UTC)
}

/// As the event log says when an event came and went.
pub(crate) fn log_time(at_ms: u64) -> String {
    formatted(at_ms, SERVER_OFFSET)
}

fn formatted(at_ms: u64, offset: UtcOffset) -> String {
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at_ms) * 1_000_000).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    time.to_offset(offset).format(FORM).unwrap_or_default()
}
