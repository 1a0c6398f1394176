//! `capctl dlq redrive`: letters go once more through the way of every event.

mod events_queue;
mod pace;
mod report;

use std::{cell::RefCell, collections::HashSet};

use clap::Args;

use super::{
    filter::Selection,
    groups::Groups,
    newcomers::Newcomers,
    walk::{Meant, Walk},
};
use crate::{
    context::Context,
    dead_letters::Letter,
    output::{Failure, Outcome},
    reasons::meaning,
};
use events_queue::{EventsQueue, Refusal};
use pace::{Pace, Rate};
use report::Redriven;

/// Sends letters to the events queue once more, where they go the way of every event
///
/// An event that was published meanwhile is not published a second time. What no redrive can heal (not_json, too_large) stays, and what
/// dies anew while this runs. Run it again to go on: what was redriven is no longer in the dead-letter queue. Ctrl-C ends it after the
/// call that is under way.
#[derive(Args)]
pub(super) struct RedriveArguments {
    #[command(flatten)]
    selection: Selection,
    /// Letters a second, from 0.1 to 1000: each may cost several calls to Capillary
    #[arg(long, value_name = "N", default_value = "10")]
    rate: Rate,
    /// Only say what would be redriven
    #[arg(long)]
    dry_run: bool,
}

pub(super) async fn run(arguments: &RedriveArguments, context: &Context) -> Result<Outcome, Failure> {
    let filter = arguments.selection.filter()?;
    let queue = EventsQueue::new(&context.aws, context.deployment.name("EVENTS_QUEUE_URL")?);
    let walk = Walk::new(context, filter).await?.at_once(arguments.rate.letters_at_once());
    let mut done = Redriven::new(arguments.dry_run, context.now_ms());
    let (mut unhealable, mut pace) = (Groups::default(), Pace::of(arguments.rate));
    let newcomers = RefCell::new(Newcomers::since(walk.now_ms));
    let (ended, outcome) = walk
        .go(
            |label| {
                if newcomers.borrow_mut().leave(label) {
                    return false;
                }
                let can_be = meaning(label.reason.as_deref()).can_be_redriven;
                if !can_be {
                    unhealable.add(label);
                }
                can_be
            },
            async |letters| {
                if arguments.dry_run {
                    letters.iter().for_each(|(_, label)| done.reasons.add(label));
                    return Ok(HashSet::new());
                }
                let mut gone = HashSet::new();
                for letters in events_queue::batches(letters) {
                    tokio::select! {
                        () = pace.turn(letters.len()) => {}
                        () = walk.interrupt.raised() => break,
                    }
                    letters.iter().for_each(|(_, label)| newcomers.borrow_mut().leave_next(label));
                    gone.extend(redrive(&walk, &queue, letters, &mut done).await?);
                }
                Ok(gone)
            },
        )
        .await;
    done.letters = done.reasons.letters();
    match outcome {
        Err(failure) if done.letters == 0 => return Err(failure),
        outcome => done.stopped = outcome.err().map(|failure| failure.to_string()),
    }
    done.unhealable = unhealable;
    done.new = newcomers.into_inner().letters;
    done.ended = ended;
    context.show(&done)
}

/// Sends, and only then deletes: whoever dies in between leaves a double, which the ledger knows. The other way round an event would be
/// lost.
async fn redrive(
    walk: &Walk<'_>,
    queue: &EventsQueue,
    letters: Vec<Meant<'_>>,
    done: &mut Redriven,
) -> Result<HashSet<String>, Failure> {
    let answer = queue.send(&letters.iter().map(|(letter, _)| *letter).collect::<Vec<_>>()).await?;
    for (code, refusal) in answer.refused {
        let codes = if refusal == Refusal::ForGood { &mut done.refused } else { &mut done.failed };
        *codes.entry(code).or_default() += 1;
    }
    let sent: Vec<Meant<'_>> = letters.into_iter().filter(|(letter, _)| answer.sent.contains(letter.message_id())).collect();
    if sent.is_empty() {
        return Ok(HashSet::new());
    }
    sent.iter().for_each(|(_, label)| done.reasons.add(label));
    let sent: Vec<&Letter> = sent.into_iter().map(|(letter, _)| letter).collect();
    done.not_deleted += sent.len();
    let gone = walk.letters.delete(&sent).await?;
    done.not_deleted -= gone.len();
    Ok(gone)
}
