//! What others tell of a change: the event itself, where it carries before and after (facts, section 2), or Capillary's audit log.
//! They name fields in words of their own; the modules here map those to places in an entity's body.
//!
//! What they tell names the origin of a difference, and tells changes at first sight, where there is nothing to compare with. It
//! never tells a change that the entity does not show: the event may be old, and others may have changed the same field since.

mod card;
mod elements;
mod events;
mod expiry;
mod places;
mod same;
mod subscriptions;
mod tiers;

use serde::Serialize;
use serde_json::Value;

pub use events::{asks_audits, by_event, says_deleted};
use same::same;

use crate::{
    change::{Change, Op, escaped},
    entity::Kind,
};

/// Who tells of a change; part of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// The event itself.
    Event,
    /// The audit log's rows of the API call that caused the event.
    Audit,
    /// Nobody: it is the difference to the last known state.
    Snapshot,
}

/// What kind of field it is, in the words of `fieldType` and of the audit log's `eventType` and `referenceType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// `StandardField`, "Standard Fields": a member of a profile, of the loyalty information, or of the customer.
    Standard,
    /// `CustomField`.
    Custom,
    /// `ExtendedField`.
    Extended,
    /// `Identifier`, "Identifiers", `CommChannel`: an element with this type.
    Identifier,
    /// `CustomerStatus`, `CardStatus`; the field is `status`, `label`, or a card's `reason`.
    Status,
    /// `SubscriptionStatus`; the field is the channel.
    Subscription,
    /// A customer's tier in a programme; the field is the member with its number or its name.
    Tier,
    /// The end of a customer's tier in a programme. What it was before is not told.
    TierExpiry,
    /// The expiry of some of a customer's points in a programme.
    PointsExpiry,
    /// Any other word: all places are looked at.
    Unknown,
}

impl FieldKind {
    /// From any of its names.
    pub fn of(name: &str) -> Self {
        let letters: String = name.chars().filter(char::is_ascii_alphabetic).map(|letter| letter.to_ascii_lowercase()).collect();
        match letters.trim_end_matches('s') {
            "standardfield" => Self::Standard,
            "customfield" | "cardcustomfield" => Self::Custom,
            "extendedfield" | "cardextendedfield" => Self::Extended,
            "identifier" | "commchannel" | "communicationchannel" => Self::Identifier,
            "customerstatu" | "cardstatu" => Self::Status,
            "subscriptionstatu" => Self::Subscription,
            _ => Self::Unknown,
        }
    }
}

/// A change as told.
#[derive(Clone)]
pub struct Told {
    /// What kind of entity it is told of.
    pub about: Kind,
    /// The field's name, in the teller's spelling.
    pub field: String,
    /// What kind of field it is.
    pub kind: FieldKind,
    /// The source of the profile that it belongs to (`INSTORE`), if told.
    pub source: Option<String>,
    /// The account of that source, if told.
    pub account_id: Option<String>,
    /// Of a field in an element of a list: members that tell this element from others (`programId`, `priority`). They count as far as
    /// elements have them.
    pub element: Vec<(&'static str, Value)>,
    /// The value before; none if there was none.
    pub previous: Option<Value>,
    /// The value after; none if there is none any more.
    pub current: Option<Value>,
    /// Who tells it.
    pub origin: Origin,
}

/// A value as told; "NA" and null stand for none (facts 4.7).
pub fn value_told(value: Option<Value>) -> Option<Value> {
    value.filter(|value| !value.is_null() && value.as_str() != Some("NA"))
}

/// The changes that are told of an entity of this kind and that its body shows, where it is seen for the first time.
pub fn shown(told: &[Told], kind: Kind, body: &Value) -> Vec<(Change, Origin)> {
    let mut found: Vec<(Change, Origin)> = Vec::new();
    for told in told.iter().filter(|told| told.about == kind) {
        for path in told.shown_at(body) {
            let Some(after) = body.pointer(&path) else { continue };
            if !found.iter().any(|(change, _)| change.path == path) {
                let op = if told.previous.is_some() { Op::Replace } else { Op::Add };
                let change = Change { op, path, before: told.previous.clone(), after: Some(after.clone()) };
                found.push((change, told.origin));
            }
        }
    }
    found
}

/// Who tells of a difference between two bodies of an entity of this kind; the first that does.
pub fn origin(change: &Change, told: &[Told], kind: Kind, before: &Value, after: &Value) -> Origin {
    teller(change, told, kind, before, after).unwrap_or(Origin::Snapshot)
}

/// A map that comes or goes as a whole, as the first extended field brings it, is told where each of its members is.
fn teller(change: &Change, told: &[Told], kind: Kind, before: &Value, after: &Value) -> Option<Origin> {
    let explains = |told: &&Told| told.about == kind && told.explains(change, before, after);
    told.iter().find(explains).map(|told| told.origin).or_else(|| {
        let tellers: Option<Vec<Origin>> =
            members(change).iter().map(|member| teller(member, told, kind, before, after)).collect();
        tellers?.first().copied()
    })
}

/// What comes or goes with an object, member by member; instead of it there may have been a null.
fn members(change: &Change) -> Vec<Change> {
    let (op, whole) = match (change.op, &change.before, &change.after) {
        (Op::Add, _, Some(Value::Object(whole))) | (Op::Replace, Some(Value::Null), Some(Value::Object(whole))) => {
            (Op::Add, whole)
        }
        (Op::Remove, Some(Value::Object(whole)), _) | (Op::Replace, Some(Value::Object(whole)), Some(Value::Null)) => {
            (Op::Remove, whole)
        }
        _ => return Vec::new(),
    };
    let member = |(name, value): (&String, &Value)| {
        let path = format!("{}/{}", change.path, escaped(name));
        let (before, after) = if op == Op::Add { (None, Some(value.clone())) } else { (Some(value.clone()), None) };
        Change { op, path, before, after }
    };
    whole.iter().map(member).collect()
}

impl Told {
    /// Whether there is a change in it: a status may be told as ACTIVE before and ACTIVE after, with another label.
    pub fn is_change(&self) -> bool {
        self.previous != self.current
    }

    /// The places in a body that show what is told, as JSON Pointers, where nothing is known of the state before.
    fn shown_at(&self, body: &Value) -> Vec<String> {
        match self.kind {
            FieldKind::Subscription => subscriptions::shown_at(self, body),
            FieldKind::Tier => tiers::shown_at(self, body),
            // What it was before is not told, so there is no change to tell.
            FieldKind::TierExpiry => Vec::new(),
            FieldKind::PointsExpiry => expiry::shown_at(self, body),
            _ => {
                let is_shown = |place: &String| {
                    self.current.as_ref().zip(body.pointer(place)).is_some_and(|(told, found)| same(told, found))
                };
                self.places(body).into_iter().filter(is_shown).collect()
            }
        }
    }

    /// Whether a difference is the one that is told: it is where it should be, and what was told is what is there now (or was there,
    /// for what is gone).
    fn explains(&self, change: &Change, before: &Value, after: &Value) -> bool {
        match self.kind {
            FieldKind::Subscription => subscriptions::explains(self, change, before),
            FieldKind::Tier | FieldKind::TierExpiry => tiers::explains(self, change, before, after),
            FieldKind::PointsExpiry => expiry::explains(self, change, before),
            _ => self.explains_field(change, before, after) || card::explains(self, change, before, after),
        }
    }
}

#[cfg(test)]
mod tests;
