//! The ledger in DynamoDB. Every write is conditional; the conditions are those of the table of writes, by its names.

use std::{collections::HashMap, time::Duration};

use aws_config::SdkConfig;
use aws_sdk_dynamodb::{
    Client,
    error::SdkError,
    operation::{
        put_item::{PutItemError, builders::PutItemFluentBuilder},
        update_item::{UpdateItemError, builders::UpdateItemFluentBuilder},
    },
    primitives::Blob,
    types::{AttributeValue, KeysAndAttributes, ReturnValue, ReturnValuesOnConditionCheckFailure},
};

use super::port_error;
use crate::{
    ledger::{Claim, Identity, Row, Status},
    message::{Reason, gunzip, gzip},
    ports::{Claimed, Claims, Ledger, PortError, Written},
};

const FORMAT_VERSION: i64 = 1;
const PUT: &str = "DynamoDB.PutItem";
const UPDATE: &str = "DynamoDB.UpdateItem";
const READ: &str = "DynamoDB.BatchGetItem";
/// The most keys in one read.
const MAX_KEYS: usize = 100;

/// W1: no row, a row past its expiry, or a claim of the same event whose lease ran out.
const MAY_CLAIM: &str =
    "attribute_not_exists(eventId) OR expiresAt <= :s OR (#status = :received AND leaseUntil <= :now AND fingerprint = :fp)";
/// X1: nothing stored yet.
const MAY_STORE: &str =
    "attribute_not_exists(eventId) OR expiresAt <= :s OR (#status IN (:received, :failed) AND attribute_not_exists(detail))";
/// P2, what is stored was published.
const MAY_MARK_PUBLISHED: &str = "attribute_exists(detail) AND #status IN (:enriched, :failed)";
/// P2, an event without entities was published.
const MAY_MARK_PUBLISHED_UNSTORED: &str = "attribute_not_exists(eventId) OR expiresAt <= :s OR #status IN (:received, :failed)";
/// D2.
const MAY_MARK_FAILED: &str = "attribute_not_exists(eventId) OR #status IN (:received, :enriched, :failed)";

/// The events table.
#[derive(Clone)]
pub struct EventsTable {
    client: Client,
    table: String,
}

type Item = HashMap<String, AttributeValue>;

impl EventsTable {
    /// The table with this name.
    pub fn new(config: &SdkConfig, table: String) -> Self {
        Self { client: Client::new(config), table }
    }
}

impl EventsTable {
    /// A whole row, under a condition that knows the time and the status `RECEIVED`.
    fn put(&self, item: Item, condition: &str, now_s: i64) -> PutItemFluentBuilder {
        self.client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression(condition)
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":received", text(Status::Received.as_str()))
            .expression_attribute_values(":s", number(now_s))
    }

    /// Changes of a row, under a condition that knows `#status`.
    fn update(&self, key: &str, update: Update, removed: &str, condition: &str) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.table)
            .key("eventId", text(key))
            .update_expression(format!("SET {} REMOVE {removed}", update.assignments()))
            .condition_expression(condition)
            .set_expression_attribute_names(Some(update.names))
            .set_expression_attribute_values(Some(update.values))
    }

    async fn read(&self, keys: &[String], found: &mut Vec<(String, Row)>) -> Result<(), PortError> {
        let wanted = keys.iter().map(|key| Item::from([("eventId".to_owned(), text(key))]));
        let wanted = KeysAndAttributes::builder().consistent_read(true).set_keys(Some(wanted.collect())).build();
        let wanted = wanted.map_err(|_| PortError::Invalid { call: READ, cause: "NoKeys".to_owned() })?;
        let mut pending = HashMap::from([(self.table.clone(), wanted)]);
        // An answer may be partial: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
        for wait_ms in [0, 50, 200, 800] {
            tokio::time::sleep(Duration::from_millis(wait_ms)).await;
            let answer = self
                .client
                .batch_get_item()
                .set_request_items(Some(pending))
                .send()
                .await
                .map_err(|error| port_error(READ, &error))?;
            let items = answer.responses.unwrap_or_default().into_values().flatten();
            found.extend(items.filter_map(|item| Some((item.get("eventId")?.as_s().ok()?.clone(), row(&item)))));
            pending = answer.unprocessed_keys.unwrap_or_default();
            if pending.is_empty() {
                return Ok(());
            }
        }
        Err(PortError::Unavailable { call: READ, cause: "UnprocessedKeys".to_owned() })
    }
}

impl Claims for EventsTable {
    async fn claim(&self, claim: &Claim) -> Result<Claimed, PortError> {
        let item = claim_item(claim);
        let answer = self
            .put(item, MAY_CLAIM, claim.now_ms / 1000)
            .expression_attribute_values(":now", number(claim.now_ms))
            .expression_attribute_values(":fp", text(claim.identity.fingerprint.as_str()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match answer {
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

impl Ledger for EventsTable {
    async fn rows(&self, keys: &[String]) -> Result<Vec<(String, Row)>, PortError> {
        let mut found = Vec::new();
        for keys in keys.chunks(MAX_KEYS) {
            self.read(keys, &mut found).await?;
        }
        Ok(found)
    }

    async fn store(&self, identity: &Identity, detail: &str, now_s: i64) -> Result<Written, PortError> {
        let mut item = identity_item(identity);
        item.insert("status".to_owned(), text(Status::Enriched.as_str()));
        item.insert("detail".to_owned(), AttributeValue::B(Blob::new(gzip(detail.as_bytes()))));
        let answer =
            self.put(item, MAY_STORE, now_s).expression_attribute_values(":failed", text(Status::Failed.as_str())).send().await;
        match answer {
            Ok(_) => Ok(Written::Yes),
            Err(error) => match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(_)) => Ok(Written::Refused),
                _ => Err(port_error(PUT, &error)),
            },
        }
    }

    async fn published(&self, key: &str, expires_at_s: i64) -> Result<Written, PortError> {
        let mut update = Update::default();
        update.set("status", text(Status::Published.as_str()));
        update.set("expiresAt", number(expires_at_s));
        let request = self
            .update(key, update, "detail, attempts, reason", MAY_MARK_PUBLISHED)
            .expression_attribute_values(":enriched", text(Status::Enriched.as_str()))
            .expression_attribute_values(":failed", text(Status::Failed.as_str()));
        written(request.send().await)
    }

    async fn published_unstored(&self, identity: &Identity, now_s: i64, expires_at_s: i64) -> Result<Written, PortError> {
        let mut update = Update::of(identity);
        update.set("status", text(Status::Published.as_str()));
        update.set("expiresAt", number(expires_at_s));
        let request = self
            .update(&identity.key, update, "detail, attempts, reason, claimId, leaseUntil", MAY_MARK_PUBLISHED_UNSTORED)
            .expression_attribute_values(":received", text(Status::Received.as_str()))
            .expression_attribute_values(":failed", text(Status::Failed.as_str()))
            .expression_attribute_values(":s", number(now_s));
        written(request.send().await)
    }

    async fn failed(&self, identity: &Identity, reason: Reason, expires_at_s: i64) -> Result<Written, PortError> {
        // A redrive begins with no attempts counted. A row that stores what is still to be published must not expire; an update
        // can't say «only where no detail is», so there are two, of which one is refused.
        for (without_detail, condition) in [(false, "attribute_exists(detail)"), (true, "attribute_not_exists(detail)")] {
            let mut update = Update::of(identity);
            update.set("status", text(Status::Failed.as_str()));
            update.set("reason", text(reason.as_str()));
            if without_detail {
                update.set("expiresAt", number(expires_at_s));
            }
            let condition = format!("{condition} AND ({MAY_MARK_FAILED})");
            let request = self
                .update(&identity.key, update, "claimId, leaseUntil, attempts", &condition)
                .expression_attribute_values(":received", text(Status::Received.as_str()))
                .expression_attribute_values(":enriched", text(Status::Enriched.as_str()))
                .expression_attribute_values(":failed", text(Status::Failed.as_str()));
            if written(request.send().await)? == Written::Yes {
                return Ok(Written::Yes);
            }
        }
        Ok(Written::Refused)
    }

    async fn count_attempt(&self, key: &str) -> Result<Option<u32>, PortError> {
        let answer = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("eventId", text(key))
            .update_expression("ADD attempts :one")
            .condition_expression("attribute_exists(eventId)")
            .expression_attribute_values(":one", number(1))
            .return_values(ReturnValue::UpdatedNew)
            .send()
            .await;
        match answer {
            Ok(answer) => {
                let attempts = answer.attributes.as_ref().and_then(|item| integer(item, "attempts"));
                Ok(attempts.and_then(|attempts| u32::try_from(attempts).ok()))
            }
            Err(error) => written::<()>(Err(error)).map(|_| None),
        }
    }
}

/// Assignments of an update, each under a name of its own, so that no reserved word gets in the way.
#[derive(Default)]
struct Update {
    names: HashMap<String, String>,
    values: Item,
}

impl Update {
    /// Assigns what a row tells of its event, but not the key.
    fn of(identity: &Identity) -> Self {
        let mut update = Self::default();
        for (name, value) in identity_item(identity) {
            if name != "eventId" {
                update.set(&name, value);
            }
        }
        update
    }

    fn set(&mut self, name: &str, value: AttributeValue) {
        self.names.insert(format!("#{name}"), name.to_owned());
        self.values.insert(format!(":new_{name}"), value);
    }

    fn assignments(&self) -> String {
        let assignments: Vec<String> =
            self.names.iter().map(|(placeholder, name)| format!("{placeholder} = :new_{name}")).collect();
        assignments.join(", ")
    }
}

fn written<T>(answer: Result<T, SdkError<UpdateItemError>>) -> Result<Written, PortError> {
    match answer {
        Ok(_) => Ok(Written::Yes),
        Err(error) => match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(Written::Refused),
            _ => Err(port_error(UPDATE, &error)),
        },
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

fn identity_item(identity: &Identity) -> Item {
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

fn row(item: &Item) -> Row {
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

fn integer(item: &Item, name: &str) -> Option<i64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

fn number(value: i64) -> AttributeValue {
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
