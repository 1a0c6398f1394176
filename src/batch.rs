//! From Lambda's SQS event to messages, and from failures to Lambda's answer.

use std::{collections::HashMap, time::Duration};

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage, SqsMessageAttribute};

use crate::{enrich::Incoming, message::TraceHeader};

/// The time for an invocation whose deadline is not known: that of the template.
const DEFAULT_TIME: Duration = Duration::from_secs(60);

/// The messages of a batch.
pub fn messages(event: SqsEvent) -> Vec<Incoming> {
    event.records.into_iter().map(message).collect()
}

fn message(record: SqsMessage) -> Incoming {
    let number = |text: Option<&String>| text.and_then(|text| text.parse().ok());
    let system = |name: &str| record.attributes.get(name);
    let text = |name: &str| attribute(&record.message_attributes, name);
    Incoming {
        content_encoding: text("contentEncoding").cloned(),
        key: text("eventId").cloned(),
        received_at_ms: number(text("receivedAt")),
        receive_count: system("ApproximateReceiveCount").and_then(|text| text.parse().ok()).unwrap_or(1),
        sent_at_ms: number(system("SentTimestamp")),
        trace: system("AWSTraceHeader").and_then(|text| TraceHeader::parse(text)),
        message_id: record.message_id.unwrap_or_default(),
        receipt_handle: record.receipt_handle.unwrap_or_default(),
        body: record.body.unwrap_or_default(),
    }
}

fn attribute<'a>(attributes: &'a HashMap<String, SqsMessageAttribute>, name: &str) -> Option<&'a String> {
    attributes.get(name)?.string_value.as_ref()
}

/// Lambda's answer that keeps these messages in the queue.
pub fn response(failed: Vec<String>) -> SqsBatchResponse {
    let mut response = SqsBatchResponse::default();
    for message_id in failed {
        let mut failure = BatchItemFailure::default();
        failure.item_identifier = message_id;
        response.batch_item_failures.push(failure);
    }
    response
}

/// What is left until a deadline in milliseconds since 1970; one before the start is none (as `cargo lambda watch` gives).
pub fn time_left(deadline_ms: u64, now_ms: i64) -> Duration {
    let left = deadline_ms.checked_sub(u64::try_from(now_ms).unwrap_or_default());
    left.filter(|left| *left > 0).map_or(DEFAULT_TIME, Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_without_attributes_is_a_message() {
        let event: SqsEvent = serde_json::from_str(r#"{"Records":[{"messageId":"m","receiptHandle":"r","body":"{}"}]}"#).unwrap();
        let message = messages(event).remove(0);
        assert_eq!((message.message_id.as_str(), message.body.as_str(), message.receive_count), ("m", "{}", 1));
        assert_eq!((message.key, message.sent_at_ms), (None, None));
    }

    #[test]
    fn a_deadline_in_the_past_counts_as_unknown() {
        assert_eq!(time_left(0, 1_000), DEFAULT_TIME);
        assert_eq!(time_left(1_000, 1_000), DEFAULT_TIME);
        assert_eq!(time_left(3_000, 1_000), Duration::from_secs(2));
    }

    #[test]
    fn failures_are_reported_by_their_message() {
        let response = serde_json::to_value(response(vec!["m1".to_owned()])).unwrap();
        assert_eq!(response, serde_json::json!({"batchItemFailures": [{"itemIdentifier": "m1"}]}));
    }
}
