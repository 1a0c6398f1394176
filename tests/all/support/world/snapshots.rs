//! The snapshots of a world, read and tampered with.

use std::collections::HashMap;
use std::io::Read as _;

use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, PutRequest, ScalarAttributeType, WriteRequest,
};
use serde_json::Value;

use super::{World, number};
use crate::support::stack::Aws;

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

    /// All snapshots.
    pub(crate) async fn snapshots(&self) -> Vec<Snapshot> {
        let mut all = Vec::new();
        let mut from = None;
        loop {
            let scan = self.aws.dynamodb.scan().table_name(&self.names.snapshots_table).consistent_read(true);
            let page = scan.set_exclusive_start_key(from).send().await.expect("the snapshots are read");
            all.extend(page.items.unwrap_or_default().into_iter().map(Snapshot));
            from = page.last_evaluated_key;
            if from.is_none() {
                return all;
            }
        }
    }

    /// Puts a snapshot.
    pub(crate) async fn put_snapshot(&self, snapshot: &Snapshot) {
        let put = self.aws.dynamodb.put_item().table_name(&self.names.snapshots_table).set_item(Some(snapshot.0.clone()));
        put.send().await.expect("the snapshot is put");
    }

    /// Puts so many bills that are a customer's, each with a snapshot of its own.
    pub(crate) async fn has_bills(&self, customer_key: &str, count: u64) {
        let bill = |id: u64| {
            let text = |text: String| AttributeValue::S(text);
            let item = [
                ("entityKey", text(format!("{customer_key}'s bill {id}"))),
                ("customerKey", text(customer_key.to_owned())),
                ("version", number(id)),
            ];
            let put = PutRequest::builder().set_item(Some(item.map(|(name, value)| (name.to_owned(), value)).into())).build();
            WriteRequest::builder().put_request(put.expect("an item")).build()
        };
        for bills in (1..=count).map(bill).collect::<Vec<_>>().chunks(25) {
            let write = self.aws.dynamodb.batch_write_item();
            write.request_items(&self.names.snapshots_table, bills.to_vec()).send().await.expect("the snapshots are put");
        }
    }

    /// How many snapshots there are.
    pub(crate) async fn snapshot_count(&self) -> usize {
        self.snapshot_keys().await.len()
    }

    /// The keys of all snapshots, sorted.
    pub(crate) async fn snapshot_keys(&self) -> Vec<String> {
        let mut keys: Vec<String> = self.snapshots().await.iter().map(|snapshot| snapshot.text("entityKey").to_owned()).collect();
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

/// A table of snapshots, with what the template makes of it.
pub(crate) async fn create_table(aws: &Aws, name: &str) -> String {
    let attribute = |name| {
        AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S).build().expect("an attribute")
    };
    let key = |name| KeySchemaElement::builder().attribute_name(name).key_type(KeyType::Hash).build().expect("a key");
    let index = GlobalSecondaryIndex::builder().index_name("byCustomer").key_schema(key("customerKey"));
    let index = index.projection(Projection::builder().projection_type(ProjectionType::KeysOnly).build());
    let table = aws.dynamodb.create_table().table_name(name).billing_mode(BillingMode::PayPerRequest);
    let table = table.attribute_definitions(attribute("entityKey")).attribute_definitions(attribute("customerKey"));
    let table = table.key_schema(key("entityKey")).global_secondary_indexes(index.build().expect("an index"));
    table.send().await.expect("the table is made");
    name.to_owned()
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
