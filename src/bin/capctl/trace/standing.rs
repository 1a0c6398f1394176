//! Where an event stands, in words, and what to do: from what all sources say of it.

use capillary_events::ledger::Status;
use serde::Serialize;

use super::{
    event_log::LogRow,
    story::{Queue, Story},
};
use crate::{reasons::meaning, spans::duration};

/// What it comes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Standing {
    /// In a word, for programs.
    pub(super) state: State,
    /// For people.
    pub(super) words: String,
    /// What to do; none where nothing is to be done.
    pub(super) remedy: Option<String>,
}

/// Where an event stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// On the bus.
    Published,
    /// Not to be published, by a rule.
    Ignored,
    /// In the events queue, or at work on.
    Waiting,
    /// Failed, and kept.
    DeadLettered,
    /// Failed, and its letter is not there any more.
    Lost,
    /// At Capillary, which has not delivered it yet.
    NotDelivered,
    /// Capillary delivered it, and was told no.
    Refused,
    /// Capillary delivered it, and the ledger has no row.
    NotInLedger,
    /// Nobody knows it.
    Unknown,
}

impl State {
    /// Whether somebody has to do something.
    pub(super) fn wants_mending(self) -> bool {
        !matches!(self, Self::Published | Self::Ignored | Self::Waiting)
    }
}

impl Standing {
    fn new(state: State, words: impl Into<String>) -> Self {
        Self { state, words: words.into(), remedy: None }
    }

    fn with(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// Where an event stands.
    pub(super) fn of(event: &Story, queue: Option<&Queue>, now_ms: i64) -> Self {
        if let Some(letter) = &event.letter {
            let meaning = meaning(letter.reason.as_deref());
            let why = letter.reason.as_deref().unwrap_or("moved by SQS");
            let standing = Self::new(State::DeadLettered, format!("In the dead-letter queue ({why}): {}.", meaning.what));
            let key = letter.event_id.as_deref().unwrap_or_default();
            return standing.with(if meaning.can_be_redriven {
                format!("{}: capctl dlq redrive --event-id '{key}'", meaning.remedy)
            } else {
                meaning.remedy.to_owned()
            });
        }
        match (&event.row, &event.log) {
            (Some(row), _) => match row.status() {
                Some(Status::Published) if row.reason.as_deref() == Some("ignored") => {
                    Self::new(State::Ignored, "Received, and by a rule of EventRules not published.")
                }
                Some(Status::Published) => {
                    Self::new(State::Published, "On the bus. What a rule's target made of it is not known here.")
                }
                Some(Status::Failed) => {
                    let reason = row.reason.as_deref().unwrap_or("without a reason");
                    let words = format!(
                        "Failed ({reason}), and no longer in the dead-letter queue: redriven a moment ago, dropped, or 14 days old."
                    );
                    Self::new(State::Lost, words)
                        .with("if it does not come to the bus by itself, ask Capillary for the event, or fetch what it was about")
                }
                Some(Status::Received) if row.lease_until.is_some_and(|until| until > now_ms) => {
                    Self::new(State::Waiting, "Being received at this moment.")
                }
                Some(Status::Received | Status::Enriched) => waiting(event, queue, now_ms),
                None => {
                    Self::new(State::Unknown, format!("Its row has a status that this version does not know: {}.", row.status))
                        .with("take the capctl of the deployed version")
                }
            },
            (None, Some(log)) => without_row(log),
            (None, None) => Self::new(State::Unknown, "Neither Capillary nor this deployment knows it.")
                .with("check the id and the stack; whether the webhook subscribes to such events: capctl webhook list"),
        }
    }
}

/// Claimed and not published: the message is in the queue, unless somebody deleted it.
fn waiting(event: &Story, queue: Option<&Queue>, now_ms: i64) -> Standing {
    let stored = event.row.as_ref().is_some_and(|row| row.is_stored);
    let how_far =
        if stored { "Worked out and stored, and waits to be published" } else { "Received, and waits in the events queue" };
    if queue.is_some_and(|queue| queue.messages == 0) {
        // The queue's count is eventually consistent, so a moment after the receipt it means nothing.
        let is_fresh = event.received_at().is_some_and(|at| now_ms.saturating_sub(at) < 2 * 60 * 1000);
        if !is_fresh {
            let words = format!(
                "{how_far}, but the queue is empty and the dead-letter queue does not have it: the message was deleted by hand, or the receiver died before it was sent."
            );
            return Standing::new(State::Lost, words)
                .with("if Capillary was not answered 200, it sends the event again; else ask Capillary for it");
        }
    }
    let last = event.lines.iter().rev().find(|line| line.function == "enricher");
    let words = match last {
        Some(line) => {
            let cause = line.cause.as_deref().unwrap_or("no cause told");
            format!(
                "{how_far}. It was tried {} time{}, last {} ago, and failed: {cause}.",
                line.receive_count.unwrap_or(1),
                if line.receive_count.unwrap_or(1) == 1 { "" } else { "s" },
                duration(now_ms.saturating_sub(line.at))
            )
        }
        None => format!("{how_far}."),
    };
    let standing = Standing::new(State::Waiting, words);
    match last {
        Some(line) if line.cause.is_some() => {
            standing.with("it comes again by itself, for 12 days; `capctl doctor` tells whether its cause wants mending")
        }
        _ => standing,
    }
}

/// What Capillary says, where the ledger says nothing.
fn without_row(log: &LogRow) -> Standing {
    match (log.ended_at, log.http_status) {
        (None, None) => Standing::new(State::NotDelivered, "Capillary has it and has not delivered it yet.")
            .with("its lane may be blocked by another event that is answered 429, or the webhook paused: capctl webhook list"),
        (_, Some(200..=299)) => Standing::new(
            State::NotInLedger,
            "Capillary delivered it and was answered 2xx, but this ledger has no row: forgotten after EventTtlDays, or delivered to another webhook.",
        )
        .with("compare its consumer group with: capctl webhook list"),
        (_, Some(status @ (401 | 403))) => Standing::new(State::Refused, format!("Capillary delivered it and was answered {status}: its headers were not the right ones. It may not be sent again."))
            .with("make the headers agree (capctl webhook update --headers); hold deliveries meanwhile (capctl secrets set webhook --hold-for 1h); then ask Capillary for what was refused"),
        (_, Some(429)) => Standing::new(State::NotDelivered, "Capillary delivered it and was answered 429: it is sent again.")
            .with("the dashboard and the query `answered 429, and why` tell what the receiver lacked"),
        (_, Some(400)) => Standing::new(State::Refused, "Capillary delivered it and was answered 400: it gave the event up.")
            .with("a body that is no JSON lies in the dead-letter queue: capctl dlq list"),
        (_, Some(status)) => Standing::new(State::Refused, format!("Capillary delivered it and was answered {status}; whether it is sent again is not documented."))
            .with("check the webhook's URL and the gateway: capctl doctor"),
        (Some(_), None) => Standing::new(State::NotDelivered, "Capillary tried to deliver it and got no answer.")
            .with("check the webhook's URL and the gateway: capctl doctor"),
    }
}
