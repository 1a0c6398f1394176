//! The table of writes: under which condition each write to the ledger is allowed. Every clause is there because without it an
//! event is lost, published twice with different content, or refused for ever.
//!
//! | | Write | Condition |
//! | --- | --- | --- |
//! | W1 | the receiver claims | [`CLAIM`] |
//! | X1 | the enricher stores what it will publish | [`STORE`] |
//! | X2 | in the same transaction, each snapshot that moves | [`may_move`](crate::snapshot::may_move) |
//! | P2 | the enricher marks what it published | [`MARK_PUBLISHED`], [`MARK_PUBLISHED_UNSTORED`] |
//! | D2 | it marks what it dead-lettered | [`MARK_FAILED_STORED`], [`MARK_FAILED_UNSTORED`] |
//!
//! Where a customer was deleted, X1 comes after all snapshots that are hers are deleted
//! ([`Ledger::forget`](crate::ports::Ledger::forget)): without a condition, since an event that had read one of them is refused by X2, and
//! begins anew.

use super::{Row, Status};

/// One thing that a condition asks of the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clause {
    /// There is none.
    NoRow,
    /// Its time is over, though it may still be there.
    Expired,
    /// It is in one of these states.
    StatusIn(&'static [Status]),
    /// Nobody may be at work on the claim any more.
    LeaseOver,
    /// It is the same event's.
    SameEvent,
    /// It is not known to be another event's.
    NotAnothers,
    /// It stores what is to be published.
    Stored,
    /// It stores nothing.
    NothingStored,
}

/// A condition: any of these, each of which asks all of that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Condition<'a>(pub &'a [&'a [Clause]]);

/// W1: the row is new, or forgotten, or a claim of the same event whose lease ran out.
pub const CLAIM: Condition<'_> = Condition(&[
    &[Clause::NoRow],
    &[Clause::Expired],
    &[Clause::StatusIn(&[Status::Received]), Clause::LeaseOver, Clause::SameEvent],
]);
/// X1: nothing is published or stored yet.
pub const STORE: Condition<'_> = Condition(&[
    &[Clause::NoRow],
    &[Clause::Expired],
    &[Clause::StatusIn(&[Status::Received, Status::Failed]), Clause::NothingStored, Clause::NotAnothers],
]);
/// P2, where what is stored was published.
pub const MARK_PUBLISHED: Condition<'_> = Condition(&[&[Clause::Stored]]);
/// P2, where what was published follows from the message alone and nothing is stored.
pub const MARK_PUBLISHED_UNSTORED: Condition<'_> =
    Condition(&[&[Clause::NoRow], &[Clause::StatusIn(&[Status::Received, Status::Failed])]]);
/// D2, where something is stored: it stays as long as its message can come back ([`FAILED_STORED_TTL_S`](super::FAILED_STORED_TTL_S)).
pub const MARK_FAILED_STORED: Condition<'_> = Condition(&[&[Clause::Stored]]);
/// D2, where nothing is.
pub const MARK_FAILED_UNSTORED: Condition<'_> = Condition(&[
    &[Clause::NoRow],
    &[Clause::StatusIn(&[Status::Received, Status::Failed]), Clause::NothingStored, Clause::NotAnothers],
]);

/// What a condition compares a row with.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    /// Now, in milliseconds since 1970.
    pub now_ms: i64,
    /// Which event it is about.
    pub fingerprint: &'a str,
}

impl Condition<'_> {
    /// Whether a write is allowed over this row, by the rules of DynamoDB: what is not there compares with nothing.
    pub fn holds(self, row: Option<&Row>, attempt: Attempt<'_>) -> bool {
        self.0.iter().any(|clauses| clauses.iter().all(|clause| clause.holds(row, attempt)))
    }
}

impl Clause {
    /// Whether a row meets this clause.
    pub fn holds(self, row: Option<&Row>, attempt: Attempt<'_>) -> bool {
        let Some(row) = row else {
            return matches!(self, Self::NoRow | Self::NothingStored | Self::NotAnothers);
        };
        match self {
            Self::NoRow => false,
            Self::Expired => row.expires_at_s.is_some_and(|expiry| expiry <= attempt.now_ms / 1000),
            Self::StatusIn(statuses) => row.status.is_some_and(|status| statuses.contains(&status)),
            Self::LeaseOver => row.lease_until_ms.is_some_and(|lease| lease <= attempt.now_ms),
            Self::NotAnothers => row.fingerprint.as_deref().is_none_or(|fingerprint| fingerprint == attempt.fingerprint),
            Self::SameEvent => row.fingerprint.as_deref() == Some(attempt.fingerprint),
            Self::Stored => row.detail.is_some(),
            Self::NothingStored => row.detail.is_none(),
        }
    }
}
