//! Groups: in both forms of the answer, and told without what changed.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::changes::sandbox_and_receiver;
use super::running::{TestSandbox, error_code};
use super::samples::{self, assert_alike};

impl TestSandbox {
    async fn group(&self, id: u64) -> Value {
        self.body(&format!("/v2/userGroup2?id={id}")).await
    }
}

#[tokio::test]
async fn a_group_nobody_spoke_of_is_found_with_a_first_member_of_its_own() {
    let sandbox = TestSandbox::start().await;
    let answer = sandbox.group(48015).await;
    assert_alike(&answer, &samples::answer("v2_userGroup2_get"));
    let group = &answer["data"][0];
    assert_eq!((&group["groupId"], &answer["pagination"]["total"]), (&json!(48015), &json!(1)));
    let member = sandbox.customer_body(group["primaryMemberId"].as_u64().unwrap()).await;
    assert_eq!(group["firstName"], member["profiles"][0]["firstName"]);
    assert_eq!(group["email"], member["profiles"][0]["identifiersAll"][1]["value"]);
    assert_eq!(sandbox.group(48015).await, answer);
    assert_ne!(sandbox.group(48016).await["data"][0]["groupName"], group["groupName"]);
}

#[tokio::test]
async fn an_unknown_group_is_an_error_beside_nothing() {
    let sandbox = TestSandbox::start().await;
    sandbox.stand("/sandbox/groups/3/state", json!({"state": "not_found"})).await;
    let answer = sandbox.group(3).await;
    assert_eq!((&answer["data"], &answer["pagination"]["total"]), (&json!([]), &json!(0)));
    assert_eq!(answer["errors"][0]["code"], 1632);
    sandbox.stand("/sandbox/groups/3/state", json!({"state": "not_found", "httpStatus": 400})).await;
    assert_eq!(sandbox.asked("/v2/userGroup2?id=3").send().await.unwrap().status(), StatusCode::BAD_REQUEST);
    for query in ["", "?id=three"] {
        let response = sandbox.asked(&format!("/v2/userGroup2{query}")).send().await.unwrap();
        assert_eq!(error_code(response).await, 91052, "{query}");
    }
}

#[tokio::test]
async fn a_group_can_be_answered_as_it_is_without_a_page() {
    let sandbox = TestSandbox::start().await;
    sandbox.change("groups/3", json!({"groupName": "The Bergs", "extendedFields": {"platinum": null, "since": 2021}})).await;
    sandbox.forms(json!({"groups": "object"})).await;
    let answer = sandbox.group(3).await;
    let mut shape = answer.clone();
    shape["extendedFields"] = json!({"platinum": 1});
    assert_alike(&shape, &samples::answer("v2_userGroup2_get__object"));
    assert_eq!((&answer["id"], &answer["groupName"]), (&json!(3), &json!("The Bergs")));
    assert_eq!(answer["extendedFields"], json!({"since": 2021}));
    let member = sandbox.control(Method::GET, "/sandbox/groups/3", None).await["primaryMemberId"].clone();
    assert_eq!(answer["fleetGroupUsers"][0]["userId"], member);
    sandbox.stand("/sandbox/groups/3/state", json!({"state": "not_found"})).await;
    let refusal = sandbox.group(3).await;
    assert_eq!((&refusal["errors"][0]["code"], refusal.get("data")), (&json!(1632), None));
}

#[tokio::test]
async fn forms_that_there_are_not_are_refused() {
    let sandbox = TestSandbox::start().await;
    for nonsense in [json!({"groups": "list"}), json!({"couponIds": 3}), json!({"cards": true})] {
        assert!(sandbox.put_status("/sandbox/forms", nonsense.clone()).await.is_client_error(), "{nonsense}");
    }
}

#[tokio::test]
async fn its_event_looks_like_the_sample_and_does_not_say_what_changed() {
    let (sandbox, receiver) = sandbox_and_receiver(json!({"orgId": 9240})).await;
    let first = sandbox.change("groups/3", json!({"groupName": "The Bergs", "primaryMemberId": 7})).await;
    sandbox.change("groups/3?event=groupCreated", json!({})).await;
    let events: Vec<Value> = receiver.until_received(2).await.iter().map(super::receiver::Received::event).collect();
    assert_eq!((&events[0]["eventName"], &events[1]["eventName"]), (&json!("groupUpdated"), &json!("groupCreated")));
    assert_eq!((&events[0]["eventId"], &events[0]["refId"]), (&json!(first.event_id), &json!("9240_3")));
    let mut data = events[0]["data"].clone();
    assert_eq!((&data["groupId"], &data["groupName"]), (&json!(3), &json!("The Bergs")));
    let member = &data["primaryMember"];
    let customer = sandbox.customer_body(7).await;
    assert_eq!(member["customerIdentifiers"]["customerId"], 7);
    assert_eq!(member["firstName"], customer["profiles"][0]["firstName"]);
    // Which identifiers are there depends on the customer.
    data["primaryMember"]["customerIdentifiers"] = json!({"customerId": 7});
    assert_alike(&data, &samples::sample("groupCreated__flat_full")["data"]);
}
