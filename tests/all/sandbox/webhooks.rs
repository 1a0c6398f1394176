//! Webhooks that are registered through Capillary's API, and what is sent to them.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::receiver::{Answer, Receiver};
use super::running::{PATIENCE, TestSandbox, registration};
use super::samples::{assert_alike, sample};
use crate::support::wait::poll;

const NOWHERE: &str = "http://127.0.0.1:9/events";

async fn listed(sandbox: &TestSandbox) -> Vec<Value> {
    sandbox.body("/v3/webHooks").await["data"].as_array().unwrap().clone()
}

fn path(webhook: &Value) -> String {
    format!("/v3/webHooks/{}", webhook["webHookId"].as_str().unwrap())
}

/// An event that was sent byte for byte, so that the test gives it its name.
async fn named_event(sandbox: &TestSandbox, id: &str, name: &str) {
    let body = json!({"eventId": id, "eventName": name});
    sandbox.control(Method::POST, "/sandbox/events", Some(body)).await;
}

/// The states of an event, one for each webhook that takes it.
async fn states(sandbox: &TestSandbox, event_id: &str) -> Vec<(String, String)> {
    let deliveries = sandbox.deliveries().await.into_iter().filter(|delivery| delivery["eventId"] == event_id);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    deliveries.map(|delivery| (text(&delivery["webHookId"]), text(&delivery["state"]))).collect()
}

async fn until_state(sandbox: &TestSandbox, event_id: &str, webhook: &Value, state: &str) {
    let id = webhook["webHookId"].as_str().unwrap();
    let come =
        poll(PATIENCE, async || states(sandbox, event_id).await.contains(&(id.to_owned(), state.to_owned())).then_some(()));
    assert!(come.await.is_some(), "{event_id} is not {state}: {:?}", states(sandbox, event_id).await);
}

#[tokio::test]
async fn a_registered_webhook_has_the_documented_members_each_time_it_is_shown() {
    let sandbox = TestSandbox::start().await;
    assert_eq!(listed(&sandbox).await, Vec::<Value>::new());
    let documented = sample("v3_webHooks_post");

    let mut sent = registration("orders", NOWHERE, &["customerAdded"]);
    sent["webHookHeaders"] = json!({"Authorization": "Basic b25lOnNlY3JldA==", "Content-Type": "application/json"});
    let (status, made) = sandbox.say(Method::POST, "/v3/webHooks", &sent).await;
    assert_eq!(status, StatusCode::OK);
    assert_alike(&made, &documented);
    let id = made["data"]["webHookId"].as_str().unwrap();
    assert_eq!(id.len(), 24);
    assert_eq!(listed(&sandbox).await, [made["data"].clone()]);

    let mut changes = registration("orders renamed", NOWHERE, &["customerAdded", "transactionAdded"]);
    changes["webHookHeaders"] = json!({"Authorization": "Basic YW5vdGhlcjpzZWNyZXQ=", "Content-Type": "application/json"});
    changes["maxAllowedConnections"] = json!(220);
    changes["methodType"] = json!("PUT");
    let (status, changed) = sandbox.say(Method::PUT, &path(&made["data"]), &changes).await;
    assert_eq!(status, StatusCode::OK);
    assert_alike(&changed, &documented);
    for (name, value) in changes.as_object().unwrap() {
        assert_eq!(&changed["data"][name], value, "{name}");
    }
    for kept in ["webHookId", "consumerGroupId"] {
        assert_eq!(changed["data"][kept], made["data"][kept], "{kept}");
    }
    assert_eq!(changed["data"]["attribution"]["createdOn"], made["data"]["attribution"]["createdOn"]);

    let (status, off) = sandbox.say(Method::DELETE, &path(&made["data"]), &json!({})).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(off["data"]["active"], false);
    assert_eq!(listed(&sandbox).await, [off["data"].clone()], "a DELETE only switches off");
}

#[tokio::test]
async fn times_are_written_without_a_colon_in_the_offset() {
    let sandbox = TestSandbox::start().await;
    let made = sandbox.register("orders", NOWHERE, &["customerAdded"]).await;
    let created_on = made["attribution"]["createdOn"].as_str().unwrap();
    let documented = sample("v3_webHooks_post")["data"]["attribution"]["createdOn"].as_str().unwrap().to_owned();
    let form = |text: &str| text.replace(|letter: char| letter.is_ascii_digit(), "0");
    assert_eq!(form(created_on), form(&documented));
}

#[tokio::test]
async fn what_is_wrong_with_a_registration_is_told_by_its_code() {
    let sandbox = TestSandbox::start().await;
    let right = registration("orders", NOWHERE, &["customerAdded"]);
    for (member, value, code) in [
        ("eventNames", Value::Null, 51_003),
        ("eventNames", json!([]), 51_003),
        ("maxAllowedConnections", json!(0), 51_007),
        ("maxAllowedConnections", json!(-1), 51_007),
        ("maxAllowedConnections", Value::Null, 300_004),
        ("name", Value::Null, 400),
        ("webHookUrl", json!("not a URL"), 400),
        ("webHookHeaders", json!(["authorization"]), 400),
        ("webHookHeaders", json!({"authorization": 12_345}), 400),
        ("webHookType", json!("CARRIER_PIGEON"), 400),
        ("methodType", json!("PATCH"), 400),
        ("active", Value::Null, 400),
        ("customerIdentifiersToBeEnriched", Value::Null, 400),
    ] {
        let mut wrong = right.clone();
        wrong[member] = value.clone();
        let (status, answer) = sandbox.say(Method::POST, "/v3/webHooks", &wrong).await;
        assert_eq!((status, &answer["data"]), (StatusCode::BAD_REQUEST, &Value::Null), "{member} {value}");
        assert_eq!(answer["errors"][0]["code"], code, "{member} {value}");
        assert!(!answer.to_string().contains("12345"), "a header's value is repeated: {answer}");
    }
    assert_eq!(listed(&sandbox).await, Vec::<Value>::new());
    for (method, path) in [(Method::PUT, "/v3/webHooks/nobody"), (Method::DELETE, "/v3/webHooks/nobody")] {
        assert_eq!(sandbox.say(method, path, &right).await.0, StatusCode::BAD_REQUEST, "{path}");
    }
}

#[tokio::test]
async fn a_name_is_given_once() {
    let sandbox = TestSandbox::start().await;
    sandbox.register("orders", NOWHERE, &["customerAdded"]).await;
    let second = sandbox.register("points", NOWHERE, &["pointsIssued"]).await;
    let same = registration("orders", NOWHERE, &["pointsIssued"]);
    assert_eq!(sandbox.say(Method::POST, "/v3/webHooks", &same).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(sandbox.say(Method::PUT, &path(&second), &same).await.0, StatusCode::BAD_REQUEST);
    let unchanged = registration("points", NOWHERE, &["pointsIssued"]);
    assert_eq!(sandbox.say(Method::PUT, &path(&second), &unchanged).await.0, StatusCode::OK, "its own name is free for it");
}

#[tokio::test]
async fn names_of_events_are_taken_as_the_documentation_spells_them() {
    let sandbox = TestSandbox::start().await;
    for misspelled in ["customeradded", "couponIssue", "COUPONREDEEM"] {
        let wrong = registration("orders", NOWHERE, &[misspelled]);
        assert_eq!(sandbox.say(Method::POST, "/v3/webHooks", &wrong).await.0, StatusCode::BAD_REQUEST, "{misspelled}");
    }
    // One has two spellings; another is the org's own.
    let spelled = ["CouponIssue", "issuedAlternateCurrenciesReversed", "issuedalternateCurrenciesReversed", "cartAbandoned"];
    assert_eq!(sandbox.register("orders", NOWHERE, &spelled).await["eventNames"], json!(spelled));
}

#[tokio::test]
async fn each_webhook_gets_the_events_that_it_names() {
    let [customers, bills, both] = [Receiver::content().await, Receiver::content().await, Receiver::content().await];
    let sandbox = TestSandbox::start().await;
    let of_customers = sandbox.register("customers", customers.url(), &["customerAdded", "customerUpdated"]).await;
    let of_bills = sandbox.register("bills", bills.url(), &["transactionAdded"]).await;
    let of_both = sandbox.register("both", both.url(), &["customerAdded", "transactionAdded"]).await;

    let added = sandbox.change("customers/5", json!({})).await.event_id.unwrap();
    let updated = sandbox.change("customers/5", json!({})).await.event_id.unwrap();
    let bought = sandbox.change("transactions/3", json!({})).await.event_id.unwrap();
    assert_eq!(sandbox.change("groups/8", json!({})).await.event_id, None, "nobody has subscribed to groupUpdated");
    for (event_id, webhook) in
        [(&added, &of_customers), (&updated, &of_customers), (&bought, &of_bills), (&added, &of_both), (&bought, &of_both)]
    {
        until_state(&sandbox, event_id, webhook, "delivered").await;
    }
    assert_eq!(customers.ids(), [added.clone(), updated]);
    assert_eq!(bills.ids(), std::slice::from_ref(&bought));
    assert_eq!(both.ids(), [added, bought], "one event has one id, wherever it goes");
    assert!(customers.received().iter().all(|received| received.headers["x-webhook-key"] == "k"));
}

#[tokio::test]
async fn a_webhook_that_is_stuck_holds_up_no_other() {
    let (stuck, content) = (Receiver::start(|_, _| Answer::Never).await, Receiver::content().await);
    let sandbox = TestSandbox::start().await;
    let of_stuck = sandbox.register("stuck", stuck.url(), &["hello"]).await;
    let of_content = sandbox.register("content", content.url(), &["hello"]).await;
    for id in ["a", "b"] {
        named_event(&sandbox, id, "hello").await;
    }
    until_state(&sandbox, "b", &of_content, "delivered").await;
    assert_eq!(content.ids(), ["a", "b"]);
    until_state(&sandbox, "a", &of_stuck, "sending").await;
    until_state(&sandbox, "b", &of_stuck, "waiting").await;
}

#[tokio::test]
async fn while_a_webhook_is_switched_off_its_events_wait() {
    let receiver = Receiver::content().await;
    let sandbox = TestSandbox::start().await;
    let webhook = sandbox.register("orders", receiver.url(), &["hello"]).await;
    sandbox.say(Method::DELETE, &path(&webhook), &json!({})).await;
    named_event(&sandbox, "a", "hello").await;
    until_state(&sandbox, "a", &webhook, "waiting").await;
    let on = sandbox.say(Method::PUT, &path(&webhook), &json!({"active": true})).await;
    assert_eq!(on.0, StatusCode::OK, "what a PUT does not name stays");
    until_state(&sandbox, "a", &webhook, "delivered").await;
    assert_eq!(receiver.ids(), ["a"]);
}

#[tokio::test]
async fn an_empty_row_of_headers_is_taken_and_shown_but_cannot_be_sent() {
    let receiver = Receiver::content().await;
    let sandbox = TestSandbox::start().await;
    let mut registration = registration("orders", receiver.url(), &["hello"]);
    registration["webHookHeaders"] = json!({"": "", "x-webhook-key": "k"});
    assert_eq!(sandbox.say(Method::POST, "/v3/webHooks", &registration).await.0, StatusCode::OK);
    assert_eq!(listed(&sandbox).await[0]["webHookHeaders"], json!({"": "", "x-webhook-key": "k"}));
    named_event(&sandbox, "a", "hello").await;
    let received = receiver.until_received(1).await.remove(0);
    assert_eq!(received.headers["x-webhook-key"], "k");
    assert!(received.headers.keys().all(|name| !name.as_str().is_empty()));
}

#[tokio::test]
async fn an_internal_queue_gets_nothing_over_http() {
    let sandbox = TestSandbox::start().await;
    let mut registration = registration("internal", " ", &["hello"]);
    registration["webHookType"] = json!("QUEUE_INT");
    registration["webHookHeaders"] = json!({});
    assert_eq!(sandbox.say(Method::POST, "/v3/webHooks", &registration).await.0, StatusCode::OK);
    let event = sandbox.request(Method::POST, "/sandbox/events").json(&json!({"eventName": "hello"}));
    assert_eq!(event.send().await.unwrap().status(), StatusCode::CONFLICT);
}

#[tokio::test]
async fn sandboxes_own_webhook_is_one_of_them_and_takes_whatever_happens() {
    let receiver = Receiver::content().await;
    let sandbox = TestSandbox::start().await;
    sandbox.webhook(json!({"url": receiver.url(), "headers": {"x-webhook-key": "own"}, "maxAllowedConnections": 1})).await;
    let own = listed(&sandbox).await.remove(0);
    assert_alike(&json!({"data": own, "errors": null, "warnings": null}), &{
        let mut documented = sample("v3_webHooks_post");
        documented["data"]["webHookHeaders"] = json!({"x-webhook-key": "k"});
        documented
    });
    assert_eq!((&own["webHookUrl"], &own["active"]), (&json!(receiver.url()), &json!(true)));
    assert_eq!(own["webHookHeaders"], json!({"x-webhook-key": "own"}), "as Capillary shows them");
    assert_eq!(own["eventNames"].as_array().unwrap().len(), 78);
    named_event(&sandbox, "a", "something new").await;
    until_state(&sandbox, "a", &own, "delivered").await;

    // It can be changed from either side.
    sandbox.say(Method::DELETE, &path(&own), &json!({})).await;
    assert_eq!(sandbox.control(Method::GET, "/sandbox/webhook", None).await["active"], false);
    sandbox.webhook(json!({"active": true, "timeScale": 20})).await;
    assert_eq!(listed(&sandbox).await[0]["active"], true);
    sandbox.say(Method::PUT, &path(&own), &json!({"eventNames": ["hello"]})).await;
    named_event(&sandbox, "b", "hello").await;
    let refused = sandbox.request(Method::POST, "/sandbox/events").json(&json!({"eventName": "something new"}));
    assert_eq!(refused.send().await.unwrap().status(), StatusCode::CONFLICT, "from then on it takes what it names");
}

#[tokio::test]
async fn reset_forgets_those_that_were_registered_and_what_they_still_get() {
    let receiver = Receiver::content().await;
    let sandbox = TestSandbox::start_with(&[("SANDBOX_WEBHOOK_URL", receiver.url())]).await;
    let [own] = <[Value; 1]>::try_from(listed(&sandbox).await).unwrap();
    let other = sandbox.register("other", NOWHERE, &["hello"]).await;
    sandbox.event("a").await;
    until_state(&sandbox, "a", &other, "waiting").await;
    sandbox.control(Method::POST, "/sandbox/reset", None).await;
    let [left] = <[Value; 1]>::try_from(listed(&sandbox).await).unwrap();
    assert_eq!(left["webHookId"], own["webHookId"]);
    sandbox.event("b").await;
    until_state(&sandbox, "b", &own, "delivered").await;
    assert_eq!(states(&sandbox, "b").await.len(), 1);
}
