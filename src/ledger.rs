//! The ledger's states, and what a state means for whoever finds it. Pure: no AWS, no clock of its own.
//!
//! | Status | Means | Set by |
//! | --- | --- | --- |
//! | `RECEIVED` | claimed; perhaps not yet enqueued | receiver only |
//! | `ENRICHED` | the whole outgoing event is stored in `detail`; perhaps not yet published | enricher |
//! | `PUBLISHED` | the bus took it; `detail` is removed | enricher |
//! | `FAILED` | in the dead-letter queue, with the reason | enricher |

pub mod writes;

use std::fmt;

use crate::{
    event::{Event, Fingerprint, MAX_ID_CHARS, is_printable},
    untold::Untold,
};

/// How long a claim keeps others from enqueuing the same event. Longer than the receiver may take to answer, so that who takes
/// a claim over knows that the first one is no longer at work.
pub const LEASE_MS: i64 = 15_000;
/// A row that ends sooner does not count as a claim for the enricher, in seconds (1 h): it may end while somebody is at work.
const OUTLIVES_S: i64 = 60 * 60;
/// How long the row of a failed event keeps what is still to be published, in seconds (35 days): as long as its message can exist, which is
/// 14 days in the dead-letter queue, 14 more in the events queue after a redrive, and a week.
pub const FAILED_STORED_TTL_S: i64 = 35 * 24 * 60 * 60;
/// Text that only helps people find a row is left out where it is longer, so that a row stays under 1 KB: one write unit.
const MAX_TEXT_BYTES: usize = 128;

/// The longest key: the longest id, with a fingerprint behind it.
const MAX_KEY_CHARS: usize = MAX_ID_CHARS + 1 + 16;

/// Whether a text can be a key: printable ASCII characters, as an id has them. Another one, which only a message that was written by hand
/// can have, would be no id for consumers, or make DynamoDB refuse the whole batch.
pub fn is_key(text: &str) -> bool {
    is_printable(text, MAX_KEY_CHARS)
}

/// Where an event stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// Claimed; perhaps not yet enqueued.
    Received,
    /// What will be published is stored.
    Enriched,
    /// On the bus.
    Published,
    /// In the dead-letter queue.
    Failed,
}

impl Status {
    /// As it stands in the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Received => "RECEIVED",
            Self::Enriched => "ENRICHED",
            Self::Published => "PUBLISHED",
            Self::Failed => "FAILED",
        }
    }

    /// From what stands in the table.
    pub fn from_text(text: &str) -> Option<Self> {
        [Self::Received, Self::Enriched, Self::Published, Self::Failed].into_iter().find(|status| status.as_str() == text)
    }
}

/// What a row tells of the event itself, as far as the event tells it and it fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The row's key: the event's id, with `~<fingerprint>` behind it for the second of two events that bear one id.
    pub key: String,
    /// Tells those two apart.
    pub fingerprint: Fingerprint,
    /// `eventName`.
    pub event_name: Option<String>,
    /// `orgId`.
    pub org_id: Option<i64>,
    /// `apiRequestId`.
    pub request_id: Option<String>,
    /// `refId`.
    pub ref_id: Option<String>,
    /// When it was received, in milliseconds since 1970.
    pub received_at_ms: i64,
}

impl Identity {
    /// The identity of an event under its own id.
    pub fn of(event: &Event<'_>, received_at_ms: i64) -> Self {
        let short = |text: Option<String>| text.filter(|text| text.len() <= MAX_TEXT_BYTES);
        Self {
            key: event.id(),
            fingerprint: event.fingerprint(),
            event_name: short(event.name()),
            org_id: event.org_id(),
            request_id: short(event.request_id()),
            ref_id: short(event.ref_id()),
            received_at_ms,
        }
    }

    /// The same under the key for an id that another event already bears.
    #[must_use]
    pub fn beside_another_event(mut self) -> Self {
        self.key = format!("{}~{}", self.key, self.fingerprint.as_str());
        self
    }
}

/// A receiver's claim to enqueue an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Whose row it is.
    pub identity: Identity,
    /// Unique to this delivery: tells a claim of ours that the SDK sent twice from somebody else's.
    pub claim_id: String,
    /// Now, in milliseconds since 1970.
    pub now_ms: i64,
    /// When the row may be forgotten, in seconds since 1970.
    pub expires_at_s: i64,
}

impl Claim {
    /// When others may take the claim over, in milliseconds since 1970.
    pub const fn lease_until_ms(&self) -> i64 {
        self.now_ms + LEASE_MS
    }
}

/// A row as found. The detail does not print.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Row {
    /// Where the event stands; none for a word that this version does not know.
    pub status: Option<Status>,
    /// Which event it is about.
    pub fingerprint: Option<String>,
    /// Who claimed it.
    pub claim_id: Option<String>,
    /// When the claim may be taken over, in milliseconds since 1970.
    pub lease_until_ms: Option<i64>,
    /// When the row may be forgotten, in seconds since 1970.
    pub expires_at_s: Option<i64>,
    /// The outgoing event, as JSON text.
    pub detail: Option<String>,
}

impl fmt::Debug for Row {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Row")
            .field("status", &self.status)
            .field("fingerprint", &self.fingerprint)
            .field("claim_id", &self.claim_id)
            .field("lease_until_ms", &self.lease_until_ms)
            .field("expires_at_s", &self.expires_at_s)
            .field("detail", &self.detail.as_deref().map(Untold::text))
            .finish()
    }
}

/// What a refused claim means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Our own claim: its first sending had arrived after all. Go on and enqueue.
    OwnClaim,
    /// The id is borne by another event. Claim under the second key.
    AnotherEvent,
    /// Already handed over.
    Duplicate,
    /// Somebody is at it, or died at it: wait for the lease.
    Leased {
        /// What is left of the lease, in milliseconds.
        remaining_ms: i64,
    },
}

/// Judges a claim that the ledger refused by the row that stood in its way. The order counts: a claim of our own is ours
/// whatever else the row says, and another event's row says nothing of this one.
pub fn judge_refusal(claim: &Claim, row: &Row) -> Refusal {
    if row.claim_id.as_deref() == Some(claim.claim_id.as_str()) {
        return Refusal::OwnClaim;
    }
    if row.fingerprint.as_deref().is_some_and(|fingerprint| fingerprint != claim.identity.fingerprint.as_str()) {
        return Refusal::AnotherEvent;
    }
    if row.status != Some(Status::Received) {
        return Refusal::Duplicate;
    }
    Refusal::Leased { remaining_ms: (row.lease_until_ms.unwrap_or_default() - claim.now_ms).max(0) }
}

/// What the enricher does with an event whose row it has read. The detail does not print.
#[derive(Clone, PartialEq, Eq)]
pub enum Step {
    /// Nothing is left to do.
    Done,
    /// What is stored goes out, to the letter.
    Publish(String),
    /// Nothing is stored: fetch, and work out what to publish.
    WorkOut {
        /// Whether the ledger has a row of this very event, so that no other event can take its key meanwhile.
        is_claimed: bool,
    },
    /// The row is another event's: look under the second key.
    AnotherEvent,
}

impl fmt::Debug for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => formatter.write_str("Done"),
            Self::Publish(detail) => write!(formatter, "Publish{:?}", Untold::text(detail)),
            Self::WorkOut { is_claimed } => formatter.debug_struct("WorkOut").field("is_claimed", is_claimed).finish(),
            Self::AnotherEvent => formatter.write_str("AnotherEvent"),
        }
    }
}

/// Decides what an event needs. `None`: no row; one past its expiry counts as none, though it may still be there.
pub fn next_step(row: Option<Row>, fingerprint: &Fingerprint, now_s: i64) -> Step {
    let Some(row) = row.filter(|row| row.expires_at_s.is_none_or(|expiry| expiry > now_s)) else {
        return Step::WorkOut { is_claimed: false };
    };
    if row.fingerprint.as_deref().is_some_and(|known| known != fingerprint.as_str()) {
        return Step::AnotherEvent;
    }
    match (row.status, row.detail) {
        (Some(Status::Published), _) => Step::Done,
        (_, Some(detail)) => Step::Publish(detail),
        (_, None) => {
            let outlives_the_work = row.expires_at_s.is_none_or(|expiry| expiry > now_s.saturating_add(OUTLIVES_S));
            Step::WorkOut { is_claimed: row.fingerprint.is_some() && outlives_the_work }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim() -> Claim {
        let event = Event::parse(br#"{"eventId":"e1","eventName":"x","orgId":1}"#).unwrap();
        Claim { identity: Identity::of(&event, 1_000), claim_id: "mine".into(), now_ms: 1_000, expires_at_s: 100 }
    }

    fn row(status: Status) -> Row {
        Row {
            status: Some(status),
            fingerprint: Some(claim().identity.fingerprint.as_str().into()),
            claim_id: Some("theirs".into()),
            lease_until_ms: Some(3_500),
            ..Row::default()
        }
    }

    #[test]
    fn a_claim_of_our_own_is_ours_whatever_else_the_row_says() {
        let ours = Row { claim_id: Some("mine".into()), fingerprint: Some("other".into()), ..row(Status::Published) };
        assert_eq!(judge_refusal(&claim(), &ours), Refusal::OwnClaim);
    }

    #[test]
    fn another_event_under_the_same_id_is_seen_before_its_state() {
        for status in [Status::Received, Status::Published] {
            let theirs = Row { fingerprint: Some("other".into()), ..row(status) };
            assert_eq!(judge_refusal(&claim(), &theirs), Refusal::AnotherEvent);
        }
    }

    #[test]
    fn whatever_is_past_received_was_handed_over() {
        for status in [Status::Enriched, Status::Published, Status::Failed] {
            assert_eq!(judge_refusal(&claim(), &row(status)), Refusal::Duplicate);
        }
    }

    #[test]
    fn a_received_row_waits_for_its_lease_and_never_for_ever() {
        assert_eq!(judge_refusal(&claim(), &row(Status::Received)), Refusal::Leased { remaining_ms: 2_500 });
        let without_lease = Row { lease_until_ms: None, ..row(Status::Received) };
        assert_eq!(judge_refusal(&claim(), &without_lease), Refusal::Leased { remaining_ms: 0 });
    }

    #[test]
    fn the_enricher_publishes_what_is_stored_and_else_works_it_out() {
        let fingerprint = claim().identity.fingerprint;
        let step = |row: Option<Row>| next_step(row, &fingerprint, 50);
        let stored = |status| Row { detail: Some("{}".into()), ..row(status) };
        assert_eq!(step(None), Step::WorkOut { is_claimed: false });
        assert_eq!(step(Some(row(Status::Received))), Step::WorkOut { is_claimed: true });
        assert_eq!(step(Some(row(Status::Failed))), Step::WorkOut { is_claimed: true });
        assert_eq!(step(Some(Row { status: Some(Status::Received), ..Row::default() })), Step::WorkOut { is_claimed: false });
        let ending = |expiry| Row { expires_at_s: Some(expiry), ..row(Status::Received) };
        assert_eq!(step(Some(ending(50 + OUTLIVES_S))), Step::WorkOut { is_claimed: false });
        assert_eq!(step(Some(ending(51 + OUTLIVES_S))), Step::WorkOut { is_claimed: true });
        assert_eq!(step(Some(row(Status::Published))), Step::Done);
        assert_eq!(step(Some(stored(Status::Enriched))), Step::Publish("{}".into()));
        assert_eq!(step(Some(stored(Status::Failed))), Step::Publish("{}".into()));
        for forgotten in [row(Status::Published), stored(Status::Failed)] {
            assert_eq!(step(Some(Row { expires_at_s: Some(50), ..forgotten })), Step::WorkOut { is_claimed: false });
        }
        assert_eq!(step(Some(Row { expires_at_s: Some(51), ..stored(Status::Failed) })), Step::Publish("{}".into()));
        assert_eq!(step(Some(Row { fingerprint: Some("other".into()), ..row(Status::Published) })), Step::AnotherEvent);
    }

    #[test]
    fn every_id_can_be_a_key_and_so_can_the_second_key_of_the_longest() {
        let longest = format!(r#"{{"eventId":"{}"}}"#, "~".repeat(256));
        for body in [longest.as_str(), "{}", r#"{"eventId":" "}"#, r#"{"eventId":15}"#] {
            let identity = Identity::of(&Event::parse(body.as_bytes()).unwrap(), 0);
            assert!(is_key(&identity.key) && is_key(&identity.beside_another_event().key), "{body}");
        }
        for none in ["", "\n", "é", &"x".repeat(274)] {
            assert!(!is_key(none), "{none}");
        }
    }

    #[test]
    fn what_does_not_fit_a_row_is_left_out() {
        let long = "x".repeat(129);
        let body = format!(r#"{{"eventId":"e","eventName":"{}","apiRequestId":"{long}","refId":"{long}"}}"#, "é".repeat(100));
        let identity = Identity::of(&Event::parse(body.as_bytes()).unwrap(), 0);
        assert_eq!((identity.event_name, identity.request_id, identity.ref_id), (None, None, None));
    }
}
