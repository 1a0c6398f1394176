//! Which entities stand behind which event, and where their ids are. One table.

use crate::{
    entity::{EntityRef, Kind, TransactionType},
    event::Event,
};

/// Where to find an id: member names from the event downwards.
type Path = &'static [&'static str];

const CUSTOMER: Path = &["data", "customerIdentifiers", "customerId"];
/// Of a request to delete somebody's data (facts 1.7).
const REQUESTING_CUSTOMER: Path = &["customerId"];
const SURVIVOR: Path = &["data", "survivorCustomerIdentifiers", "customerId"];
const VICTIM: Path = &["data", "victimCustomerIdentifiers", "customerId"];
const TRANSACTION: Path = &["data", "transactionId"];
const BILL_TYPE: Path = &["data", "billType"];

/// Where an entity's id stands.
#[derive(Debug, Clone, Copy)]
enum Lookup {
    /// The customer at a path.
    Customer(Path),
    /// The transaction at a path, of the type that the event's `billType` tells.
    Transaction(Path),
}

/// Event name in lower case, and what to fetch for it: first what the event is about.
const ROUTES: [(&str, &[Lookup]); 4] = [
    ("loyaltycustomermerge", &[Lookup::Customer(SURVIVOR), Lookup::Customer(VICTIM)]),
    ("requestupdated", &[Lookup::Customer(CUSTOMER), Lookup::Customer(REQUESTING_CUSTOMER)]),
    ("transactionadded", &[Lookup::Transaction(TRANSACTION), Lookup::Customer(CUSTOMER)]),
    ("transactionupdated", &[Lookup::Transaction(TRANSACTION), Lookup::Customer(CUSTOMER)]),
];

/// Every other event brings the customer that it names, if it names one.
const ELSE: &[Lookup] = &[Lookup::Customer(CUSTOMER)];

/// The entities behind an event, each once, first what it is about; none for an event that names none.
pub fn entities(event: &Event<'_>) -> Vec<EntityRef> {
    let name = event.name().unwrap_or_default().to_lowercase();
    let lookups = ROUTES.iter().find(|(known, _)| *known == name).map_or(ELSE, |(_, lookups)| *lookups);
    let mut found: Vec<EntityRef> = Vec::new();
    for entity in lookups.iter().filter_map(|lookup| lookup.find(event)) {
        if !found.contains(&entity) {
            found.push(entity);
        }
    }
    found
}

impl Lookup {
    fn find(self, event: &Event<'_>) -> Option<EntityRef> {
        match self {
            Self::Customer(path) => Some(EntityRef { kind: Kind::Customer, id: event.id_at(path)?, types: &[] }),
            Self::Transaction(path) => {
                Some(EntityRef { kind: Kind::Transaction, id: event.id_at(path)?, types: transaction_types(event) })
            }
        }
    }
}

/// A mixed bill is a sale and a return in one; under which type it is found is not documented, so both are tried.
fn transaction_types(event: &Event<'_>) -> &'static [TransactionType] {
    match event.text_at(BILL_TYPE).unwrap_or_default().to_uppercase().as_str() {
        "RETURN" => &[TransactionType::Return],
        "MIXED" => &[TransactionType::Regular, TransactionType::Return],
        "NOT_INTERESTED" => &[TransactionType::NotInterested],
        "NOT_INTERESTED_RETURN" => &[TransactionType::NotInterestedReturn],
        _ => &[TransactionType::Regular],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subjects(body: &str) -> Vec<String> {
        entities(&Event::parse(body.as_bytes()).unwrap()).iter().map(EntityRef::subject).collect()
    }

    #[test]
    fn a_transaction_event_brings_the_transaction_and_then_its_customer() {
        for name in ["transactionAdded", "TransactionUpdated"] {
            let body =
                format!(r#"{{"eventName":"{name}","data":{{"transactionId":7,"customerIdentifiers":{{"customerId":9}}}}}}"#);
            assert_eq!(subjects(&body), ["transaction/7", "customer/9"]);
        }
        assert_eq!(
            subjects(r#"{"eventName":"transactionAdded","data":{"transactionId":7,"customerIdentifiers":{}}}"#),
            ["transaction/7"]
        );
    }

    #[test]
    fn a_merge_brings_both_customers_and_a_request_the_one_that_it_is_about() {
        let merge = r#"{"eventName":"loyaltyCustomerMerge","data":{"survivorCustomerIdentifiers":{"customerId":1},"victimCustomerIdentifiers":{"customerId":2}}}"#;
        assert_eq!(subjects(merge), ["customer/1", "customer/2"]);
        assert_eq!(subjects(r#"{"eventName":"requestUpdated","customerId":7,"data":{"requestId":"x"}}"#), ["customer/7"]);
    }

    #[test]
    fn other_events_bring_the_customer_that_they_name() {
        assert_eq!(subjects(r#"{"eventName":"pointsIssued","data":{"customerIdentifiers":{"customerId":"9"}}}"#), ["customer/9"]);
        assert_eq!(subjects(r#"{"eventName":"neverHeardOf","data":{"customerIdentifiers":{"customerId":9}}}"#), ["customer/9"]);
        assert!(subjects(r#"{"eventName":"promotionCreated","data":{"promotionId":1}}"#).is_empty());
        assert!(subjects(r#"{"eventName":"customerAdded"}"#).is_empty());
        assert!(subjects("{}").is_empty());
    }

    #[test]
    fn the_bill_type_tells_where_to_look() {
        let types = |bill_type: &str| {
            let body = format!(r#"{{"eventName":"transactionAdded","data":{{"transactionId":7,"billType":"{bill_type}"}}}}"#);
            entities(&Event::parse(body.as_bytes()).unwrap()).remove(0).types
        };
        assert_eq!(types("REGULAR"), [TransactionType::Regular]);
        assert_eq!(types("return"), [TransactionType::Return]);
        assert_eq!(types("MIXED"), [TransactionType::Regular, TransactionType::Return]);
        assert_eq!(types(""), [TransactionType::Regular]);
    }
}
