//! A report as text or as JSON, and what a run comes to.

use std::{io, process::ExitCode};

use serde::Serialize;
use serde_json::json;

use crate::page::{Page, Tone};

/// How a report is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    /// For people.
    Text,
    /// For programs: one object.
    Json,
}

/// What a run comes to; the exit codes of the help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Done, and nothing to be mended.
    Well,
    /// Done, and something wants mending.
    Finding,
    /// The command or the settings make no sense.
    Usage,
    /// AWS or Capillary refused, or could not be reached.
    Failed,
    /// Done in part.
    Partly,
}

impl Outcome {
    /// The exit code.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Well => 0,
            Self::Finding => 1,
            Self::Usage => 2,
            Self::Failed => 3,
            Self::Partly => 4,
        }
    }
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(outcome.code())
    }
}

/// Why there is no report. Its text holds no secret and nothing of a person.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The command or the settings make no sense.
    #[error("{0}")]
    Usage(String),
    /// AWS or Capillary refused, or could not be reached.
    #[error("{call}: {cause}")]
    Call { call: String, cause: String },
    /// The report can't be written.
    #[error("standard output: {0}")]
    Output(#[from] io::Error),
}

impl Failure {
    /// A refusal, or no answer.
    pub(crate) fn of(call: impl Into<String>, cause: impl Into<String>) -> Self {
        Self::Call { call: call.into(), cause: cause.into() }
    }
}

/// What a command has found or done.
pub(crate) trait Report: Serialize {
    /// Writes it for people.
    fn write(&self, page: &mut Page) -> io::Result<()>;

    /// What the run comes to.
    fn outcome(&self) -> Outcome;
}

impl Output {
    /// Prints a report.
    pub(crate) fn show(self, report: &impl Report) -> Result<Outcome, Failure> {
        let mut page = Page::stdout();
        match self {
            Self::Text => report.write(&mut page)?,
            Self::Json => {
                let text = serde_json::to_string_pretty(report).map_err(io::Error::other)?;
                page.verbatim(&text)?;
            }
        }
        Ok(report.outcome())
    }

    /// Prints why there is no report, on standard error.
    pub(crate) fn fail(self, failure: &Failure) -> Outcome {
        let outcome = match failure {
            // Whoever read the output has seen enough.
            Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => return Outcome::Well,
            Failure::Usage(_) => Outcome::Usage,
            Failure::Call { .. } | Failure::Output(_) => Outcome::Failed,
        };
        let mut page = Page::stderr();
        let text = failure.to_string();
        // Nobody is left to be told that standard error can't be written.
        let _ = match self {
            Self::Text => page.styled(&[("error: ", Tone::Bad), (&text, Tone::Plain)]),
            Self::Json => page.verbatim(&json!({"error": text}).to_string()),
        };
        outcome
    }
}
