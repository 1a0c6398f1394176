//! What differs between two states of a customer or a card, in the terms of Capillary: kinds of fields instead of places
//! in a body.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// One field that is not as it was.
pub(crate) struct Difference {
    pub(crate) kind: Kind,
    pub(crate) field: String,
    /// None where there was no value.
    pub(crate) previous: Option<String>,
    /// None where there is no value any more.
    pub(crate) current: Option<String>,
    /// The source of the profile that holds the field; empty for a card.
    pub(crate) source: String,
    pub(crate) account_id: String,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    StandardField,
    Identifier,
    CustomField,
    ExtendedField,
    CardStatus,
    CardCustomField,
    CardExtendedField,
}

impl Kind {
    pub(crate) const ALL: [Self; 7] = [
        Self::StandardField,
        Self::Identifier,
        Self::CustomField,
        Self::ExtendedField,
        Self::CardStatus,
        Self::CardCustomField,
        Self::CardExtendedField,
    ];

    /// As events (`fieldType`) and the audit API (`referenceType`) call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::StandardField => "StandardField",
            Self::Identifier => "Identifier",
            Self::CustomField => "CustomField",
            Self::ExtendedField => "ExtendedField",
            Self::CardStatus => "CardStatus",
            Self::CardCustomField => "CardCustomField",
            Self::CardExtendedField => "CardExtendedField",
        }
    }
}

/// Where a fact belongs.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    kind: Kind,
    field: String,
    source: String,
    account_id: String,
}

/// An identifier can have several values; everything else has one.
type Facts = BTreeMap<Place, BTreeSet<String>>;

/// What differs in a customer. The state before a registration is null.
pub(crate) fn between(before: &Value, after: &Value) -> Vec<Difference> {
    differences(&facts(before), &facts(after))
}

/// What differs in a card, of that which is told: the label of its status, and its fields.
pub(crate) fn between_cards(before: &Value, after: &Value) -> Vec<Difference> {
    differences(&card_facts(before), &card_facts(after))
}

fn differences(before: &Facts, after: &Facts) -> Vec<Difference> {
    let places: BTreeSet<&Place> = before.keys().chain(after.keys()).collect();
    places.into_iter().filter_map(|place| difference(place, before.get(place), after.get(place))).collect()
}

fn difference(place: &Place, before: Option<&BTreeSet<String>>, after: Option<&BTreeSet<String>>) -> Option<Difference> {
    let none = BTreeSet::new();
    let (before, after) = (before.unwrap_or(&none), after.unwrap_or(&none));
    if before == after {
        return None;
    }
    let only = |these: &BTreeSet<String>, those| {
        let texts: Vec<&str> = these.difference(those).map(String::as_str).collect();
        (!texts.is_empty()).then(|| texts.join(","))
    };
    let Place { kind, field, source, account_id } = place.clone();
    Some(Difference { kind, field, previous: only(before, after), current: only(after, before), source, account_id })
}

fn facts(customer: &Value) -> Facts {
    let mut facts = Facts::new();
    let profiles = customer.get("profiles").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for profile in profiles {
        let mut note = |kind, field: &str, value: &Value| note(&mut facts, profile, kind, field, value);
        for name in ["firstName", "lastName"] {
            note(Kind::StandardField, name, profile.get(name).unwrap_or(&Value::Null));
        }
        for (name, value) in members(profile, "fields") {
            note(Kind::CustomField, name, value);
        }
        for (name, value) in identifiers(profile) {
            note(Kind::Identifier, name, &value.into());
        }
    }
    let first = profiles.first().unwrap_or(&Value::Null);
    for (name, value) in members(customer, "extendedFields") {
        note(&mut facts, first, Kind::ExtendedField, name, value);
    }
    facts
}

fn card_facts(card: &Value) -> Facts {
    let mut facts = Facts::new();
    let mut note = |kind, field: &str, value: &Value| note(&mut facts, card, kind, field, value);
    note(Kind::CardStatus, "CardStatus", card.pointer("/statusInfo/label").unwrap_or(&Value::Null));
    for (name, value) in members(card, "customFields") {
        note(Kind::CardCustomField, name, value);
    }
    for (name, value) in members(card, "extendedFields") {
        note(Kind::CardExtendedField, name, value);
    }
    facts
}

fn note(facts: &mut Facts, profile: &Value, kind: Kind, field: &str, value: &Value) {
    let of_profile = |name: &str| profile.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let place = Place { kind, field: field.to_owned(), source: of_profile("source"), account_id: of_profile("accountId") };
    if let Some(text) = text(value) {
        facts.entry(place).or_default().insert(text);
    }
}

/// The identifiers of a profile by the names that events have for them.
pub(crate) fn identifiers(profile: &Value) -> impl Iterator<Item = (&str, &str)> {
    let lists = ["identifiers", "identifiersAll"].into_iter().filter_map(|list| profile.get(list)?.as_array());
    lists.flatten().filter_map(|identifier| {
        let name = match identifier.get("type")?.as_str()? {
            "cardNumber" => "cardnumber",
            other => other,
        };
        Some((name, identifier.get("value")?.as_str()?))
    })
}

/// The members of an object within a body.
pub(crate) fn members<'a>(body: &'a Value, name: &str) -> impl Iterator<Item = (&'a str, &'a Value)> {
    body.get(name).and_then(Value::as_object).into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}

/// Values are texts in events and audits, whatever they are in the body.
pub(crate) fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}
