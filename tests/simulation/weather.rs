//! What goes wrong on the way to a service and back, and with processes; drawn from the story's seed.

use std::{
    ops::RangeInclusive,
    sync::{Mutex, MutexGuard},
};

use fastrand::Rng;

use crate::time::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS};

/// A service that can be down by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    Tables,
    EventsQueue,
    DeadLetterQueue,
    Bus,
    Secrets,
    Capillary,
}

impl Service {
    pub(crate) const ALL: [Self; 6] =
        [Self::Tables, Self::EventsQueue, Self::DeadLetterQueue, Self::Bus, Self::Secrets, Self::Capillary];
}

/// How often things go wrong, each in so many of a thousand cases.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Storm {
    /// A call is throttled.
    pub(crate) throttled: u32,
    /// A request never arrives.
    pub(crate) request_lost: u32,
    /// A request arrives much later, perhaps when nobody waits for it any more.
    pub(crate) request_late: u32,
    /// It is done, and the answer never arrives.
    pub(crate) answer_lost: u32,
    /// One entry of a call to the bus is refused, and not the others.
    pub(crate) entry_refused: u32,
    /// An invocation dies at one of its awaits.
    pub(crate) dies: u32,
    /// An invocation hangs at one of its awaits, past the lease and the visibility timeout, and then goes on.
    pub(crate) freezes: u32,
    /// A message is handed out to two at once.
    pub(crate) doubled: u32,
    /// A message that is done is not deleted.
    pub(crate) delete_lost: u32,
    /// The sender never sees an answer.
    pub(crate) unheard: u32,
    /// The sender sends once more what was answered finally.
    pub(crate) repeated: u32,
    /// Capillary is in trouble.
    pub(crate) api_fails: u32,
    /// Capillary has not got this entity together yet.
    pub(crate) not_ready: u32,
    /// An operator redrives whatever lies in the dead-letter queue, each time that he looks.
    pub(crate) redriven: u32,
    /// The clocks of processes are wrong by up to so many milliseconds.
    pub(crate) skew_ms: i64,
    /// Answers of Capillary's are so old at the most, in milliseconds.
    pub(crate) lag_ms: i64,
}

/// A service is down for a while, in milliseconds since the beginning.
#[derive(Debug, Clone)]
pub(crate) struct Outage {
    pub(crate) service: Service,
    pub(crate) during_ms: RangeInclusive<i64>,
}

/// How one request fares.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Passage {
    /// Until it arrives; never, if there is none.
    pub(crate) there_ms: Option<i64>,
    /// Whether the service refuses it.
    pub(crate) refused: bool,
    /// Until the answer arrives; never, if there is none.
    pub(crate) back_ms: Option<i64>,
    /// Where something never arrives: whether the connection breaks at once, or nobody tells.
    pub(crate) breaks: bool,
}

/// What becomes of an invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Lives,
    /// Dies at its await with this number, counted from 1.
    Dies {
        at: u32,
    },
    /// Hangs there for so long, and goes on.
    Freezes {
        at: u32,
        ms: i64,
    },
}

/// The weather of a story.
pub(crate) struct Weather(Mutex<State>);

struct State {
    random: Rng,
    storm: Storm,
    outages: Vec<Outage>,
}

impl Weather {
    pub(crate) fn new(seed: u64, storm: Storm, outages: Vec<Outage>) -> Self {
        Self(Mutex::new(State { random: Rng::with_seed(seed), storm, outages }))
    }

    /// From now on nothing goes wrong.
    pub(crate) fn calm_down(&self) {
        let mut state = self.state();
        state.outages.clear();
        // Replicas lag and clocks are wrong in the best of times.
        state.storm = Storm { lag_ms: state.storm.lag_ms, skew_ms: state.storm.skew_ms, ..Storm::default() };
    }

    pub(crate) fn passage(&self, service: Service, passed_ms: i64) -> Passage {
        let mut state = self.state();
        let Storm { throttled, request_lost, request_late, answer_lost, .. } = state.storm;
        let down = state.outages.iter().any(|outage| outage.service == service && outage.during_ms.contains(&passed_ms));
        let there_ms = match () {
            () if state.happens(request_lost) => None,
            () if state.happens(request_late) => Some(state.random.i64(SECOND_MS..=20 * SECOND_MS)),
            () => Some(state.random.i64(1..=10)),
        };
        let back_ms = if state.happens(answer_lost) { None } else { Some(state.random.i64(1..=10)) };
        Passage { there_ms, refused: down || state.happens(throttled), back_ms, breaks: state.random.bool() }
    }

    pub(crate) fn fate(&self) -> Fate {
        let mut state = self.state();
        let Storm { dies, freezes, .. } = state.storm;
        if state.happens(dies) {
            return Fate::Dies { at: state.random.u32(1..=40) };
        }
        if state.happens(freezes) {
            let ms = if state.random.bool() {
                state.random.i64(SECOND_MS..=30 * SECOND_MS)
            } else {
                state.random.i64(MINUTE_MS..=10 * MINUTE_MS)
            };
            return Fate::Freezes { at: state.random.u32(1..=40), ms };
        }
        Fate::Lives
    }

    /// What one of the storm's members stands for.
    pub(crate) fn strikes(&self, how_often: impl Fn(&Storm) -> u32) -> bool {
        let mut state = self.state();
        let in_a_thousand = how_often(&state.storm);
        state.happens(in_a_thousand)
    }

    pub(crate) fn skew_ms(&self) -> i64 {
        let mut state = self.state();
        let most = state.storm.skew_ms;
        state.random.i64(-most..=most)
    }

    pub(crate) fn lag_ms(&self) -> i64 {
        let mut state = self.state();
        let most = state.storm.lag_ms;
        // Most replicas are as good as up to date.
        if state.random.bool() { 0 } else { state.random.i64(0..=most) }
    }

    pub(crate) fn number(&self, range: RangeInclusive<i64>) -> i64 {
        self.state().random.i64(range)
    }

    /// One of so many.
    pub(crate) fn choose(&self, of: usize) -> usize {
        self.state().random.usize(0..of)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nobody panics while holding the weather")
    }
}

impl State {
    fn happens(&mut self, in_a_thousand: u32) -> bool {
        in_a_thousand > 0 && self.random.u32(0..1000) < in_a_thousand
    }
}

impl Storm {
    /// Weather of any kind, by seed.
    pub(crate) fn drawn(random: &mut Rng) -> Self {
        let mut often = |most: u32| if random.bool() { 0 } else { random.u32(0..=most) };
        Self {
            throttled: often(150),
            request_lost: often(80),
            request_late: often(80),
            answer_lost: often(100),
            entry_refused: often(200),
            dies: often(300),
            freezes: often(150),
            doubled: often(200),
            delete_lost: often(100),
            unheard: often(150),
            repeated: often(300),
            api_fails: often(200),
            not_ready: often(100),
            redriven: often(300),
            skew_ms: if random.bool() { 5 * MINUTE_MS } else { 0 },
            lag_ms: if random.bool() { 4 * SECOND_MS + 500 } else { 0 },
        }
    }
}

impl Outage {
    /// Of some service, for seconds or for a day.
    pub(crate) fn drawn(random: &mut Rng) -> Self {
        let service = Service::ALL[random.usize(0..Service::ALL.len())];
        let from_ms = random.i64(0..=MINUTE_MS);
        let longest = drawn_length_ms(random, 30 * SECOND_MS);
        Self { service, during_ms: from_ms..=from_ms + random.i64(SECOND_MS..=longest) }
    }
}

/// A length of time: seldom a day, since such a story takes long to play.
pub(crate) fn drawn_length_ms(random: &mut Rng, shortest_ms: i64) -> i64 {
    match random.u32(0..20) {
        0 => DAY_MS,
        1..4 => HOUR_MS,
        4..10 => 5 * MINUTE_MS,
        _ => shortest_ms,
    }
}
