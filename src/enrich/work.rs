//! A group of events that share entities: everything is fetched at once and each entity once; then each event, in the order in
//! which they happened, is judged by what is remembered and committed with it.

use std::{
    collections::{BTreeSet, HashMap},
    panic::AssertUnwindSafe,
    time::Duration,
};

use futures_util::{FutureExt, future::join_all};
use tokio::time::{Instant, timeout, timeout_at};

use super::{
    Enricher, Prepared,
    assemble::{Assembled, Assembly, Outcome, Snapshots},
    calls::{Calls, Sighting},
    incoming::Opened,
    publish::Ready,
    settle::{Ending, Fate, Wait},
};
use crate::{
    cloud_event::{self, TooLarge, View},
    entity::{EntityRef, FetchFailure, Kind, Scope, Status},
    event::Event,
    ledger::{Row, Step, next_step},
    message::Reason,
    metrics::Metric,
    ports::{Bus, Clock, Commit, DeadLetterQueue, Entities, Ledger, Redelivery, Written},
    snapshot::Key,
    told::{self, Told},
};

/// How often an event is begun anew because somebody else was first, before the message goes back.
const MAX_ROUNDS: u32 = 4;
/// How long the audit log may take; what it tells is not worth the rest of the batch.
const AUDITS_WITHIN: Duration = Duration::from_secs(10);
/// So often a message waits for the audit log; then the event is published without.
const MAX_WAITS_FOR_AUDITS: u32 = 3;
/// A snapshot whose time lies in the future by a wrong clock keeps nobody waiting longer, in seconds.
const MAX_WAIT_S: u32 = 900;

/// An event to work on.
pub(super) struct Job<'a> {
    pub(super) position: usize,
    pub(super) message: &'a Opened,
    org_id: Option<i64>,
    /// Entities to fetch.
    asked: &'a [EntityRef],
    /// Entities beyond the limit.
    skipped: &'a [EntityRef],
    /// Whether the ledger has a row of this very event, so that no other event can take its key meanwhile.
    is_claimed: bool,
}

impl<'a> Job<'a> {
    /// The work on the message at this position of its batch.
    pub(super) fn new(position: usize, message: &'a Opened, max_entities: usize) -> Self {
        let (asked, skipped) = message.wanted.split_at(message.wanted.len().min(max_entities));
        Self { position, message, org_id: message.identity().org_id, asked, skipped, is_claimed: false }
    }

    /// Under which keys its entities are remembered.
    pub(super) fn keys(&self) -> impl Iterator<Item = Key> {
        self.asked.iter().map(|entity| Key::of(self.org_id, entity))
    }
}

/// An entity of an org.
type Asked = (Option<i64>, EntityRef);

/// What a group knows.
struct Memory {
    snapshots: Snapshots,
    sightings: HashMap<Asked, Result<Sighting, Ending>>,
}

impl Memory {
    fn sightings(&self, job: &Job<'_>) -> Result<Vec<(EntityRef, Sighting)>, Ending> {
        let sighting = |entity: &EntityRef| match self.sightings.get(&(job.org_id, entity.clone())) {
            Some(Ok(sighting)) => Ok((entity.clone(), sighting.clone())),
            Some(Err(ending)) => Err(ending.clone()),
            None => Err(Ending::back("not fetched")),
        };
        job.asked.iter().map(sighting).collect()
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
    /// Which events have to be worked out, and what is to be done with the others.
    pub(super) async fn open_jobs<'a>(
        &self,
        jobs: Vec<Job<'a>>,
        rows: &HashMap<String, Row>,
        until: Instant,
    ) -> (Vec<Job<'a>>, Vec<(usize, Prepared)>) {
        let (mut open, mut settled) = (Vec::new(), Vec::new());
        for job in jobs {
            let row = rows.get(&job.message.identity().key).cloned();
            let next = within(until, self.next_step(&job, row)).await;
            match next.and_then(|next| next) {
                Ok(Next::WorkOut { is_claimed }) => open.push(Job { is_claimed, ..job }),
                Ok(Next::Ready(ready)) => settled.push((job.position, Prepared::Ready(ready))),
                Err(ending) => settled.push((job.position, Prepared::Ended(ending))),
            }
        }
        (open, settled)
    }

    /// Works out what is published for the events of a group.
    pub(super) async fn work_out(
        &self,
        group: Vec<Job<'_>>,
        snapshots: &Snapshots,
        calls: &Calls<'_, E, K>,
        until: Instant,
    ) -> Vec<(usize, Prepared)> {
        let keys: BTreeSet<Key> = group.iter().flat_map(Job::keys).collect();
        let snapshots = keys.into_iter().filter_map(|key| Some((key.clone(), snapshots.get(&key)?.clone()))).collect();
        let mut memory = Memory { snapshots, sightings: HashMap::new() };
        let asked = group.iter().flat_map(|job| job.asked.iter().map(|entity| (job.org_id, entity.clone())));
        self.fetch(asked.collect(), &mut memory, calls, until).await;
        let mut prepared = Vec::new();
        for job in group {
            let outcome = within(until, self.settle_content(&job, &mut memory, calls, until)).await;
            prepared.push((job.position, outcome.and_then(|outcome| outcome).into()));
        }
        prepared
    }

    /// What the ledger's row of an event asks for; under the second key if the first one is another event's.
    async fn next_step(&self, job: &Job<'_>, row: Option<Row>) -> Result<Next, Ending> {
        let mut row = row;
        for _ in 0..MAX_ROUNDS {
            let identity = job.message.identity();
            match next_step(row, &identity.fingerprint, self.clock.now_ms() / 1000) {
                Step::Done => return Err(Ending::Done(Fate::AlreadyPublished)),
                Step::Publish(detail) => return Ok(Next::Ready(Ready { position: job.position, detail, stored: true })),
                Step::WorkOut { is_claimed } => return Ok(Next::WorkOut { is_claimed }),
                Step::AnotherEvent => {
                    let identity = identity.beside_another_event();
                    let key = identity.key.clone();
                    self.metrics.count(Metric::IdCollisions);
                    job.message.set_identity(identity);
                    row = self.ledger.look(&[key], &[]).await?.rows.into_iter().map(|(_, row)| row).next();
                }
            }
        }
        Err(Ending::back("the ledger row keeps changing"))
    }

    /// Fetches entities, all at once.
    async fn fetch(&self, asked: BTreeSet<Asked>, memory: &mut Memory, calls: &Calls<'_, E, K>, until: Instant) {
        let fetching = asked.into_iter().map(async |(org_id, entity)| {
            let sighting = within(until, calls.fetch(org_id, &entity)).await;
            ((org_id, entity), sighting.and_then(|sighting| sighting.map_err(Ending::from)))
        });
        memory.sightings.extend(join_all(fetching).await);
    }

    /// Settles what is published for an event, and remembers what it was worked out from.
    async fn settle_content(
        &self,
        job: &Job<'_>,
        memory: &mut Memory,
        calls: &Calls<'_, E, K>,
        until: Instant,
    ) -> Result<Ready, Ending> {
        let message = job.message;
        // It was one when the message was opened.
        let event =
            Event::parse(&message.body).map_err(|error| Ending::Dead { reason: Reason::NotJson, cause: error.to_string() })?;
        let (told, says_deleted) = (told::by_event(&event), told::says_deleted(&event));
        let mut audits = None;
        let mut keys: BTreeSet<Key> = job.keys().collect();
        for round in 0..MAX_ROUNDS {
            if round > 0 {
                // First what is remembered, then what is: see the judgement.
                let keys: Vec<Key> = keys.iter().cloned().collect();
                let known = self.ledger.look(&[message.identity().key], &keys).await?;
                if let Next::Ready(ready) = self.next_step(job, known.rows.into_iter().map(|(_, row)| row).next()).await? {
                    return Ok(ready);
                }
                memory.snapshots.extend(keys.into_iter().map(|key| (key, None)));
                memory.snapshots.extend(known.snapshots.into_iter().map(|(key, snapshot)| (key, Some(snapshot))));
                let asked = job.asked.iter().map(|entity| (job.org_id, entity.clone()));
                self.fetch(asked.collect(), memory, calls, until).await;
            }
            let now_ms = self.clock.now_ms();
            let assembly = Assembly {
                org_id: job.org_id,
                snapshots: &memory.snapshots,
                says_deleted,
                rules: &self.rules,
                snapshot_ttl_s: i64::try_from(self.limits.snapshot_ttl.as_secs()).unwrap_or(i64::MAX),
                now_ms,
            };
            let mut outcome = match assembly.assemble(&memory.sightings(job)?) {
                Assembled::Complete(outcome) => *outcome,
                Assembled::Wait { until_ms } => return Err(wait(until_ms - now_ms)),
                Assembled::Unread(unread) => {
                    keys.extend(unread);
                    continue;
                }
            };
            if told.is_empty() && audits.is_none() {
                audits = self.audits(job, &event, &outcome, calls).await?;
            }
            outcome.tell_changes(if told.is_empty() { audits.as_deref().unwrap_or_default() } else { &told });
            outcome.enriched.entities.extend(job.skipped.iter().map(skipped));

            let identity = message.identity();
            let detail = cloud_event::detail(&event, &identity, &outcome.enriched, self.limits.max_entry_bytes)
                .map_err(|TooLarge| Ending::Dead { reason: Reason::TooLargeForBus, cause: TooLarge.to_string() })?;
            if message.wanted.is_empty() && job.is_claimed && event.is_the_same_in_every_delivery() {
                return Ok(Ready { position: job.position, detail, stored: false });
            }
            let commit = Commit { identity: &identity, detail: &detail, moves: &outcome.moves, now_ms };
            if self.ledger.commit(&commit).await.map_err(Ending::unstorable)? == Written::Yes {
                memory.snapshots.extend(outcome.moves.into_iter().map(|step| (step.key, Some(step.next))));
                return Ok(Ready { position: job.position, detail, stored: true });
            }
        }
        Err(Ending::back("others keep being first"))
    }

    /// What the audit log tells of an event that tells nothing itself, though something did change; none if there is no need to ask.
    async fn audits(
        &self,
        job: &Job<'_>,
        event: &Event<'_>,
        outcome: &Outcome,
        calls: &Calls<'_, E, K>,
    ) -> Result<Option<Vec<Told>>, Ending> {
        let customer = outcome.differs().find(|entity| entity.kind == Kind::Customer);
        let (Some(request_id), Some(customer), true) =
            (event.request_id(), customer, told::asks_audits(event) == Some(Kind::Customer))
        else {
            return Ok(None);
        };
        let audits = calls.audits(job.org_id, customer, &request_id, job.message.happened_at_ms);
        let too_slow = || FetchFailure { scope: Scope::Entity, retry_after_s: None, cause: "audits: too slow".to_owned() };
        match timeout(AUDITS_WITHIN, audits).await.unwrap_or_else(|_elapsed| Err(too_slow())) {
            Ok(told) => Ok(Some(told)),
            Err(failure) if job.message.incoming.receive_count <= MAX_WAITS_FOR_AUDITS => Err(failure.into()),
            Err(failure) => {
                tracing::warn!(event_id = job.message.identity().key, cause = failure.cause, "published without the audit log");
                Ok(Some(Vec::new()))
            }
        }
    }
}

/// What is to be done with an event.
enum Next {
    /// It is settled what is published.
    Ready(Ready),
    /// It is not.
    WorkOut { is_claimed: bool },
}

/// Does some work while there is time; a panic is that work's own affair.
async fn within<T>(until: Instant, work: impl Future<Output = T>) -> Result<T, Ending> {
    match timeout_at(until, AssertUnwindSafe(work).catch_unwind()).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(_panic)) => Err(Ending::panic()),
        Err(_elapsed) => Err(Ending::out_of_time()),
    }
}

fn wait(ms: i64) -> Ending {
    let seconds = u32::try_from(ms.max(1).saturating_add(999) / 1000).unwrap_or(u32::MAX);
    let wait = Wait::Exactly(seconds.min(MAX_WAIT_S));
    Ending::Back { cause: "which state is newer can't be told yet".to_owned(), wait }
}

fn skipped(entity: &EntityRef) -> View {
    View {
        kind: entity.kind,
        id: entity.id.clone(),
        status: Status::Skipped,
        fetched_at_ms: None,
        baseline: None,
        version: None,
        body: None,
    }
}
