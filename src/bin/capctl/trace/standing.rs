//! Where an event stands, in words, and what to do: from what all sources say of it.

use capillary_events::ledger::Status;
use serde::Serialize;

use super::{
    event_log::LogRow,
    ledger::Row,
    story::{Queue, Sight, Story},
};
use crate::{dead_letters::Label, reasons::meaning, spans::duration};

/// The queue's count is behind by so much, so for that long an empty queue means nothing.
const COUNT_LAGS_MS: i64 = 2 * 60 * 1000;
/// How long both queues keep a message.
const QUEUES_KEEP_MS: i64 = 14 * 24 * 60 * 60 * 1000;
/// How long Capillary resends what it was told to, at least.
const RESENT_FOR_MS: i64 = 7 * 24 * 60 * 60 * 1000;

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
    /// Received, and in neither queue any more.
    Lost,
    /// At Capillary, which has not delivered it yet.
    NotDelivered,
    /// Capillary delivered it, and was told no.
    Refused,
    /// Capillary delivered it, and the ledger has no row.
    NotInLedger,
    /// It can't be told.
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
        if let Some(letter) = event.label() {
            return dead_lettered(letter);
        }
        match (&event.row, &event.log) {
            (Some(row), _) => with_row(event, row, queue, now_ms),
            (None, Some(log)) => without_row(log, now_ms),
            (None, None) => Self::new(State::Unknown, "Neither Capillary nor this deployment knows it.")
                .with("check the id and the stack; whether the webhook subscribes to such events: capctl webhook list"),
        }
    }
}

fn dead_lettered(letter: &Label) -> Standing {
    let meaning = meaning(letter.reason.as_deref());
    let why = letter.reason.as_deref().unwrap_or("moved by SQS");
    let standing = Standing::new(State::DeadLettered, format!("In the dead-letter queue ({why}): {}.", meaning.what));
    standing.with(if meaning.can_be_redriven {
        // The message's own id has no characters that a shell minds.
        format!("{}: capctl dlq redrive --message-id {}", meaning.remedy, letter.message_id)
    } else {
        meaning.remedy.to_owned()
    })
}

fn with_row(event: &Story, row: &Row, queue: Option<&Queue>, now_ms: i64) -> Standing {
    match row.status() {
        Some(Status::Published) if row.reason.as_deref() == Some("ignored") => {
            Standing::new(State::Ignored, "Received, and by a rule of EventRules not published.")
        }
        Some(Status::Published) => {
            Standing::new(State::Published, "On the bus. What a rule's target made of it is not known here.")
        }
        Some(Status::Received) if event.lines.is_empty() && row.lease_until.is_some_and(|until| until > now_ms) => {
            Standing::new(State::Waiting, "Being received at this moment.")
        }
        Some(Status::Failed) => {
            let reason = row.reason.as_deref().unwrap_or("without a reason");
            in_a_queue(event, queue, now_ms, &format!("Failed ({reason}), redriven since, and waits in the events queue"))
        }
        Some(Status::Enriched) => in_a_queue(event, queue, now_ms, "Worked out and stored, and waits to be published"),
        Some(Status::Received) => in_a_queue(event, queue, now_ms, "Received, and waits in the events queue"),
        None => Standing::new(State::Unknown, format!("Its row has a status that this version does not know: {}.", row.status))
            .with("take the capctl of the deployed version"),
    }
}

/// Not published, and no letter was found: its message waits, unless it is in no queue any more.
fn in_a_queue(event: &Story, queue: Option<&Queue>, now_ms: i64, waits: &str) -> Standing {
    const ASK: &str = "if it does not come to the bus by itself, ask Capillary for the event, or fetch what it was about";
    let since_ms = event.moved_at().map(|at| now_ms.saturating_sub(at));
    if since_ms.is_some_and(|since| since > QUEUES_KEEP_MS) {
        let words = "Received, and not published for more than 14 days: longer than both queues keep a message.";
        return Standing::new(State::Lost, words).with(ASK);
    }
    if matches!(event.letter, Sight::Unknown) {
        let words = format!("{waits}, or lies in the dead-letter queue, of which not all can be seen now.");
        return Standing::new(State::Unknown, words).with("run this again in five minutes");
    }
    let is_fresh = since_ms.is_some_and(|since| since < COUNT_LAGS_MS);
    if queue.is_some_and(|queue| queue.messages == 0) && !is_fresh {
        let words = "Received and not published, and neither queue has it: the message was dropped or deleted, or the receiver died before it was sent.";
        return Standing::new(State::Lost, words)
            .with("if Capillary was not answered 200, it sends the event again; else ask Capillary for it");
    }
    let Some(line) = event.lines.iter().rev().find(|line| line.function == "enricher" && line.cause.is_some()) else {
        return Standing::new(State::Waiting, format!("{waits}."));
    };
    let times = line.receive_count.unwrap_or(1);
    let words = format!(
        "{waits}. It was tried {times} time{}, last {} ago, and failed: {}.",
        if times == 1 { "" } else { "s" },
        duration(now_ms.saturating_sub(line.at)),
        line.cause.as_deref().unwrap_or_default()
    );
    Standing::new(State::Waiting, words)
        .with("it comes again by itself, within 15 minutes (45 after a hundred tries), for 12 days; `capctl doctor` tells whether the cause wants mending")
}

/// What Capillary says, where the ledger says nothing.
fn without_row(log: &LogRow, now_ms: i64) -> Standing {
    let refused = |words: String| Standing::new(State::Refused, words);
    let not_delivered = |words: &str| Standing::new(State::NotDelivered, words);
    match (log.ended_at, log.http_status) {
        (None, None) => not_delivered("Capillary has it and has not delivered it yet.")
            .with("the webhook may be paused, or its lane blocked by an event that is answered 429: capctl webhook list"),
        (_, Some(200..=299)) => Standing::new(
            State::NotInLedger,
            "Capillary delivered it and was answered 2xx, but this ledger has no row: forgotten after EventTtlDays, delivered to another webhook, or known by another id (one that can be none is replaced by a hash: search by its request id).",
        )
        .with(match &log.consumer_group_id {
            Some(group) => format!("look for its consumer group, {group}, in: capctl webhook list"),
            None => "look at the webhooks: capctl webhook list".to_owned(),
        }),
        (_, Some(status @ (401 | 403))) => refused(format!(
            "Capillary delivered it and was answered {status}: its headers were not the right ones. It may not be sent again."
        ))
        .with("hold deliveries (capctl secrets set webhook --hold-for 1h), then make the headers agree (capctl webhook update --headers). What changed is told with the next event about the same entity; for the event itself ask Capillary"),
        (_, Some(429)) if log.started_at.is_some_and(|at| now_ms.saturating_sub(at) > RESENT_FOR_MS) => {
            refused("Capillary was answered 429 for over 7 days, and may have given it up.".to_owned())
                .with("ask Capillary for the event")
        }
        (_, Some(429)) => not_delivered("Capillary delivered it and was answered 429: it sends it again.")
            .with("`capctl doctor` and the saved query `answered 429, and why` tell what the receiver lacks; while a hold is on, wrong headers are answered so, too"),
        (_, Some(400)) => refused("Capillary delivered it and was answered 400: it gave the event up.".to_owned())
            .with("what is no JSON object lies in the dead-letter queue: capctl dlq list"),
        (_, Some(413)) => refused("Capillary delivered it and was answered 413: it is too large.".to_owned())
            .with("its head lies in the dead-letter queue: capctl dlq list --reason too_large"),
        (_, Some(status)) => refused(format!(
            "Capillary delivered it and was answered {status}; whether it is sent again is not documented."
        ))
        .with("check the webhook's URL and the gateway: capctl doctor"),
        (Some(_), None) => not_delivered("Capillary tried to deliver it and got no answer.")
            .with("check the webhook's URL and the gateway: capctl doctor"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::lines::Line;

    const NOW_MS: i64 = 1_800_000_000_000;
    const DAY_MS: i64 = 24 * 60 * 60 * 1000;

    fn log(http_status: Option<i64>, ended_at: Option<i64>) -> LogRow {
        LogRow {
            event_id: Some("e".to_owned()),
            event_name: None,
            request_id: None,
            ref_id: None,
            consumer_group_id: Some("group-7".to_owned()),
            ingested_at: Some(NOW_MS - 3 * DAY_MS),
            started_at: Some(NOW_MS - 3 * DAY_MS),
            ended_at,
            http_status,
            took_ms: None,
        }
    }

    fn row(status: &str, age_ms: i64) -> Row {
        let at = NOW_MS - age_ms;
        Row { event_id: "e".to_owned(), status: status.to_owned(), received_at: Some(at), ..Row::default() }
    }

    fn letter(reason: Option<&str>) -> Label {
        Label {
            message_id: "0f1e".to_owned(),
            event_id: Some("e".to_owned()),
            event_name: None,
            org_id: None,
            reason: reason.map(str::to_owned),
            detail: None,
            received_at: None,
            dead_since: None,
            bytes: 2,
        }
    }

    fn put_back(at: i64) -> Line {
        Line {
            at,
            function: "enricher",
            outcome: Some("put_back".to_owned()),
            cause: Some("capillary: 503".to_owned()),
            http_status: None,
            receive_count: Some(3),
        }
    }

    const EMPTY: Queue = Queue { messages: 0 };
    const FULL: Queue = Queue { messages: 5 };

    fn standing(event: &Story, queue: &Queue) -> (State, String) {
        let standing = Standing::of(event, Some(queue), NOW_MS);
        (standing.state, format!("{} {}", standing.words, standing.remedy.unwrap_or_default()))
    }

    #[test]
    fn what_capillary_was_answered_says_what_became_of_an_event_without_a_row() {
        let ended = Some(NOW_MS - DAY_MS);
        for (status, ended, state, words) in [
            (None, None, State::NotDelivered, "not delivered it yet"),
            (Some(200), ended, State::NotInLedger, "group-7"),
            (Some(401), ended, State::Refused, "headers"),
            (Some(429), None, State::NotDelivered, "sends it again"),
            (Some(400), ended, State::Refused, "gave the event up"),
            (Some(413), ended, State::Refused, "too_large"),
            (Some(502), ended, State::Refused, "not documented"),
            (None, ended, State::NotDelivered, "no answer"),
        ] {
            let (is, said) = standing(&Story::new("e", None, Some(log(status, ended))), &EMPTY);
            assert!(is == state && said.contains(words), "{status:?}: {is:?}, {said}");
        }
        let old = LogRow { started_at: Some(NOW_MS - 8 * DAY_MS), ..log(Some(429), None) };
        assert_eq!(standing(&Story::new("e", None, Some(old)), &EMPTY).0, State::Refused);
    }

    #[test]
    fn what_is_in_no_queue_is_lost_and_nothing_else_is() {
        let hour = 60 * 60 * 1000;
        for (status, age_ms, queue, state) in [
            ("ENRICHED", hour, &FULL, State::Waiting),
            ("ENRICHED", hour, &EMPTY, State::Lost),
            ("ENRICHED", 1000, &EMPTY, State::Waiting),
            ("ENRICHED", 15 * DAY_MS, &FULL, State::Lost),
            ("RECEIVED", hour, &EMPTY, State::Lost),
            ("RECEIVED", hour, &FULL, State::Waiting),
            ("FAILED", hour, &EMPTY, State::Lost),
            ("FAILED", hour, &FULL, State::Waiting),
            ("PUBLISHED", 15 * DAY_MS, &EMPTY, State::Published),
            ("MOVED", hour, &FULL, State::Unknown),
        ] {
            let event = Story::new("e", Some(row(status, age_ms)), None);
            assert_eq!(standing(&event, queue).0, state, "{status}, {age_ms}");
        }
    }

    #[test]
    fn a_redriven_event_that_comes_back_is_no_lost_one() {
        let mut event = Story::new("e", Some(row("FAILED", 20 * DAY_MS)), None);
        event.lines = vec![put_back(NOW_MS - 60_000)];
        let (state, said) = standing(&event, &EMPTY);
        assert!(state == State::Waiting && said.contains("tried 3 times, last 1 min ago, and failed: capillary: 503"), "{said}");
    }

    #[test]
    fn nothing_is_called_lost_while_letters_are_hidden() {
        for status in ["RECEIVED", "ENRICHED", "FAILED"] {
            let event = Story { letter: Sight::Unknown, ..Story::new("e", Some(row(status, DAY_MS)), None) };
            assert_eq!(standing(&event, &EMPTY).0, State::Unknown, "{status}");
        }
    }

    #[test]
    fn a_letter_says_whether_a_redrive_can_help() {
        for (reason, words) in [
            (Some("panic"), "capctl dlq redrive --message-id 0f1e"),
            (None, "capctl dlq redrive --message-id 0f1e"),
            (Some("not_json"), "drop the letter"),
        ] {
            let event = Story { letter: Sight::Found(letter(reason)), ..Story::new("e", None, None) };
            let (state, said) = standing(&event, &EMPTY);
            assert!(state == State::DeadLettered && said.contains(words), "{said}");
        }
    }
}
