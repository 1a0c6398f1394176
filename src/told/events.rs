//! The events that tell what they changed, and what they tell. One table.

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::{FieldKind, Origin, Told, card, expiry, subscriptions, tiers, value_told};
use crate::{entity::Kind, event::Event};

type Read = fn(&Event<'_>) -> Vec<Told>;

/// Names in lower case. What other events call updated fields is not the entity's (facts, 2.8), and new values alone tell no change
/// (facts, 2.9).
const TELLERS: [(&str, Read); 8] = [
    ("customerupdated", customer),
    ("customersubscription", subscriptions::told),
    ("cardupdated", card::told),
    ("tierupgraded", tiers::upgraded),
    ("tierdowngraded", tiers::downgraded),
    ("tierrenewed", tiers::renewed),
    ("singlepointsexpiryupdated", expiry::single),
    ("pointsexpirychange", expiry::batch),
];

/// Those that say that their entity changed, but often not what; of what kind it is.
const AUDITED: [(&str, Kind); 2] = [("customerupdated", Kind::Customer), ("cardupdated", Kind::Card)];

/// What an event itself tells of changes of its entities; nothing where it says that all is as before.
pub fn by_event(event: &Event<'_>) -> Vec<Told> {
    let mut told = of_name(event, &TELLERS).map(|read| read(event)).unwrap_or_default();
    told.retain(Told::is_change);
    told
}

/// The kind of the entity about which the audit log may tell what an event changed, where the event tells nothing itself. It knows
/// customers and cards only (facts 4.7).
pub fn asks_audits(event: &Event<'_>) -> Option<Kind> {
    of_name(event, &AUDITED)
}

fn of_name<T: Copy>(event: &Event<'_>, table: &[(&str, T)]) -> Option<T> {
    let name = event.name()?.to_ascii_lowercase();
    table.iter().find(|(known, _)| *known == name).map(|(_, entry)| *entry)
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

/// `updatedFields` and `customerStatus` (facts 2.1).
fn customer(event: &Event<'_>) -> Vec<Told> {
    let (source, account_id) = (event.text_at(&["data", "source"]), event.text_at(&["data", "accountId"]));
    let fields = list(event, "updatedFields").into_iter().filter_map(|field| serde_json::from_value::<UpdatedField>(field).ok());
    let mut told: Vec<Told> = fields
        .map(|field| {
            let kind = FieldKind::of(&field.field_type);
            Told {
                source: field.source.or_else(|| source.clone()),
                account_id: field.account_id.or_else(|| account_id.clone()),
                ..Told::by_event(Kind::Customer, kind, &field.field_name, field.previous_value, field.current_value)
            }
        })
        .collect();
    if let Some(status) = read::<CustomerStatus>(event, "customerStatus") {
        told.extend([
            Told::by_event(Kind::Customer, FieldKind::Status, "status", status.previous_status, status.current_status),
            Told::by_event(Kind::Customer, FieldKind::Status, "label", status.previous_label, status.current_label),
        ]);
    }
    told
}

/// Whether an event says that its customer was deleted on request (facts 2.1).
pub fn says_deleted(event: &Event<'_>) -> bool {
    let is_deleted =
        |word: Option<Value>| word.is_some_and(|word| word.as_str().is_some_and(|word| word.eq_ignore_ascii_case("deleted")));
    read::<CustomerStatus>(event, "customerStatus")
        .is_some_and(|status| is_deleted(status.current_label) || is_deleted(status.current_status))
}

impl Told {
    /// Told by the event itself, of a field that stands in one place only.
    pub(super) fn by_event(about: Kind, kind: FieldKind, field: &str, previous: Option<Value>, current: Option<Value>) -> Self {
        Self {
            about,
            field: field.to_owned(),
            kind,
            source: None,
            account_id: None,
            element: Vec::new(),
            previous: value_told(previous),
            current: value_told(current),
            origin: Origin::Event,
        }
    }
}

/// A member of the event's `data`, if anything is told there.
pub(super) fn value(event: &Event<'_>, member: &str) -> Option<Value> {
    value_told(read(event, member))
}

/// A member of an object in there, if anything is told there.
pub(super) fn member(object: &Value, member: &str) -> Option<Value> {
    value_told(object.get(member).cloned())
}

/// The elements of an array in the event's `data`.
pub(super) fn list(event: &Event<'_>, member: &str) -> Vec<Value> {
    read(event, member).unwrap_or_default()
}

fn read<T: DeserializeOwned>(event: &Event<'_>, member: &str) -> Option<T> {
    serde_json::from_str(event.at(&["data", member])?.get()).ok()
}
