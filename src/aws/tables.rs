//! The enricher's side of both tables: rows and snapshots are read together and move together.

use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::{
    Client,
    error::SdkError,
    operation::{
        put_item::PutItemError,
        transact_write_items::TransactWriteItemsError,
        update_item::{UpdateItemError, builders::UpdateItemFluentBuilder},
    },
    primitives::Blob,
    types::{AttributeValue, KeysAndAttributes, Put, ReturnValue, TransactWriteItem},
};

use super::{
    boxed,
    condition::Rendered,
    forget::forget,
    ledger::{Item, identity_item, integer, number, row, text},
    port_error, port_error_invalid,
    snapshots::{puts, snapshot},
};
use crate::{
    ledger::{
        Identity, Status,
        writes::{Attempt, Condition, MARK_FAILED_STORED, MARK_FAILED_UNSTORED, MARK_PUBLISHED, MARK_PUBLISHED_UNSTORED, STORE},
    },
    message::{Reason, gzip},
    ports::{Commit, FailedKept, Forgotten, Known, Ledger, PortError, PublishedMark, Written},
    snapshot::Key,
};

/// The `reason` in the row of an event that is not to be published.
const IGNORED: &str = "ignored";

const PUT: &str = "DynamoDB.PutItem";
const UPDATE: &str = "DynamoDB.UpdateItem";
const READ: &str = "DynamoDB.BatchGetItem";
const TRANSACT: &str = "DynamoDB.TransactWriteItems";
/// The most keys in one read.
const MAX_KEYS: usize = 100;
/// Why a transaction was cancelled, for a part of it: its condition did not hold …
const REFUSED: &str = "ConditionalCheckFailed";
/// … or another transaction was at the same item.
const CONFLICT: &str = "TransactionConflict";
/// Waits before each attempt of a transaction that only got into another one's way, at random up to so many milliseconds.
const CONFLICT_WAITS_MS: [u64; 3] = [0, 50, 200];
/// Of the parts that did not fail.
const NOT_AT_FAULT: &str = "None";

/// The events table and the snapshots table.
#[derive(Clone)]
pub struct Tables {
    client: Client,
    events: String,
    snapshots: String,
}

impl Tables {
    /// The tables with these names.
    pub fn new(client: Client, events: String, snapshots: String) -> Self {
        Self { client, events, snapshots }
    }

    async fn read(&self, keys: &[(&String, Item)], known: &mut Known) -> Result<(), PortError> {
        let mut pending = HashMap::new();
        for table in [&self.events, &self.snapshots] {
            let wanted: Vec<Item> = keys.iter().filter(|(of, _)| *of == table).map(|(_, key)| key.clone()).collect();
            if !wanted.is_empty() {
                let wanted = KeysAndAttributes::builder().consistent_read(true).set_keys(Some(wanted)).build();
                pending.insert(table.clone(), wanted.map_err(|_| port_error_invalid(READ, "NoKeys"))?);
            }
        }
        // An answer may be partial: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html
        for wait_ms in [0, 50, 200, 800] {
            tokio::time::sleep(Duration::from_millis(wait_ms)).await;
            let answer = boxed(self.client.batch_get_item().set_request_items(Some(pending)).send()).await;
            let answer = answer.map_err(|error| port_error(READ, &error))?;
            for (table, items) in answer.responses.unwrap_or_default() {
                if table == self.snapshots {
                    let key = |item: &Item| Some(Key::from(item.get("entityKey")?.as_s().ok()?.clone()));
                    known.snapshots.extend(items.iter().filter_map(|item| Some((key(item)?, snapshot(item)))));
                } else {
                    known
                        .rows
                        .extend(items.iter().filter_map(|item| Some((item.get("eventId")?.as_s().ok()?.clone(), row(item)))));
                }
            }
            pending = answer.unprocessed_keys.unwrap_or_default();
            if pending.is_empty() {
                return Ok(());
            }
        }
        Err(PortError::Unavailable { call: READ, cause: "UnprocessedKeys".to_owned() })
    }

    /// An update of a row. `removed` names what goes.
    fn update(
        &self,
        key: &str,
        update: Update,
        removed: &str,
        (condition, attempt): (Condition<'_>, Attempt<'_>),
    ) -> UpdateItemFluentBuilder {
        let assignments = update.assignments();
        let mut condition = Rendered::of(condition, attempt);
        condition.names.extend(update.names);
        condition.values.extend(update.values);
        self.client
            .update_item()
            .table_name(&self.events)
            .key("eventId", text(key))
            .update_expression(format!("SET {assignments} REMOVE {removed}"))
            .condition_expression(condition.text)
            .set_expression_attribute_names(Some(condition.names))
            .set_expression_attribute_values(Some(condition.values))
    }

    /// Marks an event as published whose row stores nothing, with a reason for one that is not to be published at all.
    async fn mark_unstored(
        &self,
        identity: &Identity,
        now_s: i64,
        expires_at_s: i64,
        reason: Option<&str>,
    ) -> Result<Written, PortError> {
        let mut update = Update::of(identity);
        update.set("status", text(Status::Published.as_str()));
        update.set("statusAt", number(now_s.saturating_mul(1000)));
        update.set("expiresAt", number(expires_at_s));
        if let Some(reason) = reason {
            update.set("reason", text(reason));
        }
        let attempt = Attempt { now_ms: now_s.saturating_mul(1000), fingerprint: identity.fingerprint.as_str() };
        let removed = if reason.is_some() {
            "detail, summary, attempts, claimId, leaseUntil"
        } else {
            "detail, summary, attempts, reason, claimId, leaseUntil"
        };
        written(boxed(self.update(&identity.key, update, removed, (MARK_PUBLISHED_UNSTORED, attempt)).send()).await)
    }
}

impl Ledger for Tables {
    async fn look(&self, events: &[String], entities: &[Key]) -> Result<Known, PortError> {
        let events = events.iter().map(|key| (&self.events, Item::from([("eventId".to_owned(), text(key))])));
        let entities = entities.iter().map(|key| (&self.snapshots, Item::from([("entityKey".to_owned(), text(key.as_str()))])));
        let keys: Vec<(&String, Item)> = events.chain(entities).collect();
        let mut known = Known::default();
        for keys in keys.chunks(MAX_KEYS) {
            self.read(keys, &mut known).await?;
        }
        Ok(known)
    }

    async fn commit(&self, commit: &Commit<'_>) -> Result<Written, PortError> {
        let attempt = Attempt { now_ms: commit.now_ms, fingerprint: commit.identity.fingerprint.as_str() };
        let condition = Rendered::of(STORE, attempt);
        let mut item = identity_item(commit.identity);
        item.insert("status".to_owned(), text(Status::Enriched.as_str()));
        item.insert("statusAt".to_owned(), number(commit.now_ms));
        item.insert("detail".to_owned(), AttributeValue::B(Blob::new(gzip(commit.detail.as_bytes()))));
        if commit.moves.is_empty() {
            // A transaction of one would cost twice as much.
            let put = self
                .client
                .put_item()
                .table_name(&self.events)
                .set_item(Some(item))
                .condition_expression(condition.text)
                .set_expression_attribute_names(Some(condition.names))
                .set_expression_attribute_values(Some(condition.values));
            return match boxed(put.send()).await {
                Ok(_) => Ok(Written::Yes),
                Err(error) => match error.as_service_error() {
                    Some(PutItemError::ConditionalCheckFailedException(_)) => Ok(Written::Refused),
                    _ => Err(port_error(PUT, &error)),
                },
            };
        }
        let store = Put::builder()
            .table_name(&self.events)
            .set_item(Some(item))
            .condition_expression(condition.text)
            .set_expression_attribute_names(Some(condition.names))
            .set_expression_attribute_values(Some(condition.values))
            .build()
            .map_err(|_| port_error_invalid(TRANSACT, "Construction"))?;
        let puts = std::iter::once(store).chain(puts(&self.snapshots, commit.moves)?);
        let parts: Vec<_> = puts.map(|put| TransactWriteItem::builder().put(put).build()).collect();
        for wait_ms in CONFLICT_WAITS_MS {
            tokio::time::sleep(Duration::from_millis(fastrand::u64(0..=wait_ms))).await;
            // The SDK gives each call a token of its own, so that its retries are one transaction.
            match boxed(self.client.transact_write_items().set_transact_items(Some(Vec::clone(&parts))).send()).await {
                Ok(_) => return Ok(Written::Yes),
                Err(error) if is_mere_conflict(&error) => {}
                Err(error) => return cancelled(&error),
            }
        }
        Err(PortError::Unavailable { call: TRANSACT, cause: CONFLICT.to_owned() })
    }

    async fn published(&self, key: &str, mark: &PublishedMark<'_>) -> Result<Written, PortError> {
        let mut update = Update::default();
        update.set("status", text(Status::Published.as_str()));
        update.set("statusAt", number(mark.now_ms));
        update.set("expiresAt", number(mark.expires_at_s));
        update.set("summary", text(mark.summary));
        let attempt = Attempt { now_ms: 0, fingerprint: "" };
        written(boxed(self.update(key, update, "detail, attempts, reason", (MARK_PUBLISHED, attempt)).send()).await)
    }

    async fn published_unstored(&self, identity: &Identity, now_s: i64, expires_at_s: i64) -> Result<Written, PortError> {
        self.mark_unstored(identity, now_s, expires_at_s, None).await
    }

    async fn ignored(&self, identity: &Identity, now_s: i64, expires_at_s: i64) -> Result<Written, PortError> {
        self.mark_unstored(identity, now_s, expires_at_s, Some(IGNORED)).await
    }

    async fn failed(&self, identity: &Identity, reason: Reason, kept: &FailedKept) -> Result<Written, PortError> {
        // A redrive begins with no attempts counted. An update can't say «so long where a detail is», so there are two, of which one is
        // refused.
        for (condition, until_s) in [(MARK_FAILED_STORED, kept.stored_until_s), (MARK_FAILED_UNSTORED, kept.unstored_until_s)] {
            let mut update = Update::of(identity);
            update.set("status", text(Status::Failed.as_str()));
            update.set("statusAt", number(kept.now_ms));
            update.set("reason", text(reason.as_str()));
            update.set("expiresAt", number(until_s));
            let attempt = Attempt { now_ms: 0, fingerprint: identity.fingerprint.as_str() };
            let request = self.update(&identity.key, update, "claimId, leaseUntil, attempts", (condition, attempt));
            if written(boxed(request.send()).await)? == Written::Yes {
                return Ok(Written::Yes);
            }
        }
        Ok(Written::Refused)
    }

    async fn forget(&self, customer: &Key) -> Result<Forgotten, PortError> {
        forget(&self.client, &self.snapshots, customer).await
    }

    async fn count_attempt(&self, key: &str) -> Result<Option<u32>, PortError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.events)
            .key("eventId", text(key))
            .update_expression("ADD attempts :one")
            .condition_expression("attribute_exists(eventId)")
            .expression_attribute_values(":one", number(1))
            .return_values(ReturnValue::UpdatedNew);
        match boxed(update.send()).await {
            Ok(answer) => {
                let attempts = answer.attributes.as_ref().and_then(|item| integer(item, "attempts"));
                Ok(attempts.and_then(|attempts| u32::try_from(attempts).ok()))
            }
            Err(error) => written::<()>(Err(error)).map(|_| None),
        }
    }
}

/// Whether a transaction failed for nothing but another one at the same item.
fn is_mere_conflict(error: &SdkError<TransactWriteItemsError>) -> bool {
    let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error() else {
        return false;
    };
    let mut codes =
        cancelled.cancellation_reasons().iter().filter_map(|reason| reason.code()).filter(|code| *code != NOT_AT_FAULT);
    codes.next().is_some_and(|first| first == CONFLICT && codes.all(|code| code == CONFLICT))
}

fn cancelled(error: &SdkError<TransactWriteItemsError>) -> Result<Written, PortError> {
    if let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error() {
        let codes: Vec<&str> = cancelled.cancellation_reasons().iter().filter_map(|reason| reason.code()).collect();
        if codes.contains(&REFUSED) {
            return Ok(Written::Refused);
        }
        if let Some(code) = codes.iter().find(|code| **code != NOT_AT_FAULT) {
            let cause = (*code).to_owned();
            let is_invalid = ["ValidationError", "ItemCollectionSizeLimitExceeded"].contains(code);
            return Err(if is_invalid {
                PortError::Invalid { call: TRANSACT, cause }
            } else {
                PortError::Unavailable { call: TRANSACT, cause }
            });
        }
    }
    Err(port_error(TRANSACT, error))
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
