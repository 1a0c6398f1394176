//! `capctl dlq drop`: letters that nobody needs any more.

use std::{
    collections::HashSet,
    io,
    path::{Path, PathBuf},
};

use aws_sdk_sqs::types::DeleteMessageBatchRequestEntry;
use clap::Args;
use serde::Serialize;

use super::{
    filter::Selection,
    groups::{Groups, count},
    walk::{Meant, Walk, unseen},
};
use crate::{
    aws,
    context::Context,
    dead_letters::{DeadLetters, Letter},
    files,
    output::{Failure, Outcome, Report},
    page::{Page, Tone},
};

/// Deletes letters, for good
///
/// Without --yes it says which it would delete, and ends with exit code 2.
#[derive(Args)]
pub(super) struct DropArguments {
    #[command(flatten)]
    selection: Selection,
    /// Really delete them
    #[arg(long)]
    yes: bool,
    /// Before, write each body as it was received to a file in this directory, named for the message; only you may read it
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
    /// About how many could not be seen.
    hidden: u64,
    interrupted: bool,
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
    let (mut reasons, mut not_deleted) = (Groups::default(), 0);
    let outcome = walk
        .go(
            |_| true,
            async |letters| {
                if !arguments.yes {
                    letters.iter().for_each(|(_, label)| reasons.add(label));
                    return Ok(HashSet::new());
                }
                for (letter, label) in &letters {
                    saves.map_or(Ok(()), |directory| save(directory, &label.message_id, letter))?;
                }
                let deleted = delete(&walk.letters, &letters.iter().map(|(letter, _)| *letter).collect::<Vec<_>>()).await?;
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
    let (interrupted, hidden, now_ms) = (walk.interrupt.is_raised(), walk.hidden, context.now_ms());
    let confirmed = arguments.yes;
    context.show(&Dropped { confirmed, letters, reasons, not_deleted, saved_in, hidden, interrupted, stopped, now_ms })
}

/// Writes the body as received; one that can't be brought back to that as it lies in the queue.
fn save(directory: &Path, message_id: &str, letter: &Letter) -> Result<(), Failure> {
    // SQS's ids are UUIDs; another service's must lead nowhere else either.
    let name: String = message_id.chars().filter(|character| character.is_ascii_alphanumeric() || *character == '-').collect();
    let raw = || letter.message().body().unwrap_or_default().as_bytes().to_vec();
    files::keep(&directory.join(name), &letter.body().unwrap_or_else(|_| raw()))
}

/// Deletes letters, ten at the most; answers the ids of those that are gone.
pub(super) async fn delete(queue: &DeadLetters, letters: &[&Letter]) -> Result<HashSet<String>, Failure> {
    let entries = letters.iter().enumerate().filter_map(|(position, letter)| {
        let handle = letter.message().receipt_handle()?;
        DeleteMessageBatchRequestEntry::builder().id(position.to_string()).receipt_handle(handle).build().ok()
    });
    let request = queue.client.delete_message_batch().queue_url(&queue.url).set_entries(Some(entries.collect()));
    let answer = request.send().await.map_err(|error| aws::failure("SQS.DeleteMessageBatch", &error))?;
    let gone = answer.successful().iter().filter_map(|entry| letters.get(entry.id().parse::<usize>().ok()?));
    Ok(gone.map(|letter| letter.message_id().to_owned()).collect())
}

impl Report for Dropped {
    fn write(&self, page: &mut Page) -> io::Result<()> {
        let letters = count(self.letters);
        match (self.letters, self.confirmed) {
            (0, _) => page.line("no letter fits")?,
            (_, true) => page.heading(&format!("{letters} dropped"))?,
            (_, false) => page.heading(&format!("{letters} would be dropped"))?,
        }
        self.reasons.write(page, self.now_ms)?;
        if self.confirmed
            && let Some(directory) = &self.saved_in
        {
            page.line(&format!("\ntheir bodies are in {directory}"))?;
        }
        if !self.confirmed {
            page.styled(&[(
                "\nnothing was dropped: add --yes to drop them, and --save DIR to keep their bodies",
                Tone::Warning,
            )])?;
        }
        if self.not_deleted > 0 {
            page.styled(&[(&format!("SQS did not delete {}: run it again", count(self.not_deleted)), Tone::Bad)])?;
        }
        if self.interrupted {
            page.styled(&[("interrupted: run it again to go on", Tone::Warning)])?;
        }
        if let Some(cause) = &self.stopped {
            page.styled(&[("stopped: ", Tone::Bad), (cause, Tone::Plain)])?;
        }
        unseen(self.hidden).map_or(Ok(()), |text| page.styled(&[(&text, Tone::Warning)]))
    }

    fn outcome(&self) -> Outcome {
        if !self.confirmed {
            Outcome::Usage
        } else if self.interrupted || self.stopped.is_some() || self.not_deleted > 0 {
            Outcome::Partly
        } else {
            Outcome::Well
        }
    }
}
