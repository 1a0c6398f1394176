//! `capctl dlq drop`: letters that nobody needs any more.

use std::{
    collections::HashSet,
    io,
    path::{Path, PathBuf},
};

use clap::Args;
use serde::Serialize;

use super::{
    ended::Ended,
    filter::Selection,
    groups::{Groups, Remedies, count},
    newcomers::Newcomers,
    walk::{Meant, Walk},
};
use crate::{
    context::Context,
    dead_letters::{Label, Letter},
    files,
    output::{Failure, Outcome, Report},
    page::{Page, Tone},
};

/// Deletes letters, for good
///
/// Without --yes it says which it would delete, and ends with exit code 2. Letters that come while it runs stay.
#[derive(Args)]
pub(super) struct DropArguments {
    #[command(flatten)]
    selection: Selection,
    /// Really delete them
    #[arg(long)]
    yes: bool,
    /// Before, write each body as it was received to a file in this directory, named for the message, and what the letter says of itself to
    /// one beside it (.json); only you may read them
    #[arg(long, value_name = "DIR")]
    save: Option<PathBuf>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Dropped {
    /// Whether they were to be deleted.
    confirmed: bool,
    letters: usize,
    /// Those that were deleted, or would be.
    reasons: Groups,
    /// Those that SQS did not delete.
    not_deleted: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    saved_in: Option<String>,
    /// Letters that came while this ran, and were left.
    new: usize,
    #[serde(flatten)]
    ended: Ended,
    /// What ended it before the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped: Option<String>,
    #[serde(skip)]
    now_ms: i64,
}

pub(super) async fn run(arguments: &DropArguments, context: &Context) -> Result<Outcome, Failure> {
    let walk = Walk::new(context, arguments.selection.filter()?).await?;
    let saves = arguments.save.as_deref().filter(|_| arguments.yes);
    if let Some(directory) = saves {
        files::directory(directory)?;
    }
    let (mut reasons, mut not_deleted, mut newcomers) = (Groups::default(), 0, Newcomers::since(walk.now_ms));
    let (ended, outcome) = walk
        .go(
            |label| !newcomers.leave(label),
            async |letters| {
                if !arguments.yes {
                    letters.iter().for_each(|(_, label)| reasons.add(label));
                    return Ok(HashSet::new());
                }
                for (letter, label) in &letters {
                    saves.map_or(Ok(()), |directory| save(directory, label, letter))?;
                }
                let deleted = walk.letters.delete(&letters.iter().map(|(letter, _)| *letter).collect::<Vec<_>>()).await?;
                let (gone, kept): (Vec<Meant<'_>>, Vec<_>) =
                    letters.into_iter().partition(|(letter, _)| deleted.contains(letter.message_id()));
                gone.iter().for_each(|(_, label)| reasons.add(label));
                not_deleted += kept.len();
                Ok(deleted)
            },
        )
        .await;
    let letters = reasons.letters();
    let stopped = match outcome {
        Err(failure) if letters == 0 => return Err(failure),
        outcome => outcome.err().map(|failure| failure.to_string()),
    };
    let saved_in = saves.map(|directory| directory.display().to_string());
    let (confirmed, new, now_ms) = (arguments.yes, newcomers.letters, context.now_ms());
    context.show(&Dropped { confirmed, letters, reasons, not_deleted, saved_in, new, ended, stopped, now_ms })
}

/// Writes the body as received, one that can't be brought back to that as it lies in the queue; and beside it the label, without which
/// nobody would know why it died.
fn save(directory: &Path, label: &Label, letter: &Letter) -> Result<(), Failure> {
    // SQS's ids are UUIDs; another service's must lead nowhere else either.
    let name: String =
        label.message_id.chars().filter(|character| character.is_ascii_alphanumeric() || *character == '-').collect();
    let raw = || letter.message().body().unwrap_or_default().as_bytes().to_vec();
    let told = serde_json::to_string_pretty(label).map_err(io::Error::other)?;
    files::keep(&directory.join(format!("{name}.json")), told.as_bytes())?;
    files::keep(&directory.join(name), &letter.body().unwrap_or_else(|_| raw()))
}

impl Report for Dropped {
    fn write(&self, page: &mut Page) -> io::Result<()> {
        let letters = count(self.letters);
        match (self.letters, self.confirmed) {
            (0, _) => page.line("no letter fits")?,
            (_, true) => page.heading(&format!("{letters} dropped"))?,
            (_, false) => page.heading(&format!("{letters} would be dropped"))?,
        }
        self.reasons.write(page, Remedies::Told, self.now_ms)?;
        if self.confirmed
            && let Some(directory) = &self.saved_in
        {
            page.line(&format!("\nthey are kept in {directory}"))?;
        }
        if !self.confirmed {
            page.styled(&[(
                "\nnothing was dropped: add --yes to drop them, and --save DIR to keep them in files",
                Tone::Warning,
            )])?;
        }
        if self.not_deleted > 0 {
            page.styled(&[(&format!("SQS did not delete {}: run it again", count(self.not_deleted)), Tone::Bad)])?;
        }
        if self.new > 0 {
            page.styled(&[(&format!("{} came while this ran, and stay", count(self.new)), Tone::Warning)])?;
        }
        if let Some(cause) = &self.stopped {
            page.styled(&[("stopped: ", Tone::Bad), (cause, Tone::Plain)])?;
        }
        self.ended.write(page, "run it again to go on")
    }

    fn outcome(&self) -> Outcome {
        if !self.confirmed {
            Outcome::Usage
        } else if self.ended.may_have_missed_some() || self.stopped.is_some() || self.not_deleted > 0 {
            Outcome::Partly
        } else if self.new > 0 {
            Outcome::Finding
        } else {
            Outcome::Well
        }
    }
}
