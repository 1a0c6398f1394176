//! `capctl trace`: where is my event.

mod event_log;
mod ledger;
mod lines;
mod standing;
mod story;

use std::{
    collections::{BTreeSet, HashSet},
    ops::ControlFlow,
    time::Duration,
};

use capillary_events::ledger::Status;
use clap::Args;
use indicatif::ProgressBar;

use crate::{
    capillary::Capillary,
    context::Context,
    dead_letters::{self, DeadLetters},
    output::{Failure, Outcome},
};
use event_log::{Key, LogRow};
use ledger::{Ledger, Row};
use story::{Queue, Story, Trace};

/// How long before the receipt a line may have been written, by a clock that is behind.
const CLOCKS_DIFFER_MS: i64 = 5 * 60 * 1000;
/// Where there is no row that says when an event came: what the sender may take, and a day.
const LOG_SPAN_MS: i64 = 8 * 24 * 60 * 60 * 1000;
/// One request can cause many events; these are told.
const MAX_EVENTS: usize = 20;

/// Where an event is: what Capillary says of it, our ledger, the queues, the log
///
/// Takes the event's id, or the id of the API request that caused it, or its refId; the last two may lead to several events. What needs no
/// further doing ends with exit code 0; with 1 what waits for somebody, or what nobody knows.
#[derive(Args)]
pub(crate) struct TraceArguments {
    /// eventId, apiRequestId (X-Cap-Requestid), or refId (<orgId>_…)
    #[arg(value_name = "ID")]
    id: String,
    /// The org whose credentials are taken for Capillary's event log, where they differ by org
    #[arg(long, value_name = "ORG")]
    org: Option<i64>,
    /// Do not read the whole ledger for an id that is no event's and that Capillary does not know
    #[arg(long)]
    no_search: bool,
}

pub(crate) async fn run(arguments: &TraceArguments, context: &Context) -> Result<Outcome, Failure> {
    let ledger = Ledger::new(aws_sdk_dynamodb::Client::new(&context.aws), context.deployment.name("EVENTS_TABLE")?);
    let mut notes = Vec::new();
    let found = find(arguments, context, &ledger, &mut notes).await?;
    let mut events: Vec<Story> = found.into_iter().map(|(row, log)| Story::new(&arguments.id, row, log)).collect();
    if events.len() > MAX_EVENTS {
        notes.push(format!("{} events; these are the first {MAX_EVENTS}", events.len()));
        events.truncate(MAX_EVENTS);
    }
    look_for_letters(&mut events, &arguments.id, context, &mut notes).await;
    let queue = queue(context, &events, &mut notes).await;
    for event in &mut events {
        match log_lines(context, event).await {
            Ok(lines) => event.lines = lines,
            Err(failure) => note(&mut notes, format!("the functions' log can't be read: {failure}")),
        }
        event.judge(queue.as_ref(), context.now_ms());
    }
    context.show(&Trace { asked: arguments.id.clone(), events, queue, notes, now_ms: context.now_ms() })
}

/// Rows of the ledger and of Capillary's log that belong together.
async fn find(
    arguments: &TraceArguments,
    context: &Context,
    ledger: &Ledger,
    notes: &mut Vec<String>,
) -> Result<Vec<(Option<Row>, Option<LogRow>)>, Failure> {
    let id = arguments.id.as_str();
    let mut capillary = Some(Capillary::of(&context.deployment, &context.aws)?);
    let row = ledger.row(id).await?;
    let mut logged = Vec::new();
    for key in [Key::Event, Key::Request, Key::Reference] {
        let (Some(known), true) = (&capillary, logged.is_empty()) else { break };
        // A row says that the id is an event's, and of which org.
        if row.is_some() && !matches!(key, Key::Event) {
            break;
        }
        let org = arguments.org.or(row.as_ref().and_then(|row| row.org_id));
        match event_log::rows(known, org, key, id).await {
            Ok(rows) => logged = rows,
            Err(failure) => {
                notes.push(format!("Capillary's event log can't be asked: {failure}"));
                capillary = None;
            }
        }
    }
    if let Some(row) = row {
        return Ok(vec![(Some(row), logged.into_iter().next())]);
    }
    let ids: BTreeSet<String> = logged.iter().filter_map(|row| row.event_id.clone()).collect();
    let mut found = Vec::new();
    for event_id in &ids {
        let log = logged.iter().find(|row| row.event_id.as_ref() == Some(event_id)).cloned();
        found.push((ledger.row(event_id).await?, log));
    }
    // Events without an id are known to the ledger by a hash only.
    if ids.is_empty() && !arguments.no_search {
        found.extend(search(context, ledger, id).await?.into_iter().map(|row| (Some(row), None)));
        let mut nameless = logged.into_iter();
        for (_, log) in &mut found {
            *log = nameless.next();
        }
        found.extend(nameless.map(|log| (None, Some(log))));
    }
    Ok(found)
}

async fn search(context: &Context, ledger: &Ledger, id: &str) -> Result<Vec<Row>, Failure> {
    let progress = if context.is_for_people() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
    progress.enable_steady_tick(Duration::from_millis(100));
    let found = ledger.search(id, |read| progress.set_message(format!("searching the ledger: {read} rows read"))).await;
    progress.finish_and_clear();
    found
}

/// Looks through the dead-letter queue for what may be there, or where nothing is known for the id itself.
async fn look_for_letters(events: &mut Vec<Story>, id: &str, context: &Context, notes: &mut Vec<String>) {
    let settled = |event: &Story| event.row.as_ref().is_some_and(|row| row.status() == Some(Status::Published));
    let mut wanted: HashSet<String> =
        events.iter().filter(|event| !settled(event)).filter_map(|event| event.event_id.clone()).collect();
    if events.is_empty() {
        wanted.insert(id.to_owned());
    }
    let Some(url) = context.deployment.get("DEAD_LETTER_QUEUE_URL").filter(|_| !wanted.is_empty()) else { return };
    let letters = DeadLetters::new(&context.aws, url);
    let mut found = Vec::new();
    let passed = letters
        .pass(async |batch| {
            let labels = batch.iter().map(dead_letters::Letter::label);
            found.extend(labels.filter(|label| label.event_id.as_ref().is_some_and(|id| wanted.remove(id))));
            Ok((HashSet::new(), if wanted.is_empty() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }))
        })
        .await;
    if let Err(failure) = passed {
        notes.push(format!("the dead-letter queue can't be read: {failure}"));
    }
    for label in found {
        match events.iter_mut().find(|event| event.event_id == label.event_id) {
            Some(event) => event.letter = Some(label),
            None => events.push(Story { letter: Some(label), ..Story::new(id, None, None) }),
        }
    }
}

/// How much waits, where something may wait.
async fn queue(context: &Context, events: &[Story], notes: &mut Vec<String>) -> Option<Queue> {
    let waits = |event: &Story| event.row.as_ref().is_some_and(|row| row.status() != Some(Status::Published));
    let url = context.deployment.get("EVENTS_QUEUE_URL").filter(|_| events.iter().any(waits))?;
    match dead_letters::count(&aws_sdk_sqs::Client::new(&context.aws), url).await {
        Ok(messages) => Some(Queue { messages }),
        Err(failure) => {
            notes.push(format!("the events queue can't be asked: {failure}"));
            None
        }
    }
}

async fn log_lines(context: &Context, event: &Story) -> Result<Vec<lines::Line>, Failure> {
    let Some(event_id) = &event.event_id else { return Ok(Vec::new()) };
    let name = |variable| context.deployment.get(variable);
    let log_groups: Vec<(&'static str, &str)> =
        [("receiver", name("RECEIVER_LOG_GROUP")), ("enricher", name("ENRICHER_LOG_GROUP"))]
            .into_iter()
            .filter_map(|(function, name)| Some((function, name?)))
            .collect();
    let since_ms = event.received_at().unwrap_or_else(|| context.now_ms().saturating_sub(LOG_SPAN_MS));
    let client = aws_sdk_cloudwatchlogs::Client::new(&context.aws);
    lines::lines(&client, &log_groups, event_id, since_ms.saturating_sub(CLOCKS_DIFFER_MS)).await
}

/// Says a thing once.
fn note(notes: &mut Vec<String>, text: String) {
    if !notes.contains(&text) {
        notes.push(text);
    }
}
