//! Which letters are meant.

use std::time::Duration;

use clap::{Args, builder::PossibleValuesParser};

use crate::{dead_letters::Label, output::Failure, reasons::KNOWN};

/// The word for letters without a reason.
const MOVED_BY_SQS: &str = "none";

/// Letters that fit everything given here.
#[derive(Args, Default)]
pub(super) struct Filter {
    /// Letters with this reason; none: those that SQS itself moved
    #[arg(long, value_name = "REASON", value_parser = reasons())]
    reason: Option<String>,
    /// Letters of events with this name, in whatever case
    #[arg(long, value_name = "NAME")]
    event_name: Option<String>,
    /// Letters of the event with this id
    #[arg(long, value_name = "ID", allow_hyphen_values = true)]
    event_id: Option<String>,
    /// The letter with this id
    #[arg(long, value_name = "ID", allow_hyphen_values = true)]
    message_id: Option<String>,
    /// Letters of events of this org
    #[arg(long, value_name = "ORG")]
    org: Option<i64>,
    /// Letters that came here longer ago, as 2d or 1h 30m
    #[arg(long, value_name = "AGE", value_parser = humantime::parse_duration)]
    older_than: Option<Duration>,
    /// Letters that came here since, as 1h
    #[arg(long, value_name = "AGE", value_parser = humantime::parse_duration)]
    newer_than: Option<Duration>,
    /// No more letters than so many
    #[arg(long, value_name = "N")]
    pub(super) limit: Option<usize>,
}

fn reasons() -> PossibleValuesParser {
    PossibleValuesParser::new(KNOWN.into_iter().map(capillary_events::message::Reason::as_str).chain([MOVED_BY_SQS]))
}

impl Filter {
    /// Whether a letter is meant.
    pub(super) fn wants(&self, label: &Label, now_ms: i64) -> bool {
        let age =
            label.dead_since.map(|since| Duration::from_millis(now_ms.saturating_sub(since).try_into().unwrap_or_default()));
        let older = |than: &Duration| age.is_some_and(|age| age >= *than);
        let newer = |than: &Duration| age.is_some_and(|age| age < *than);
        let name = label.event_name.as_deref().unwrap_or_default();
        fits(&self.reason, |reason| *reason == label.reason.as_deref().unwrap_or(MOVED_BY_SQS))
            && fits(&self.event_name, |wanted| wanted.eq_ignore_ascii_case(name))
            && fits(&self.event_id, |id| Some(id) == label.event_id.as_ref())
            && fits(&self.message_id, |id| *id == label.message_id)
            && fits(&self.org, |org| Some(*org) == label.org_id)
            && fits(&self.older_than, older)
            && fits(&self.newer_than, newer)
    }

    /// Whether every letter is meant. A limit alone says nothing of which.
    fn is_empty(&self) -> bool {
        self.reason.is_none()
            && self.event_name.is_none()
            && self.event_id.is_none()
            && self.message_id.is_none()
            && self.org.is_none()
            && self.older_than.is_none()
            && self.newer_than.is_none()
    }
}

/// A condition that nobody set is met.
fn fits<T>(wanted: &Option<T>, is_met: impl FnOnce(&T) -> bool) -> bool {
    wanted.as_ref().is_none_or(is_met)
}

/// The same where all must be said, since something is done to them.
#[derive(Args)]
pub(super) struct Selection {
    #[command(flatten)]
    filter: Filter,
    /// Every letter
    #[arg(long)]
    all: bool,
}

impl Selection {
    /// The letters that are meant, if that was said.
    pub(super) fn filter(&self) -> Result<&Filter, Failure> {
        match (self.all, self.filter.is_empty()) {
            (true, true) | (false, false) => Ok(&self.filter),
            (true, false) => Err(Failure::Usage("--all says every letter, and the filter beside it says less".to_owned())),
            (false, true) => {
                Err(Failure::Usage("which letters? Give a filter, as --reason or --event-name, or --all".to_owned()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_800_000_000_000;
    const HOUR_MS: i64 = 3_600_000;

    fn label() -> Label {
        Label {
            message_id: "m".to_owned(),
            event_id: Some("e".to_owned()),
            event_name: Some("customerAdded".to_owned()),
            org_id: Some(7),
            reason: Some("panic".to_owned()),
            detail: None,
            received_at: None,
            dead_since: Some(NOW_MS - 2 * HOUR_MS),
            bytes: 2,
        }
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn everything_that_is_given_must_fit() {
        let hours = |hours: u64| Some(Duration::from_secs(3600 * hours));
        let fitting = [
            Filter::default(),
            Filter { reason: some("panic"), ..Filter::default() },
            Filter { event_name: some("CUSTOMERadded"), org: Some(7), ..Filter::default() },
            Filter { event_id: some("e"), message_id: some("m"), ..Filter::default() },
            Filter { older_than: hours(2), newer_than: hours(3), ..Filter::default() },
        ];
        assert!(fitting.iter().all(|filter| filter.wants(&label(), NOW_MS)));
        let others = [
            Filter { reason: some("none"), ..Filter::default() },
            Filter { event_name: some("customerAdded"), org: Some(8), ..Filter::default() },
            Filter { event_id: some("E"), ..Filter::default() },
            Filter { event_id: some("e"), message_id: some("e"), ..Filter::default() },
            Filter { older_than: hours(3), ..Filter::default() },
            Filter { newer_than: hours(2), ..Filter::default() },
        ];
        assert!(!others.iter().any(|filter| filter.wants(&label(), NOW_MS)));
    }

    #[test]
    fn what_a_letter_does_not_tell_fits_no_filter() {
        let bare = Label { event_id: None, event_name: None, org_id: None, reason: None, dead_since: None, ..label() };
        let none = Filter { reason: some("none"), ..Filter::default() };
        assert!(none.wants(&bare, NOW_MS));
        for filter in [
            Filter { event_name: some("customerAdded"), ..Filter::default() },
            Filter { org: Some(0), ..Filter::default() },
            Filter { older_than: Some(Duration::ZERO), ..Filter::default() },
            Filter { newer_than: Some(Duration::MAX), ..Filter::default() },
        ] {
            assert!(!filter.wants(&bare, NOW_MS));
        }
    }

    #[test]
    fn nothing_is_done_to_letters_that_nobody_named() {
        let selection = |all, filter| Selection { filter, all };
        let one = || Filter { org: Some(7), ..Filter::default() };
        assert!(selection(true, Filter::default()).filter().is_ok());
        assert!(selection(false, one()).filter().is_ok());
        assert!(selection(true, one()).filter().is_err());
        assert!(selection(false, Filter::default()).filter().is_err());
        assert!(selection(false, Filter { limit: Some(3), ..Filter::default() }).filter().is_err(), "a limit names none");
    }
}
