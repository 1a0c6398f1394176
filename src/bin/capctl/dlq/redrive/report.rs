//! What a redrive comes to.

use std::{collections::BTreeMap, io};

use serde::Serialize;

use crate::{
    dlq::{
        ended::Ended,
        groups::{Groups, Remedies, count},
    },
    output::{Outcome, Report},
    page::{Page, Tone},
};

/// What was redriven, or would be, and what was not.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Redriven {
    pub(super) dry_run: bool,
    pub(super) letters: usize,
    pub(super) reasons: Groups,
    /// Letters that SQS did not take, by the code that it gave.
    pub(super) failed: BTreeMap<String, usize>,
    /// The same where it will never take them.
    pub(super) refused: BTreeMap<String, usize>,
    /// Letters that were sent and are still here.
    pub(super) not_deleted: usize,
    /// Letters that no redrive can heal.
    pub(super) unhealable: Groups,
    /// Letters that came while this ran, and of events redriven before in it.
    pub(super) new: usize,
    #[serde(flatten)]
    pub(super) ended: Ended,
    /// What ended it before the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stopped: Option<String>,
    #[serde(skip)]
    now_ms: i64,
}

impl Redriven {
    pub(super) fn new(dry_run: bool, now_ms: i64) -> Self {
        Self {
            dry_run,
            letters: 0,
            reasons: Groups::default(),
            failed: BTreeMap::new(),
            refused: BTreeMap::new(),
            not_deleted: 0,
            unhealable: Groups::default(),
            new: 0,
            ended: Ended::default(),
            stopped: None,
            now_ms,
        }
    }
}

impl Report for Redriven {
    fn write(&self, page: &mut Page) -> io::Result<()> {
        match (self.letters, self.dry_run) {
            (0, _) => page.line("no letter to redrive")?,
            (letters, true) => page.heading(&format!("{} would be redriven", count(letters)))?,
            (letters, false) => page.heading(&format!("{} redriven", count(letters)))?,
        }
        let remedies = if self.dry_run { Remedies::Told } else { Remedies::Untold };
        self.reasons.write(page, remedies, self.now_ms)?;
        if self.unhealable.letters() > 0 {
            page.gap()?;
            page.heading(&format!("{} left, which no redrive can heal", count(self.unhealable.letters())))?;
            self.unhealable.write(page, Remedies::Told, self.now_ms)?;
        }
        let mut warn = |text: &str| page.styled(&[(text, Tone::Warning)]);
        for (code, letters) in &self.failed {
            warn(&format!("SQS did not take {} ({code}): run it again", count(*letters)))?;
        }
        for (code, letters) in &self.refused {
            warn(&format!(
                "SQS calls {} invalid ({code}), and will again: read it with `capctl dlq show`, then drop it",
                count(*letters)
            ))?;
        }
        if self.not_deleted > 0 {
            warn(&format!(
                "{} sent, and still in the dead-letter queue: another redrive sends them again, which the ledger makes harmless",
                count(self.not_deleted)
            ))?;
        }
        if self.new > 0 {
            warn(&format!("{} came while this ran, and were left", count(self.new)))?;
        }
        self.ended.write(page, "run it again to go on")?;
        self.stopped.as_ref().map_or(Ok(()), |cause| page.styled(&[("stopped: ", Tone::Bad), (cause, Tone::Plain)]))
    }

    fn outcome(&self) -> Outcome {
        if self.ended.may_have_missed_some() || self.stopped.is_some() || self.not_deleted > 0 {
            Outcome::Partly
        } else if !self.failed.is_empty() {
            if self.letters == 0 { Outcome::Failed } else { Outcome::Partly }
        } else if self.unhealable.letters() + self.new + self.refused.values().sum::<usize>() > 0 {
            Outcome::Finding
        } else {
            Outcome::Well
        }
    }
}
