//! Lambda: processes that take one invocation at a time, may die at any await, and may hang there and go on as if nothing had been.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    pin::pin,
    rc::Rc,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use capillary_events::{
    auth::Gatekeeper,
    aws::{CallLimits, ENRICHER_LIMITS, RECEIVER_LIMITS},
    change::Volatile,
    disposition::Disposition,
    enrich::{Enricher, Limits, Turnstile},
    filter::Filter,
    metrics::Metrics,
    receive::{Delivery, PREPARE_WITHIN, Receiver},
    redact::Redaction,
    secret::CachedSecret,
    snapshot::Rules,
};
use tokio::time::timeout;

use crate::{
    time::{MINUTE_MS, SECOND_MS, SkewedClock, pause_ms},
    weather::Fate,
    world::{Line, Name, World},
};

/// As in the template.
const RECEIVER_TIMEOUT: Duration = Duration::from_secs(10);
const ENRICHER_TIMEOUT: Duration = Duration::from_secs(60);
const VISIBILITY_TIMEOUT_MS: i64 = 390 * SECOND_MS;
const BATCH: usize = 10;
const POLLERS: usize = 2;
const RETENTION_MS: i64 = 14 * 24 * 60 * MINUTE_MS;
const MAX_RECEIVES: u32 = 1000;
/// As in the design.
pub(crate) const EVENT_TTL: Duration = Duration::from_secs(21 * 86_400);
const REPLICA_LAG_MS: i64 = 5 * SECOND_MS;
const MAX_ATTEMPTS: u32 = 8;

type ReceiverProcess = Receiver<Line, Line, Line, Line, SkewedClock>;
type EnricherProcess = Enricher<Line>;

/// One of the two functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Function {
    Receiver,
    Enricher,
}

/// All processes of both functions.
pub(crate) struct Processes {
    world: Arc<World>,
    receivers: RefCell<Vec<Rc<ReceiverProcess>>>,
    /// What becomes of certain invocations, counted from 1 for each function; of the others the weather decides.
    pub(crate) fates: BTreeMap<(Function, u32), Fate>,
    invocations: RefCell<BTreeMap<Function, u32>>,
    /// How often each invocation was suspended so far: a fate can strike at each of these.
    suspensions: RefCell<BTreeMap<(Function, u32), u32>>,
    /// Invocations that are not over, also those that Lambda has given up.
    at_work: Cell<usize>,
    /// How many were ever started.
    processes: Cell<usize>,
    is_over: Cell<bool>,
}

impl Processes {
    pub(crate) fn new(world: &Arc<World>, fates: BTreeMap<(Function, u32), Fate>) -> Rc<Self> {
        Rc::new(Self {
            world: Arc::clone(world),
            receivers: RefCell::default(),
            fates,
            invocations: RefCell::default(),
            suspensions: RefCell::default(),
            at_work: Cell::new(0),
            processes: Cell::new(0),
            is_over: Cell::new(false),
        })
    }

    /// Hands a delivery to the receiver as the gateway does: whatever is no answer is 429.
    pub(crate) async fn deliver(self: &Rc<Self>, delivery: Delivery) -> u16 {
        let idle = self.receivers.borrow_mut().pop();
        let is_new = idle.is_none();
        let receiver = idle.unwrap_or_else(|| Rc::new(self.new_receiver()));
        let process = Rc::clone(&receiver);
        let invocation = async move {
            if is_new {
                process.gatekeeper.prepare(PREPARE_WITHIN).await;
            }
            process.receive(delivery).await
        };
        match self.invoke(Function::Receiver, RECEIVER_TIMEOUT, invocation).await {
            Some(receipt) => {
                self.receivers.borrow_mut().push(receiver);
                receipt.disposition.status().as_u16()
            }
            None => Disposition::Unavailable.status().as_u16(),
        }
    }

    /// Feeds the enricher from the queue, as the event source mapping does, until the story is over.
    pub(crate) fn consume(self: &Rc<Self>) {
        for _ in 0..POLLERS {
            tokio::task::spawn_local(Rc::clone(self).poll());
        }
    }

    pub(crate) fn end(&self) {
        self.is_over.set(true);
        self.world.wake.notify_waiters();
    }

    /// Whether nobody works on anything.
    pub(crate) fn are_idle(&self) -> bool {
        self.at_work.get() == 0
    }

    /// How often invocations were suspended, each by its number.
    pub(crate) fn suspensions(&self) -> BTreeMap<(Function, u32), u32> {
        self.suspensions.borrow().clone()
    }

    async fn poll(self: Rc<Self>) {
        let world = Arc::clone(&self.world);
        let mut process = None;
        while !self.is_over.get() {
            world.events.move_after(MAX_RECEIVES, &world.dead_letters);
            world.events.drop_sent_before(world.time.now_ms() - RETENTION_MS);
            let woken = world.wake.notified();
            match world.events.next_visible_at_ms() {
                Some(at_ms) if at_ms <= world.time.now_ms() => {}
                Some(at_ms) => {
                    let _ = timeout(Duration::from_millis(u64::try_from(at_ms - world.time.now_ms()).unwrap_or(1)), woken).await;
                    continue;
                }
                None => {
                    woken.await;
                    continue;
                }
            }
            // The batching window.
            pause_ms(world.weather.number(1..=SECOND_MS)).await;
            let taken = world.events.take(BATCH, VISIBILITY_TIMEOUT_MS, |of| world.weather.choose(of));
            if taken.is_empty() {
                continue;
            }
            for message in &taken {
                if world.weather.strikes(|storm| storm.doubled) {
                    world.events.show_again(&message.incoming.receipt_handle);
                }
            }
            let keys = || taken.iter().map(|message| message.incoming.key.as_deref().unwrap_or("?")).collect::<Vec<_>>();
            world.tell(|| format!("batch: {:?}", keys()));
            let enricher = Rc::clone(process.get_or_insert_with(|| Rc::new(self.new_enricher())));
            let batch: Vec<_> = taken.iter().map(|message| message.incoming.clone()).collect();
            let invocation = async move { enricher.enrich(batch, ENRICHER_TIMEOUT).await };
            match self.invoke(Function::Enricher, ENRICHER_TIMEOUT, invocation).await {
                Some(failed) => {
                    for message in taken.iter().filter(|message| !failed.contains(&message.incoming.message_id)) {
                        if !world.weather.strikes(|storm| storm.delete_lost) {
                            world.events.delete(&message.incoming.receipt_handle);
                        }
                    }
                }
                // They come again after the visibility timeout.
                None => process = None,
            }
        }
    }

    /// An invocation's outcome, if it came to its end in time.
    async fn invoke<T: 'static>(
        self: &Rc<Self>,
        function: Function,
        limit: Duration,
        invocation: impl Future<Output = T> + 'static,
    ) -> Option<T> {
        let number = {
            let mut invocations = self.invocations.borrow_mut();
            let number = invocations.entry(function).or_default();
            *number += 1;
            *number
        };
        let fate = self.fates.get(&(function, number)).copied().unwrap_or_else(|| self.world.weather.fate());
        if fate != Fate::Lives {
            self.world.tell(|| format!("invocation {number} of the {function:?}: {fate:?}"));
        }
        let processes = Rc::clone(self);
        self.at_work.set(self.at_work.get() + 1);
        let work = tokio::task::spawn_local(async move {
            let outcome = fated(invocation, fate, |suspensions| {
                processes.suspensions.borrow_mut().insert((function, number), suspensions);
            });
            // Who hangs is not killed: what it does afterwards is what must do no harm.
            let outcome = match fate {
                Fate::Freezes { .. } => outcome.await,
                _ => timeout(limit, outcome).await.ok().flatten(),
            };
            processes.at_work.set(processes.at_work.get() - 1);
            outcome
        });
        timeout(limit, work).await.ok()?.expect("use cases don't panic")
    }

    fn line(&self, function: Function, limits: CallLimits) -> Line {
        let number = self.processes.get() + 1;
        self.processes.set(number);
        let clock = SkewedClock { time: self.world.time, skew_ms: self.world.weather.skew_ms() };
        let name = Name(function, number);
        self.world.tell(|| format!("{name} starts, its clock wrong by {} ms", clock.skew_ms));
        Line { world: Arc::clone(&self.world), limits, clock, name }
    }

    fn new_receiver(&self) -> ReceiverProcess {
        let line = self.line(Function::Receiver, RECEIVER_LIMITS);
        Receiver {
            claims: line.clone(),
            queue: line.clone(),
            dead_letters: line.clone(),
            gatekeeper: Gatekeeper::new(line.clone(), line.clock),
            clock: line.clock,
            event_ttl: EVENT_TTL,
            metrics: Metrics::on_stdout("simulated".to_owned()),
        }
    }

    fn new_enricher(&self) -> EnricherProcess {
        let line = self.line(Function::Enricher, ENRICHER_LIMITS);
        Enricher {
            ledger: line.clone(),
            bus: line.clone(),
            dead_letters: line.clone(),
            redelivery: line.clone(),
            entities: line.clone(),
            clock: line.clock,
            limits: Limits {
                event_ttl: EVENT_TTL,
                max_attempts: MAX_ATTEMPTS,
                max_entry_bytes: 262_144,
                max_entities: 20,
                snapshot_ttl: Duration::from_secs(400 * 86_400),
            },
            rules: Rules { replica_lag_ms: REPLICA_LAG_MS, volatile: Volatile::parse("autoUpdateTime") },
            turnstile: Turnstile::new(10),
            filter: Filter::default(),
            redaction: Redaction::default(),
            hash_key: CachedSecret::new(line.clone(), line.clock),
            metrics: Metrics::on_stdout("simulated".to_owned()),
        }
    }
}

/// Works until the end, or as far as fate allows; tells how often the work was suspended.
async fn fated<T>(work: impl Future<Output = T>, fate: Fate, mut tell: impl FnMut(u32)) -> Option<T> {
    enum Step<T> {
        Done(T),
        Struck,
    }
    let mut work = pin!(work);
    let mut suspensions = 0;
    let mut is_spent = false;
    loop {
        let step = std::future::poll_fn(|context| match work.as_mut().poll(context) {
            Poll::Ready(done) => Poll::Ready(Step::Done(done)),
            Poll::Pending => {
                suspensions += 1;
                tell(suspensions);
                let strikes = match fate {
                    Fate::Lives => false,
                    Fate::Dies { at } | Fate::Freezes { at, .. } => suspensions == at && !is_spent,
                };
                if strikes { Poll::Ready(Step::Struck) } else { Poll::Pending }
            }
        });
        match (step.await, fate) {
            (Step::Done(done), _) => return Some(done),
            (Step::Struck, Fate::Freezes { ms, .. }) => {
                is_spent = true;
                pause_ms(ms).await;
            }
            (Step::Struck, _) => return None,
        }
    }
}
