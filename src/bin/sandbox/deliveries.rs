//! The events to be sent and those that were, in the order in which they happened.

use std::time::Duration;

use axum::body::Bytes;
use serde::{Deserialize, Serialize};

use crate::backoff::Backoff;
use crate::clock::now_ms;
use crate::conduct::Conduct;
use crate::events::Event;

#[derive(Default)]
pub(crate) struct Deliveries {
    list: Vec<Delivery>,
    begun: u64,
}

/// One event for one webhook, and what became of it.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Delivery {
    #[serde(skip)]
    number: u64,
    pub(crate) event_id: Option<String>,
    pub(crate) event_name: Option<String>,
    #[serde(skip)]
    pub(crate) ref_id: Option<String>,
    #[serde(skip)]
    pub(crate) request_id: Option<String>,
    /// When it came, in milliseconds since 1970.
    #[serde(skip)]
    pub(crate) ingested_at: u64,
    /// When it was first sent.
    #[serde(skip)]
    pub(crate) begun_at: Option<u64>,
    pub(crate) web_hook_id: String,
    pub(crate) state: DeliveryState,
    pub(crate) attempts: Vec<Attempt>,
    #[serde(skip)]
    body: Bytes,
    /// Who holds it: nobody else sends it, and who holds it sends nothing else.
    #[serde(skip)]
    lane: Option<usize>,
    #[serde(skip)]
    backoff: Backoff,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DeliveryState {
    /// For a lane, or for its next attempt.
    Waiting,
    Sending,
    Delivered,
    /// By a final answer.
    Refused,
    /// Given up after seven days.
    Lost,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Attempt {
    /// Milliseconds since 1970.
    pub(crate) at: u64,
    /// Sandbox time since the first attempt.
    age_seconds: u64,
    #[serde(flatten)]
    pub(crate) outcome: Outcome,
    /// Real milliseconds.
    pub(crate) took_ms: u64,
}

/// What came of an attempt.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    Status(u16),
    Error(&'static str),
}

/// What an outcome means for the event.
enum Verdict {
    Done,
    Final,
    Again,
}

impl Outcome {
    /// The retry rules of the current guide; where it says nothing, the sandbox's switches.
    fn verdict(self, conduct: &Conduct) -> Verdict {
        let again_if = |resend| if resend { Verdict::Again } else { Verdict::Final };
        match self {
            Self::Status(200..=299) => Verdict::Done,
            Self::Status(400) => Verdict::Final,
            Self::Status(429) | Self::Error(_) => Verdict::Again,
            Self::Status(401..=499) => again_if(conduct.resend_4xx),
            Self::Status(500..=599) => again_if(conduct.resend_5xx),
            Self::Status(_) => Verdict::Final,
        }
    }
}

impl Deliveries {
    pub(crate) fn enqueue(&mut self, event: Event, web_hook_id: String) {
        self.begun += 1;
        self.list.push(Delivery {
            number: self.begun,
            event_id: event.id,
            event_name: event.name,
            ref_id: event.ref_id,
            request_id: event.request_id,
            ingested_at: now_ms(),
            begun_at: None,
            web_hook_id,
            state: DeliveryState::Waiting,
            attempts: Vec::new(),
            body: event.body,
            lane: None,
            backoff: Backoff::default(),
        });
    }

    /// Gives the oldest event of this webhook that nobody holds to this lane.
    pub(crate) fn take(&mut self, web_hook_id: &str, lane: usize) -> Option<u64> {
        let free = |delivery: &&mut Delivery| {
            delivery.web_hook_id == web_hook_id && delivery.lane.is_none() && delivery.state == DeliveryState::Waiting
        };
        let delivery = self.list.iter_mut().find(free)?;
        delivery.lane = Some(lane);
        Some(delivery.number)
    }

    /// Leaves an event to whichever lane is free next. Being older than those that follow, it stays before them.
    pub(crate) fn give_back(&mut self, number: u64) {
        if let Some(delivery) = self.held(number) {
            delivery.lane = None;
        }
    }

    pub(crate) fn is_held(&self, number: u64) -> bool {
        self.list.iter().any(|delivery| delivery.number == number && delivery.lane.is_some())
    }

    /// The bytes to send, unless the event was forgotten meanwhile.
    pub(crate) fn begin_attempt(&mut self, number: u64) -> Option<Bytes> {
        let delivery = self.held(number)?;
        delivery.state = DeliveryState::Sending;
        delivery.begun_at.get_or_insert_with(now_ms);
        Some(delivery.body.clone())
    }

    /// Notes what came of an attempt; how long to wait for the next one, if there is one.
    pub(crate) fn end_attempt(
        &mut self,
        number: u64,
        at: u64,
        took: Duration,
        outcome: Outcome,
        conduct: &Conduct,
    ) -> Option<Duration> {
        let delivery = self.held(number)?;
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        delivery.attempts.push(Attempt { at, age_seconds: delivery.backoff.age().as_secs(), outcome, took_ms });
        let (state, wait) = match outcome.verdict(conduct) {
            Verdict::Done => (DeliveryState::Delivered, None),
            Verdict::Final => (DeliveryState::Refused, None),
            Verdict::Again => match delivery.backoff.after_attempt(took) {
                Some(wait) => (DeliveryState::Waiting, Some(wait)),
                None => (DeliveryState::Lost, None),
            },
        };
        delivery.state = state;
        if wait.is_none() {
            delivery.lane = None;
        }
        wait
    }

    /// Oldest first.
    pub(crate) fn all(&self) -> &[Delivery] {
        &self.list
    }

    pub(crate) fn listed(&self, state: Option<DeliveryState>) -> Vec<Delivery> {
        self.list.iter().filter(|delivery| state.is_none_or(|wanted| delivery.state == wanted)).cloned().collect()
    }

    /// Forgets what is settled; the rest is still to be sent.
    pub(crate) fn forget_settled(&mut self) {
        self.list.retain(|delivery| matches!(delivery.state, DeliveryState::Waiting | DeliveryState::Sending));
    }

    /// Forgets everything. Numbers go on, so that a lane finds that its event is no more.
    pub(crate) fn forget(&mut self) {
        self.list.clear();
    }

    fn held(&mut self, number: u64) -> Option<&mut Delivery> {
        self.list.iter_mut().find(|delivery| delivery.number == number && delivery.lane.is_some())
    }
}
