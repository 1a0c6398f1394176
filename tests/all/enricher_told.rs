//! Who tells of a change: the event, the audit log, or nobody (design, section 3; the sender's facts, 2.1 and 4.7).

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::events::{CREATED_AT, of_customer};
use crate::support::fault_proxy::Fault;
use crate::support::history::{History, changes, entity, lasting, told};
use crate::support::scripted_capillary::Reply;
use crate::support::stage::{NO_LAG, Stage, customer, customer_key};
use crate::support::wait;

/// The `apiRequestId` of the tests' events.
const REQUEST: &str = "4d0c6a5e";

fn updated(id: &str) -> Value {
    of_customer("customerUpdated", id, 5)
}

/// The same, telling fields: name, kind, value before and after.
fn telling(id: &str, fields: &[(&str, &str, Value, Value)]) -> Value {
    let mut event = updated(id);
    let field = |(name, kind, previous, current): &(&str, &str, Value, Value)| json!({"fieldName": name, "fieldType": kind, "source": "INSTORE", "previousValue": previous, "currentValue": current});
    event["data"]["updatedFields"] = fields.iter().map(field).collect();
    event
}

/// Ana Berg of Porto.
fn ana() -> Value {
    customer(5, "Porto", Some(10))
}

/// Anna Bergmann of Lisboa.
fn anna() -> Value {
    let mut anna = customer(5, "Lisboa", Some(11));
    anna["profiles"][0]["firstName"] = json!("Anna");
    anna["profiles"][0]["lastName"] = json!("Bergmann");
    anna
}

/// Ana was seen; now she is Anna.
async fn renamed() -> Stage {
    let stage = Stage::with(NO_LAG).await;
    stage.capillary.customer(5, &ana());
    stage.tell(&of_customer("pointsIssued", "first", 5)).await;
    stage.capillary.customer(5, &anna());
    stage
}

/// Path to origin of each change.
fn origins(detail: &Value) -> Vec<(&str, &str)> {
    let mut origins: Vec<(&str, &str)> =
        changes(detail).iter().map(|change| (change["path"].as_str().unwrap(), change["origin"].as_str().unwrap())).collect();
    origins.sort_unstable();
    origins
}

const CITY: &str = "/extendedFields/city";
const FIRST_NAME: &str = "/profiles/0/firstName";
const LAST_NAME: &str = "/profiles/0/lastName";

/// A row of the audit log about a field of the first name's kind.
fn row(request: &str, field: &str, previous: &str, current: &str) -> Value {
    let values = json!({"previousValue": previous, "currentValue": current});
    json!({"requestId": request, "createdOn": CREATED_AT, "source": "INSTORE", "entityId": 5, "entityType": "CUSTOMER",
           "events": [{"eventType": "Standard Fields", "updatedField": field, "additionalFields": values}]})
}

#[tokio::test]
async fn at_first_sight_only_what_the_customer_shows_is_told() {
    let stage = Stage::with(NO_LAG).await;
    stage.capillary.customer(5, &anna());
    let fields = [
        ("firstName", "StandardField", json!("Ana"), json!("Anna")),
        ("lastName", "StandardField", json!("Berg"), json!("Berger")),
        ("city", "ExtendedField", json!(null), json!("Lisboa")),
        ("nickname", "StandardField", json!("A"), json!("B")),
    ];
    let detail = stage.tell(&telling("one", &fields)).await;
    let seen = entity(&detail, "customer");
    assert_eq!((&seen["baseline"], &seen["body"]), (&json!(true), &anna()));
    assert_eq!(origins(&detail), [(CITY, "event"), (FIRST_NAME, "event")], "Berger is not what she is called, or not any more");
    let first_name = changes(&detail).iter().find(|change| change["path"] == FIRST_NAME).unwrap();
    let expected =
        json!({"entity": "customer/5", "op": "replace", "path": FIRST_NAME, "before": "Ana", "after": "Anna", "origin": "event"});
    assert_eq!(*first_name, expected);
    assert!(stage.capillary.audit_calls().is_empty(), "the event tells");
    // Once she is known, what is told again is told no second time.
    assert_eq!(changes(&stage.tell(&telling("two", &fields)).await), &[] as &[Value]);
}

#[tokio::test]
async fn a_status_at_first_sight_is_told_where_it_is_shown() {
    for (shown, expected) in [("Gold", &["/statusLabel"][..]), ("Silver", &[][..])] {
        let stage = Stage::with(NO_LAG).await;
        let mut body = ana();
        body["statusLabel"] = json!(shown);
        stage.capillary.customer(5, &body);
        let mut event = updated("one");
        event["data"]["customerStatus"] =
            json!({"previousStatus": "ACTIVE", "previousLabel": "Bronze", "currentStatus": "ACTIVE", "currentLabel": "Gold"});
        let detail = stage.tell(&event).await;
        let paths: Vec<&str> = origins(&detail).iter().map(|(path, _)| *path).collect();
        assert_eq!(paths, expected, "{detail}");
    }
}

#[tokio::test]
async fn who_is_known_changes_by_the_difference_and_the_event_only_names_the_origin() {
    let stage = renamed().await;
    let fields = [
        ("firstName", "StandardField", json!("Ann"), json!("Anna")),
        ("lastName", "StandardField", json!("Berg"), json!("Berger")),
        ("nickname", "StandardField", json!("A"), json!("B")),
    ];
    let detail = stage.tell(&telling("two", &fields)).await;
    assert_eq!(origins(&detail), [(CITY, "snapshot"), (FIRST_NAME, "event"), (LAST_NAME, "snapshot")]);
    let before: Vec<&Value> =
        changes(&detail).iter().filter(|change| change["path"] == FIRST_NAME).map(|change| &change["before"]).collect();
    assert_eq!(before, ["Ana"], "whatever the event says, consumers knew her as Ana");
    assert!(stage.capillary.audit_calls().is_empty());
    let remembered = stage.world.snapshot(&customer_key(5)).await.unwrap();
    assert_eq!(History::of(&stage.world).replay("customer/5"), (remembered.version(), lasting(&anna())));
}

#[tokio::test]
async fn the_audit_log_is_asked_when_something_differs_and_its_rows_are_those_of_the_request() {
    let stage = renamed().await;
    stage.capillary.audit_pages(&[
        json!([row("another", "lastName", "Berg", "Bergmann"), row("yet another", "mobile", "1", "2")]),
        json!([row(REQUEST, "FirstName", "Ana", "Anna")]),
    ]);
    let detail = stage.tell(&updated("two")).await;
    assert_eq!(origins(&detail), [(CITY, "snapshot"), (FIRST_NAME, "audit"), (LAST_NAME, "snapshot")]);
    let calls = stage.capillary.audit_calls();
    assert_eq!(calls.len(), 2, "{calls:?}");
    assert!(calls.iter().all(|call| call.contains("entityType=CUSTOMER") && call.contains("entityId=5")), "{calls:?}");
    assert!(calls[0].contains("pageNo=0") && calls[1].contains("pageNo=1"), "{calls:?}");
}

#[tokio::test]
async fn the_audit_log_tells_at_first_sight_what_is_shown() {
    let stage = Stage::with(NO_LAG).await;
    stage.capillary.customer(5, &anna());
    stage.capillary.audit_pages(&[json!([row(REQUEST, "firstName", "Ana", "Anna"), row(REQUEST, "lastName", "Berg", "Berger")])]);
    let detail = stage.tell(&updated("one")).await;
    assert_eq!((origins(&detail), &entity(&detail, "customer")["baseline"]), (vec![(FIRST_NAME, "audit")], &json!(true)));
}

#[tokio::test]
async fn the_audit_log_is_left_alone_where_it_could_tell_nothing() {
    let stage = renamed().await;
    stage.capillary.audit_pages(&[json!([row(REQUEST, "firstName", "Ana", "Anna")])]);
    let detail = stage.tell(&of_customer("pointsIssued", "another name", 5)).await;
    assert_eq!(origins(&detail), [(CITY, "snapshot"), (FIRST_NAME, "snapshot"), (LAST_NAME, "snapshot")]);
    stage.tell(&updated("nothing differs")).await;
    let mut empty = telling("nothing differs and nothing told", &[]);
    empty["data"]["updatedFields"] = json!([]);
    stage.tell(&empty).await;
    stage.capillary.customer(5, &ana());
    stage.capillary.next(5, Reply::error(8015));
    stage.tell(&updated("nobody there")).await;
    assert_eq!(stage.capillary.audit_calls(), Vec::<String>::new());
}

#[tokio::test]
async fn an_audit_log_that_will_not_tell_is_done_without() {
    let refusals = [
        Reply::Answer(403, r#"{"errors":[{"code":4000,"message":"no"}]}"#.into()),
        Reply::Answer(404, String::new()),
        Reply::Answer(400, "{}".into()),
        Reply::Answer(200, r#"{"data":null,"errors":[{"code":500,"message":"no"}]}"#.into()),
    ];
    for reply in refusals {
        let stage = renamed().await;
        stage.capillary.audits_always(reply);
        let detail = stage.tell(&updated("two")).await;
        assert_eq!(origins(&detail), [(CITY, "snapshot"), (FIRST_NAME, "snapshot"), (LAST_NAME, "snapshot")]);
    }
}

#[tokio::test]
async fn an_audit_log_in_trouble_delays_an_event_but_never_stops_it() {
    for reply in [Reply::Answer(500, "{}".into()), Reply::Answer(429, "{}".into()), Reply::Answer(200, "{\"data\":[".into())] {
        let stage = renamed().await;
        stage.capillary.audits_always(reply);
        let mut batch = stage.attempt(&updated("two")).await;
        batch.all_back();
        // It holds up nobody else.
        stage.capillary.customer(6, &customer(6, "Faro", None));
        stage.tell(&of_customer("pointsIssued", "of another", 6)).await;
        for _ in 0..20 {
            assert!(
                stage.world.ledger_row("two").await.is_none_or(|row| !row.has("attempts")),
                "that is no failure of the event"
            );
            if batch.back.is_empty() {
                break;
            }
            batch = stage.again(&batch).await;
        }
        batch.all_done();
        assert_eq!(origins(&told(&stage.world, "two")), [(CITY, "snapshot"), (FIRST_NAME, "snapshot"), (LAST_NAME, "snapshot")]);
    }
}

#[tokio::test]
async fn an_audit_log_that_recovers_is_believed() {
    let stage = renamed().await;
    stage.capillary.audits_always(Reply::Answer(503, String::new()));
    let batch = stage.attempt(&updated("two")).await;
    batch.all_back();
    stage.capillary.audits_always(Reply::State(0));
    stage.capillary.audit_pages(&[json!([row(REQUEST, "firstName", "Ana", "Anna")])]);
    stage.again(&batch).await.all_done();
    assert!(origins(&told(&stage.world, "two")).contains(&(FIRST_NAME, "audit")));
}

#[tokio::test]
async fn copies_agree_on_origins_whatever_the_audit_log_says_later() {
    let stage = renamed().await;
    stage.world.proxy.always("PutEvents", Fault::EVENTS_DOWN);
    let batch = stage.attempt(&updated("two")).await;
    batch.all_back();
    stage.world.proxy.heal();
    stage.capillary.audit_pages(&[json!([row(REQUEST, "firstName", "Ana", "Anna")])]);
    stage.again(&batch).await.all_done();
    // `told` insists on equal copies.
    assert_eq!(origins(&told(&stage.world, "two")), [(CITY, "snapshot"), (FIRST_NAME, "snapshot"), (LAST_NAME, "snapshot")]);
    let published = wait::poll(Duration::from_secs(10), async || Some(stage.world.published(1).await)).await.unwrap();
    assert!(published.iter().any(|detail| detail["id"] == "two"));
}

/// An event with `data` of its own beside the customer.
fn with_data(name: &str, id: &str, data: &Value) -> Value {
    let mut event = of_customer(name, id, 5);
    event["data"].as_object_mut().unwrap().extend(data.as_object().unwrap().clone());
    event
}

/// Ana in a tier, with her newsletter.
fn in_tier(number: u32, name: &str, expiry: &str, newsletter: &str, second: u32) -> Value {
    let mut ana = customer(5, "Porto", Some(second));
    ana["pointsSummary"] =
        json!({"slabSNo": number, "currentSlab": name, "slabExpiryDate": expiry, "loyaltyPoints": 10 * second});
    ana["subscriptionInfo"] = json!({"subscriptions": [
        {"channel": "EMAIL", "priority": "BULK", "type": newsletter}, {"channel": "EMAIL", "priority": "TRANS", "type": "OPTIN"}]});
    ana
}

fn jasper() -> Value {
    in_tier(1, "Jasper", "2117-04-29T23:59:59+05:30", "OPTIN", 10)
}

/// The same in the next tier, without the newsletter.
fn indigo() -> Value {
    in_tier(2, "Indigo", "2125-01-09T23:59:59+05:30", "OPTOUT", 11)
}

fn upgraded(id: &str) -> Value {
    let tiers = json!([{"tierNumber": 1, "tierName": "Jasper"}, {"tierNumber": 2, "tierName": "Indigo"}]);
    let data = json!({"loyaltyProgramId": 282, "loyaltyProgramDetails": {"id": 282, "isDefault": true, "tiers": tiers},
                      "previousTierNumber": 1, "upgradedTierNumber": 2, "tierExpiryDate": "2125-01-09"});
    with_data("tierUpgraded", id, &data)
}

fn unsubscribed(id: &str) -> Value {
    let subscription = json!({"channel": "EMAIL", "priority": "BULK", "previousStatus": "OPTIN", "currentStatus": "OPTOUT"});
    with_data("customerSubscription", id, &json!({ "subscriptions": [subscription] }))
}

const POINTS: &str = "/pointsSummary/loyaltyPoints";
const TIER: [&str; 3] = ["/pointsSummary/currentSlab", "/pointsSummary/slabExpiryDate", "/pointsSummary/slabSNo"];
const NEWSLETTER: &str = "/subscriptionInfo/subscriptions/0/type";

#[tokio::test]
async fn an_event_that_carries_before_and_after_is_the_origin_of_what_it_carries() {
    for (event, told) in [(upgraded("two"), &TIER[..]), (unsubscribed("two"), &[NEWSLETTER])] {
        let stage = Stage::with(NO_LAG).await;
        stage.capillary.customer(5, &jasper());
        stage.tell(&of_customer("pointsIssued", "one", 5)).await;
        stage.capillary.customer(5, &indigo());
        let detail = stage.tell(&event).await;
        let mut expected: Vec<(&str, &str)> = TIER.iter().chain([&POINTS, &NEWSLETTER]).map(|path| (*path, "snapshot")).collect();
        expected.iter_mut().filter(|(path, _)| told.contains(path)).for_each(|(_, origin)| *origin = "event");
        expected.sort_unstable();
        assert_eq!(origins(&detail), expected);
        assert!(stage.capillary.audit_calls().is_empty());
    }
}

#[tokio::test]
async fn an_event_that_carries_before_and_after_tells_them_at_first_sight() {
    let stage = Stage::with(NO_LAG).await;
    stage.capillary.customer(5, &indigo());
    let detail = stage.tell(&upgraded("one")).await;
    assert_eq!(entity(&detail, "customer")["baseline"], json!(true));
    assert_eq!(origins(&detail), [("/pointsSummary/currentSlab", "event"), ("/pointsSummary/slabSNo", "event")]);
    let name = changes(&detail).iter().find(|change| change["path"] == "/pointsSummary/currentSlab").unwrap();
    assert_eq!((&name["before"], &name["after"]), (&json!("Jasper"), &json!("Indigo")));
    assert_eq!(changes(&stage.tell(&upgraded("two")).await), &[] as &[Value], "told once");
}

#[tokio::test]
async fn a_date_is_told_in_another_form_than_it_is_shown() {
    let stage = Stage::with(NO_LAG).await;
    let mut engaged = ana();
    engaged["extendedFields"]["wedding_date"] = json!("2025-03-04T00:00:00Z");
    stage.capillary.customer(5, &engaged);
    stage.tell(&of_customer("pointsIssued", "one", 5)).await;
    engaged["extendedFields"]["wedding_date"] = json!("2025-03-11T20:57:00+05:30");
    engaged["profiles"][0]["autoUpdateTime"] = json!("2025-02-06T11:59:11Z");
    stage.capillary.customer(5, &engaged);
    let (previous, current) = (json!("Tue Mar 04 00:00:00 GMT 2025"), json!("Tue Mar 11 15:27:00 GMT 2025"));
    let detail = stage.tell(&telling("two", &[("wedding_date", "ExtendedField", previous, current)])).await;
    assert_eq!(origins(&detail), [("/extendedFields/wedding_date", "event")]);
}
