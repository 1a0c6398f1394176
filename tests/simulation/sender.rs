//! Capillary's notification service (facts, section 3): several lanes, each of which sends one event until it gets a final answer, with
//! exponential backoff, for seven days.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
    sync::Arc,
};

use capillary_events::receive::Delivery;
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};

use crate::{
    processes::Processes,
    time::{DAY_MS, HOUR_MS, SECOND_MS, pause_ms},
    world::World,
};

/// The header that the webhook is configured with.
pub(crate) const CREDENTIALS: &str = "Basic simulated";
/// How long an event is sent again.
const RESENT_FOR_MS: i64 = 7 * DAY_MS;
const LONGEST_BACKOFF_MS: i64 = HOUR_MS;

/// An event that the sender has to tell.
#[derive(Debug, Clone)]
pub(crate) struct Planned {
    pub(crate) body: Vec<u8>,
    /// Since the beginning.
    pub(crate) at_ms: i64,
}

/// What became of an event on the sender's side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// This answer, which is final.
    Answered(u16),
    /// It was resent for seven days, and then no more.
    GivenUp,
}

/// The sender with all that it saw.
pub(crate) struct Sender {
    world: Arc<World>,
    processes: Rc<Processes>,
    waiting: RefCell<VecDeque<(usize, Planned)>>,
    pub(crate) outcomes: RefCell<Vec<(usize, Outcome)>>,
    /// Lanes and repetitions that are not through.
    busy: Cell<usize>,
}

impl Sender {
    pub(crate) fn new(world: &Arc<World>, processes: &Rc<Processes>, mut events: Vec<(usize, Planned)>) -> Rc<Self> {
        events.sort_by_key(|(_, event)| event.at_ms);
        Rc::new(Self {
            world: Arc::clone(world),
            processes: Rc::clone(processes),
            waiting: RefCell::new(events.into()),
            outcomes: RefCell::default(),
            busy: Cell::new(0),
        })
    }

    /// Begins to send over so many lanes.
    pub(crate) fn send(self: &Rc<Self>, lanes: usize) {
        for _ in 0..lanes {
            self.busy.set(self.busy.get() + 1);
            tokio::task::spawn_local(Rc::clone(self).lane());
        }
    }

    /// Whether all was sent and answered.
    pub(crate) fn is_through(&self) -> bool {
        self.busy.get() == 0
    }

    async fn lane(self: Rc<Self>) {
        loop {
            let next = self.waiting.borrow_mut().pop_front();
            let Some((number, event)) = next else { break };
            self.world.time.until_ms(event.at_ms).await;
            let outcome = self.tell(&event).await;
            self.outcomes.borrow_mut().push((number, outcome));
            if self.world.weather.strikes(|storm| storm.repeated) {
                self.busy.set(self.busy.get() + 1);
                let sender = Rc::clone(&self);
                tokio::task::spawn_local(async move {
                    let longest_ms = [1, 20 * SECOND_MS, HOUR_MS, 6 * DAY_MS][sender.world.weather.choose(4)];
                    pause_ms(sender.world.weather.number(0..=longest_ms)).await;
                    let outcome = sender.tell(&event).await;
                    sender.outcomes.borrow_mut().push((number, outcome));
                    sender.busy.set(sender.busy.get() - 1);
                });
            }
        }
        self.busy.set(self.busy.get() - 1);
    }

    /// Sends one event until it gets a final answer. Meanwhile its lane sends nothing else.
    async fn tell(&self, event: &Planned) -> Outcome {
        let since_ms = self.world.time.passed_ms();
        let mut backoff_ms = SECOND_MS;
        loop {
            match self.post(event).await {
                Some(429) | None if self.world.time.passed_ms() - since_ms > RESENT_FOR_MS => return Outcome::GivenUp,
                Some(429) | None => pause_ms(self.world.weather.number(backoff_ms / 2..=backoff_ms)).await,
                // Of the others nothing is documented, so nothing good is to be expected.
                Some(status) => return Outcome::Answered(status),
            }
            backoff_ms = (2 * backoff_ms).min(LONGEST_BACKOFF_MS);
        }
    }

    /// One attempt; the answer, if it arrives. An event that is answered finally must be safe by then.
    async fn post(&self, event: &Planned) -> Option<u16> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_static(CREDENTIALS));
        let delivery = Delivery { headers, body: event.body.clone(), trace: None };
        let status = self.processes.deliver(delivery).await;
        self.world.tell(|| format!("answered {status}: {}", String::from_utf8_lossy(&event.body)));
        if status != 429 {
            let is_safe = self.world.events.ever_held(&event.body) || self.world.dead_letters.ever_held(&event.body);
            assert!(is_safe, "answered {status} before it was safe: {}", String::from_utf8_lossy(&event.body));
        }
        Some(status).filter(|_| !self.world.weather.strikes(|storm| storm.unheard))
    }
}
