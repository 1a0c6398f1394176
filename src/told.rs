//! What others tell of a change: the event itself (`updatedFields`, `customerStatus`) or Capillary's audit log. They name fields in
//! words of their own; the table here maps those to places in an entity's body.
//!
//! What they tell names the origin of a difference, and tells changes at first sight, where there is nothing to compare with. It
//! never tells a change that the entity does not show: the event may be old, and others may have changed the same field since.

mod places;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use places::same;

use crate::{
    change::{Change, Op},
    event::Event,
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
    /// `CustomerStatus`.
    Status,
    /// `SubscriptionStatus`; the field is the channel.
    Subscription,
    /// Any other word: all places are looked at.
    Unknown,
}

impl FieldKind {
    /// From any of its names.
    pub fn of(name: &str) -> Self {
        let letters: String = name.chars().filter(char::is_ascii_alphabetic).map(|letter| letter.to_ascii_lowercase()).collect();
        match letters.trim_end_matches('s') {
            "standardfield" => Self::Standard,
            "customfield" => Self::Custom,
            "extendedfield" => Self::Extended,
            "identifier" | "commchannel" | "communicationchannel" => Self::Identifier,
            "customerstatu" => Self::Status,
            "subscriptionstatu" => Self::Subscription,
            _ => Self::Unknown,
        }
    }
}

/// A change as told.
#[derive(Clone)]
pub struct Told {
    /// The field's name, in the teller's spelling.
    pub field: String,
    /// What kind of field it is.
    pub kind: FieldKind,
    /// The source of the profile that it belongs to (`INSTORE`), if told.
    pub source: Option<String>,
    /// The account of that source, if told.
    pub account_id: Option<String>,
    /// The value before; none if there was none.
    pub previous: Option<Value>,
    /// The value after; none if there is none any more.
    pub current: Option<Value>,
    /// Who tells it.
    pub origin: Origin,
}

/// The event that says that its customer changed, but often not what.
const CUSTOMER_UPDATED: &str = "customerUpdated";

/// Whether an event is the one by which Capillary says that a customer changed.
pub fn is_customer_update(event: &Event<'_>) -> bool {
    event.name().is_some_and(|name| name.eq_ignore_ascii_case(CUSTOMER_UPDATED))
}

/// A value as told; "NA" and null stand for none (facts 4.7).
pub fn value_told(value: Option<Value>) -> Option<Value> {
    value.filter(|value| !value.is_null() && value.as_str() != Some("NA"))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UpdatedField {
    field_name: String,
    #[serde(default)]
    field_type: String,
    source: Option<String>,
    account_id: Option<String>,
    previous_value: Option<Value>,
    current_value: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CustomerStatus {
    previous_status: Option<Value>,
    previous_label: Option<Value>,
    current_status: Option<Value>,
    current_label: Option<Value>,
}

/// What an event itself tells of its customer's change.
pub fn by_event(event: &Event<'_>) -> Vec<Told> {
    if !is_customer_update(event) {
        // What others call updated fields are not the customer's.
        return Vec::new();
    }
    let (source, account_id) = (event.text_at(&["data", "source"]), event.text_at(&["data", "accountId"]));
    let fields: Vec<Value> = read(event, "updatedFields").unwrap_or_default();
    let fields = fields.into_iter().filter_map(|field| serde_json::from_value::<UpdatedField>(field).ok());
    let mut told: Vec<Told> = fields
        .map(|field| Told {
            kind: FieldKind::of(&field.field_type),
            field: field.field_name,
            source: field.source.or_else(|| source.clone()),
            account_id: field.account_id.or_else(|| account_id.clone()),
            previous: value_told(field.previous_value),
            current: value_told(field.current_value),
            origin: Origin::Event,
        })
        .collect();
    if let Some(status) = read::<CustomerStatus>(event, "customerStatus") {
        for (field, previous, current) in
            [("status", status.previous_status, status.current_status), ("label", status.previous_label, status.current_label)]
        {
            let (previous, current) = (value_told(previous), value_told(current));
            let kind = FieldKind::Status;
            told.push(Told {
                field: field.to_owned(),
                kind,
                source: None,
                account_id: None,
                previous,
                current,
                origin: Origin::Event,
            });
        }
    }
    told.retain(Told::is_change);
    told
}

/// Whether an event says that its customer was deleted on request (facts 2.1).
pub fn says_deleted(event: &Event<'_>) -> bool {
    let is_deleted =
        |word: Option<Value>| word.is_some_and(|word| word.as_str().is_some_and(|word| word.eq_ignore_ascii_case("deleted")));
    read::<CustomerStatus>(event, "customerStatus")
        .is_some_and(|status| is_deleted(status.current_label) || is_deleted(status.current_status))
}

fn read<'a, T: Deserialize<'a>>(event: &Event<'a>, member: &str) -> Option<T> {
    serde_json::from_str(event.at(&["data", member])?.get()).ok()
}

/// The changes that are told and that a body shows, for an entity seen for the first time.
pub fn shown(told: &[Told], body: &Value) -> Vec<(Change, Origin)> {
    let mut found: Vec<(Change, Origin)> = Vec::new();
    for told in told {
        for path in told.places(body) {
            let Some(after) = body.pointer(&path) else { continue };
            let is_shown = told.current.as_ref().is_some_and(|current| same(current, after));
            if is_shown && !found.iter().any(|(change, _)| change.path == path) {
                let op = if told.previous.is_some() { Op::Replace } else { Op::Add };
                let change = Change { op, path, before: told.previous.clone(), after: Some(after.clone()) };
                found.push((change, told.origin));
            }
        }
    }
    found
}

/// Who tells of a difference between two bodies; the first that does.
pub fn origin(change: &Change, told: &[Told], before: &Value, after: &Value) -> Origin {
    told.iter().find(|told| told.explains(change, before, after)).map_or(Origin::Snapshot, |told| told.origin)
}

impl Told {
    /// Whether there is a change in it: a status may be told as ACTIVE before and ACTIVE after, with another label.
    pub fn is_change(&self) -> bool {
        self.previous != self.current
    }
}

#[cfg(test)]
mod tests;
