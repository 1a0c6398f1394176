//! What audits say of a change, and of whom.
//!
//! A change has one row for each kind of field, all with its request id. Custom and extended fields are always audited,
//! while at Capillary that has to be switched on for each of them.

use serde_json::{Value, json};

use crate::difference::{Difference, Kind, identifiers, text};
use crate::events::Occasion;
use crate::patches::merge;

/// What a value is told as where there is none.
const NO_VALUE: &str = "NA";

/// Whom or what a row is about. Capillary has audits of nothing else.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    Customer(u64),
    /// By its id, not its number.
    Card(u64),
}

/// One row of the answer, and what it is about.
pub(crate) struct Row {
    pub(crate) subject: Subject,
    pub(crate) body: Value,
}

impl Row {
    /// Fields of a customer that were changed.
    pub(crate) fn of_customer(org: u64, id: u64, occasion: &Occasion, differences: &[Difference]) -> Vec<Self> {
        Self::of_differences(org, Subject::Customer(id), occasion, differences, event)
    }

    /// The status and fields of a card that were changed, from one state to the other.
    pub(crate) fn of_card(org: u64, id: u64, occasion: &Occasion, states: [&Value; 2], differences: &[Difference]) -> Vec<Self> {
        let event = |difference: &Difference| card_event(difference, states);
        Self::of_differences(org, Subject::Card(id), occasion, differences, event)
    }

    fn of_differences(
        org: u64,
        subject: Subject,
        occasion: &Occasion,
        differences: &[Difference],
        event: impl Fn(&Difference) -> Value,
    ) -> Vec<Self> {
        let of_kind = |kind| differences.iter().filter(move |difference| difference.kind == kind);
        let row = |kind| {
            let events: Vec<Value> = of_kind(kind).map(&event).collect();
            let source = of_kind(kind).next()?.source.as_str();
            Some(Self::new(org, subject, occasion, Some(source).filter(|source| !source.is_empty()), &events))
        };
        Kind::ALL.into_iter().filter_map(row).collect()
    }

    /// A customer whose personal data were deleted. The sample's labels are numbers of the org's own.
    pub(crate) fn of_deletion(org: u64, customer: u64, occasion: &Occasion) -> Self {
        let labels =
            json!({"previousLabelId": "54", "previousValue": "ACTIVE", "currentValue": "DELETED", "currentLabelId": "55"});
        let event = audit_event("Customer Status", "CustomerStatus", &labels);
        Self::new(org, Subject::Customer(customer), occasion, None, &[event])
    }

    /// A survivor, with the identifiers that she took over.
    pub(crate) fn of_merge(org: u64, customer: u64, occasion: &Occasion, people: [&Value; 2], taken: &[Difference]) -> Self {
        let event = |taken: &Difference| {
            // Here, and only here, the sample has null for no value.
            let values = json!({"previousValue": taken.previous, "currentValue": taken.current});
            audit_event("Identifiers", &taken.field, &values)
        };
        let events: Vec<Value> = taken.iter().map(event).collect();
        let mut row = Self::new(org, Subject::Customer(customer), occasion, Some("instore"), &events);
        let [victim, survivor] = people.map(user_details);
        if let Some(members) = row.body.as_object_mut() {
            members.insert("victimUserDetails".to_owned(), victim);
            members.insert("survivorUserDetails".to_owned(), survivor);
        }
        row
    }

    fn new(org: u64, subject: Subject, occasion: &Occasion, source: Option<&str>, events: &[Value]) -> Self {
        let (entity_type, id) = match subject {
            Subject::Customer(id) => ("CUSTOMER", id),
            Subject::Card(id) => ("CARD", id),
        };
        let body = json!({
            "updatedByUser": null,
            "updatedBy": 60_143_414,
            "orgId": org,
            "entityType": entity_type,
            "entityId": id,
            "createdOn": occasion.at,
            "requestId": occasion.request_id,
            "till": null,
            "store": null,
            "userContextDetails": null,
            "victimUserDetails": null,
            "survivorUserDetails": null,
            "source": source,
            "updatedByMode": "API",
            "autoUpdateTime": occasion.at,
            "events": events,
        });
        Self { subject, body }
    }
}

fn event(difference: &Difference) -> Value {
    let (event_type, field) = match difference.kind {
        Kind::StandardField => ("Standard Fields", capitalised(&difference.field)),
        Kind::Identifier => ("Identifiers", difference.field.clone()),
        Kind::CustomField => ("Custom Fields", difference.field.clone()),
        Kind::ExtendedField => ("Extended Fields", difference.field.clone()),
        Kind::CardStatus => ("Card Status", difference.field.clone()),
        Kind::CardCustomField => ("Card Custom Fields", difference.field.clone()),
        Kind::CardExtendedField => ("Card Extended Fields", difference.field.clone()),
    };
    let value = |text: &Option<String>| text.clone().unwrap_or_else(|| NO_VALUE.to_owned());
    let values = json!({"previousValue": value(&difference.previous), "currentValue": value(&difference.current)});
    audit_event(event_type, &field, &values)
}

/// Names the customer whose card it is, and for a status also the ids of the labels, which are the org's own.
fn card_event(difference: &Difference, states: [&Value; 2]) -> Value {
    let [before, after] = states;
    let mut told = event(difference);
    if difference.kind == Kind::CardStatus {
        let label_id = |card: &Value| card.pointer("/statusInfo/labelId").and_then(text);
        let ids = json!({"previousLabelId": label_id(before), "currentLabelId": label_id(after)});
        merge(&mut told, &json!({"additionalFields": ids}));
    }
    let owner = json!([{"entityType": "CUSTOMER", "entityId": after.get("customerId")}]);
    merge(&mut told, &json!({"associateEntities": owner}));
    told
}

fn audit_event(event_type: &str, field: &str, values: &Value) -> Value {
    json!({"eventType": event_type, "updatedField": field, "additionalFields": values, "associateEntities": null})
}

/// `lastName` is audited as `LastName`.
fn capitalised(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn user_details(customer: &Value) -> Value {
    let profile = customer.pointer("/profiles/0").unwrap_or(&Value::Null);
    let identifier = |name| identifiers(profile).find(|(found, _)| *found == name).map(|(_, value)| value);
    json!({
        "firstName": profile.get("firstName"),
        "lastName": profile.get("lastName"),
        "email": identifier("email"),
        "mobile": identifier("mobile"),
        "externalId": identifier("externalId"),
    })
}
