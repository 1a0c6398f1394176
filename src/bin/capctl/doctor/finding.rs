//! What was examined, and how it is.

use std::io;

use serde::Serialize;

use crate::{
    output::{Failure, Outcome, Report},
    page::{Page, Tone, cell, plain},
};

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    Good,
    /// To be known, or to be looked at when there is time.
    Hint,
    /// To be mended.
    Bad,
    /// Could not be found out.
    Unknown,
}

/// One thing that was examined.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Finding {
    /// What.
    what: &'static str,
    state: State,
    /// How it is.
    words: String,
    /// What to do; none where nothing is to be done.
    remedy: Option<String>,
}

/// All that was examined, in order.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    pub(super) fn good(&mut self, what: &'static str, words: impl Into<String>) {
        self.0.push(Finding { what, state: State::Good, words: words.into(), remedy: None });
    }

    pub(super) fn hint(&mut self, what: &'static str, words: impl Into<String>, remedy: impl Into<String>) {
        self.0.push(Finding { what, state: State::Hint, words: words.into(), remedy: Some(remedy.into()) });
    }

    pub(super) fn bad(&mut self, what: &'static str, words: impl Into<String>, remedy: impl Into<String>) {
        self.0.push(Finding { what, state: State::Bad, words: words.into(), remedy: Some(remedy.into()) });
    }

    /// What could not be found out; that is no fault of the deployment.
    pub(super) fn unknown(&mut self, what: &'static str, failure: &Failure) {
        self.unknown_of(what, "", failure);
    }

    /// The same of one among several, which the prefix names.
    pub(super) fn unknown_of(&mut self, what: &'static str, prefix: &str, failure: &Failure) {
        let remedy = matches!(failure, Failure::Call { .. }).then(|| "does whoever runs this have the right to ask?".to_owned());
        self.0.push(Finding { what, state: State::Unknown, words: format!("{prefix}{failure}"), remedy });
    }
}

/// The answer to `capctl doctor`.
#[derive(Serialize)]
pub(super) struct Examination {
    pub(super) stack: Option<String>,
    pub(super) findings: Findings,
}

impl Report for Examination {
    fn write(&self, page: &mut Page) -> io::Result<()> {
        for finding in &self.findings.0 {
            let (word, tone) = match finding.state {
                State::Good => ("ok     ", Tone::Good),
                State::Hint => ("hint   ", Tone::Warning),
                State::Bad => ("BAD    ", Tone::Bad),
                State::Unknown => ("unknown", Tone::Warning),
            };
            page.table(&[], &[vec![cell(word, tone), plain(format!("{:<12}", finding.what)), plain(&finding.words)]])?;
            if let Some(remedy) = &finding.remedy {
                page.styled(&[("         → ", Tone::Strong), (remedy, Tone::Plain)])?;
            }
        }
        let count = |state| self.findings.0.iter().filter(|finding| finding.state == state).count();
        page.gap()?;
        page.line(&format!(
            "examined: {}; to be mended: {}, hints: {}, unknown: {}",
            self.findings.0.len(),
            count(State::Bad),
            count(State::Hint),
            count(State::Unknown)
        ))
    }

    fn outcome(&self) -> Outcome {
        let has = |state| self.findings.0.iter().any(|finding| finding.state == state);
        if has(State::Bad) {
            Outcome::Finding
        } else if has(State::Unknown) {
            Outcome::Partly
        } else {
            Outcome::Well
        }
    }
}
