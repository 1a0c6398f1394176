//! Rows of the ledger and of Capillary's log that belong to an id, and to each other.

use std::time::Duration;

use indicatif::ProgressBar;

use super::{
    Notes, TraceArguments,
    event_log::{self, Key, LogRow},
    ledger::{Ledger, Row, Search},
    story::{Asked, Story},
};
use crate::{capillary::Capillary, context::Context, output::Failure, webhook};

/// What separates an event's id from the fingerprint of the second of two events that bear it.
const SECOND_OF_AN_ID: char = '~';
/// What the ids of events begin with that Capillary gave none.
const HASH_ID: &str = "sha256:";

/// Looks an id up.
pub(super) struct Finder<'a> {
    id: &'a str,
    org: Option<i64>,
    may_search: bool,
    context: &'a Context,
    ledger: Ledger,
    capillary: Option<Capillary>,
    /// Of the webhooks that send here; none if that can't be told.
    consumer_groups: Option<Vec<String>>,
    notes: &'a mut Notes,
    asked: Asked,
}

impl<'a> Finder<'a> {
    pub(super) fn new(arguments: &'a TraceArguments, context: &'a Context, notes: &'a mut Notes) -> Result<Self, Failure> {
        let ledger = Ledger::new(aws_sdk_dynamodb::Client::new(&context.aws), context.deployment.name("EVENTS_TABLE")?);
        let capillary = Capillary::of(&context.deployment, &context.aws)
            .inspect_err(|failure| notes.add(format!("Capillary's event log can't be asked: {failure}")));
        Ok(Self {
            id: &arguments.id,
            org: arguments.org,
            may_search: !arguments.no_search,
            context,
            ledger,
            capillary: capillary.ok(),
            consumer_groups: None,
            notes,
            asked: Asked { capillary: true, whole_ledger: false },
        })
    }

    /// Who was asked so far.
    pub(super) fn asked(&self) -> Asked {
        Asked { capillary: self.asked.capillary && self.capillary.is_some(), ..self.asked }
    }

    /// All that is known under the id.
    pub(super) async fn stories(&mut self) -> Result<Vec<Story>, Failure> {
        if let Some(row) = self.ledger.row(self.id).await? {
            return self.of_row(row).await;
        }
        let (mut logged, mut found_by) = (Vec::new(), Key::Event);
        for key in [Key::Event, Key::Request, Key::Reference] {
            if logged.is_empty() {
                (logged, found_by) = (self.logged(self.org, key, self.id).await, key);
            }
        }
        // By a reference the log may tell of one event only, where many bear it.
        self.of_log(logged, matches!(found_by, Key::Reference)).await
    }

    /// An event whose row was found, and the other one that bears its id.
    async fn of_row(&mut self, row: Row) -> Result<Vec<Story>, Failure> {
        let org = self.org.or(row.org_id);
        let id_at_capillary = row.event_id.split(SECOND_OF_AN_ID).next().unwrap_or_default().to_owned();
        let mut logged =
            if row.event_id.starts_with(HASH_ID) { Vec::new() } else { self.logged(org, Key::Event, &id_at_capillary).await };
        if let (Some(request_id), true) = (&row.request_id, logged.is_empty()) {
            logged = self.logged(org, Key::Request, &request_id.clone()).await;
            logged.retain(|log| log.is_of(&row, &id_at_capillary));
        }
        let is_same = |log: &LogRow| match (&log.event_name, &row.event_name) {
            (Some(theirs), Some(ours)) => theirs.eq_ignore_ascii_case(ours),
            _ => true,
        };
        let (same, other): (Vec<LogRow>, Vec<LogRow>) = logged.into_iter().partition(is_same);
        let is_second = row.event_id.contains(SECOND_OF_AN_ID);
        let mut found = vec![self.story(Some(row), same).await];
        if !other.is_empty() && !is_second {
            // Another event bears the id; its row has another key, which only a look at all rows finds.
            let search = Search::SecondOf(&id_at_capillary);
            let mut seconds = if self.may_search { self.search(search).await? } else { Vec::new() };
            found.push(self.story(seconds.pop(), other).await);
        }
        Ok(found)
    }

    /// Events that Capillary's log tells of, or, if it tells of none, that the ledger has.
    async fn of_log(&mut self, logged: Vec<LogRow>, may_be_more: bool) -> Result<Vec<Story>, Failure> {
        let mut found = Vec::new();
        let (named, nameless): (Vec<LogRow>, Vec<LogRow>) = logged.into_iter().partition(|log| log.event_id.is_some());
        let mut by_event: Vec<(String, Vec<LogRow>)> = Vec::new();
        for log in named {
            let id = log.event_id.clone().unwrap_or_default();
            match by_event.iter_mut().find(|(known, _)| *known == id) {
                Some((_, rows)) => rows.push(log),
                None => by_event.push((id, vec![log])),
            }
        }
        for (event_id, rows) in by_event {
            let row = self.ledger.row(&event_id).await?;
            found.push(self.story(row, rows).await);
        }
        // Events without an id are known to the ledger by a hash only.
        let mut rows = Vec::new();
        if (found.is_empty() || may_be_more || !nameless.is_empty()) && self.may_search {
            rows = self.search(Search::Of(self.id)).await?;
            rows.retain(|row| !found.iter().any(|story: &Story| story.event_id.as_ref() == Some(&row.event_id)));
        }
        let mut nameless = nameless;
        for row in rows {
            let (of_row, others) = nameless.into_iter().partition(|log: &LogRow| log.is_of(&row, ""));
            nameless = others;
            found.push(self.story(Some(row), of_row).await);
        }
        for log in nameless {
            found.push(self.story(None, vec![log]).await);
        }
        Ok(found)
    }

    /// A story with the delivery to this deployment, where the log tells of several.
    async fn story(&mut self, row: Option<Row>, logged: Vec<LogRow>) -> Story {
        let ours = if logged.len() > 1 { self.ours().await } else { None };
        let is_ours = |log: &LogRow| match (&ours, &log.consumer_group_id) {
            (Some(groups), Some(group)) => groups.contains(group),
            _ => true,
        };
        let (mut here, elsewhere): (Vec<LogRow>, Vec<LogRow>) = logged.into_iter().partition(is_ours);
        if here.len() > 1 {
            self.notes
                .add("Capillary's log has several deliveries, and which of them are to this deployment can't be told".to_owned());
        }
        // The one that tells the most of a trouble: one that is not done yet.
        here.sort_by_key(|log| log.ended_at.unwrap_or(i64::MAX));
        let log = here.pop();
        Story { elsewhere: here.into_iter().chain(elsewhere).collect(), ..Story::new(self.id, row, log) }
    }

    async fn ours(&mut self) -> Option<Vec<String>> {
        if self.consumer_groups.is_none() {
            self.consumer_groups = webhook::consumer_groups(self.context, self.org).await.ok();
        }
        self.consumer_groups.clone()
    }

    /// What Capillary's log has; its failures are noted, and other ways of asking may do.
    async fn logged(&mut self, org_id: Option<i64>, key: Key, id: &str) -> Vec<LogRow> {
        let Some(capillary) = &self.capillary else { return Vec::new() };
        match event_log::rows(capillary, org_id, key, id).await {
            Ok(rows) => self.others(org_id, key, rows).await,
            Err(failure) => {
                self.asked.capillary = false;
                self.notes.add(format!("Capillary's event log can't be asked: {failure}"));
                Vec::new()
            }
        }
    }

    /// By an event's id, or a reference, the log may answer with one row of several: those of other webhooks, or of other events. By the
    /// request's id it answers with all.
    async fn others(&mut self, org_id: Option<i64>, key: Key, rows: Vec<LogRow>) -> Vec<LogRow> {
        let (Some(capillary), [only], Key::Event | Key::Reference) = (&self.capillary, rows.as_slice(), key) else { return rows };
        let Some(request_id) = &only.request_id else { return rows };
        let all = event_log::rows(capillary, org_id, Key::Request, request_id).await.unwrap_or_default();
        let same: Vec<LogRow> = all.into_iter().filter(|log| log.event_id == only.event_id).collect();
        if same.is_empty() { rows } else { same }
    }

    async fn search(&mut self, search: Search<'_>) -> Result<Vec<Row>, Failure> {
        self.asked.whole_ledger = true;
        let progress = if self.context.is_for_people() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        progress.enable_steady_tick(Duration::from_millis(100));
        let found =
            self.ledger.search(search, |read| progress.set_message(format!("searching the ledger: {read} rows read"))).await;
        progress.finish_and_clear();
        found
    }
}

impl LogRow {
    /// Whether it may tell of the event with that row: with that id, or, where Capillary gave none, of the same name and reference.
    fn is_of(&self, row: &Row, id_at_capillary: &str) -> bool {
        let is_same = |theirs: &Option<String>, ours: &Option<String>| match (theirs, ours) {
            (Some(theirs), Some(ours)) => theirs.eq_ignore_ascii_case(ours),
            _ => true,
        };
        match &self.event_id {
            Some(id) => id == id_at_capillary,
            None => {
                row.event_id.starts_with(HASH_ID)
                    && is_same(&self.event_name, &row.event_name)
                    && is_same(&self.ref_id, &row.ref_id)
            }
        }
    }
}
