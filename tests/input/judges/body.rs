//! The body of a delivery: read in all ways, taken in, and published.

use std::collections::HashSet;

use base64::{Engine, prelude::BASE64_STANDARD};
use capillary_events::{
    cloud_event::{self, Enriched, Published},
    event::Event,
    filter::Filter,
    ledger::Identity,
    message::Message,
    redact::{HashKey, Patterns, Redaction, Redactor},
    routes,
    secret::Meaning,
    told,
};
use serde_json::{Value, json};

use super::{
    detail_schema,
    enricher::{Queued, enriched},
    receiver::{AUTHORIZATION, WEBHOOK_KEY, answered, is_kept},
};

/// Judges what becomes of the body of a delivery that bears the right headers.
pub fn body(bytes: &[u8]) {
    if let Ok(event) = Event::parse(bytes) {
        is_read(&event);
        is_written(&event);
    }
    for message in taken_in(bytes) {
        enriched(vec![Queued::of(&message)]);
    }
}

/// Judges what the receiver answers and keeps; what is in the events queue then.
pub fn taken_in(bytes: &[u8]) -> Vec<Message> {
    let request = json!({
        "path": "/events", "httpMethod": "POST", "isBase64Encoded": true, "body": BASE64_STANDARD.encode(bytes),
        "headers": {"Authorization": AUTHORIZATION, "X-Webhook-Key": WEBHOOK_KEY}
    });
    let (status, kept) = answered(&serde_json::value::to_raw_value(&request).unwrap());
    is_kept(bytes, status, &kept);
    // What is too large is that first.
    let is_refused = matches!(status, 400 | 413);
    assert!(status == 413 || is_refused == Event::parse(bytes).is_err(), "what is no JSON object, and nothing else, is refused");
    kept.sent
}

/// What is read fits where it goes: a ledger key, an attribute, a detail type.
fn is_read(event: &Event<'_>) {
    let id = event.id();
    assert!((1..=256).contains(&id.len()) && id.bytes().all(|byte| (0x20..=0x7e).contains(&byte)), "no such id: {}", id.len());
    assert_eq!(event.fingerprint().as_str().len(), 16);
    assert!(event.name().is_none_or(|name| (1..=128).contains(&name.chars().count())));
    assert!(event.org_id().is_none_or(|org| org >= 0));
    let identity = Identity::of(event, super::NOW_MS);
    let texts = [&identity.event_name, &identity.request_id, &identity.ref_id];
    assert!(texts.into_iter().flatten().all(|text| (1..=128).contains(&text.len())));
    let behind = routes::behind(event);
    let mut asked = HashSet::new();
    for entity in &behind.entities {
        assert!(entity.id.parse::<i64>().is_ok_and(|id| id > 0), "an id that can be none is asked for");
        assert!(asked.insert((entity.kind, &entity.id)), "an entity is asked for twice");
    }
    let _ = told::by_event(event);
    let _ = told::says_deleted(event);
    let filter = Filter::parse("customer*=pass, 0/*=ignore, *Issued=enrich").unwrap();
    filter.action(identity.event_name.as_deref(), identity.org_id);
}

/// What is published of it is what the schema says, redacted or not, and as large as it may be at the most.
fn is_written(event: &Event<'_>) {
    let identity = Identity::of(event, super::NOW_MS);
    let redaction = Redaction {
        drop: Patterns::parse("firstName,updatedFields/previousValue,/event/data/customerIdentifiers/instore").unwrap(),
        hash: Patterns::parse("mobile,email,value,customFields,/event/data/*/id").unwrap(),
    };
    let key = HashKey::parse(r#"{"hashKey":"0123456789abcdef"}"#).unwrap();
    // Redaction reads each level once more than the one around it, which takes its time in what is not optimised.
    let is_long = event.to_json().len() > 20_000;
    let none = Redaction::default();
    let redactors = [Redactor::new(&none, None), Redactor::new(&redaction, Some(&key))];
    for redactor in redactors.into_iter().take(if is_long { 1 } else { 2 }) {
        for limit in [262_144, usize::MAX] {
            if let Ok(detail) = cloud_event::detail(event, &identity, &Enriched::default(), &redactor, limit) {
                assert!(detail.len() <= limit);
                is_valid(&detail);
                assert_eq!(Published::read(&detail).detail_type, event.name().unwrap_or_else(|| "unknown".to_owned()));
            }
        }
    }
}

/// A detail as the schema says. The schema's reader knows no half of a character and goes no deeper than 127 levels; where it would
/// find such in what came from outside, it gets an empty object instead.
pub(super) fn is_valid(detail: &str) {
    #[derive(serde::Deserialize)]
    struct Published<'a> {
        #[serde(borrow)]
        data: Data<'a>,
    }
    #[derive(serde::Deserialize)]
    struct Data<'a> {
        #[serde(borrow)]
        event: &'a serde_json::value::RawValue,
    }
    // A word of the parser's own means something else to it.
    let detail = &detail.replace("$serde_json::private::", "$serde_json::");
    let value = serde_json::from_str::<Value>(detail).unwrap_or_else(|_| {
        let published: Published<'_> = serde_json::from_str(detail).expect("a detail is JSON");
        serde_json::from_str(&detail.replacen(published.data.event.get(), "{}", 1)).expect("a detail is JSON")
    });
    detail_schema::assert_valid(&value);
}
