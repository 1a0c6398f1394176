//! A step as a line to read.

use crate::{
    model::{Model, Step, Way},
    world::{Content, EnricherAt, GONE, Key, NO_ENTITY, ReceiverAt, World},
};

/// What happens in a world, and what is then.
pub(crate) fn line(model: &Model, world: &World, step: Step) -> String {
    let what = match step {
        Step::Tick => "time passes: every lease is over".to_owned(),
        Step::EntityChanges => "the entity changes".to_owned(),
        Step::EntityIsDeleted => "the entity is deleted".to_owned(),
        Step::RowVanishes { key } => {
            format!("DynamoDB deletes the row of {}, whose time is over", id(Key(u8::try_from(key).unwrap())))
        }
        Step::SnapshotVanishes => "DynamoDB deletes the snapshot, whose time is over".to_owned(),
        Step::Deliver { slot, event } => format!("the sender gives event {} to receiver {slot}", name(event)),
        Step::TakeUp { slot, event, .. } => format!("enricher {slot} gets a message of event {}", name(event)),
        Step::MovedBySqs { event, .. } => format!("SQS moves a message of event {} to the dead-letter queue", name(event)),
        Step::Redrive { event, .. } => format!("an operator redrives event {}", name(event)),
        Step::Receiver { slot, way } => format!("receiver {slot} {}{}", receives(model, world, slot), ends(way)),
        Step::Enricher { slot, way } => format!("enricher {slot} {}{}", enriches(model, world, slot), ends(way)),
    };
    match model.take(world, step) {
        Ok(after) => format!("{what:<90} | {}", state(&after)),
        Err(violation) => format!("{what:<90} | {violation}"),
    }
}

fn receives(model: &Model, world: &World, slot: usize) -> String {
    let Some(receiver) = world.receivers[slot] else { return String::new() };
    let key = id(model.key(receiver.event, receiver.second_key));
    match receiver.at {
        ReceiverAt::Claiming => format!("claims {key} for {} (W1)", name(receiver.event)),
        ReceiverAt::ClaimingAgain => {
            format!("claims {key} for {} once more, as the SDK got no answer (W1)", name(receiver.event))
        }
        ReceiverAt::Sending => format!("enqueues {} (W2)", name(receiver.event)),
    }
}

fn enriches(model: &Model, world: &World, slot: usize) -> String {
    let Some(enricher) = world.enrichers[slot] else { return String::new() };
    let (key, event) = (id(model.key(enricher.event, enricher.second_key)), name(enricher.event));
    match enricher.at {
        EnricherAt::Looking { .. } => format!("looks at the row of {key} and the snapshot for {event}"),
        EnricherAt::Fetching { .. } => format!("fetches the entity for {event}"),
        EnricherAt::Committing { draft, .. } => format!("commits {event} under {key}: {} (X1, X2)", content(&draft.content)),
        EnricherAt::Publishing { content: published, .. } => format!("publishes {event} as {key}: {} (P1)", content(&published)),
        EnricherAt::Marking { .. } => format!("marks {key} as published (P2)"),
        EnricherAt::DeadLettering => format!("dead-letters {event} (D1)"),
        EnricherAt::MarkingFailed { stored: true } => format!("marks {key} as failed, if something is stored (D2)"),
        EnricherAt::MarkingFailed { stored: false } => format!("marks {key} as failed, if nothing is stored (D2)"),
        EnricherAt::Deleting { .. } => format!("deletes its message of {event}"),
    }
}

fn ends(way: Way) -> &'static str {
    match way {
        Way::On => "",
        Way::AnswerLost => ": the answer is lost",
        Way::OldAnswer(_) => ": a replica answers an older state",
        Way::Fails => " … and fails, for the last time",
        Way::Dies => " … no, it dies",
    }
}

fn name(event: usize) -> &'static str {
    if event == 0 { "A" } else { "B" }
}

fn id(key: Key) -> &'static str {
    match key.0 {
        0 => "id",
        1 => "id of B",
        2 => "id~A",
        _ => "id~B",
    }
}

fn content(content: &Content) -> String {
    let change = content.change.map(|(from, to)| format!(" {from}→{to}")).unwrap_or_default();
    let words = [(content.baseline, " baseline"), (content.late, " late")];
    let words: String = words.iter().filter(|(is, _)| *is).map(|(_, word)| *word).collect();
    format!("{}{change}{words}", entity(content.shows))
}

fn entity(state: u8) -> String {
    match state {
        NO_ENTITY => "as it came".to_owned(),
        GONE => "deleted".to_owned(),
        state => format!("v{state}"),
    }
}

/// What is then, in a line.
fn state(world: &World) -> String {
    let rows = (0..).zip(world.rows.iter()).filter_map(|(key, row)| {
        let row = row.as_ref()?;
        let detail = row.detail.as_ref().map(|detail| format!(" with {}", content(detail))).unwrap_or_default();
        Some(format!("{}={:?} of {}{detail}", id(Key(key)), row.status, name(row.event)))
    });
    let snapshot = world.snapshot.map(|known| format!("snapshot {}", entity(known.state)));
    let queues =
        [("queue", world.queue.map(|keys| keys[0] + keys[1])), ("dead", world.dead.map(|keys| keys.map(u8::from).iter().sum()))];
    let queues = queues
        .iter()
        .filter(|(_, messages)| *messages != [0, 0])
        .map(|(queue, [a, b])| format!("{queue} {}", "A".repeat((*a).into()) + &"B".repeat((*b).into())));
    let time = format!("t={}", world.now);
    std::iter::once(time).chain(rows).chain(snapshot).chain(queues).collect::<Vec<_>>().join(", ")
}
