//! Cards are known by their numbers only, and lead to whose they are.

use serde_json::{Value, json};

use super::{AUDITS, customer_call};
use crate::support::capillary::Capillary;
use crate::support::events::{ORG, of_card, of_customer};
use crate::support::fault_proxy::Fault;
use crate::support::history::{History, changes, entities, entity, lasting, origins};
use crate::support::stage::{LONG_LAG, LONG_LAG_S, NO_LAG, Stage, customer_key};
use crate::support::world::now_ms;

/// Of customer 7.
const NUMBER: &str = "CARD7";
const CARD_CALL: &str = "/v2/card?number=CARD7";
const CARD: u64 = 77;
const AN_HOUR_S: u64 = 3600;

fn card_key() -> String {
    format!("{ORG}#card#{CARD}")
}

/// An event that tells a status before and after.
fn restated(id: &str, previous: &str, current: &str) -> Value {
    let mut event = of_card(id, NUMBER);
    event["data"]["previousStatusLabel"] = json!(previous);
    event["data"]["currentStatusLabel"] = json!(current);
    event
}

/// How a card is that has such a status.
fn status(label: &str, log_entry: u64) -> Value {
    json!({"statusInfo": {"label": label, "status": label, "id": log_entry}})
}

/// A card with a status, not seen before.
async fn issued(settings: &[(&str, &str)]) -> Stage<Capillary> {
    let stage = Stage::sandbox(settings).await;
    stage.capillary.entity("cards/CARD7", json!({"id": CARD, "cardId": CARD})).await;
    stage.capillary.entity("cards/CARD7", status("ACTIVE", 1)).await;
    stage
}

/// The same, seen once.
async fn known(settings: &[(&str, &str)]) -> Stage<Capillary> {
    let stage = issued(settings).await;
    stage.tell(&restated("one", "NOT_ISSUED", "ACTIVE")).await;
    stage.capillary.new_calls().await;
    stage
}

#[tokio::test]
async fn a_card_comes_with_its_customer_and_what_the_event_tells_of_it_by_two_calls() {
    let stage = issued(NO_LAG).await;
    let detail = stage.tell(&restated("one", "NOT_ISSUED", "ACTIVE")).await;
    assert_eq!(entities(&detail), ["card/77 found", "customer/7 found"]);
    assert_eq!((&detail["subject"], &detail["data"]["enrichment"]["status"]), (&json!("card/77"), &json!("complete")));
    assert_eq!(entity(&detail, "card")["body"]["cardNumber"], NUMBER);
    assert_eq!(origins(&detail), [("card/77/statusInfo/label".to_owned(), "event")]);
    assert_eq!(stage.capillary.new_calls().await, [CARD_CALL, &customer_call(7)]);
    assert_eq!(stage.world.snapshot_keys().await, [card_key(), customer_key(7)]);
}

#[tokio::test]
async fn a_known_card_changes_its_status_and_the_event_is_the_origin() {
    let stage = known(NO_LAG).await;
    stage.capillary.entity("cards/CARD7", status("LOST", 2)).await;
    stage.capillary.entity("cards/CARD7", json!({"expiryDays": 7})).await;
    for key in [card_key(), customer_key(7)] {
        stage.world.was_seen_before(&key, AN_HOUR_S).await;
    }
    let detail = stage.tell(&restated("two", "ACTIVE", "LOST")).await;
    assert_eq!(entities(&detail), ["card/77 found", "customer/7 found"]);
    let of_status = ["id", "label", "status"].map(|member| (format!("card/77/statusInfo/{member}"), "event"));
    assert_eq!(origins(&detail), [vec![("card/77/expiryDays".to_owned(), "snapshot")], of_status.to_vec()].concat());
    assert_eq!(stage.capillary.new_calls().await, [CARD_CALL, &customer_call(7)], "neither a second look nor audits");
    let card = stage.world.snapshot(&card_key()).await.unwrap();
    assert_eq!(History::of(&stage.world).replay("card/77"), (card.version(), lasting(&card.body())));
}

#[tokio::test]
async fn a_card_that_was_seen_just_now_is_looked_at_a_second_time() {
    // Which card it is, is known only after the first answer; so what was remembered then was read too late.
    let stage = known(NO_LAG).await;
    stage.capillary.entity("cards/CARD7", status("LOST", 2)).await;
    let detail = stage.tell(&restated("two", "ACTIVE", "LOST")).await;
    assert_eq!(changes(&detail).len(), 3);
    assert_eq!(stage.capillary.new_calls().await, [CARD_CALL, CARD_CALL, &customer_call(7)]);
    stage.tell(&restated("the same", "ACTIVE", "LOST")).await;
    assert_eq!(stage.capillary.new_calls().await, [CARD_CALL, &customer_call(7)], "nothing differs");
}

#[tokio::test]
async fn while_replicas_may_lag_a_change_of_a_card_waits() {
    let stage = known(LONG_LAG).await;
    stage.capillary.entity("cards/CARD7", status("LOST", 2)).await;
    let batch = stage.attempt(&restated("two", "ACTIVE", "LOST")).await;
    batch.all_back();
    stage.world.was_seen_before(&card_key(), LONG_LAG_S).await;
    stage.again(&batch).await.all_done();
    assert_eq!(changes(&stage.told("two")).len(), 3);
}

#[tokio::test]
async fn of_a_card_whose_event_tells_nothing_the_audit_log_names_the_origin() {
    let stage = known(NO_LAG).await;
    let mut event = of_card("two", NUMBER);
    event["apiRequestId"] = json!(stage.capillary.change("cards/CARD7", status("LOST", 2)).await);
    let detail = stage.tell(&event).await;
    let of_status = ["id", "label", "status"].map(|member| (format!("card/77/statusInfo/{member}"), "audit"));
    assert_eq!(origins(&detail), of_status);
    let mut calls = stage.capillary.new_calls().await;
    calls.retain(|call| call.starts_with(AUDITS));
    assert_eq!(calls.len(), 1, "{calls:?}");
    assert!(calls[0].contains("entityType=CARD&entityId=77&"), "by its id, not its number: {calls:?}");
}

#[tokio::test]
async fn a_card_that_is_nowhere_goes_out_under_its_number_and_is_not_remembered() {
    for state in [json!({"state": "missing"}), json!({"state": "missing", "httpStatus": 404})] {
        let stage = Stage::sandbox(NO_LAG).await;
        stage.capillary.entity("cards/CARD7/state", state).await;
        let detail = stage.tell(&restated("one", "ACTIVE", "LOST")).await;
        assert_eq!(entities(&detail), ["card/CARD7 not_found"]);
        assert_eq!((&detail["subject"], &detail["data"]["enrichment"]["status"]), (&json!("card/CARD7"), &json!("partial")));
        assert_eq!(changes(&detail), &[] as &[Value]);
        assert_eq!(stage.capillary.new_calls().await, [CARD_CALL]);
        assert_eq!(stage.world.snapshot_count().await, 0);
    }
}

#[tokio::test]
async fn a_card_that_is_no_more_leaves_what_was_known_of_it_as_it_was() {
    let stage = known(NO_LAG).await;
    let before = stage.world.snapshot(&card_key()).await.unwrap();
    stage.capillary.entity_is("cards/CARD7", "missing").await;
    assert_eq!(entities(&stage.tell(&restated("two", "ACTIVE", "LOST")).await), ["card/CARD7 not_found"]);
    assert_eq!(stage.world.snapshot(&card_key()).await.unwrap().0, before.0);
    assert_eq!(stage.world.snapshot_keys().await, [card_key(), customer_key(7)]);
}

#[tokio::test]
async fn cards_and_customers_of_a_batch_are_each_asked_for_once_and_tell_a_change_once() {
    let stage = known(NO_LAG).await;
    stage.capillary.entity("cards/CARD7", status("LOST", 2)).await;
    for key in [card_key(), customer_key(7)] {
        stage.world.was_seen_before(&key, AN_HOUR_S).await;
    }
    let mut earlier = restated("earlier", "ACTIVE", "LOST");
    earlier["createdAt"] = json!(earlier["createdAt"].as_u64().unwrap() - 1000);
    let batch = [restated("later", "ACTIVE", "LOST"), of_customer("tierRenewed", "of whose it is", 7), earlier];
    stage.attempt_all(&batch).await.all_done();
    assert_eq!(stage.capillary.new_calls().await, [CARD_CALL, &customer_call(7)]);
    let told = ["earlier", "later", "of whose it is"].map(|id| changes(&stage.told(id)).len());
    assert_eq!(told, [3, 0, 0], "by the one that happened first");
}

/// Found nowhere but in the event, its entities, and the call for the card.
const MARKED: &str = "ZORILLA4711";

#[tokio::test]
async fn a_cards_number_is_in_no_log_no_metric_no_key_and_no_error() {
    const LOUD: &[(&str, &str)] = &[
        ("RUST_LOG", "trace"),
        ("LOG_LEVEL", "TRACE"),
        ("AWS_LAMBDA_LOG_LEVEL", "TRACE"),
        ("CAPILLARY_REPLICA_LAG_SECONDS", "0"),
    ];
    let stage = Stage::sandbox(LOUD).await;
    let card = format!("cards/{MARKED}");
    for label in ["ACTIVE", "LOST"] {
        stage.capillary.entity(&card, status(label, 1)).await;
        stage.tell(&of_card(label, MARKED)).await;
    }
    stage.world.enqueue(&of_card("troubled", MARKED)).await;
    let mut messages = stage.world.queue_messages().await;
    for kind in ["torn", "html", "unauthorized", "reset"] {
        stage.capillary.fault("/v2/card", json!({"kind": kind})).await;
        let batch = stage.world.enrich_these(&stage.enricher, messages).await;
        batch.all_back();
        messages = stage.world.redelivered(&batch.back).await;
    }
    stage.capillary.heal().await;
    stage.capillary.entity_is(&card, "missing").await;
    for (operation, fault) in [
        ("PutItem", Fault::DYNAMODB_INVALID),
        ("PutItem", Fault::DYNAMODB_DOWN),
        ("PutEvents", Fault::EntriesRefused(MARKED, "MalformedDetail")),
    ] {
        stage.world.proxy.always(operation, fault);
        let batch = stage.world.enrich_these(&stage.enricher, messages).await;
        batch.all_back();
        stage.world.proxy.heal();
        messages = stage.world.redelivered(&batch.back).await;
    }
    stage.capillary.fault("/v2/card", json!({"kind": "status", "status": 503})).await;
    stage.world.enqueue(&of_card("too old", MARKED)).await;
    messages.extend(stage.world.queue_messages().await);
    for message in &mut messages {
        message.system.insert("SentTimestamp".into(), (now_ms() - 13 * 86_400_000).to_string());
    }
    stage.world.enrich_these(&stage.enricher, messages).await.all_done();

    nothing_is_told(&stage.enricher.0.logs());
    nothing_is_told(&stage.world.snapshot_keys().await.join(" "));
    for call in stage.world.proxy.calls("BatchGetItem") {
        nothing_is_told(&call.body);
    }
    let letters = stage.world.dead_letters().await;
    assert_eq!(letters.len(), 1);
    for letter in letters {
        nothing_is_told(&format!("{:?}", letter.attributes));
    }
    for row in stage.world.ledger_rows().await {
        assert!(!row.has("detail"), "{row:?}");
        nothing_is_told(&format!("{row:?}"));
    }
}

#[track_caller]
fn nothing_is_told(text: &str) {
    assert!(!text.is_empty());
    let bytes: Vec<String> = MARKED.bytes().map(|byte| byte.to_string()).collect();
    for form in [MARKED, &bytes.join(", ")] {
        assert!(!text.contains(form), "{form} in {text}");
    }
}
