//! A letter of the dead-letter queue.

use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use capillary_events::message::{DecodeError, decode};
use serde::Serialize;

/// A letter. It does not print: the body is somebody's data.
pub(crate) struct Letter {
    pub(super) message: Message,
}

/// What a letter says of itself, without its body.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Label {
    pub(crate) message_id: String,
    pub(crate) event_id: Option<String>,
    pub(crate) event_name: Option<String>,
    pub(crate) org_id: Option<i64>,
    /// Why it is here; none if SQS itself moved it.
    pub(crate) reason: Option<String>,
    /// More of why.
    pub(crate) detail: Option<String>,
    /// When the event was received from Capillary, in milliseconds since 1970.
    pub(crate) received_at: Option<i64>,
    /// When the letter came here, in milliseconds since 1970.
    pub(crate) dead_since: Option<i64>,
    pub(crate) bytes: usize,
}

impl Letter {
    /// What it says of itself.
    pub(crate) fn label(&self) -> Label {
        Label {
            message_id: self.message_id().to_owned(),
            event_id: self.attribute("eventId"),
            event_name: self.attribute("eventName"),
            org_id: self.attribute("orgId").and_then(|text| text.parse().ok()),
            reason: self.attribute("reason"),
            detail: self.attribute("detail"),
            received_at: self.attribute("receivedAt").and_then(|text| text.parse().ok()),
            dead_since: self.dead_since(),
            bytes: self.message.body.as_ref().map_or(0, String::len),
        }
    }

    /// The bytes that Capillary sent; of one that was too large the first.
    pub(crate) fn body(&self) -> Result<Vec<u8>, DecodeError> {
        decode(self.message.body.as_deref().unwrap_or_default(), self.attribute("contentEncoding").as_deref())
    }

    /// As SQS gave it.
    pub(crate) fn message(&self) -> &Message {
        &self.message
    }

    pub(crate) fn message_id(&self) -> &str {
        self.message.message_id.as_deref().unwrap_or_default()
    }

    /// When it came here, in milliseconds since 1970.
    pub(super) fn dead_since(&self) -> Option<i64> {
        self.message.attributes.as_ref()?.get(&MessageSystemAttributeName::SentTimestamp)?.parse().ok()
    }

    fn attribute(&self, name: &str) -> Option<String> {
        self.message.message_attributes.as_ref()?.get(name)?.string_value.clone()
    }
}
