//! Odd input to the built functions: answered, kept, and nothing that comes after it suffers.
//!
//! What holds for any bytes is searched for in `tests/input`; here is what only the executables can show.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::delivery::{Answer, Delivery};
use crate::support::detail_schema;
use crate::support::messages::Received;
use crate::support::world::{World, now_ms};

fn deep(levels: usize) -> String {
    format!("{}{}", "[".repeat(levels), "]".repeat(levels))
}

/// Bodies, each of another event, and what they are answered.
fn bodies() -> Vec<(&'static str, Vec<u8>, u16)> {
    let with = |value: &str| format!("{{\"eventName\":\"a\",\"data\":{{\"value\":{value}}}}}").into_bytes();
    let text = |text: &str| text.as_bytes().to_vec();
    vec![
        ("null", text("null"), 400),
        ("an array", text("[]"), 400),
        ("an event in an array", text(r#"[{"eventName":"a","eventId":"in-an-array"}]"#), 400),
        ("an object", text("{}"), 200),
        ("white space", text(" \r\n"), 400),
        ("a byte order mark", text("\u{feff}"), 400),
        ("a byte order mark before an event", text("\u{feff}{\"eventName\":\"bom\"}"), 200),
        ("UTF-16", b"\xff\xfe{\0}\0".to_vec(), 400),
        ("no UTF-8 in a text", b"{\"eventName\":\"\xc3\x28\"}".to_vec(), 400),
        ("an overlong NUL", b"{\"eventName\":\"\xc0\x80\"}".to_vec(), 400),
        ("NUL", text("\0"), 400),
        ("U+FFFE", with("\"\u{fffe}\""), 200),
        ("200 arrays", with(&deep(200)), 200),
        ("a million arrays", with(&deep(1_000_000)), 200),
        ("200 wrappers", text(&format!("{}{{}}{}", "{\"body\":".repeat(200), "}".repeat(200))), 200),
        ("one name twice", text(r#"{"eventName":"b","eventName":"a","eventId":"first","eventId":"last"}"#), 200),
        ("half a surrogate pair", with(r#""\ud800""#), 200),
        ("the other half, as a name", with(r#"{"\udc00":1}"#), 200),
        ("1e400", with("1e400"), 200),
        ("2^63", with("9223372036854775808"), 200),
        ("1e400 as the org", text(r#"{"eventName":"a","eventId":"org-400","orgId":1e400}"#), 200),
        ("2^63 as the org", text(r#"{"eventName":"a","eventId":"org-63","orgId":9223372036854775808}"#), 200),
        ("2^63 as the id", text(r#"{"eventName":"a","eventId":9223372036854775808}"#), 200),
        ("1e400 as the time", text(r#"{"eventName":"a","eventId":"time-400","createdAt":1e400}"#), 200),
        ("the parser's own word for a number", with(r#"{"$serde_json::private::Number":"x"}"#), 200),
        ("the parser's own word for a piece of text", with(r#"{"$serde_json::private::RawValue":"{"}"#), 200),
        // As much as Lambda takes, in base64.
        ("4 MB", with(&format!("\"{}\"", "é".repeat(2_000_000))), 200),
        ("4 MB of brackets", with(&deep(2_000_000)), 200),
        ("4 MB that are no JSON", text(&"x".repeat(4_000_000)), 400),
    ]
}

#[tokio::test]
async fn an_odd_body_is_answered_for_good_once_its_bytes_are_safe() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    for (name, body, status) in bodies() {
        let answer = receiver.deliver(body.clone()).await;
        assert_eq!(answer.status, status, "{name}: {answer:?}");
        let kept = if status == 200 { world.queue_messages().await } else { world.dead_letters().await };
        assert!(kept.iter().any(|message| message.delivered_bytes() == body), "{name}: answered {status}, and lost");
    }
    assert_eq!(world.ledger_row("last").await.and_then(|row| row.text("eventName").map(str::to_owned)).as_deref(), Some("a"));
}

type Change = fn(&mut Value);

/// What may be odd in API Gateway's event around a good body, and what it is answered.
fn requests() -> Vec<(&'static str, Change, u16)> {
    vec![
        ("a query string", |event| event["queryStringParameters"] = json!({"a": "b c&d=%zz\u{0}é", "": ""}), 200),
        ("many query strings", |event| event["multiValueQueryStringParameters"] = json!({"a": ["1", "2", null]}), 200),
        ("query strings of another kind", |event| event["queryStringParameters"] = json!([[1]]), 200),
        ("a query string in the path", |event| event["path"] = json!("/events?eventId=other"), 404),
        ("parameters in the path", |event| event["pathParameters"] = json!({"proxy": "../events"}), 200),
        ("no request context", |event| drop(event.as_object_mut().and_then(|event| event.remove("requestContext"))), 200),
        ("null as the request context", |event| event["requestContext"] = Value::Null, 200),
        ("a text as the request context", |event| event["requestContext"] = json!("x"), 200),
        ("nothing in the request context", |event| event["requestContext"] = json!({}), 200),
        ("a number as the stage", |event| event["requestContext"]["stage"] = json!(7), 200),
        ("an odd request id", |event| event["requestContext"]["requestId"] = json!({"a": ["\u{0}"]}), 200),
        ("no headers but those that come in lists", |event| event["headers"] = Value::Null, 200),
        ("no headers in lists", |event| event["multiValueHeaders"] = Value::Null, 200),
        ("headers whose lists are texts", |event| event["multiValueHeaders"] = event["headers"].clone(), 200),
        ("no headers at all", |event| (event["headers"], event["multiValueHeaders"]) = (Value::Null, Value::Null), 401),
        ("a list of headers", |event| (event["headers"], event["multiValueHeaders"]) = (json!([]), json!([1])), 401),
        ("no Host", |event| host(event, &Value::Null), 200),
        ("an empty Host", |event| host(event, &json!("")), 200),
        ("a Host with spaces", |event| host(event, &json!("a b")), 200),
        ("half an IPv6 address as Host", |event| host(event, &json!("[::1")), 200),
        ("a URL as Host", |event| host(event, &json!("http://x/?#")), 200),
        ("a Host beyond ASCII", |event| host(event, &json!("é.example\u{ffff}")), 200),
        ("a long Host", |event| host(event, &json!("a".repeat(20_000))), 200),
        ("a Host of another kind", |event| host(event, &json!({"a": 1})), 200),
        ("a header of control characters", |event| header(event, "X-Odd", &json!("\u{0}\u{7f}\r\nX-Webhook-Key: wrong")), 200),
        ("a header beyond ASCII", |event| header(event, "X-Odd", &json!("é\u{fffd}\u{1F600}")), 200),
        ("a header without a name", |event| header(event, "", &json!(":")), 200),
        ("a header whose name can be none", |event| header(event, "a b\u{0}é:", &json!("x")), 200),
        ("a header of 100 KB", |event| header(event, "X-Odd", &json!("x".repeat(100_000))), 200),
        ("an odd trace", |event| header(event, "X-Amzn-Trace-Id", &json!("Root=\u{0}é; DROP")), 200),
        ("a content type that lies", |event| header(event, "Content-Type", &json!("image/png; charset=utf-16")), 200),
        ("a content encoding that lies", |event| header(event, "Content-Encoding", &json!("gzip")), 200),
        ("broken base64", |event| event["body"] = json!("eyJ*"), 400),
        ("base64 cut off", |event| event["body"] = json!("eyJhIjoxf"), 400),
        ("a text that says it is base64", |event| event["body"] = json!("{\"eventName\":\"a\"}"), 200),
        ("base64 that does not say so", |event| event["isBase64Encoded"] = Value::Null, 400),
        ("members that nobody knows", |event| event["\u{0}"] = json!({"a": [1e300]}), 200),
        ("an odd method", |event| event["httpMethod"] = json!("POST "), 405),
        ("no method", |event| event["httpMethod"] = Value::Null, 405),
    ]
}

fn host(event: &mut Value, value: &Value) {
    header(event, "Host", value);
}

fn header(event: &mut Value, name: &str, value: &Value) {
    event["headers"][name] = value.clone();
    event["multiValueHeaders"][name] = json!([value]);
}

#[tokio::test]
async fn whatever_is_odd_around_a_body_it_is_answered_and_kept_and_so_is_the_next_one() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    let body = |id: &str| json!({"eventName": "a", "eventId": id, "orgId": 1}).to_string();
    for (number, (name, change, status)) in requests().into_iter().enumerate() {
        let mut event = Delivery::of(body(&format!("odd-{number}"))).rest_event();
        change(&mut event);
        let answer = receiver.0.invoke(&event, std::time::Duration::from_secs(12)).await;
        let answer = answer.map(|answer| Answer::of(&answer)).unwrap_or_else(|error| panic!("{name}: no answer: {error:?}"));
        assert_eq!(answer.status, status, "{name}: {answer:?}");
        let kept = if status == 200 { world.queue_messages().await } else { world.dead_letters().await };
        let sent = event["body"].as_str().expect("a text");
        // What the gateway should not send is kept as it came.
        let is_kept = kept.iter().any(|message| {
            let kept = message.delivered_bytes();
            kept == sent.as_bytes() || kept == body(&format!("odd-{number}")).as_bytes()
        });
        assert_eq!(is_kept, matches!(status, 200 | 400), "{name}: answered {status}");
        receiver.deliver(body(&format!("next-{number}"))).await.accepted();
    }
}

#[tokio::test]
async fn the_other_payload_of_the_gateway_is_read_as_closely() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    let changes: [(&str, Change); 6] = [
        ("as it is", |_| {}),
        ("a query string", |event| event["rawQueryString"] = json!("a=b&%zz=\u{0}")),
        ("cookies", |event| event["cookies"] = json!(["a=b", 7])),
        ("an odd Host", |event| event["headers"]["host"] = json!("[::1")),
        ("an odd domain", |event| event["requestContext"]["domainName"] = json!(["a b"])),
        ("broken base64", |event| event["body"] = json!("{\"eventName\":\"*\"}")),
    ];
    for (number, (name, change)) in changes.into_iter().enumerate() {
        let mut event = Delivery::of(json!({"eventName": "a", "eventId": format!("http-{number}")}).to_string()).watch_event();
        change(&mut event);
        let answer = receiver.0.invoke(&event, std::time::Duration::from_secs(12)).await;
        let answer = answer.map(|answer| Answer::of(&answer)).unwrap_or_else(|error| panic!("{name}: no answer: {error:?}"));
        answer.accepted();
    }
    assert_eq!(world.queue_length().await, 6);
}

/// What becomes of an odd message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// It goes to the bus.
    Published,
    /// It goes to the dead-letter queue, as it is.
    Dead,
    /// A later version will read it.
    Waits,
}

/// A body, its attributes, and what SQS says of it.
type Odd = (&'static str, String, Vec<(&'static str, String)>, Vec<(&'static str, String)>, End);

fn messages() -> Vec<Odd> {
    use End::{Dead, Published, Waits};
    let event = |id: &str| json!({"eventName": "a", "eventId": id, "orgId": 1}).to_string();
    let with = |id: &str, value: &str| format!("{{\"eventName\":\"a\",\"eventId\":\"{id}\",\"data\":{{\"value\":{value}}}}}");
    let body = |name, body: &str, end| -> Odd { (name, body.to_owned(), vec![], vec![], end) };
    let attribute = |name, body: String, attribute, value: &str, end| -> Odd {
        (name, body, vec![(attribute, value.to_owned())], vec![], end)
    };
    let system = |name, body: String, attribute, value: &str| -> Odd {
        (name, body, vec![], vec![(attribute, value.to_owned())], Published)
    };
    vec![
        body("null", "null", Dead),
        body("an array", "[]", Dead),
        body("white space", " ", Dead),
        body("a byte order mark before an event", "\u{feff}{\"eventName\":\"a\",\"eventId\":\"bom\"}", Published),
        body("200 arrays", &with("deep", &deep(200)), Published),
        body("one name twice", r#"{"eventName":"a","eventId":"x","eventId":"twice"}"#, Published),
        body("1e400", &with("e400", "1e400"), Published),
        body(
            "2^63 everywhere",
            r#"{"eventName":"customerUpdated","eventId":"2-63","orgId":9223372036854775808,"createdAt":9223372036854775808,"data":{"customerIdentifiers":{"customerId":9223372036854775808}}}"#,
            Published,
        ),
        body(
            "a customer of another kind",
            r#"{"eventName":"customerUpdated","eventId":"kind","orgId":1,"data":{"customerIdentifiers":[[]],"updatedFields":{"a":1},"customerStatus":"x"}}"#,
            Published,
        ),
        body("no data", r#"{"eventName":"customerUpdated","eventId":"none","orgId":1,"data":null}"#, Published),
        attribute("an id of 3,000 characters", event("long"), "eventId", &"x".repeat(3_000), Published),
        attribute("an id of control characters", event("control"), "eventId", "a\u{1}b", Published),
        attribute("an empty id", event("empty"), "eventId", "", Published),
        attribute("a time of reception in letters", event("letters"), "receivedAt", "soon", Published),
        attribute("a time of reception before the year 0", event("before"), "receivedAt", "-9223372036854775808", Published),
        attribute("a time of reception beyond 2^63", event("beyond"), "receivedAt", "9223372036854775808", Published),
        attribute("an encoding that it has not", "{*".to_owned(), "contentEncoding", "base64", Dead),
        attribute("a compression that it has not", "AAAA".to_owned(), "contentEncoding", "gzip+base64", Dead),
        attribute("an encoding of the future", event("future"), "contentEncoding", "zstd+base64", Waits),
        attribute("an attribute that nobody knows", event("unknown"), "\u{e9}", "x", Published),
        system("a count of receives in letters", event("count"), "ApproximateReceiveCount", "many"),
        system("a count of receives beyond 2^32", event("count-32"), "ApproximateReceiveCount", "4294967296"),
        system("a time of sending in the future", event("future-sent"), "SentTimestamp", "9223372036854775807"),
        system("an odd trace", event("trace"), "AWSTraceHeader", "Root=1-\u{0}é"),
    ]
}

#[tokio::test]
async fn an_odd_message_is_published_or_dead_lettered_and_takes_none_of_its_batch_along() {
    let world = World::new().await;
    let enricher = world.enricher().await;
    for (round, odd) in messages().chunks(8).enumerate() {
        let received = |number: usize, body: &str, attributes: &[(&str, String)], system: &[(&str, String)]| Received {
            id: format!("message-{round}-{number}"),
            receipt_handle: format!("receipt-{round}-{number}"),
            body: body.to_owned(),
            attributes: attributes
                .iter()
                .map(|(name, value)| ((*name).to_owned(), ("String".to_owned(), value.clone())))
                .collect(),
            system: system_attributes(system),
        };
        let good = json!({"eventName": "a", "eventId": format!("good-{round}"), "orgId": 1}).to_string();
        let mut batch = vec![received(99, &good, &[], &[])];
        batch.extend(odd.iter().enumerate().map(|(number, (_, body, own, system, _))| received(number, body, own, system)));
        world.proxy.forget_calls();
        let outcome = world.enrich_these(&enricher, batch).await;
        let sent: Vec<String> = world.proxy.calls("PutEvents").into_iter().map(|call| call.body).collect();
        let dead = world.dead_letters().await;
        assert!(sent.concat().contains(&format!("good-{round}")), "the good one is not on the bus");
        for (number, (name, body, _, _, end)) in odd.iter().enumerate() {
            let id = format!("message-{round}-{number}");
            let is_back = outcome.back.iter().any(|message| message.id == id);
            assert_eq!(is_back, *end == End::Waits, "{name}");
            let is_dead = dead.iter().any(|letter| letter.body == *body);
            assert_eq!(is_dead, *end == End::Dead, "{name}: {dead:?}");
        }
        let published = odd.iter().filter(|(.., end)| *end == End::Published).count() + 1;
        assert_eq!(valid_entries(&sent), published, "round {round}");
    }
}

/// How many entries are in these calls, each with a `Detail` that its schema allows. The schema's reader goes no deeper than 127 levels.
fn valid_entries(calls: &[String]) -> usize {
    let entries = calls.iter().flat_map(|call| {
        let call: Value = serde_json::from_str(call).expect("PutEvents speaks JSON");
        call["Entries"].as_array().cloned().unwrap_or_default()
    });
    let judge = |entry: Value| {
        let text = entry["Detail"].as_str().expect("a Detail").replace(&deep(200), "[]");
        detail_schema::assert_valid(&serde_json::from_str(&text).expect("Detail is JSON"));
    };
    entries.map(judge).count()
}

fn system_attributes(own: &[(&str, String)]) -> BTreeMap<String, String> {
    let mut all = BTreeMap::from([
        ("ApproximateReceiveCount".to_owned(), "1".to_owned()),
        ("SentTimestamp".to_owned(), now_ms().to_string()),
    ]);
    all.extend(own.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    all
}

/// Half of a character is JSON, but no text that a bus must take: either it takes it, or the event is kept for people to see.
#[tokio::test]
async fn half_of_a_surrogate_pair_is_published_or_kept() {
    let world = World::new().await;
    let enricher = world.enricher_with(&[("MAX_ATTEMPTS", "1")]).await;
    world.enqueue_raw(r#"{"eventName":"a","eventId":"half","data":{"a":"\ud800"}}"#, &[("eventId", "String", "half")]).await;
    world.enrich(&enricher).await.all_done();
    let status = world.ledger_row("half").await.expect("a row").status().to_owned();
    let is_sent = world.proxy.calls("PutEvents").iter().any(|call| call.body.contains("half"));
    assert!(is_sent && (status == "PUBLISHED" || (status == "FAILED" && world.dead_letters().await.len() == 1)), "{status}");
}
