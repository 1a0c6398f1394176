//! What is printed of webhooks. Of headers it has only the names.

use std::io;

use serde::Serialize;

use super::{
    capillary::{Counts, DAYS},
    check::Finding,
    edit::Change,
    entry::Entry,
    names::{besides, spelled},
    place::Place,
};
use crate::{
    output::{Outcome, Report},
    page::{Cell, Page, Tone, cell, plain},
};

/// How long a line is at the most, beside its name.
const WIDTH: usize = 88;

/// A webhook as it is told.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Shown {
    pub(super) id: String,
    name: String,
    url: String,
    #[serde(rename = "type")]
    kind: String,
    method: String,
    active: bool,
    /// By this the event log tells its deliveries from those of other webhooks.
    consumer_group_id: String,
    /// Whether it sends to this deployment.
    is_ours: bool,
    connections: Option<u64>,
    event_names: Vec<String>,
    /// What the catalogue has besides.
    not_subscribed: Vec<&'static str>,
    /// None where they come in a form that is not known.
    header_names: Option<Vec<String>>,
    /// What became of the events of the last 30 days, where Capillary tells.
    pub(super) counts: Option<Counts>,
    findings: Vec<Finding>,
}

impl Shown {
    pub(super) fn new(entry: &Entry, is_ours: bool, findings: Vec<Finding>) -> Self {
        let event_names = entry.event_names();
        Self {
            id: entry.id().to_owned(),
            name: entry.name().to_owned(),
            url: entry.shown_url(),
            kind: entry.kind().to_owned(),
            method: entry.method().to_owned(),
            active: entry.is_active(),
            consumer_group_id: entry.consumer_group_id().to_owned(),
            is_ours,
            connections: entry.connections(),
            not_subscribed: besides(&event_names),
            event_names,
            header_names: entry.headers().map(|headers| headers.into_iter().map(|(name, _)| name).collect()),
            counts: None,
            findings,
        }
    }

    fn row(&self) -> Vec<Cell> {
        let state = if self.active { cell("on", Tone::Good) } else { cell("off", Tone::Warning) };
        let place = if self.is_ours {
            cell("this deployment", Tone::Strong)
        } else if self.kind == "HTTP" {
            plain(self.url.clone())
        } else {
            cell(self.kind.clone(), Tone::Faint)
        };
        let count = |count: Option<u64>| plain(count.map_or_else(|| "?".to_owned(), |count| count.to_string()));
        vec![
            plain(self.name.clone()),
            plain(self.id.clone()),
            state,
            count(Some(self.event_names.len() as u64)),
            count(self.connections),
            place,
        ]
    }

    /// What it is like, and what wants mending. `besides` is what the catalogue has besides its events.
    fn write(&self, page: &mut Page, besides: &str) -> io::Result<()> {
        page.styled(&[(self.name.as_str(), Tone::Strong), (&format!("  {}", self.id), Tone::Faint)])?;
        let mut rows = Vec::new();
        let mut say = |name: &str, text: &str| {
            for (number, line) in wrapped(text).into_iter().enumerate() {
                rows.push(vec![cell(if number == 0 { format!("  {name}") } else { String::new() }, Tone::Faint), plain(line)]);
            }
        };
        say("sends", &format!("{} events: {}", self.event_names.len(), self.sends()));
        say("besides", besides);
        say("group", if self.consumer_group_id.is_empty() { "not told" } else { &self.consumer_group_id });
        say("headers", &self.headers());
        if let Some(counts) = &self.counts {
            say("30 days", &counts.text());
        }
        page.table(&[], &rows)?;
        write_findings(&self.findings, page)
    }

    /// The names; where all of the catalogue are among them, only those that are the org's own.
    fn sends(&self) -> String {
        if !self.not_subscribed.is_empty() {
            return self.event_names.join(", ");
        }
        let own = self.event_names.iter().filter(|name| spelled(name).is_none()).map(String::as_str);
        ["the whole catalogue"].into_iter().chain(own).collect::<Vec<_>>().join(", ")
    }

    fn headers(&self) -> String {
        let Some(names) = &self.header_names else { return "in a form that is not known here".to_owned() };
        let named = |name: &String| if name.trim().is_empty() { "(empty row)".to_owned() } else { name.clone() };
        if names.is_empty() { "none".to_owned() } else { names.iter().map(named).collect::<Vec<_>>().join(", ") }
    }

    fn besides(&self) -> String {
        match self.not_subscribed.as_slice() {
            [] => "nothing".to_owned(),
            names => format!("the catalogue has {} more: {}", names.len(), names.join(", ")),
        }
    }

    fn besides_in_short(&self) -> String {
        match self.not_subscribed.len() {
            0 => self.besides(),
            count => format!("the catalogue has {count} more: see `capctl webhook list`"),
        }
    }
}

/// Lines of a list of names that fit a terminal. A single word may be longer.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

impl Counts {
    fn text(&self) -> String {
        let parts = [
            (self.total, "events"),
            (self.delivered, "delivered"),
            (self.failed, "failed for good"),
            (self.retrying, "being tried again"),
            (self.pending, "not yet sent"),
        ];
        let told: Vec<String> = parts.into_iter().filter_map(|(count, word)| Some(format!("{} {word}", count?))).collect();
        told.join(", ")
    }
}

fn write_findings(findings: &[Finding], page: &mut Page) -> io::Result<()> {
    for finding in findings {
        page.styled(&[("  ! ", Tone::Warning), (finding.what.as_str(), Tone::Plain)])?;
        page.styled(&[("    ", Tone::Plain), (finding.remedy, Tone::Faint)])?;
    }
    Ok(())
}

/// The answer to `capctl webhook list`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct List {
    events_url: String,
    /// Of how many days events are counted.
    days: i64,
    pub(super) webhooks: Vec<Shown>,
    /// How many are not shown.
    pub(super) left_out: usize,
    pub(super) findings: Vec<Finding>,
    /// What could not be found out.
    pub(super) notes: Vec<String>,
}

impl List {
    pub(super) fn new(events_url: &str) -> Self {
        Self {
            events_url: events_url.to_owned(),
            days: DAYS,
            webhooks: Vec::new(),
            left_out: 0,
            findings: Vec::new(),
            notes: Vec::new(),
        }
    }
}

impl Report for List {
    fn write(&self, page: &mut Page) -> io::Result<()> {
        page.line(&format!("This deployment is at {}", self.events_url))?;
        page.gap()?;
        if !self.webhooks.is_empty() {
            let rows: Vec<Vec<Cell>> = self.webhooks.iter().map(Shown::row).collect();
            page.table(&["NAME", "ID", "", "EVENTS", "CONNECTIONS", "SENDS TO"], &rows)?;
        }
        if self.left_out > 0 {
            page.styled(&[(&format!("{} more are switched off or internal: --all shows them", self.left_out), Tone::Faint)])?;
        }
        for webhook in self.webhooks.iter().filter(|webhook| webhook.is_ours) {
            page.gap()?;
            webhook.write(page, &webhook.besides())?;
        }
        if !self.findings.is_empty() {
            page.gap()?;
            write_findings(&self.findings, page)?;
        }
        for note in &self.notes {
            page.styled(&[(note, Tone::Faint)])?;
        }
        Ok(())
    }

    fn outcome(&self) -> Outcome {
        let is_well = self.findings.is_empty() && self.webhooks.iter().all(|webhook| webhook.findings.is_empty());
        if is_well { Outcome::Well } else { Outcome::Finding }
    }
}

/// What was done to a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum What {
    Registered,
    /// A webhook with this URL was there: nothing was changed.
    ThereBefore,
    Updated,
    Unchanged,
    WouldUpdate,
    Paused,
    /// It was switched off before: nothing was changed.
    PausedBefore,
}

impl What {
    fn text(self) -> &'static str {
        match self {
            Self::Registered => "Registered, and read back.",
            Self::ThereBefore => "A webhook sends here already; nothing was changed.",
            Self::Updated => "Updated, and read back.",
            Self::Unchanged => "There is nothing to change.",
            Self::WouldUpdate => "This would be changed (a dry run; nothing was):",
            Self::Paused => {
                "Switched off. What Capillary does with the events that happen meanwhile is not documented: they may come later, or never.\n\
                 `capctl webhook update --resume` switches it on again."
            }
            Self::PausedBefore => {
                "It is switched off already; nothing was changed. `capctl webhook update --resume` switches it on again."
            }
        }
    }
}

/// The answer to the other commands.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Done {
    what: What,
    changes: Vec<Change>,
    /// Why, where that is not plain.
    pub(super) notes: Vec<&'static str>,
    /// As it is now.
    webhook: Shown,
}

impl Done {
    /// `findings` is what still wants mending.
    pub(super) fn new(what: What, entry: &Entry, place: &Place, changes: Vec<Change>, findings: Vec<Finding>) -> Self {
        Self { what, changes, notes: Vec::new(), webhook: Shown::new(entry, place.is_sent_to_by(entry), findings) }
    }
}

impl Report for Done {
    fn write(&self, page: &mut Page) -> io::Result<()> {
        page.line(self.what.text())?;
        for change in &self.changes {
            page.line(&format!("  {}", change.text()))?;
        }
        for note in &self.notes {
            page.styled(&[(note, Tone::Warning)])?;
        }
        page.gap()?;
        self.webhook.write(page, &self.webhook.besides_in_short())
    }

    fn outcome(&self) -> Outcome {
        if self.webhook.findings.is_empty() { Outcome::Well } else { Outcome::Finding }
    }
}
