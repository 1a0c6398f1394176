//! The `data` of events. The members are those of captured deliveries (2021 to 2025), without the optional ones.

pub(crate) mod cards;
pub(crate) mod groups;

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::difference::{Difference, identifiers, members, text};

/// What stands for values that the sandbox knows nothing of.
const BILL_CURRENCY: &str = " ";
const DELIVERY_STATUS: &str = "DELIVERED";
const ENTERED_BY: u64 = 15_487_535;

/// A registration, or anything else that says how a customer is.
pub(crate) fn customer(body: &Value, at: u64) -> Value {
    let profile = body.pointer("/profiles/0").unwrap_or(&Value::Null);
    let mut data = json!({
        "loyaltyType": at_place(body, "/loyaltyInfo/loyaltyType"),
        "source": at_place(profile, "/source"),
        "enteredAt": at,
        "enteredBy": entered_by(),
        "customerIdentifiers": customer_identifiers(body),
    });
    if let Some(account) = account_of(profile) {
        put(&mut data, "accountId", account);
    }
    data
}

pub(crate) fn customer_updated(body: &Value, at: u64, told: &[Difference]) -> Value {
    let mut data = customer(body, at);
    put(&mut data, "updatedFields", told.iter().map(updated_field).collect());
    data
}

/// After a request for deletion of personal data. Custom fields are still told, as in the sample.
pub(crate) fn customer_deleted(body: &Value, at: u64) -> Value {
    let mut data = customer_updated(body, at, &[]);
    let fields = body.pointer("/profiles/0").into_iter().flat_map(|profile| members(profile, "fields"));
    let custom: Value = fields.map(|(key, value)| json!({"key": key, "value": text(value)})).collect();
    put(&mut data, "customerIdentifiers", json!({"customerId": body.get("id")}));
    put(&mut data, "customFields", custom);
    put(
        &mut data,
        "customerStatus",
        json!({"previousStatus": "ACTIVE", "previousLabel": "Active", "currentLabel": "Deleted", "reason": "PII deletion"}),
    );
    data
}

pub(crate) fn customers_merged(victim: &Value, survivor: &Value) -> Value {
    let programs = survivor.get("loyaltyProgramDetails").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let summary = |program: &Value| {
        json!({
            "loyaltyProgramId": program.get("programId"),
            "lifetimePoints": program.get("lifetimePoints"),
            "currentPoints": program.get("loyaltyPoints"),
            "promisedPoints": 0.0,
            "tierNumber": program.get("slabSNo"),
        })
    };
    json!({
        "survivorCustomerIdentifiers": customer_identifiers(survivor),
        "victimCustomerIdentifiers": customer_identifiers(victim),
        "triggeringActivity": {"name": "customerMerge", "identifiers": [], "additionalAttributes": []},
        "enteredBy": {"id": -1},
        "survivorCustomerLoyaltySummary": programs.iter().map(summary).collect::<Value>(),
    })
}

pub(crate) fn transaction(body: &Value, customer: &Value, at: u64) -> Value {
    let lines = body.get("lineItems").and_then(Value::as_array).map_or(0, Vec::len);
    let id = body.get("id").and_then(text).unwrap_or_default();
    let mut data = transaction_updated(body, customer, at);
    put(&mut data, "billClientId", json!(id));
    put(&mut data, "lineItemCount", json!(lines));
    put(&mut data, "currencyCode", json!(BILL_CURRENCY));
    put(&mut data, "enteredBy", entered_by());
    data
}

/// An update says less than the first telling, and nothing of what was updated.
pub(crate) fn transaction_updated(body: &Value, customer: &Value, at: u64) -> Value {
    let bill = |name: &str| body.get("billDetails").and_then(|details| details.get(name));
    json!({
        "amount": bill("amount"),
        "billNumber": bill("billNumber"),
        "enteredAt": at,
        "transactionId": body.get("id"),
        "deliveryStatus": body.get("deliveryStatus").cloned().unwrap_or_else(|| json!(DELIVERY_STATUS)),
        "billType": body.get("type"),
        "discount": bill("discount"),
        "grossAmount": bill("grossAmount"),
        "enteredBy": {"id": ENTERED_BY},
        "customerIdentifiers": customer_identifiers(customer),
    })
}

/// As with the webhook's enrichment of tills and stores.
fn entered_by() -> Value {
    json!({
        "id": ENTERED_BY,
        "till": {"code": "till.north.01", "name": "till.north.01"},
        "store": {
            "code": "till.north.01", "name": "Station Road East",
            "externalId": "STORE-17", "externalId1": "", "externalId2": "",
        },
    })
}

/// The in-store identifiers, and beside them those of the profile's source where it is another one. A bill can be nobody's.
fn customer_identifiers(body: &Value) -> Value {
    if body.is_null() {
        return json!({});
    }
    let profile = body.pointer("/profiles/0").unwrap_or(&Value::Null);
    let in_store: Map<String, Value> = identifiers(profile)
        .filter(|(name, _)| ["mobile", "email", "externalId"].contains(name))
        .map(|(name, value)| (name.to_owned(), json!(value)))
        .collect();
    let mut told = json!({"customerId": body.get("id"), "instore": in_store});
    if let Some(account) = account_of(profile) {
        // A profile lists most of them twice.
        let known: BTreeSet<(&str, &str)> = identifiers(profile).collect();
        let known: Value =
            known.into_iter().map(|(name, value)| json!({"identifierType": name, "identifierValue": value})).collect();
        let source = at_place(profile, "/source").as_str().map(source_key).unwrap_or_default();
        put(&mut told, &source, json!({"accounts": [{"accountId": account, "identifiers": known}]}));
    }
    told
}

/// Only sources with several accounts are told with one.
fn account_of(profile: &Value) -> Option<Value> {
    let source = profile.get("source")?.as_str()?;
    (source != "INSTORE").then(|| at_place(profile, "/accountId"))
}

/// The names of the sources within `customerIdentifiers`. The misspelling is Capillary's.
fn source_key(source: &str) -> String {
    match source {
        "TAOBAO" => "toabao".to_owned(),
        other => other.to_lowercase(),
    }
}

/// A value that is no more is told as an empty text: the schema has texts in both places, and no sample shows it.
fn updated_field(difference: &Difference) -> Value {
    json!({
        "fieldName": difference.field,
        "previousValue": difference.previous.as_deref().unwrap_or_default(),
        "currentValue": difference.current.as_deref().unwrap_or_default(),
        "source": difference.source,
        "accountId": difference.account_id,
        "fieldType": difference.kind.name(),
    })
}

fn at_place(body: &Value, place: &str) -> Value {
    body.pointer(place).cloned().unwrap_or_default()
}

fn put(data: &mut Value, name: &str, value: Value) {
    if let Some(members) = data.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
}
