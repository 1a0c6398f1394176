//! What nobody is told: marks in every field of every sample, in headers, query strings, tokens, secrets, Capillary's answers and AWS's
//! errors are in no log, no metric, no answer to the sender, no attribute of a message, and, but for ids, in no row of the ledger.
//!
//! Bodies of messages, details for the bus and snapshots hold them, and must.

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Map, Value, json};

use crate::events;
use crate::support::answering_capillary::{Answer, AnsweringCapillary, Call, TOKEN};
use crate::support::delivery::Delivery;
use crate::support::fault_proxy::Fault;
use crate::support::messages::Received;
use crate::support::runtime_api::FunctionError;
use crate::support::stage::Stage;
use crate::support::world::{Row, World};

/// In each mark that stands for a text.
const WORD: &str = "zorilla";
/// In each mark that stands for a number.
const DIGITS: &str = "9155599";
/// In each mark that the ledger may have, since an id is in its place.
const REFERENCE: &str = "reference-of-somebody";

/// Loud in every way that the variables allow.
const LOUD: [(&str, &str); 3] = [("RUST_LOG", "trace"), ("AWS_LAMBDA_LOG_LEVEL", "TRACE"), ("RUST_BACKTRACE", "full")];

/// What an event is known by, and what leads to its entities.
const KNOWN_BY: [&str; 7] = ["eventName", "eventType", "eventId", "orgId", "apiRequestId", "createdAt", "refId"];
/// What holds an event.
const AROUND: [&str; 4] = ["body", "event", "attributes", "data"];

/// Puts marks in the place of everything but what an event is known by, and one more member into every object.
struct Marker {
    /// Numbers lead to entities; only where none are fetched they are marked, too.
    numbers: bool,
    planted: u32,
}

impl Marker {
    fn mark(&mut self, value: &mut Value, may_be_event: bool) {
        self.planted += 1;
        match value {
            Value::Object(members) => self.mark_members(members, may_be_event),
            Value::Array(elements) => elements.iter_mut().for_each(|element| self.mark(element, false)),
            Value::String(text) => *text = self.word(),
            Value::Number(_) if self.numbers => *value = json!(self.digits()),
            _ => {}
        }
    }

    fn mark_members(&mut self, members: &mut Map<String, Value>, may_be_event: bool) {
        for (name, inner) in members.iter_mut() {
            let leads_on = may_be_event && AROUND.contains(&name.as_str());
            match name.as_str() {
                "refId" if may_be_event => *inner = json!(format!("{REFERENCE}-{}", self.planted)),
                known if may_be_event && KNOWN_BY.contains(&known) => {}
                // Words by which entities are found.
                "entityType" | "identifierName" | "billType" | "type" | "fieldType" | "fieldName" => {}
                _ => self.mark(inner, leads_on),
            }
        }
        members.insert(format!("{WORD}Name{}", self.planted), json!([self.word(), self.digits()]));
    }

    fn word(&self) -> String {
        format!("{WORD}.{}@example.com", self.planted)
    }

    fn digits(&self) -> u64 {
        format!("{DIGITS}{:05}", self.planted).parse().expect("digits")
    }
}

/// A sample with marks all over it.
fn marked(body: &str, numbers: bool) -> String {
    let mut event: Value = serde_json::from_str(body).expect("JSON");
    let mut marker = Marker { numbers, planted: 0 };
    marker.mark(&mut event, true);
    assert!(marker.planted > 0 && event.to_string().contains(WORD));
    event.to_string()
}

/// Fails where a mark is in a text, in any of the forms in which one prints bytes.
#[track_caller]
fn nothing_is_told(text: &str, place: &str) {
    for mark in [WORD, DIGITS, REFERENCE] {
        for form in forms(mark) {
            if let Some(at) = text.find(&form) {
                let begin = (at.saturating_sub(200)..=at).find(|index| text.is_char_boundary(*index)).unwrap_or(at);
                panic!("{place}: …{}", &text[begin..at + form.len()]);
            }
        }
    }
}

fn forms(mark: &str) -> Vec<String> {
    use base64::Engine;
    let encoded = |before: &str| {
        let text = base64::engine::general_purpose::STANDARD.encode(format!("{before}{mark}"));
        // The ends depend on what is around.
        let begin = (before.len() * 8).div_ceil(6);
        let end = ((before.len() + mark.len()) * 8) / 6;
        text[begin..end].to_owned()
    };
    let bytes: Vec<String> = mark.bytes().map(|byte| byte.to_string()).collect();
    let hexadecimal: String = mark.bytes().map(|byte| format!("{byte:02x}")).collect();
    vec![mark.to_owned(), encoded(""), encoded("-"), encoded("--"), bytes.join(", "), bytes.join(","), hexadecimal]
}

/// Everything that is no body, of messages in a queue.
#[track_caller]
fn attributes_tell_nothing(messages: &[Received]) {
    for message in messages {
        nothing_is_told(&format!("{:?} {:?}", message.attributes, message.system), "an attribute of a message");
    }
}

/// Ids only: what the event is known by, and where it stands.
#[track_caller]
fn rows_tell_nothing(rows: &[Row]) {
    for Row(row) in rows {
        for (name, value) in row {
            // What goes to the bus, until it is there; and what Capillary's own log is searched by.
            let is_meant_to = (name == "detail" && matches!(value, AttributeValue::B(_))) || name == "refId";
            if !is_meant_to {
                nothing_is_told(&format!("{name} {value:?}"), "a row of the ledger");
            }
        }
    }
}

fn webhook_secret() -> String {
    json!({"headers": {"authorization": [format!("Basic {WORD}"), format!("Basic {WORD}-old")], "x-webhook-key": [format!("{WORD}-key")]}})
        .to_string()
}

/// A delivery with marks in its headers and query strings, as the gateway hands it over.
fn delivery(body: &str) -> Value {
    let delivery = Delivery::without_headers(body)
        .header("Authorization", &format!("Basic {WORD}"))
        .header("X-Webhook-Key", &format!("{WORD}-key"))
        .header("Cookie", &format!("{WORD}=1"))
        .header("X-Forwarded-For", &format!("{WORD}.example"))
        .header(&format!("X-{WORD}"), "1")
        .header("X-Amzn-Trace-Id", &format!("Root=1-{WORD}"));
    let mut event = delivery.rest_event();
    event["queryStringParameters"] = json!({format!("{WORD}-name"): format!("{WORD}-value")});
    event["multiValueQueryStringParameters"] = json!({format!("{WORD}-name"): [format!("{WORD}-value")]});
    event["requestContext"]["identity"]["userAgent"] = json!(WORD);
    event["requestContext"]["authorizer"] = json!({"principalId": WORD});
    event
}

#[tokio::test]
async fn of_no_delivery_of_the_catalogue_the_receiver_tells_more_than_ids() {
    let world = World::new().await;
    world.webhook_secret_is(&webhook_secret()).await;
    let receiver = world.receiver_with(&LOUD).await;
    let deliver = async |event: &Value| match receiver.0.invoke(event, std::time::Duration::from_secs(12)).await {
        Ok(answer) => {
            nothing_is_told(&answer.to_string(), "an answer");
            answer["statusCode"].as_u64().unwrap_or_default()
        }
        Err(FunctionError::Reported(error)) => panic!("no answer but an error: {error}"),
        Err(error) => panic!("no answer: {error:?}"),
    };
    for (name, sample) in events::accepted() {
        let body = marked(&sample.body, true);
        assert_eq!(deliver(&delivery(&body)).await, 200, "{name}");
        assert_eq!(deliver(&delivery(&body)).await, 429, "{name}: it is being taken in");
        let mut stranger = delivery(&body);
        stranger["multiValueHeaders"]["X-Webhook-Key"] = json!([format!("{WORD}-wrong")]);
        assert_eq!(deliver(&stranger).await, 401, "{name}");
    }
    // A second event under one id, and what no queue or table takes, whose errors repeat what was sent.
    let event = |id: &str| {
        marked(&json!({"eventName": "customerAdded", "eventId": id, "orgId": 1, "data": {"a": "b"}}).to_string(), true)
    };
    assert_eq!(deliver(&delivery(&event("one"))).await, 200);
    assert_eq!(deliver(&delivery(&event("one").replace("customerAdded", "customerUpdated"))).await, 200);
    for (operation, fault, status) in [
        ("PutItem", Fault::DYNAMODB_INVALID, 400),
        ("PutItem", Fault::DYNAMODB_DOWN, 429),
        ("PutItem", Fault::DYNAMODB_THROTTLED, 429),
        ("PutItem", Fault::Cut, 429),
        ("SendMessage", Fault::SQS_INVALID, 429),
        ("SendMessage", Fault::SQS_DOWN, 429),
    ] {
        world.proxy.always(operation, fault);
        assert_eq!(deliver(&delivery(&event(&format!("{operation}-{status}")))).await, status, "{operation}");
        world.proxy.heal();
    }
    for body in [format!("{WORD} {DIGITS}"), format!("{{\"{WORD}\": \"{DIGITS}"), format!("[\"{WORD}\"]"), format!("\"{WORD}\"")]
    {
        assert_eq!(deliver(&delivery(&body)).await, 400);
    }
    let mut elsewhere = delivery("{}");
    elsewhere["path"] = json!(format!("/events/{WORD}"));
    assert_eq!(deliver(&elsewhere).await, 404);
    elsewhere = delivery("{}");
    elsewhere["httpMethod"] = json!(WORD);
    assert_eq!(deliver(&elsewhere).await, 405);

    let dead = world.dead_letters().await;
    assert_eq!(dead.len(), 5, "{dead:?}");
    attributes_tell_nothing(&dead);
    attributes_tell_nothing(&world.queue_messages().await);
    rows_tell_nothing(&world.ledger_rows().await);
    let logs = receiver.0.logs();
    assert!(logs.contains("\"Deliveries\"") && logs.contains("id_collision"), "metrics and warnings are among what was read");
    nothing_is_told(&logs, "the log");
}

/// Answers that say that something is wrong, and whose texts repeat what was asked.
fn refusals() -> Vec<Answer> {
    let told = |code: u32| {
        let error = json!({"status": false, "code": code, "message": format!("{WORD} {DIGITS}"), "entityId": WORD});
        json!({"warnings": [error], "errors": [error], "entity": WORD, "requestId": WORD}).to_string()
    };
    vec![
        Answer::new(401, told(401)),
        Answer::new(500, format!("{WORD} {DIGITS}")),
        Answer::new(429, format!("{{\"{WORD}\":")).retry_after(WORD),
        Answer::new(302, format!("see {WORD}")),
        Answer::new(200, format!("\"{WORD}\"")),
        Answer::new(200, told(500)),
        Answer::new(200, told(8011)),
        Answer::new(200, told(521)),
        Answer::new(400, format!("<html>{WORD}</html>")),
        Answer::new(200, format!("{{\"id\":5,\"{WORD}\":\"{WORD}")),
        // These are final.
        Answer::new(200, told(4_999_999)),
    ]
}

/// The entity that is asked for, with marks in the place of all its texts.
fn marked_entity(call: &Call) -> Option<Answer> {
    if call.path == TOKEN {
        return Some(Answer::json(&json!({"data": {"accessToken": format!("{WORD}-token"), "ttlSeconds": 300}, WORD: WORD})));
    }
    let id: u64 = call.id().parse().unwrap_or(7);
    let entity = json!({
        "id": id, "groupId": id, "firstName": format!("{WORD}.{id}"), "mobile": format!("{DIGITS}00000"), WORD: [WORD],
        "profiles": [{"firstName": WORD, "identifiers": [{"type": "mobile", "value": format!("{DIGITS}00001")}]}],
        "statusInfo": {"label": WORD}, "customerId": 5, "warnings": [{"message": WORD}]
    });
    if call.path.ends_with("audits") {
        let fields = json!({"previousValue": WORD, "currentValue": format!("{WORD}.5")});
        let row = json!({"requestId": call.id(), "source": WORD, "events": [{"eventType": WORD, "updatedField": WORD, "additionalFields": fields}]});
        return Some(Answer::json(&json!({"data": [row, WORD], "pagination": {"totalPages": 1}})));
    }
    Some(Answer::json(&entity))
}

#[tokio::test]
async fn of_no_event_of_the_catalogue_the_enricher_tells_more_than_ids() {
    let stage = Stage::<AnsweringCapillary>::answering(
        &[&LOUD[..], &[("MAX_ATTEMPTS", "1"), ("CAPILLARY_REPLICA_LAG_SECONDS", "0")]].concat(),
    )
    .await;
    let world = &stage.world;
    world.capillary_secret_is(&json!({"key": format!("{WORD}-client"), "secret": format!("{WORD}-secret")}).to_string()).await;
    stage.capillary.answers(marked_entity);
    let mut waiting: Vec<Received> = Vec::new();
    for sample in events::accepted().values() {
        let key = ("eventId", "String", sample.id.as_str());
        world.enqueue_raw(&marked(&sample.body, false), &[("v", "Number", "1"), key]).await;
    }
    for body in [format!("{WORD} {DIGITS}"), format!("{{\"{WORD}\": \"{DIGITS}")] {
        world.enqueue_raw(&body, &[]).await;
        world.enqueue_raw(&body, &[("contentEncoding", "String", "base64")]).await;
    }
    world.enqueue_raw("{}", &[("contentEncoding", "String", "br")]).await;
    waiting.extend(world.queue_messages().await);
    assert!(waiting.len() > 70, "{}", waiting.len());
    let mut messages = waiting.chunks(10).map(<[Received]>::to_vec);
    // The first batches meet a Capillary that refuses, the next ones an AWS that does, and the others none of it.
    let some = messages.next().expect("a batch");
    for token in [Answer::new(200, format!("\"{WORD}\"")), Answer::new(401, WORD), Answer::new(500, WORD)] {
        stage.capillary.answers(move |call| if call.path == TOKEN { Some(token.clone()) } else { Some(Answer::new(401, WORD)) });
        world.enrich_these(&stage.enricher, some.clone()).await;
        assert!(!stage.capillary.calls().is_empty(), "a token is asked for");
    }
    for refusal in refusals() {
        stage.capillary.answers(move |call| if call.path == TOKEN { marked_entity(call) } else { Some(refusal.clone()) });
        world.enrich_these(&stage.enricher, some.clone()).await;
        assert!(!stage.capillary.calls().is_empty(), "somebody is asked for");
    }
    stage.capillary.answers(marked_entity);
    for (operation, fault) in [
        ("BatchGetItem", Fault::DYNAMODB_DOWN),
        ("TransactWriteItems", Fault::DYNAMODB_INVALID),
        ("PutItem", Fault::DYNAMODB_INVALID),
        ("PutEvents", Fault::EVENTS_DOWN),
        ("PutEvents", Fault::EntriesRefused("capillary.events", "MalformedDetail")),
        ("UpdateItem", Fault::DYNAMODB_DOWN),
    ] {
        world.proxy.always(operation, fault);
        let some = messages.next().unwrap_or_else(|| some.clone());
        world.enrich_these(&stage.enricher, some).await;
        world.proxy.heal();
    }
    for others in messages {
        world.enrich_these(&stage.enricher, others).await;
    }

    let sent: String = world.proxy.calls("PutEvents").into_iter().map(|call| call.body).collect();
    assert!(sent.contains(WORD) && sent.contains(DIGITS), "marks go to the bus, where they belong");
    let dead = world.dead_letters().await;
    assert!(dead.iter().any(|letter| letter.attribute("reason") == Some("not_json")), "{dead:?}");
    assert!(dead.iter().any(|letter| letter.attribute("reason") == Some("invalid_entry")), "{dead:?}");
    attributes_tell_nothing(&dead);
    rows_tell_nothing(&world.ledger_rows().await);
    let logs = stage.enricher.0.logs();
    assert!(logs.contains("\"ApiCalls\"") && logs.contains("token_failure"), "metrics and errors are among what was read");
    nothing_is_told(&logs, "the log");
}
