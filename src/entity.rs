//! The entities behind an event, and what a call for one may come to.

use std::{fmt, sync::Arc};

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

    /// Whether it has states, of which the last one is remembered.
    pub const fn has_states(self) -> bool {
        !matches!(self, Self::PointsLedger)
    }

    /// The most that one call can be asked for. Ten is the ledger's documented limit (facts 4.8), within one owner's points; for coupons
    /// none is documented, and twenty is what one event brings.
    pub const fn per_call(self) -> usize {
        match self {
            Self::Coupon => 20,
            Self::PointsLedger => 10,
            Self::Customer | Self::Transaction | Self::Card | Self::Group => 1,
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
#[derive(Clone, PartialEq, Eq)]
pub struct EntityRef {
    /// What it is.
    pub kind: Kind,
    /// Its id in digits. Only of a card that nobody has asked for yet it is the number.
    pub id: String,
    /// What a call for it needs besides.
    pub by: By,
}

/// What a call for an entity needs beside its id.
#[derive(Clone, PartialEq, Eq)]
pub enum By {
    /// Nothing.
    Id,
    /// Of a transaction: the types to try, likeliest first.
    Types(Vec<TransactionType>),
    /// Of a card: its number, by which alone it is found.
    Number(String),
    /// Of a card that nobody has asked for yet: the same, but it also stands for the id.
    NumberOnly(String),
    /// Of a coupon: its code, since answers need not bear the id, and the customer whose it is, since they need not say so.
    Code {
        /// The code.
        code: Option<String>,
        /// The customer's id.
        customer_id: Option<String>,
    },
    /// Of an entry in the points ledger: the customer or group whose points they are.
    Owner(Kind, String),
}

/// Without numbers and codes: they are somebody's, and worth something.
impl fmt::Debug for By {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id => formatter.write_str("Id"),
            Self::Types(types) => write!(formatter, "Types({types:?})"),
            Self::Number(_) | Self::NumberOnly(_) => formatter.write_str("Number"),
            Self::Code { .. } => formatter.write_str("Code"),
            Self::Owner(kind, id) => write!(formatter, "Owner({}/{id})", kind.as_str()),
        }
    }
}

/// Without what stands for an id that is not known.
impl fmt::Debug for EntityRef {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{} {:?}", self.kind.as_str(), if self.is_identified() { &self.id } else { "?" }, self.by)
    }
}

impl EntityRef {
    /// `customer/728942858`.
    pub fn subject(&self) -> String {
        format!("{}/{}", self.kind.as_str(), self.id)
    }

    /// Whether its id is known: not of a card of which there is only the number.
    pub fn is_identified(&self) -> bool {
        !matches!(self.by, By::NumberOnly(_))
    }

    /// Takes up what another event knows of the same entity: types that this one would not try.
    pub fn learn(&mut self, other: Self) {
        if let (By::Types(types), By::Types(others)) = (&mut self.by, other.by) {
            types.extend(others.into_iter().filter(|other| !types.contains(other)).collect::<Vec<_>>());
        }
    }
}

/// The final outcome of a call for an entity. It does not print: its body is somebody's data.
#[derive(Clone)]
pub struct Fetched {
    /// What there is, in the words of the output.
    pub status: Status,
    /// The id in the answer, where it is another than the one asked for: that of the customer into whom the one asked for was merged,
    /// or that of a card asked for by its number.
    pub answered_id: Option<String>,
    /// The entity as answered, where it was found.
    pub body: Option<Arc<RawValue>>,
    /// When the call for it began, in milliseconds since 1970: by the same clock as [`fetched_at_ms`](Self::fetched_at_ms), and all
    /// processes must go by one clock here, since by these times it is judged which of two answers is older.
    pub began_at_ms: i64,
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

impl FetchFailure {
    /// Trouble of the API as a whole.
    pub(crate) fn of_api(cause: &str) -> Self {
        Self { scope: Scope::Api, retry_after_s: None, cause: cause.to_owned() }
    }

    /// Trouble of one org's calls.
    pub(crate) fn of_org(cause: &str) -> Self {
        Self { scope: Scope::Org, retry_after_s: None, cause: cause.to_owned() }
    }
}

/// How far a failure reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// This entity is in trouble; others need not be.
    Entity,
    /// Capillary has not got this entity together yet, and may never.
    NotReady,
    /// The credentials of this org: no use to ask for others of its entities.
    Org,
    /// The API as a whole: no use to ask it for anything.
    Api,
}
