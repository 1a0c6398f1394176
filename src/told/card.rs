//! `cardUpdated`: a card's status and fields before and after (facts 2.7), and where a card shows them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    FieldKind, Told,
    events::{list, value},
    same::same,
};
use crate::{change::Change, entity::Kind, event::Event};

/// Why a card has its status, as told and in the card.
pub(super) const REASON: &str = "reason";
const STATUS_INFO: &str = "/statusInfo";
/// What tells the status itself: a reason brings none of it along.
const STATUS: [&str; 4] = ["label", "labelId", "status", "isActive"];

/// What a `cardUpdated` tells: the label of the status, its reason, and each field whose value differs.
pub(super) fn told(event: &Event<'_>) -> Vec<Told> {
    let told = |kind, field: &str, previous, current| Told::by_event(Kind::Card, kind, field, previous, current);
    let label = (value(event, "previousStatusLabel"), value(event, "currentStatusLabel"));
    let reason = (value(event, "previousStatusChangeReason"), value(event, "currentStatusChangeReason"));
    let mut all = vec![told(FieldKind::Status, "label", label.0, label.1), told(FieldKind::Status, REASON, reason.0, reason.1)];
    for (kind, previous, current) in [
        (FieldKind::Extended, "previousExtendedFields", "currentExtendedFields"),
        (FieldKind::Custom, "previousCustomFields", "currentCustomFields"),
    ] {
        let (mut previous, current) = (fields(event, previous), fields(event, current));
        all.extend(current.into_iter().map(|(name, value)| told(kind, &name, previous.remove(&name), Some(value))));
        all.extend(previous.into_iter().map(|(name, value)| told(kind, &name, Some(value), None)));
    }
    all
}

/// `[{name, value}]`, by name.
fn fields(event: &Event<'_>, member: &str) -> BTreeMap<String, Value> {
    let field = |field: Value| Some((field.get("name")?.as_str()?.to_owned(), field.get("value").cloned().unwrap_or_default()));
    list(event, member).into_iter().filter_map(field).collect()
}

/// Whether a difference comes with a told change of a card's status.
///
/// `statusInfo` is the newest entry of the card's status log: a change of the status brings another entry, with an id, a time, an author
/// and perhaps a reason of its own. So where the status goes to what is told, all other members of `statusInfo` go with it. What follows
/// from a status elsewhere in the card (`activeAndDigital`, dates) is not documented to, and counts as not told.
pub(super) fn explains(told: &Told, change: &Change, before: &Value, after: &Value) -> bool {
    let Some(member) = change.path.strip_prefix(STATUS_INFO).and_then(|path| path.strip_prefix('/')) else { return false };
    let is_told = |place: &String, body: &Value| {
        told.current.as_ref().zip(body.pointer(place)).is_some_and(|(told, found)| same(told, found))
    };
    let goes = told.places(after).iter().any(|place| is_told(place, after) && !is_told(place, before));
    let is_of_status = told.field != REASON || !STATUS.contains(&member);
    told.about == Kind::Card && told.kind == FieldKind::Status && goes && is_of_status
}
