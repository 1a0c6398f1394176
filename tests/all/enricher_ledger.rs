//! The states of the ledger's row, AWS failing, and kills between any two steps (design, sections 3 and 4).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};
use tokio::sync::Barrier;

use crate::support::events::{of_customer, of_nobody};
use crate::support::fault_proxy::Fault;
use crate::support::messages::Received;
use crate::support::runtime_api::FunctionError;
use crate::support::world::{EVENT_TTL_DAYS, World, now_ms};

/// The two ways in which the enricher can write X1.
const COMMITS: [&str; 2] = ["TransactWriteItems", "PutItem"];

/// Every copy of an id that was ever sent has the same content.
#[track_caller]
fn copies_are_equal(world: &World) {
    let mut by_id: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for text in world.sent_details() {
        let detail: Value = serde_json::from_str(&text).unwrap();
        by_id.entry(detail["id"].to_string()).or_default().insert(text);
    }
    for (id, contents) in by_id {
        assert_eq!(contents.len(), 1, "{id} was sent with several contents: {contents:?}");
    }
}

/// One customer event in the queue, its row made by the receiver.
async fn one_event(world: &World) {
    world.receiver().await.deliver(of_customer("customerUpdated", "one", 5).to_string()).await.accepted();
    world.proxy.forget_calls();
}

#[tokio::test]
async fn a_row_ends_as_published_without_detail_and_lives_anew() {
    let world = World::new().await;
    let enricher = world.enricher().await;
    one_event(&world).await;
    world.set("one", "expiresAt", AttributeValue::N((now_ms() / 1000 + 3600).to_string())).await;
    world.enrich(&enricher).await.all_done();
    let row = world.ledger_row("one").await.expect("a row");
    assert_eq!(row.status(), "PUBLISHED");
    assert!(!row.has("detail"), "personal data stays: {row:?}");
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are far below 2^53")]
    let expected = (now_ms() / 1000 + EVENT_TTL_DAYS * 86_400) as f64;
    let expires = row.number("expiresAt").expect("expiresAt");
    assert!((expires - expected).abs() < 120.0, "{expires} is not {EVENT_TTL_DAYS} days from now");
    world.receiver().await.deliver(of_customer("customerUpdated", "one", 5).to_string()).await.duplicate();
}

#[tokio::test]
async fn what_is_published_already_is_done() {
    let world = World::new().await;
    let enricher = world.enricher().await;
    one_event(&world).await;
    world.enrich(&enricher).await.all_done();
    world.proxy.forget_calls();
    world.enqueue(&of_customer("customerUpdated", "one", 5)).await;
    world.enrich(&enricher).await.all_done();
    assert!(world.sent_entries().is_empty());
    assert_eq!(world.published(1).await.len(), 1);
}

#[tokio::test]
async fn what_was_stored_is_published_whatever_the_customer_looks_like_now() {
    let world = World::new().await;
    let enricher = world.enricher().await;
    one_event(&world).await;
    world.proxy.always("PutEvents", Fault::EVENTS_DOWN);
    let batch = world.enrich(&enricher).await;
    batch.all_back();
    let row = world.ledger_row("one").await.expect("a row");
    assert_eq!(row.status(), "ENRICHED");
    assert!(row.has("detail") && !row.has("leaseUntil") && !row.has("expiresAt"), "{row:?}");
    world.proxy.heal();
    world.capillary().await.customer(5, json!({"extendedFields": {"city": "another"}})).await;
    // A redrive of a failed event publishes what is stored, too.
    for status in ["ENRICHED", "FAILED"] {
        world.put_row(&row).await;
        world.set("one", "status", AttributeValue::S(status.into())).await;
        world.enqueue(&of_customer("customerUpdated", "one", 5)).await;
        world.enrich(&enricher).await.all_done();
        assert_eq!(world.ledger_row("one").await.unwrap().status(), "PUBLISHED", "{status}");
    }
    assert!(world.published(2).await.len() >= 2);
    copies_are_equal(&world);
}

#[tokio::test]
async fn failed_without_detail_no_row_and_an_expired_row_are_worked_out() {
    let world = World::new().await;
    let enricher = world.enricher().await;
    let receiver = world.receiver().await;
    for id in ["failed", "absent", "expired"] {
        receiver.deliver(of_customer("customerUpdated", id, 5).to_string()).await.accepted();
    }
    world.set("failed", "status", AttributeValue::S("FAILED".into())).await;
    world.delete_row("absent").await;
    world.set("expired", "status", AttributeValue::S("PUBLISHED".into())).await;
    world.set("expired", "expiresAt", AttributeValue::N((now_ms() / 1000 - 10).to_string())).await;
    world.enrich(&enricher).await.all_done();
    assert_eq!(world.published(3).await.len(), 3);
    for id in ["failed", "absent", "expired"] {
        assert_eq!(world.ledger_row(id).await.expect("a row").status(), "PUBLISHED", "{id}");
        // The row that the enricher makes is the one that the receiver knows the event by.
        receiver.deliver(of_customer("customerUpdated", id, 5).to_string()).await.duplicate();
    }
}

#[tokio::test]
async fn events_without_entities_are_worked_out_from_every_state() {
    let world = World::new().await;
    let enricher = world.enricher().await;
    let receiver = world.receiver().await;
    for id in ["received", "failed", "absent", "expired"] {
        receiver.deliver(of_nobody(id).to_string()).await.accepted();
    }
    world.set("failed", "status", AttributeValue::S("FAILED".into())).await;
    world.delete_row("absent").await;
    world.set("expired", "status", AttributeValue::S("PUBLISHED".into())).await;
    world.set("expired", "expiresAt", AttributeValue::N((now_ms() / 1000 - 10).to_string())).await;
    world.enrich(&enricher).await.all_done();
    assert_eq!(world.published(4).await.len(), 4);
    for id in ["received", "failed", "absent", "expired"] {
        assert_eq!(world.ledger_row(id).await.expect("a row").status(), "PUBLISHED", "{id}");
        receiver.deliver(of_nobody(id).to_string()).await.duplicate();
    }
}

#[tokio::test]
async fn two_events_of_one_id_are_both_published_under_ids_of_their_own() {
    let world = World::new().await;
    let enricher = world.enricher().await;
    let receiver = world.receiver().await;
    receiver.deliver(of_nobody("shared").to_string()).await.accepted();
    receiver.deliver(of_customer("pointsIssued", "shared", 5).to_string()).await.accepted();
    world.enrich(&enricher).await.all_done();
    let published = world.published(2).await;
    let ids: BTreeSet<&str> = published.iter().map(|detail| detail["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 2, "{ids:?}");
    for id in ids {
        assert_eq!(world.ledger_row(id).await.expect("ids are ledger keys").status(), "PUBLISHED");
    }
}

#[tokio::test]
async fn with_the_ledger_down_everything_comes_back_and_nothing_goes_out() {
    let world = World::new().await;
    let enricher = world.enricher().await;
    one_event(&world).await;
    world.enqueue(&of_nobody("two")).await;
    for operation in ["BatchGetItem", "GetItem"] {
        world.proxy.always(operation, Fault::DYNAMODB_DOWN);
    }
    let batch = world.enrich(&enricher).await;
    batch.all_back();
    assert!(world.sent_entries().is_empty());
    world.proxy.heal();
    world.enrich_these(&enricher, world.redelivered(&batch.back).await).await.all_done();
    assert_eq!(world.published(2).await.len(), 2);
}

#[tokio::test]
async fn keys_that_the_ledger_leaves_unread_are_not_taken_for_absent() {
    let world = World::new().await;
    let enricher = world.enricher().await;
    one_event(&world).await;
    world.enrich(&enricher).await.all_done();
    world.enqueue(&of_customer("customerUpdated", "one", 5)).await;
    for operation in ["BatchGetItem", "GetItem"] {
        world.proxy.always(operation, Fault::DYNAMODB_THROTTLED);
    }
    let batch = world.enrich(&enricher).await;
    batch.all_back();
    assert_eq!(world.sent_entries().len(), 1);
}

#[tokio::test]
async fn what_could_not_be_committed_is_not_published() {
    for fault in [Fault::DYNAMODB_DOWN, Fault::DYNAMODB_THROTTLED, Fault::Cut] {
        let world = World::new().await;
        let enricher = world.enricher().await;
        one_event(&world).await;
        for commit in COMMITS {
            world.proxy.always(commit, fault.clone());
        }
        let batch = world.enrich(&enricher).await;
        batch.all_back();
        assert!(world.sent_entries().is_empty());
        world.proxy.heal();
        world.enrich_these(&enricher, world.redelivered(&batch.back).await).await.all_done();
        assert_eq!(world.published(1).await.len(), 1);
    }
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_published_as_committed() {
    let world = World::new().await;
    let enricher = world.enricher().await;
    one_event(&world).await;
    for commit in COMMITS {
        world.proxy.once(commit, Fault::AnswerLost);
    }
    let batch = world.enrich(&enricher).await;
    if !batch.back.is_empty() {
        world.proxy.heal();
        world.capillary().await.customer(5, json!({"extendedFields": {"city": "another"}})).await;
        world.enrich_these(&enricher, world.redelivered(&batch.back).await).await.all_done();
    }
    assert!(!world.published(1).await.is_empty());
    copies_are_equal(&world);
    assert_eq!(world.ledger_row("one").await.unwrap().status(), "PUBLISHED");
}

#[tokio::test]
async fn an_entry_that_the_bus_refuses_comes_back_alone() {
    let world = World::new().await;
    let enricher = world.enricher().await;
    world.enqueue(&of_nobody("passes")).await;
    world.enqueue(&of_nobody("refused")).await;
    world.enqueue(&of_customer("customerUpdated", "passes-too", 5)).await;
    world.proxy.always("PutEvents", Fault::EntriesRefused("refused", "InternalFailure"));
    let batch = world.enrich(&enricher).await;
    let back: Vec<Option<&str>> = batch.back.iter().map(|message| message.attribute("eventId")).collect();
    assert_eq!(back, [Some("refused")]);
    assert_eq!(world.published(2).await.len(), 2);
    assert!(world.ledger_row("refused").await.is_none_or(|row| row.status() != "PUBLISHED"));
    world.proxy.heal();
    world.enrich_these(&enricher, world.redelivered(&batch.back).await).await.all_done();
    assert_eq!(world.published(1).await[0]["id"], "refused");
    copies_are_equal(&world);
}

#[tokio::test]
async fn throttled_by_the_bus_nothing_counts_as_the_events_own_failure() {
    let world = World::new().await;
    let enricher = world.enricher_with(&[("MAX_ATTEMPTS", "2")]).await;
    one_event(&world).await;
    world.proxy.always("PutEvents", Fault::EntriesRefused("one", "ThrottlingException"));
    let mut messages = world.queue_messages().await;
    for _ in 0..4 {
        let batch = world.enrich_these(&enricher, messages).await;
        batch.all_back();
        messages = world.redelivered(&batch.back).await;
    }
    assert!(world.dead_letters().await.is_empty());
    assert_eq!(world.ledger_row("one").await.unwrap().status(), "ENRICHED");
    world.proxy.heal();
    world.enrich_these(&enricher, messages).await.all_done();
    copies_are_equal(&world);
}

#[tokio::test]
async fn an_entry_that_the_bus_calls_invalid_is_dead_lettered_after_max_attempts_and_can_be_redriven() {
    let world = World::new().await;
    let enricher = world.enricher_with(&[("MAX_ATTEMPTS", "2")]).await;
    one_event(&world).await;
    world.proxy.always("PutEvents", Fault::EntriesRefused("one", "MalformedDetail"));
    let mut messages = world.queue_messages().await;
    for attempt in 1..=3 {
        assert!(attempt < 3, "MAX_ATTEMPTS is 2 and it still comes back");
        let batch = world.enrich_these(&enricher, messages).await;
        if batch.back.is_empty() {
            break;
        }
        messages = world.redelivered(&batch.back).await;
    }
    let letters = world.dead_letters().await;
    assert_eq!(letters.len(), 1);
    assert!(letters[0].attribute("reason").is_some_and(|reason| !reason.is_empty()), "{:?}", letters[0]);
    let body = of_customer("customerUpdated", "one", 5).to_string();
    assert_eq!(letters[0].delivered_bytes(), body.into_bytes());
    let row = world.ledger_row("one").await.unwrap();
    assert_eq!(row.status(), "FAILED");
    assert!(row.has("reason") && row.has("detail"), "the stored change must outlive the failure: {row:?}");
    // The cause is gone, the customer has moved on, and an operator redrives.
    world.proxy.heal();
    world.capillary().await.customer(5, json!({"extendedFields": {"city": "another"}})).await;
    redrive(&world, &letters[0]).await;
    world.enrich(&enricher).await.all_done();
    assert_eq!(world.published(1).await[0]["id"], "one");
    copies_are_equal(&world);
    assert_eq!(world.ledger_row("one").await.unwrap().status(), "PUBLISHED");
}

/// A redrive puts body and attributes back into the events queue as they are.
async fn redrive(world: &World, letter: &Received) {
    let attributes: Vec<(&str, &str, &str)> =
        letter.attributes.iter().map(|(name, (data_type, text))| (name.as_str(), data_type.as_str(), text.as_str())).collect();
    world.enqueue_raw(&letter.body, &attributes).await;
}

#[tokio::test]
async fn a_lost_answer_of_the_bus_costs_a_copy_and_no_event() {
    let world = World::new().await;
    let enricher = world.enricher().await;
    one_event(&world).await;
    world.proxy.once("PutEvents", Fault::AnswerLost);
    let batch = world.enrich(&enricher).await;
    if !batch.back.is_empty() {
        world.enrich_these(&enricher, world.redelivered(&batch.back).await).await.all_done();
    }
    assert!(!world.published(1).await.is_empty());
    copies_are_equal(&world);
}

#[tokio::test]
async fn a_mark_that_fails_brings_the_message_back_and_the_copy_is_equal() {
    let world = World::new().await;
    let enricher = world.enricher().await;
    one_event(&world).await;
    world.proxy.always("UpdateItem", Fault::DYNAMODB_DOWN);
    let batch = world.enrich(&enricher).await;
    batch.all_back();
    world.proxy.heal();
    world.capillary().await.customer(5, json!({"extendedFields": {"city": "another"}})).await;
    world.enrich_these(&enricher, world.redelivered(&batch.back).await).await.all_done();
    copies_are_equal(&world);
    assert_eq!(world.ledger_row("one").await.unwrap().status(), "PUBLISHED");
}

#[tokio::test]
async fn killed_between_any_two_steps_the_event_is_published_with_one_content() {
    let steps: [(&[&str], bool); 5] =
        [(&COMMITS, false), (&COMMITS, true), (&["PutEvents"], false), (&["PutEvents"], true), (&["UpdateItem"], true)];
    for (operations, after) in steps {
        let world = World::new().await;
        let enricher = world.enricher().await;
        one_event(&world).await;
        for operation in operations {
            let process = enricher.0.process();
            world.proxy.once(operation, if after { Fault::KillAfter(process) } else { Fault::KillBefore(process) });
        }
        let messages = world.queue_messages().await;
        let outcome = world.attempt(&enricher, messages.clone()).await;
        assert!(matches!(outcome, Err(FunctionError::Died)), "{operations:?} was never called: {outcome:?}");
        world.proxy.heal();
        world.capillary().await.customer(5, json!({"extendedFields": {"city": "another"}})).await;
        let enricher = world.enricher().await;
        world.enrich_these(&enricher, world.redelivered(&messages).await).await.all_done();
        let published = world.published(1).await;
        assert!(published.iter().all(|detail| detail["id"] == "one"), "{operations:?} {after}");
        copies_are_equal(&world);
        assert_eq!(world.ledger_row("one").await.unwrap().status(), "PUBLISHED", "{operations:?} {after}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_enrichers_with_the_same_message_publish_one_content() {
    let world = World::new().await;
    let (one, two) = tokio::join!(world.enricher(), world.enricher());
    one_event(&world).await;
    // Both have read the row and fetched before either commits.
    let barrier = Arc::new(Barrier::new(2));
    for commit in COMMITS {
        world.proxy.times(commit, 2, Fault::Rendezvous(Arc::clone(&barrier)));
    }
    let messages = world.queue_messages().await;
    let (first, second) = tokio::join!(world.attempt(&one, messages.clone()), world.attempt(&two, messages.clone()));
    for outcome in [first, second] {
        let batch = outcome.expect("an answer");
        assert!(batch.back.is_empty() || batch.done.is_empty());
    }
    assert!(!world.published(1).await.is_empty());
    copies_are_equal(&world);
    assert_eq!(world.ledger_row("one").await.unwrap().status(), "PUBLISHED");
}

#[tokio::test]
async fn the_same_event_twice_in_a_batch_has_one_content() {
    let world = World::new().await;
    let enricher = world.enricher().await;
    one_event(&world).await;
    world.enqueue(&of_customer("customerUpdated", "one", 5)).await;
    world.enqueue(&of_nobody("two")).await;
    world.enqueue(&of_nobody("two")).await;
    world.enrich(&enricher).await.all_done();
    copies_are_equal(&world);
    let ids: BTreeSet<String> = world.published(2).await.iter().map(|detail| detail["id"].to_string()).collect();
    assert_eq!(ids.len(), 2);
}
