//! Changes of customers and transactions, each one together with its audit rows and its event, under one lock: nobody
//! sees the one without the other.

use serde_json::{Value, json};

use crate::answers::{merge, stamp};
use crate::audits::Row;
use crate::difference::{self, Difference, Kind};
use crate::entities::{EntityState, Standing, StandingName};
use crate::event_data;
use crate::events::{Event, Occasion};
use crate::state::{Sandbox, World};
use crate::webhook::Tells;

/// What a change led to.
pub(crate) struct Change {
    /// The entity as it is now.
    pub(crate) entity: Value,
    pub(crate) request_id: String,
    /// None where no event was made.
    pub(crate) event_id: Option<String>,
}

/// The event that is to tell of a change, where it shall be another than usual.
#[derive(Clone, Copy)]
pub(crate) enum Telling<'a> {
    AsUsual,
    Nothing,
    By(&'a str),
}

impl<'a> Telling<'a> {
    pub(crate) fn chosen(name: Option<&'a str>) -> Self {
        match name {
            None => Self::AsUsual,
            Some("none") => Self::Nothing,
            Some(name) => Self::By(name),
        }
    }

    fn name(self, usual: &'a str) -> Option<&'a str> {
        match self {
            Self::AsUsual => Some(usual),
            Self::Nothing => None,
            Self::By(name) => Some(name),
        }
    }
}

pub(crate) fn patch_customer(sandbox: &Sandbox, id: u64, patch: &Value, telling: Telling) -> Change {
    sandbox.change(|world| {
        let before = world.customer(sandbox, id);
        let body = patched(&before.body, patch);
        let is_known = world.customers.hear_of(id);
        let name = telling.name(if is_known { "customerUpdated" } else { "customerAdded" });
        let is_added = name.map_or(!is_known, |name| name == "customerAdded");
        let nothing_before = Value::Null;
        let differences = difference::between(if is_added { &nothing_before } else { &before.body }, &body);
        world.customers.become_so(id, EntityState { body: body.clone(), standing: before.standing });

        let occasion = Occasion::api_call();
        world.audits.extend(Row::of_differences(world.webhook.org_id, id, &occasion, &differences));
        let told = if world.webhook.tells == Tells::UpdatedFields { differences.as_slice() } else { &[] };
        let data = match name {
            Some("customerUpdated") => event_data::customer_updated(&body, occasion.at, told),
            _ => event_data::customer(&body, occasion.at),
        };
        let event_id = name.and_then(|name| tell(world, name, &id.to_string(), &occasion, &data));
        Change { entity: body, request_id: occasion.request_id, event_id }
    })
}

pub(crate) fn patch_transaction(sandbox: &Sandbox, id: u64, patch: &Value, telling: Telling) -> Change {
    sandbox.change(|world| {
        let before = world.transaction(sandbox, id);
        let body = patched(&before.body, patch);
        let is_known = world.transactions.hear_of(id);
        world.transactions.become_so(id, EntityState { body: body.clone(), standing: before.standing });

        let occasion = Occasion::api_call();
        let name = telling.name(if is_known { "transactionUpdated" } else { first_telling(&body) });
        let customer = match body.get("customerId").and_then(Value::as_u64) {
            Some(customer) => world.customer(sandbox, customer).body,
            None => Value::Null,
        };
        let data = match name {
            Some("transactionUpdated") => event_data::transaction_updated(&body, &customer, occasion.at),
            _ => event_data::transaction(&body, &customer, occasion.at),
        };
        let event_id = name.and_then(|name| tell(world, name, &id.to_string(), &occasion, &data));
        Change { entity: body, request_id: occasion.request_id, event_id }
    })
}

/// The victim is merged away; the survivor gets those of her identifiers of which he has none. Answers the survivor.
pub(crate) fn merge_customers(sandbox: &Sandbox, victim: u64, survivor: u64, standing: Standing) -> Change {
    sandbox.change(|world| {
        let (lost, kept) = (world.customer(sandbox, victim), world.customer(sandbox, survivor));
        let body = with_identifiers_of(&kept.body, &lost.body);
        let taken = taken_identifiers(&kept.body, &body);
        for id in [victim, survivor] {
            world.customers.hear_of(id);
        }
        world.customers.become_so(victim, EntityState { body: lost.body.clone(), standing });
        world.customers.become_so(survivor, EntityState { body: body.clone(), standing: kept.standing });

        let occasion = Occasion::api_call();
        world.audits.push(Row::of_merge(world.webhook.org_id, survivor, &occasion, [&lost.body, &kept.body], &taken));
        let data = event_data::customers_merged(&lost.body, &body);
        let event_id = tell(world, "loyaltyCustomerMerge", &occasion.request_id, &occasion, &data);
        Change { entity: body, request_id: occasion.request_id, event_id }
    })
}

/// As after a request for deletion of personal data: a job does it, so that there is no request id.
pub(crate) fn delete_customer(sandbox: &Sandbox, id: u64) -> Change {
    sandbox.change(|world| {
        let EntityState { body, .. } = world.customer(sandbox, id);
        world.customers.hear_of(id);
        world.customers.become_so(id, EntityState { body: body.clone(), standing: Standing::of(StandingName::Deleted) });
        let occasion = Occasion::without_call();
        world.audits.push(Row::of_deletion(world.webhook.org_id, id, &occasion));
        let data = event_data::customer_deleted(&body, occasion.at);
        let event_id = tell(world, "customerUpdated", &id.to_string(), &occasion, &data);
        Change { entity: body, request_id: occasion.request_id, event_id }
    })
}

/// Queues the event and returns its id. Without a webhook nobody is told, neither now nor later.
fn tell(world: &mut World, name: &str, subject: &str, occasion: &Occasion, data: &Value) -> Option<String> {
    world.webhook.url.as_ref()?;
    let event = Event::new(&world.webhook, name, subject, occasion, data);
    let id = event.id.clone();
    world.deliveries.enqueue(event);
    id
}

fn patched(before: &Value, patch: &Value) -> Value {
    let mut body = before.clone();
    merge(&mut body, patch);
    stamp(&mut body, patch);
    body
}

/// Purchases of people outside the loyalty program have an event of their own.
fn first_telling(transaction: &Value) -> &'static str {
    match transaction.get("type").and_then(Value::as_str) {
        Some("NOT_INTERESTED" | "NOT_INTERESTED_RETURN") => "notInterestedBillAdded",
        _ => "transactionAdded",
    }
}

fn with_identifiers_of(survivor: &Value, victim: &Value) -> Value {
    const PLACE: &str = "/profiles/0/identifiersAll";
    let mut body = survivor.clone();
    let theirs = victim.pointer(PLACE).and_then(Value::as_array).cloned().unwrap_or_default();
    if let Some(own) = body.pointer_mut(PLACE).and_then(Value::as_array_mut) {
        let is_new = |identifier: &Value, own: &[Value]| !own.iter().any(|known| known.get("type") == identifier.get("type"));
        for identifier in theirs {
            if is_new(&identifier, own) {
                own.push(identifier);
            }
        }
    }
    stamp(&mut body, &json!({}));
    body
}

fn taken_identifiers(before: &Value, after: &Value) -> Vec<Difference> {
    difference::between(before, after).into_iter().filter(|difference| difference.kind == Kind::Identifier).collect()
}
