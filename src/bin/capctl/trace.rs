//! `capctl trace`: where is my event.

mod event_log;
mod find;
mod ledger;
mod letters;
mod lines;
mod standing;
mod story;

use capillary_events::ledger::Status;
use clap::Args;

use crate::{
    context::Context,
    dead_letters,
    output::{Failure, Outcome},
};
use find::Finder;
use story::{Queue, Story, Trace};

/// How long before the receipt a line may have been written, by a clock that is behind.
const CLOCKS_DIFFER_MS: i64 = 5 * 60 * 1000;
/// Where there is no row that says when an event came: what the sender may take, and a day.
const LOG_SPAN_MS: i64 = 8 * 24 * 60 * 60 * 1000;
/// No id that the ledger or Capillary has is longer.
const MAX_ID_BYTES: usize = 512;
/// One request can cause many events; these are told.
const MAX_EVENTS: usize = 20;

/// Where an event is: what Capillary says of it, our ledger, the queues, the log
///
/// Takes the event's id, or the id of the API request that caused it, or its refId; the last two may lead to several events. What needs no
/// further doing ends with exit code 0; with 1 what waits for somebody, or what nobody knows.
#[derive(Args)]
pub(crate) struct TraceArguments {
    /// eventId, apiRequestId (X-Cap-Requestid), or refId (<orgId>_…)
    #[arg(value_name = "ID", allow_hyphen_values = true)]
    id: String,
    /// The org whose credentials are taken for Capillary's event log, where they differ by org
    #[arg(long, value_name = "ORG")]
    org: Option<i64>,
    /// Do not read the whole ledger for an id that is no event's and that Capillary does not know
    #[arg(long)]
    no_search: bool,
}

/// What could not be found out, each thing once.
#[derive(Default)]
struct Notes(Vec<String>);

impl Notes {
    fn add(&mut self, text: String) {
        if !self.0.contains(&text) {
            self.0.push(text);
        }
    }
}

pub(crate) async fn run(arguments: &TraceArguments, context: &Context) -> Result<Outcome, Failure> {
    if arguments.id.trim().is_empty() || arguments.id.len() > MAX_ID_BYTES {
        return Err(Failure::Usage(format!("an id has 1 to {MAX_ID_BYTES} characters")));
    }
    let mut notes = Notes::default();
    let mut finder = Finder::new(arguments, context, &mut notes)?;
    let mut events = finder.stories().await?;
    let asked = finder.asked();
    if events.len() > MAX_EVENTS {
        notes.add(format!("{} events; these are the first {MAX_EVENTS}", events.len()));
        events.truncate(MAX_EVENTS);
    }
    letters::look(&mut events, &arguments.id, context, &mut notes).await;
    let queue = queue(context, &events, &mut notes).await;
    for event in &mut events {
        match log_lines(context, event).await {
            Ok((lines, is_whole)) => {
                event.lines = lines;
                if !is_whole {
                    notes.add("the functions' log has more lines than were read".to_owned());
                }
            }
            Err(failure) => notes.add(format!("the functions' log can't be read: {failure}")),
        }
        event.judge(queue.as_ref(), context.now_ms());
    }
    let Notes(notes) = notes;
    context.show(&Trace { id: arguments.id.clone(), asked, events, queue, notes, now_ms: context.now_ms() })
}

/// How much waits, where something may wait.
async fn queue(context: &Context, events: &[Story], notes: &mut Notes) -> Option<Queue> {
    let waits = |event: &Story| event.row.as_ref().is_some_and(|row| row.status() != Some(Status::Published));
    let url = context.deployment.get("EVENTS_QUEUE_URL").filter(|_| events.iter().any(waits))?;
    match dead_letters::count(&aws_sdk_sqs::Client::new(&context.aws), url).await {
        Ok(messages) => Some(Queue { messages }),
        Err(failure) => {
            notes.add(format!("the events queue can't be asked: {failure}"));
            None
        }
    }
}

/// The lines about an event, and whether these are all.
async fn log_lines(context: &Context, event: &Story) -> Result<(Vec<lines::Line>, bool), Failure> {
    let Some(event_id) = &event.event_id else { return Ok((Vec::new(), true)) };
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
