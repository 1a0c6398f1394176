//! A stub of the AWS services that the functions call: it counts, waits, answers, and remembers snapshots as they were written.

use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use hyper::StatusCode;
use serde_json::{Map, Value, json};

use crate::{
    calls::Calls,
    server::{Answer, Call, Service},
};

/// The table whose items are remembered.
pub(crate) const SNAPSHOTS: &str = "snapshots";
/// Names of the secrets.
pub(crate) const WEBHOOK_SECRET: &str = "webhook";
pub(crate) const CAPILLARY_SECRET: &str = "capillary";
/// Begins the ids of events that the ledger knows already.
pub(crate) const KNOWN: &str = "known-";
/// Requests without a target: they only open a connection.
pub(crate) const NO_CALL: &str = "opened";

/// DynamoDB, SQS, EventBridge and Secrets Manager.
pub(crate) struct Aws {
    pub(crate) calls: Calls,
    webhook_secret: Value,
    capillary_secret: Value,
    latency_ms: AtomicU64,
    snapshots: Mutex<HashMap<String, Value>>,
}

impl Aws {
    pub(crate) fn new(webhook_secret: Value, capillary_secret: Value) -> Self {
        Self {
            calls: Calls::default(),
            webhook_secret,
            capillary_secret,
            latency_ms: AtomicU64::new(0),
            snapshots: Mutex::default(),
        }
    }

    /// The time that each call takes from now on.
    pub(crate) fn set_latency(&self, latency: Duration) {
        self.latency_ms.store(u64::try_from(latency.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Forgets all snapshots.
    pub(crate) fn forget(&self) {
        self.snapshots.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn put_item(request: &Value) -> Answer {
        if !request["Item"]["eventId"]["S"].as_str().unwrap_or_default().starts_with(KNOWN) {
            return ok(&json!({}));
        }
        let mut known = request["Item"].clone();
        known["status"] = json!({"S": "PUBLISHED"});
        // With the caller's own it would be the caller's own row.
        known["claimId"] = json!({"S": "00000000000000000000000000000000"});
        let refusal = json!({
            "__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException",
            "Message": "The conditional request failed", "Item": known
        });
        Answer::json(StatusCode::BAD_REQUEST, &refusal)
    }

    fn batch_get_item(&self, request: &Value) -> Answer {
        let snapshots = self.snapshots.lock().unwrap_or_else(PoisonError::into_inner);
        let found = |table: &str, wanted: &Value| -> Vec<Value> {
            let keys = wanted["Keys"].as_array().into_iter().flatten();
            let keys = keys.filter(|_| table == SNAPSHOTS).filter_map(|key| key["entityKey"]["S"].as_str());
            keys.filter_map(|key| snapshots.get(key).cloned()).collect()
        };
        let tables = request["RequestItems"].as_object().into_iter().flatten();
        let responses: Map<String, Value> = tables.map(|(table, wanted)| (table.clone(), found(table, wanted).into())).collect();
        ok(&json!({"Responses": responses, "UnprocessedKeys": {}}))
    }

    fn transact_write_items(&self, request: &Value) -> Answer {
        let mut snapshots = self.snapshots.lock().unwrap_or_else(PoisonError::into_inner);
        for put in request["TransactItems"].as_array().into_iter().flatten().map(|item| &item["Put"]) {
            if let (Some(SNAPSHOTS), Some(key)) = (put["TableName"].as_str(), put["Item"]["entityKey"]["S"].as_str()) {
                snapshots.insert(key.to_owned(), put["Item"].clone());
            }
        }
        ok(&json!({}))
    }

    fn put_events(request: &Value) -> Answer {
        let entries = request["Entries"].as_array().map(Vec::len).unwrap_or_default();
        ok(&json!({"FailedEntryCount": 0, "Entries": vec![json!({"EventId": "00000000-0000-4000-8000-000000000000"}); entries]}))
    }

    fn get_secret_value(&self, request: &Value) -> Answer {
        let secret = match request["SecretId"].as_str() {
            Some(WEBHOOK_SECRET) => &self.webhook_secret,
            Some(CAPILLARY_SECRET) => &self.capillary_secret,
            _ => return unknown("ResourceNotFoundException"),
        };
        ok(&json!({"ARN": "arn", "Name": request["SecretId"], "VersionId": "1", "SecretString": secret.to_string()}))
    }
}

impl Service for Aws {
    async fn answer(&self, call: Call) -> Answer {
        let operation = call.target.rsplit('.').next().filter(|operation| !operation.is_empty());
        self.calls.count(operation.unwrap_or(NO_CALL));
        match self.latency_ms.load(Ordering::Relaxed) {
            0 => {}
            milliseconds => tokio::time::sleep(Duration::from_millis(milliseconds)).await,
        }
        let request = serde_json::from_slice(&call.body).unwrap_or_default();
        match operation {
            None => Answer::empty(StatusCode::OK),
            Some("PutItem") => Self::put_item(&request),
            Some("BatchGetItem") => self.batch_get_item(&request),
            Some("TransactWriteItems") => self.transact_write_items(&request),
            Some("UpdateItem") => ok(&json!({})),
            Some("SendMessage") => ok(&json!({"MessageId": "00000000-0000-4000-8000-000000000000", "MD5OfMessageBody": "0"})),
            Some("PutEvents") => Self::put_events(&request),
            Some("GetSecretValue") => self.get_secret_value(&request),
            Some(_) => unknown("UnknownOperationException"),
        }
    }
}

fn ok(body: &Value) -> Answer {
    Answer::json(StatusCode::OK, body)
}

fn unknown(code: &str) -> Answer {
    Answer::json(StatusCode::BAD_REQUEST, &json!({"__type": code}))
}
