//! Takes in one delivery: authenticate, claim, enqueue, answer.
//!
//! Two calls and no clean-up. The process may die at any point: before the claim nothing has happened and the sender comes
//! again; between claim and send the row stays `RECEIVED`, and once its lease has run out the sender's next attempt takes it
//! over; after the send the event is safe, and a second sending of it costs nothing, since the enricher looks at the ledger.

use std::time::Duration;

use http::HeaderMap;
use sha2::{Digest, Sha256};

use crate::{
    auth::{Gatekeeper, Sender},
    disposition::Disposition,
    event::{Event, hex},
    ledger::{Claim, Identity, Refusal, judge_refusal},
    message::{DeadLetter, Encoded, KEPT_OF_OVERSIZED_BYTES, MAX_BODY_BYTES, Message, Reason, TraceHeader},
    metrics::{Metric, Metrics},
    ports::{Claimed, Claims, Clock, DeadLetterQueue, EventsQueue, PortError, SecretStore},
};

/// An answer is given within this time, so that with a start before it no sender waits 10 seconds. Shorter than the lease, so
/// that who takes a claim over knows that the first one is no longer at work.
pub const ANSWER_WITHIN: Duration = Duration::from_millis(8_500);
/// What a start may take to read the secret and to open connections: the delivery that started this process is waiting.
pub const PREPARE_WITHIN: Duration = Duration::from_secs(1);

const _: () = assert!(ANSWER_WITHIN.as_millis() < crate::ledger::LEASE_MS as u128, "an answer must come before the lease ends");

/// How many events may bear one id before something is wrong with us.
const MAX_KEYS: u32 = 3;

/// A delivery as it came.
pub struct Delivery {
    /// The request's headers.
    pub headers: HeaderMap,
    /// The request's body.
    pub body: Vec<u8>,
    /// The trace that it belongs to.
    pub trace: Option<TraceHeader>,
}

/// What became of a delivery, and what may be said of it in a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// What the sender is told.
    pub disposition: Disposition,
    /// Whose it is, as far as that was found out.
    pub identity: Option<Identity>,
}

/// The receiver's use case with what it needs of the world.
pub struct Receiver<C, Q, D, S, K> {
    /// The ledger.
    pub claims: C,
    /// The events queue.
    pub queue: Q,
    /// The dead-letter queue.
    pub dead_letters: D,
    /// The webhook's secret.
    pub gatekeeper: Gatekeeper<S, K>,
    /// The time.
    pub clock: K,
    /// How long an event id is remembered.
    pub event_ttl: Duration,
    /// What is counted.
    pub metrics: Metrics,
}

impl<C: Claims, Q: EventsQueue, D: DeadLetterQueue, S: SecretStore, K: Clock + Clone> Receiver<C, Q, D, S, K> {
    /// Takes in a delivery, within [`ANSWER_WITHIN`] whatever hangs.
    pub async fn receive(&self, delivery: Delivery) -> Receipt {
        let mut identity = None;
        let disposition =
            tokio::time::timeout(ANSWER_WITHIN, self.take_in(delivery, &mut identity)).await.unwrap_or(Disposition::Unavailable);
        Receipt { disposition, identity }
    }

    async fn take_in(&self, delivery: Delivery, identity: &mut Option<Identity>) -> Disposition {
        match self.gatekeeper.judge(&delivery.headers).await {
            Sender::Known => {}
            Sender::Stranger => return Disposition::Stranger,
            Sender::Held => return Disposition::Held,
            Sender::Undecided => return Disposition::Unavailable,
        }
        if delivery.body.is_empty() {
            return Disposition::Empty;
        }
        let now_ms = self.clock.now_ms();
        let Ok(event) = Event::parse(&delivery.body) else {
            let letter = DeadLetter {
                body: Encoded::of(&delivery.body),
                identity: None,
                received_at_ms: now_ms,
                reason: Reason::NotJson,
                detail: "The body is not a JSON object.".to_owned(),
            };
            return self.bury(letter, &delivery.body, Disposition::NotJson).await;
        };
        let told = identity.insert(Identity::of(&event, now_ms));
        let body = Encoded::of(&delivery.body);
        if delivery.body.len() > MAX_BODY_BYTES || !body.fits() {
            return self.bury_oversized(&delivery.body, Some(told.clone()), now_ms).await;
        }
        match self.claim_and_send(told, &body, delivery.trace, now_ms).await {
            Ok(disposition) => disposition,
            Err(PortError::Unavailable { call, cause }) => {
                tracing::warn!(call, cause, "call failed");
                Disposition::Unavailable
            }
            Err(invalid @ PortError::Invalid { .. }) => {
                let letter = DeadLetter {
                    body,
                    identity: Some(told.clone()),
                    received_at_ms: now_ms,
                    reason: Reason::Unstorable,
                    detail: invalid.to_string(),
                };
                self.bury(letter, &delivery.body, Disposition::Unstorable).await
            }
        }
    }

    async fn claim_and_send(
        &self,
        identity: &mut Identity,
        body: &Encoded,
        trace: Option<TraceHeader>,
        now_ms: i64,
    ) -> Result<Disposition, PortError> {
        let claim_id = uuid::Uuid::new_v4().simple().to_string();
        let ttl_s = i64::try_from(self.event_ttl.as_secs()).unwrap_or(i64::MAX);
        for _ in 0..MAX_KEYS {
            let claim = Claim {
                identity: identity.clone(),
                claim_id: claim_id.clone(),
                now_ms,
                expires_at_s: (now_ms / 1000).saturating_add(ttl_s),
            };
            let refusal = match self.claims.claim(&claim).await? {
                Claimed::Yes => Refusal::OwnClaim,
                Claimed::No(row) => judge_refusal(&claim, &row),
            };
            match refusal {
                Refusal::OwnClaim => {
                    self.queue.send(&Message { body: body.clone(), identity: claim.identity, trace }).await?;
                    return Ok(Disposition::Accepted { key: identity.key.clone() });
                }
                Refusal::AnotherEvent => {
                    *identity = identity.clone().beside_another_event();
                    self.metrics.count(Metric::IdCollisions);
                    tracing::warn!(event_id = identity.key, outcome = "id_collision", "another event bears this id");
                }
                Refusal::Duplicate => {
                    return Ok(Disposition::Duplicate { key: identity.key.clone() });
                }
                Refusal::Leased { remaining_ms } => return Ok(Disposition::InProgress { remaining_ms }),
            }
        }
        Err(PortError::Unavailable { call: "ledger", cause: "each key is another event's".to_owned() })
    }

    /// Final answers wait until the bytes are safe.
    async fn bury(&self, letter: DeadLetter, body: &[u8], disposition: Disposition) -> Disposition {
        if !letter.body.fits() {
            return self.bury_oversized(body, letter.identity, letter.received_at_ms).await;
        }
        self.send_to_dead_letters(letter, disposition).await
    }

    async fn bury_oversized(&self, body: &[u8], identity: Option<Identity>, received_at_ms: i64) -> Disposition {
        let head = body.get(..KEPT_OF_OVERSIZED_BYTES).unwrap_or(body);
        let letter = DeadLetter {
            body: Encoded::of(head),
            identity,
            received_at_ms,
            reason: Reason::TooLarge,
            detail: format!("sha256={} bytes={}", hex(Sha256::digest(body).iter()), body.len()),
        };
        self.send_to_dead_letters(letter, Disposition::TooLarge).await
    }

    async fn send_to_dead_letters(&self, letter: DeadLetter, disposition: Disposition) -> Disposition {
        let mut sent = self.dead_letters.send(&letter).await;
        if matches!(sent, Err(PortError::Invalid { .. })) && letter.identity.is_some() {
            // What the event says of itself may be what is invalid; its bytes are what must be kept.
            sent = self.dead_letters.send(&DeadLetter { identity: None, ..letter }).await;
        }
        match sent {
            Ok(()) => disposition,
            Err(error) => {
                tracing::error!(error = %error, "the dead-letter queue does not take a message");
                Disposition::Unavailable
            }
        }
    }
}
