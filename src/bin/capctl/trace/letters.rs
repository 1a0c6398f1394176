//! Whether an event's letter lies in the dead-letter queue.

use std::{
    collections::{HashMap, HashSet},
    ops::ControlFlow,
};

use capillary_events::ledger::Status;

use super::{
    Notes,
    story::{Sight, Story},
};
use crate::{
    context::Context,
    dead_letters::{DeadLetters, Label, Letter},
    interrupt::Interrupt,
    output::Failure,
};

/// A younger event has no letter yet: to look for one would hide all letters from others for nothing.
const TOO_YOUNG_MS: i64 = 2 * 60 * 1000;

/// Looks through the queue for letters of these events, where there may be one; or of the id itself, where nothing else is known of it.
pub(super) async fn look(events: &mut Vec<Story>, id: &str, context: &Context, notes: &mut Notes) {
    let now_ms = context.now_ms();
    let mut wanted: HashSet<String> =
        events.iter().filter(|event| may_have_one(event, now_ms)).filter_map(|event| event.event_id.clone()).collect();
    if events.is_empty() {
        wanted.insert(id.to_owned());
    }
    if wanted.is_empty() {
        return;
    }
    let seen = match context.deployment.name("DEAD_LETTER_QUEUE_URL") {
        Ok(url) => find(&DeadLetters::new(&context.aws, url), wanted.clone(), notes).await,
        Err(failure) => Err(failure),
    };
    let (mut found, is_all) = seen.unwrap_or_else(|failure| {
        notes.add(format!("the dead-letter queue can't be read: {failure}"));
        (HashMap::new(), false)
    });
    for event in events.iter_mut().filter(|event| event.event_id.as_ref().is_some_and(|id| wanted.contains(id))) {
        event.letter = match event.event_id.as_ref().and_then(|id| found.remove(id)) {
            Some(label) => Sight::Found(label),
            None if is_all => Sight::NotThere,
            None => Sight::Unknown,
        };
    }
    events.extend(found.remove(id).map(|label| Story { letter: Sight::Found(label), ..Story::new(id, None, None) }));
    if !is_all && found.is_empty() {
        notes.add(
            "not all dead letters can be seen now: somebody is reading them, or was until less than five minutes ago".to_owned(),
        );
    }
}

fn may_have_one(event: &Story, now_ms: i64) -> bool {
    match event.row.as_ref().and_then(super::ledger::Row::status) {
        Some(Status::Published) => false,
        Some(Status::Failed) | None => true,
        Some(Status::Received | Status::Enriched) => event.moved_at().is_none_or(|at| now_ms.saturating_sub(at) >= TOO_YOUNG_MS),
    }
}

/// The letters of these events, and whether all of the queue was seen that had to be.
async fn find(
    letters: &DeadLetters,
    mut wanted: HashSet<String>,
    notes: &mut Notes,
) -> Result<(HashMap<String, Label>, bool), Failure> {
    let interrupt = Interrupt::listen();
    let mut found = HashMap::new();
    let passed = letters
        .pass(async |batch| {
            for label in batch.iter().map(Letter::label) {
                if let Some(id) = label.event_id.clone().filter(|id| wanted.remove(id)) {
                    found.insert(id, label);
                }
            }
            let is_over = wanted.is_empty() || interrupt.is_raised();
            Ok((HashSet::new(), if is_over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }))
        })
        .await?;
    if let Some(trouble) = passed.trouble {
        notes.add(format!("letters could not be hidden or given back ({trouble}): they come back by themselves"));
    }
    let is_all = wanted.is_empty() || (passed.hidden == 0 && !passed.is_stuck && !interrupt.is_raised());
    Ok((found, is_all))
}
