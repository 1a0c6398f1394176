//! `capctl trace`: an event's story, from wherever it stands.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::json;

use crate::support::capctl::{Capctl, Ran};
use crate::support::events::{ORG, of_customer};
use crate::support::fault_proxy::Fault;
use crate::support::stack::Stack;
use crate::support::stage::{NO_LAG, Stage, customer};
use crate::support::world::{World, now_ms};
use crate::support::{http, wait};

const SHE: u64 = 5;

fn updated(id: &str) -> serde_json::Value {
    of_customer("customerUpdated", id, SHE)
}

async fn trace<C>(stage: &Stage<C>, capillary: &str, id: &str) -> Ran {
    Capctl::of(&stage.world, capillary).run(&["trace", id]).await
}

#[tokio::test]
async fn what_was_published_is_told_with_where_it_changed_but_not_to_what() {
    let stage = Stage::with(NO_LAG).await;
    stage.capillary.customer(SHE, &customer(SHE, "Oldtown", Some(10)));
    stage.tell(&updated("first")).await;
    stage.capillary.customer(SHE, &customer(SHE, "Newtown", Some(11)));
    stage.tell(&updated("second")).await;

    let ran = trace(&stage, stage.capillary.url(), "second").await;
    ran.says(&["second  customerUpdated  org 100737", "PUBLISHED", "complete", "customer/5: found, version ", "On the bus."]);
    ran.says(&["replace /extendedFields/city of customer/5 (snapshot)"]);
    ran.keeps_secret(&["Oldtown", "Newtown"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));

    let told = Capctl::of(&stage.world, stage.capillary.url()).run(&["--json", "trace", "first"]).await.object();
    let event = &told["events"][0];
    assert_eq!((&event["standing"]["state"], &event["ledger"]["status"]), (&json!("published"), &json!("PUBLISHED")));
    assert_eq!(event["ledger"]["summary"]["entities"][0]["baseline"], json!(true));
    let since_ms = now_ms().saturating_sub(event["ledger"]["statusAt"].as_u64().expect("a time"));
    assert!(since_ms < 60_000, "published {since_ms} ms ago");
}

#[tokio::test]
async fn what_waits_says_so_and_what_is_stored_is_told_before_it_is_published() {
    let stage = Stage::with(NO_LAG).await;
    stage.capillary.customer(SHE, &customer(SHE, "Porto", Some(10)));
    stage.world.proxy.always("PutEvents", Fault::Refused(500, "InternalFailure"));
    let batch = stage.attempt(&updated("stored")).await;
    assert_eq!(batch.back.len(), 1);

    let ran = trace(&stage, stage.capillary.url(), "stored").await;
    ran.says(&["ENRICHED", "customer/5: found", "first sight", "Worked out and stored, and waits to be published"]);
    ran.keeps_secret(&["Porto"]);
    assert_eq!(ran.code, 0, "nobody has to do anything: {ran:?}");
}

#[tokio::test]
async fn a_message_that_somebody_deleted_is_missed() {
    let stage = Stage::with(NO_LAG).await;
    stage.capillary.customer(SHE, &customer(SHE, "Porto", Some(10)));
    stage.world.proxy.always("PutEvents", Fault::Refused(500, "InternalFailure"));
    for message in stage.attempt(&updated("deleted")).await.back {
        let delete = stage.world.aws.sqs.delete_message().queue_url(&stage.world.names.events_queue);
        delete.receipt_handle(&message.receipt_handle).send().await.expect("the message is deleted");
    }
    let an_hour_ago = AttributeValue::N((now_ms() - 3_600_000).to_string());
    for time in ["receivedAt", "statusAt"] {
        stage.world.set("deleted", time, an_hour_ago.clone()).await;
    }

    let ran = trace(&stage, stage.capillary.url(), "deleted").await;
    ran.says(&["Received and not published, and neither queue has it"]);
    assert_eq!(ran.code, 1, "{ran:?}");
}

#[tokio::test]
async fn a_dead_letter_is_told_with_its_reason_and_stays_where_it_is() {
    let stage = Stage::with(&[("CAPILLARY_REPLICA_LAG_SECONDS", "0"), ("MAX_ATTEMPTS", "1")]).await;
    stage.capillary.customer(SHE, &customer(SHE, "Porto", Some(10)));
    stage.world.proxy.always("PutEvents", Fault::EntriesRefused("poison", "MalformedDetail"));
    stage.attempt(&updated("poison")).await.all_done();

    for _ in 0..2 {
        let ran = trace(&stage, stage.capillary.url(), "poison").await;
        ran.says(&["FAILED (invalid_entry)", "MalformedDetail", "the bus calls it invalid", "capctl dlq redrive --message-id "]);
        assert_eq!(ran.code, 1);
    }
    assert_eq!(stage.world.dead_letters().await.len(), 1);
    let told = Capctl::of(&stage.world, stage.capillary.url()).run(&["--json", "trace", "poison"]).await.object();
    assert_eq!(told["events"][0]["standing"]["state"], "dead_lettered");
    assert_eq!(told["events"][0]["deadLetter"]["reason"], "invalid_entry");
}

#[tokio::test]
async fn events_are_found_by_the_request_that_caused_them_also_where_capillary_knows_nothing() {
    let stage = Stage::with(NO_LAG).await;
    stage.capillary.customer(SHE, &customer(SHE, "Porto", Some(10)));
    for id in ["one", "two"] {
        let mut event = updated(id);
        event["apiRequestId"] = json!("request-of-both");
        stage.tell(&event).await;
    }
    stage.tell(&updated("another")).await;

    let capctl = Capctl::of(&stage.world, stage.capillary.url());
    let told = capctl.run(&["--json", "trace", "request-of-both"]).await.object();
    let mut ids: Vec<&str> =
        told["events"].as_array().expect("events").iter().filter_map(|event| event["eventId"].as_str()).collect();
    ids.sort_unstable();
    assert_eq!(ids, ["one", "two"]);
    let by_reference = capctl.run(&["--json", "trace", &format!("{ORG}_{SHE}")]).await.object();
    assert_eq!(by_reference["events"].as_array().map(Vec::len), Some(3));
    let nowhere = capctl.run(&["trace", "request-of-both", "--no-search"]).await;
    assert_eq!(nowhere.code, 1);
    nowhere.says(&["is no event's id in the ledger", "As another id it was not searched for"]);
}

#[tokio::test]
async fn capillary_may_be_down_and_the_rest_is_told() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    receiver.deliver(updated("alone").to_string()).await.accepted();
    let ran = Capctl::of(&world, "http://127.0.0.1:9").run(&["trace", "alone"]).await;
    ran.says(&["RECEIVED", "Being received at this moment", "Capillary's event log can't be asked"]);
    assert_eq!(ran.code, 0);
}

#[tokio::test]
async fn the_deployed_stack_tells_an_events_whole_story() {
    let stack = Stack::load();
    let customer = u64::from(uuid::Uuid::new_v4().as_fields().0);
    let client = http::client();
    let fault = json!({"path": format!("/v2/customers/{customer}"), "kind": "status", "status": 503, "times": 1});
    let before: Vec<serde_json::Value> = client
        .get(format!("{}/sandbox/faults", stack.text("/sandboxUrl")))
        .send()
        .await
        .expect("the sandbox answers")
        .json()
        .await
        .expect("a list");
    let faults: Vec<_> = before.into_iter().chain([fault]).collect();
    client.put(format!("{}/sandbox/faults", stack.text("/sandboxUrl"))).json(&faults).send().await.expect("the sandbox answers");

    let id = uuid::Uuid::new_v4().to_string();
    let mut post = client.post(stack.text("/eventsUrl")).body(of_customer("customerUpdated", &id, customer).to_string());
    for (name, value) in stack.webhook_headers() {
        post = post.header(name, value);
    }
    assert_eq!(post.send().await.expect("the gateway answers").status().as_u16(), 200);

    let capctl = Capctl::of_stack(&stack);
    let published = wait::poll(Duration::from_secs(60), async || {
        let ran = capctl.run(&["--json", "trace", &id]).await;
        let told = ran.object();
        let is_told =
            told["events"][0]["log"].as_array().is_some_and(|lines| lines.iter().any(|line| line["outcome"] == "published"));
        (ran.code == 0 && told["events"][0]["standing"]["state"] == "published" && is_told).then_some(told)
    })
    .await
    .expect("it is published, and the log says so");
    let lines = published["events"][0]["log"].as_array().expect("lines").clone();
    let said: Vec<_> = lines.iter().map(|line| (line["function"].as_str(), line["outcome"].as_str())).collect();
    assert_eq!(said.first(), Some(&(Some("receiver"), Some("accepted"))));
    assert!(said.contains(&(Some("enricher"), Some("put_back"))), "{said:?}");
    assert!(lines.iter().any(|line| line["cause"] == "capillary: 503"), "{lines:?}");
    assert_eq!(published["notes"], json!([]));
}
