//! Rows of the ledger, with what they have for people.

use std::collections::HashMap;

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use capillary_events::{cloud_event::Published, ledger::Status, message::gunzip};
use serde::Serialize;
use serde_json::Value;

use crate::{aws, output::Failure};

/// The ledger.
pub(super) struct Ledger {
    client: Client,
    table: String,
}

/// What rows are searched for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Search<'a> {
    /// Those that bear this request id or reference.
    Of(&'a str),
    /// Those of other events that bear this event's id.
    SecondOf(&'a str),
}

/// A row. What the outgoing event says of a person is not in it.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row {
    pub(super) event_id: String,
    pub(super) status: String,
    pub(super) event_name: Option<String>,
    pub(super) org_id: Option<i64>,
    pub(super) request_id: Option<String>,
    pub(super) ref_id: Option<String>,
    /// When Capillary delivered it, in milliseconds since 1970.
    pub(super) received_at: Option<i64>,
    /// When the row took its present status, in milliseconds since 1970.
    pub(super) status_at: Option<i64>,
    /// Until when no other delivery may take the claim over, in milliseconds since 1970.
    pub(super) lease_until: Option<i64>,
    /// When the row may be forgotten, in seconds since 1970.
    pub(super) expires_at: Option<i64>,
    /// How often the work on it failed by itself.
    pub(super) attempts: Option<i64>,
    /// Why it is in the dead-letter queue, or was not published.
    pub(super) reason: Option<String>,
    /// Whether what goes out is stored, and not yet marked as published.
    pub(super) is_stored: bool,
    /// What was told, or is to be.
    pub(super) summary: Option<Value>,
}

impl Row {
    pub(super) fn status(&self) -> Option<Status> {
        Status::from_text(&self.status)
    }
}

impl Ledger {
    pub(super) fn new(client: Client, table: &str) -> Self {
        Self { client, table: table.to_owned() }
    }

    /// The row of an event.
    pub(super) async fn row(&self, event_id: &str) -> Result<Option<Row>, Failure> {
        let request = self.client.get_item().table_name(&self.table).consistent_read(true);
        let answer = request.key("eventId", AttributeValue::S(event_id.to_owned())).send().await;
        let answer = answer.map_err(|error| aws::failure("DynamoDB.GetItem", &error))?;
        Ok(answer.item.as_ref().map(row))
    }

    /// Reads through the whole ledger; `progress` is told how many rows were read.
    pub(super) async fn search(&self, search: Search<'_>, mut progress: impl FnMut(u64)) -> Result<Vec<Row>, Failure> {
        let (filter, value) = match search {
            Search::Of(id) => ("requestId = :id OR refId = :id", id.to_owned()),
            Search::SecondOf(id) => ("begins_with(eventId, :id)", format!("{id}~")),
        };
        let (mut found, mut read, mut start) = (Vec::new(), 0_u64, None);
        loop {
            let request = self
                .client
                .scan()
                .table_name(&self.table)
                .filter_expression(filter)
                .expression_attribute_values(":id", AttributeValue::S(value.clone()))
                .set_exclusive_start_key(start);
            let answer = request.send().await.map_err(|error| aws::failure("DynamoDB.Scan", &error))?;
            read += u64::try_from(answer.scanned_count).unwrap_or_default();
            progress(read);
            found.extend(answer.items().iter().map(row));
            start = answer.last_evaluated_key;
            if start.is_none() {
                return Ok(found);
            }
        }
    }
}

fn row(item: &HashMap<String, AttributeValue>) -> Row {
    let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).cloned();
    let number = |name: &str| item.get(name).and_then(|value| value.as_n().ok()?.parse().ok());
    let detail = item.get("detail").and_then(|value| value.as_b().ok());
    let summary = match detail {
        Some(detail) => {
            let detail = gunzip(detail.as_ref()).ok().and_then(|detail| String::from_utf8(detail).ok());
            detail.map(|detail| Published::read(&detail).summary)
        }
        None => text("summary"),
    };
    Row {
        event_id: text("eventId").unwrap_or_default(),
        status: text("status").unwrap_or_default(),
        event_name: text("eventName"),
        org_id: number("orgId"),
        request_id: text("requestId"),
        ref_id: text("refId"),
        received_at: number("receivedAt"),
        status_at: number("statusAt"),
        lease_until: number("leaseUntil"),
        expires_at: number("expiresAt"),
        attempts: number("attempts"),
        reason: text("reason"),
        is_stored: detail.is_some(),
        summary: summary.and_then(|summary| serde_json::from_str(&summary).ok()),
    }
}
