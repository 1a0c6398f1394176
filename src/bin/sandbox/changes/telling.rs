//! What a patch is told as, kind by kind: its event and its audit rows.

use serde_json::Value;

use super::{Telling, tell};
use crate::audit_rows::Row;
use crate::conduct::Tells;
use crate::difference;
use crate::event_data::{self, cards, groups};
use crate::events::Occasion;
use crate::keys::Key;
use crate::state::{Sandbox, World};

/// From one state to the next.
pub(super) struct Step<'a> {
    pub(super) before: &'a Value,
    pub(super) after: &'a Value,
    /// Whether it was spoken of before.
    pub(super) is_known: bool,
    pub(super) occasion: &'a Occasion,
    pub(super) choice: Telling<'a>,
}

/// Returns the id of the event, if there is one.
pub(super) fn tell_patch(sandbox: &Sandbox, world: &mut World, key: &Key, step: &Step) -> Option<String> {
    match key {
        Key::Customer(id) => customer(world, *id, step),
        Key::Transaction(id) => transaction(sandbox, world, *id, step),
        Key::Card(_) => card(world, step),
        Key::Group(id) => group(sandbox, world, *id, step),
        Key::Coupon(_) | Key::LedgerEntry(_) => None,
    }
}

fn customer(world: &mut World, id: u64, step: &Step) -> Option<String> {
    let name = step.choice.name(Some(if step.is_known { "customerUpdated" } else { "customerAdded" }));
    let is_added = name.map_or(!step.is_known, |name| name == "customerAdded");
    let differences = difference::between(if is_added { &Value::Null } else { step.before }, step.after);
    world.audits.extend(Row::of_customer(world.conduct.org_id, id, step.occasion, &differences));
    let told = if world.conduct.tells == Tells::UpdatedFields { differences.as_slice() } else { &[] };
    let data = match name {
        Some("customerUpdated") => event_data::customer_updated(step.after, step.occasion.at, told),
        _ => event_data::customer(step.after, step.occasion.at),
    };
    tell(world, name?, &id.to_string(), step.occasion, &data)
}

fn transaction(sandbox: &Sandbox, world: &mut World, id: u64, step: &Step) -> Option<String> {
    let usual = if step.is_known { "transactionUpdated" } else { first_telling(step.after) };
    let name = step.choice.name(Some(usual))?;
    let customer = named_customer(sandbox, world, step.after, "customerId");
    let data = match name {
        "transactionUpdated" => event_data::transaction_updated(step.after, &customer, step.occasion.at),
        _ => event_data::transaction(step.after, &customer, step.occasion.at),
    };
    tell(world, name, &id.to_string(), step.occasion, &data)
}

/// Only its status and its fields are told of.
fn card(world: &mut World, step: &Step) -> Option<String> {
    let differences = difference::between_cards(step.before, step.after);
    let id = step.after.get("id").and_then(Value::as_u64).unwrap_or_default();
    let states = [step.before, step.after];
    world.audits.extend(Row::of_card(world.conduct.org_id, id, step.occasion, states, &differences));
    let name = step.choice.name((!differences.is_empty()).then_some("cardUpdated"))?;
    tell(world, name, &id.to_string(), step.occasion, &cards::updated(step.before, step.after))
}

fn group(sandbox: &Sandbox, world: &mut World, id: u64, step: &Step) -> Option<String> {
    let name = step.choice.name(Some("groupUpdated"))?;
    let member = named_customer(sandbox, world, step.after, "primaryMemberId");
    tell(world, name, &id.to_string(), step.occasion, &groups::group(step.after, &member, step.occasion.at))
}

/// The customer whose id stands in a body; null where none does.
fn named_customer(sandbox: &Sandbox, world: &World, body: &Value, member: &str) -> Value {
    let id = body.get(member).and_then(Value::as_u64);
    id.map(|id| world.now(sandbox, &Key::Customer(id)).body).unwrap_or_default()
}

/// Purchases of people outside the loyalty program have an event of their own.
fn first_telling(transaction: &Value) -> &'static str {
    match transaction.get("type").and_then(Value::as_str) {
        Some("NOT_INTERESTED" | "NOT_INTERESTED_RETURN") => "notInterestedBillAdded",
        _ => "transactionAdded",
    }
}
