//! Turns a batch of messages into published events: read the ledger, fetch the entities, store what will be published, publish
//! it, mark it.
//!
//! Each message stands alone: a panic, a bad body or a slow call is its own affair. A message is done only once its event is
//! published and marked, or in the dead-letter queue, or marked by somebody else. The process may die between any two steps:
//! what is stored is published to the letter by whoever comes next, and what is not is worked out anew.

mod calls;
mod incoming;
mod turnstile;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use futures_util::{FutureExt, StreamExt, future::BoxFuture, future::join_all, stream::FuturesUnordered};

pub use incoming::Incoming;
pub use turnstile::Turnstile;

use crate::{
    backoff,
    cloud_event::{self, TooLarge},
    entity::{EntityRef, FetchFailure, Fetched, Status},
    event::Event,
    ledger::{Row, Step, next_step},
    logging::milliseconds,
    message::{DeadLetter, Encoded, Encoding, Reason, decode},
    ports::{Bus, Clock, DeadLetterQueue, Entities, Entry, Ledger, PortError, Redelivery, Written},
    routes,
};
use calls::Calls;
use incoming::{Handle, Opened, Opening, leaders};

/// A message that waited longer is dead-lettered instead of put back: the queue would drop it after 14 days without a word.
const TOO_OLD_MS: i64 = 12 * 24 * 60 * 60 * 1000;
/// So is one that came this often: the queue itself would move it after 1000 receives, without a reason.
const TOO_OFTEN: u32 = 990;
/// How often a ledger row is looked at anew because it changed meanwhile, before the message goes back.
const MAX_LOOKS: u32 = 4;
/// How long an event that is ready waits for others to be published with it.
const GATHER: Duration = Duration::from_millis(200);
/// Kept back of the invocation's time for publishing, marking and putting back.
const KEPT_FOR_PUBLISHING: Duration = Duration::from_secs(20);

/// Numbers that the enricher goes by.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How long an event id is remembered.
    pub event_ttl: Duration,
    /// Failures of an event's own before it is dead-lettered.
    pub max_attempts: u32,
    /// The bus's limit for one event.
    pub max_entry_bytes: usize,
    /// Entities fetched for one event.
    pub max_entities: usize,
}

/// The enricher's use case with what it needs of the world.
pub struct Enricher<L, B, D, R, E, K> {
    /// The ledger.
    pub ledger: L,
    /// The bus.
    pub bus: B,
    /// The dead-letter queue.
    pub dead_letters: D,
    /// The events queue, to put messages back.
    pub redelivery: R,
    /// Capillary.
    pub entities: E,
    /// The time.
    pub clock: K,
    /// Numbers to go by.
    pub limits: Limits,
    /// How many calls at once, and whether the API is trusted.
    pub turnstile: Turnstile,
}

/// An event whose outgoing form is settled.
struct Ready {
    position: usize,
    detail: String,
    /// Whether the ledger stores the detail. It needs not where every copy of the message leads to the same one.
    stored: bool,
}

/// How the work on a message ended.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Ending {
    /// The message may be deleted.
    Done(&'static str),
    /// The message goes back for a while.
    Back { cause: String, retry_after_s: Option<u32> },
    /// The event itself failed; this counts as an attempt.
    Failed { reason: Reason, cause: String },
    /// No attempt can help.
    Dead { reason: Reason, cause: String },
}

enum Prepared {
    Ready(Ready),
    Ended(Ending),
}

impl From<PortError> for Ending {
    fn from(error: PortError) -> Self {
        Self::Back { cause: error.to_string(), retry_after_s: None }
    }
}

/// What DynamoDB calls invalid here is the event's own row.
fn unstorable(error: PortError) -> Ending {
    match error {
        PortError::Invalid { call, cause } => Ending::Failed { reason: Reason::Unstorable, cause: format!("{call}: {cause}") },
        error => error.into(),
    }
}

impl From<FetchFailure> for Ending {
    fn from(failure: FetchFailure) -> Self {
        Self::Back { cause: format!("capillary: {}", failure.cause), retry_after_s: failure.retry_after_s }
    }
}

impl<L, B, D, R, E, K> Enricher<L, B, D, R, E, K>
where
    L: Ledger,
    B: Bus,
    D: DeadLetterQueue,
    R: Redelivery,
    E: Entities,
    K: Clock,
{
    /// Works a batch off within `time_left`; returns the ids of the messages that must come again.
    pub async fn enrich(&self, batch: Vec<Incoming>, time_left: Duration) -> Vec<String> {
        let prepare_until = tokio::time::Instant::now() + time_left.saturating_sub(KEPT_FOR_PUBLISHING).max(time_left / 2);
        let mut opened = Vec::new();
        let mut put_back = Vec::new();
        let openings = batch.into_iter().map(async |incoming| {
            let handle = Handle::of(&incoming);
            (handle, AssertUnwindSafe(self.open(incoming)).catch_unwind().await.unwrap_or(Opening::Back))
        });
        for (handle, opening) in join_all(openings).await {
            match opening {
                Opening::Event(message) => opened.push(*message),
                Opening::Buried => {}
                Opening::Back => {
                    let delay_s = backoff::delay_s(handle.receive_count, None, &mut fastrand::Rng::new());
                    put_back.push((handle, delay_s));
                }
            }
        }
        let leaders = leaders(&opened);
        let endings = self.work_off(&opened, &leaders, prepare_until).await;
        let settled = endings.into_iter().filter_map(|(position, ending)| Some((position, opened.get(position)?, ending)));
        let settled =
            join_all(settled.map(async |(position, message, ending)| (position, self.settle(message, ending).await))).await;
        let delays: HashMap<usize, Option<u32>> = settled.into_iter().collect();
        // Copies of one event share the fate of the first.
        for (message, leader) in opened.into_iter().zip(leaders) {
            if let Some(delay_s) = delays.get(&leader).copied().unwrap_or(Some(0)) {
                put_back.push((Handle::of(&message.incoming), delay_s));
            }
        }
        let delays: Vec<(String, u32)> =
            put_back.iter().map(|(handle, delay_s)| (handle.receipt_handle.clone(), *delay_s)).collect();
        if !delays.is_empty()
            && let Err(error) = self.redelivery.delay(&delays).await
        {
            // They come again after the queue's own visibility timeout.
            tracing::warn!(%error, "delays not set");
        }
        put_back.into_iter().map(|(handle, _)| handle.message_id).collect()
    }

    /// Reads a message. What is no event goes to the dead-letter queue.
    async fn open(&self, incoming: Incoming) -> Opening {
        let started = Instant::now();
        let message_id = incoming.message_id.clone();
        let received_at_ms = incoming.received_at_ms.or(incoming.sent_at_ms).unwrap_or_else(|| self.clock.now_ms());
        let encoding = Encoding::from_attribute(incoming.content_encoding.as_deref());
        let (body, problem) = match (decode(&incoming.body, incoming.content_encoding.as_deref()), encoding) {
            (Ok(body), _) => match Opened::new(incoming, body, received_at_ms, started) {
                Ok(opened) => return Opening::Event(Box::new(opened)),
                Err((error, body)) => (Encoded::of(&body), error.to_string()),
            },
            (Err(error), Some(encoding)) => (Encoded { text: incoming.body, encoding }, error.to_string()),
            (Err(error), None) => {
                // Written by a newer receiver: a newer enricher will read it.
                tracing::warn!(message_id, outcome = "put_back", cause = %error, "enrichment");
                return Opening::Back;
            }
        };
        let letter = DeadLetter { body, identity: None, received_at_ms, reason: Reason::NotJson, detail: problem };
        let opening = if self.dead_letters.send(&letter).await.is_ok() { Opening::Buried } else { Opening::Back };
        tracing::warn!(
            message_id,
            outcome = if matches!(opening, Opening::Buried) { "dead_lettered" } else { "put_back" },
            cause = letter.reason.as_str(),
            duration_ms = milliseconds(started.elapsed()),
            "enrichment"
        );
        opening
    }

    /// Brings the first message of each event as far as it gets.
    async fn work_off(
        &self,
        opened: &[Opened],
        leaders: &[usize],
        prepare_until: tokio::time::Instant,
    ) -> BTreeMap<usize, Ending> {
        let led: BTreeSet<usize> = leaders.iter().copied().collect();
        let rows = match self.rows(&led, opened).await {
            Ok(rows) => rows,
            Err(error) => return led.into_iter().map(|position| (position, error.clone().into())).collect(),
        };
        let calls = Calls::new(&self.entities, &self.turnstile);
        let mut preparing: FuturesUnordered<_> = led
            .iter()
            .filter_map(|position| {
                let message = opened.get(*position)?;
                let row = rows.get(&message.identity().key).cloned();
                Some(self.prepare_safely(*position, message, row, &calls, prepare_until))
            })
            .collect();
        let mut publishing: FuturesUnordered<BoxFuture<'_, Vec<(usize, Ending)>>> = FuturesUnordered::new();
        let mut ready: Vec<Ready> = Vec::new();
        let mut gather_until = None;
        let mut endings = BTreeMap::new();
        loop {
            let gathered = gather_until.is_some_and(|until| tokio::time::Instant::now() >= until);
            if !ready.is_empty() && (preparing.is_empty() || ready.len() >= B::MAX_ENTRIES || gathered) {
                publishing.push(Box::pin(self.publish(std::mem::take(&mut ready), opened)));
                gather_until = None;
            }
            tokio::select! {
                Some((position, prepared)) = preparing.next(), if !preparing.is_empty() => match prepared {
                    Prepared::Ready(event) => {
                        gather_until.get_or_insert_with(|| tokio::time::Instant::now() + GATHER);
                        ready.push(event);
                    }
                    Prepared::Ended(ending) => {
                        endings.insert(position, ending);
                    }
                },
                Some(published) = publishing.next(), if !publishing.is_empty() => endings.extend(published),
                () = tokio::time::sleep_until(gather_until.unwrap_or_else(tokio::time::Instant::now)), if gather_until.is_some() => {}
                else => break,
            }
        }
        endings
    }

    async fn rows(&self, positions: &BTreeSet<usize>, opened: &[Opened]) -> Result<HashMap<String, Row>, PortError> {
        let keys: HashSet<String> = positions.iter().filter_map(|position| Some(opened.get(*position)?.identity().key)).collect();
        if keys.is_empty() {
            return Ok(HashMap::new());
        }
        let keys: Vec<String> = keys.into_iter().collect();
        Ok(self.ledger.rows(&keys).await?.into_iter().collect())
    }

    async fn prepare_safely(
        &self,
        position: usize,
        message: &Opened,
        row: Option<Row>,
        calls: &Calls<'_, E>,
        prepare_until: tokio::time::Instant,
    ) -> (usize, Prepared) {
        let work = AssertUnwindSafe(self.prepare(position, message, row, calls)).catch_unwind();
        let prepared = match tokio::time::timeout_at(prepare_until, work).await {
            Ok(Ok(Ok(ready))) => Prepared::Ready(ready),
            Ok(Ok(Err(ending))) => Prepared::Ended(ending),
            Ok(Err(_panic)) => Prepared::Ended(Ending::Failed { reason: Reason::Panic, cause: "panic".to_owned() }),
            Err(_elapsed) => Prepared::Ended(Ending::Back { cause: "out of time".to_owned(), retry_after_s: None }),
        };
        (position, prepared)
    }

    /// Settles what will be published for a message, unless nothing has to be.
    async fn prepare(&self, position: usize, message: &Opened, row: Option<Row>, calls: &Calls<'_, E>) -> Result<Ready, Ending> {
        // It was one when the message was opened.
        let event =
            Event::parse(&message.body).map_err(|error| Ending::Dead { reason: Reason::NotJson, cause: error.to_string() })?;
        let mut row = row;
        for _ in 0..MAX_LOOKS {
            let identity = message.identity();
            match next_step(row.take(), &identity.fingerprint, self.clock.now_ms() / 1000) {
                Step::Done => return Err(Ending::Done("already_published")),
                Step::Publish(detail) => {
                    return Ok(Ready { position, detail, stored: true });
                }
                Step::AnotherEvent => message.set_identity(identity.beside_another_event()),
                Step::WorkOut { is_claimed } => {
                    let fetched = self.fetch_all(&event, calls).await?;
                    let detail = cloud_event::detail(&event, &identity, &fetched, self.limits.max_entry_bytes)
                        .map_err(|TooLarge| Ending::Dead { reason: Reason::TooLargeForBus, cause: TooLarge.to_string() })?;
                    if fetched.is_empty() && is_claimed && event.is_the_same_in_every_delivery() {
                        return Ok(Ready { position, detail, stored: false });
                    }
                    match self.ledger.store(&identity, &detail, self.clock.now_ms() / 1000).await.map_err(unstorable)? {
                        Written::Yes => {
                            return Ok(Ready { position, detail, stored: true });
                        }
                        // A twin was first: what it stored is what goes out.
                        Written::Refused => {}
                    }
                }
            }
            let key = message.identity().key;
            row = self.ledger.rows(std::slice::from_ref(&key)).await?.into_iter().map(|(_, row)| row).next();
        }
        Err(Ending::Back { cause: "the ledger row keeps changing".to_owned(), retry_after_s: None })
    }

    async fn fetch_all(&self, event: &Event<'_>, calls: &Calls<'_, E>) -> Result<Vec<(EntityRef, Fetched)>, Ending> {
        let org_id = event.org_id();
        let wanted = routes::entities(event);
        let (asked, skipped) = wanted.split_at(wanted.len().min(self.limits.max_entities));
        let answers = join_all(asked.iter().map(|entity| calls.fetch(org_id, entity))).await;
        let mut fetched = Vec::with_capacity(wanted.len());
        for (entity, answer) in asked.iter().zip(answers) {
            fetched.push((entity.clone(), answer?));
        }
        let none = Fetched { status: Status::Skipped, survivor_id: None, body: None, fetched_at_ms: self.clock.now_ms() };
        fetched.extend(skipped.iter().map(|entity| (entity.clone(), none.clone())));
        Ok(fetched)
    }

    /// Publishes what is ready, and marks what the bus took.
    async fn publish(&self, ready: Vec<Ready>, opened: &[Opened]) -> Vec<(usize, Ending)> {
        let entries: Vec<Entry> = ready
            .iter()
            .map(|event| Entry {
                detail_type: cloud_event::detail_type(&event.detail),
                detail: event.detail.clone(),
                trace: opened.get(event.position).and_then(|message| message.incoming.trace.clone()),
            })
            .collect();
        let results = self.bus.publish(&entries).await;
        let marks = ready.iter().zip(results).map(async |(event, result)| {
            let ending = match result {
                Ok(()) => self.mark_published(event, opened).await,
                Err(PortError::Invalid { call, cause }) => {
                    Ending::Failed { reason: Reason::InvalidEntry, cause: format!("{call}: {cause}") }
                }
                Err(error) => error.into(),
            };
            (event.position, ending)
        });
        join_all(marks).await
    }

    async fn mark_published(&self, event: &Ready, opened: &[Opened]) -> Ending {
        let Some(message) = opened.get(event.position) else {
            return Ending::Done("published");
        };
        let identity = message.identity();
        let now_s = self.clock.now_ms() / 1000;
        let marked = if event.stored {
            self.ledger.published(&identity.key, self.expires_at_s(now_s)).await
        } else {
            self.ledger.published_unstored(&identity, now_s, self.expires_at_s(now_s)).await
        };
        match marked {
            // Refused: a twin marked it.
            Ok(Written::Yes | Written::Refused) => Ending::Done("published"),
            Err(error) => error.into(),
        }
    }

    /// Draws the consequence of an ending and logs it; a delay in seconds for what must come again.
    async fn settle(&self, message: &Opened, ending: Ending) -> Option<u32> {
        let ending = match ending {
            Ending::Back { cause, .. } if self.is_too_old(&message.incoming) => {
                Ending::Dead { reason: Reason::TooOld, cause: format!("waited too long; last: {cause}") }
            }
            Ending::Failed { reason, cause } if self.attempts(message).await >= self.limits.max_attempts => {
                Ending::Dead { reason, cause }
            }
            other => other,
        };
        let (outcome, cause, retry_after_s) = match ending {
            Ending::Done(outcome) => (outcome, None, None),
            Ending::Back { cause, retry_after_s } => ("put_back", Some(cause), Some(retry_after_s)),
            Ending::Failed { cause, .. } => ("failed", Some(cause), Some(None)),
            Ending::Dead { reason, cause } => match self.bury(message, reason, &cause).await {
                Ok(()) => ("dead_lettered", Some(format!("{}: {cause}", reason.as_str())), None),
                Err(error) => ("put_back", Some(error.to_string()), Some(None)),
            },
        };
        let identity = message.identity();
        tracing::info!(
            event_id = identity.key,
            event_name = identity.event_name,
            org_id = identity.org_id,
            request_id = identity.request_id,
            outcome,
            cause,
            receive_count = message.incoming.receive_count,
            duration_ms = milliseconds(message.started.elapsed()),
            "enrichment"
        );
        let retry_after_s = retry_after_s?;
        Some(backoff::delay_s(message.incoming.receive_count, retry_after_s, &mut fastrand::Rng::new()))
    }

    /// How often the event itself failed; where the ledger has no row to count on, how often the message came.
    async fn attempts(&self, message: &Opened) -> u32 {
        match self.ledger.count_attempt(&message.identity().key).await {
            Ok(Some(attempts)) => attempts,
            Ok(None) => message.incoming.receive_count,
            Err(_) => 0,
        }
    }

    /// Dead letter first, mark second: the other way round, a death between the two would lose the event.
    async fn bury(&self, message: &Opened, reason: Reason, cause: &str) -> Result<(), PortError> {
        let identity = message.identity();
        let letter = DeadLetter {
            body: Encoded::of(&message.body),
            identity: Some(identity.clone()),
            received_at_ms: identity.received_at_ms,
            reason,
            detail: cause.to_owned(),
        };
        self.dead_letters.send(&letter).await?;
        let now_s = self.clock.now_ms() / 1000;
        if let Err(error) = self.ledger.failed(&identity, reason, self.expires_at_s(now_s)).await {
            tracing::warn!(%error, event_id = identity.key, "dead-lettered, but not marked");
        }
        Ok(())
    }

    fn is_too_old(&self, incoming: &Incoming) -> bool {
        let waited_ms = incoming.sent_at_ms.map_or(0, |sent_at_ms| self.clock.now_ms().saturating_sub(sent_at_ms));
        waited_ms > TOO_OLD_MS || incoming.receive_count >= TOO_OFTEN
    }

    fn expires_at_s(&self, now_s: i64) -> i64 {
        now_s.saturating_add(i64::try_from(self.limits.event_ttl.as_secs()).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests;
