//! Elements of lists in a body: which one is told of, and which one a difference is about.

use serde_json::Value;

use super::{Told, same::same_word};
use crate::change::Change;

/// The elements of a list in a body.
pub(super) fn of<'a>(body: &'a Value, list: &str) -> &'a [Value] {
    body.pointer(list).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The element of a list that a difference is about, and the member in it; none if the element comes or goes as a whole.
pub(super) fn touched<'a>(change: &'a Change, list: &str, before: &'a Value) -> Option<(&'a Value, Option<&'a str>)> {
    let place = change.path.strip_prefix(list)?.strip_prefix('/')?;
    match place.split_once('/') {
        None => Some((change.after.as_ref().or(change.before.as_ref())?, None)),
        // Indices of a difference are those of the state before, but for the last one of what is added.
        Some((index, member)) => Some((before.pointer(&format!("{list}/{index}"))?, Some(member))),
    }
}

/// The only one of some elements; none if it could be any of several.
pub(super) fn only<T>(mut elements: impl Iterator<Item = T>) -> Option<T> {
    let one = elements.next()?;
    elements.next().is_none().then_some(one)
}

impl Told {
    /// Whether an element's member, where it has one, is as told. What is not told can be anything.
    pub(super) fn may_be(&self, element: &Value, member: &str) -> bool {
        self.told_member(member).zip(element.get(member)).is_none_or(|(told, found)| found.is_null() || same_word(told, found))
    }

    /// Whether all that is told of an element fits this one.
    pub(super) fn may_be_in(&self, element: &Value) -> bool {
        self.element.iter().all(|(member, _)| self.may_be(element, member))
    }

    /// What is told of a member of the element.
    pub(super) fn told_member(&self, member: &str) -> Option<&Value> {
        self.element.iter().find(|(name, _)| *name == member).map(|(_, value)| value)
    }
}
