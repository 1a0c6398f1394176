//! The entities behind an event, and what a call for one may come to.

use std::sync::Arc;

use serde_json::value::RawValue;

/// What kind of entity it is; the name is part of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A member of a loyalty programme, or a shopper who is none.
    Customer,
    /// A bill or a return.
    Transaction,
    /// A loyalty card, which leads to its customer.
    Card,
    /// A group of customers who share points.
    Group,
    /// A coupon.
    Coupon,
    /// What an event did to points, as the ledger has it. It never changes.
    PointsLedger,
}

impl Kind {
    /// As it stands in `entities[].type` and before the `/` of a subject.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Transaction => "transaction",
            Self::Card => "card",
            Self::Group => "group",
            Self::Coupon => "coupon",
            Self::PointsLedger => "pointsLedger",
        }
    }
}

/// The `type` parameter of a transaction call; the wrong one finds nothing (facts 4.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TransactionType {
    /// A bill of a member.
    Regular,
    /// A return.
    Return,
    /// A bill of somebody who is not in the programme.
    NotInterested,
    /// A return of such a bill.
    NotInterestedReturn,
}

impl TransactionType {
    /// The parameter's value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Regular => "REGULAR",
            Self::Return => "RETURN",
            Self::NotInterested => "NOT_INTERESTED",
            Self::NotInterestedReturn => "NOT_INTERESTED_RETURN",
        }
    }
}

/// An entity to fetch.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntityRef {
    /// What it is.
    pub kind: Kind,
    /// Its id, in digits.
    pub id: String,
    /// For a transaction: the types to try, likeliest first. Empty otherwise.
    pub types: &'static [TransactionType],
}

impl EntityRef {
    /// `customer/728942858`.
    pub fn subject(&self) -> String {
        format!("{}/{}", self.kind.as_str(), self.id)
    }
}

/// The final outcome of a call for an entity. It does not print: its body is somebody's data.
#[derive(Clone)]
pub struct Fetched {
    /// What there is, in the words of the output.
    pub status: Status,
    /// The id in the answer, where it is another than the one asked for: the survivor of a merge.
    pub survivor_id: Option<String>,
    /// The entity as answered, where it was found.
    pub body: Option<Arc<RawValue>>,
    /// When the answer came, in milliseconds since 1970.
    pub fetched_at_ms: i64,
}

/// `entities[].status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// With its body.
    Found,
    /// Capillary knows no such entity.
    NotFound,
    /// Deleted on a person's request.
    Deleted,
    /// Merged into another one.
    Merged,
    /// The credentials do not reach it.
    Forbidden,
    /// More entities than one event may bring.
    Skipped,
}

impl Status {
    /// As it stands in the output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::NotFound => "not_found",
            Self::Deleted => "deleted",
            Self::Merged => "merged",
            Self::Forbidden => "forbidden",
            Self::Skipped => "skipped",
        }
    }
}

/// A call came to nothing for now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchFailure {
    /// Whether it says something of the API or only of this entity.
    pub scope: Scope,
    /// What Capillary asked to wait, in seconds.
    pub retry_after_s: Option<u32>,
    /// What it was, in a word or a code.
    pub cause: String,
}

/// How far a failure reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// This entity is busy or not ready; others may be.
    Entity,
    /// The API as a whole is in trouble: no use to ask it for others.
    Api,
}
