//! What the receiver writes: the ledger's row, the message, the dead letter (design, sections 2 and 4).

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::support::runtime_api::TRACE;
use crate::support::world::{EVENT_TTL_DAYS, Row, World, now_ms, number};

const DAY_SECONDS: u64 = 86_400;

fn event(id: &str, data: &Value) -> String {
    json!({"eventName": "pointsIssued", "eventId": id, "orgId": 100_737, "refId": "100737_1", "apiRequestId": "r1", "data": data})
        .to_string()
}

#[tokio::test]
async fn the_row_has_the_fields_and_types_of_the_contract() {
    let world = World::new().await;
    let before = now_ms();
    world.receiver().await.deliver(event("one", &json!({}))).await.accepted();
    let after = now_ms();
    let row = world.ledger_row("one").await.expect("a row");
    assert_eq!(row.number("v"), Some(1.0));
    assert_eq!(row.status(), "RECEIVED");
    assert!(!row.text("fingerprint").expect("a fingerprint").is_empty());
    assert_eq!(row.text("eventName"), Some("pointsIssued"));
    assert_eq!(row.number("orgId"), Some(100_737.0));
    assert_eq!(row.text("requestId"), Some("r1"));
    assert_eq!(row.text("refId"), Some("100737_1"));
    assert!(!row.text("claimId").expect("a claimId").is_empty());
    let received_at = integer(&row, "receivedAt");
    assert!((before - 1000..=after).contains(&received_at), "receivedAt is no time in ms: {received_at}");
    let lease = integer(&row, "leaseUntil") - received_at;
    assert!((14_000..=16_000).contains(&lease), "a lease of 15 s: {lease} ms");
    let life = integer(&row, "expiresAt") - received_at / 1000;
    assert!(life.abs_diff(EVENT_TTL_DAYS * DAY_SECONDS) <= 2, "expiresAt in s, {EVENT_TTL_DAYS} days on: {life}");
    let known = [
        "eventId",
        "v",
        "status",
        "fingerprint",
        "eventName",
        "orgId",
        "requestId",
        "refId",
        "receivedAt",
        "claimId",
        "leaseUntil",
        "expiresAt",
    ];
    assert!(row.0.keys().all(|name| known.contains(&name.as_str())), "{row:?}");
}

fn integer(row: &Row, name: &str) -> u64 {
    let Some(AttributeValue::N(text)) = row.0.get(name) else { panic!("no number {name} in {row:?}") };
    text.parse().unwrap_or_else(|_| panic!("{name} is no integer: {text}"))
}

#[tokio::test]
async fn what_is_absent_or_does_not_fit_is_left_out_and_the_row_stays_under_1_kb() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    let long = "y".repeat(40_000);
    let greedy =
        json!({"eventName": long, "eventId": "x".repeat(256), "orgId": "no number", "refId": long, "apiRequestId": long});
    receiver.deliver(greedy.to_string()).await.accepted();
    let odd = json!({"eventName": {"a": 1}, "eventId": "odd", "orgId": 1e300, "refId": 7, "apiRequestId": ""});
    receiver.deliver(odd.to_string()).await.accepted();
    let many_bytes = json!({"eventName": "é".repeat(128), "eventId": "z".repeat(255), "orgId": 1, "refId": "é".repeat(400), "apiRequestId": "é".repeat(400)});
    receiver.deliver(many_bytes.to_string()).await.accepted();
    for row in world.ledger_rows().await {
        assert!(row.size() < 1024, "{} bytes", row.size());
    }
    assert!(!world.ledger_row("odd").await.unwrap().has("requestId"), "an empty requestId is absent");
}

#[tokio::test]
async fn every_value_that_aws_could_refuse_is_survived() {
    let names = ["", " ", "a\u{0}b", "a\u{1b}b", "\u{FFFE}", "日本", "a\nb", &"n".repeat(300)];
    let orgs = ["0", "-1", "50952.0", "1.5", "1e400", "99999999999999999999999999999999999999999", "null", "\"7\"", "[]", "true"];
    let world = World::new().await;
    let receiver = world.receiver().await;
    let mut count = 0;
    for name in names {
        let body =
            json!({"eventName": name, "eventId": format!("name-{count}"), "orgId": 1, "refId": name, "apiRequestId": name});
        receiver.deliver(body.to_string()).await.accepted();
        count += 1;
    }
    for org in orgs {
        let body = format!("{{\"eventName\":\"a\",\"eventId\":\"org-{count}\",\"orgId\":{org}}}");
        receiver.deliver(body).await.accepted();
        count += 1;
    }
    assert_eq!(world.queue_length().await, count, "each one is in the events queue");
}

#[tokio::test]
async fn the_message_has_the_attributes_of_the_contract() {
    let world = World::new().await;
    let body = "  {\"eventName\":\"pointsIssued\", \"eventId\":\"one\",\n\"orgId\":100737, \"data\":{\"amount\":1.10,\"name\":\"日本 é\\u0041\\t\"}} ";
    world.receiver().await.deliver(body).await.accepted();
    let messages = world.queue_messages().await;
    let message = &messages[0];
    assert_eq!(message.body, body, "the bytes as received");
    let names: Vec<&str> = message.attributes.keys().map(String::as_str).collect();
    assert_eq!(names, ["eventId", "eventName", "orgId", "receivedAt", "v"]);
    assert_eq!(message.attribute("v"), Some("1"));
    assert_eq!(message.attribute("eventId"), Some("one"));
    assert_eq!(message.attribute("eventName"), Some("pointsIssued"));
    assert_eq!(message.attribute("orgId"), Some("100737"));
    let row = world.ledger_row("one").await.unwrap();
    assert_eq!(message.attribute("receivedAt").unwrap().parse::<u64>().unwrap(), integer(&row, "receivedAt"));
}

#[tokio::test]
async fn absent_values_have_no_attribute() {
    let world = World::new().await;
    world.receiver().await.deliver(json!({"x": 1}).to_string()).await.accepted();
    let messages = world.queue_messages().await;
    assert_eq!(messages[0].attribute("orgId"), None);
    assert_eq!(messages[0].attribute("contentEncoding"), None);
    assert!(messages[0].attributes.values().all(|(_, text)| !text.is_empty()), "{messages:?}");
}

#[tokio::test]
async fn the_trace_goes_along() {
    let world = World::new().await;
    world.receiver().await.deliver(event("traced", &json!({}))).await.accepted();
    let call = &world.proxy.calls("SendMessage")[0];
    let request: Value = serde_json::from_str(&call.body).unwrap();
    let header = &request["MessageSystemAttributes"]["AWSTraceHeader"]["StringValue"];
    let root = TRACE.split(';').next().unwrap();
    assert!(header.as_str().is_some_and(|header| header.contains(root)), "no AWSTraceHeader: {request}");
}

#[tokio::test]
async fn characters_that_sqs_refuses_or_replaces_travel_as_base64() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    // U+FFFE and U+FFFF are legal in JSON.
    for (id, character) in [("fffe", '\u{FFFE}'), ("ffff", '\u{FFFF}')] {
        let body = format!("{{\"eventName\":\"a\",\"eventId\":\"{id}\",\"data\":\"{character}\"}}");
        receiver.deliver(body.clone()).await.accepted();
        let messages = world.queue_messages().await;
        assert_eq!(messages[0].attribute("contentEncoding"), Some("base64"), "{id}");
        assert_eq!(messages[0].delivered_bytes(), body.into_bytes());
    }
    let fine = "{\"eventName\":\"a\",\"eventId\":\"fine\",\"data\":\"\u{FFFD}\u{10FFFF}\u{7f}\u{E000}\"}";
    receiver.deliver(fine).await.accepted();
    let messages = world.queue_messages().await;
    assert_eq!(messages[0].delivered_bytes(), fine.as_bytes());
}

#[tokio::test]
async fn over_256_kib_it_travels_compressed() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    let small = event("small", &json!("x".repeat(200 * 1024)));
    receiver.deliver(small.clone()).await.accepted();
    let message = world.queue_messages().await.remove(0);
    assert_eq!(message.attribute("contentEncoding"), None);
    assert_eq!(message.body, small);
    let large = event("large", &json!("x".repeat(300 * 1024)));
    receiver.deliver(large.clone()).await.accepted();
    let message = world.queue_messages().await.remove(0);
    assert_eq!(message.attribute("contentEncoding"), Some("gzip+base64"));
    assert_eq!(message.delivered_bytes(), large.into_bytes());
}

#[tokio::test]
async fn more_than_1_mib_that_compresses_well_is_accepted() {
    let world = World::new().await;
    let body = event("huge", &json!("spaces ".repeat(500_000)));
    world.receiver().await.deliver(body.clone()).await.accepted();
    assert_eq!(world.queue_messages().await[0].delivered_bytes(), body.into_bytes());
}

#[tokio::test]
async fn what_even_compressed_is_too_large_gets_413_and_leaves_its_head_and_hash() {
    let world = World::new().await;
    let body = event("too-large", &json!(noise(1_700_000)));
    world.receiver().await.deliver(body.clone()).await.problem(413);
    assert_eq!(world.queue_length().await, 0);
    let letters = world.dead_letters().await;
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].attribute("reason"), Some("too_large"));
    let hash: String = Sha256::digest(body.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    let told = format!("{:?} {}", letters[0].attributes, letters[0].body);
    assert!(told.contains(&hash), "no SHA-256 {hash} in {:?}", letters[0].attributes);
    let head = &body.as_bytes()[..64 * 1024];
    assert!(letters[0].delivered_bytes().starts_with(head), "not the first 64 KiB");
}

#[tokio::test]
async fn too_large_and_no_json_is_kept_as_far_as_it_goes() {
    let world = World::new().await;
    let body = noise(1_700_000);
    let answer = world.receiver().await.deliver(body.clone()).await;
    assert!(matches!(answer.status, 400 | 413), "{answer:?}");
    let letters = world.dead_letters().await;
    assert_eq!(letters.len(), 1);
    assert!(letters[0].delivered_bytes().starts_with(&body.as_bytes()[..64 * 1024]));
}

/// Letters and digits that do not compress below three quarters.
fn noise(length: usize) -> String {
    let mut random = fastrand::Rng::with_seed(7);
    std::iter::repeat_with(|| random.alphanumeric()).take(length).collect()
}

#[tokio::test]
async fn a_row_whose_lease_has_run_out_is_taken_over() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    receiver.deliver(event("one", &json!({}))).await.accepted();
    let first = world.ledger_row("one").await.unwrap();
    world.lease_runs_out("one").await;
    receiver.deliver(event("one", &json!({}))).await.accepted();
    let second = world.ledger_row("one").await.unwrap();
    assert_ne!(first.text("claimId"), second.text("claimId"));
    assert!(integer(&second, "leaseUntil") > now_ms());
    assert_eq!(world.queue_length().await, 2, "a double in the queue costs nothing, a loss would");
}

#[tokio::test]
async fn an_expired_row_counts_as_absent() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    for status in ["RECEIVED", "PUBLISHED", "FAILED"] {
        receiver.deliver(event(status, &json!({}))).await.accepted();
        world.set(status, "status", AttributeValue::S(status.into())).await;
        world.set(status, "expiresAt", number(now_ms() / 1000 - 5)).await;
        receiver.deliver(event(status, &json!({}))).await.accepted();
        let row = world.ledger_row(status).await.unwrap();
        assert_eq!(row.status(), "RECEIVED");
        assert!(integer(&row, "expiresAt") > now_ms() / 1000 + 20 * DAY_SECONDS);
    }
}

#[tokio::test]
async fn nothing_is_written_after_the_send() {
    let world = World::new().await;
    world.receiver().await.deliver(event("one", &json!({}))).await.accepted();
    assert_eq!(world.proxy.calls("PutItem").len(), 1);
    assert_eq!(world.proxy.calls("SendMessage").len(), 1);
    for other in ["UpdateItem", "DeleteItem", "GetItem", "TransactWriteItems"] {
        assert!(world.proxy.calls(other).is_empty(), "{other}");
    }
}

#[tokio::test]
async fn a_life_of_less_than_15_days_is_refused_at_the_start() {
    let world = World::new().await;
    for days in ["14", "0", "-1", "many"] {
        let receiver = world.receiver_with(&[("EVENT_TTL_DAYS", days)]).await;
        let ended = receiver.0.exit(std::time::Duration::from_secs(5)).await;
        assert_eq!(ended, Some(false), "EVENT_TTL_DAYS={days}");
        assert!(receiver.0.logs().contains("EVENT_TTL_DAYS"), "the error names the variable: {}", receiver.0.logs());
    }
    world.receiver_with(&[("EVENT_TTL_DAYS", "15")]).await.deliver(event("short", &json!({}))).await.accepted();
}

#[tokio::test]
async fn a_missing_setting_is_named_at_the_start() {
    let world = World::new().await;
    for variable in ["EVENTS_TABLE", "EVENTS_QUEUE_URL", "DEAD_LETTER_QUEUE_URL", "WEBHOOK_SECRET_ID"] {
        let receiver = world.receiver_with(&[(variable, "")]).await;
        assert_eq!(receiver.0.exit(std::time::Duration::from_secs(5)).await, Some(false), "{variable}");
        assert!(receiver.0.logs().contains(variable), "{}", receiver.0.logs());
    }
}

#[tokio::test]
async fn whatever_an_odd_body_is_called_its_bytes_are_safe_before_the_final_answer() {
    let deep = format!("{{\"eventName\":\"a\",\"data\":{}{}}}", "[".repeat(5000), "]".repeat(5000));
    let many = format!(
        "{{\"eventName\":\"a\",\"data\":{{{}}}}}",
        (0..3000).map(|n| format!("\"k{n}\":1")).collect::<Vec<_>>().join(",")
    );
    let bodies = [
        deep.as_str(),
        many.as_str(),
        r#"{"eventName":"\ud800"}"#,
        r#"{"eventName":"a","eventId":"\ud800"}"#,
        "\u{FEFF}{\"eventName\":\"b\"}",
        r#"{"eventName":"a","orgId":1e999999999999}"#,
        r#"{"body":{"body":{"eventName":"a"}}}"#,
        r#"{"attributes":{"data":null}}"#,
        r#"{"attributes":[],"eventType":5}"#,
        r#"{"event":{"body":"text"}}"#,
        r#"{"":"","\u0000":1}"#,
        "{\"eventName\":\"a\",\"eventName\":{}}",
    ];
    let world = World::new().await;
    let receiver = world.receiver().await;
    for body in bodies {
        let answer = receiver.deliver(body).await;
        assert!(matches!(answer.status, 200 | 400), "no retry heals {body:.80}: {answer:?}");
        let kept = if answer.status == 200 { world.queue_messages().await } else { world.dead_letters().await };
        let kept: Vec<Vec<u8>> = kept.iter().map(crate::support::messages::Received::delivered_bytes).collect();
        assert!(kept.iter().any(|bytes| bytes == body.as_bytes()), "{} and lost: {body:.80}", answer.status);
    }
}
