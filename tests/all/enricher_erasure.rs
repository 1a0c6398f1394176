//! After a customer's deletion nothing of hers is kept (design, section 3: personal data does not outlive its source).

use std::io::Read as _;
use std::sync::Arc;

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::support::capillary::Capillary;
use crate::support::events::{ORG, of_card, of_customer, of_transaction, with_data};
use crate::support::fault_proxy::Fault;
use crate::support::history::{entities, told};
use crate::support::runtime_api::FunctionError;
use crate::support::scripted_capillary::Reply;
use crate::support::stage::{NO_LAG, Stage, customer, customer_key, transaction, transaction_key};
use crate::support::wait;
use crate::support::world::{World, now_ms};

const DELETED: u32 = 8109;
/// She, and somebody else.
const SHE: u64 = 5;
const ANOTHER: u64 = 6;
/// What is planted in all that is hers, and in all that is another's.
const HER_MARK: &str = "Zorilla";
const ANOTHERS_MARK: &str = "Kakapo";
const DAY_S: u64 = 86_400;

/// Everything that a customer has, marked.
async fn has_marked(capillary: &Capillary, customer: u64, mark: &str) {
    let name =
        json!({"profiles": [{"firstName": mark, "identifiers": [{"type": "email", "value": format!("{mark}@example.com")}]}]});
    capillary.customer(customer, name).await;
    let group = json!({"primaryMemberId": customer, "firstName": mark, "email": format!("{mark}@example.com")});
    capillary.entity(&format!("groups/{}", 30 + customer), group).await;
    let card = json!({"id": 70 + customer, "cardId": 70 + customer, "customerId": customer, "customFields": {"for": mark}});
    capillary.entity(&format!("cards/CARD{customer}"), card).await;
    capillary.transaction(90 + customer, json!({"customerId": customer, "billDetails": {"note": mark}})).await;
    capillary.entity(&format!("coupons/{}", 50 + customer), json!({"description": mark})).await;
}

/// Events by which all of that is seen.
fn seen(customer: u64) -> Vec<Value> {
    let of = json!({"customerId": customer});
    let group = json!({"groupId": 30 + customer, "primaryMember": {"customerIdentifiers": of}});
    let coupon = json!({"coupons": [{"id": 50 + customer, "code": format!("COUPON{customer}"), "customerIdentifiers": of}]});
    vec![
        with_data("groupUpdated", &format!("group of {customer}"), &group),
        of_card(&format!("card of {customer}"), &format!("CARD{customer}")),
        of_transaction("transactionUpdated", &format!("bill of {customer}"), 90 + customer, customer, "REGULAR"),
        with_data("CouponIssue", &format!("coupon of {customer}"), &coupon),
    ]
}

fn keys_of(customer: u64) -> Vec<String> {
    let of = |kind: &str, id: u64| format!("{ORG}#{kind}#{id}");
    vec![
        of("card", 70 + customer),
        of("coupon", 50 + customer),
        of("customer", customer),
        of("group", 30 + customer),
        of("transaction", 90 + customer),
    ]
}

/// Both have all of it, and it is remembered.
async fn remembered() -> Stage<Capillary> {
    let stage = Stage::sandbox(NO_LAG).await;
    for (customer, mark) in [(SHE, HER_MARK), (ANOTHER, ANOTHERS_MARK)] {
        has_marked(&stage.capillary, customer, mark).await;
        stage.attempt_all(&seen(customer)).await.all_done();
    }
    let mut expected = [keys_of(SHE), keys_of(ANOTHER)].concat();
    expected.sort();
    assert_eq!(stage.world.snapshot_keys().await, expected);
    for mark in [HER_MARK, ANOTHERS_MARK] {
        assert!(kept(&stage.world).await.iter().filter(|(_, text)| text.contains(mark)).count() >= 5, "{mark} is not planted");
    }
    stage
}

/// Her deletion, as Capillary tells it: with her fields once more, and without a request.
fn deletion(id: &str) -> Value {
    let mut event = of_customer("customerUpdated", id, SHE);
    event["apiRequestId"] = json!("");
    event["data"]["firstName"] = json!(HER_MARK);
    event["data"]["customFields"] = json!([{"key": "for", "value": HER_MARK}]);
    event["data"]["customerStatus"] =
        json!({"previousStatus": "ACTIVE", "previousLabel": "Active", "currentStatus": "DELETED", "currentLabel": "Deleted"});
    event
}

/// All that the stack keeps, as texts under the names of their places: attributes as they are, and what is compressed in them.
async fn kept(world: &World) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for row in world.ledger_rows().await {
        all.push((format!("row {}", row.text("eventId").unwrap_or_default()), texts(row.0.values())));
    }
    for snapshot in world.snapshots().await {
        all.push((format!("snapshot {}", snapshot.text("entityKey")), texts(snapshot.0.values())));
    }
    // What went over the bus is in the hands of whoever made a rule.
    let [events, dead_letters, _] = world.queues();
    for queue in [events, dead_letters] {
        for message in world.receive_all(queue).await {
            let delivered = String::from_utf8_lossy(&message.delivered_bytes()).into_owned();
            all.push((format!("message in {queue}"), format!("{message:?} {delivered}")));
        }
    }
    all
}

fn texts<'a>(values: impl Iterator<Item = &'a AttributeValue>) -> String {
    let mut texts = String::new();
    for value in values {
        texts += &format!("{value:?} ");
        if let AttributeValue::B(bytes) = value {
            texts += &String::from_utf8_lossy(bytes.as_ref());
            flate2::read::GzDecoder::new(bytes.as_ref()).read_to_string(&mut texts).expect("gzip");
        }
    }
    texts
}

async fn nothing_of_hers_is_left(world: &World) {
    for (place, text) in kept(world).await {
        assert!(!text.contains(HER_MARK), "her data stays: {place}");
    }
    let mut expected = keys_of(ANOTHER);
    expected.push(customer_key(SHE));
    expected.sort();
    assert_eq!(world.snapshot_keys().await, expected);
    assert!(world.snapshot(&customer_key(SHE)).await.expect("a tombstone").is_tombstone());
    let anothers = kept(world).await.into_iter().filter(|(_, text)| text.contains(ANOTHERS_MARK)).count();
    assert_eq!(anothers, keys_of(ANOTHER).len(), "another's data goes along");
}

#[tokio::test]
async fn after_a_deletion_nothing_of_hers_is_left_in_any_table_or_queue() {
    for api_knows in [true, false] {
        let stage = remembered().await;
        assert!(stage.world.proxy.calls("Query").is_empty(), "nobody was deleted");
        if api_knows {
            stage.capillary.customer_is(SHE, "deleted").await;
        }
        let detail = stage.tell(&deletion("deletion")).await;
        assert_eq!(entities(&detail), ["customer/5 deleted"]);
        nothing_of_hers_is_left(&stage.world).await;
        // What Capillary still tells of what was hers goes out, and is not kept.
        stage.capillary.customer_is(SHE, "deleted").await;
        for mut event in seen(SHE) {
            let again = format!("{} again", event["eventId"].as_str().unwrap());
            event["eventId"] = json!(again);
            let detail = stage.tell(&event).await;
            let kinds = entities(&detail);
            assert!(kinds.contains(&"customer/5 deleted".to_owned()) && kinds.len() == 2, "{kinds:?}");
            let found = detail["data"]["entities"].as_array().unwrap().iter().find(|entity| entity["status"] == "found").unwrap();
            assert_eq!((&found["baseline"], found["version"].is_u64()), (&json!(true), true), "{again}");
            nothing_of_hers_is_left(&stage.world).await;
        }
    }
}

#[tokio::test]
async fn what_is_told_of_her_group_without_her_is_not_kept_either() {
    let stage = remembered().await;
    stage.tell(&deletion("deletion")).await;
    let of_group = json!({"entityInformation": {"entityType": "USERGROUP2", "entityId": 30 + SHE}, "pointsExpired": 5});
    let detail = stage.tell(&with_data("pointsExpired", "points", &of_group)).await;
    assert_eq!(entities(&detail), ["group/35 found"]);
    nothing_of_hers_is_left(&stage.world).await;
}

#[tokio::test]
async fn what_was_stored_beside_her_deletion_goes_with_the_next_event_about_her() {
    let stage = remembered().await;
    let bill = stage.world.snapshot(&transaction_key(90 + SHE)).await.expect("her bill");
    stage.tell(&deletion("deletion")).await;
    stage.world.put_snapshot(&bill).await;
    stage.capillary.customer_is(SHE, "missing").await;
    assert_eq!(entities(&stage.tell(&of_customer("tierRenewed", "next", SHE)).await), ["customer/5 deleted"]);
    nothing_of_hers_is_left(&stage.world).await;
}

#[tokio::test]
async fn killed_at_any_call_of_a_deletion_the_next_attempt_goes_on() {
    for operation in ["Query", "BatchWriteItem", "TransactWriteItems", "UpdateItem"] {
        for kills_after in [false, true] {
            let mut stage = remembered().await;
            let process = stage.enricher.0.process();
            let fault = if kills_after { Fault::KillAfter(process) } else { Fault::KillBefore(process) };
            stage.world.proxy.once(operation, fault);
            let messages = stage.received(&[deletion("deletion")]).await;
            let outcome = stage.world.attempt(&stage.enricher, messages.clone()).await;
            assert!(matches!(outcome, Err(FunctionError::Died)), "{operation}: {outcome:?}");
            let has_tombstone = stage.world.snapshot(&customer_key(SHE)).await.unwrap().is_tombstone();
            let is_stored = operation == "UpdateItem" || (operation == "TransactWriteItems" && kills_after);
            assert_eq!(has_tombstone, is_stored, "{operation}");
            let keys = stage.world.snapshot_keys().await;
            assert!(!has_tombstone || !keys.iter().any(|key| keys_of(SHE).contains(key) && *key != customer_key(SHE)));
            stage.enricher = stage.world.enricher_asking(stage.capillary.url(), NO_LAG).await;
            stage.world.enrich_these(&stage.enricher, stage.world.redelivered(&messages).await).await.all_done();
            nothing_of_hers_is_left(&stage.world).await;
            assert_eq!(stage.world.ledger_row("deletion").await.expect("a row").status(), "PUBLISHED");
            told(&stage.world, "deletion");
        }
    }
}

#[tokio::test]
async fn while_the_index_or_the_table_fails_her_deletion_waits() {
    let failing = Fault::DYNAMODB_DOWN;
    for (operation, fault) in [("Query", failing.clone()), ("BatchWriteItem", failing), ("BatchWriteItem", Fault::Unprocessed)] {
        let stage = remembered().await;
        stage.world.proxy.always(operation, fault);
        let batch = stage.attempt(&deletion("deletion")).await;
        batch.all_back();
        assert!(!stage.world.snapshot(&customer_key(SHE)).await.unwrap().is_tombstone(), "{operation}: half a deletion");
        assert!(!stage.world.ledger_row("deletion").await.is_some_and(|row| row.has("detail")), "{operation}");
        stage.world.proxy.heal();
        // A part may be left undone once.
        stage.world.proxy.once("BatchWriteItem", Fault::Unprocessed);
        stage.again(&batch).await.all_done();
        nothing_of_hers_is_left(&stage.world).await;
    }
}

#[tokio::test]
async fn who_has_more_than_an_answer_of_the_index_holds_is_forgotten_page_by_page() {
    let stage = Stage::with(NO_LAG).await;
    stage.capillary.always(SHE, Reply::error(DELETED));
    stage.world.has_bills(&customer_key(SHE), 230).await;
    stage.world.has_bills(&customer_key(ANOTHER), 3).await;
    stage.tell(&of_customer("customerUpdated", "one", SHE)).await;
    assert_eq!(stage.world.snapshot_count().await, 4);
    assert_eq!(stage.world.proxy.calls("Query").len(), 3);
}

#[tokio::test]
async fn who_has_more_than_one_invocation_should_delete_is_forgotten_at_several() {
    let stage = Stage::with(NO_LAG).await;
    stage.capillary.always(SHE, Reply::error(DELETED));
    stage.world.has_bills(&customer_key(SHE), 620).await;
    let batch = stage.attempt(&of_customer("customerUpdated", "one", SHE)).await;
    batch.all_back();
    assert_eq!(stage.world.delay_of(&batch.back[0]), 1);
    assert_eq!(stage.world.snapshot_count().await, 120, "500 at once, and no tombstone yet");
    stage.again(&batch).await.all_done();
    assert_eq!(stage.world.snapshot_keys().await, [customer_key(SHE)]);
}

#[tokio::test]
async fn a_change_of_her_bill_that_is_worked_on_during_her_deletion_is_not_remembered() {
    let stage = Stage::with(NO_LAG).await;
    let bill = |quantity: u64, second: u32| {
        let mut bill = transaction(9, &[quantity], second);
        bill["customerId"] = json!(SHE);
        bill
    };
    stage.capillary.customer(SHE, &customer(SHE, "Porto", Some(10)));
    stage.capillary.transaction(9, &bill(1, 10));
    stage.tell(&of_transaction("transactionAdded", "first", 9, SHE, "REGULAR")).await;
    stage.capillary.transaction(9, &bill(2, 11));
    let gate = Arc::new(Semaphore::new(0));
    stage.capillary.next(SHE, Reply::Held(Arc::clone(&gate)));
    let slow = stage.received(&[of_transaction("transactionUpdated", "slow", 9, SHE, "REGULAR")]).await;
    let asked_before = stage.capillary.customer_calls(SHE);
    let other = stage.another_enricher(NO_LAG).await;
    let meanwhile = async {
        let asked = async || (stage.capillary.customer_calls(SHE) > asked_before).then_some(());
        wait::poll(std::time::Duration::from_secs(10), asked).await.expect("the enricher asks");
        stage.capillary.always(SHE, Reply::error(DELETED));
        stage.world.enqueue(&deletion("deletion")).await;
        stage.world.enrich(&other).await.all_done();
        gate.add_permits(1);
    };
    let (batch, ()) = tokio::join!(stage.world.enrich_these(&stage.enricher, slow), meanwhile);
    batch.all_done();
    assert_eq!(entities(&stage.told("slow")), ["transaction/9 found", "customer/5 deleted"]);
    assert_eq!(stage.world.snapshot_keys().await, [customer_key(SHE)]);
}

#[tokio::test]
async fn what_a_failed_event_stores_is_kept_until_its_message_can_no_more_come_back() {
    let stage = Stage::with(&[("CAPILLARY_REPLICA_LAG_SECONDS", "0"), ("MAX_ATTEMPTS", "1")]).await;
    stage.capillary.customer(SHE, &customer(SHE, HER_MARK, Some(10)));
    stage.world.proxy.always("PutEvents", Fault::EntriesRefused("refused", "MalformedDetail"));
    stage.attempt(&of_customer("customerUpdated", "refused", SHE)).await.all_done();
    let letters = stage.world.dead_letters().await;
    assert_eq!((letters.len(), letters[0].attribute("reason")), (1, Some("invalid_entry")));
    let row = stage.world.ledger_row("refused").await.expect("a row");
    assert!(row.status() == "FAILED" && row.has("detail"), "{}", row.status());
    let days = |row: &crate::support::world::Row| (row.number("expiresAt").unwrap() - (now_ms() / 1000) as f64) / DAY_S as f64;
    assert!((days(&row) - 35.0).abs() < 0.01, "{} days", days(&row));
    // Redriven within that time, it is published as it was stored.
    stage.world.proxy.heal();
    stage.capillary.customer(SHE, &customer(SHE, "another", Some(11)));
    stage.tell(&of_customer("customerUpdated", "refused", SHE)).await;
    let sent = stage.world.sent_details();
    assert!(sent.len() == 2 && sent[0] == sent[1], "{} sent", sent.len());
    let row = stage.world.ledger_row("refused").await.expect("a row");
    assert!(row.status() == "PUBLISHED" && !row.has("detail") && (days(&row) - 21.0).abs() < 0.01);
}
