//! Marks in the place of whatever is somebody's, in an event or a body of any shape (facts 1.7, 2 and 4.5).

use std::collections::HashMap;

use serde_json::{Map, Value, json};

/// Each mark has one of them in it, whatever it stands for.
const WORD: &str = "zorilla";
const DIGITS: &str = "9155599";

/// Members who say who somebody is, wherever they are.
const WHO: [&str; 10] = [
    "firstName",
    "lastName",
    "mobile",
    "email",
    "externalId",
    "cardnumber",
    "cardNumber",
    "cardNumbers",
    "cardexternalid",
    "cardExternalId",
];
/// Identifiers in a store.
const IN_STORE: [&str; 6] = ["mobile", "email", "externalId", "cardnumber", "cardexternalid", "cardNumbers"];
/// Values of identifiers and of changes, by what is around them.
const VALUES: [(&str, &str); 8] = [
    ("identifiers", "value"),
    ("identifiers", "identifierValue"),
    ("identifiersAll", "value"),
    ("commChannels", "value"),
    ("queryParams", "identifierValue"),
    ("updatedFields", "previousValue"),
    ("updatedFields", "currentValue"),
    ("associatedEntityFields", "fieldValue"),
];
/// Fields that a brand made up: maps, or lists of names with values.
const FIELDS: [&str; 7] = [
    "customFields",
    "extendedFields",
    "fields",
    "previousCustomFields",
    "currentCustomFields",
    "previousExtendedFields",
    "currentExtendedFields",
];
/// What a field is called, which is nobody's.
const NAMES: [&str; 3] = ["key", "name", "fieldName"];

/// Plants marks, none twice in a round.
pub(super) struct Planter {
    round: u32,
    planted: u32,
    /// What stood for whom, so that it is marked where nobody expects it, too.
    marks: HashMap<String, Value>,
}

impl Planter {
    /// Marks of another round are others.
    pub(super) fn of_round(round: u32) -> Self {
        Self { round, planted: 0, marks: HashMap::new() }
    }

    /// Plants marks in a value, and tells how many.
    pub(super) fn plant(&mut self, value: &mut Value) -> u32 {
        let before = self.planted;
        self.walk(value, "");
        self.mark_known(value);
        self.planted - before
    }

    fn walk(&mut self, value: &mut Value, around: &str) {
        match value {
            Value::Array(elements) => elements.iter_mut().for_each(|element| self.walk(element, around)),
            Value::Object(members) => {
                let leads_to_somebody = is_by_id(members);
                if around == "instore" {
                    // Any of them may be there; a webhook can be told to bring them all.
                    for name in IN_STORE {
                        members.entry(name).or_insert_with(|| json!([format!("a {name}")]));
                    }
                }
                for (name, inner) in members {
                    let name = name.as_str();
                    if WHO.contains(&name) || (VALUES.contains(&(around, name)) && !leads_to_somebody) || FIELDS.contains(&name) {
                        self.mark(inner, name);
                    } else {
                        self.walk(inner, name);
                    }
                }
            }
            _ => {}
        }
    }

    /// Puts marks in the place of all that is told in a value.
    fn mark(&mut self, value: &mut Value, name: &str) {
        match value {
            Value::Array(elements) => elements.iter_mut().for_each(|element| self.mark(element, name)),
            Value::Object(members) => {
                let told = members.iter_mut().filter(|(name, _)| !NAMES.contains(&name.as_str()));
                told.for_each(|(name, inner)| self.mark(inner, name));
            }
            Value::Number(_) if name == "mobile" => *value = json!(self.digits().parse::<u64>().expect("digits")),
            Value::Number(_) | Value::Bool(_) => *value = json!(self.word()),
            Value::String(text) if !text.trim().is_empty() => {
                let told = text.clone();
                *value = json!(if name == "mobile" { self.digits() } else { self.word() });
                if WHO.contains(&name) {
                    self.marks.insert(told.trim().to_owned(), value.clone());
                }
            }
            Value::String(_) | Value::Null => {}
        }
    }

    /// The same person in other members.
    fn mark_known(&self, value: &mut Value) {
        match value {
            Value::Array(elements) => elements.iter_mut().for_each(|element| self.mark_known(element)),
            Value::Object(members) => members.iter_mut().for_each(|(_, inner)| self.mark_known(inner)),
            Value::String(text) => {
                if let Some(mark) = self.marks.get(text.trim()) {
                    *value = mark.clone();
                }
            }
            _ => {}
        }
    }

    fn word(&mut self) -> String {
        self.planted += 1;
        format!("{WORD}.{}.{}@example.com", self.round, self.planted)
    }

    fn digits(&mut self) -> String {
        self.planted += 1;
        format!("{DIGITS}{}{:04}", self.round, self.planted)
    }
}

/// Without the id nobody could be asked for.
fn is_by_id(members: &Map<String, Value>) -> bool {
    members.get("identifierName").and_then(Value::as_str).is_some_and(|name| ["id", "customerId", "userId"].contains(&name))
}

/// Whether a mark is in a text.
pub(super) fn are_in(text: &str) -> bool {
    text.contains(WORD) || text.contains(DIGITS)
}

/// The first mark in a text, with what is around it.
#[track_caller]
pub(super) fn assert_none_in(text: &str, of: &str) {
    for mark in [WORD, DIGITS] {
        if let Some(at) = text.find(mark) {
            let begin = (at.saturating_sub(200)..=at).find(|index| text.is_char_boundary(*index)).unwrap_or(at);
            panic!("{of}: …{}", &text[begin..(at + 30).min(text.len())]);
        }
    }
}
