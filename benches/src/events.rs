//! Invocations as Lambda hands them over, made from the repository's own events.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hyper::body::Bytes;
use serde_json::{Value, json};

use crate::failure::Failure;

const DELIVERY: &str = include_str!("../../events/receiver/customerUpdated.flat.json");
const BATCH: &str = include_str!("../../events/enricher/one-customer-added.json");
/// The header by which a delivery is known.
const AUTHORIZATION: &str = "Authorization";

static EVENTS: AtomicU64 = AtomicU64::new(0);

/// What invocations are made from.
pub(crate) struct Events {
    delivery: Value,
    event: Value,
    message: Value,
}

impl Events {
    pub(crate) fn read() -> Result<Self, Failure> {
        let delivery: Value = serde_json::from_str(DELIVERY)?;
        let event = serde_json::from_str(delivery["body"].as_str().unwrap_or_default())?;
        let batch: Value = serde_json::from_str(BATCH)?;
        Ok(Self { delivery, event, message: batch["Records"][0].clone() })
    }

    /// A delivery of an event whose id begins so. The body is in base64, as behind a gateway that takes all media types for binary.
    pub(crate) fn delivery(&self, id_begins: &str) -> Bytes {
        let mut event = self.event.clone();
        event["eventId"] = id(id_begins).into();
        let mut delivery = self.delivery.clone();
        delivery["body"] = STANDARD.encode(event.to_string()).into();
        delivery["isBase64Encoded"] = true.into();
        delivery.to_string().into()
    }

    /// The same from somebody who does not know the header.
    pub(crate) fn of_a_stranger(&self) -> Bytes {
        let mut delivery: Value = serde_json::from_slice(&self.delivery("")).unwrap_or_default();
        delivery["headers"][AUTHORIZATION] = "Basic somebody".into();
        delivery["multiValueHeaders"][AUTHORIZATION] = json!(["Basic somebody"]);
        delivery.to_string().into()
    }

    /// A batch of the queue: an event about each of these customers.
    pub(crate) fn batch(&self, customers: impl IntoIterator<Item = u64>) -> Bytes {
        let records: Vec<Value> = customers.into_iter().map(|customer| self.message(customer)).collect();
        json!({ "Records": records }).to_string().into()
    }

    fn message(&self, customer: u64) -> Value {
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis().to_string();
        let id = id("");
        let mut event = self.event.clone();
        event["eventId"] = id.as_str().into();
        event["data"]["customerIdentifiers"]["customerId"] = customer.into();
        // One that tells something itself: the audit log is not asked.
        event["data"]["updatedFields"] = json!([
            {"fieldName": "firstName", "previousValue": "Ana", "currentValue": "Ana Maria", "fieldType": "StandardField"}
        ]);
        let mut message = self.message.clone();
        message["messageId"] = id.as_str().into();
        message["body"] = event.to_string().into();
        message["attributes"]["SentTimestamp"] = now_ms.as_str().into();
        message["attributes"]["ApproximateFirstReceiveTimestamp"] = now_ms.as_str().into();
        for (name, value) in [("eventId", id.as_str()), ("eventName", "customerUpdated"), ("receivedAt", now_ms.as_str())] {
            message["messageAttributes"][name]["stringValue"] = value.into();
        }
        message
    }
}

/// An id that no other event has.
fn id(begins: &str) -> String {
    format!("{begins}{:08x}-479f-4a15-a6fd-86bbbff3e84d", EVENTS.fetch_add(1, Ordering::Relaxed))
}
