//! The enricher: batches of one and of ten, with an API that takes its time or none.

use std::time::Duration;

use crate::{
    calls::ratio,
    deliveries::Starts,
    events::Events,
    failure::Failure,
    running::{Running, Warm, World, microseconds, milliseconds},
    statistics::Figures,
    target::Target,
};

/// What is sent, and what stands between.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// About which customers the events of a batch are.
    customers: fn() -> Vec<u64>,
    latency: Duration,
    batches: u32,
}

const SLOW: Duration = Duration::from_millis(100);

/// Each customer is fetched anew for each batch, and is another each time.
pub(crate) const SCENARIOS: [Scenario; 5] = [
    Scenario { name: "1 event, API 0 ms", customers: || vec![1], latency: Duration::ZERO, batches: 100 },
    Scenario { name: "10 events, API 0 ms", customers: || (1..=10).collect(), latency: Duration::ZERO, batches: 20 },
    Scenario { name: "10 events, one customer", customers: || vec![1; 10], latency: Duration::ZERO, batches: 10 },
    Scenario { name: "1 event, API 100 ms", customers: || vec![1], latency: SLOW, batches: 5 },
    Scenario { name: "10 events, API 100 ms", customers: || (1..=10).collect(), latency: SLOW, batches: 5 },
];

/// Where the scenarios stand that goals are about.
pub(crate) const ONE: usize = 0;
pub(crate) const TEN: usize = 1;
pub(crate) const TEN_SLOW: usize = 4;

/// What several rounds brought.
#[derive(Default)]
pub(crate) struct Enriched {
    pub(crate) starts: Starts,
    pub(crate) first_ms: Figures,
    pub(crate) scenarios: [Batches; SCENARIOS.len()],
    pub(crate) peak_mib: Figures,
}

/// Batches of one scenario.
#[derive(Default)]
pub(crate) struct Batches {
    pub(crate) batch_ms: Figures,
    pub(crate) per_second: Figures,
    pub(crate) per_cpu_second: Figures,
    pub(crate) cpu_us: Figures,
    pub(crate) which_calls: String,
}

impl Enriched {
    /// One round of a fresh process.
    pub(crate) async fn round(&mut self, world: &World, target: &Target, events: &Events) -> Result<(), Failure> {
        world.capillary.set_latency(Duration::ZERO);
        let mut running = world.run(target).await?;
        self.starts.add(&running.start);
        self.first_ms.add(milliseconds(send(&mut running, &SCENARIOS[ONE], events, 1).await?.all));
        for (scenario, batches) in SCENARIOS.iter().zip(&mut self.scenarios) {
            // The first sight of a customer is no comparison, and a connection may have to be opened.
            world.capillary.set_latency(Duration::ZERO);
            send(&mut running, scenario, events, 2).await?;
            world.capillary.set_latency(scenario.latency);
            let warm = send(&mut running, scenario, events, scenario.batches).await?;
            let size = scenario.size();
            let count = size * u64::from(scenario.batches);
            batches.batch_ms.add(warm.took_ms.median());
            batches.per_second.add(ratio(count, 1) / warm.all.as_secs_f64());
            batches.per_cpu_second.add(ratio(count, 1) / warm.cpu.as_secs_f64());
            batches.cpu_us.add(microseconds(warm.cpu) / ratio(count, 1));
            batches.which_calls = warm.calls.per(scenario.batches.into());
        }
        self.peak_mib.add(ratio(running.process.peak_kib()?, 1024));
        Ok(())
    }
}

impl Scenario {
    /// Events in a batch.
    pub(crate) fn size(&self) -> u64 {
        u64::try_from((self.customers)().len()).unwrap_or(u64::MAX)
    }
}

/// So many batches of a scenario, of which no message may come back.
pub(crate) async fn send(running: &mut Running<'_>, scenario: &Scenario, events: &Events, count: u32) -> Result<Warm, Failure> {
    let all_done = |answer: &serde_json::Value| answer["batchItemFailures"].as_array().is_some_and(Vec::is_empty);
    running.warm(count, || events.batch((scenario.customers)()), all_done).await
}
