//! Turns a batch of messages into published events: read the ledger, fetch the entities, store what will be published, publish
//! it, mark it.
//!
//! Each message stands alone: a panic, a bad body or a slow call is its own affair. A message is done only once its event is
//! published and marked, or in the dead-letter queue, or marked by somebody else. The process may die between any two steps:
//! what is stored is published to the letter by whoever comes next, and what is not is worked out anew.
//!
//! ```text
//! enrich     a batch: opened, worked out in groups, published as events become ready, the rest put back
//!  ├ incoming   a message and what is found in it
//!  ├ cards      those known by their numbers only, and whom they lead to
//!  ├ groups     which events share entities
//!  ├ work       a group: fetch, judge, commit
//!  ├ calls      the way to Capillary, each entity once; turnstile: how many at once
//!  ├ assemble   answers beside what is remembered: what to publish and remember; whose: and what to forget
//!  ├ publish    to the bus, and the mark
//!  └ settle     how the work on a message ended, and what follows
//! ```

mod assemble;
mod calls;
mod cards;
mod groups;
mod incoming;
mod publish;
mod settle;
mod turnstile;
mod whose;
mod work;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use futures_util::{
    FutureExt, StreamExt,
    future::{LocalBoxFuture, join_all},
    stream::FuturesUnordered,
};

pub use incoming::Incoming;
pub use turnstile::Turnstile;

use crate::{
    backoff,
    filter::Filter,
    logging::milliseconds,
    message::{DeadLetter, Encoded, Encoding, Reason, decode},
    metrics::{Metric, Metrics},
    ports::{Bus, Clock, DeadLetterQueue, Ledger, Parts, Redelivery},
    redact::{HashKey, Redaction},
    secret::CachedSecret,
    snapshot::{Key, Rules},
};
use assemble::Snapshots;
use calls::{Calls, FirstSights};
use incoming::{Handle, Opened, Opening, leaders};
use publish::Ready;
use settle::{Ending, Fate};
use work::{Job, Shared, remembered};

/// How long an event that is ready waits for others to be published with it.
const GATHER: Duration = Duration::from_millis(200);
/// Kept back of the invocation's time for publishing, marking and putting back.
const KEPT_FOR_PUBLISHING: Duration = Duration::from_secs(20);

/// What a start may take to read the secret and to open connections: the batch that started this process is waiting.
pub const PREPARE_WITHIN: Duration = Duration::from_secs(1);

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
    /// How long an entity's state is remembered.
    pub snapshot_ttl: Duration,
}

/// The enricher's use case with what it needs of the world.
pub struct Enricher<P: Parts> {
    /// The ledger.
    pub ledger: P::Ledger,
    /// The bus.
    pub bus: P::Bus,
    /// The dead-letter queue.
    pub dead_letters: P::DeadLetters,
    /// The events queue, to put messages back.
    pub redelivery: P::Redelivery,
    /// Capillary.
    pub entities: P::Entities,
    /// The time.
    pub clock: P::Clock,
    /// Numbers to go by.
    pub limits: Limits,
    /// What a judgement of states goes by.
    pub rules: Rules,
    /// How many calls at once, and whether the API is trusted.
    pub turnstile: Turnstile,
    /// Which events are enriched, passed on, or ignored.
    pub filter: Filter,
    /// What of them may not be on the bus.
    pub redaction: Redaction,
    /// The key of pseudonyms; read only where there are any.
    pub hash_key: CachedSecret<P::Secrets, P::Clock, HashKey>,
    /// What is counted.
    pub metrics: Metrics,
}

/// How far an event was brought before it is published.
enum Prepared {
    Ready(Ready),
    Ended(Ending),
}

impl From<Result<Ready, Ending>> for Prepared {
    fn from(outcome: Result<Ready, Ending>) -> Self {
        match outcome {
            Ok(ready) => Self::Ready(ready),
            Err(ending) => Self::Ended(ending),
        }
    }
}

impl<P: Parts> Enricher<P> {
    /// Works a batch off within `time_left`; returns the ids of the messages that must come again.
    pub async fn enrich(&self, batch: Vec<Incoming>, time_left: Duration) -> Vec<String> {
        let prepare_until = tokio::time::Instant::now() + time_left.saturating_sub(KEPT_FOR_PUBLISHING).max(time_left / 2);
        let mut opened = Vec::new();
        let mut put_back = Vec::new();
        let openings = batch.into_iter().map(async |incoming| {
            let handle = Handle::of(&incoming);
            if let Some(sent_at_ms) = incoming.sent_at_ms {
                self.metrics.measure(Metric::ProcessingAge, sent_at_ms, self.clock.now_ms());
            }
            (handle, AssertUnwindSafe(self.open(incoming)).catch_unwind().await.unwrap_or(Opening::Back))
        });
        for (handle, opening) in join_all(openings).await {
            match opening {
                Opening::Event(message) => opened.push(*message),
                Opening::Buried => self.count(Fate::DeadLettered),
                Opening::Back => {
                    self.count(Fate::PutBack);
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
            (Ok(body), _) => match Opened::new(incoming, body, received_at_ms, &self.filter, started) {
                Ok(opened) => return Opening::Event(Box::new(opened)),
                Err((error, body)) => (Encoded::of(&body), error.to_string()),
            },
            (Err(error), Some(encoding)) => (Encoded { text: incoming.body, encoding }, error.to_string()),
            (Err(error), None) => {
                // Written by a newer receiver: a newer enricher will read it.
                tracing::warn!(message_id, outcome = Fate::PutBack.as_str(), cause = %error, "enrichment");
                return Opening::Back;
            }
        };
        let letter = DeadLetter { body, identity: None, received_at_ms, reason: Reason::NotJson, detail: problem };
        let opening = if self.dead_letters.send(&letter).await.is_ok() { Opening::Buried } else { Opening::Back };
        tracing::warn!(
            message_id,
            outcome = if matches!(opening, Opening::Buried) { Fate::DeadLettered } else { Fate::PutBack }.as_str(),
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
        let jobs: Vec<Job<'_>> = led
            .iter()
            .filter_map(|position| Some(Job::new(*position, opened.get(*position)?, self.limits.max_entities)))
            .collect();
        if jobs.is_empty() {
            return BTreeMap::new();
        }
        // What is remembered is read before anything is fetched: an answer counts as newer than what was read before it was asked for.
        let events: BTreeSet<String> = jobs.iter().map(|job| job.message.identity().key).collect();
        let entities: BTreeSet<Key> = jobs.iter().flat_map(Job::keys).collect();
        let known = self.ledger.look(&Vec::from_iter(events), &Vec::from_iter(entities.clone())).await;
        let known = match known {
            Ok(known) => known,
            Err(error) => return led.into_iter().map(|position| (position, error.clone().into())).collect(),
        };
        let rows: HashMap<_, _> = known.rows.into_iter().collect();
        let mut snapshots: Snapshots = remembered(entities, known.snapshots);

        // Of some events the ledger says all that is to be known; they wait for no call.
        let (mut open, mut settled) = self.open_jobs(jobs, &rows, prepare_until).await;
        let hash_key = if self.redaction.hash.is_empty() { None } else { self.hash_key.current().await };
        if hash_key.is_none() && !self.redaction.hash.is_empty() {
            let without_key = |job: Job<'_>| (job.position, Prepared::Ended(Ending::back("the API secret has no good hashKey")));
            settled.extend(std::mem::take(&mut open).into_iter().map(without_key));
        }
        let calls = Calls::new(&self.entities, &self.turnstile);
        let mut first_sights = FirstSights::new(&calls, open.iter().flat_map(Job::asks));
        let cards = first_sights.meanwhile(self.find_cards(open, &snapshots, &calls, prepare_until)).await;
        settled.extend(cards.ended.into_iter().map(|(position, ending)| (position, Prepared::Ended(ending))));
        snapshots.extend(cards.snapshots);
        let read_late = cards.sighted.keys().cloned().collect();
        for (key, sighting) in cards.sighted {
            first_sights.add(key, Ok(sighting));
        }
        first_sights.ask(&calls, cards.jobs.iter().flat_map(Job::asks));
        let shared = Shared { snapshots, read_late, first_sights, calls: &calls, hash_key, until: prepare_until };
        let groups = groups::by_entity(cards.jobs);
        let groups = groups.into_iter().map(|group| self.work_out(group, &shared).boxed_local());
        let preparing = groups.chain([async { settled }.boxed_local()]).collect();
        self.publish_as_ready(preparing, opened).await
    }

    /// Publishes events as they become ready, some at a time.
    async fn publish_as_ready(
        &self,
        mut preparing: FuturesUnordered<LocalBoxFuture<'_, Vec<(usize, Prepared)>>>,
        opened: &[Opened],
    ) -> BTreeMap<usize, Ending> {
        let mut publishing: FuturesUnordered<LocalBoxFuture<'_, Vec<(usize, Ending)>>> = FuturesUnordered::new();
        let mut ready: Vec<Ready> = Vec::new();
        let mut gather_until = None;
        let mut endings = BTreeMap::new();
        loop {
            let gathered = gather_until.is_some_and(|until| tokio::time::Instant::now() >= until);
            if !ready.is_empty() && (preparing.is_empty() || ready.len() >= P::Bus::MAX_ENTRIES || gathered) {
                publishing.push(self.publish(std::mem::take(&mut ready), opened).boxed_local());
                gather_until = None;
            }
            tokio::select! {
                // In one order: what happened in a simulation can be made to happen again.
                biased;
                Some(group) = preparing.next(), if !preparing.is_empty() => for (position, prepared) in group {
                    match prepared {
                        Prepared::Ready(event) => {
                            gather_until.get_or_insert_with(|| tokio::time::Instant::now() + GATHER);
                            ready.push(event);
                        }
                        Prepared::Ended(ending) => {
                            endings.insert(position, ending);
                        }
                    }
                },
                Some(published) = publishing.next(), if !publishing.is_empty() => endings.extend(published),
                () = tokio::time::sleep_until(gather_until.unwrap_or_else(tokio::time::Instant::now)), if gather_until.is_some() => {}
                else => break,
            }
        }
        endings
    }
}

#[cfg(test)]
mod tests;
