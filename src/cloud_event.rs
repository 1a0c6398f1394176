//! What is published: a CloudEvent 1.0 (<https://github.com/cloudevents/spec>) as JSON text, within the bus's size.
//!
//! What came from outside (the event, the entities' bodies) is put in as the text it was, so numbers keep their digits.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::{
    clock::rfc3339,
    entity::{EntityRef, Fetched, Status},
    event::Event,
    ledger::Identity,
};

/// EventBridge's `Source`.
pub const SOURCE: &str = "capillary.events";
/// The name of an event that has none.
const UNKNOWN: &str = "unknown";
const TYPE_PREFIX: &str = "capillary.";
/// Of what the bus counts, all but the detail and the detail type: the source, and 14 bytes for a time
/// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html>).
const ENTRY_OVERHEAD_BYTES: usize = SOURCE.len() + 14;

#[derive(Serialize)]
struct Envelope<'a> {
    specversion: &'static str,
    id: &'a str,
    source: String,
    #[serde(rename = "type")]
    event_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    time: String,
    datacontenttype: &'static str,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    event: &'a RawValue,
    entities: Vec<Entity<'a>>,
    changes: [(); 0],
    enrichment: Enrichment,
}

/// One entity of the output.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entity<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: String,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    fetched_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    baseline: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct Enrichment {
    status: &'static str,
    late: bool,
    truncated: bool,
}

/// Even without entities the event is larger than the bus takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the event is too large for the bus even without entities")]
pub struct TooLarge;

/// The `Detail` of an event with what was fetched for it. Bodies are dropped, biggest first, until it fits.
///
/// # Errors
/// It does not fit even without bodies.
pub fn detail(
    event: &Event<'_>,
    identity: &Identity,
    fetched: &[(EntityRef, Fetched)],
    max_entry_bytes: usize,
) -> Result<String, TooLarge> {
    let name = event.name().unwrap_or_else(|| UNKNOWN.to_owned());
    let text = RawValue::from_string(event.to_json()).unwrap_or_else(|_| RawValue::NULL.to_owned());
    let complete = fetched.iter().all(|(_, fetched)| fetched.status == Status::Found && fetched.survivor_id.is_none());
    let mut envelope = Envelope {
        specversion: "1.0",
        id: &identity.key,
        source: format!("/capillary/orgs/{}", identity.org_id.unwrap_or_default()),
        subject: fetched.first().map(|(entity, _)| entity.subject()),
        time: rfc3339(event.created_at_ms().unwrap_or(identity.received_at_ms)),
        datacontenttype: "application/json",
        data: Data {
            event: &text,
            entities: fetched.iter().flat_map(|(asked, fetched)| told(asked, fetched)).collect(),
            changes: [],
            enrichment: Enrichment {
                status: if fetched.is_empty() {
                    "none"
                } else if complete {
                    "complete"
                } else {
                    "partial"
                },
                late: false,
                truncated: false,
            },
        },
        event_type: format!("{TYPE_PREFIX}{name}"),
    };
    loop {
        let detail = serde_json::to_string(&envelope).map_err(|_| TooLarge)?;
        if detail.len() + name.len() + ENTRY_OVERHEAD_BYTES <= max_entry_bytes {
            return Ok(detail);
        }
        let biggest =
            envelope.data.entities.iter_mut().filter(|entity| entity.body.is_some()).max_by_key(|entity| body_bytes(entity));
        biggest.ok_or(TooLarge)?.body = None;
        envelope.data.enrichment.truncated = true;
    }
}

/// EventBridge's `DetailType` of a detail made by [`detail`]: the event's name.
pub fn detail_type(detail: &str) -> String {
    #[derive(serde::Deserialize)]
    struct Typed {
        #[serde(rename = "type")]
        event_type: String,
    }
    let typed: Option<Typed> = serde_json::from_str(detail).ok();
    typed.and_then(|typed| Some(typed.event_type.strip_prefix(TYPE_PREFIX)?.to_owned())).unwrap_or_else(|| UNKNOWN.to_owned())
}

/// A call's outcome in the words of the output: one entity, or two where the answer was another customer's than the one
/// asked for, who was merged into that one.
fn told<'a>(asked: &EntityRef, fetched: &'a Fetched) -> Vec<Entity<'a>> {
    let found = fetched.status == Status::Found;
    let answered = Entity {
        kind: asked.kind.as_str(),
        id: fetched.survivor_id.clone().unwrap_or_else(|| asked.id.clone()),
        status: fetched.status.as_str(),
        fetched_at: (fetched.status != Status::Skipped).then(|| rfc3339(fetched.fetched_at_ms)),
        baseline: found.then_some(true),
        version: found.then_some(fetched.fetched_at_ms),
        body: fetched.body.as_deref(),
    };
    let victim = fetched.survivor_id.is_some().then(|| Entity {
        kind: asked.kind.as_str(),
        id: asked.id.clone(),
        status: Status::Merged.as_str(),
        fetched_at: Some(rfc3339(fetched.fetched_at_ms)),
        baseline: None,
        version: None,
        body: None,
    });
    victim.into_iter().chain([answered]).collect()
}

fn body_bytes(entity: &Entity<'_>) -> usize {
    entity.body.map_or(0, |body| body.get().len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entity::Kind;
    use serde_json::{Value, json};

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    fn customer(id: &str, body: &str) -> (EntityRef, Fetched) {
        let asked = EntityRef { kind: Kind::Customer, id: id.to_owned(), types: &[] };
        (asked, Fetched { status: Status::Found, survivor_id: None, body: Some(raw(body)), fetched_at_ms: 1_755_225_718_242 })
    }

    fn of(body: &str, fetched: &[(EntityRef, Fetched)], max_entry_bytes: usize) -> Result<String, TooLarge> {
        let event = Event::parse(body.as_bytes()).unwrap();
        detail(&event, &Identity::of(&event, 1_000), fetched, max_entry_bytes)
    }

    const EVENT: &str =
        r#"{"eventName":"customerUpdated","eventId":"e1","orgId":100737,"createdAt":1631580115710,"data":{"points":1.10}}"#;

    #[test]
    fn an_event_with_its_customer() {
        let detail = of(EVENT, &[customer("728942858", r#"{"id":728942858,"p":3.000}"#)], 262_144).unwrap();
        assert!(detail.contains(r#""event":{"eventName":"customerUpdated","eventId":"e1","orgId":100737,"createdAt":1631580115710,"data":{"points":1.10}}"#));
        assert!(detail.contains(r#""body":{"id":728942858,"p":3.000}"#), "numbers keep their digits");
        let value: Value = serde_json::from_str(&detail).unwrap();
        assert_eq!(value["specversion"], "1.0");
        assert_eq!(value["id"], "e1");
        assert_eq!(value["source"], "/capillary/orgs/100737");
        assert_eq!(value["type"], "capillary.customerUpdated");
        assert_eq!(value["subject"], "customer/728942858");
        assert_eq!(value["time"], "2021-09-14T00:41:55.710Z");
        assert_eq!(value["data"]["changes"], json!([]));
        assert_eq!(value["data"]["enrichment"], json!({"status": "complete", "late": false, "truncated": false}));
        let entity = &value["data"]["entities"][0];
        assert_eq!(
            (&entity["type"], &entity["status"], &entity["baseline"]),
            (&json!("customer"), &json!("found"), &json!(true))
        );
        assert_eq!(entity["fetchedAt"], "2025-08-15T02:41:58.242Z");
        assert_eq!(detail_type(&detail), "customerUpdated");
    }

    #[test]
    fn an_event_that_tells_nothing_is_published_all_the_same() {
        let detail = of("{\"x\":[1, 2]}", &[], 262_144).unwrap();
        let value: Value = serde_json::from_str(&detail).unwrap();
        assert_eq!(value["type"], "capillary.unknown");
        assert_eq!(value["source"], "/capillary/orgs/0");
        assert_eq!(value["time"], "1970-01-01T00:00:01.000Z");
        assert_eq!(value.get("subject"), None);
        assert_eq!(value["data"]["enrichment"]["status"], "none");
        assert_eq!(detail_type(&detail), "unknown");
    }

    #[test]
    fn a_merged_customer_is_told_with_both_ids() {
        let (asked, fetched) = customer("1", "{\"id\":2}");
        let value: Value =
            serde_json::from_str(&of(EVENT, &[(asked, Fetched { survivor_id: Some("2".into()), ..fetched })], 262_144).unwrap())
                .unwrap();
        let entities = value["data"]["entities"].as_array().unwrap();
        assert_eq!((&entities[0]["id"], &entities[0]["status"]), (&json!("1"), &json!("merged")));
        assert_eq!((&entities[1]["id"], &entities[1]["status"]), (&json!("2"), &json!("found")));
        assert_eq!(value["subject"], "customer/1");
        assert_eq!(value["data"]["enrichment"]["status"], "partial");
    }

    #[test]
    fn what_is_too_large_loses_its_biggest_body_first() {
        let big = format!("{{\"id\":2,\"x\":\"{}\"}}", "x".repeat(2_000));
        let fetched = [customer("1", "{\"id\":1}"), customer("2", &big)];
        let value: Value = serde_json::from_str(&of(EVENT, &fetched, 1_500).unwrap()).unwrap();
        assert_eq!(value["data"]["entities"][0]["body"]["id"], 1);
        assert_eq!(value["data"]["entities"][1].get("body"), None);
        assert_eq!(value["data"]["entities"][1]["status"], "found");
        assert_eq!(value["data"]["enrichment"]["truncated"], true);
        assert_eq!(of(EVENT, &fetched, 500).unwrap_err(), TooLarge);
        let exact = of(EVENT, &[], 262_144).unwrap().len() + "customerUpdated".len() + ENTRY_OVERHEAD_BYTES;
        assert!(of(EVENT, &[], exact).is_ok());
        assert!(of(EVENT, &[], exact - 1).is_err());
    }
}
