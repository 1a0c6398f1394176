//! `capctl dlq show`: one letter.

use std::{
    collections::HashSet,
    io::{self, Write},
    ops::ControlFlow,
    path::PathBuf,
};

use clap::Args;
use serde::Serialize;

use super::ended::Ended;
use crate::{
    context::Context,
    dead_letters::{DeadLetters, Label},
    files,
    interrupt::Interrupt,
    output::{Failure, Outcome, Report},
    page::{Cell, Page, Tone, cell, plain},
    reasons::meaning,
    spans::moment,
};

/// A letter: what it says of itself, what its reason means, what helps
///
/// Ends with exit code 1 if there is no such letter, with 4 if it may be among those that were not seen. The body is shown only when asked for: it is the data of the person whom the event is
/// about.
#[derive(Args)]
pub(super) struct ShowArguments {
    /// The letter's message id, or its event's id
    #[arg(value_name = "ID", allow_hyphen_values = true)]
    id: String,
    /// Write nothing but the body, to standard output, as it was received: personal data
    #[arg(long, conflicts_with_all = ["save", "json"])]
    body: bool,
    /// Write the body, as it was received, to a new file that only you may read
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
}

#[derive(Serialize)]
struct Shown {
    letters: Vec<Label>,
    #[serde(flatten)]
    ended: Ended,
    #[serde(skip)]
    saved: Option<String>,
    #[serde(skip)]
    now_ms: i64,
}

/// A letter and its body, which may not be what its encoding says.
type Found = (Label, Result<Vec<u8>, String>);

pub(super) async fn run(arguments: &ShowArguments, context: &Context) -> Result<Outcome, Failure> {
    let queue = DeadLetters::new(&context.aws, context.deployment.name("DEAD_LETTER_QUEUE_URL")?);
    let (mut found, ended) = find(&queue, &arguments.id).await?;
    let wants_body = arguments.body || arguments.save.is_some();
    let mut saved = None;
    if wants_body && found.len() > 1 {
        let ids: Vec<&str> = found.iter().map(|(label, _)| label.message_id.as_str()).collect();
        return Err(Failure::Usage(format!("several letters of that event: name one of {}", ids.join(", "))));
    }
    if wants_body && let Some((_, body)) = found.pop_if(|_| arguments.body) {
        let body = body.map_err(Failure::Usage)?;
        let mut stdout = io::stdout().lock();
        stdout.write_all(&body)?;
        stdout.flush()?;
        return Ok(Outcome::Well);
    }
    if let (Some(path), Some((_, body))) = (&arguments.save, found.first()) {
        files::keep(path, body.as_ref().map_err(|cause| Failure::Usage(cause.clone()))?)?;
        saved = Some(path.display().to_string());
    }
    let letters = found.into_iter().map(|(label, _)| label).collect();
    context.show(&Shown { letters, ended, saved, now_ms: context.now_ms() })
}

/// The letter with that message id, or all of the event with that id; and how the look for them ended.
async fn find(queue: &DeadLetters, id: &str) -> Result<(Vec<Found>, Ended), Failure> {
    let (interrupt, mut found) = (Interrupt::listen(), Vec::new());
    let passed = queue
        .pass(async |letters| {
            let mut is_over = interrupt.is_raised();
            for letter in letters {
                let label = letter.label();
                is_over |= label.message_id == id;
                if label.message_id == id || label.event_id.as_deref() == Some(id) {
                    found.push((label, letter.body().map_err(|error| error.to_string())));
                }
            }
            Ok((HashSet::new(), if is_over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }))
        })
        .await?;
    Ok((found, Ended::of(passed, &interrupt)))
}

impl Report for Shown {
    fn write(&self, page: &mut Page) -> io::Result<()> {
        if self.letters.is_empty() {
            let told = if self.ended.may_have_missed_some() {
                "no letter with this id was seen"
            } else {
                "no letter with this id is in the dead-letter queue"
            };
            page.styled(&[(told, Tone::Warning)])?;
            return self.ended.write(page, "it may be there all the same");
        }
        for label in &self.letters {
            let mut rows: Vec<Vec<Cell>> = Vec::new();
            let mut tell = |what: &str, text: String| rows.push(vec![cell(format!("  {what}"), Tone::Faint), plain(text)]);
            let known = |text: &Option<String>| text.clone().unwrap_or_else(|| "not known".to_owned());
            tell("event", known(&label.event_id));
            tell("name", known(&label.event_name));
            if let Some(org) = label.org_id {
                tell("org", org.to_string());
            }
            if let Some(at) = label.received_at {
                tell("received", moment(at, self.now_ms));
            }
            if let Some(since) = label.dead_since {
                tell("dead since", moment(since, self.now_ms));
            }
            let meaning = meaning(label.reason.as_deref());
            tell("reason", format!("{}: {}", label.reason.as_deref().unwrap_or("none, moved by SQS"), meaning.what));
            if let Some(detail) = &label.detail {
                tell("detail", detail.clone());
            }
            tell("body", format!("{} bytes in the queue; --body writes it", label.bytes));
            page.heading(&label.message_id)?;
            page.table(&[], &rows)?;
            page.styled(&[("  → ", Tone::Strong), (meaning.remedy, Tone::Plain)])?;
        }
        self.saved.as_ref().map_or(Ok(()), |path| page.styled(&[(&format!("the body is in {path}"), Tone::Good)]))
    }

    fn outcome(&self) -> Outcome {
        match (self.letters.is_empty(), self.ended.may_have_missed_some()) {
            (false, _) => Outcome::Well,
            (true, true) => Outcome::Partly,
            (true, false) => Outcome::Finding,
        }
    }
}
