//! Forgets what is a customer's: the index of the snapshots table tells what that is.

use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::{
    Client,
    types::{DeleteRequest, WriteRequest},
};

use super::{
    boxed,
    ledger::{Item, text},
    port_error, port_error_invalid,
    snapshots::CUSTOMER_KEY,
};
use crate::{
    ports::{Forgotten, PortError},
    snapshot::Key,
};

/// The index of snapshots by the customers whose they are; it has the keys, and nothing else.
const INDEX: &str = "byCustomer";
const QUERY: &str = "DynamoDB.Query";
const DELETE: &str = "DynamoDB.BatchWriteItem";
/// So many items are forgotten at once; an event goes on with the others when its message comes again.
const MOST: usize = 500;
/// The most items in one answer of the index.
const PAGE: i32 = 100;
/// The most items in one call that deletes: <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html>.
const MAX_DELETES: usize = 25;

/// Deletes the snapshots that are a customer's, page by page.
///
/// Deleting asks for nothing: what went to somebody else meanwhile begins anew there, as whatever is not remembered does.
pub(super) async fn forget(client: &Client, table: &str, customer: &Key) -> Result<Forgotten, PortError> {
    let mut forgotten = 0;
    let mut from: Option<Item> = None;
    loop {
        let query = client
            .query()
            .table_name(table)
            .index_name(INDEX)
            .key_condition_expression(format!("{CUSTOMER_KEY} = :customer"))
            .expression_attribute_values(":customer", text(customer.as_str()))
            .limit(PAGE)
            .set_exclusive_start_key(from);
        let answer = boxed(query.send()).await.map_err(|error| port_error(QUERY, &error))?;
        let items = answer.items.unwrap_or_default();
        let keys: Vec<Item> = items.iter().filter_map(|item| item.get_key_value("entityKey")).map(only).collect();
        for keys in keys.chunks(MAX_DELETES) {
            delete(client, table, keys).await?;
        }
        forgotten += keys.len();
        from = answer.last_evaluated_key;
        match &from {
            None => return Ok(Forgotten::All),
            Some(_) if forgotten >= MOST => return Ok(Forgotten::InPart),
            Some(_) => {}
        }
    }
}

fn only((name, value): (&String, &aws_sdk_dynamodb::types::AttributeValue)) -> Item {
    Item::from([(name.clone(), value.clone())])
}

async fn delete(client: &Client, table: &str, keys: &[Item]) -> Result<(), PortError> {
    let invalid = |_| port_error_invalid(DELETE, "Construction");
    let mut requests = Vec::new();
    for key in keys {
        let delete = DeleteRequest::builder().set_key(Some(key.clone())).build().map_err(invalid)?;
        requests.push(WriteRequest::builder().delete_request(delete).build());
    }
    let mut pending = HashMap::from([(table.to_owned(), requests)]);
    // A call may do a part of it.
    for wait_ms in [0, 50, 200, 800] {
        tokio::time::sleep(Duration::from_millis(wait_ms)).await;
        let answer = boxed(client.batch_write_item().set_request_items(Some(pending)).send()).await;
        pending = answer.map_err(|error| port_error(DELETE, &error))?.unprocessed_items.unwrap_or_default();
        if pending.is_empty() {
            return Ok(());
        }
    }
    Err(PortError::Unavailable { call: DELETE, cause: "UnprocessedItems".to_owned() })
}
