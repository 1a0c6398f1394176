//! Events as Capillary sends them, with invented values.

use serde_json::{Value, json};

/// `createdAt` of all of these, and the same in the form of the output.
pub(crate) const CREATED_AT: u64 = 1_755_225_718_242;
pub(crate) const CREATED_AT_TEXT: &str = "2025-08-15T02:41:58.242Z";

/// The organisation of all of these.
pub(crate) const ORG: u64 = 100_737;

/// An event that names a customer, and nothing else that could be fetched.
pub(crate) fn of_customer(name: &str, id: &str, customer: u64) -> Value {
    json!({
        "eventName": name, "eventId": id, "orgId": ORG, "refId": format!("{ORG}_{customer}"), "apiRequestId": "4d0c6a5e",
        "createdAt": CREATED_AT,
        "data": {"customerIdentifiers": {"customerId": customer}, "loyaltyType": "loyalty", "source": "INSTORE"},
        "loyaltyEventId": null
    })
}

/// A transaction of that customer.
pub(crate) fn of_transaction(name: &str, id: &str, transaction: u64, customer: u64, bill_type: &str) -> Value {
    json!({
        "eventName": name, "eventId": id, "orgId": ORG, "refId": format!("{ORG}_{transaction}"), "apiRequestId": "4d0c6a5e",
        "createdAt": CREATED_AT,
        "data": {"customerIdentifiers": {"customerId": customer}, "transactionId": transaction, "billType": bill_type,
                 "amount": 10.0, "billNumber": "b-1"}
    })
}

/// An event with any data.
pub(crate) fn with_data(name: &str, id: &str, data: &Value) -> Value {
    json!({"eventName": name, "eventId": id, "orgId": ORG, "apiRequestId": "4d0c6a5e", "createdAt": CREATED_AT, "data": data})
}

/// Points of a customer, with an entry in the ledger.
pub(crate) fn of_points(id: &str, customer: u64, ledger: u64) -> Value {
    let mut event = of_customer("pointsIssued", id, customer);
    event["eventLogId"] = json!(ledger);
    event
}

/// An event of a card, which says nothing of what changed.
pub(crate) fn of_card(id: &str, number: &str) -> Value {
    with_data("cardUpdated", id, &json!({"cardNumber": number}))
}

/// An event of a name nobody knows, about nothing that could be fetched.
pub(crate) fn of_nobody(id: &str) -> Value {
    json!({"eventName": "somethingNew", "eventId": id, "orgId": ORG, "createdAt": CREATED_AT, "data": {"what": "else"}})
}
