//! What others tell of a change: the event itself (`updatedFields`, `customerStatus`) or Capillary's audit log. They name fields in
//! words of their own; the table here maps those to places in an entity's body.
//!
//! What they tell names the origin of a difference, and tells changes at first sight, where there is nothing to compare with. It
//! never tells a change that the entity does not show: the event may be old, and others may have changed the same field since.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    change::{Change, Op, escaped, same_scalar},
    event::Event,
};

/// Who tells of a change; part of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// The event itself.
    Event,
    /// The audit log's rows of the API call that caused the event.
    Audit,
    /// Nobody: it is the difference to the last known state.
    Snapshot,
}

/// What kind of field it is, in the words of `fieldType` and of the audit log's `eventType` and `referenceType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// `StandardField`, "Standard Fields": a member of a profile, of the loyalty information, or of the customer.
    Standard,
    /// `CustomField`.
    Custom,
    /// `ExtendedField`.
    Extended,
    /// `Identifier`, "Identifiers", `CommChannel`: an element with this type.
    Identifier,
    /// `CustomerStatus`.
    Status,
    /// `SubscriptionStatus`.
    Subscription,
    /// Any other word: all places are looked at.
    Unknown,
}

impl FieldKind {
    /// From any of its names.
    pub fn of(name: &str) -> Self {
        let letters: String = name.chars().filter(char::is_ascii_alphabetic).map(|letter| letter.to_ascii_lowercase()).collect();
        match letters.trim_end_matches('s') {
            "standardfield" => Self::Standard,
            "customfield" => Self::Custom,
            "extendedfield" => Self::Extended,
            "identifier" | "commchannel" | "communicationchannel" => Self::Identifier,
            "customerstatu" => Self::Status,
            "subscriptionstatu" => Self::Subscription,
            _ => Self::Unknown,
        }
    }
}

/// A change as told.
#[derive(Clone)]
pub struct Told {
    /// The field's name, in the teller's spelling.
    pub field: String,
    /// What kind of field it is.
    pub kind: FieldKind,
    /// The source of the profile that it belongs to (`INSTORE`), if told.
    pub source: Option<String>,
    /// The account of that source, if told.
    pub account_id: Option<String>,
    /// The value before; none if there was none.
    pub previous: Option<Value>,
    /// The value after; none if there is none any more.
    pub current: Option<Value>,
    /// Who tells it.
    pub origin: Origin,
}

/// A value as told; "NA" and null stand for none (facts 4.7).
pub fn value_told(value: Option<Value>) -> Option<Value> {
    value.filter(|value| !value.is_null() && value.as_str() != Some("NA"))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UpdatedField {
    field_name: String,
    #[serde(default)]
    field_type: String,
    source: Option<String>,
    account_id: Option<String>,
    previous_value: Option<Value>,
    current_value: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CustomerStatus {
    previous_status: Option<Value>,
    previous_label: Option<Value>,
    current_status: Option<Value>,
    current_label: Option<Value>,
}

/// What an event itself tells of its customer's change.
pub fn by_event(event: &Event<'_>) -> Vec<Told> {
    let fields: Vec<Value> = read(event, "updatedFields").unwrap_or_default();
    let fields = fields.into_iter().filter_map(|field| serde_json::from_value::<UpdatedField>(field).ok());
    let mut told: Vec<Told> = fields
        .map(|field| Told {
            kind: FieldKind::of(&field.field_type),
            field: field.field_name,
            source: field.source,
            account_id: field.account_id,
            previous: value_told(field.previous_value),
            current: value_told(field.current_value),
            origin: Origin::Event,
        })
        .collect();
    if let Some(status) = read::<CustomerStatus>(event, "customerStatus") {
        for (field, previous, current) in
            [("status", status.previous_status, status.current_status), ("label", status.previous_label, status.current_label)]
        {
            let (previous, current) = (value_told(previous), value_told(current));
            let kind = FieldKind::Status;
            told.push(Told {
                field: field.to_owned(),
                kind,
                source: None,
                account_id: None,
                previous,
                current,
                origin: Origin::Event,
            });
        }
        // Told without a change: ACTIVE before, ACTIVE after, with another label.
        told.retain(|told| told.previous != told.current);
    }
    told
}

/// Whether an event says that its customer was deleted on request (facts 2.1).
pub fn says_deleted(event: &Event<'_>) -> bool {
    let is_deleted =
        |word: Option<Value>| word.is_some_and(|word| word.as_str().is_some_and(|word| word.eq_ignore_ascii_case("deleted")));
    read::<CustomerStatus>(event, "customerStatus")
        .is_some_and(|status| is_deleted(status.current_label) || is_deleted(status.current_status))
}

fn read<'a, T: Deserialize<'a>>(event: &Event<'a>, member: &str) -> Option<T> {
    serde_json::from_str(event.at(&["data", member])?.get()).ok()
}

/// The changes that are told and that a body shows, for an entity seen for the first time.
pub fn shown(told: &[Told], body: &Value) -> Vec<(Change, Origin)> {
    let mut found: Vec<(Change, Origin)> = Vec::new();
    for told in told {
        for path in told.places(body) {
            let Some(after) = body.pointer(&path) else { continue };
            let is_shown = told.current.as_ref().is_some_and(|current| same(current, after));
            if is_shown && !found.iter().any(|(change, _)| change.path == path) {
                let op = if told.previous.is_some() { Op::Replace } else { Op::Add };
                let change = Change { op, path, before: told.previous.clone(), after: Some(after.clone()) };
                found.push((change, told.origin));
            }
        }
    }
    found
}

/// Who tells of a difference between two bodies; the first that does.
pub fn origin(change: &Change, told: &[Told], before: &Value, after: &Value) -> Origin {
    told.iter().find(|told| told.explains(change, before, after)).map_or(Origin::Snapshot, |told| told.origin)
}

/// Whether a value that is told is the one that is found: texts and numbers may stand for one another.
fn same(told: &Value, found: &Value) -> bool {
    let as_number = |value: &Value| match value {
        Value::String(text) => {
            serde_json::from_str::<Value>(text.trim()).ok().filter(|value| value.is_number() || value.is_boolean())
        }
        other => Some(other.clone()),
    };
    match (told, found) {
        (Value::String(told), Value::String(found)) => told.trim() == found.trim(),
        (Value::Object(_) | Value::Array(_), _) | (_, Value::Object(_) | Value::Array(_)) => told == found,
        _ => as_number(told).zip(as_number(found)).is_some_and(|(told, found)| same_scalar(&told, &found)),
    }
}

/// Members of a profile whose elements have a type.
const TYPED_LISTS: [&str; 3] = ["identifiers", "identifiersAll", "commChannels"];
/// Where a customer's status and its label may stand.
const STATUS_PLACES: [&str; 3] = ["", "/statusInfo", "/loyaltyInfo"];

impl Told {
    /// The places in a body that this may be about, as JSON Pointers to what is there.
    fn places(&self, body: &Value) -> Vec<String> {
        let mut places = Vec::new();
        let profiles = self.profiles(body);
        let is = |kind: FieldKind| self.kind == kind || self.kind == FieldKind::Unknown;
        if is(FieldKind::Standard) {
            let parents = profiles.iter().cloned().chain(["/loyaltyInfo".to_owned(), String::new()]);
            places.extend(parents.filter_map(|parent| self.member_of(&parent, body)).take(1));
        }
        if is(FieldKind::Custom) {
            places.extend(profiles.iter().filter_map(|profile| self.member_of(&format!("{profile}/fields"), body)));
        }
        if is(FieldKind::Extended) {
            places.extend(self.member_of("/extendedFields", body));
        }
        if is(FieldKind::Identifier) {
            let lists = profiles.iter().flat_map(|profile| TYPED_LISTS.map(|list| format!("{profile}/{list}")));
            places.extend(lists.flat_map(|list| self.elements_of(&list, body)));
        }
        if self.kind == FieldKind::Status {
            let names: &[&str] = if self.field.to_lowercase().contains("label") {
                &["statusLabel", "label"]
            } else {
                &["status", "customerStatus"]
            };
            let pointers = STATUS_PLACES.iter().flat_map(|parent| names.iter().map(move |name| format!("{parent}/{name}")));
            places.extend(pointers.filter(|place| body.pointer(place).is_some_and(|value| !value.is_object())));
        }
        places
    }

    /// Whether a difference is the one that is told: it is in one of the places, and what was told is what is there now (or was
    /// there, for what is gone).
    fn explains(&self, change: &Change, before: &Value, after: &Value) -> bool {
        if self.kind == FieldKind::Subscription {
            return change.path.starts_with("/subscriptionInfo/");
        }
        let fits = |told: &Option<Value>, found: Option<&Value>| match (told, found) {
            (Some(told), Some(found)) => same(told, found),
            (None, None) => true,
            // A value that is gone may be told as an empty text.
            (Some(told), None) => told.as_str() == Some(""),
            _ => false,
        };
        // An element with a type comes and goes as a whole.
        if let Some(element) = change.after.as_ref().or(change.before.as_ref()).filter(|value| value.is_object()) {
            let list = change.path.rsplit_once('/').map_or("", |(list, _)| list);
            let is_meant = matches!(self.kind, FieldKind::Identifier | FieldKind::Unknown)
                && TYPED_LISTS.iter().any(|name| list.ends_with(&format!("/{name}")))
                && element.get("type").is_some_and(|name| self.is_named(name.as_str().unwrap_or_default()))
                && self
                    .profiles(if change.op == Op::Add { after } else { before })
                    .iter()
                    .any(|profile| list.starts_with(profile));
            let told = if change.op == Op::Add { &self.current } else { &self.previous };
            return is_meant && told.is_some() && fits(told, element.get("value"));
        }
        // Indices of a difference are those of the state before, but for what is added.
        let (state, told) = match change.op {
            Op::Add => (after, &self.current),
            Op::Replace => (before, &self.current),
            Op::Remove => (before, &self.current),
        };
        self.places(state).contains(&change.path) && fits(told, change.after.as_ref())
    }

    /// The profiles that are meant: those of the source and account that are told, or all where there are none of it.
    fn profiles(&self, body: &Value) -> Vec<String> {
        let profiles = body.get("profiles").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let is = |profile: &Value, member: &str, told: &Option<String>| {
            told.as_ref().is_none_or(|told| {
                profile.get(member).and_then(Value::as_str).is_some_and(|found| found.eq_ignore_ascii_case(told))
            })
        };
        let pointers = |meant: &dyn Fn(&Value) -> bool| -> Vec<String> {
            profiles
                .iter()
                .enumerate()
                .filter(|(_, profile)| meant(profile))
                .map(|(index, _)| format!("/profiles/{index}"))
                .collect()
        };
        let exact = pointers(&|profile| is(profile, "source", &self.source) && is(profile, "accountId", &self.account_id));
        let of_source = if exact.is_empty() { pointers(&|profile| is(profile, "source", &self.source)) } else { exact };
        if of_source.is_empty() { pointers(&|_| true) } else { of_source }
    }

    fn member_of(&self, parent: &str, body: &Value) -> Option<String> {
        let members = body.pointer(parent)?.as_object()?;
        let name =
            members.keys().find(|name| **name == self.field).or_else(|| members.keys().find(|name| self.is_named(name)))?;
        Some(format!("{parent}/{}", escaped(name)))
    }

    fn elements_of(&self, list: &str, body: &Value) -> Vec<String> {
        let elements = body.pointer(list).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let is_meant = |element: &Value| element.get("type").and_then(Value::as_str).is_some_and(|name| self.is_named(name));
        elements
            .iter()
            .enumerate()
            .filter(|(_, element)| is_meant(element))
            .map(|(index, _)| format!("{list}/{index}/value"))
            .collect()
    }

    /// `LastName` is `lastName`, `cardnumber` is `cardNumber`, `external_id` is `externalId`.
    fn is_named(&self, name: &str) -> bool {
        let plain =
            |text: &str| text.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>();
        plain(&self.field) == plain(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::{Volatile, difference};
    use serde_json::json;

    fn customer() -> Value {
        json!({
            "id": 1,
            "profiles": [
                {"source": "WECHAT", "accountId": "a", "firstName": "Ana", "lastName": "Berg", "fields": {"city": "Porto"}, "identifiers": []},
                {"source": "INSTORE", "accountId": "", "firstName": "Ana", "lastName": "Berg", "fields": {"city": "Kochi"},
                 "identifiers": [{"type": "mobile", "value": "911"}, {"type": "cardNumber", "value": "C1", "statusLabel": "ACTIVE"}]},
            ],
            "loyaltyInfo": {"loyaltyType": "loyalty"},
            "extendedFields": {"age_group": 30, "a/b": "x"},
            "statusLabel": "Gold",
        })
    }

    /// Told by an event, as `fieldType fieldName previous current` with an INSTORE source.
    fn told(fields: &Value, more: &Value) -> Vec<Told> {
        let mut data = json!({ "updatedFields": fields });
        data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let body = json!({"eventName": "customerUpdated", "data": data}).to_string();
        by_event(&Event::parse(body.as_bytes()).unwrap())
    }

    fn field(kind: &str, name: &str, previous: &str, current: &str) -> Value {
        json!({"fieldName": name, "previousValue": previous, "currentValue": current, "source": "INSTORE", "fieldType": kind})
    }

    fn shown_paths(fields: &Value) -> Vec<String> {
        shown(&told(fields, &json!({})), &customer()).into_iter().map(|(change, _)| change.path).collect()
    }

    #[test]
    fn each_kind_of_field_has_its_place() {
        for (told, path) in [
            (field("StandardField", "lastName", "B", "Berg"), "/profiles/1/lastName"),
            (field("Standard Fields", "LastName", "B", "Berg"), "/profiles/1/lastName"),
            (field("StandardField", "loyaltyType", "non_loyalty", "loyalty"), "/loyaltyInfo/loyaltyType"),
            (field("CustomField", "city", "Pune", "Kochi"), "/profiles/1/fields/city"),
            (field("ExtendedField", "age_group", "20", "30"), "/extendedFields/age_group"),
            (field("ExtendedField", "a/b", "y", "x"), "/extendedFields/a~1b"),
            (field("Identifiers", "mobile", "NA", "911"), "/profiles/1/identifiers/0/value"),
            (field("Identifier", "cardnumber", "C0", "C1"), "/profiles/1/identifiers/1/value"),
            (field("", "city", "Pune", "Kochi"), "/profiles/1/fields/city"),
        ] {
            assert_eq!(shown_paths(&json!([told.clone()])), [path], "{told}");
        }
    }

    #[test]
    fn at_first_sight_only_what_the_entity_shows_is_a_change() {
        assert!(
            shown_paths(&json!([field("CustomField", "city", "Kochi", "Delhi")])).is_empty(),
            "changed again since, or not arrived"
        );
        assert!(shown_paths(&json!([field("CustomField", "country", "A", "B")])).is_empty());
        assert!(shown_paths(&json!([{"fieldName": "city", "fieldType": "CustomField"}, "nonsense", {"x": 1}])).is_empty());
        let added = shown(&told(&json!([field("CustomField", "city", "NA", "Kochi")]), &json!({})), &customer()).remove(0);
        assert_eq!((added.0.op, added.0.before, added.1), (Op::Add, None, Origin::Event));
    }

    #[test]
    fn a_status_is_told_by_its_word_and_by_its_label() {
        let status = json!({"customerStatus": {"previousStatus": "ACTIVE", "currentStatus": "ACTIVE", "previousLabel": "Silver", "currentLabel": "Gold"}});
        let changes = shown(&told(&json!([]), &status), &customer());
        assert_eq!(
            (changes.len(), changes[0].0.path.as_str(), &changes[0].0.before),
            (1, "/statusLabel", &Some(json!("Silver")))
        );
    }

    #[test]
    fn deletion_is_told_in_any_spelling() {
        let says = |data: &str| says_deleted(&Event::parse(format!(r#"{{"data":{data}}}"#).as_bytes()).unwrap());
        assert!(says(r#"{"customerStatus":{"currentLabel":"Deleted"}}"#));
        assert!(says(r#"{"customerStatus":{"currentStatus":"DELETED","currentLabel":"x"}}"#));
        assert!(!says(r#"{"customerStatus":{"previousLabel":"Deleted","currentLabel":"Active"}}"#));
        assert!(!says("{}"));
    }

    #[test]
    fn a_difference_bears_the_name_of_who_tells_it() {
        let before = customer();
        let mut after = customer();
        after["profiles"][1]["fields"]["city"] = json!("Delhi");
        after["profiles"][0]["fields"]["city"] = json!("Delhi");
        after["profiles"][1]["identifiers"][0]["value"] = json!("912");
        after["extendedFields"]["age_group"] = json!(40);
        let told = told(
            &json!([
                field("CustomField", "city", "Kochi", "Delhi"),
                field("Identifier", "mobile", "911", "912"),
                field("ExtendedField", "age_group", "30", "35"),
            ]),
            &json!({}),
        );
        let changes = difference(&before, &after, &Volatile::default()).changes;
        let origins: Vec<(String, Op, Origin)> =
            changes.iter().map(|change| (change.path.clone(), change.op, origin(change, &told, &before, &after))).collect();
        let expected = [
            ("/extendedFields/age_group", Op::Replace, Origin::Snapshot),
            ("/profiles/0/fields/city", Op::Replace, Origin::Snapshot),
            ("/profiles/1/fields/city", Op::Replace, Origin::Event),
            ("/profiles/1/identifiers/0", Op::Remove, Origin::Event),
            ("/profiles/1/identifiers/0", Op::Add, Origin::Event),
        ];
        assert_eq!(origins, expected.map(|(path, op, origin)| (path.to_owned(), op, origin)));
    }
}
