//! Which entities stand behind which event, and where their ids are. One table.

pub mod catalogue;
mod table;

use std::collections::HashSet;

use serde_json::value::RawValue;

use crate::{
    entity::{By, EntityRef, Kind, TransactionType},
    event::{self, Event},
};

/// Where to find something: member names from the event downwards, separated by `/`; `*` is each element of an array.
type Path = &'static str;

/// Which types a transaction may have, by the event's `data.billType`: likeliest first. The second part is for any other word.
type Bills = (&'static [(&'static str, &'static [TransactionType])], &'static [TransactionType]);

/// Where the entities of an event stand.
#[derive(Debug, Clone, Copy)]
enum Lookup {
    /// Customers by their ids.
    Customer(Path),
    /// The customer of an object `{entityType: "USER", entityId}`.
    User(Path),
    /// Of an object `{identifierName: "id", identifierValue}` the customer.
    IdentifiedCustomer(Path),
    /// A group by its id.
    Group(Path),
    /// The group of an object `{entityType: "USERGROUP2", entityId}`.
    UserGroup(Path),
    /// Transactions by their ids, with the types to try.
    Transaction(Path, Bills),
    /// A card by its number, and through it its customer.
    Card(Path),
    /// Coupons: objects with `id` and `code`.
    Coupon(Path),
    /// Entries of the points ledger by `eventLogId`: of the points of the first customer before it, or else of the first group.
    PointsLedger(Path),
    /// The first of these that leads to anything.
    FirstOf(&'static [Lookup]),
}

/// What stands behind an event.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Behind {
    /// The entities that it names, each once, first what it is about.
    pub entities: Vec<EntityRef>,
    /// A card that it names: with the number for an id, since events don't tell the id. It goes before the entities, and leads to one more.
    pub card: Option<EntityRef>,
}

/// What stands behind an event; nothing for one whose name is not in the table, or that names nothing.
pub fn behind(event: &Event<'_>) -> Behind {
    let name = event.name().unwrap_or_default().to_lowercase();
    let mut behind = Behind::default();
    let mut seen = HashSet::new();
    for lookup in table::ROUTES.iter().find(|(names, _)| names.contains(&name.as_str())).map_or(&[][..], |(_, lookups)| lookups) {
        for mut entity in lookup.find(event) {
            if entity.kind == Kind::PointsLedger {
                let first = |kind| behind.entities.iter().find(|known| known.kind == kind);
                let owner = first(Kind::Customer).or_else(|| first(Kind::Group));
                entity.by = owner.map_or(By::Id, |owner| By::Owner(owner.kind, owner.id.clone()));
            }
            if entity.kind == Kind::Card {
                behind.card = Some(entity);
            } else if seen.insert((entity.kind, entity.id.clone())) {
                behind.entities.push(entity);
            }
        }
    }
    behind
}

/// The entity that another one leads to: a card to its customer.
pub fn leads_to(kind: Kind, body: &RawValue) -> Option<EntityRef> {
    match kind {
        Kind::Card => belongs_to(kind, body).map(customer),
        _ => None,
    }
}

/// The id of the customer whose an entity is, as its body says: what is remembered of it is forgotten with her. A group is its first
/// member's, whose name and addresses it bears.
pub fn belongs_to(kind: Kind, body: &RawValue) -> Option<String> {
    let id_of = |object: &RawValue, names: &[&str]| {
        names.iter().filter_map(|name| event::member(object, name)).filter_map(event::id).next()
    };
    match kind {
        Kind::Customer | Kind::PointsLedger => None,
        Kind::Card | Kind::Transaction => id_of(body, &["customerId"]),
        Kind::Coupon => id_of(body, &["issuedTo", "customerId"])
            .or_else(|| event::member(body, "customer").and_then(|customer| id_of(customer, &["id"]))),
        Kind::Group => id_of(body, &["primaryMemberId"]).or_else(|| {
            let members = event::member(body, "fleetGroupUsers").map(event::elements).unwrap_or_default();
            let is_first = |member: &&&RawValue| event::member(member, "primaryMember").is_some_and(|flag| flag.get() == "true");
            members.iter().find(is_first).and_then(|first| id_of(first, &["userId"]))
        }),
    }
}

fn customer(id: String) -> EntityRef {
    EntityRef { kind: Kind::Customer, id, by: By::Id }
}

impl Lookup {
    fn find(self, event: &Event<'_>) -> Vec<EntityRef> {
        let ids = |path| event.values_at(path).into_iter().filter_map(event::id);
        let is = |object: &RawValue, member: &str, words: &[&str]| {
            event::member(object, member)
                .and_then(event::text)
                .is_some_and(|found| words.iter().any(|word| found.eq_ignore_ascii_case(word)))
        };
        let id_in = |object, member| event::member(object, member).and_then(event::id);
        match self {
            Self::Customer(path) => ids(path).map(customer).collect(),
            Self::User(path) => {
                let users = event.values_at(path).into_iter().filter(|object| is(object, "entityType", &["USER"]));
                users.filter_map(|object| id_in(object, "entityId")).map(customer).collect()
            }
            Self::IdentifiedCustomer(path) => {
                let by_id = event
                    .values_at(path)
                    .into_iter()
                    .filter(|object| is(object, "identifierName", &["id", "customerId", "userId"]));
                by_id.filter_map(|object| id_in(object, "identifierValue")).map(customer).collect()
            }
            Self::Group(path) => ids(path).map(|id| EntityRef { kind: Kind::Group, id, by: By::Id }).collect(),
            Self::UserGroup(path) => {
                let groups = event.values_at(path).into_iter().filter(|object| is(object, "entityType", &["USERGROUP2"]));
                let ids = groups.filter_map(|object| id_in(object, "entityId"));
                ids.map(|id| EntityRef { kind: Kind::Group, id, by: By::Id }).collect()
            }
            Self::Transaction(path, bills) => {
                let by = By::Types(types(event, bills).to_vec());
                ids(path).map(|id| EntityRef { kind: Kind::Transaction, id, by: by.clone() }).collect()
            }
            Self::Card(path) => {
                let numbers = event.values_at(path).into_iter().filter_map(event::word);
                numbers.map(|number| EntityRef { kind: Kind::Card, id: number.clone(), by: By::NumberOnly(number) }).collect()
            }
            Self::Coupon(path) => {
                let redeemer = ids("data/customerIdentifiers/customerId").next();
                let coupon = |object| {
                    let code = event::member(object, "code").and_then(event::word);
                    let customer = event::member(object, "customerIdentifiers");
                    let customer_id = customer.and_then(|customer| id_in(customer, "customerId")).or_else(|| redeemer.clone());
                    Some(EntityRef { kind: Kind::Coupon, id: id_in(object, "id")?, by: By::Code { code, customer_id } })
                };
                event.values_at(path).into_iter().filter_map(coupon).collect()
            }
            Self::PointsLedger(path) => ids(path).map(|id| EntityRef { kind: Kind::PointsLedger, id, by: By::Id }).collect(),
            Self::FirstOf(lookups) => {
                lookups.iter().map(|lookup| lookup.find(event)).find(|found| !found.is_empty()).unwrap_or_default()
            }
        }
    }
}

fn types(event: &Event<'_>, (bills, others): Bills) -> &'static [TransactionType] {
    let bill_type = event.text_at(&["data", "billType"]).unwrap_or_default();
    bills.iter().find(|(word, _)| bill_type.trim().eq_ignore_ascii_case(word)).map_or(others, |(_, types)| types)
}

#[cfg(test)]
mod tests;
