//! Each message of a batch stands alone (design, section 3).

use serde_json::{Value, json};

use crate::support::events::{of_customer, of_nobody};
use crate::support::fault_proxy::Fault;
use crate::support::world::{World, now_ms};

const NO_ATTRIBUTES: [(&str, &str, &str); 0] = [];

#[tokio::test]
async fn what_is_no_json_goes_to_the_dead_letter_queue_and_the_rest_is_fine() {
    let world = World::new().await;
    let enricher = world.enricher().await;
    let attributes = [("v", "Number", "1"), ("eventId", "String", "bad"), ("receivedAt", "Number", "1755225718242")];
    world.enqueue(&of_nobody("before")).await;
    world.enqueue_raw("{\"eventName\": \"cut", &attributes).await;
    world.enqueue_raw("[1, 2]", &NO_ATTRIBUTES).await;
    world.enqueue(&of_customer("customerUpdated", "after", 5)).await;
    world.enrich(&enricher).await.all_done();
    let letters = world.dead_letters().await;
    let mut bodies: Vec<&str> = letters.iter().map(|letter| letter.body.as_str()).collect();
    bodies.sort_unstable();
    assert_eq!(bodies, ["[1, 2]", "{\"eventName\": \"cut"]);
    assert!(letters.iter().all(|letter| letter.attribute("reason") == Some("not_json")), "{letters:?}");
    let mut ids: Vec<Value> = world.published(2).await.iter().map(|detail| detail["id"].clone()).collect();
    ids.sort_by_key(ToString::to_string);
    assert_eq!(ids, [json!("after"), json!("before")]);
}

#[tokio::test]
async fn an_encoding_that_is_broken_is_no_json_either() {
    let world = World::new().await;
    let enricher = world.enricher().await;
    for encoding in ["base64", "gzip+base64"] {
        world.enqueue_raw("%%%", &[("v", "Number", "1"), ("contentEncoding", "String", encoding)]).await;
    }
    // Base64 that is fine around bytes that are no gzip.
    world.enqueue_raw("AAAA", &[("v", "Number", "1"), ("contentEncoding", "String", "gzip+base64")]).await;
    world.enqueue(&of_nobody("good")).await;
    world.enrich(&enricher).await.all_done();
    assert_eq!(world.dead_letters().await.len(), 3);
    assert_eq!(world.published(1).await[0]["id"], "good");
}

#[tokio::test]
async fn while_the_dead_letter_queue_is_down_the_message_comes_back_and_the_rest_is_fine() {
    let world = World::new().await;
    let enricher = world.enricher().await;
    world.enqueue_raw("not json", &NO_ATTRIBUTES).await;
    world.enqueue(&of_nobody("good")).await;
    world.proxy.always("SendMessage", Fault::SQS_DOWN);
    let batch = world.enrich(&enricher).await;
    let back: Vec<&str> = batch.back.iter().map(|message| message.body.as_str()).collect();
    assert_eq!(back, ["not json"]);
    assert_eq!(world.published(1).await[0]["id"], "good");
    world.proxy.heal();
    world.enrich_these(&enricher, world.redelivered(&batch.back).await).await.all_done();
    assert_eq!(world.dead_letters().await.len(), 1);
}

#[tokio::test]
async fn a_message_without_attributes_is_an_event_all_the_same() {
    let world = World::new().await;
    let enricher = world.enricher().await;
    world.enqueue_raw(&of_customer("customerUpdated", "bare", 5).to_string(), &NO_ATTRIBUTES).await;
    world.enqueue_raw(r#"{"eventName":"a","orgId":1}"#, &NO_ATTRIBUTES).await;
    world.enrich(&enricher).await.all_done();
    let published = world.published(2).await;
    assert!(published.iter().any(|detail| detail["id"] == "bare"), "{published:?}");
    assert!(published.iter().any(|detail| detail["id"].as_str().unwrap().starts_with("sha256:")), "{published:?}");
    world.receiver().await.deliver(of_customer("customerUpdated", "bare", 5).to_string()).await.duplicate();
    world.receiver().await.deliver(r#"{"eventName":"a","orgId":1}"#).await.duplicate();
}

#[tokio::test]
async fn a_full_batch_of_all_kinds_is_handled_message_by_message() {
    let world = World::new().await;
    world.capillary().await.customer_is(99, "missing").await;
    let enricher = world.enricher().await;
    for number in 0..4 {
        world.enqueue(&of_customer("pointsIssued", &format!("customer-{number}"), number + 1)).await;
    }
    world.enqueue(&of_customer("customerUpdated", "missing", 99)).await;
    world.enqueue_raw("not json", &NO_ATTRIBUTES).await;
    for number in 0..4 {
        world.enqueue(&of_nobody(&format!("nobody-{number}"))).await;
    }
    world.enrich(&enricher).await.all_done();
    assert_eq!(world.published(9).await.len(), 9);
    assert_eq!(world.dead_letters().await.len(), 1);
}

#[tokio::test]
async fn a_message_of_twelve_days_does_not_come_back_once_more() {
    let world = World::new().await;
    world.capillary().await.fault("/v2", json!({"kind": "status", "status": 503})).await;
    let enricher = world.enricher().await;
    let event = of_customer("customerUpdated", "old", 5);
    let thirteen_days_ago = (now_ms() - 13 * 86_400_000).to_string();
    let attributes = [
        ("v", "Number", "1"),
        ("eventId", "String", "old"),
        ("eventName", "String", "customerUpdated"),
        ("receivedAt", "Number", thirteen_days_ago.as_str()),
    ];
    world.enqueue_raw(&event.to_string(), &attributes).await;
    let mut messages = world.queue_messages().await;
    messages[0].system.insert("SentTimestamp".into(), thirteen_days_ago.clone());
    world.enrich_these(&enricher, messages).await.all_done();
    let letters = world.dead_letters().await;
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].attribute("reason"), Some("too_old"));
    assert_eq!(world.ledger_row("old").await.expect("a row").status(), "FAILED");
    // Redriven, it is young again and gets another chance.
    world.capillary().await.heal().await;
    let attributes: Vec<(&str, &str, &str)> =
        letters[0].attributes.iter().map(|(name, (kind, text))| (name.as_str(), kind.as_str(), text.as_str())).collect();
    world.enqueue_raw(&letters[0].body, &attributes).await;
    world.enrich(&enricher).await.all_done();
    assert_eq!(world.ledger_row("old").await.unwrap().status(), "PUBLISHED");
}

#[tokio::test]
async fn a_redriven_dead_letter_of_the_receiver_ends_there_again() {
    let world = World::new().await;
    let enricher = world.enricher().await;
    world.receiver().await.deliver("not json").await.problem(400);
    let letter = world.dead_letters().await.remove(0);
    let attributes: Vec<(&str, &str, &str)> =
        letter.attributes.iter().map(|(name, (kind, text))| (name.as_str(), kind.as_str(), text.as_str())).collect();
    world.enqueue_raw(&letter.body, &attributes).await;
    world.enrich(&enricher).await.all_done();
    let letters = world.dead_letters().await;
    assert_eq!(letters.len(), 2);
    assert!(letters.iter().all(|letter| letter.attribute("reason") == Some("not_json")));
    assert!(world.ledger_rows().await.is_empty());
}

#[tokio::test]
async fn a_life_of_less_than_15_days_is_refused_at_the_start() {
    let world = World::new().await;
    let enricher = world.enricher_with(&[("EVENT_TTL_DAYS", "14")]).await;
    assert_eq!(enricher.0.exit(std::time::Duration::from_secs(5)).await, Some(false));
    assert!(enricher.0.logs().contains("EVENT_TTL_DAYS"), "{}", enricher.0.logs());
}

#[tokio::test]
async fn a_setting_that_is_wrong_is_named_at_the_start() {
    let world = World::new().await;
    let wrong = [
        ("SNAPSHOTS_TABLE", ""),
        ("EVENT_BUS_NAME", ""),
        ("CAPILLARY_SECRET_ID", ""),
        ("CAPILLARY_BASE_URL", "no url"),
        ("MAX_ATTEMPTS", "many"),
    ];
    for (variable, value) in wrong {
        let enricher = world.enricher_with(&[(variable, value)]).await;
        assert_eq!(enricher.0.exit(std::time::Duration::from_secs(5)).await, Some(false), "{variable}={value}");
        assert!(enricher.0.logs().contains(variable), "{}", enricher.0.logs());
    }
}
