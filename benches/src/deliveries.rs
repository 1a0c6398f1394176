//! The receiver and the floors: a start, a first delivery, then many of each sort.

use hyper::body::Bytes;
use serde_json::Value;

use crate::{
    aws::KNOWN,
    events::Events,
    failure::Failure,
    running::{Running, Start, Warm, World, microseconds, milliseconds},
    statistics::Figures,
    target::{Kind, Target},
};

/// Deliveries before those that are measured.
const FIRST: u32 = 20;

/// What several rounds brought.
#[derive(Default)]
pub(crate) struct Delivered {
    pub(crate) starts: Starts,
    pub(crate) first_ms: Figures,
    pub(crate) new: Sort,
    pub(crate) known: Sort,
    pub(crate) strange: Sort,
    pub(crate) peak_mib: Figures,
}

/// Starts, whatever comes after them.
#[derive(Default)]
pub(crate) struct Starts {
    pub(crate) ms: Figures,
    pub(crate) cpu_ms: Figures,
    pub(crate) connections: Figures,
    pub(crate) calls: String,
}

/// Deliveries of one sort.
#[derive(Default)]
pub(crate) struct Sort {
    pub(crate) p50_ms: Figures,
    pub(crate) p99_ms: Figures,
    pub(crate) cpu_us: Figures,
    pub(crate) calls: Figures,
    pub(crate) which_calls: String,
}

/// A sort of delivery.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    New,
    Known,
    Strange,
}

impl Which {
    /// What programs of that kind are sent.
    pub(crate) fn for_kind(kind: Kind) -> &'static [Self] {
        match kind {
            Kind::Receiver => &[Self::New, Self::Known, Self::Strange],
            Kind::Floor => &[Self::New, Self::Known],
            Kind::Enricher => &[],
        }
    }

    pub(crate) fn payload(self, events: &Events) -> Bytes {
        match self {
            Self::New => events.delivery(""),
            Self::Known => events.delivery(KNOWN),
            Self::Strange => events.of_a_stranger(),
        }
    }

    pub(crate) fn is_right(self, answer: &Value) -> bool {
        let body = answer["body"].as_str().unwrap_or_default();
        match self {
            Self::New => answer["statusCode"] == 200 && body.contains("accepted"),
            Self::Known => answer["statusCode"] == 200 && body.contains("duplicate"),
            Self::Strange => answer["statusCode"] == 401,
        }
    }
}

impl Starts {
    pub(crate) fn add(&mut self, start: &Start) {
        self.ms.add(milliseconds(start.took));
        self.cpu_ms.add(milliseconds(start.cpu));
        self.connections.add(crate::calls::ratio(start.connections, 1));
        self.calls = start.calls.per(1);
    }
}

impl Sort {
    fn add(&mut self, warm: &Warm, count: u32) {
        self.p50_ms.add(warm.took_ms.median());
        self.p99_ms.add(warm.took_ms.quantile(99));
        self.cpu_us.add(microseconds(warm.cpu / count));
        self.calls.add(crate::calls::ratio(warm.calls.total(), count.into()));
        self.which_calls = warm.calls.per(count.into());
    }
}

impl Delivered {
    /// One round of a fresh process.
    pub(crate) async fn round(&mut self, world: &World, target: &Target, events: &Events, count: u32) -> Result<(), Failure> {
        let mut running = world.run(target).await?;
        self.starts.add(&running.start);
        for which in Which::for_kind(target.kind) {
            let sort = match which {
                Which::New => &mut self.new,
                Which::Known => &mut self.known,
                Which::Strange => &mut self.strange,
            };
            if *which == Which::New {
                self.first_ms.add(milliseconds(send(&mut running, *which, events, 1).await?.all));
            }
            send(&mut running, *which, events, FIRST).await?;
            sort.add(&send(&mut running, *which, events, count).await?, count);
        }
        self.peak_mib.add(crate::calls::ratio(running.process.peak_kib()?, 1024));
        Ok(())
    }
}

/// So many deliveries of a sort.
pub(crate) async fn send(running: &mut Running<'_>, which: Which, events: &Events, count: u32) -> Result<Warm, Failure> {
    running.warm(count, || which.payload(events), |answer| which.is_right(answer)).await
}
