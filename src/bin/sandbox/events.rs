//! An event: what it says of itself, in the two forms that the documentation knows.

use axum::body::Bytes;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::clock::now_ms;
use crate::conduct::{Conduct, Form};

/// How long the envelope is later than the event, as in the samples.
const ENVELOPE_TAKES_MS: u64 = 14;

/// Something to deliver.
#[derive(Clone)]
pub(crate) struct Event {
    pub(crate) id: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) ref_id: Option<String>,
    pub(crate) request_id: Option<String>,
    pub(crate) body: Bytes,
}

/// The call that changed something: what its event, its audit rows and its answer have in common.
pub(crate) struct Occasion {
    /// Empty where no call of the API was the cause.
    pub(crate) request_id: String,
    /// Milliseconds since 1970.
    pub(crate) at: u64,
}

impl Occasion {
    pub(crate) fn api_call() -> Self {
        Self { request_id: Uuid::new_v4().simple().to_string(), at: now_ms() }
    }

    pub(crate) fn without_call() -> Self {
        Self { request_id: String::new(), at: now_ms() }
    }
}

impl Event {
    /// `subject` is the part of `refId` after the org.
    pub(crate) fn new(conduct: &Conduct, name: &str, subject: &str, occasion: &Occasion, data: &Value) -> Self {
        let id = Uuid::new_v4().to_string();
        let org = conduct.org_id;
        let ref_id = format!("{org}_{subject}");
        let body = match conduct.form {
            Form::Flat => json!({
                "eventName": name,
                "eventId": id,
                "orgId": org,
                "refId": ref_id,
                "apiRequestId": occasion.request_id,
                "createdAt": occasion.at,
                "data": data,
                "loyaltyEventId": null,
            }),
            Form::Envelope => json!({
                "eventId": id,
                "eventType": format!("{org}_{name}"),
                "consumerGroupId": null,
                "actionType": "START",
                "timeStamp": occasion.at.saturating_add(ENVELOPE_TAKES_MS),
                "attributes": {
                    "createdAt": occasion.at,
                    "data": data,
                    "eventName": name,
                    "refId": ref_id,
                    "apiRequestId": occasion.request_id,
                    "orgId": org,
                },
            }),
        };
        Self {
            id: Some(id),
            name: Some(name.to_owned()),
            ref_id: Some(ref_id),
            request_id: Some(occasion.request_id.clone()),
            body: Bytes::from(body.to_string()),
        }
    }

    /// An event of a test's own making, byte for byte. `told` is the same, read.
    pub(crate) fn as_given(body: Bytes, told: &Value) -> Self {
        let text = |place: &str| told.pointer(place).and_then(Value::as_str).map(str::to_owned);
        let either = |name: &str| text(&format!("/{name}")).or_else(|| text(&format!("/attributes/{name}")));
        let name = either("eventName").or_else(|| text("/eventType"));
        Self { id: text("/eventId"), name, ref_id: either("refId"), request_id: either("apiRequestId"), body }
    }
}
