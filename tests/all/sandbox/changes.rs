//! What is told of a change, in both forms, and how little.

use std::collections::HashSet;

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::receiver::Receiver;
use super::running::{TestSandbox, error_code};
use super::samples::{self, assert_alike};

/// A sandbox that sends to a content receiver, in order.
pub(super) async fn sandbox_and_receiver(settings: Value) -> (TestSandbox, Receiver) {
    let (sandbox, receiver) = (TestSandbox::start().await, Receiver::content().await);
    sandbox.webhook(json!({"url": receiver.url(), "maxAllowedConnections": 1})).await;
    sandbox.webhook(settings).await;
    (sandbox, receiver)
}

/// A profile like that of the samples: known in the store only, under all names.
fn store_profile(first_name: &str, email: &str) -> Value {
    json!([{
        "firstName": first_name, "lastName": "Berg", "source": "INSTORE", "accountId": "", "fields": {"colour": "blue"},
        "identifiers": [{"type": "mobile", "value": "915550000002"}],
        "identifiersAll": [{"type": "email", "value": email}, {"type": "externalId", "value": "EXT-1"}],
    }])
}

#[tokio::test]
async fn a_registration_looks_like_the_sample_and_can_be_followed_by_its_ids() {
    let (sandbox, receiver) = sandbox_and_receiver(json!({"orgId": 9240})).await;
    let changed = sandbox.change("customers/5", json!({"profiles": store_profile("Ana", "ana@example.com")})).await;
    let event = receiver.until_received(1).await[0].event();
    assert_alike(&event, &samples::event("customerAdded.flat"));
    assert_eq!(event["eventName"], "customerAdded");
    assert_eq!(event["eventId"].as_str(), changed.event_id.as_deref());
    assert_eq!(event["apiRequestId"], changed.request_id);
    assert_eq!((&event["orgId"], &event["refId"]), (&json!(9240), &json!("9240_5")));
    assert_eq!(event["data"]["customerIdentifiers"]["customerId"], 5);
    assert_eq!(event["data"]["customerIdentifiers"]["instore"]["email"], "ana@example.com");
    assert_eq!(changed.entity["profiles"][0]["firstName"], "Ana");
}

#[tokio::test]
async fn an_update_looks_like_the_sample_and_says_nothing_unless_told_to() {
    let (sandbox, receiver) = sandbox_and_receiver(json!({})).await;
    for name in ["Ana", "Anna"] {
        sandbox.change("customers/5", json!({"profiles": store_profile(name, "ana@example.com")})).await;
    }
    let event = receiver.until_received(2).await[1].event();
    assert_alike(&event, &samples::event("customerUpdated.flat"));
    assert_eq!(event["data"]["updatedFields"], json!([]));
}

#[tokio::test]
async fn updated_fields_have_old_and_new_values_of_each_kind() {
    let (sandbox, receiver) = sandbox_and_receiver(json!({"tells": "updatedFields"})).await;
    sandbox.change("customers/5", json!({"profiles": store_profile("Ana", "ana@example.com")})).await;
    let mut profiles = store_profile("Anna", "anna@example.com");
    profiles[0]["fields"] = json!({"colour": "青", "size": 38});
    sandbox.change("customers/5", json!({"profiles": profiles, "extendedFields": {"city": "Porto", "gender": null}})).await;
    let event = receiver.until_received(2).await[1].event();
    let field = |kind: &str, name: &str, previous: &str, current: &str| {
        json!({"fieldName": name, "previousValue": previous, "currentValue": current, "fieldType": kind,
               "source": "INSTORE", "accountId": ""})
    };
    assert_eq!(
        event["data"]["updatedFields"],
        json!([
            field("StandardField", "firstName", "Ana", "Anna"),
            field("Identifier", "email", "ana@example.com", "anna@example.com"),
            field("CustomField", "colour", "blue", "青"),
            field("CustomField", "size", "", "38"),
            field("ExtendedField", "city", "Garden", "Porto"),
            field("ExtendedField", "gender", "Male", ""),
        ])
    );
}

#[tokio::test]
async fn a_customer_of_another_source_is_told_with_her_account_there() {
    let (sandbox, receiver) = sandbox_and_receiver(json!({})).await;
    sandbox.change("customers/5", json!({})).await;
    let data = receiver.until_received(1).await[0].event()["data"].clone();
    assert_eq!((&data["source"], &data["accountId"]), (&json!("WECHAT"), &json!("ufavxm-kyf8")));
    let sample = samples::event("transactionAdded.flat");
    assert_alike(&data["customerIdentifiers"]["wechat"], &sample["data"]["customerIdentifiers"]["wechat"]);
    let identifiers = data["customerIdentifiers"]["wechat"]["accounts"][0]["identifiers"].as_array().unwrap();
    let types: Vec<&Value> = identifiers.iter().map(|identifier| &identifier["identifierType"]).collect();
    assert_eq!(types, ["cardnumber", "email", "line", "mobile"], "each one once");
}

#[tokio::test]
async fn the_envelope_looks_like_the_samples() {
    let (sandbox, receiver) = sandbox_and_receiver(json!({"form": "envelope", "orgId": 150_698})).await;
    let changed = sandbox.change("customers/5", json!({})).await;
    let mut event = receiver.until_received(1).await[0].event();
    let mut sample = samples::event("transactionAdded.envelope");
    assert_eq!(event["eventType"], "150698_customerAdded");
    assert_eq!(event["eventId"].as_str(), changed.event_id.as_deref());
    assert!(event["timeStamp"].as_u64() > event["attributes"]["createdAt"].as_u64());
    assert_eq!(event["attributes"]["data"]["customerIdentifiers"]["customerId"], 5);
    for whole in [&mut event, &mut sample] {
        whole["attributes"]["data"] = json!({});
    }
    assert_alike(&event, &sample);
}

#[tokio::test]
async fn a_purchase_and_its_update_look_like_the_samples() {
    let (sandbox, receiver) = sandbox_and_receiver(json!({"orgId": 1645})).await;
    sandbox.change("customers/7?event=none", json!({"profiles": store_profile("Ana", "ana@example.com")})).await;
    let patch = json!({"type": "RETURN", "customerId": 7, "billDetails": {"amount": 12.5, "billNumber": "b-1"}});
    let added = sandbox.change("transactions/3", patch).await;
    sandbox.change("transactions/3", json!({"billDetails": {"amount": 13.0}})).await;
    let events: Vec<Value> = receiver.until_received(2).await.iter().map(super::receiver::Received::event).collect();
    for (event, name) in events.iter().zip(["transactionAdded", "transactionUpdated"]) {
        assert_eq!(event["eventName"], name);
        assert_eq!(event["refId"], "1645_3");
        let (mut event, mut sample) = (event.clone(), samples::event(&format!("{name}.flat")));
        // Which identifiers are there depends on the customer.
        for whole in [&mut event, &mut sample] {
            whole["data"]["customerIdentifiers"] = json!({});
        }
        assert_alike(&event, &sample);
    }
    let data = &events[0]["data"];
    assert_eq!((&data["amount"], &data["billNumber"], &data["billType"]), (&json!(12.5), &json!("b-1"), &json!("RETURN")));
    assert_eq!((&data["transactionId"], &data["customerIdentifiers"]["customerId"]), (&json!(3), &json!(7)));
    assert_eq!(events[0]["apiRequestId"], added.request_id);
    assert_eq!(events[1]["data"]["amount"], json!(13.0));
}

#[tokio::test]
async fn the_name_of_an_event_follows_from_the_entity_unless_it_is_chosen() {
    let (sandbox, receiver) = sandbox_and_receiver(json!({})).await;
    assert_eq!(sandbox.change("customers/1?event=none", json!({})).await.event_id, None);
    for entity in [
        "customers/1",
        "customers/2?event=customerUpdated",
        "customers/2?event=customerAdded",
        "transactions/3?event=retroBillAdded",
        "transactions/3",
    ] {
        sandbox.change(entity, json!({})).await;
    }
    sandbox.change("transactions/4", json!({"type": "NOT_INTERESTED"})).await;
    let received = receiver.until_received(6).await;
    let names: Vec<Value> = received.iter().map(|received| received.event()["eventName"].clone()).collect();
    let expected =
        ["customerUpdated", "customerUpdated", "customerAdded", "retroBillAdded", "transactionUpdated", "notInterestedBillAdded"];
    assert_eq!(names, expected);
}

#[tokio::test]
async fn a_merge_answers_the_survivor_and_names_both() {
    let (sandbox, receiver) = sandbox_and_receiver(json!({})).await;
    let merged = sandbox.merge(9, json!({"into": 10})).await;
    let event = receiver.until_received(1).await[0].event();
    assert_eq!((&event["eventName"], &event["apiRequestId"]), (&json!("loyaltyCustomerMerge"), &json!(merged.request_id)));
    let data = &event["data"];
    assert_eq!(data["victimCustomerIdentifiers"]["customerId"], 9);
    assert_eq!(data["survivorCustomerIdentifiers"]["customerId"], 10);
    assert_eq!((&data["triggeringActivity"]["name"], &data["enteredBy"]), (&json!("customerMerge"), &json!({"id": -1})));
    assert!(data["survivorCustomerLoyaltySummary"][0]["tierNumber"].is_number());
    let answer = sandbox.customer_body(9).await;
    assert_eq!((&answer["id"], &answer["warnings"][0]["code"]), (&json!(10), &json!(91009)));
}

#[tokio::test]
async fn after_a_merge_nobody_can_be_answered_instead() {
    let sandbox = TestSandbox::start().await;
    sandbox.merge(9, json!({"into": 10, "state": "merged"})).await;
    assert_eq!(sandbox.customer_body(9).await["warnings"][0]["code"], 8069);
    for nonsense in [json!({"into": 9}), json!({"into": 10, "state": "deleted"}), json!({})] {
        let request = sandbox.request(reqwest::Method::POST, "/sandbox/customers/9/merge").json(&nonsense);
        assert!(request.send().await.unwrap().status().is_client_error(), "{nonsense}");
    }
}

#[tokio::test]
async fn a_deletion_is_an_update_without_a_request() {
    let (sandbox, receiver) = sandbox_and_receiver(json!({})).await;
    sandbox.change("customers/5?event=none", json!({"profiles": store_profile("Ana", "ana@example.com")})).await;
    assert_eq!(sandbox.delete_customer(5).await.request_id, "");
    let event = receiver.until_received(1).await[0].event();
    assert_eq!((&event["eventName"], &event["apiRequestId"]), (&json!("customerUpdated"), &json!("")));
    assert_eq!(event["data"]["customerStatus"]["currentLabel"], "Deleted");
    assert_eq!(event["data"]["customFields"], json!([{"key": "colour", "value": "blue"}]));
    assert_eq!(event["data"]["customerIdentifiers"], json!({"customerId": 5}));
    let response = sandbox.customer(5).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK, "the body tells");
    assert_eq!(error_code(response).await, 8109);
}

#[tokio::test]
async fn how_an_entity_is_found_is_no_change() {
    let (sandbox, receiver) = sandbox_and_receiver(json!({})).await;
    sandbox.stand("/sandbox/customers/5/state", json!({"state": "missing"})).await;
    sandbox.stand("/sandbox/transactions/3/state", json!({"state": "missing"})).await;
    sandbox.event("the only one").await;
    receiver.until_received(1).await;
    assert_eq!(receiver.ids(), ["the only one"]);
}

/// Each event tells what its own change found, in the order of the changes: were the event made outside the change's
/// lock, the chain would break.
#[tokio::test]
async fn changes_at_the_same_time_are_told_one_after_the_other() {
    let (sandbox, receiver) = sandbox_and_receiver(json!({"tells": "updatedFields"})).await;
    sandbox.change("customers/5", json!({"extendedFields": {"step": "start"}})).await;
    let changes = (0..40).map(|step| sandbox.change("customers/5", json!({"extendedFields": {"step": format!("step {step}")}})));
    futures_util::future::join_all(changes).await;
    let mut known = json!("start");
    let mut seen = HashSet::new();
    for received in &receiver.until_received(41).await[1..] {
        let updated = received.event()["data"]["updatedFields"][0].clone();
        assert_eq!(updated["previousValue"], known);
        known = updated["currentValue"].clone();
        assert!(seen.insert(known.to_string()));
    }
    assert_eq!(sandbox.customer_body(5).await["extendedFields"]["step"], known);
}
