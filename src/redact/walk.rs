//! The way through a JSON text, and the text that comes of it. Values that stay are copied as they stand: numbers with their digits,
//! strings with their escapes, members in their order and with others of the same name.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Deserializer, de};
use serde_json::{Number, value::RawValue};

use crate::event;

use super::{HashKey, Redactor, Treatment, pattern::Step};

/// What is nested deeper is not looked at. Each level is read once more than the one around it, so depth has a bound.
const MAX_DEPTH: usize = 128;

/// What becomes of a value.
pub(super) enum Outcome {
    /// Nothing in it is touched.
    AsItIs,
    /// This text takes its place.
    Other(String),
    /// It is left out.
    Gone,
}

/// Redacts the value at the end of a way.
pub(super) fn walk(redactor: &Redactor<'_>, way: &[Step<'_>], text: &str) -> Outcome {
    match redactor.treatment_along(way) {
        Treatment::Drop => Outcome::Gone,
        Treatment::Hash(key) => Walk { redactor, way: way.to_vec() }.inside(text, Some(key), 0),
        Treatment::AsAround => Walk { redactor, way: way.to_vec() }.inside(text, None, 0),
    }
}

struct Walk<'r, 't> {
    redactor: &'r Redactor<'r>,
    way: Vec<Step<'t>>,
}

impl<'r, 't> Walk<'r, 't> {
    /// A value that itself is not dropped. `key` is there where it is hashed.
    fn inside(&mut self, text: &'t str, key: Option<&'r HashKey>, depth: usize) -> Outcome {
        match (text.as_bytes().first(), key) {
            (Some(b'{' | b'['), _) if depth >= MAX_DEPTH => Outcome::Gone,
            (Some(b'{'), _) => self.object(text, key, depth + 1),
            (Some(b'['), _) => self.array(text, key, depth + 1),
            (_, Some(key)) => hashed(text, key),
            (_, None) => Outcome::AsItIs,
        }
    }

    fn object(&mut self, text: &'t str, key: Option<&'r HashKey>, depth: usize) -> Outcome {
        let Ok(Members(members)) = serde_json::from_str(text) else { return Outcome::Gone };
        let step = |(name, value): &(&'t RawValue, &'t RawValue)| self.step(Step::Member(told(name.get())), value, key, depth);
        let outcomes: Vec<Outcome> = members.iter().map(step).collect();
        if outcomes.iter().all(|outcome| matches!(outcome, Outcome::AsItIs)) {
            return Outcome::AsItIs;
        }
        let member = |((name, value), outcome): ((&RawValue, &RawValue), Outcome)| match outcome {
            Outcome::AsItIs => Some(format!("{name}:{value}")),
            Outcome::Other(text) => Some(format!("{name}:{text}")),
            Outcome::Gone => None,
        };
        let members: Vec<String> = members.into_iter().zip(outcomes).filter_map(member).collect();
        Outcome::Other(format!("{{{}}}", members.join(",")))
    }

    fn array(&mut self, text: &'t str, key: Option<&'r HashKey>, depth: usize) -> Outcome {
        let Ok(elements) = serde_json::from_str::<Vec<&RawValue>>(text) else { return Outcome::Gone };
        let step = |(index, value): (usize, &&'t RawValue)| self.step(Step::Element(Some(index)), value, key, depth);
        let outcomes: Vec<Outcome> = elements.iter().enumerate().map(step).collect();
        if outcomes.iter().all(|outcome| matches!(outcome, Outcome::AsItIs)) {
            return Outcome::AsItIs;
        }
        let element = |(value, outcome): (&RawValue, Outcome)| match outcome {
            Outcome::AsItIs => value.get().to_owned(),
            Outcome::Other(text) => text,
            Outcome::Gone => "null".to_owned(),
        };
        let elements: Vec<String> = elements.into_iter().zip(outcomes).map(element).collect();
        Outcome::Other(format!("[{}]", elements.join(",")))
    }

    fn step(&mut self, step: Step<'t>, value: &'t RawValue, key: Option<&'r HashKey>, depth: usize) -> Outcome {
        self.way.push(step);
        let outcome = match self.redactor.treatment_at(&self.way) {
            Treatment::Drop => Outcome::Gone,
            Treatment::Hash(key) => self.inside(value.get(), Some(key), depth),
            Treatment::AsAround => self.inside(value.get(), key, depth),
        };
        self.way.pop();
        outcome
    }
}

/// A pseudonym in the place of a string, a number, or a truth value.
fn hashed(text: &str, key: &HashKey) -> Outcome {
    let value = told(text);
    if text == "null" || value.trim().is_empty() {
        return Outcome::AsItIs;
    }
    Outcome::Other(format!("\"{}\"", key.pseudonym(&value)))
}

/// What a name, a string, a number or a truth value says. What half a surrogate pair says can't be told: its escapes stand for it.
fn told(text: &str) -> Cow<'_, str> {
    let Some(quoted) = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) else {
        // A whole number has one form, and others the one that a parsed number has: so have changes.
        let whole = serde_json::from_str::<&RawValue>(text).ok().and_then(event::integer).map(|whole| whole.to_string());
        let parsed = || serde_json::from_str::<Number>(text).ok().map(|number| number.to_string());
        return whole.or_else(parsed).map_or(Cow::Borrowed(text), Cow::Owned);
    };
    match quoted.contains('\\') {
        true => serde_json::from_str(text).map_or(Cow::Borrowed(quoted), Cow::Owned),
        false => Cow::Borrowed(quoted),
    }
}

/// The members of an object in their order, as they stand.
struct Members<'t>(Vec<(&'t RawValue, &'t RawValue)>);

impl<'t> Deserialize<'t> for Members<'t> {
    fn deserialize<D: Deserializer<'t>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'t> de::Visitor<'t> for InOrder {
            type Value = Members<'t>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: de::MapAccess<'t>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}
