//! One event in several forms is one event.

use capillary_events::event::Event;
use proptest::{prelude::*, sample::Index};
use serde_json::{Map, Value, json};

use crate::seeds;

fn id(body: &str) -> String {
    Event::parse(body.as_bytes()).unwrap().id()
}

fn fingerprint(body: &str) -> String {
    Event::parse(body.as_bytes()).unwrap().fingerprint().as_str().to_owned()
}

/// Real events that come flat, with an id of their own or without.
fn flat_events() -> &'static [Map<String, Value>] {
    static EVENTS: std::sync::LazyLock<Vec<Map<String, Value>>> = std::sync::LazyLock::new(read_flat_events);
    &EVENTS
}

fn read_flat_events() -> Vec<Map<String, Value>> {
    let bodies = seeds::bodies().into_iter().filter_map(|body| serde_json::from_slice::<Value>(&body).ok());
    let objects = bodies.filter_map(|body| body.as_object().cloned());
    let flat = objects.filter(|body| body.get("eventName").is_some_and(Value::is_string) && !body.contains_key("attributes"));
    let flat: Vec<_> = flat.collect();
    assert!(flat.len() > 50);
    flat
}

/// The text of a value with its members in another order, in each object that it holds.
fn shuffled(value: &Value, random: &mut fastrand::Rng) -> String {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().map(|(name, value)| (name, shuffled(value, random))).collect();
            random.shuffle(&mut members);
            let space = [" ", "", "\n", "\t "][random.usize(..4)];
            let members: Vec<_> = members.iter().map(|(name, value)| format!("{space}{}{space}:{value}", json!(name))).collect();
            format!("{{{}{space}}}", members.join(","))
        }
        Value::Array(elements) => {
            let elements: Vec<_> = elements.iter().map(|element| shuffled(element, random)).collect();
            format!("[{}]", elements.join(" , "))
        }
        other => other.to_string(),
    }
}

/// The same in an envelope; its type bears the org or not.
fn enveloped(flat: &Map<String, Value>, random: &mut fastrand::Rng) -> Value {
    let mut attributes = flat.clone();
    let name = flat["eventName"].as_str().unwrap();
    let event_type = match flat.get("orgId") {
        Some(org) if random.bool() => format!("{org}_{name}"),
        _ => name.to_owned(),
    };
    let mut envelope =
        json!({"eventType": event_type, "consumerGroupId": null, "actionType": "START", "timeStamp": random.u32(..)});
    if let Some(id) = attributes.remove("eventId") {
        envelope["eventId"] = id;
    }
    envelope["attributes"] = Value::Object(attributes);
    envelope
}

proptest! {
    #[test]
    fn an_event_has_one_id_flat_and_in_an_envelope_wrapped_or_not_in_whatever_order(
        number in any::<Index>(), keeps_its_id in any::<bool>(), chance in any::<u64>()
    ) {
        let events = flat_events();
        let mut event = events[number.index(events.len())].clone();
        if !keeps_its_id {
            event.remove("eventId");
        }
        // Without data it would be no envelope.
        event.entry("data").or_insert_with(|| json!({}));
        let mut random = fastrand::Rng::with_seed(chance);
        let flat = Value::Object(event.clone());
        let (once, print) = (id(&flat.to_string()), fingerprint(&flat.to_string()));
        prop_assert_eq!(once.starts_with("sha256:"), !event.contains_key("eventId"));
        let envelope = enveloped(&event, &mut random);
        for again in [
            flat.clone(),
            envelope.clone(),
            json!({"body": flat.clone()}),
            json!({"body": envelope}),
            json!({"event": {"body": flat.clone(), "method": "POST"}}),
            json!({"data": flat, "errors": null}),
        ] {
            let text = shuffled(&again, &mut random);
            prop_assert_eq!(id(&text), once.clone(), "{}", text);
            prop_assert_eq!(fingerprint(&text), print.clone(), "{}", text);
        }
    }

    #[test]
    fn another_event_has_another_id(one in any::<Index>(), other in any::<Index>()) {
        let events = flat_events();
        let without_id = |index: &Index| {
            let mut event = events[index.index(events.len())].clone();
            event.remove("eventId");
            event
        };
        let (one, other) = (without_id(&one), without_id(&other));
        let text = |event: &Map<String, Value>| Value::Object(event.clone()).to_string();
        prop_assert_eq!(id(&text(&one)) == id(&text(&other)), one == other);
    }
}
