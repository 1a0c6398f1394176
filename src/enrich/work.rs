//! A group of events that share entities: everything is fetched at once and each entity once; then each event, in the order in
//! which they happened, is judged by what is remembered and committed with it.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    panic::AssertUnwindSafe,
    sync::Arc,
    time::Duration,
};

use futures_util::{FutureExt, future::join_all};
use tokio::time::{Instant, timeout, timeout_at};

use super::{
    Enricher, Prepared,
    assemble::{Assembled, Assembly, Outcome, Snapshots},
    calls::{Asked, Calls, FirstSights, Sighted},
    incoming::Opened,
    publish::Ready,
    settle::{Ending, Fate, Wait},
};
use crate::{
    cloud_event::{self, TooLarge, View},
    entity::{EntityRef, FetchFailure, Fetched, Kind, Scope, Status},
    event::Event,
    ledger::{Row, Step, next_step},
    message::Reason,
    metrics::Metric,
    ports::{Clock, Commit, Forgotten, Ledger, Parts, Written},
    redact::{HashKey, Redactor},
    snapshot::{Key, Snapshot},
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
/// An event waits so long for an entity that Capillary never gets ready, in milliseconds (6 h); then it is published without.
const MAX_UNREADY_MS: i64 = 6 * 60 * 60 * 1000;

/// An event to work on.
pub(super) struct Job<'a> {
    pub(super) position: usize,
    pub(super) message: &'a Opened,
    pub(super) org_id: Option<i64>,
    /// Entities to fetch.
    pub(super) asked: Vec<EntityRef>,
    /// Entities beyond the limit.
    pub(super) skipped: Vec<EntityRef>,
    /// Whether the ledger has a row of this very event, so that no other event can take its key meanwhile.
    is_claimed: bool,
}

impl<'a> Job<'a> {
    /// The work on the message at this position of its batch.
    pub(super) fn new(position: usize, message: &'a Opened, max_entities: usize) -> Self {
        let entities = &message.behind.entities;
        let (asked, skipped) = entities.split_at(entities.len().min(max_entities));
        let (asked, skipped) = (asked.to_vec(), skipped.to_vec());
        Self { position, message, org_id: message.identity().org_id, asked, skipped, is_claimed: false }
    }

    /// Puts entities before the others, which may go beyond the limit then.
    pub(super) fn begin_with(&mut self, entities: impl Iterator<Item = EntityRef>, max_entities: usize) {
        let others = self.asked.drain(..).chain(self.skipped.drain(..)).collect::<Vec<_>>();
        for entity in entities.chain(others) {
            if !self.asked.iter().any(|known| (known.kind, &known.id) == (entity.kind, &entity.id)) {
                self.asked.push(entity);
            }
        }
        self.skipped = self.asked.split_off(self.asked.len().min(max_entities));
    }

    /// Under which keys its entities are remembered.
    pub(super) fn keys(&self) -> impl Iterator<Item = Key> {
        self.asked.iter().filter(|entity| Key::is_kept(self.org_id, entity)).map(|entity| Key::of(self.org_id, entity))
    }

    /// What it asks for.
    pub(super) fn asks(&self) -> impl Iterator<Item = Asked> {
        self.asked.iter().map(|entity| Asked { org_id: self.org_id, entity: entity.clone() })
    }
}

/// What was read, and of what was asked for besides that there is nothing.
pub(super) fn remembered(keys: impl IntoIterator<Item = Key>, read: Vec<(Key, Snapshot)>) -> Snapshots {
    let mut snapshots: Snapshots = keys.into_iter().map(|key| (key, None)).collect();
    snapshots.extend(read.into_iter().map(|(key, snapshot)| (key, Some(snapshot))));
    snapshots
}

/// What the groups of a batch share.
pub(super) struct Shared<'a, P: Parts> {
    pub(super) snapshots: Snapshots,
    /// Of which the snapshots were read only after the entities had been asked for.
    pub(super) read_late: HashSet<Key>,
    pub(super) first_sights: FirstSights<'a>,
    pub(super) calls: &'a Calls<'a, P::Entities>,
    /// Of the pseudonyms, where there are any.
    pub(super) hash_key: Option<Arc<HashKey>>,
    /// When no more work is begun.
    pub(super) until: Instant,
}

/// What a group knows.
struct Memory {
    snapshots: Snapshots,
    /// Of which the snapshots were read only after the entities had been asked for.
    read_late: HashSet<Key>,
    sightings: HashMap<Key, Result<Sighted, Ending>>,
}

impl Memory {
    /// What came of asking for an event's entities.
    fn sightings(&self, job: &Job<'_>, now_ms: i64) -> Result<Vec<(EntityRef, Fetched)>, Ending> {
        let sighting = |entity: &EntityRef| match self.sightings.get(&Key::of(job.org_id, entity)) {
            Some(Ok(Ok(Fetched { answered_id: Some(_), .. }))) if entity.kind == Kind::Card => {
                Err(Ending::back("the number is another card's now"))
            }
            Some(Ok(Ok(sighting))) => Ok((entity.clone(), sighting.clone())),
            Some(Ok(Err(failure))) if failure.scope == Scope::NotReady && job.message.waited_ms(now_ms) > MAX_UNREADY_MS => {
                let (began_at_ms, fetched_at_ms) = (now_ms, now_ms);
                let fetched = Fetched { status: Status::NotFound, answered_id: None, body: None, began_at_ms, fetched_at_ms };
                Ok((entity.clone(), fetched))
            }
            Some(Ok(Err(failure))) => Err(failure.clone().into()),
            Some(Err(ending)) => Err(ending.clone()),
            None => Err(Ending::back("not fetched")),
        };
        job.asked.iter().map(sighting).collect()
    }
}

/// What is to be done before an event's entities are judged again.
enum Again {
    /// Nothing: this is the first time.
    No,
    /// Read what is remembered of entities that nobody expected.
    Read(Vec<Key>),
    /// Fetch these, since now what is remembered of them was read before.
    Fetch(Vec<Key>),
    /// Read everything, and then fetch everything.
    Everything,
}

impl<P: Parts> Enricher<P> {
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
                Ok(Next::WorkOut { .. }) if job.message.is_ignored => {
                    settled.push((job.position, Prepared::Ended(self.ignore(job.message).await)));
                }
                Ok(Next::WorkOut { is_claimed }) => open.push(Job { is_claimed, ..job }),
                Ok(Next::Ready(ready)) => settled.push((job.position, Prepared::Ready(ready))),
                Err(ending) => settled.push((job.position, Prepared::Ended(ending))),
            }
        }
        (open, settled)
    }

    /// Marks an event that is not to be published.
    async fn ignore(&self, message: &Opened) -> Ending {
        let now_s = self.clock.now_ms() / 1000;
        match self.ledger.ignored(&message.identity(), now_s, self.expires_at_s(now_s)).await {
            // Refused: a twin marked it.
            Ok(Written::Yes | Written::Refused) => Ending::Done(Fate::Ignored),
            Err(error) => error.into(),
        }
    }

    /// Works out what is published for the events of a group, in their order.
    pub(super) async fn work_out(&self, group: Vec<Job<'_>>, shared: &Shared<'_, P>) -> Vec<(usize, Prepared)> {
        let keys: BTreeSet<Key> = group.iter().flat_map(Job::keys).collect();
        let asked: BTreeSet<Key> = group.iter().flat_map(Job::asks).map(|asked| asked.key()).collect();
        let sightings = asked.into_iter().map(async |key| {
            let sighted = within(shared.until, shared.first_sights.get(&key)).await;
            (key, sighted.and_then(|sighted| sighted))
        });
        let mut memory = Memory {
            sightings: join_all(sightings).await.into_iter().collect(),
            read_late: keys.iter().filter(|key| shared.read_late.contains(key)).cloned().collect(),
            snapshots: keys.into_iter().filter_map(|key| Some((key.clone(), shared.snapshots.get(&key)?.clone()))).collect(),
        };
        let mut prepared = Vec::new();
        for job in group {
            let outcome = within(shared.until, self.settle_content(&job, &mut memory, shared)).await;
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

    /// Fetches entities of an event anew, all at once; what has no states is as it was.
    async fn fetch(&self, job: &Job<'_>, which: impl Fn(&Key) -> bool, memory: &mut Memory, shared: &Shared<'_, P>) {
        let keys: BTreeSet<Key> = job.keys().filter(which).collect();
        let sights = FirstSights::new(shared.calls, job.asks().filter(|asked| keys.contains(&asked.key())));
        let sightings = keys.into_iter().map(async |key| {
            let sighted = within(shared.until, sights.get(&key)).await;
            (key, sighted.and_then(|sighted| sighted))
        });
        memory.sightings.extend(join_all(sightings).await);
    }

    /// Settles what is published for an event, and remembers what it was worked out from.
    async fn settle_content(&self, job: &Job<'_>, memory: &mut Memory, shared: &Shared<'_, P>) -> Result<Ready, Ending> {
        let message = job.message;
        // It was one when the message was opened.
        let event =
            Event::parse(&message.body).map_err(|error| Ending::Dead { reason: Reason::NotJson, cause: error.to_string() })?;
        let (told, says_deleted) = (told::by_event(&event), told::says_deleted(&event));
        let mut audits = None;
        let mut keys: BTreeSet<Key> = job.keys().collect();
        let mut again = Again::No;
        for _ in 0..MAX_ROUNDS {
            match again {
                Again::No => {}
                Again::Read(unread) => {
                    let known = self.ledger.look(&[], &unread).await?;
                    memory.snapshots.extend(remembered(unread.iter().cloned(), known.snapshots));
                    keys.extend(unread.iter().cloned());
                    memory.read_late.extend(unread);
                }
                Again::Fetch(asked) => self.fetch(job, |key| asked.contains(key), memory, shared).await,
                Again::Everything => {
                    // First what is remembered, then what is: see the judgement.
                    let keys = Vec::from_iter(keys.clone());
                    let known = self.ledger.look(&[message.identity().key], &keys).await?;
                    if let Next::Ready(ready) = self.next_step(job, known.rows.into_iter().map(|(_, row)| row).next()).await? {
                        return Ok(ready);
                    }
                    memory.read_late.retain(|key| !keys.contains(key));
                    memory.snapshots.extend(remembered(keys, known.snapshots));
                    self.fetch(job, |_| true, memory, shared).await;
                }
            }
            let now_ms = self.clock.now_ms();
            let assembly = Assembly {
                org_id: job.org_id,
                snapshots: &memory.snapshots,
                read_late: &memory.read_late,
                says_deleted,
                rules: &self.rules,
                snapshot_ttl_s: i64::try_from(self.limits.snapshot_ttl.as_secs()).unwrap_or(i64::MAX),
                now_ms,
            };
            let mut outcome = match assembly.assemble(&memory.sightings(job, now_ms)?) {
                Assembled::Complete(outcome) => *outcome,
                Assembled::Wait { ms } => return Err(wait(ms)),
                Assembled::Unread(unread) => {
                    again = Again::Read(unread);
                    continue;
                }
                Assembled::Stale { asked, read } => {
                    memory.read_late.retain(|key| !read.contains(key));
                    again = Again::Fetch(asked);
                    continue;
                }
            };
            if told.is_empty() && audits.is_none() {
                audits = self.audits(job, &event, &outcome, shared.calls).await?;
            }
            outcome.tell_changes(if told.is_empty() { audits.as_deref().unwrap_or_default() } else { &told });
            outcome.enriched.entities.extend(job.skipped.iter().map(skipped));

            let identity = message.identity();
            let redactor = Redactor::new(&self.redaction, shared.hash_key.as_deref());
            let detail = cloud_event::detail(&event, &identity, &outcome.enriched, &redactor, self.limits.max_entry_bytes)
                .map_err(|TooLarge| Ending::Dead { reason: Reason::TooLargeForBus, cause: TooLarge.to_string() })?;
            let follows_from_the_message = message.names_nothing && redactor.is_idle() && event.is_the_same_in_every_delivery();
            if follows_from_the_message && job.is_claimed {
                return Ok(Ready { position: job.position, detail, stored: false });
            }
            // First they are forgotten, then it is written down that they are: who dies in between does it again.
            for customer in &outcome.deleted {
                if self.ledger.forget(customer).await? == Forgotten::InPart {
                    return Err(Ending::go_on("there is more to forget of a customer who was deleted"));
                }
            }
            let commit = Commit { identity: &identity, detail: &detail, moves: &outcome.moves, now_ms };
            if self.ledger.commit(&commit).await.map_err(Ending::unstorable)? == Written::Yes {
                memory.snapshots.extend(outcome.moves.into_iter().map(|step| (step.key, Some(step.next))));
                return Ok(Ready { position: job.position, detail, stored: true });
            }
            again = Again::Everything;
        }
        Err(Ending::back("others keep being first"))
    }

    /// What the audit log tells of an event that tells nothing itself, though something did change; none if there is no need to ask.
    async fn audits(
        &self,
        job: &Job<'_>,
        event: &Event<'_>,
        outcome: &Outcome,
        calls: &Calls<'_, P::Entities>,
    ) -> Result<Option<Vec<Told>>, Ending> {
        let kind = told::asks_audits(event);
        let (Some(request_id), Some(entity)) = (event.request_id(), outcome.differs().find(|entity| Some(entity.kind) == kind))
        else {
            return Ok(None);
        };
        let audits = calls.audits(job.org_id, entity, &request_id, job.message.happened_at_ms);
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
pub(super) async fn within<T>(until: Instant, work: impl Future<Output = T>) -> Result<T, Ending> {
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
        by_number: false,
    }
}
