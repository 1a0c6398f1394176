//! Several events about one entity, several entities of one event, several enrichers at once (design, sections 3 and 4).

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{Barrier, Semaphore};

use crate::support::events::{CREATED_AT, of_customer, of_transaction};
use crate::support::fault_proxy::{Call, Fault};
use crate::support::history::{History, changes, lasting, told};
use crate::support::scripted_capillary::Reply;
use crate::support::stage::{LONG_LAG, LONG_LAG_S, NO_LAG, Stage, customer, customer_key, transaction, transaction_key};
use crate::support::wait;

const TRANSACTION: &str = "TransactWriteItems";
const SNAPSHOT_MOVED: Fault = Fault::Cancelled(&["None", "ConditionalCheckFailed"]);

/// An event of customer 5 that happened so many milliseconds after the others.
fn happened(id: &str, later_ms: u64) -> Value {
    let mut event = of_customer("customerUpdated", id, 5);
    event["createdAt"] = json!(CREATED_AT + later_ms);
    event
}

fn updated(id: &str) -> Value {
    happened(id, 0)
}

/// Customer 5 was seen in Porto and now lives in Lisboa.
async fn moved() -> Stage {
    let stage = Stage::with(NO_LAG).await;
    stage.capillary.customer(5, &customer(5, "Porto", Some(10)));
    stage.tell(&updated("first")).await;
    stage.capillary.customer(5, &customer(5, "Lisboa", Some(11)));
    stage
}

async fn changes_lead_to_what_is_remembered(stage: &Stage) {
    let snapshot = stage.world.snapshot(&customer_key(5)).await.expect("a snapshot");
    assert_eq!(History::of(&stage.world).replay("customer/5"), (snapshot.version(), lasting(&snapshot.body())));
}

#[tokio::test]
async fn of_many_events_in_a_batch_the_one_that_happened_first_tells_the_change() {
    let stage = moved().await;
    stage.world.proxy.forget_calls();
    for (id, later_ms) in [("last", 3000), ("middle", 2000), ("earliest", 1000), ("middle too", 2500)] {
        stage.world.enqueue(&happened(id, later_ms)).await;
    }
    stage.world.enqueue(&of_customer("pointsIssued", "of another", 6)).await;
    stage.capillary.customer(6, &customer(6, "Faro", Some(10)));
    stage.world.enrich(&stage.enricher).await.all_done();
    assert_eq!(stage.capillary.customer_calls(5), 2, "one call for the first batch and one for this");
    assert_eq!(changes(&told(&stage.world, "earliest")).len(), 1);
    for id in ["middle", "middle too", "last", "of another"] {
        assert_eq!(changes(&told(&stage.world, id)), &[] as &[Value], "{id}");
    }
    assert_eq!(stage.world.proxy.calls(TRANSACTION).len(), 2, "whose state stays is not written");
}

#[tokio::test]
async fn a_batch_reads_what_is_remembered_before_it_asks_capillary() {
    let stage = moved().await;
    stage.world.proxy.forget_calls();
    stage.world.proxy.always("BatchGetItem", Fault::DYNAMODB_DOWN);
    stage.attempt(&updated("two")).await.all_back();
    assert_eq!(stage.capillary.customer_calls(5), 1, "asked before, the answer could be older than what is remembered");
}

#[tokio::test]
async fn a_transaction_and_its_customer_move_together_or_not_at_all() {
    let stage = Stage::with(NO_LAG).await;
    let event = |id: &str| of_transaction("transactionUpdated", id, 9, 5, "REGULAR");
    stage.capillary.customer(5, &customer(5, "Porto", Some(10)));
    stage.capillary.transaction(9, &transaction(9, &[1], 10));
    stage.tell(&event("one")).await;
    let before =
        (stage.world.snapshot(&customer_key(5)).await.unwrap(), stage.world.snapshot(&transaction_key(9)).await.unwrap());

    stage.capillary.customer(5, &customer(5, "Lisboa", Some(11)));
    stage.capillary.transaction(9, &transaction(9, &[2], 11));
    stage.world.proxy.always(TRANSACTION, Fault::DYNAMODB_DOWN);
    let batch = stage.attempt(&event("two")).await;
    batch.all_back();
    let after = (stage.world.snapshot(&customer_key(5)).await.unwrap(), stage.world.snapshot(&transaction_key(9)).await.unwrap());
    assert_eq!((before.0.0, before.1.0), (after.0.0, after.1.0));

    stage.world.proxy.heal();
    let writes_before = stage.world.proxy.calls(TRANSACTION).len();
    stage.again(&batch).await.all_done();
    let writes = stage.world.proxy.calls(TRANSACTION);
    assert_eq!(writes.len(), writes_before + 1, "one transaction an event");
    let write: Value = serde_json::from_str(&writes[writes_before].body).unwrap();
    assert_eq!(write["TransactItems"].as_array().unwrap().len(), 3, "the event and both states");
    let detail = told(&stage.world, "two");
    let mut whose: Vec<&str> = changes(&detail).iter().map(|change| change["entity"].as_str().unwrap()).collect();
    whose.sort_unstable();
    assert_eq!(whose, ["customer/5", "transaction/9"]);
    changes_lead_to_what_is_remembered(&stage).await;
}

#[tokio::test]
async fn while_one_of_its_entities_has_to_wait_an_event_moves_none() {
    let stage = Stage::with(LONG_LAG).await;
    let event = |id: &str| of_transaction("transactionUpdated", id, 9, 5, "REGULAR");
    stage.capillary.customer(5, &customer(5, "Porto", None));
    stage.capillary.transaction(9, &transaction(9, &[1], 10));
    stage.tell(&event("one")).await;
    let before = stage.world.snapshot(&transaction_key(9)).await.unwrap();
    stage.capillary.customer(5, &customer(5, "Lisboa", None));
    stage.capillary.transaction(9, &transaction(9, &[2], 11));
    let batch = stage.attempt(&event("two")).await;
    batch.all_back();
    assert_eq!(stage.world.snapshot(&transaction_key(9)).await.unwrap().0, before.0);
    stage.world.was_seen_before(&customer_key(5), LONG_LAG_S).await;
    stage.again(&batch).await.all_done();
    assert_eq!(changes(&told(&stage.world, "two")).len(), 2);
}

#[tokio::test]
async fn victims_and_survivor_in_one_batch_tell_the_survivors_change_once() {
    let stage = Stage::with(NO_LAG).await;
    let survivor = |city: &str, second: u32| {
        let mut survivor = customer(5, city, Some(second));
        survivor["warnings"] = json!([{"code": 91009, "message": "survivor returned"}]);
        survivor
    };
    stage.capillary.customer(5, &customer(5, "Porto", Some(10)));
    stage.tell(&updated("first")).await;
    stage.capillary.customer(5, &customer(5, "Lisboa", Some(11)));
    for victim in [6, 7] {
        stage.capillary.always(victim, Reply::Answer(200, survivor("Lisboa", 11).to_string()));
        stage.world.enqueue(&of_customer("customerUpdated", &format!("of {victim}"), victim)).await;
    }
    stage.world.enqueue(&updated("of 5")).await;
    stage.world.enrich(&stage.enricher).await.all_done();
    let tellers = ["of 5", "of 6", "of 7"].map(|id| changes(&told(&stage.world, id)).len());
    assert_eq!(tellers.iter().sum::<usize>(), 1, "{tellers:?}");
    changes_lead_to_what_is_remembered(&stage).await;
    for victim in [6, 7] {
        assert!(stage.world.snapshot(&customer_key(victim)).await.unwrap().is_tombstone());
    }
}

#[tokio::test]
async fn refused_by_the_snapshot_it_begins_anew_with_both_reads() {
    let stage = moved().await;
    stage.world.proxy.once(TRANSACTION, SNAPSHOT_MOVED);
    stage.tell(&updated("two")).await;
    let reads = stage.world.proxy.calls("BatchGetItem");
    assert_eq!((reads.len(), stage.capillary.customer_calls(5)), (3, 3), "one each for the first event, two for the second");
    let tables = |read: &Call| {
        let read: Value = serde_json::from_str(&read.body).expect("DynamoDB speaks JSON");
        read["RequestItems"].as_object().expect("tables").values().cloned().collect::<Vec<Value>>()
    };
    for read in &reads {
        assert!(tables(read).iter().all(|table| table["ConsistentRead"] == true), "{}", read.body);
    }
    assert!(reads.iter().all(|read| read.body.contains("entityKey") && read.body.contains("eventId")), "{:?}", reads[2].body);
    changes_lead_to_what_is_remembered(&stage).await;
}

#[tokio::test]
async fn refused_again_and_again_the_message_goes_back_and_nothing_counts() {
    for reasons in [SNAPSHOT_MOVED, Fault::Cancelled(&["None", "TransactionConflict"])] {
        let stage = moved().await;
        stage.world.proxy.forget_calls();
        stage.world.proxy.always(TRANSACTION, reasons);
        let batch = stage.attempt(&updated("two")).await;
        batch.all_back();
        assert!((3..=8).contains(&stage.world.proxy.calls(TRANSACTION).len()), "neither at once nor for ever");
        assert!(stage.world.sent_entries().is_empty());
        assert!(stage.world.ledger_row("two").await.is_none());
        stage.world.proxy.heal();
        stage.again(&batch).await.all_done();
        assert_eq!(changes(&told(&stage.world, "two")).len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_enrichers_with_two_events_of_one_change_tell_it_once() {
    let stage = moved().await;
    let other = stage.another_enricher(NO_LAG).await;
    for round in 0..12_u32 {
        stage.capillary.customer(5, &customer(5, &format!("city {round}"), Some(12 + round)));
        // Both have read and fetched before either commits; or they go as they like.
        if round % 3 != 0 {
            let barrier = Arc::new(Barrier::new(2));
            stage.world.proxy.times(TRANSACTION, 2, Fault::Rendezvous(barrier));
        }
        stage.world.enqueue(&updated(&format!("a{round}"))).await;
        stage.world.enqueue(&updated(&format!("b{round}"))).await;
        let mut messages = stage.world.queue_messages().await;
        let half = messages.split_off(1);
        let (first, second) =
            tokio::join!(stage.world.enrich_these(&stage.enricher, messages), stage.world.enrich_these(&other, half));
        first.all_done();
        second.all_done();
        stage.world.proxy.heal();
        let tellers = [format!("a{round}"), format!("b{round}")].map(|id| changes(&told(&stage.world, &id)).len());
        assert!(tellers == [1, 0] || tellers == [0, 1], "round {round}: {tellers:?}");
    }
    changes_lead_to_what_is_remembered(&stage).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_enrichers_who_see_somebody_first_make_one_baseline() {
    let stage = Stage::with(NO_LAG).await;
    let other = stage.another_enricher(NO_LAG).await;
    stage.capillary.customer(5, &customer(5, "Porto", Some(10)));
    stage.capillary.next(5, Reply::State(0));
    stage.capillary.customer(5, &customer(5, "Lisboa", Some(11)));
    stage.world.proxy.times(TRANSACTION, 2, Fault::Rendezvous(Arc::new(Barrier::new(2))));
    stage.world.enqueue(&updated("one")).await;
    stage.world.enqueue(&updated("two")).await;
    let mut messages = stage.world.queue_messages().await;
    let half = messages.split_off(1);
    let (first, second) =
        tokio::join!(stage.world.enrich_these(&stage.enricher, messages), stage.world.enrich_these(&other, half));
    first.all_done();
    second.all_done();
    changes_lead_to_what_is_remembered(&stage).await;
    assert_eq!(stage.world.snapshot(&customer_key(5)).await.unwrap().body(), customer(5, "Lisboa", Some(11)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_enrichers_with_one_event_and_two_answers_tell_one_content() {
    let stage = moved().await;
    let other = stage.another_enricher(NO_LAG).await;
    stage.capillary.customer(5, &customer(5, "Faro", Some(12)));
    stage.capillary.next(5, Reply::State(1));
    let barrier = Arc::new(Barrier::new(2));
    stage.world.proxy.times(TRANSACTION, 2, Fault::Rendezvous(barrier));
    stage.world.enqueue(&updated("two")).await;
    let messages = stage.world.queue_messages().await;
    let (first, second) = tokio::join!(
        stage.world.enrich_these(&stage.enricher, messages.clone()),
        stage.world.enrich_these(&other, messages.clone())
    );
    first.all_done();
    second.all_done();
    // `told` insists on equal copies.
    assert_eq!(changes(&told(&stage.world, "two")).len(), 1);
    assert_eq!(stage.world.ledger_row("two").await.unwrap().status(), "PUBLISHED");
    changes_lead_to_what_is_remembered(&stage).await;
}

/// What the slow one of two twins sees is not what the other published; only the row itself can say so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_twin_who_saw_another_state_overwrites_nothing() {
    for (slow_one_sees, quick_one_sees, change_of_the_quick_one) in [(1, 0, 0), (0, 1, 1)] {
        let stage = moved().await;
        let other = stage.another_enricher(NO_LAG).await;
        stage.world.enqueue(&updated("two")).await;
        let messages = stage.world.queue_messages().await;
        stage.capillary.next(5, Reply::State(slow_one_sees));
        stage.capillary.next(5, Reply::State(quick_one_sees));
        // The slow one is held where it stores: it has read and judged everything.
        let (commit, gate) = (if slow_one_sees == 1 { TRANSACTION } else { "PutItem" }, Arc::new(Barrier::new(2)));
        stage.world.proxy.once(commit, Fault::Rendezvous(Arc::clone(&gate)));
        let writes_before = stage.world.proxy.calls(commit).len();
        let quick = async {
            let held = async || (stage.world.proxy.calls(commit).len() > writes_before).then_some(());
            wait::poll(Duration::from_secs(10), held).await.expect("the slow one stores");
            stage.world.enrich_these(&other, messages.clone()).await.all_done();
            gate.wait().await;
        };
        let (slow, ()) = tokio::join!(stage.world.enrich_these(&stage.enricher, messages.clone()), quick);
        slow.all_done();
        assert_eq!(changes(&told(&stage.world, "two")).len(), change_of_the_quick_one);
        stage.tell(&updated("three")).await;
        assert_eq!(changes(&told(&stage.world, "three")).len(), 1 - change_of_the_quick_one, "whoever comes next tells the rest");
        changes_lead_to_what_is_remembered(&stage).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_back_after_his_twin_has_published_tells_nothing_of_his_own() {
    let stage = moved().await;
    let other = stage.another_enricher(NO_LAG).await;
    let gate = Arc::new(Semaphore::new(0));
    stage.capillary.next(5, Reply::Held(Arc::clone(&gate)));
    stage.world.enqueue(&updated("two")).await;
    let messages = stage.world.queue_messages().await;
    let twin = async {
        let asked = async || (stage.capillary.customer_calls(5) == 2).then_some(());
        wait::poll(Duration::from_secs(10), asked).await.expect("the slow one asks");
        stage.world.enrich_these(&other, messages.clone()).await.all_done();
        stage.capillary.customer(5, &customer(5, "Faro", Some(12)));
        stage.world.enqueue(&updated("three")).await;
        stage.world.enrich(&other).await.all_done();
        gate.add_permits(1);
    };
    let (slow, ()) = tokio::join!(stage.world.enrich_these(&stage.enricher, messages.clone()), twin);
    slow.all_done();
    assert_eq!((changes(&told(&stage.world, "two")).len(), changes(&told(&stage.world, "three")).len()), (1, 1));
    changes_lead_to_what_is_remembered(&stage).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_answer_does_not_overwrite_what_others_saw_meanwhile() {
    // No time in the customer: nothing but the order of reads and the version keeps the slow one from undoing the change.
    let stage = Stage::with(NO_LAG).await;
    let other = stage.another_enricher(NO_LAG).await;
    stage.capillary.customer(5, &customer(5, "Porto", None));
    stage.tell(&updated("one")).await;
    let gate = Arc::new(Semaphore::new(0));
    stage.capillary.next(5, Reply::Held(Arc::clone(&gate)));
    stage.capillary.customer(5, &customer(5, "Lisboa", None));
    stage.world.enqueue(&updated("slow")).await;
    let messages = stage.world.queue_messages().await;
    let quick = async {
        let asked = async || (stage.capillary.customer_calls(5) == 2).then_some(());
        wait::poll(Duration::from_secs(10), asked).await.expect("the slow one asks");
        stage.capillary.customer(5, &customer(5, "Faro", None));
        stage.world.enqueue(&updated("quick")).await;
        stage.world.enrich(&other).await.all_done();
        gate.add_permits(1);
    };
    let (slow, ()) = tokio::join!(stage.world.enrich_these(&stage.enricher, messages.clone()), quick);
    slow.all_done();
    assert_eq!(changes(&told(&stage.world, "slow")), &[] as &[Value]);
    let snapshot = stage.world.snapshot(&customer_key(5)).await.unwrap();
    assert_eq!(snapshot.body(), customer(5, "Faro", None));
    changes_lead_to_what_is_remembered(&stage).await;
}
