//! Whether what is told is what is found. Events and audits write values in other forms than entities do.

use serde_json::Value;

use crate::{change::same_scalar, moment::Moment};

/// Whether a value that is told is the one that is found: texts and numbers may stand for one another, and times for one another in
/// any of their forms.
pub(super) fn same(told: &Value, found: &Value) -> bool {
    let as_number = |value: &Value| match value {
        Value::String(text) => {
            serde_json::from_str::<Value>(text.trim()).ok().filter(|value| value.is_number() || value.is_boolean())
        }
        other => Some(other.clone()),
    };
    match (told, found) {
        (Value::String(told), Value::String(found)) if told.trim() == found.trim() => true,
        (Value::Object(_) | Value::Array(_), _) | (_, Value::Object(_) | Value::Array(_)) => told == found,
        (Value::String(_), Value::String(_)) => same_moment(told, found),
        _ => {
            as_number(told).zip(as_number(found)).is_some_and(|(told, found)| same_scalar(&told, &found))
                || same_moment(told, found)
        }
    }
}

fn same_moment(told: &Value, found: &Value) -> bool {
    Moment::of(told).zip(Moment::of(found)).is_some_and(|(told, found)| told.is(found))
}

/// Whether the day that is told is that of a date that is found. A day is the one that is written there: where the event counts days
/// in another zone than the entity does, one and the same expiry may be told as the day before or after, and is not recognised.
pub(super) fn same_day(told: &Value, found: &Value) -> bool {
    Moment::of(told).zip(Moment::of(found)).is_some_and(|(told, found)| told.is_on_day_of(found))
}

/// Whether a word that is told is the one that is found; the case does not count.
pub(super) fn same_word(told: &Value, found: &Value) -> bool {
    match (told, found) {
        (Value::String(told), Value::String(found)) => told.trim().eq_ignore_ascii_case(found.trim()),
        _ => same(told, found),
    }
}
