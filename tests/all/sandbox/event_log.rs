//! What Capillary's event log and its counts say of the events that were sent.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::receiver::{Answer, Receiver};
use super::running::{PATIENCE, TestSandbox};
use super::samples::{assert_alike, sample};
use crate::support::wait::poll;

async fn of_request(sandbox: &TestSandbox, request_id: &str) -> Vec<Value> {
    sandbox.body(&format!("/v3/webHooks/eventLog/requestId/{request_id}")).await["data"].as_array().unwrap().clone()
}

async fn counts(sandbox: &TestSandbox, webhook: &Value, query: &str) -> Value {
    let group = webhook["consumerGroupId"].as_str().unwrap();
    sandbox.body(&format!("/v3/events/consumer-groups/{group}/metrics{query}")).await
}

#[tokio::test]
async fn an_event_is_followed_from_its_coming_to_its_delivery() {
    let receiver = Receiver::content().await;
    let sandbox = TestSandbox::start().await;
    sandbox.webhook(json!({"url": receiver.url(), "active": false})).await;
    let webhook = sandbox.body("/v3/webHooks").await["data"][0].clone();
    let changed = sandbox.change("customers/5", json!({})).await;
    let event_id = changed.event_id.unwrap();

    let [waiting] = <[Value; 1]>::try_from(of_request(&sandbox, &changed.request_id).await).unwrap();
    for empty in ["eventStartTimestamp", "eventEndTimestamp", "consumerResponse", "slaBreachTimestamp"] {
        assert_eq!(waiting[empty], Value::Null, "{empty}");
    }

    sandbox.webhook(json!({"active": true})).await;
    sandbox.until_delivery(&event_id, "delivered").await;
    let [row] = <[Value; 1]>::try_from(of_request(&sandbox, &changed.request_id).await).unwrap();
    assert_alike(&row, &sample("v3_webHooks_eventLog_requestId__delivered")["data"][0]);
    assert_eq!((&row["eventId"], &row["eventName"]), (&json!(event_id), &json!("customerAdded")));
    assert_eq!((&row["refId"], &row["requestId"]), (&json!("100737_5"), &json!(changed.request_id)));
    assert_eq!(row["consumerGroupId"], webhook["consumerGroupId"]);
    // Written as in the samples: a fraction, and offsets without a colon.
    assert_eq!(row["consumerResponse"]["webhookHttpStatus"].to_string(), "200.0");
    let form = |text: &Value| text.as_str().unwrap().replace(|letter: char| letter.is_ascii_digit(), "0");
    let times = ["eventIngestionTimestamp", "eventStartTimestamp", "eventEndTimestamp"];
    for name in times {
        assert_eq!(form(&row[name]), "0000-00-00T00:00:00.000+0000", "{name}");
    }
    let told: Vec<&str> = times.iter().map(|name| row[*name].as_str().unwrap()).collect();
    assert!(told.is_sorted(), "{told:?}");
    assert_eq!(row["eventIngestionTimestamp"], waiting["eventIngestionTimestamp"]);
}

#[tokio::test]
async fn an_event_that_is_not_taken_has_an_answer_and_no_end() {
    let receiver = Receiver::start(|id, _| Answer::Status(if id == "refused" { 400 } else { 429 })).await;
    let sandbox = TestSandbox::start().await;
    // So slow that the second attempt does not come by itself.
    sandbox.webhook(json!({"url": receiver.url(), "timeScale": 0.001})).await;
    for (id, state, status) in [("refused", "refused", 400.0), ("later", "waiting", 429.0)] {
        sandbox.event(id).await;
        let delivery = async || {
            let delivery = sandbox.until_delivery(id, state).await;
            (!delivery["attempts"].as_array().unwrap().is_empty()).then_some(())
        };
        poll(PATIENCE, delivery).await.unwrap();
        let row = sandbox.body(&format!("/v3/webHooks/eventLog/{id}")).await["data"].clone();
        assert_eq!(row["consumerResponse"]["webhookHttpStatus"], status, "{id}");
        assert_eq!(row["eventEndTimestamp"], Value::Null, "{id}");
        assert!(row["eventStartTimestamp"].is_string(), "{id}");
    }
}

#[tokio::test]
async fn each_webhook_that_takes_an_event_has_a_row_of_its_own() {
    let receiver = Receiver::content().await;
    let sandbox = TestSandbox::start().await;
    let first = sandbox.register("first", receiver.url(), &["customerAdded"]).await;
    let second = sandbox.register("second", receiver.url(), &["customerAdded"]).await;
    let changed = sandbox.change("customers/5", json!({})).await;
    let rows = of_request(&sandbox, &changed.request_id).await;
    let groups: Vec<&Value> = rows.iter().map(|row| &row["consumerGroupId"]).collect();
    assert_eq!(groups, [&first["consumerGroupId"], &second["consumerGroupId"]]);
    assert!(rows.iter().all(|row| row["eventId"] == json!(changed.event_id)));
}

#[tokio::test]
async fn a_reference_leads_to_one_row_or_to_all_of_them() {
    let receiver = Receiver::content().await;
    let sandbox = TestSandbox::start().await;
    sandbox.webhook(json!({"url": receiver.url()})).await;
    sandbox.change("customers/5", json!({})).await;
    let second = sandbox.change("customers/5", json!({})).await;
    let path = "/v3/webHooks/eventLog/refId/100737_5";
    let object = sandbox.body(path).await;
    assert_eq!(object["data"]["eventId"], json!(second.event_id), "the newest");
    sandbox.forms(json!({"refIdLog": "array"})).await;
    let array = sandbox.body(path).await;
    assert_eq!(array["data"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn an_event_is_found_by_its_id() {
    let receiver = Receiver::content().await;
    let sandbox = TestSandbox::start().await;
    sandbox.webhook(json!({"url": receiver.url(), "active": false})).await;
    let event_id = sandbox.change("customers/5", json!({})).await.event_id.unwrap();
    let answer = sandbox.body(&format!("/v3/webHooks/eventLog/{event_id}")).await;
    let mut documented = sample("v3_webHooks_eventLog_eventId");
    documented["data"]["eventStartTimestamp"] = Value::Null;
    assert_alike(&answer, &documented);
    assert_eq!(answer["data"]["eventId"], json!(event_id));
}

#[tokio::test]
async fn nobody_is_told_of_what_was_never_sent() {
    let sandbox = TestSandbox::start().await;
    assert_eq!(of_request(&sandbox, "unknown").await, Vec::<Value>::new());
    for path in ["/v3/webHooks/eventLog/unknown", "/v3/webHooks/eventLog/refId/unknown"] {
        let response = sandbox.asked(path).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{path}");
        let answer: Value = response.json().await.unwrap();
        assert_eq!(answer["data"], Value::Null);
        assert!(answer["errors"][0]["code"].is_number());
    }
}

#[tokio::test]
async fn the_counts_of_a_webhook_are_those_of_its_deliveries() {
    let receiver = Receiver::start(|id, _| match id {
        "refused" => Answer::Status(400),
        "later" => Answer::Status(429),
        _ => Answer::Status(200),
    })
    .await;
    let sandbox = TestSandbox::start().await;
    sandbox.webhook(json!({"url": receiver.url(), "timeScale": 0.001, "maxAllowedConnections": 1})).await;
    let webhook = sandbox.body("/v3/webHooks").await["data"][0].clone();
    let elsewhere = Receiver::content().await;
    sandbox.register("another", elsewhere.url(), &["hello"]).await;
    for id in ["taken", "refused", "later", "queued"] {
        sandbox.event(id).await;
    }
    receiver.until_received(3).await;
    let retrying = async || Some(counts(&sandbox, &webhook, "").await).filter(|counts| counts["data"]["retryingEvents"] == 1);
    let told = poll(PATIENCE, retrying).await.expect("one is tried again");
    assert_alike(&told, &sample("v3_consumer_groups_metrics"));
    let data = &told["data"];
    assert_eq!((&data["totalEvents"], &data["deliveredEvents"]), (&json!(4), &json!(1)));
    assert_eq!((&data["failedEvents"], &data["pendingEvents"]), (&json!(1), &json!(1)));
    let days = (data["endDate"].as_u64().unwrap() - data["startDate"].as_u64().unwrap()) / (24 * 60 * 60 * 1000);
    assert_eq!(days, 30);
    // Another time, another webhook.
    assert_eq!(counts(&sandbox, &webhook, "?startDate=1000&endDate=2000").await["data"]["totalEvents"], 0);
    for path in
        ["unknown/metrics".to_owned(), format!("{}/metrics?startDate=yesterday", webhook["consumerGroupId"].as_str().unwrap())]
    {
        let response = sandbox.asked(&format!("/v3/events/consumer-groups/{path}")).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{path}");
    }
}
