//! Where in an entity's body a field stands that others name in their own words. The one table of that.

use serde_json::Value;

use super::{FieldKind, Told, card, same::same};
use crate::{
    change::{Change, Op, escaped},
    entity::Kind,
};

/// Members of a profile whose elements have a type.
const TYPED_LISTS: [&str; 3] = ["identifiers", "identifiersAll", "commChannels"];
/// Where a customer's or a card's status and its label may stand.
const STATUS_PLACES: [&str; 3] = ["", "/statusInfo", "/loyaltyInfo"];

impl Told {
    /// The places in a body that this may be about, as JSON Pointers to what is there.
    pub(super) fn places(&self, body: &Value) -> Vec<String> {
        let mut places = Vec::new();
        let profiles = self.profiles(body);
        let is = |kind: FieldKind| self.kind == kind || self.kind == FieldKind::Unknown;
        if is(FieldKind::Standard) {
            let of_profiles: Vec<String> = profiles.iter().filter_map(|profile| self.member_of(profile, body)).collect();
            let elsewhere = ["/loyaltyInfo", ""].into_iter().filter_map(|parent| self.member_of(parent, body));
            places.extend(if of_profiles.is_empty() { elsewhere.take(1).collect() } else { of_profiles });
        }
        if is(FieldKind::Custom) {
            places.extend((self.about == Kind::Card).then(|| self.member_of("/customFields", body)).flatten());
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
            let names: &[&str] = match self.field.to_lowercase() {
                field if field.contains("label") => &["statusLabel", "label"],
                field if field == card::REASON => &[card::REASON],
                _ => &["status", "customerStatus"],
            };
            let pointers = STATUS_PLACES.iter().flat_map(|parent| names.iter().map(move |name| format!("{parent}/{name}")));
            places.extend(pointers.filter(|place| body.pointer(place).is_some_and(|value| !value.is_object())));
        }
        places
    }

    /// Whether a difference is in one of the places, and what was told is what is there now (or was there, for what is gone).
    pub(super) fn explains_field(&self, change: &Change, before: &Value, after: &Value) -> bool {
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
                    .any(|profile| list.starts_with(&format!("{profile}/")));
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
    pub(super) fn is_named(&self, name: &str) -> bool {
        let plain =
            |text: &str| text.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>();
        plain(&self.field) == plain(name)
    }
}
