//! The points ledger: entries that never change, and that may not be ready yet.

use serde_json::{Value, json};

use super::{customer_call, ledger_call};
use crate::support::events::{of_customer, of_points, with_data};
use crate::support::history::{changes, entities, entity};
use crate::support::messages::Received;
use crate::support::stage::{NO_LAG, Stage, customer_key};
use crate::support::world::now_ms;

const HOUR_MS: u64 = 60 * 60 * 1000;

/// Whether a message is about an event.
fn is_of(message: &Received, id: &str) -> bool {
    message.attribute("eventId") == Some(id)
}

#[tokio::test]
async fn entries_of_a_customer_are_brought_by_one_call_and_never_remembered() {
    let stage = Stage::sandbox(NO_LAG).await;
    let mut redeemed = of_customer("pointsRedeemed", "in data", 5);
    redeemed["data"]["eventLogId"] = json!(33);
    let mut nowhere = of_points("nowhere", 5, 0);
    nowhere["eventLogId"] = json!(-1);
    let batch = [of_points("one", 5, 31), of_points("two", 5, 32), redeemed, of_points("the same", 5, 31), nowhere];
    stage.attempt_all(&batch).await.all_done();
    let calls = stage.capillary.new_calls().await;
    assert_eq!(calls.len(), 2, "{calls:?}");
    assert_eq!(calls[0], customer_call(5));
    for (id, entry) in [("one", 31), ("two", 32), ("in data", 33), ("the same", 31)] {
        let detail = stage.told(id);
        assert_eq!(entities(&detail), ["customer/5 found".to_owned(), format!("pointsLedger/{entry} found")]);
        let found = entity(&detail, "pointsLedger");
        assert_eq!(found["body"]["eventLogId"], entry, "{found}");
        assert!(found.get("version").is_none() && found.get("baseline").is_none(), "{found}");
        assert_eq!(detail["data"]["enrichment"]["status"], "complete");
    }
    assert_eq!(entities(&stage.told("nowhere")), ["customer/5 found"], "minus one is no id");
    assert_eq!(stage.world.snapshot_keys().await, [customer_key(5)]);
    let remembered = stage.world.snapshot(&customer_key(5)).await.unwrap().body_text();
    assert!(!remembered.contains("eventLogId"), "{remembered}");
}

#[tokio::test]
async fn each_owner_is_asked_for_once() {
    let stage = Stage::sandbox(NO_LAG).await;
    stage.attempt_all(&[of_points("one", 5, 31), of_points("two", 6, 32), of_points("three", 5, 33)]).await.all_done();
    let calls = stage.capillary.new_calls().await;
    assert_eq!(calls.len(), 4, "{calls:?}");
    assert_eq!(calls[..2], [customer_call(5), customer_call(6)]);
    assert_eq!(calls[3], ledger_call("6", "CUSTOMER", &[32]));
    assert!([[31, 33], [33, 31]].iter().any(|entries| calls[2] == ledger_call("5", "CUSTOMER", entries)), "{calls:?}");
}

#[tokio::test]
async fn an_entry_that_is_not_ready_sends_its_message_back_and_no_other_ones() {
    let stage = Stage::sandbox(NO_LAG).await;
    stage.capillary.entity_is("ledger/31", "pending").await;
    let batch = [
        of_points("not ready", 5, 31),
        of_customer("tierRenewed", "of the same customer", 5),
        of_points("of another customer", 6, 32),
        of_customer("customerUpdated", "of somebody", 7),
    ];
    let batch = stage.attempt_all(&batch).await;
    assert!(batch.back.len() == 1 && is_of(&batch.back[0], "not ready"), "{batch:?}");
    assert!((1..=5).contains(&stage.world.delay_of(&batch.back[0])));
    assert_eq!(stage.world.sent_entries().len(), 3);
    assert!(stage.world.ledger_row("not ready").await.is_none(), "nothing is stored, and no attempt counted");

    // Backoff: the bound doubles each time.
    let mut messages = stage.world.redelivered(&batch.back).await;
    for (receive_count, bound) in [(3, 20), (6, 160), (20, 900)] {
        messages[0].system.insert("ApproximateReceiveCount".into(), receive_count.to_string());
        let batch = stage.world.enrich_these(&stage.enricher, messages).await;
        batch.all_back();
        assert!((1..=bound).contains(&stage.world.delay_of(&batch.back[0])), "received {receive_count} times");
        messages = stage.world.redelivered(&batch.back).await;
    }
    stage.capillary.entity_is("ledger/31", "found").await;
    stage.world.enrich_these(&stage.enricher, messages).await.all_done();
    assert_eq!(entities(&stage.told("not ready")), ["customer/5 found", "pointsLedger/31 found"]);
    assert!(stage.world.dead_letters().await.is_empty());
}

#[tokio::test]
async fn who_shares_a_call_with_an_entry_that_is_not_ready_does_not_wait_for_it() {
    let stage = Stage::sandbox(NO_LAG).await;
    stage.capillary.entity_is("ledger/31", "pending").await;
    let batch = stage.attempt_all(&[of_points("not ready", 5, 31), of_points("ready", 5, 32)]).await;
    assert!(batch.back.len() == 1 && is_of(&batch.back[0], "not ready"), "{batch:?}");
    assert_eq!(entities(&stage.told("ready")), ["customer/5 found", "pointsLedger/32 found"]);
}

#[tokio::test]
async fn after_six_hours_the_event_goes_out_without_the_entry() {
    let stage = Stage::sandbox(NO_LAG).await;
    stage.capillary.entity_is("ledger/31", "pending").await;
    stage.world.enqueue(&of_points("one", 5, 31)).await;
    let mut messages = stage.world.queue_messages().await;
    let sent_before = |messages: &mut Vec<Received>, ms: u64| {
        messages[0].system.insert("SentTimestamp".into(), (now_ms() - ms).to_string());
    };
    sent_before(&mut messages, 6 * HOUR_MS - 60_000);
    let batch = stage.world.enrich_these(&stage.enricher, messages).await;
    batch.all_back();
    let mut messages = stage.world.redelivered(&batch.back).await;
    sent_before(&mut messages, 6 * HOUR_MS + 1000);
    stage.world.enrich_these(&stage.enricher, messages).await.all_done();
    let detail = stage.told("one");
    assert_eq!(entities(&detail), ["customer/5 found", "pointsLedger/31 not_found"]);
    assert_eq!(detail["data"]["enrichment"]["status"], "partial");
    assert_eq!(stage.world.snapshot_keys().await, [customer_key(5)]);
    assert_eq!(stage.world.ledger_row("one").await.unwrap().status(), "PUBLISHED");
    // What is ready later is told no more.
    stage.capillary.entity_is("ledger/31", "found").await;
    stage.attempt(&of_points("one", 5, 31)).await.all_done();
    assert_eq!(stage.world.sent_entries().len(), 1);
}

#[tokio::test]
async fn an_entry_that_is_nowhere_is_told_so_at_once() {
    let stage = Stage::sandbox(NO_LAG).await;
    stage.capillary.entity_is("ledger/31", "missing").await;
    stage.attempt_all(&[of_points("one", 5, 31), of_points("two", 6, 32)]).await.all_done();
    let detail = stage.told("one");
    assert_eq!(entities(&detail), ["customer/5 found", "pointsLedger/31 not_found"]);
    assert_eq!(detail["data"]["enrichment"]["status"], "partial");
    // Beside one that is there, it is only not in the list.
    stage.attempt_all(&[of_points("three", 6, 31), of_points("four", 6, 33)]).await.all_done();
    assert_eq!(entities(&stage.told("three")), ["customer/6 found", "pointsLedger/31 not_found"]);
    assert_eq!(entities(&stage.told("four")), ["customer/6 found", "pointsLedger/33 found"]);
}

#[tokio::test]
async fn a_change_of_the_customer_is_told_beside_the_entry() {
    let stage = Stage::sandbox(NO_LAG).await;
    stage.tell(&of_points("one", 5, 31)).await;
    stage.capillary.customer(5, json!({"pointsSummary": {"loyaltyPoints": 4711}})).await;
    let detail = stage.tell(&of_points("two", 5, 32)).await;
    let told: Vec<(&Value, &Value)> = changes(&detail).iter().map(|change| (&change["entity"], &change["path"])).collect();
    assert_eq!(told, [(&json!("customer/5"), &json!("/pointsSummary/loyaltyPoints"))]);
}

#[tokio::test]
async fn points_that_go_from_one_to_another_have_the_ledger_of_whom_the_event_is_about() {
    let stage = Stage::sandbox(NO_LAG).await;
    let data = json!({"customerIdentifiers": {"customerId": 5}, "transferReceivingCustomerIdentifiers": {"customerId": 6}});
    let mut event = with_data("pointsTransferredInitiated", "one", &data);
    event["eventLogId"] = json!(31);
    let detail = stage.tell(&event).await;
    assert_eq!(entities(&detail), ["customer/5 found", "customer/6 found", "pointsLedger/31 found"]);
    assert_eq!(stage.capillary.new_calls().await, [customer_call(5), customer_call(6), ledger_call("5", "CUSTOMER", &[31])]);
}
