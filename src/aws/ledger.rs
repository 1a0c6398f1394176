//! The ledger in DynamoDB: its rows as items, and the receiver's claim.

use std::collections::HashMap;

use aws_sdk_dynamodb::{
    Client,
    operation::put_item::PutItemError,
    types::{AttributeValue, ReturnValuesOnConditionCheckFailure},
};

use super::{boxed, condition::Rendered, port_error};
use crate::{
    ledger::{
        Claim, Identity, Row, Status,
        writes::{Attempt, CLAIM},
    },
    message::gunzip,
    ports::{Claimed, Claims, PortError},
};

const FORMAT_VERSION: i64 = 1;
const PUT: &str = "DynamoDB.PutItem";

/// The events table.
#[derive(Clone)]
pub struct EventsTable {
    client: Client,
    table: String,
}

pub(super) type Item = HashMap<String, AttributeValue>;

impl EventsTable {
    /// The table with this name.
    pub fn new(client: Client, table: String) -> Self {
        Self { client, table }
    }
}

impl Claims for EventsTable {
    async fn claim(&self, claim: &Claim) -> Result<Claimed, PortError> {
        let attempt = Attempt { now_ms: claim.now_ms, fingerprint: claim.identity.fingerprint.as_str() };
        let condition = Rendered::of(CLAIM, attempt);
        let request = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(claim_item(claim)))
            .condition_expression(condition.text)
            .set_expression_attribute_names(Some(condition.names))
            .set_expression_attribute_values(Some(condition.values))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        match boxed(request.send()).await {
            Ok(_) => Ok(Claimed::Yes),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(refused)) => match &refused.item {
                    Some(item) => Ok(Claimed::No(row(item))),
                    // The row was there and is gone, so nothing is known of it.
                    None => Err(PortError::Unavailable { call: PUT, cause: "RowVanished".to_owned() }),
                },
                _ => Err(port_error(PUT, &error)),
            },
        }
    }
}

fn claim_item(claim: &Claim) -> Item {
    let mut item = identity_item(&claim.identity);
    item.insert("status".to_owned(), text(Status::Received.as_str()));
    item.insert("claimId".to_owned(), text(&claim.claim_id));
    item.insert("leaseUntil".to_owned(), number(claim.lease_until_ms()));
    item.insert("expiresAt".to_owned(), number(claim.expires_at_s));
    item
}

/// What a row tells of its event.
pub(super) fn identity_item(identity: &Identity) -> Item {
    let mut item = Item::from([
        ("eventId".to_owned(), text(&identity.key)),
        ("v".to_owned(), number(FORMAT_VERSION)),
        ("fingerprint".to_owned(), text(identity.fingerprint.as_str())),
        ("receivedAt".to_owned(), number(identity.received_at_ms)),
    ]);
    let told = [
        ("eventName", identity.event_name.as_deref().map(text)),
        ("orgId", identity.org_id.map(number)),
        ("requestId", identity.request_id.as_deref().map(text)),
        ("refId", identity.ref_id.as_deref().map(text)),
    ];
    item.extend(told.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    item
}

/// A row from its item.
pub(super) fn row(item: &Item) -> Row {
    let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).cloned();
    let detail = item.get("detail").and_then(|value| value.as_b().ok());
    Row {
        status: text("status").and_then(|status| Status::from_text(&status)),
        fingerprint: text("fingerprint"),
        claim_id: text("claimId"),
        lease_until_ms: integer(item, "leaseUntil"),
        expires_at_s: integer(item, "expiresAt"),
        detail: detail.and_then(|detail| String::from_utf8(gunzip(detail.as_ref()).ok()?).ok()),
    }
}

pub(super) fn integer(item: &Item, name: &str) -> Option<i64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

pub(super) fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

pub(super) fn number(value: i64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;

    #[test]
    fn the_largest_claim_is_one_write_unit() {
        let (id, text) = ("i".repeat(256), "x".repeat(128));
        let body = format!(
            r#"{{"eventId":"{id}","eventName":"{text}","apiRequestId":"{text}","refId":"{text}","orgId":9007199254740991}}"#
        );
        let identity = Identity::of(&Event::parse(body.as_bytes()).unwrap(), i64::MAX).beside_another_event();
        let claim =
            Claim { identity, claim_id: uuid::Uuid::new_v4().simple().to_string(), now_ms: i64::MAX / 2, expires_at_s: i64::MAX };
        let item = claim_item(&claim);
        assert_eq!(item.len(), 12);
        // Names and texts count by their bytes, a number by half its digits and one more.
        let bytes = |(name, value): (&String, &AttributeValue)| {
            name.len() + value.as_s().map_or_else(|_| value.as_n().unwrap().len() / 2 + 2, String::len)
        };
        assert!(item.iter().map(bytes).sum::<usize>() < 1024);
    }
}
