//! An enricher among doubles that lose nothing and fail never, and what may become of a message.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_lambda_events::sqs::SqsEvent;
use capillary_events::{
    batch,
    enrich::{Enricher, Incoming, Limits, Turnstile},
    entity::{EntityRef, FetchFailure, Fetched, Status},
    filter::Filter,
    message::{DeadLetter, Message, decode},
    metrics::Metrics,
    ports::{Bus, Clock, DeadLetterQueue, Entities, Entry, Parts, PortError, Redelivery, SecretStore},
    redact::Redaction,
    secret::CachedSecret,
    snapshot::Rules,
    told::Told,
};
use serde_json::{Value, json, value::RawValue};

use super::{body::is_valid, tables::Tables};

/// What the doubles share, but the tables.
#[derive(Clone, Default)]
struct World(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    published: Vec<String>,
    dead: Vec<DeadLetter>,
}

impl Parts for World {
    type Ledger = Tables;
    type Bus = Self;
    type DeadLetters = Self;
    type Redelivery = Self;
    type Entities = Self;
    type Secrets = Self;
    type Clock = Self;
}

impl Bus for World {
    async fn publish(&self, entries: &[Entry]) -> Vec<Result<(), PortError>> {
        for entry in entries {
            is_valid(&entry.detail);
            assert!((1..=128).contains(&entry.detail_type.chars().count()), "EventBridge takes no such type");
        }
        self.0.lock().unwrap().published.extend(entries.iter().map(|entry| entry.detail.clone()));
        vec![Ok(()); entries.len()]
    }
}

impl DeadLetterQueue for World {
    async fn send(&self, letter: &DeadLetter) -> Result<(), PortError> {
        self.0.lock().unwrap().dead.push(letter.clone());
        Ok(())
    }
}

impl Redelivery for World {
    async fn delay(&self, messages: &[(String, u32)]) -> Result<(), PortError> {
        assert!(messages.iter().all(|(_, seconds)| *seconds <= 43_200), "SQS hides no message for longer");
        Ok(())
    }
}

impl Entities for World {
    async fn fetch(&self, _: Option<i64>, entities: &[EntityRef]) -> Vec<Result<Fetched, FetchFailure>> {
        let fetched = |entity: &EntityRef| {
            let body =
                entity.is_identified().then(|| Arc::from(RawValue::from_string(format!("{{\"id\":{}}}", entity.id)).unwrap()));
            let status = if body.is_some() { Status::Found } else { Status::NotFound };
            Ok(Fetched { status, answered_id: None, body, began_at_ms: super::NOW_MS, fetched_at_ms: super::NOW_MS })
        };
        entities.iter().map(fetched).collect()
    }

    async fn audits(&self, _: Option<i64>, _: &EntityRef, _: &str, _: i64) -> Result<Vec<Told>, FetchFailure> {
        Ok(Vec::new())
    }
}

impl SecretStore for World {
    async fn read(&self) -> Result<String, PortError> {
        Ok(String::new())
    }
}

impl Clock for World {
    fn now_ms(&self) -> i64 {
        super::NOW_MS
    }
}

/// A message in the events queue, as Lambda hands it over.
pub(super) struct Queued(Value);

impl Queued {
    /// With the attributes that the adapter to SQS gives it.
    pub(super) fn of(message: &Message) -> Self {
        let identity = &message.identity;
        let mut attributes = json!({
            "v": {"stringValue": "1", "dataType": "Number"},
            "eventId": {"stringValue": identity.key, "dataType": "String"},
            "receivedAt": {"stringValue": identity.received_at_ms.to_string(), "dataType": "Number"},
        });
        if let Some(encoding) = message.body.encoding.as_str() {
            attributes["contentEncoding"] = json!({"stringValue": encoding, "dataType": "String"});
        }
        Self(json!({"messageId": "m", "receiptHandle": "r", "body": message.body.text, "messageAttributes": attributes}))
    }
}

/// Hands messages over to an enricher.
pub(super) fn enriched(messages: Vec<Queued>) {
    let records: Vec<Value> = messages.into_iter().map(|message| message.0).collect();
    is_done(batch::messages(serde_json::from_value::<SqsEvent>(json!({"Records": records})).unwrap()));
}

/// Each message is published as the schema says, or its bytes are in the dead-letter queue. Nothing is in trouble here, so whatever goes
/// back would do so for ever: somewhere it panicked. Only an encoding of the future waits for a later version.
pub(super) fn is_done(messages: Vec<Incoming>) {
    let world = World::default();
    let enricher: Enricher<World> = Enricher {
        ledger: Tables::default(),
        bus: world.clone(),
        dead_letters: world.clone(),
        redelivery: world.clone(),
        entities: world.clone(),
        clock: world.clone(),
        limits: Limits {
            event_ttl: Duration::from_secs(21 * 86_400),
            max_attempts: 8,
            max_entry_bytes: 262_144,
            max_entities: 20,
            snapshot_ttl: Duration::from_secs(400 * 86_400),
        },
        rules: Rules { replica_lag_ms: 5_000, ..Rules::default() },
        turnstile: Turnstile::new(10),
        filter: Filter::default(),
        redaction: Redaction::default(),
        hash_key: CachedSecret::new(world.clone(), world.clone()),
        metrics: Metrics::on_stdout(String::new()),
    };
    let back = super::done(enricher.enrich(messages.clone(), Duration::from_secs(60)));
    let kept = std::mem::take(&mut *world.0.lock().unwrap());
    for message in messages {
        let delivered = decode(&message.body, message.content_encoding.as_deref());
        let is_of_the_future = delivered == Err(capillary_events::message::DecodeError::UnknownEncoding);
        assert_eq!(back.contains(&message.message_id), is_of_the_future, "a message goes back for ever, or is done unread");
        if is_of_the_future {
            continue;
        }
        let in_dead_letters = kept.dead.iter().any(|letter| match &delivered {
            Ok(bytes) => decode(&letter.body.text, letter.body.encoding.as_str()).as_ref() == Ok(bytes),
            Err(_) => letter.body.text == message.body,
        });
        let is_event = delivered.as_ref().is_ok_and(|bytes| capillary_events::event::Event::parse(bytes).is_ok());
        assert!(in_dead_letters || (is_event && !kept.published.is_empty()), "a message is neither published nor dead-lettered");
    }
}
