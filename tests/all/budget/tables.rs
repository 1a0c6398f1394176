//! What DynamoDB bills for calls, by the sizes of the items before and after
//! (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html>).

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::meter::Units;
use crate::support::fault_proxy::Call;
use crate::support::world::{Row, World};

const WRITE_BYTES: usize = 1024;
const READ_BYTES: usize = 4096;
/// The key of the one index, which holds nothing but keys.
const INDEX_KEY: &str = "customerKey";

type Item = HashMap<String, AttributeValue>;

/// All items of a world's two tables, by table and key.
#[derive(Clone, Default)]
pub(super) struct Tables(HashMap<(&'static str, String), Item>);

impl Tables {
    /// As they are now.
    pub(super) async fn of(world: &World) -> Self {
        let rows = world.ledger_rows().await.into_iter().map(|row| ("EventsTable", row.0));
        let snapshots = world.snapshots().await.into_iter().map(|snapshot| ("SnapshotsTable", snapshot.0));
        Self(rows.chain(snapshots).map(|(table, item)| ((table, key_of(&item)), item)).collect())
    }

    /// The names of the tables that a call is about, and what it is billed. The call's writes are done here, too: `later` is what
    /// the tables hold in the end.
    pub(super) fn bill(&mut self, world: &World, call: &Call, later: &Self) -> (String, Units) {
        let body: Value = serde_json::from_str(&call.body).expect("DynamoDB speaks JSON");
        let table = |of: &Value| world.in_the_template(of["TableName"].as_str().expect("TableName"));
        match call.operation.as_str() {
            "PutItem" => (table(&body).to_owned(), self.put(table(&body), &body, call.is_done())),
            "UpdateItem" => {
                let place = (table(&body), key_of(&item(&body["Key"])));
                let after = later.0.get(&place).filter(|_| call.is_done());
                let units = written(self.0.get(&place), after.or(self.0.get(&place)));
                self.0.extend(after.cloned().map(|after| (place.clone(), after)));
                (place.0.to_owned(), units)
            }
            "TransactWriteItems" => {
                let mut tables = Vec::new();
                let mut sum = Units::new();
                for part in body["TransactItems"].as_array().expect("TransactItems") {
                    let put = part.get("Put").unwrap_or_else(|| panic!("no test knows what {part} is billed in a transaction"));
                    tables.push(table(put));
                    for (unit, count) in self.put(table(put), put, call.is_done()) {
                        // Prepared and committed. An index is written once, as outside of a transaction.
                        *sum.entry(unit.clone()).or_default() += if unit == "write" { 2 * count } else { count };
                    }
                }
                (tables.join("+"), sum)
            }
            "BatchGetItem" => {
                let mut tables: Vec<&str> = Vec::new();
                let mut units = 0;
                for (name, wanted) in body["RequestItems"].as_object().expect("RequestItems") {
                    assert_eq!(wanted["ConsistentRead"], true, "others are billed half");
                    let table = world.in_the_template(name);
                    tables.push(table);
                    let keys = wanted["Keys"].as_array().expect("Keys");
                    // What is not there is billed like the smallest that is.
                    let sizes = keys.iter().map(|key| self.0.get(&(table, key_of(&item(key)))).map_or(0, size));
                    units += sizes.map(|size| units_of(size, READ_BYTES)).sum::<u64>();
                }
                tables.sort_unstable();
                (tables.join("+"), Units::from([("read".to_owned(), units)]))
            }
            other => panic!("no test knows what {other} is billed"),
        }
    }

    fn put(&mut self, table: &'static str, put: &Value, is_done: bool) -> Units {
        let after = item(&put["Item"]);
        let place = (table, key_of(&after));
        let units = written(self.0.get(&place), Some(&after));
        if is_done {
            self.0.insert(place, after);
            return units;
        }
        // A refused one is billed by the larger of both, but no index sees it.
        units.into_iter().filter(|(unit, _)| unit == "write").collect()
    }
}

/// A write is billed by the larger of what was there and what is; the index only where its keys change: once for a new entry or
/// one that goes, twice for one that moves (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html>).
fn written(before: Option<&Item>, after: Option<&Item>) -> Units {
    let largest = before.map_or(0, size).max(after.map_or(0, size));
    let entry = |item: Option<&Item>| item.and_then(|item| item.get(INDEX_KEY)).cloned();
    let index = match (entry(before), entry(after)) {
        (before, after) if before == after => 0,
        (Some(_), Some(_)) => 2,
        _ => 1,
    };
    let units = BTreeMap::from([("write".to_owned(), units_of(largest, WRITE_BYTES)), ("indexWrite".to_owned(), index)]);
    units.into_iter().filter(|(_, count)| *count > 0).collect()
}

fn units_of(bytes: usize, unit: usize) -> u64 {
    u64::try_from(bytes.div_ceil(unit).max(1)).expect("a small number")
}

fn size(item: &Item) -> usize {
    Row(item.clone()).size()
}

/// The value of whichever key the item has.
fn key_of(item: &Item) -> String {
    let key = item.get("eventId").or_else(|| item.get("entityKey")).expect("a key of one of the two tables");
    key.as_s().expect("a text").clone()
}

/// An item as requests hold it.
pub(super) fn item(members: &Value) -> Item {
    let members = members.as_object().expect("an item");
    members.iter().map(|(name, value)| (name.clone(), attribute(value))).collect()
}

fn attribute(value: &Value) -> AttributeValue {
    let (kind, value) = value.as_object().and_then(|value| value.iter().next()).expect("a type and a value");
    let text = || value.as_str().expect("a text").to_owned();
    match kind.as_str() {
        "S" => AttributeValue::S(text()),
        "N" => AttributeValue::N(text()),
        "B" => AttributeValue::B(Blob::new(STANDARD.decode(text()).expect("base64"))),
        "BOOL" => AttributeValue::Bool(value.as_bool().expect("a truth")),
        other => panic!("no item here has a {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: usize, customer: Option<&str>) -> Item {
        let mut item = Item::from([("entityKey".to_owned(), AttributeValue::S("k".repeat(bytes - "entityKey".len())))]);
        item.extend(customer.map(|customer| (INDEX_KEY.to_owned(), AttributeValue::S(customer.to_owned()))));
        item
    }

    fn units(write: u64, index: u64) -> Units {
        let units = [("write", write), ("indexWrite", index)];
        units.into_iter().filter(|(_, count)| *count > 0).map(|(unit, count)| (unit.to_owned(), count)).collect()
    }

    #[test]
    fn writes_are_billed_by_the_larger_of_before_and_after() {
        assert_eq!(written(None, Some(&of(1024, None))), units(1, 0));
        assert_eq!(written(None, Some(&of(1025, None))), units(2, 0));
        assert_eq!(written(Some(&of(5000, None)), Some(&of(20, None))), units(5, 0));
    }

    #[test]
    fn the_index_is_billed_where_its_keys_change() {
        assert_eq!(written(None, Some(&of(20, Some("a")))), units(1, 1));
        assert_eq!(written(Some(&of(20, Some("a"))), Some(&of(30, Some("a")))), units(1, 0));
        assert_eq!(written(Some(&of(20, Some("a"))), Some(&of(20, Some("b")))), units(1, 2));
        assert_eq!(written(Some(&of(20, Some("a"))), Some(&of(20, None))), units(1, 1));
    }
}
