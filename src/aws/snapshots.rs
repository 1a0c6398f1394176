//! Snapshots as items of their table.

use std::sync::Arc;

use aws_sdk_dynamodb::{
    primitives::Blob,
    types::{AttributeValue, Put},
};
use serde_json::value::RawValue;

use super::{
    ledger::{Item, integer, number, text},
    port_error_invalid,
};
use crate::{
    message::{gunzip, gzip},
    ports::{Move, PortError},
    snapshot::{Gone, Key, Snapshot, State},
    stamp::Stamp,
};

const FORMAT_VERSION: i64 = 1;
/// What an item holds at most is 400 KB, with its names; larger bodies are not kept.
const MAX_BODY_BYTES: usize = 350_000;
/// What all items of a transaction hold at most is 4 MB, with the event's.
const MAX_BODIES_BYTES: usize = 3_500_000;
/// The attribute with the key of the customer whose it is.
pub(super) const CUSTOMER_KEY: &str = "customerKey";
/// The word for somebody merged away, beside `deleted`.
const MERGED: &str = "merged";

/// The put of each snapshot that moves (X2): as it was read, or not there as it was not.
pub(super) fn puts(table: &str, moves: &[Move]) -> Result<Vec<Put>, PortError> {
    let most = MAX_BODY_BYTES.min(MAX_BODIES_BYTES / moves.len().max(1));
    moves
        .iter()
        .map(|step| {
            let put = Put::builder().table_name(table).set_item(Some(item(step, most)));
            let put = match step.read_version {
                None => put.condition_expression("attribute_not_exists(entityKey)"),
                Some(version) => {
                    put.condition_expression("version = :read").expression_attribute_values(":read", number(version))
                }
            };
            put.build().map_err(|_| port_error_invalid("DynamoDB.TransactWriteItems", "Construction"))
        })
        .collect()
}

fn item(step: &Move, max_body_bytes: usize) -> Item {
    let mut item = Item::from([
        ("entityKey".to_owned(), text(step.key.as_str())),
        ("v".to_owned(), number(FORMAT_VERSION)),
        ("version".to_owned(), number(step.next.version)),
        ("observedAt".to_owned(), number(step.next.observed_at_ms)),
        ("expiresAt".to_owned(), number(step.expires_at_s)),
    ]);
    if let Some(stamp) = &step.next.stamp {
        item.insert("stamp".to_owned(), text(&stamp.to_string()));
    }
    if let Some(customer) = &step.next.customer {
        item.insert(CUSTOMER_KEY.to_owned(), text(customer.as_str()));
    }
    match &step.next.state {
        State::Body(body) => {
            let body = gzip(body.get().as_bytes());
            if body.len() <= max_body_bytes {
                item.insert("body".to_owned(), AttributeValue::B(Blob::new(body)));
            }
        }
        State::TooLarge => {}
        State::Gone(gone) => {
            item.insert("deleted".to_owned(), AttributeValue::Bool(true));
            if *gone == Gone::Merged {
                item.insert("reason".to_owned(), text(MERGED));
            }
        }
    }
    item
}

/// A snapshot from its item.
pub(super) fn snapshot(item: &Item) -> Snapshot {
    let body = item.get("body").and_then(|body| body.as_b().ok());
    let body = body.and_then(|body| RawValue::from_string(String::from_utf8(gunzip(body.as_ref()).ok()?).ok()?).ok());
    let is_gone = item.get("deleted").and_then(|deleted| deleted.as_bool().ok()).copied().unwrap_or_default();
    let is_merged = item.get("reason").and_then(|reason| reason.as_s().ok()).is_some_and(|reason| reason == MERGED);
    Snapshot {
        // Without one it can't be moved, since the condition compares with it; that is then the affair of its events alone.
        version: integer(item, "version").unwrap_or_default(),
        stamp: item.get("stamp").and_then(|stamp| Stamp::parse(stamp.as_s().ok()?)),
        observed_at_ms: integer(item, "observedAt").unwrap_or_default(),
        customer: item.get(CUSTOMER_KEY).and_then(|key| key.as_s().ok()).map(|key| Key::from(key.clone())),
        state: match body {
            _ if is_gone => State::Gone(if is_merged { Gone::Merged } else { Gone::Deleted }),
            Some(body) => State::Body(Arc::from(body)),
            None => State::TooLarge,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entity::Kind;

    fn step(state: State) -> Move {
        let stamp = Stamp::parse("2025-02-06T11:59:27Z");
        let customer = Some(Key::new(Some(9240), Kind::Customer, "8"));
        let next = Snapshot { version: 8, stamp, observed_at_ms: 5, customer, state };
        Move { key: Key::new(Some(9240), Kind::Customer, "7"), read_version: Some(7), next, expires_at_s: 9 }
    }

    fn body(text: &str) -> State {
        State::Body(Arc::from(RawValue::from_string(text.to_owned()).unwrap()))
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        for state in [body(r#"{"id":7, "p":1.10}"#), State::TooLarge, State::Gone(Gone::Deleted), State::Gone(Gone::Merged)] {
            let item = item(&step(state.clone()), MAX_BODY_BYTES);
            assert_eq!(item["entityKey"], text("9240#customer#7"));
            assert_eq!(item.contains_key("deleted"), matches!(state, State::Gone(_)));
            let read = snapshot(&item);
            assert_eq!((&item["customerKey"], read.customer), (&text("9240#customer#8"), step(state.clone()).next.customer));
            assert_eq!((read.version, read.observed_at_ms, read.stamp), (8, 5, Stamp::parse("2025-02-06T11:59:27Z")));
            match (&read.state, &state) {
                (State::Body(read), State::Body(written)) => assert_eq!(read.get(), written.get()),
                (read, written) => assert_eq!(format!("{read:?}"), format!("{written:?}")),
            }
        }
    }

    #[test]
    fn a_body_that_no_item_holds_is_not_kept() {
        let mut random = fastrand::Rng::with_seed(1);
        let noise: String = (0..600_000).map(|_| random.alphanumeric()).collect();
        let item = item(&step(body(&format!("\"{noise}\""))), MAX_BODY_BYTES);
        assert!(matches!(snapshot(&item).state, State::TooLarge));
    }
}
