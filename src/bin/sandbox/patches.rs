//! How a change is said: by a JSON merge patch.

use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The body after a change, with its new time of change.
pub(crate) fn patched(before: &Value, patch: &Value) -> Value {
    let mut body = before.clone();
    merge(&mut body, patch);
    stamp(&mut body, patch);
    body
}

/// JSON merge patch, RFC 7396.
pub(crate) fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(members) = target else { return };
    for (name, change) in changes {
        if change.is_null() {
            members.remove(name);
        } else {
            merge(members.entry(name.clone()).or_insert(Value::Null), change);
        }
    }
}

/// Gives a changed entity its time of change, in whole seconds as Capillary does, where the patch does not bring its own.
/// The status of a card has the day alone, and of the status alone.
fn stamp(entity: &mut Value, patch: &Value) {
    let now = OffsetDateTime::now_utc().replace_nanosecond(0).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let Ok(now) = now.format(&Rfc3339) else { return };
    let (day, _) = now.split_once('T').unwrap_or_default();
    let status = patch.get("statusInfo");
    let is_new_status = status.is_some_and(|status| status.get("autoUpdateTime").is_none());
    for (is_due, place, time) in [
        (patch.get("profiles").is_none(), "/profiles/0/autoUpdateTime", now.as_str()),
        (patch.get("autoUpdateTime").is_none(), "/autoUpdateTime", &now),
        (is_new_status, "/statusInfo/autoUpdateTime", day),
    ] {
        if is_due && let Some(found) = entity.pointer_mut(place) {
            *found = json!(time);
        }
    }
}
