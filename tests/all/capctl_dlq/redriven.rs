//! What is redriven goes the way of every event, and nothing is told twice.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Letter, PERSONAL, TRACE, ids};
use crate::support::events::of_customer;
use crate::support::fault_proxy::Fault;
use crate::support::stage::{Stage, customer};
use crate::support::world::{World, now_ms};

/// What was sent to the events queue, entry by entry.
fn sent(world: &World) -> Vec<Vec<Value>> {
    let calls = world.proxy.calls("SendMessageBatch");
    let bodies = calls.iter().map(|call| serde_json::from_str::<Value>(&call.body).expect("SQS speaks JSON"));
    bodies.map(|body| body["Entries"].as_array().cloned().unwrap_or_default()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redriven_letter_is_the_message_that_it_was() {
    let world = World::new().await;
    let letter = Letter::new("one", Some("invalid_entry"));
    let received_from = now_ms();
    world.bury_traced(&letter).await;
    let received_until = now_ms();
    let tried = world.capctl(&["dlq", "redrive", "--all", "--dry-run", "--json"]).await.json(0);
    assert_eq!((&tried["letters"], &tried["dryRun"], world.queue_length().await), (&json!(1), &json!(true), 0));

    let redriven = world.capctl(&["dlq", "redrive", "--event-id", "one"]).await;
    assert!(redriven.text(0).starts_with("1 letter redriven\n"));
    assert!(!redriven.text(0).contains('→'), "what helps was just done");
    assert!(!redriven.all().contains(PERSONAL));
    assert!(world.dead_letters().await.is_empty());
    let messages = world.queue_messages().await;
    let expected: BTreeMap<String, (String, String)> = letter
        .attributes()
        .into_iter()
        .filter(|(name, _)| !["reason", "detail", "receivedAt"].contains(name))
        .map(|(name, value)| {
            (name.to_owned(), (value.data_type().to_owned(), value.string_value().unwrap_or_default().to_owned()))
        })
        .collect();
    let mut attributes = messages[0].attributes.clone();
    let (data_type, received_at) = attributes.remove("receivedAt").expect("when it was received");
    assert_eq!(data_type, "Number");
    assert!((received_from..=received_until).contains(&received_at.parse().expect("milliseconds")), "{received_at}");
    assert_eq!((&messages[0].body, attributes), (&letter.body, expected));
    let trace = &sent(&world)[0][0]["MessageSystemAttributes"]["AWSTraceHeader"];
    assert_eq!(*trace, json!({"DataType": "String", "StringValue": TRACE}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_letter_is_deleted_only_once_it_is_in_the_events_queue() {
    let world = World::new().await;
    world.bury(&[Letter::new("one", Some("panic"))]).await;
    world.proxy.always("SendMessageBatch", Fault::SQS_DOWN);
    let failed = world.capctl(&["dlq", "redrive", "--all"]).await;
    assert!(failed.error(3).contains("SQS.SendMessageBatch"));
    assert!(!failed.all().contains(PERSONAL), "AWS's words repeat what was sent: {}", failed.all());
    assert_eq!(ids(&world.dead_letters().await), ["one"], "it was given back");

    world.proxy.heal();
    world.proxy.always("DeleteMessageBatch", Fault::SQS_DOWN);
    let half = world.capctl(&["dlq", "redrive", "--all", "--json"]).await.json(4);
    assert_eq!((&half["letters"], &half["notDeleted"]), (&json!(1), &json!(1)));
    assert_eq!((ids(&world.dead_letters().await), world.queue_length().await), (vec!["one".to_owned()], 1));

    world.proxy.heal();
    world.capctl(&["dlq", "redrive", "--all"]).await.text(0);
    assert_eq!(ids(&world.queue_messages().await), ["one", "one"], "twice in the queue, since it was sent twice");
    assert!(world.dead_letters().await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_sqs_does_not_take_stays_and_the_others_go() {
    let world = World::new().await;
    let letters: Vec<Letter> = (0..10).map(|n| Letter::new(&format!("letter-{n}"), Some("panic"))).collect();
    world.bury(&letters).await;
    world.proxy.whenever("SendMessageBatch", "letter-3", Fault::SomeRefused("letter-3", "InternalError"));
    let most = world.capctl(&["dlq", "redrive", "--all", "--json"]).await;
    assert_eq!((&most.json(4)["letters"], &most.json(4)["failed"]), (&json!(9), &json!({"InternalError": 1})));
    assert!(!most.all().contains(PERSONAL));
    assert_eq!(ids(&world.dead_letters().await), ["letter-3"]);

    world.proxy.heal();
    world.proxy.whenever("SendMessageBatch", "letter-3", Fault::SomeRefused("letter-3", "InvalidMessageContents"));
    let refused = world.capctl(&["dlq", "redrive", "--all"]).await;
    assert!(refused.text(1).contains("SQS calls 1 letter invalid (InvalidMessageContents)"), "{}", refused.all());
    assert!(!refused.text(1).contains("run it again"));
    assert_eq!(ids(&world.dead_letters().await), ["letter-3"]);

    world.proxy.heal();
    world.proxy.whenever("DeleteMessageBatch", "", Fault::SomeRefused("ReceiptHandle", "InternalError"));
    let kept = world.capctl(&["dlq", "redrive", "--all"]).await;
    assert!(kept.text(4).contains("1 letter sent, and still in the dead-letter queue"), "{}", kept.all());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_redrive_heals_stays_and_is_counted() {
    let world = World::new().await;
    let reasons = [Some("not_json"), Some("too_large"), Some("too_old"), None];
    world.bury(&reasons.map(|reason| Letter::new(reason.unwrap_or("moved"), reason))).await;
    let redriven = world.capctl(&["dlq", "redrive", "--all", "--json"]).await.json(1);
    assert_eq!(redriven["letters"], 2);
    let stay = redriven["unhealable"].as_array().expect("a list");
    assert_eq!(stay.iter().map(|group| &group["reason"]).collect::<Vec<_>>(), ["not_json", "too_large"]);
    assert_eq!(ids(&world.queue_messages().await), ["moved", "too_old"]);
    assert_eq!(ids(&world.dead_letters().await), ["not_json", "too_large"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_letters_go_in_calls_that_sqs_takes() {
    let world = World::new().await;
    for n in 0..4 {
        let mut letter = Letter::new(&format!("letter-{n}"), Some("panic"));
        letter.body = json!({"filling": "x".repeat(500_000)}).to_string();
        world.bury(&[letter]).await;
    }
    world.capctl(&["dlq", "redrive", "--all", "--rate", "1000"]).await.text(0);
    assert_eq!(ids(&world.queue_messages().await).len(), 4);
    for call in world.proxy.calls("SendMessageBatch") {
        assert!(call.is_done() && call.body.len() < 1_048_576 + 10_000, "{} bytes", call.body.len());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_is_published_once_however_often_it_is_redriven() {
    let stage = Stage::with(&[("MAX_ATTEMPTS", "1"), ("CAPILLARY_REPLICA_LAG_SECONDS", "0")]).await;
    let world = &stage.world;
    stage.capillary.customer(5, &customer(5, "Porto", Some(10)));
    // One was published by somebody else's redrive before, one dies now.
    stage.tell(&of_customer("customerUpdated", "meanwhile", 5)).await;
    let mut twin = Letter::new("meanwhile", Some("too_old"));
    twin.body = of_customer("customerUpdated", "meanwhile", 5).to_string();
    world.bury(&[twin]).await;
    world.proxy.always("PutEvents", Fault::EntriesRefused("refused", "MalformedDetail"));
    stage.attempt(&of_customer("customerUpdated", "refused", 5)).await.all_done();
    assert_eq!(ids(&world.dead_letters().await), ["meanwhile", "refused"]);
    let listed = world.capctl(&["dlq", "list", "--reason", "invalid_entry"]).await;
    assert!(listed.text(1).contains("see the detail for the bus's error"));

    world.proxy.heal();
    assert_eq!(world.capctl(&["dlq", "redrive", "--all", "--json"]).await.json(0)["letters"], 2);
    world.enrich(&stage.enricher).await.all_done();
    let published: Vec<Value> = world.published(2).await.iter().map(|detail| detail["id"].clone()).collect();
    assert_eq!(published, ["meanwhile", "refused"]);
    assert_eq!(world.ledger_row("refused").await.expect("a row").status(), "PUBLISHED");
    assert_eq!((world.queue_length().await, world.dead_letters().await.len()), (0, 0));
}
