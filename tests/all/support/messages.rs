//! Messages of the queues, and the batches in which Lambda hands them over.

use std::collections::BTreeMap;
use std::io::Read as _;

use aws_sdk_sqs::types::Message;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

/// One message as received.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) id: String,
    pub(crate) receipt_handle: String,
    pub(crate) body: String,
    /// Name to (data type, text).
    pub(crate) attributes: BTreeMap<String, (String, String)>,
    pub(crate) system: BTreeMap<String, String>,
}

impl Received {
    pub(crate) fn of(message: &Message) -> Self {
        let attributes = message.message_attributes().into_iter().flatten().map(|(name, value)| {
            (name.clone(), (value.data_type().to_owned(), value.string_value().unwrap_or_default().to_owned()))
        });
        let system = message.attributes().into_iter().flatten();
        Self {
            id: message.message_id().unwrap_or_default().to_owned(),
            receipt_handle: message.receipt_handle().unwrap_or_default().to_owned(),
            body: message.body().unwrap_or_default().to_owned(),
            attributes: attributes.collect(),
            system: system.map(|(name, value)| (name.as_str().to_owned(), value.clone())).collect(),
        }
    }

    /// A message attribute's text.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(|(_, text)| text.as_str())
    }

    /// The bytes that were delivered, whatever `contentEncoding` says.
    pub(crate) fn delivered_bytes(&self) -> Vec<u8> {
        match self.attribute("contentEncoding") {
            None => self.body.clone().into_bytes(),
            Some("base64") => STANDARD.decode(&self.body).expect("base64"),
            Some("gzip+base64") => {
                let compressed = STANDARD.decode(&self.body).expect("base64");
                let mut bytes = Vec::new();
                flate2::read::GzDecoder::new(compressed.as_slice()).read_to_end(&mut bytes).expect("gzip");
                bytes
            }
            Some(other) => panic!("unknown contentEncoding {other}"),
        }
    }

    /// A record of an SQS event for Lambda.
    pub(crate) fn record(&self, queue_arn: &str) -> Value {
        let attributes: Map<String, Value> = self
            .attributes
            .iter()
            .map(|(name, (data_type, text))| {
                let value = json!({"stringValue": text, "stringListValues": [], "binaryListValues": [], "dataType": data_type});
                (name.clone(), value)
            })
            .collect();
        json!({
            "messageId": self.id, "receiptHandle": self.receipt_handle, "body": self.body,
            "attributes": self.system, "messageAttributes": attributes,
            "md5OfBody": "", "eventSource": "aws:sqs", "eventSourceARN": queue_arn, "awsRegion": "us-east-1"
        })
    }
}
