//! The two queues in SQS, and the attributes of the messages in them.

use std::sync::{Arc, LazyLock};

use aws_config::SdkConfig;
use aws_sdk_sqs::{
    Client,
    operation::send_message::builders::SendMessageFluentBuilder,
    types::{
        ChangeMessageVisibilityBatchRequestEntry, MessageAttributeValue, MessageSystemAttributeNameForSends,
        MessageSystemAttributeValue,
    },
};
use futures_util::future::join_all;

use super::{boxed, port_error};
use crate::{
    ledger::Identity,
    message::{DeadLetter, Encoded, Encoding, FORMAT_VERSION, Message},
    ports::{DeadLetterQueue, EventsQueue, PortError, Redelivery},
};

/// The most entries in one batch call.
const MAX_BATCH: usize = 10;

/// SQS, whose client is made when it is first needed: to make one is a good part of a start.
#[derive(Clone)]
pub struct Sqs(Arc<LazyLock<Client, Make>>);

type Make = Box<dyn FnOnce() -> Client + Send>;

impl Sqs {
    pub(super) fn new(sdk: &SdkConfig) -> Self {
        let sdk = sdk.clone();
        Self(Arc::new(LazyLock::new(Box::new(move || Client::new(&sdk)))))
    }

    /// Makes the client now, for whoever needs it soon.
    #[must_use]
    pub fn ready(self) -> Self {
        LazyLock::force(&self.0);
        self
    }
}

/// A queue in SQS.
#[derive(Clone)]
pub struct Queue {
    sqs: Sqs,
    url: String,
}

impl Queue {
    /// The queue at this URL.
    pub fn new(sqs: Sqs, url: String) -> Self {
        Self { sqs, url }
    }

    fn message(&self, body: &Encoded, attributes: Attributes) -> SendMessageFluentBuilder {
        let request = self.sqs.0.send_message().queue_url(&self.url).message_body(&body.text);
        attributes.0.into_iter().fold(request, |request, (name, value)| request.message_attributes(name, value))
    }
}

/// Message attributes under construction; what has no value gets none, since SQS refuses empty ones.
#[derive(Default)]
struct Attributes(Vec<(&'static str, MessageAttributeValue)>);

impl Attributes {
    fn text(mut self, name: &'static str, value: Option<&str>) -> Self {
        self.push(name, "String", value);
        self
    }

    fn number(mut self, name: &'static str, value: Option<i64>) -> Self {
        self.push(name, "Number", value.map(|value| value.to_string()).as_deref());
        self
    }

    /// What both kinds of message bear.
    fn of(identity: Option<&Identity>, received_at_ms: i64, encoding: Encoding) -> Self {
        Self::default()
            .number("v", Some(FORMAT_VERSION))
            .text("eventId", identity.map(|identity| identity.key.as_str()))
            .text("eventName", identity.and_then(|identity| identity.event_name.as_deref()))
            .number("orgId", identity.and_then(|identity| identity.org_id))
            .number("receivedAt", Some(received_at_ms))
            .text("contentEncoding", encoding.as_str())
    }

    fn push(&mut self, name: &'static str, data_type: &str, value: Option<&str>) {
        let value = value.filter(|value| !value.is_empty());
        let built =
            value.and_then(|value| MessageAttributeValue::builder().data_type(data_type).string_value(value).build().ok());
        self.0.extend(built.map(|attribute| (name, attribute)));
    }
}

impl EventsQueue for Queue {
    async fn send(&self, message: &Message) -> Result<(), PortError> {
        let attributes = Attributes::of(Some(&message.identity), message.identity.received_at_ms, message.body.encoding);
        let mut request = self.message(&message.body, attributes);
        let trace = message.trace.as_ref();
        let trace = trace.and_then(|trace| {
            MessageSystemAttributeValue::builder().data_type("String").string_value(trace.as_str()).build().ok()
        });
        if let Some(trace) = trace {
            request = request.message_system_attributes(MessageSystemAttributeNameForSends::AwsTraceHeader, trace);
        }
        boxed(request.send()).await.map(drop).map_err(|error| port_error("SQS.SendMessage", &error))
    }
}

impl DeadLetterQueue for Queue {
    async fn send(&self, letter: &DeadLetter) -> Result<(), PortError> {
        let attributes = Attributes::of(letter.identity.as_ref(), letter.received_at_ms, letter.body.encoding)
            .text("reason", Some(letter.reason.as_str()))
            .text("detail", Some(&letter.detail));
        boxed(self.message(&letter.body, attributes).send())
            .await
            .map(drop)
            .map_err(|error| port_error("SQS.SendMessage to the dead-letter queue", &error))
    }
}

impl Redelivery for Queue {
    async fn delay(&self, messages: &[(String, u32)]) -> Result<(), PortError> {
        let calls = messages.chunks(MAX_BATCH).map(|batch| {
            let entries = batch.iter().enumerate().filter_map(|(position, (receipt_handle, seconds))| {
                ChangeMessageVisibilityBatchRequestEntry::builder()
                    .id(position.to_string())
                    .receipt_handle(receipt_handle)
                    .visibility_timeout(i32::try_from(*seconds).unwrap_or(i32::MAX))
                    .build()
                    .ok()
            });
            boxed(self.sqs.0.change_message_visibility_batch().queue_url(&self.url).set_entries(Some(entries.collect())).send())
        });
        const CALL: &str = "SQS.ChangeMessageVisibilityBatch";
        for answer in join_all(calls).await {
            let answer = answer.map_err(|error| port_error(CALL, &error))?;
            if let Some(failed) = answer.failed.first() {
                return Err(PortError::Unavailable { call: CALL, cause: failed.code.clone() });
            }
        }
        Ok(())
    }
}
