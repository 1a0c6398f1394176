//! Everything that outlives a process, and the way to it.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use capillary_events::{
    aws::CallLimits,
    entity::{EntityRef, FetchFailure, Fetched, Scope},
    ledger::{Claim, Identity},
    message::{DeadLetter, Message, Reason},
    ports::{
        Bus, Claimed, Claims, Commit, DeadLetterQueue, Entities, Entry, EventsQueue, FailedKept, Forgotten, Known, Ledger, Parts,
        PortError, PublishedMark, Redelivery, SecretStore, Written,
    },
    snapshot::Key,
    told::Told,
};
use tokio::{
    sync::{Notify, oneshot},
    time::{Instant, timeout_at},
};

use crate::{
    capillary::Capillary,
    doubles::{self, FORGOTTEN_AT_ONCE, Queue, SecretText, Tables},
    processes::Function,
    time::{SkewedClock, Time, pause_ms},
    weather::{Passage, Service, Weather},
};

/// How often the SDK tries, and what it waits in between at first.
const ATTEMPTS: u32 = 3;
const FIRST_WAIT_MS: i64 = 50;
/// How long Capillary's client waits for an answer.
const CAPILLARY_WITHIN: Duration = Duration::from_secs(10);
/// Events about this customer make the process panic until the world is healed.
pub(crate) const POISON: &str = "666";

/// The services, and what was seen of them.
pub(crate) struct World {
    pub(crate) time: Time,
    pub(crate) weather: Weather,
    pub(crate) tables: Tables,
    pub(crate) events: Queue,
    pub(crate) dead_letters: Queue,
    pub(crate) bus: doubles::Bus,
    pub(crate) webhook_secret: SecretText,
    pub(crate) capillary: Capillary,
    /// Something came into the events queue, or the story is over.
    pub(crate) wake: Notify,
    /// Whether poison still kills.
    pub(crate) poisonous: AtomicBool,
    /// Whether it is written down what happens.
    is_told: bool,
}

impl World {
    pub(crate) fn new(weather: Weather, is_told: bool) -> Arc<Self> {
        let time = Time::begin();
        Arc::new(Self {
            time,
            weather,
            tables: Tables::default(),
            events: Queue::new(time.service_clock()),
            dead_letters: Queue::new(time.service_clock()),
            bus: doubles::Bus::default(),
            webhook_secret: SecretText::default(),
            capillary: Capillary::default(),
            wake: Notify::new(),
            poisonous: true.into(),
            is_told,
        })
    }

    /// Writes down what happens, if somebody wants to know.
    pub(crate) fn tell(&self, what: impl FnOnce() -> String) {
        if self.is_told {
            println!("{:>12.3} s  {}", self.time.passed_ms() as f64 / 1000.0, what());
        }
    }
}

/// A process's way to the services: requests get lost, answers too, and what was sent arrives though the process may be dead.
#[derive(Clone)]
pub(crate) struct Line {
    pub(crate) world: Arc<World>,
    pub(crate) limits: CallLimits,
    pub(crate) clock: SkewedClock,
    /// The process that is at its end, for who reads along.
    pub(crate) name: Name,
}

/// A function and a number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Name(pub(crate) Function, pub(crate) usize);

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?} {}", self.0, self.1)
    }
}

impl Line {
    /// Makes a call as the SDK does.
    async fn call<T: fmt::Debug + Send + 'static>(
        &self,
        service: Service,
        call: &'static str,
        effect: impl Fn(&World) -> Result<T, PortError> + Clone + Send + 'static,
    ) -> Result<T, PortError> {
        let unavailable = |cause: &str| PortError::Unavailable { call, cause: cause.to_owned() };
        // Here nothing was sent yet.
        tokio::task::yield_now().await;
        let until = Instant::now() + self.limits.call;
        let mut failure = unavailable("none");
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                pause_ms(FIRST_WAIT_MS << attempt).await;
            }
            let answer = self.request(service, call, effect.clone());
            failure = match timeout_at(until.min(Instant::now() + self.limits.attempt), answer).await {
                Ok(Ok(Ok(done))) => return Ok(done),
                Ok(Ok(Err(invalid @ PortError::Invalid { .. }))) => return Err(invalid),
                Ok(Ok(Err(refused))) => refused,
                Ok(Err(_)) => unavailable("Connection"),
                Err(_) => unavailable("Timeout"),
            };
            if Instant::now() >= until {
                break;
            }
        }
        Err(failure)
    }

    /// Sends a request, which goes its way whether or not somebody waits for the answer.
    fn request<T: fmt::Debug + Send + 'static>(
        &self,
        service: Service,
        call: &'static str,
        effect: impl Fn(&World) -> Result<T, PortError> + Send + 'static,
    ) -> oneshot::Receiver<Result<T, PortError>> {
        let Passage { there_ms, refused, back_ms, breaks } = self.world.weather.passage(service, self.world.time.passed_ms());
        let (tell, answer) = oneshot::channel();
        let (world, name) = (Arc::clone(&self.world), self.name);
        world.tell(|| format!("  {name} {call} …{}", if there_ms.is_none() { " never arrives" } else { "" }));
        tokio::spawn(async move {
            let never = async || if breaks { pause_ms(1).await } else { pause_ms(60_000).await };
            let Some(there_ms) = there_ms else { return never().await };
            pause_ms(there_ms).await;
            let outcome =
                if refused { Err(PortError::Unavailable { call, cause: "Throttled".to_owned() }) } else { effect(&world) };
            world.tell(|| format!("  {name} {call}: {outcome:?}{}", if back_ms.is_none() { ", which nobody hears" } else { "" }));
            let Some(back_ms) = back_ms else { return never().await };
            pause_ms(back_ms).await;
            // Whoever asked may be gone.
            let _ = tell.send(outcome);
        });
        answer
    }
}

impl Claims for Line {
    async fn claim(&self, claim: &Claim) -> Result<Claimed, PortError> {
        let claim = claim.clone();
        self.call(Service::Tables, "claim", move |world| Ok(world.tables.claim_now(&claim))).await
    }
}

impl EventsQueue for Line {
    async fn send(&self, message: &Message) -> Result<(), PortError> {
        let message = message.clone();
        let effect = move |world: &World| {
            world.events.send_now(&message);
            world.wake.notify_waiters();
            Ok(())
        };
        self.call(Service::EventsQueue, "send", effect).await
    }
}

impl DeadLetterQueue for Line {
    async fn send(&self, letter: &DeadLetter) -> Result<(), PortError> {
        let letter = letter.clone();
        self.call(Service::DeadLetterQueue, "bury", move |world| {
            world.dead_letters.bury_now(&letter);
            Ok(())
        })
        .await
    }
}

impl Redelivery for Line {
    async fn delay(&self, messages: &[(String, u32)]) -> Result<(), PortError> {
        let messages = messages.to_vec();
        let effect = move |world: &World| {
            messages.iter().for_each(|(receipt_handle, seconds)| world.events.delay_now(receipt_handle, *seconds));
            Ok(())
        };
        self.call(Service::EventsQueue, "delay", effect).await
    }
}

impl SecretStore for Line {
    async fn read(&self) -> Result<String, PortError> {
        self.call(Service::Secrets, "read", |world| world.webhook_secret.read_now()).await
    }
}

impl Ledger for Line {
    async fn look(&self, events: &[String], entities: &[Key]) -> Result<Known, PortError> {
        let (events, entities) = (events.to_vec(), entities.to_vec());
        self.call(Service::Tables, "look", move |world| Ok(world.tables.look_now(&events, &entities))).await
    }

    async fn commit(&self, commit: &Commit<'_>) -> Result<Written, PortError> {
        let (identity, detail) = (commit.identity.clone(), commit.detail.to_owned());
        let (moves, now_ms) = (commit.moves.to_vec(), commit.now_ms);
        // The SDK's attempts at a transaction bear one token, by which it is done once; those at a put do not.
        let done = Arc::new(std::sync::Mutex::new(None));
        let effect = move |world: &World| {
            let mut done = done.lock().expect("one attempt at a time");
            if let Some(written) = done.filter(|_| !moves.is_empty()) {
                return Ok(written);
            }
            let written = world.tables.commit_now(&identity, &detail, &moves, now_ms);
            *done = Some(written).filter(|written| *written == Written::Yes);
            Ok(written)
        };
        self.call(Service::Tables, "commit", effect).await
    }

    async fn published(&self, key: &str, mark: &PublishedMark<'_>) -> Result<Written, PortError> {
        let (key, expires_at_s) = (key.to_owned(), mark.expires_at_s);
        self.call(Service::Tables, "published", move |world| Ok(world.tables.published_now(&key, expires_at_s))).await
    }

    async fn published_unstored(&self, identity: &Identity, now_s: i64, expires_at_s: i64) -> Result<Written, PortError> {
        let identity = identity.clone();
        let effect = move |world: &World| Ok(world.tables.published_unstored_now(&identity, now_s, expires_at_s, None));
        self.call(Service::Tables, "published_unstored", effect).await
    }

    async fn ignored(&self, identity: &Identity, now_s: i64, expires_at_s: i64) -> Result<Written, PortError> {
        let identity = identity.clone();
        let effect =
            move |world: &World| Ok(world.tables.published_unstored_now(&identity, now_s, expires_at_s, Some("ignored")));
        self.call(Service::Tables, "ignored", effect).await
    }

    async fn forget(&self, customer: &Key) -> Result<Forgotten, PortError> {
        let customer = customer.clone();
        self.call(Service::Tables, "forget", move |world| Ok(world.tables.forget_now(&customer, FORGOTTEN_AT_ONCE))).await
    }

    async fn failed(&self, identity: &Identity, reason: Reason, kept: &FailedKept) -> Result<Written, PortError> {
        let (identity, kept) = (identity.clone(), *kept);
        self.call(Service::Tables, "failed", move |world| Ok(world.tables.failed_now(&identity, reason, &kept))).await
    }

    async fn count_attempt(&self, key: &str) -> Result<Option<u32>, PortError> {
        let key = key.to_owned();
        self.call(Service::Tables, "count_attempt", move |world| Ok(world.tables.count_attempt_now(&key))).await
    }
}

impl Bus for Line {
    async fn publish(&self, entries: &[Entry]) -> Vec<Result<(), PortError>> {
        let sent = entries.to_vec();
        let effect = move |world: &World| {
            let publish = |entry: &Entry| {
                if world.weather.strikes(|storm| storm.entry_refused) {
                    return Err(PortError::Unavailable { call: "publish", cause: "InternalFailure".to_owned() });
                }
                world.bus.publish_now(entry)
            };
            Ok(sent.iter().map(publish).collect::<Vec<_>>())
        };
        self.call(Service::Bus, "publish", effect).await.unwrap_or_else(|error| vec![Err(error); entries.len()])
    }
}

/// An answer that prints: there is nothing secret in this world.
struct Answered(Fetched);

impl fmt::Debug for Answered {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?} {}", self.0.status, self.0.body.as_ref().map_or("", |body| body.get()))
    }
}

impl Entities for Line {
    async fn fetch(&self, _org_id: Option<i64>, entities: &[EntityRef]) -> Vec<Result<Fetched, FetchFailure>> {
        let poisoned = self.world.poisonous.load(Ordering::Relaxed);
        if poisoned && entities.iter().any(|entity| entity.id == POISON) {
            tokio::task::yield_now().await;
            // Without the hook, which would print.
            std::panic::resume_unwind(Box::new("poison"));
        }
        let asked = entities.to_vec();
        // The client goes by Capillary's own clock.
        let began_at_ms = self.world.time.now_ms();
        let weather = &self.world.weather;
        let failing = weather.strikes(|storm| storm.api_fails);
        let unready = weather.strikes(|storm| storm.not_ready);
        tokio::task::yield_now().await;
        let effect = move |world: &World| {
            let until_ms = world.time.now_ms() - world.weather.lag_ms();
            Ok(asked.iter().map(|entity| Answered(world.capillary.answer(entity, until_ms))).collect::<Vec<_>>())
        };
        let failure = |scope, cause: &str| FetchFailure { scope, retry_after_s: None, cause: cause.to_owned() };
        // The client of Capillary's does not try again by itself.
        let answer = timeout_at(Instant::now() + CAPILLARY_WITHIN, self.request(Service::Capillary, "fetch", effect)).await;
        let fetched_at_ms = self.world.time.now_ms();
        match answer {
            Ok(Ok(Ok(_))) if failing => vec![Err(failure(Scope::Api, "503")); entities.len()],
            Ok(Ok(Ok(_))) if unready => vec![Err(failure(Scope::NotReady, "11002")); entities.len()],
            Ok(Ok(Ok(answers))) => {
                answers.into_iter().map(|Answered(fetched)| Ok(Fetched { began_at_ms, fetched_at_ms, ..fetched })).collect()
            }
            _ => vec![Err(failure(Scope::Api, "no answer")); entities.len()],
        }
    }

    async fn audits(&self, _: Option<i64>, _: &EntityRef, _: &str, _: i64) -> Result<Vec<Told>, FetchFailure> {
        tokio::task::yield_now().await;
        if self.world.weather.strikes(|storm| storm.api_fails) {
            return Err(FetchFailure { scope: Scope::Entity, retry_after_s: None, cause: "503".to_owned() });
        }
        Ok(Vec::new())
    }
}

impl Parts for Line {
    type Ledger = Self;
    type Bus = Self;
    type DeadLetters = Self;
    type Redelivery = Self;
    type Entities = Self;
    type Secrets = Self;
    type Clock = SkewedClock;
}
