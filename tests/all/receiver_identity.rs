//! What an event is and which one it is (design, section 2, "Event" and "Identity"; facts 1.1 to 1.6).

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::support::messages::Received;
use crate::support::world::{Row, World};

/// What the ledger and the message must tell of a delivery.
struct Expected {
    id: &'static str,
    name: &'static str,
    org: Option<&'static str>,
    request: Option<&'static str>,
    reference: Option<&'static str>,
}

const FULL: Expected =
    Expected { id: "e1", name: "pointsIssued", org: Some("100737"), request: Some("r1"), reference: Some("100737_f1") };

fn flat() -> Value {
    json!({"eventName": "pointsIssued", "eventId": "e1", "orgId": 100_737, "refId": "100737_f1", "apiRequestId": "r1",
           "createdAt": 1_755_225_718_242_u64, "data": {"totalPointsIssued": 10.0, "customerIdentifiers": {"customerId": 7}}})
}

fn envelope(event_type: &str) -> Value {
    let mut attributes = flat();
    attributes.as_object_mut().unwrap().remove("eventId");
    json!({"eventId": "e1", "eventType": event_type, "consumerGroupId": null, "actionType": "START",
           "timeStamp": 1_755_225_718_250_u64, "eventLogId": 5, "attributes": attributes})
}

fn envelope_without_a_name() -> Value {
    let mut whole = envelope("100737_pointsIssued");
    whole["attributes"].as_object_mut().unwrap().remove("eventName");
    whole
}

fn captured() -> Value {
    json!({"event": {"body": flat(), "client_ip": "192.0.2.1", "headers": {"host": "x"}, "method": "POST", "path": "/", "query": {}, "url": "https://x/"}})
}

fn everything_in_data() -> Value {
    json!({"data": {"eventName": "issuedalternateCurrenciesReversed", "eventId": "e1", "orgId": 100_737, "refId": "100737_f1",
                    "customerIdentifiers": {"customerId": 7}}})
}

fn hoisted() -> Value {
    json!({"eventName": "issuedalternateCurrenciesReversed", "eventId": "e1", "orgId": 100_737, "refId": "100737_f1",
           "apiRequestId": "r1", "customerIdentifiers": {"customerId": 7}, "alternateCurrencies": []})
}

fn without_data() -> Value {
    json!({"eventName": "customerAdded", "eventId": "e1", "orgId": 100_737})
}

/// Tier events: every number is a float.
fn floats() -> Value {
    json!({"eventName": "tierUpgraded", "eventId": "e1", "orgId": 100_737.0, "createdAt": 1.755e12, "data": {"entityId": 7.0}})
}

#[tokio::test]
async fn every_shape_of_the_sources_is_unwrapped() {
    let no_request = || Expected { name: "issuedalternateCurrenciesReversed", request: None, ..FULL };
    let reversed = Expected { name: "issuedalternateCurrenciesReversed", ..FULL };
    let thin = |name| Expected { name, request: None, reference: None, ..FULL };
    let shapes = [
        ("flat", flat(), FULL),
        ("envelope, bare name", envelope("pointsIssued"), FULL),
        ("envelope, prefixed name", envelope("100737_pointsIssued"), FULL),
        ("envelope whose name stands only in eventType", envelope_without_a_name(), FULL),
        ("inside body", json!({"body": flat()}), FULL),
        ("captured: inside event.body", captured(), FULL),
        ("inside data, with errors and warnings", json!({"data": flat(), "errors": null, "warnings": null}), FULL),
        ("everything inside data", everything_in_data(), no_request()),
        ("hoisted", hoisted(), reversed),
        ("no data", without_data(), thin("customerAdded")),
        ("floats", floats(), thin("tierUpgraded")),
    ];
    for (shape, body, expected) in shapes {
        let world = World::new().await;
        let answer = world.receiver().await.deliver(body.to_string()).await;
        assert_eq!(answer.accepted(), expected.id, "{shape}");
        let row = world.ledger_row(expected.id).await.unwrap_or_else(|| panic!("{shape}: no row"));
        ledger_tells(shape, &row, &expected);
        let messages = world.queue_messages().await;
        assert_eq!(messages.len(), 1, "{shape}");
        message_tells(shape, &messages[0], &expected);
        assert_eq!(messages[0].delivered_bytes(), body.to_string().into_bytes(), "{shape}: not the bytes received");
    }
}

fn ledger_tells(shape: &str, row: &Row, expected: &Expected) {
    assert_eq!(row.text("eventName"), Some(expected.name), "{shape}");
    assert_eq!(row.number("orgId"), expected.org.map(|org| org.parse().unwrap()), "{shape}");
    assert_eq!(row.text("requestId"), expected.request, "{shape}");
    assert_eq!(row.text("refId"), expected.reference, "{shape}");
}

fn message_tells(shape: &str, message: &Received, expected: &Expected) {
    assert_eq!(message.attribute("eventId"), Some(expected.id), "{shape}");
    assert_eq!(message.attribute("eventName"), Some(expected.name), "{shape}");
    assert_eq!(message.attribute("orgId"), expected.org, "{shape}");
}

#[tokio::test]
async fn an_id_that_is_a_number_keeps_its_digits() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    for digits in ["15", "9007199254740993", "123456789012345678901234567890"] {
        let body = format!("{{\"eventName\":\"a\",\"eventId\":{digits},\"orgId\":1}}");
        assert_eq!(receiver.deliver(body).await.accepted(), digits);
    }
    // The same id as a string is the same event.
    receiver.deliver(r#"{"eventName":"a","eventId":"15","orgId":1}"#).await.come_again();
}

#[tokio::test]
async fn ids_of_1_to_256_printable_ascii_characters_are_taken_and_all_others_count_as_absent() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    let longest = "x".repeat(256);
    for id in ["a", "a b", "~!\"\\#/", longest.as_str()] {
        let body = json!({"eventName": "a", "eventId": id, "orgId": 1});
        assert_eq!(receiver.deliver(body.to_string()).await.accepted(), id);
    }
    let too_long = json!("x".repeat(257));
    let none = [
        json!(""),
        too_long,
        json!("ä"),
        json!("a\u{0}"),
        json!("a\n"),
        json!("\u{7f}"),
        json!(null),
        json!(true),
        json!(["a"]),
        json!({"a": 1}),
    ];
    for id in none {
        let body = json!({"eventName": "a", "eventId": id, "orgId": 1});
        let answered = receiver.deliver(body.to_string()).await.accepted();
        assert!(answered.starts_with("sha256:"), "{id}: {answered}");
    }
}

#[tokio::test]
async fn without_an_id_it_is_the_hash_of_the_canonical_event() {
    let cases = [
        (
            r#"{ "orgId": 1, "eventName": "promotionIssued", "timeStamp": 5, "data": {"b": 1.10, "a": [1, 2.0, "x y", null, true], "ä": "é"},
                 "actionType": "START", "traceAttributes": {"x": "y"}, "consumerGroupId": null }"#,
            r#"{"data":{"a":[1,2.0,"x y",null,true],"b":1.10,"ä":"é"},"eventName":"promotionIssued","orgId":1}"#,
        ),
        // Numbers as received, also those no machine number holds.
        (
            r#"{"eventName":"a","data":{"n":123456789012345678901234567890.50,"m":1E5,"o":-0}}"#,
            r#"{"data":{"m":1E5,"n":123456789012345678901234567890.50,"o":-0},"eventName":"a"}"#,
        ),
        // The last of duplicate keys.
        (r#"{"eventName":"a","data":{"k":1},"data":{"k":2,"k":3}}"#, r#"{"data":{"k":3},"eventName":"a"}"#),
        // By code point: an emoji lies behind U+FF5E, though its first UTF-16 unit does not.
        (
            "{\"eventName\":\"a\",\"data\":{\"\u{1F600}\":1,\"\u{FF5E}\":2,\"Z\":3,\"a\":4}}",
            "{\"data\":{\"Z\":3,\"a\":4,\"\u{FF5E}\":2,\"\u{1F600}\":1},\"eventName\":\"a\"}",
        ),
        // Wrappers are no part of the event.
        (r#"{"body":{"eventName":"a","orgId":2}}"#, r#"{"eventName":"a","orgId":2}"#),
    ];
    let world = World::new().await;
    let receiver = world.receiver().await;
    for (body, canonical) in cases {
        let expected = sha256_id(canonical);
        assert_eq!(receiver.deliver(body).await.accepted(), expected, "{body}");
        assert!(world.ledger_row(&expected).await.is_some());
    }
}

fn sha256_id(canonical: &str) -> String {
    let digits: Vec<String> = Sha256::digest(canonical.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{}", digits.concat())
}

#[tokio::test]
async fn a_resend_without_an_id_is_the_same_event_whatever_its_transport_fields_say() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    let mut first = envelope("100737_pointsIssued");
    first.as_object_mut().unwrap().remove("eventId");
    let mut resent = first.clone();
    resent["timeStamp"] = json!(1_755_225_799_999_u64);
    resent["consumerGroupId"] = json!("b9e2");
    resent["actionType"] = json!("RETRY");
    let id = receiver.deliver(first.to_string()).await.accepted();
    assert!(id.starts_with("sha256:"), "{id}");
    receiver.deliver(resent.to_string()).await.come_again();
    // Other data is another event.
    resent["attributes"]["data"]["totalPointsIssued"] = json!(11);
    assert_ne!(receiver.deliver(resent.to_string()).await.accepted(), id);
}

#[tokio::test]
async fn the_id_inside_data_is_never_taken() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    let target = json!({"eventName": "targetValueAchieved", "orgId": 1, "data": {"eventId": 15, "eventName": "TransactionAdd"}});
    assert!(receiver.deliver(target.to_string()).await.accepted().starts_with("sha256:"));
    let named = json!({"eventName": "targetValueAchieved", "eventId": "own", "orgId": 1, "data": {"eventId": 15, "eventName": "TransactionAdd"}});
    assert_eq!(receiver.deliver(named.to_string()).await.accepted(), "own");
    assert_eq!(world.ledger_row("own").await.unwrap().text("eventName"), Some("targetValueAchieved"));
    let streak = json!({"eventName": "streakStart", "orgId": 1, "data": {"eventId": "inner", "refId": "x", "orgId": "9"}});
    assert!(receiver.deliver(streak.to_string()).await.accepted().starts_with("sha256:"));
    assert!(world.ledger_row("15").await.is_none() && world.ledger_row("inner").await.is_none());
}

#[tokio::test]
async fn another_event_under_a_known_id_is_kept_under_a_second_key() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    let event =
        |name: &str, org: u64| json!({"eventName": name, "eventId": "shared", "orgId": org, "data": {"n": name}}).to_string();
    receiver.deliver(event("customerAdded", 1)).await.accepted();
    receiver.deliver(event("pointsIssued", 1)).await.accepted();
    receiver.deliver(event("customerAdded", 2)).await.accepted();
    let first = world.ledger_row("shared").await.expect("the first one's row");
    assert_eq!((first.text("eventName"), first.number("orgId")), (Some("customerAdded"), Some(1.0)));
    let rows = world.ledger_rows().await;
    assert_eq!(rows.len(), 3);
    for row in &rows {
        let (key, fingerprint) = (row.text("eventId").unwrap(), row.text("fingerprint").unwrap());
        assert!(key == "shared" || key == format!("shared~{fingerprint}"), "{key} {fingerprint}");
    }
    let mut keys: Vec<String> = world.queue_messages().await.iter().map(|m| m.attribute("eventId").unwrap().to_owned()).collect();
    let mut row_keys: Vec<String> = rows.iter().map(|row| row.text("eventId").unwrap().to_owned()).collect();
    keys.sort();
    row_keys.sort();
    assert_eq!(keys, row_keys, "each has a message under its own key");
    // Each of them is known from now on.
    receiver.deliver(event("pointsIssued", 1)).await.come_again();
    assert_eq!(world.ledger_rows().await.len(), 3);
}

#[tokio::test]
async fn the_fingerprint_is_judged_before_the_lease() {
    // Protocol, F9: else another event takes over the row of one that is not enqueued yet.
    let world = World::new().await;
    let receiver = world.receiver().await;
    let event = |name: &str| json!({"eventName": name, "eventId": "shared", "orgId": 1}).to_string();
    receiver.deliver(event("customerAdded")).await.accepted();
    world.lease_runs_out("shared").await;
    receiver.deliver(event("pointsIssued")).await.accepted();
    assert_eq!(world.ledger_row("shared").await.unwrap().text("eventName"), Some("customerAdded"));
    assert_eq!(world.ledger_rows().await.len(), 2);
    // And before the status.
    world.set("shared", "status", aws_sdk_dynamodb::types::AttributeValue::S("PUBLISHED".into())).await;
    receiver.deliver(event("cardUpdated")).await.accepted();
    assert_eq!(world.ledger_rows().await.len(), 3);
}

#[tokio::test]
async fn the_case_of_a_name_makes_no_other_event() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    let event = |name: &str| json!({"eventName": name, "eventId": "one", "orgId": 1}).to_string();
    receiver.deliver(event("CouponIssue")).await.accepted();
    receiver.deliver(event("couponissue")).await.come_again();
    assert_eq!(world.ledger_rows().await.len(), 1);
}

#[tokio::test]
async fn any_other_repetition_of_an_id_is_a_duplicate() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    let event = |points: u64| {
        json!({"eventName": "a", "eventId": "one", "orgId": 1, "refId": format!("1_{points}"), "data": {"points": points}})
            .to_string()
    };
    receiver.deliver(event(1)).await.accepted();
    world.set("one", "status", aws_sdk_dynamodb::types::AttributeValue::S("PUBLISHED".into())).await;
    receiver.deliver(event(2)).await.duplicate();
    assert_eq!(world.queue_length().await, 1);
}

#[tokio::test]
async fn the_same_event_flat_and_in_its_envelope_is_one_event() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    receiver.deliver(flat().to_string()).await.accepted();
    receiver.deliver(envelope("100737_pointsIssued").to_string()).await.come_again();
    world.lease_runs_out("e1").await;
    receiver.deliver(envelope_without_a_name().to_string()).await.accepted();
    assert_eq!(world.ledger_rows().await.len(), 1);
}
