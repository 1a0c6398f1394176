//! The turmoil as a story: it rages, it ends, and what must be true afterwards.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ops::Range;
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::bus::Bus;
use crate::functions::Functions;
use crate::happenings::{ENTITIES, Happenings};
use crate::remains::Remains;
use crate::sandbox::{LANES, Sandbox};
use crate::support::stack::{Aws, Stack};
use crate::support::wait;
use crate::tcp_proxy::{TcpProxy, Weather};
use crate::troubles::Troubles;

/// The functions keep their connections, and try a call three times.
const NETWORK: Weather = Weather { pieces: 100, bad_at_once_percent: 25 };
/// The sender has a new connection for each attempt.
const STREET: Weather = Weather { pieces: 50, bad_at_once_percent: 0 };
/// Capillary is ahead of the bus by no more than so many events, so that both functions are at work all the time.
const AHEAD: usize = 200;
/// A message whose batch died comes again after this many seconds.
const VISIBILITY_S: u32 = 30;
/// It rages until this share of all events is published, in percent, but not longer than that for each event.
const WORST_PERCENT: usize = 80;
const RAGES_FOR_EACH: Duration = Duration::from_millis(150);
/// Then lanes that wait for their next attempt have delivered, and messages that wait for theirs are done.
const DELIVERED_WITHIN: Duration = Duration::from_secs(120);
const PUBLISHED_WITHIN: Duration = Duration::from_secs(600);
const SEEN_WITHIN: Duration = Duration::from_secs(20);

/// Everything that takes part.
pub(crate) struct Turmoil {
    pub(crate) seed: u64,
    random: Rng,
    pub(crate) stack: Stack,
    pub(crate) aws: Aws,
    /// Between the functions and AWS.
    network: TcpProxy,
    /// Between the sender and the gateway.
    street: TcpProxy,
    pub(crate) sandbox: Sandbox,
    pub(crate) bus: Bus,
    pub(crate) happenings: Happenings,
    receivers_killed: usize,
    enrichers_killed: usize,
    failures: BTreeMap<String, u64>,
    /// What the sender was answered, with how often.
    answers: BTreeMap<String, usize>,
    begun: Instant,
}

impl Turmoil {
    pub(crate) async fn begin(seed: u64) -> Self {
        let stack = Stack::load();
        let (aws, behind) = (stack.endpoint(), stack.text("/functionsEndpoint"));
        assert_ne!(aws, behind, "the functions of this stack find AWS without a proxy: run this by `make turmoil`");
        let mut random = Rng::with_seed(seed);
        let network = TcpProxy::start(port_of(&behind), port_of(&aws), random.u64(..), NETWORK).await;
        let street = TcpProxy::start(0, port_of(&aws), random.u64(..), STREET).await;
        let sandbox = Sandbox::sending_through(&stack, street.port()).await;
        let aws = Aws::connect(&stack).await;
        let remains = Remains::of(&aws, &stack);
        assert!(remains.rows().await.is_empty(), "this stack has seen events before: run this by `make turmoil`");
        remains.hand_out_again_after(VISIBILITY_S).await;
        let bus = Bus::listen(&aws, &stack).await;
        Self {
            seed,
            random,
            stack,
            aws,
            network,
            street,
            sandbox,
            bus,
            happenings: Happenings::default(),
            receivers_killed: 0,
            enrichers_killed: 0,
            failures: BTreeMap::new(),
            answers: BTreeMap::new(),
            begun: Instant::now(),
        }
    }

    /// So many events are sent, delivered and for the most part published while everything goes wrong.
    pub(crate) async fn rages_while_capillary_sends(&mut self, events: u32) {
        let limit = RAGES_FOR_EACH * events;
        let most = events as usize * WORST_PERCENT / 100;
        let mut troubles = Troubles::of(&self.sandbox, self.random.fork());
        let functions = Functions::of(&self.stack);
        let [receiver, enricher] = ["Receiver", "Enricher"].map(|name| self.stack.text(&format!("/outputs/{name}FunctionName")));
        let (mut of_receivers, mut of_enrichers) = (self.random.fork(), self.random.fork());
        let (mut of_outages, mut pauses) = (self.random.fork(), self.random.fork());
        let life = async {
            let mut left = events;
            while left > 0 {
                let burst = LANES.min(left);
                left -= burst;
                self.happenings.burst(&self.sandbox, burst, &mut pauses).await;
                let ahead = self.happenings.ids.len().saturating_sub(AHEAD);
                self.bus.brings(ahead, limit.saturating_sub(self.begun.elapsed()), &self.aws).await;
            }
            self.bus.brings(most, limit.saturating_sub(self.begun.elapsed()), &self.aws).await;
        };
        tokio::select! {
            () = life => {}
            never = troubles.go_on() => match never {},
            never = self.network.break_down_now_and_then(&mut of_outages) => match never {},
            // A delivery is a matter of milliseconds, so that most find a receiver with nothing to do.
            never = kill_now_and_then(&functions, &receiver, 100..900, &mut of_receivers, &mut self.receivers_killed) => match never {},
            never = kill_now_and_then(&functions, &enricher, 3_000..7_000, &mut of_enrichers, &mut self.enrichers_killed) => match never {},
        }
        troubles.end().await;
        self.failures = troubles.struck;
    }

    /// Everything works again, and everybody changes once more.
    pub(crate) async fn ends(&mut self) {
        self.network.calm();
        self.street.calm();
        println!(
            "seed {}: after {} s the turmoil ends, with {} of {} events on the bus",
            self.seed,
            self.begun.elapsed().as_secs(),
            self.bus.ids().len(),
            self.happenings.ids.len()
        );
        self.sandbox.hurry().await;
        for entity in ENTITIES {
            self.happenings.change(&self.sandbox, entity, "last").await;
        }
    }

    /// Within a bounded time nothing is left to do.
    pub(crate) async fn everything_is_delivered_and_published(&mut self) {
        let delivered = wait::poll(DELIVERED_WITHIN, async || {
            let all = self.sandbox.deliveries(None).await;
            all.iter().all(|delivery| delivery["state"] == "delivered").then_some(())
        });
        assert!(delivered.await.is_some(), "seed {}: not everything is delivered", self.seed);
        for delivery in self.sandbox.deliveries(None).await {
            for attempt in delivery["attempts"].as_array().expect("attempts") {
                let answer = attempt["status"].as_u64().map_or_else(|| attempt["error"].to_string(), |status| status.to_string());
                *self.answers.entry(answer).or_default() += 1;
            }
        }
        // What is acknowledged is in the queue or on the bus, so an empty queue means that there is no more to come.
        let remains = Remains::of(&self.aws, &self.stack);
        let done = wait::poll(PUBLISHED_WITHIN, async || (remains.messages().await == 0).then_some(())).await;
        let all = self.bus.brings(self.happenings.ids.len(), SEEN_WITHIN, &self.aws).await;
        assert!(
            done.is_some() && all,
            "seed {}: of {} events {} came through the bus; the ledger says {:?}; {} messages are left, and {} dead letters: {:?}",
            self.seed,
            self.happenings.ids.len(),
            self.bus.ids().len(),
            remains.statuses().await,
            remains.messages().await,
            remains.dead_letters().await,
            remains.reasons().await
        );
    }

    /// Enough went wrong to mean something.
    pub(crate) fn was_no_breeze(&self) {
        let (seed, summary) = (self.seed, self.summary());
        assert!(self.receivers_killed >= 50 && self.enrichers_killed >= 10, "seed {seed}: too few were killed: {summary}");
        for (proxy, least) in [(&self.network, 10), (&self.street, 5)] {
            for (fault, struck) in proxy.struck() {
                assert!(struck >= least, "seed {seed}: too little {fault:?}: {summary}");
            }
        }
        assert!(self.network.outages() >= 8, "seed {seed}: too few outages: {summary}");
        let failures: u64 = self.failures.values().sum();
        assert!(
            failures >= 20 && self.failures.values().filter(|struck| **struck > 0).count() >= 5,
            "seed {seed}: Capillary failed too rarely: {summary}"
        );
        // The gateway's answer where a receiver dies.
        assert!(
            self.answers.get("502").is_some_and(|deaths| *deaths >= 5),
            "seed {seed}: too few receivers died at work: {summary}"
        );
        assert!(self.bus.doubled() > 0, "seed {seed}: no event was published more than once: {summary}");
    }

    /// What went wrong, in one line.
    pub(crate) fn summary(&self) -> String {
        format!(
            "{} events, {} of them more than once, in {} s; killed {} receivers and {} enrichers; to the functions {:?} and {} outages; to the sender {:?}; Capillary {:?}; \
             answers {:?}",
            self.happenings.ids.len(),
            self.bus.doubled(),
            self.begun.elapsed().as_secs(),
            self.receivers_killed,
            self.enrichers_killed,
            self.network.struck(),
            self.network.outages(),
            self.street.struck(),
            self.failures,
            self.answers
        )
    }

    pub(crate) async fn leave(self) {
        self.bus.leave(&self.aws).await;
    }
}

/// Kills one of a function's processes, again and again, so many milliseconds apart; whatever it is about to do.
async fn kill_now_and_then(
    functions: &Functions,
    name: &str,
    apart_ms: Range<u64>,
    random: &mut Rng,
    kills: &mut usize,
) -> Infallible {
    loop {
        tokio::time::sleep(Duration::from_millis(random.u64(apart_ms.clone()))).await;
        *kills += usize::from(functions.kill_one(name, random));
    }
}

fn port_of(url: &str) -> u16 {
    url.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or_else(|| panic!("no port in {url}"))
}
