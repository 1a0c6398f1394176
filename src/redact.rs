//! What of an outgoing event may not be on the bus as it is: members that are left out, and members whose values are replaced by
//! pseudonyms. Pure code over JSON text; what no pattern touches keeps its text to the letter.
//!
//! Two lists of patterns say where, separated by commas, all below the detail's `data`:
//!
//! | Pattern | Means |
//! | --- | --- |
//! | `mobile` | the member `mobile`, anywhere |
//! | `identifiers/value` | the member `value` of a member `identifiers`, or of the elements of such an array, anywhere |
//! | `/event/data/customerIdentifiers/instore` | the value there, in the event |
//! | `/entities/*/body/profiles/*/firstName` | the values there, in the entities' bodies |
//!
//! After a leading slash, `*` is any one member, or any one element of an array. Names are with case; `~1` in one stands for `/`, `~0`
//! for `~` (RFC 6901).
//! Nothing is touched but the event, the entities' bodies, and the values of changes; a change at a path is treated as what stands
//! there in the body. An index in a pattern is any index there, since a change's two states may have the element at two places.
//!
//! - **Dropped**: a member is left out, an element of an array becomes `null`, so that the indices of the others stay.
//! - **Hashed**: each value below becomes `hmac-sha256:` and 64 hexadecimal digits, the HMAC-SHA256 of its text under the brand's
//!   own key: of a string without the white space around it, of the digits of a number, of `true` and `false`. So a mobile number has
//!   one pseudonym, whether it came as a number or as a text. `null` and what is empty stay.
//!
//! What is both is dropped. Where there is no key, what would be hashed is dropped. What is nested too deep to be looked at is left
//! out, too.

mod key;
mod pattern;
mod walk;

use std::sync::Arc;

use serde_json::{Value, value::RawValue};

pub use key::HashKey;
use pattern::Step;
pub use pattern::{BadPattern, Patterns};
use walk::Outcome;

/// What becomes of what. Without any patterns nothing is touched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Redaction {
    /// What is left out.
    pub drop: Patterns,
    /// What is replaced by pseudonyms; it needs a [`HashKey`].
    pub hash: Patterns,
}

/// A redaction with what it needs.
#[derive(Clone, Copy)]
pub struct Redactor<'a> {
    redaction: &'a Redaction,
    key: Option<&'a HashKey>,
}

/// What is done with the value at a place.
#[derive(Clone, Copy)]
enum Treatment<'a> {
    /// What is done with the value around it.
    AsAround,
    Hash(&'a HashKey),
    Drop,
}

impl<'a> Redactor<'a> {
    /// A redaction with the key, where there is one.
    pub const fn new(redaction: &'a Redaction, key: Option<&'a HashKey>) -> Self {
        Self { redaction, key }
    }

    /// Whether there are no patterns, so that nothing needs to be looked at.
    pub fn is_idle(&self) -> bool {
        self.redaction.drop.is_empty() && self.redaction.hash.is_empty()
    }

    /// The event's text as it may be published. An event that is dropped as a whole has no members left.
    pub fn event(&self, text: String) -> String {
        if self.is_idle() {
            return text;
        }
        match walk::walk(self, &[Step::member("event")], &text) {
            Outcome::AsItIs => text,
            Outcome::Other(text) => text,
            Outcome::Gone => "{}".to_owned(),
        }
    }

    /// The body of an entity as it may be published; none if it may not. `place` is that of the entity in `entities`.
    pub fn body(&self, place: usize, body: &Arc<RawValue>) -> Option<Arc<RawValue>> {
        let way = [Step::member("entities"), Step::Element(Some(place)), Step::member("body")];
        match walk::walk(self, &way, body.get()) {
            Outcome::AsItIs => Some(Arc::clone(body)),
            Outcome::Other(text) => RawValue::from_string(text).ok().map(Arc::from),
            Outcome::Gone => None,
        }
    }

    /// The value before or after a change as it may be published; none if it may not. `path` is the change's, in an entity's body.
    pub fn changed(&self, path: &str, value: Value) -> Option<Value> {
        let mut way = vec![Step::member("entities"), Step::Element(None), Step::member("body")];
        way.extend(path.split('/').skip(1).map(Step::of_pointer));
        let text = serde_json::to_string(&value).ok()?;
        match walk::walk(self, &way, &text) {
            Outcome::AsItIs => Some(value),
            Outcome::Other(text) => serde_json::from_str(&text).ok(),
            Outcome::Gone => None,
        }
    }

    /// The number of a card as it may stand for the card: its pseudonym where the event's `cardNumber` is touched, without a key the
    /// text `dropped`.
    pub fn card_number(&self, number: &str) -> String {
        let (event, data, card_number) = (Step::member("event"), Step::member("data"), Step::member("cardNumber"));
        // The second is the way in an event without `data`.
        let ways = [vec![event.clone(), data, card_number.clone()], vec![event, card_number]];
        let is_touched = ways.iter().any(|way| !matches!(self.treatment_along(way), Treatment::AsAround));
        match self.key {
            _ if !is_touched => number.to_owned(),
            Some(key) => key.pseudonym(number),
            None => "dropped".to_owned(),
        }
    }

    /// What patterns say of the very place.
    fn treatment_at(&self, way: &[Step<'_>]) -> Treatment<'a> {
        if self.redaction.drop.fit(way) {
            return Treatment::Drop;
        }
        match self.key {
            _ if !self.redaction.hash.fit(way) => Treatment::AsAround,
            Some(key) => Treatment::Hash(key),
            None => Treatment::Drop,
        }
    }

    /// What patterns say of the place and of all around it.
    fn treatment_along(&self, way: &[Step<'_>]) -> Treatment<'a> {
        let treatments = (1..=way.len()).filter_map(|steps| Some(self.treatment_at(way.get(..steps)?)));
        treatments.fold(Treatment::AsAround, |around, here| match (around, here) {
            (Treatment::Drop, _) | (_, Treatment::AsAround) => around,
            (_, here) => here,
        })
    }
}

#[cfg(test)]
mod tests;
