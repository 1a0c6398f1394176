//! The snapshots of a world, read and tampered with.

use std::collections::HashMap;
use std::io::Read as _;

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::Value;

use super::{World, number};

/// An item of the snapshots table.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot(pub(crate) HashMap<String, AttributeValue>);

impl World {
    /// The snapshot under a key, `<orgId>#<type>#<id>`.
    pub(crate) async fn snapshot(&self, key: &str) -> Option<Snapshot> {
        let get = self.aws.dynamodb.get_item().table_name(&self.names.snapshots_table).consistent_read(true);
        let answer = get.key("entityKey", AttributeValue::S(key.into())).send().await.expect("the snapshot is read");
        answer.item.map(Snapshot)
    }

    /// How many snapshots there are.
    pub(crate) async fn snapshot_count(&self) -> usize {
        self.snapshot_keys().await.len()
    }

    /// The keys of all snapshots, sorted.
    pub(crate) async fn snapshot_keys(&self) -> Vec<String> {
        let scan = self.aws.dynamodb.scan().table_name(&self.names.snapshots_table).consistent_read(true);
        let items = scan.send().await.expect("the snapshots are read").items.unwrap_or_default();
        let mut keys: Vec<String> = items.into_iter().map(|item| Snapshot(item).text("entityKey").to_owned()).collect();
        keys.sort();
        keys
    }

    /// Lets so many seconds pass since a state was seen.
    pub(crate) async fn was_seen_before(&self, key: &str, seconds: u64) {
        let update = self.aws.dynamodb.update_item().table_name(&self.names.snapshots_table);
        let update =
            update.key("entityKey", AttributeValue::S(key.into())).update_expression("SET observedAt = observedAt - :ms");
        let update = update.expression_attribute_values(":ms", number(seconds * 1000));
        update.send().await.expect("the snapshot is changed");
    }

    /// Deletes a snapshot, as DynamoDB does some time after its expiry.
    pub(crate) async fn delete_snapshot(&self, key: &str) {
        let delete = self.aws.dynamodb.delete_item().table_name(&self.names.snapshots_table);
        delete.key("entityKey", AttributeValue::S(key.into())).send().await.expect("the snapshot is deleted");
    }
}

impl Snapshot {
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(crate) fn text(&self, name: &str) -> &str {
        self.0[name].as_s().unwrap_or_else(|value| panic!("{name} is no string: {value:?}"))
    }

    /// A number that stands in the table without fraction or exponent.
    pub(crate) fn number(&self, name: &str) -> u64 {
        let digits = self.0[name].as_n().unwrap_or_else(|value| panic!("{name} is no number: {value:?}"));
        digits.parse().unwrap_or_else(|error| panic!("{name} is {digits}: {error}"))
    }

    pub(crate) fn version(&self) -> u64 {
        self.number("version")
    }

    /// The body as it was answered, to the letter.
    pub(crate) fn body_text(&self) -> String {
        let compressed = self.0["body"].as_b().expect("the body is binary").as_ref();
        let mut text = String::new();
        flate2::read::GzDecoder::new(compressed).read_to_string(&mut text).expect("gzip");
        text
    }

    pub(crate) fn body(&self) -> Value {
        serde_json::from_str(&self.body_text()).expect("the body is JSON")
    }

    pub(crate) fn is_tombstone(&self) -> bool {
        self.0.get("deleted").is_some_and(|deleted| *deleted == AttributeValue::Bool(true))
    }
}
