//! What the functions write: one line an event, and nothing that anybody entrusted to us (design, section 3; issue, "Logs").

use serde_json::{Value, json};

use crate::support::delivery::Delivery;
use crate::support::events::{of_customer, of_nobody, of_transaction};
use crate::support::fault_proxy::Fault;
use crate::support::world::World;

/// Loud in every way that the variables allow.
const LOUD: [(&str, &str); 5] = [
    ("RUST_LOG", "trace"),
    ("AWS_LAMBDA_LOG_LEVEL", "TRACE"),
    ("LOG_LEVEL", "TRACE"),
    ("RUST_BACKTRACE", "1"),
    ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
];

/// What must never be found, and where each was planted.
const MARKS: [(&str, &str); 19] = [
    ("Zebrafinch", "first name in a good body"),
    ("915559990001", "mobile in a good body"),
    ("zebra.finch@example.com", "email in a good body"),
    ("Quokkabody", "a body that is no JSON"),
    ("Okapifield", "a field's name of an unknown event"),
    ("Numbatwrong", "a wrong header's value"),
    ("Axolotlother", "another header's value"),
    ("Basic TWFya2Vk", "the right header's value"),
    ("marked-webhook-key", "the second right header's value"),
    ("Pangolinold", "a rotated header's value"),
    ("marked-oauth-key", "Capillary's key"),
    ("marked-oauth-secret", "Capillary's secret"),
    ("Tapirname", "name in the fetched customer"),
    ("915559990002", "mobile in the fetched customer"),
    ("Caracalnote", "note in the fetched transaction"),
    ("Quollbad", "a message that is no JSON"),
    ("Dugongbasic", "a Basic password"),
    ("Ibexquery", "a customer's name in a batch that fails"),
    ("Serowpath", "an event that the ledger calls invalid"),
];

#[track_caller]
fn nothing_is_told(written: &str) {
    for (mark, place) in MARKS {
        if let Some(at) = written.find(mark) {
            let line = written[..at].lines().count();
            panic!("{place} is in the log, line {line}: …{}…", excerpt(written, at));
        }
        let encoded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, mark);
        let encoded = encoded.trim_end_matches('=');
        // The last character depends on what follows.
        assert!(!written.contains(&encoded[..encoded.len() - 1]), "{place} is in the log, as base64");
        let bytes: Vec<String> = mark.bytes().map(|byte| byte.to_string()).collect();
        assert!(!written.contains(&bytes.join(", ")), "{place} is in the log, as a list of bytes");
    }
}

fn excerpt(text: &str, at: usize) -> &str {
    let begin = (at.saturating_sub(200)..=at).find(|index| text.is_char_boundary(*index)).unwrap_or(at);
    let end = (at..text.len().min(at + 100)).rev().find(|index| text.is_char_boundary(*index)).unwrap_or(at);
    &text[begin..end]
}

fn webhook_secret(values: &[&str]) -> String {
    json!({"headers": {"authorization": values, "x-webhook-key": ["marked-webhook-key"]}}).to_string()
}

fn marked_delivery(body: String) -> Delivery {
    Delivery::without_headers(body)
        .header("Authorization", "Basic TWFya2Vk")
        .header("X-Webhook-Key", "marked-webhook-key")
        .header("X-Other", "Axolotlother")
}

fn marked_event(id: &str) -> Value {
    let mut event = of_customer("customerUpdated", id, 5);
    event["data"]["firstName"] = json!("Zebrafinch");
    event["data"]["customerIdentifiers"]["instore"] = json!({"mobile": "915559990001", "email": "zebra.finch@example.com"});
    event
}

#[tokio::test]
async fn the_receiver_tells_nothing_at_trace_whatever_happens() {
    let world = World::new().await;
    world.webhook_secret_is(&webhook_secret(&["Basic TWFya2Vk", "Basic Pangolinold"])).await;
    let receiver = world.receiver_with(&LOUD).await;
    let deliver = async |body: String| receiver.send(&marked_delivery(body)).await;
    deliver(marked_event("one").to_string()).await.accepted();
    deliver(marked_event("one").to_string()).await.come_again();
    deliver("Quokkabody".into()).await.problem(400);
    deliver("{\"a\": \"Quokkabody".into()).await.problem(400);
    deliver("[\"Quokkabody\"]".into()).await.problem(400);
    deliver("{\"Okapifield\": {\"Okapifield\": 1}}".into()).await.accepted();
    receiver
        .send(&Delivery::without_headers(marked_event("two").to_string()).header("Authorization", "Basic Numbatwrong"))
        .await
        .problem(401);
    receiver
        .send(&marked_delivery(marked_event("two").to_string()).header("Authorization", "Basic Numbatwrong"))
        .await
        .problem(401);
    receiver.send(&marked_delivery(marked_event("two").to_string()).path("/Prod/other")).await.problem(404);
    for fault in [Fault::DYNAMODB_DOWN, Fault::DYNAMODB_INVALID, Fault::Cut] {
        world.proxy.always("PutItem", fault);
        let mut event = marked_event("three");
        event["data"]["note"] = json!("Serowpath");
        deliver(event.to_string()).await;
        world.proxy.heal();
    }
    for fault in [Fault::SQS_DOWN, Fault::SQS_INVALID, Fault::Cut] {
        world.proxy.always("SendMessage", fault);
        deliver(marked_event("four").to_string()).await;
        deliver("Quokkabody".into()).await;
        world.proxy.heal();
    }
    world.webhook_secret_is("{\"headers\": {\"authorization\": [\"Basic Pangolinold\"").await;
    receiver.send(&Delivery::without_headers("{}").header("Authorization", "Basic Numbatwrong")).await;
    // A secret that cannot be read is where a parser's error likes to quote it.
    for secret in [
        "\"Basic Pangolinold\"",
        "{\"headers\": \"Basic Pangolinold\"}",
        "{\"headers\": {\"authorization\": [\"Basic Pangolinold\"",
    ] {
        world.webhook_secret_is(secret).await;
        let fresh = world.receiver_with(&LOUD).await;
        fresh.send(&marked_delivery(marked_event("five").to_string())).await.come_again();
        nothing_is_told(&fresh.0.logs());
    }
    let written = receiver.0.logs();
    assert!(!written.is_empty(), "nothing was written at all");
    nothing_is_told(&written);
}

#[tokio::test]
async fn the_enricher_tells_nothing_at_trace_whatever_happens() {
    let world = World::new().await;
    let capillary = world.capillary().await;
    capillary
        .customer(
            5,
            json!({"profiles": [{"firstName": "Tapirname", "identifiers": [{"type": "mobile", "value": "915559990002"}]}]}),
        )
        .await;
    capillary.transaction(9, json!({"billDetails": {"note": "Caracalnote"}})).await;
    let enricher = world.enricher_with(&LOUD).await;
    world.enqueue(&marked_event("one")).await;
    world.enqueue(&of_transaction("transactionAdded", "two", 9, 5, "REGULAR")).await;
    world.enqueue_raw("Quollbad", &[("v", "Number", "1")]).await;
    world.enqueue_raw("{\"eventName\": \"Quollbad", &[("v", "Number", "1")]).await;
    world.enqueue_raw("Quollbad", &[("contentEncoding", "String", "base64")]).await;
    world.enrich(&enricher).await;
    let mut failing = marked_event("three");
    failing["data"]["note"] = json!("Ibexquery");
    world.enqueue(&failing).await;
    let mut messages = world.queue_messages().await;
    for fault in [
        json!({"kind": "status", "status": 500}),
        json!({"kind": "torn"}),
        json!({"kind": "html"}),
        json!({"kind": "unauthorized"}),
        json!({"kind": "reset"}),
    ] {
        capillary.fault("/v2", fault).await;
        messages = world.redelivered(&world.enrich_these(&enricher, messages).await.back).await;
    }
    capillary.heal().await;
    for (operation, fault) in [
        ("TransactWriteItems", Fault::DYNAMODB_INVALID),
        ("PutItem", Fault::DYNAMODB_INVALID),
        ("PutEvents", Fault::EVENTS_DOWN),
        ("PutEvents", Fault::EntriesRefused("three", "MalformedDetail")),
        ("UpdateItem", Fault::DYNAMODB_DOWN),
    ] {
        world.proxy.always(operation, fault);
        let back = world.enrich_these(&enricher, messages).await.back;
        world.proxy.heal();
        messages = world.redelivered(&back).await;
        if messages.is_empty() {
            world.enqueue(&failing).await;
            messages = world.queue_messages().await;
        }
    }
    let written = enricher.0.logs();
    assert!(!written.is_empty(), "nothing was written at all");
    nothing_is_told(&written);
}

#[tokio::test]
async fn the_enricher_does_not_tell_its_credentials() {
    for secret in [
        json!({"key": "marked-oauth-key", "secret": "marked-oauth-secret"}).to_string(),
        json!({"username": "till", "password": "Dugongbasic"}).to_string(),
        json!({"key": "marked-oauth-key"}).to_string(),
        "{\"key\": \"marked-oauth-key\", \"secret\": \"marked-oauth-secret".to_owned(),
        "\"marked-oauth-secret\"".to_owned(),
    ] {
        let world = World::new().await;
        world.capillary_secret_is(&secret).await;
        let enricher = world.enricher_with(&LOUD).await;
        world.enqueue(&marked_event("one")).await;
        world.enrich(&enricher).await.all_back();
        nothing_is_told(&enricher.0.logs());
    }
}

#[tokio::test]
async fn the_token_is_not_told() {
    let world = World::new().await;
    let enricher = world.enricher_with(&LOUD).await;
    world.enqueue(&marked_event("one")).await;
    world.enrich(&enricher).await.all_done();
    let written = enricher.0.logs();
    for secret in ["sandbox-key", "sandbox-secret", "eyJ"] {
        assert!(!written.contains(secret), "{secret}");
    }
}

/// Lines about an event, each one JSON object.
fn lines_about(written: &str, id: &str) -> Vec<Value> {
    let lines = written.lines().filter(|line| !line.trim().is_empty());
    let parsed =
        lines.map(|line| serde_json::from_str::<Value>(line).unwrap_or_else(|_| panic!("a line that is no JSON: {line}")));
    parsed.filter(|line| line.to_string().contains(&format!("\"{id}\""))).collect()
}

#[track_caller]
fn one_line_tells(lines: &[Value], parts: &[&str]) {
    assert_eq!(lines.len(), 1, "one line an event: {lines:?}");
    let line = lines[0].to_string();
    for part in parts {
        assert!(line.contains(part), "{part} is not in {line}");
    }
    assert!(line.to_lowercase().contains("duration") || line.contains("_ms") || line.contains("Ms\""), "no duration in {line}");
}

#[tokio::test]
async fn there_is_one_line_an_event() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    receiver.deliver(of_customer("customerUpdated", "first-event", 5).to_string()).await.accepted();
    receiver.deliver(of_nobody("second-event").to_string()).await.accepted();
    let enricher = world.enricher().await;
    world.enrich(&enricher).await.all_done();
    for logs in [receiver.0.logs(), enricher.0.logs()] {
        one_line_tells(&lines_about(&logs, "first-event"), &["customerUpdated", "100737", "4d0c6a5e"]);
        one_line_tells(&lines_about(&logs, "second-event"), &["somethingNew", "100737"]);
    }
    assert!(receiver.0.logs().contains("accepted"), "no outcome: {}", receiver.0.logs());
}
