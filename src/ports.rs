//! What the two use cases need of the world, one narrow trait a capability. The adapters are in [`crate::aws`] and
//! [`crate::capillary`]; the doubles stand beside the tests.

use std::{fmt, future::Future};

use crate::{
    entity::{EntityRef, FetchFailure, Fetched},
    ledger::{Claim, Identity, Row},
    message::{DeadLetter, Message, Reason, TraceHeader},
    snapshot::{Key, Snapshot},
    told::Told,
    untold::Untold,
};

/// Why a call did not do what it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PortError {
    /// Failing, slow or throttled: it may work later. It may also have worked, with the answer lost.
    #[error("{call} is unavailable: {cause}")]
    Unavailable {
        /// Which call (`DynamoDB.PutItem`).
        call: &'static str,
        /// An error code; never a message, since messages repeat what was sent.
        cause: String,
    },
    /// The service calls the request itself invalid: no retry can heal it.
    #[error("{call} calls the request invalid: {cause}")]
    Invalid {
        /// Which call.
        call: &'static str,
        /// An error code.
        cause: String,
    },
}

/// What became of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    /// The row is ours, new or taken over.
    Yes,
    /// This row stood in the way.
    No(Row),
}

/// The receiver's side of the ledger.
pub trait Claims: Send + Sync {
    /// Claims an event (W1): one conditional put, which also takes over a claim whose lease ran out and replaces a row past its expiry.
    fn claim(&self, claim: &Claim) -> impl Future<Output = Result<Claimed, PortError>> + Send;
}

/// The receiver's side of the events queue.
pub trait EventsQueue: Send + Sync {
    /// Enqueues an event (W2).
    fn send(&self, message: &Message) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// Where goes what can't be processed.
pub trait DeadLetterQueue: Send + Sync {
    /// Keeps it, with the reason (D1).
    fn send(&self, letter: &DeadLetter) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// A secret, by whatever name the adapter knows.
pub trait SecretStore: Send + Sync {
    /// Its present text.
    fn read(&self) -> impl Future<Output = Result<String, PortError>> + Send;
}

/// The wall clock.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970.
    fn now_ms(&self) -> i64;
}

/// What became of a conditional write of the enricher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It is in the table.
    Yes,
    /// A twin was first, or the row is past it.
    Refused,
}

/// What is known of events and entities.
#[derive(Debug, Default)]
pub struct Known {
    /// Ledger rows by their keys; keys without a row are left out.
    pub rows: Vec<(String, Row)>,
    /// Snapshots; entities without one are left out.
    pub snapshots: Vec<(Key, Snapshot)>,
}

/// A snapshot that takes the place of the one that was read.
#[derive(Debug, Clone)]
pub struct Move {
    /// Whose.
    pub key: Key,
    /// The version that was read; none where there was no snapshot.
    pub read_version: Option<i64>,
    /// What is remembered from now on.
    pub next: Snapshot,
    /// Until when, in seconds since 1970.
    pub expires_at_s: i64,
}

/// What the row of a published event says from then on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublishedMark<'a> {
    /// Now, in milliseconds since 1970.
    pub now_ms: i64,
    /// Until when the row is kept, in seconds since 1970.
    pub expires_at_s: i64,
    /// What was told, for people who ask what became of the event; nothing of a person is in it.
    pub summary: &'a str,
}

/// When the row of an event that failed was marked, and until when it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailedKept {
    /// Now, in milliseconds since 1970.
    pub now_ms: i64,
    // The others are seconds since 1970.
    /// Where it stores what is still to be published: personal data, but needed as long as the dead letter can come back.
    pub stored_until_s: i64,
    /// Where it stores nothing.
    pub unstored_until_s: i64,
}

/// How far a customer is forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forgotten {
    /// All that was found.
    All,
    /// There is more.
    InPart,
}

/// What the enricher writes before it publishes. The detail does not print.
pub struct Commit<'a> {
    /// The event.
    pub identity: &'a Identity,
    /// The whole outgoing event (X1).
    pub detail: &'a str,
    /// The snapshots that move with it (X2); distinct.
    pub moves: &'a [Move],
    /// Now, in milliseconds since 1970.
    pub now_ms: i64,
}

impl fmt::Debug for Commit<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Commit")
            .field("identity", &self.identity)
            .field("detail", &Untold::text(self.detail))
            .field("moves", &self.moves)
            .field("now_ms", &self.now_ms)
            .finish()
    }
}

/// The enricher's side of the ledger, and the snapshots, which move with it.
pub trait Ledger: Send + Sync {
    /// What is known under these distinct keys, read consistently.
    fn look(&self, events: &[String], entities: &[Key]) -> impl Future<Output = Result<Known, PortError>> + Send;

    /// Stores the outgoing event and moves the snapshots, all or nothing. Refused: a twin was first, or a snapshot is not as it was
    /// read; look again.
    fn commit(&self, commit: &Commit<'_>) -> impl Future<Output = Result<Written, PortError>> + Send;

    /// The bus took what the row stores (P2).
    fn published(&self, key: &str, mark: &PublishedMark<'_>) -> impl Future<Output = Result<Written, PortError>> + Send;

    /// The bus took an event that needs no storing, since its content follows from the message alone (P2).
    fn published_unstored(
        &self,
        identity: &Identity,
        now_s: i64,
        expires_at_s: i64,
    ) -> impl Future<Output = Result<Written, PortError>> + Send;

    /// The event is not to be published at all (P2, with the reason `ignored`): as with one that is published, nothing follows.
    fn ignored(
        &self,
        identity: &Identity,
        now_s: i64,
        expires_at_s: i64,
    ) -> impl Future<Output = Result<Written, PortError>> + Send;

    /// The event is in the dead-letter queue (D2); what is stored stays stored.
    fn failed(
        &self,
        identity: &Identity,
        reason: Reason,
        kept: &FailedKept,
    ) -> impl Future<Output = Result<Written, PortError>> + Send;

    /// Forgets what is remembered of all that is a customer's, but not the customer: at most so much that a batch has time for it.
    fn forget(&self, customer: &Key) -> impl Future<Output = Result<Forgotten, PortError>> + Send;

    /// Counts a failure of the event's own; the count so far, or none where there is no row to count on.
    fn count_attempt(&self, key: &str) -> impl Future<Output = Result<Option<u32>, PortError>> + Send;
}

/// One event for the bus. The detail does not print.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// The event's name, for rules to match.
    pub detail_type: String,
    /// The CloudEvent as JSON text.
    pub detail: String,
    /// The trace that it belongs to.
    pub trace: Option<TraceHeader>,
}

impl fmt::Debug for Entry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let detail = Untold::text(&self.detail);
        formatter.debug_struct("Entry").field("detail_type", &self.detail_type).field("detail", &detail).finish_non_exhaustive()
    }
}

/// The bus.
pub trait Bus: Send + Sync {
    /// The most entries that one call takes.
    const MAX_ENTRIES: usize = 10;

    /// Publishes entries (P1), in as few calls as their sizes allow: an answer each, in their order.
    fn publish(&self, entries: &[Entry]) -> impl Future<Output = Vec<Result<(), PortError>>> + Send;
}

/// The enricher's side of the events queue.
pub trait Redelivery: Send + Sync {
    /// Makes messages visible again after so many seconds, each by its receipt handle. A failure costs time, nothing else.
    fn delay(&self, messages: &[(String, u32)]) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// Capillary's APIs.
pub trait Entities: Send + Sync {
    /// The present states of entities of an org and of one kind, no more than one call brings ([`crate::entity::Kind::per_call`]): an answer
    /// each, in their order.
    fn fetch(
        &self,
        org_id: Option<i64>,
        entities: &[EntityRef],
    ) -> impl Future<Output = Vec<Result<Fetched, FetchFailure>>> + Send;

    /// What the audit log tells of the API call that changed an entity at about this time (milliseconds since 1970). Nothing where
    /// there is no audit log for it, or the credentials don't reach it.
    fn audits(
        &self,
        org_id: Option<i64>,
        entity: &EntityRef,
        request_id: &str,
        at_ms: i64,
    ) -> impl Future<Output = Result<Vec<Told>, FetchFailure>> + Send;
}

/// All that an enricher needs, by type.
pub trait Parts {
    /// The ledger.
    type Ledger: Ledger;
    /// The bus.
    type Bus: Bus;
    /// The dead-letter queue.
    type DeadLetters: DeadLetterQueue;
    /// The events queue, to put messages back.
    type Redelivery: Redelivery;
    /// Capillary.
    type Entities: Entities;
    /// The secret with the key of pseudonyms.
    type Secrets: SecretStore;
    /// The time.
    type Clock: Clock;
}
