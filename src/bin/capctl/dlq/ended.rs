//! How a look through the queue ended, and what it may not have seen.

use std::io;

use serde::Serialize;

use crate::{
    dead_letters::Passed,
    interrupt::Interrupt,
    page::{Page, Tone},
};

/// What every report tells of the look that it is made from.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Ended {
    /// About how many could not be seen.
    pub(super) hidden: u64,
    /// Whether it was ended before the end.
    pub(super) interrupted: bool,
    /// Whether letters came again and again until it was given up.
    pub(super) is_stuck: bool,
    /// Why letters could not be given back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) trouble: Option<String>,
}

impl Ended {
    pub(super) fn of(passed: Passed, interrupt: &Interrupt) -> Self {
        let Passed { hidden, is_stuck, trouble } = passed;
        Self { hidden, interrupted: interrupt.is_raised(), is_stuck, trouble }
    }

    /// Whether there may be letters that it has not seen.
    pub(super) fn may_have_missed_some(&self) -> bool {
        self.hidden > 0 || self.interrupted || self.is_stuck
    }

    /// Writes what there is to say of it; `after` what to do after Ctrl-C.
    pub(super) fn write(&self, page: &mut Page, after: &str) -> io::Result<()> {
        let mut warn = |text: &str| page.styled(&[(text, Tone::Warning)]);
        if self.interrupted {
            warn(&format!("interrupted: {after}"))?;
        }
        if self.is_stuck {
            warn("letters came again and again, so there may be some that were not seen: run it again in five minutes")?;
        }
        if self.hidden > 0 {
            warn(&format!(
                "about {} more can't be seen now: somebody is reading them, or was until less than five minutes ago",
                self.hidden
            ))?;
        }
        self.trouble.as_ref().map_or(Ok(()), |cause| {
            warn(&format!(
                "not all that were read could be hidden or given back ({cause}): they come back by themselves within five minutes"
            ))
        })
    }
}
