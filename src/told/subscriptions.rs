//! `customerSubscription`: which channels a customer opted into and out of (facts 2.1), and where she shows them (`embed=subscriptions`).

use serde_json::Value;

use super::{
    FieldKind, Told, elements,
    events::{list, member},
};
use crate::{
    change::{Change, Op},
    entity::Kind,
    event::Event,
};

const SUBSCRIPTIONS: &str = "/subscriptionInfo/subscriptions";
/// The member with the status.
const STATUS: &str = "type";
/// Names in the event, and in an element of the list.
const ELEMENT: [(&str, &str); 4] =
    [("priority", "priority"), ("sourceName", "sourceName"), ("sourceAccountId", "accountId"), ("ouId", "orgUnitId")];

/// What a `customerSubscription` tells: the status of each channel that it names.
pub(super) fn told(event: &Event<'_>) -> Vec<Told> {
    let told = |subscription: &Value| {
        // An empty text stands for no source.
        let member = |name: &str| member(subscription, name).filter(|value| value.as_str() != Some(""));
        let channel = subscription.get("channel")?.as_str()?;
        let (previous, current) = (member("previousStatus"), member("currentStatus"));
        let element = ELEMENT.iter().filter_map(|(told, found)| Some((*found, member(told)?))).collect();
        Some(Told { element, ..Told::by_event(Kind::Customer, FieldKind::Subscription, channel, previous, current) })
    };
    list(event, "subscriptions").iter().filter_map(told).collect()
}

/// The status that is told, where only one element can be meant: by the channel alone it could be any of its priorities.
pub(super) fn shown_at(told: &Told, body: &Value) -> Vec<String> {
    let meant = elements::of(body, SUBSCRIPTIONS).iter().enumerate().filter(|(_, element)| is_meant(told, element));
    let only = elements::only(meant)
        .filter(|(_, element)| opted_in(told.current.as_ref()).is_some_and(|told| opted_in(element.get(STATUS)) == Some(told)));
    only.map(|(index, _)| format!("{SUBSCRIPTIONS}/{index}/{STATUS}")).into_iter().collect()
}

/// Whether a difference is one of the status of the channel that is told.
pub(super) fn explains(told: &Told, change: &Change, before: &Value) -> bool {
    let Some((element, member)) = elements::touched(change, SUBSCRIPTIONS, before) else { return false };
    let told_status = if change.op == Op::Remove { &told.previous } else { &told.current };
    let found_status = match member {
        None => element.get(STATUS),
        Some(STATUS) => change.after.as_ref(),
        Some(_) => return false,
    };
    // The audit log has words of its own, which can't be compared.
    let fits = opted_in(told_status.as_ref()).is_none_or(|told| opted_in(found_status) == Some(told));
    is_meant(told, element) && fits
}

fn is_meant(told: &Told, element: &Value) -> bool {
    element.get("channel").and_then(Value::as_str).is_some_and(|channel| told.is_named(channel)) && told.may_be_in(element)
}

/// Whether a status is the one of a subscribed channel; none of a word that is not an entity's.
fn opted_in(status: Option<&Value>) -> Option<bool> {
    match status?.as_str()?.trim().to_ascii_uppercase().as_str() {
        "OPTIN" => Some(true),
        "OPTOUT" => Some(false),
        _ => None,
    }
}
