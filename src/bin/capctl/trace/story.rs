//! All that is known of an event, and how it is told.

use std::io;

use serde::Serialize;
use serde_json::Value;

use super::{event_log::LogRow, ledger::Row, lines::Line, standing::Standing};
use crate::{
    dead_letters::Label,
    output::{Outcome, Report},
    page::{Cell, Page, Tone, cell, plain},
    spans::{duration, moment, time},
};

/// Lines of the log that are printed: the first and the last of an event that came back for days.
const MAX_LINES: usize = 12;

/// Who was asked for an id.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Asked {
    /// Capillary's event log, and it answered.
    pub(super) capillary: bool,
    /// All rows of the ledger, and not only that of the id.
    pub(super) whole_ledger: bool,
}

/// The answer to `capctl trace`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Trace {
    pub(super) id: String,
    pub(super) asked: Asked,
    pub(super) events: Vec<Story>,
    pub(super) queue: Option<Queue>,
    /// What could not be found out.
    pub(super) notes: Vec<String>,
    #[serde(skip)]
    pub(super) now_ms: i64,
}

/// The events queue.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Queue {
    /// About how many messages are in it.
    pub(super) messages: u64,
}

/// Whether the dead-letter queue has an event's letter.
#[derive(Clone, Serialize)]
#[serde(untagged)]
pub(super) enum Sight {
    /// It has.
    Found(Label),
    /// It has not, or nobody looked since there can be none.
    NotThere,
    /// Not all letters could be seen.
    Unknown,
}

/// All that is known of an event.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Story {
    /// The ledger's key for it.
    pub(super) event_id: Option<String>,
    pub(super) standing: Option<Standing>,
    /// What Capillary's log says of the delivery to this deployment.
    #[serde(rename = "capillary")]
    pub(super) log: Option<LogRow>,
    /// And of those to other webhooks.
    pub(super) elsewhere: Vec<LogRow>,
    #[serde(rename = "ledger")]
    pub(super) row: Option<Row>,
    #[serde(rename = "deadLetter")]
    pub(super) letter: Sight,
    #[serde(rename = "log")]
    pub(super) lines: Vec<Line>,
}

impl Story {
    pub(super) fn new(asked: &str, row: Option<Row>, log: Option<LogRow>) -> Self {
        let from_log = log.as_ref().and_then(|log| log.event_id.clone());
        let event_id =
            row.as_ref().map(|row| row.event_id.clone()).or(from_log).or_else(|| log.is_none().then(|| asked.to_owned()));
        Self { event_id, standing: None, log, elsewhere: Vec::new(), row, letter: Sight::NotThere, lines: Vec::new() }
    }

    /// Its letter, where it was found.
    pub(super) fn label(&self) -> Option<&Label> {
        match &self.letter {
            Sight::Found(label) => Some(label),
            Sight::NotThere | Sight::Unknown => None,
        }
    }

    /// When something last happened to it, as far as known, in milliseconds since 1970.
    pub(super) fn moved_at(&self) -> Option<i64> {
        let row = self.row.as_ref();
        let of_row = row.map(|row| row.status_at.max(row.received_at));
        of_row.flatten().max(self.lines.last().map(|line| line.at))
    }

    /// When Capillary delivered it, in milliseconds since 1970.
    pub(super) fn received_at(&self) -> Option<i64> {
        let letter = || self.label().and_then(|letter| letter.received_at);
        self.row.as_ref().and_then(|row| row.received_at).or_else(letter).or_else(|| self.log.as_ref()?.ingested_at)
    }

    /// Says where it stands.
    pub(super) fn judge(&mut self, queue: Option<&Queue>, now_ms: i64) {
        self.standing = Some(Standing::of(self, queue, now_ms));
    }

    fn write(&self, page: &mut Page, now_ms: i64) -> io::Result<()> {
        let row = self.row.as_ref();
        let log = self.log.as_ref();
        let letter = self.label();
        let name = row
            .and_then(|row| row.event_name.as_deref())
            .or(letter.and_then(|letter| letter.event_name.as_deref()))
            .or(log.and_then(|log| log.event_name.as_deref()));
        let org = row.and_then(|row| row.org_id).or(letter.and_then(|letter| letter.org_id));
        page.styled(&[
            (self.event_id.as_deref().unwrap_or("an event without an id"), Tone::Strong),
            (&name.map(|name| format!("  {name}")).unwrap_or_default(), Tone::Plain),
            (&org.map(|org| format!("  org {org}")).unwrap_or_default(), Tone::Faint),
        ])?;
        let mut rows: Vec<Vec<Cell>> = Vec::new();
        let mut tell = |what: &str, text: String| rows.push(vec![cell(format!("  {what}"), Tone::Faint), plain(text)]);
        if let Some(log) = log {
            log.tell(now_ms, &mut tell);
        }
        for log in &self.elsewhere {
            let group = log.consumer_group_id.as_deref().unwrap_or("without a consumer group");
            let answer = log.http_status.map_or_else(|| "not answered".to_owned(), |status| format!("answered {status}"));
            tell("elsewhere", format!("to another webhook ({group}): {answer}"));
        }
        if let Some(row) = row {
            row.tell(now_ms, &mut tell);
        }
        if let Some(letter) = letter {
            letter.tell(now_ms, &mut tell);
        }
        page.table(&[], &rows)?;
        self.write_lines(page)?;
        if let Some(standing) = &self.standing {
            let tone = if standing.state.wants_mending() { Tone::Bad } else { Tone::Good };
            page.styled(&[("  ", Tone::Plain), (&standing.words, tone)])?;
            if let Some(remedy) = &standing.remedy {
                page.styled(&[("  → ", Tone::Strong), (remedy, Tone::Plain)])?;
            }
        }
        Ok(())
    }

    fn write_lines(&self, page: &mut Page) -> io::Result<()> {
        let left_out = self.lines.len().saturating_sub(MAX_LINES);
        let is_told = |position: usize| position < MAX_LINES / 2 || position >= MAX_LINES / 2 + left_out;
        let told = self.lines.iter().enumerate().filter(|(position, _)| is_told(*position));
        let mut rows: Vec<Vec<Cell>> = told.map(|(_, line)| line.cells()).collect();
        if left_out > 0 {
            rows.insert(MAX_LINES / 2, vec![cell(format!("  … {left_out} lines …"), Tone::Faint)]);
        }
        page.table(&[], &rows)
    }
}

impl LogRow {
    fn tell(&self, now_ms: i64, tell: &mut impl FnMut(&str, String)) {
        if let Some(at) = self.ingested_at {
            tell("at Capillary", moment(at, now_ms));
        }
        if let (Some(started), true) = (self.started_at, self.ended_at.is_some()) {
            tell("sent", moment(started, now_ms));
        }
        let answer = self.http_status.map(|status| format!(", answered {status}")).unwrap_or_default();
        let took = self.took_ms.map(|took| format!(" in {}", duration(took))).unwrap_or_default();
        match (self.started_at, self.ended_at) {
            (_, Some(ended)) => tell("delivered", format!("{}{answer}{took}", moment(ended, now_ms))),
            (Some(started), None) if self.http_status.is_some() => {
                tell("delivery", format!("tried {}{answer}{took}", moment(started, now_ms)));
            }
            (Some(started), None) => tell("delivery", format!("began {}, not answered", moment(started, now_ms))),
            (None, None) => tell("delivery", "not begun".to_owned()),
        }
    }
}

impl Row {
    fn tell(&self, now_ms: i64, tell: &mut impl FnMut(&str, String)) {
        if let Some(at) = self.received_at {
            tell("received", moment(at, now_ms));
        }
        let since = self.status_at.map(|at| format!(", {}", moment(at, now_ms))).unwrap_or_default();
        let reason = self.reason.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default();
        tell("ledger", format!("{}{reason}{since}", self.status));
        if let Some(attempts) = self.attempts {
            tell("failures", format!("{attempts} of its own"));
        }
        if let Some(summary) = &self.summary {
            tell_summary(summary, tell);
        }
    }
}

/// What was told, or is to be.
fn tell_summary(summary: &Value, tell: &mut impl FnMut(&str, String)) {
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let list = |name: &str| summary.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if let Some(enrichment) = summary.get("enrichment") {
        let flags =
            ["late", "truncated"].into_iter().filter(|flag| enrichment.get(flag).is_some()).map(|flag| format!(", {flag}"));
        tell("enrichment", format!("{}{}", text(enrichment, "status"), flags.collect::<String>()));
    }
    for entity in list("entities") {
        let version = entity.get("version").map(|version| format!(", version {version}")).unwrap_or_default();
        let first = if entity.get("baseline") == Some(&Value::Bool(true)) { ", first sight" } else { "" };
        let id = text(entity, "id");
        let id = if id.is_empty() { String::new() } else { format!("/{id}") };
        tell("entity", format!("{}{id}: {}{version}{first}", text(entity, "type"), text(entity, "status")));
    }
    for change in list("changes") {
        let (entity, op, path) = (text(change, "entity"), text(change, "op"), text(change, "path"));
        tell("change", format!("{op} {path} of {entity} ({})", text(change, "origin")));
    }
    if let Some(further) = summary.get("furtherChanges") {
        tell("", format!("and {further} changes more"));
    }
}

impl Label {
    fn tell(&self, now_ms: i64, tell: &mut impl FnMut(&str, String)) {
        if let Some(since) = self.dead_since {
            tell("dead letter", format!("since {}", moment(since, now_ms)));
        }
        tell("reason", self.reason.clone().unwrap_or_else(|| "none: moved by SQS".to_owned()));
        if let Some(detail) = &self.detail {
            tell("detail", detail.clone());
        }
    }
}

impl Line {
    fn cells(&self) -> Vec<Cell> {
        let outcome = self.outcome.clone().unwrap_or_default();
        let status = self.http_status.map(|status| format!(" {status}")).unwrap_or_default();
        let again = self.receive_count.filter(|count| *count > 1).map(|count| format!(" (time {count})")).unwrap_or_default();
        let mut cells = vec![
            cell(format!("  {}", time(self.at)), Tone::Faint),
            cell(self.function, Tone::Faint),
            plain(format!("{outcome}{status}{again}")),
        ];
        cells.extend(self.cause.clone().map(plain));
        cells
    }
}

impl Report for Trace {
    fn write(&self, page: &mut Page) -> io::Result<()> {
        for (position, event) in self.events.iter().enumerate() {
            if position > 0 {
                page.gap()?;
            }
            event.write(page, self.now_ms)?;
        }
        if self.events.is_empty() {
            let who = match (self.asked.capillary, self.asked.whole_ledger) {
                (true, true) => "is known neither to Capillary nor to this deployment.",
                (true, false) => {
                    "is no event's id in the ledger, and not known to Capillary. As another id it was not searched for."
                }
                (false, true) => "is not known to this deployment. Capillary could not be asked.",
                (false, false) => {
                    "is no event's id in the ledger. As another id it was not searched for, and Capillary could not be asked."
                }
            };
            page.styled(&[(&self.id, Tone::Strong), ("  ", Tone::Plain), (who, Tone::Bad)])?;
            page.styled(&[
                ("  → ", Tone::Strong),
                ("check the id and the stack; whether the webhook subscribes to such events: capctl webhook list", Tone::Plain),
                ("; a body that could not be read has no id: capctl dlq list", Tone::Plain),
            ])?;
        }
        for note in &self.notes {
            page.styled(&[("note: ", Tone::Warning), (note, Tone::Plain)])?;
        }
        Ok(())
    }

    fn outcome(&self) -> Outcome {
        let mends = |event: &Story| event.standing.as_ref().is_none_or(|standing| standing.state.wants_mending());
        if self.events.is_empty() || self.events.iter().any(mends) { Outcome::Finding } else { Outcome::Well }
    }
}
