//! The shapes in which an event comes, and the way to the event inside.
//!
//! | Shape | Form |
//! | --- | --- |
//! | flat | `{ eventName, eventId, orgId, …, data: {…} }` |
//! | envelope | `{ eventId, eventType: "<org>_<name>", …, attributes: { eventName, orgId, …, data: {…} } }` |
//! | wrapped | `{ body: … }`, `{ event: { body: … } }`, `{ data: …, errors, warnings }` around one of the others |
//! | hoisted | flat, with the members of `data` beside `eventName` |

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::Event;

/// The members of an object: name to text as received; of members with the same name the last.
pub(super) type Members<'a> = BTreeMap<String, &'a RawValue>;

/// Wrappers within wrappers are looked into this deep.
const MAX_WRAPPERS: u32 = 4;

/// The members of `text`, if it is one JSON object.
pub(super) fn members(text: &str) -> Option<Members<'_>> {
    serde_json::from_str(text).ok()
}

/// The JSON text of an object with these members.
pub(super) fn object_text(members: &Members<'_>) -> String {
    // Writing text to text can't fail; a `null` here would show up in the first test.
    serde_json::to_string(members).unwrap_or_else(|_| "null".to_owned())
}

/// The event in `text`, with what wraps it taken off; the outer object itself where no wrapper is known.
pub(super) fn unwrap(text: &str) -> Option<Event<'_>> {
    let outer = members(text)?;
    Some(find_event(text, &outer, MAX_WRAPPERS).unwrap_or_else(|| flat(text, outer)))
}

fn find_event<'a>(text: &'a str, members: &Members<'a>, wrappers_left: u32) -> Option<Event<'a>> {
    if let Some(attributes) = envelope_attributes(members) {
        return Some(from_envelope(members, attributes));
    }
    if is_text(members, "eventName") || is_text(members, "eventType") {
        return Some(flat(text, members.clone()));
    }
    let wrappers_left = wrappers_left.checked_sub(1)?;
    wrapped(members).into_iter().find_map(|inner_text| {
        let inner = self::members(inner_text)?;
        find_event(inner_text, &inner, wrappers_left)
    })
}

/// What may hold the event in an object that is none itself.
fn wrapped<'a>(outer: &Members<'a>) -> Vec<&'a str> {
    let mut candidates = Vec::new();
    candidates.extend(outer.get("body").map(|value| value.get()));
    let captured = outer.get("event").and_then(|event| members(event.get()));
    candidates.extend(captured.and_then(|event| event.get("body").map(|value| value.get())));
    // A flat event of unknown name has its id beside `data`; what stands in its `data` under `eventName` and `eventId` is
    // the activity that caused it (targets, streaks), which must never be taken for the event.
    if !outer.contains_key("eventId") {
        candidates.extend(outer.get("data").map(|value| value.get()));
    }
    candidates
}

fn envelope_attributes<'a>(members: &Members<'a>) -> Option<Members<'a>> {
    let attributes = self::members(members.get("attributes")?.get())?;
    let named_outside = is_text(members, "eventName");
    (!named_outside && (attributes.contains_key("data") || is_text(&attributes, "eventName"))).then_some(attributes)
}

fn flat<'a>(text: &'a str, members: Members<'a>) -> Event<'a> {
    Event { members, text: Some(text.trim_matches([' ', '\t', '\r', '\n'])), enveloped: false }
}

/// Lifts the attributes beside the envelope's own members. Where both have a name, the envelope's stands; a whole event is
/// never lost by that, since then the attributes are also kept as they came.
fn from_envelope<'a>(outer: &Members<'a>, attributes: Members<'a>) -> Event<'a> {
    let mut all = outer.clone();
    let received = all.remove("attributes");
    let mut conflict = false;
    for (name, value) in attributes {
        match all.get(&name) {
            Some(known) if known.get() != "null" => conflict |= known.get() != value.get(),
            _ => {
                all.insert(name, value);
            }
        }
    }
    if let Some(received) = received.filter(|_| conflict) {
        all.insert("attributes".to_owned(), received);
    }
    Event { members: all, text: None, enveloped: true }
}

fn is_text(members: &Members<'_>, name: &str) -> bool {
    members.get(name).is_some_and(|value| value.get().starts_with('"'))
}

#[cfg(test)]
mod tests {
    use super::super::Event;

    fn told(body: &str) -> (Option<String>, Option<String>, Option<i64>, String) {
        let event = Event::parse(body.as_bytes()).unwrap();
        (event.sent_id(), event.name(), event.org_id(), event.to_json())
    }

    const FLAT: &str = r#"{"eventName":"customerAdded","eventId":"e1","orgId":9,"data":{"n":1.10}}"#;

    fn flat_told() -> (Option<String>, Option<String>, Option<i64>, String) {
        (Some("e1".into()), Some("customerAdded".into()), Some(9), FLAT.into())
    }

    #[test]
    fn a_flat_event_is_kept_to_the_letter() {
        assert_eq!(told(FLAT), flat_told());
        assert_eq!(told(&format!("\u{feff} {FLAT}\r\n")), flat_told());
    }

    #[test]
    fn wrappers_are_taken_off() {
        for body in [
            format!(r#"{{"body":{FLAT}}}"#),
            format!(r#"{{"event":{{"body":{FLAT},"headers":{{"authorization":"x"}},"method":"POST"}}}}"#),
            format!(r#"{{"data":{FLAT},"errors":null,"warnings":null}}"#),
            format!(r#"{{"body":{{"data":{FLAT},"errors":[]}}}}"#),
            format!(r#"{{"eventName":null,"body":{FLAT}}}"#),
        ] {
            assert_eq!(told(&body), flat_told(), "{body}");
        }
    }

    #[test]
    fn an_envelope_is_lifted_and_loses_nothing() {
        for event_type in ["9_customerAdded", "customerAdded"] {
            let body = format!(
                r#"{{"eventId":"e1","eventType":"{event_type}","consumerGroupId":null,"actionType":"START","timeStamp":2,"attributes":{{"createdAt":1,"data":{{"n":1.10}},"eventName":"customerAdded","orgId":9}}}}"#
            );
            let (id, name, org, text) = told(&body);
            assert_eq!((id.as_deref(), name.as_deref(), org), (Some("e1"), Some("customerAdded"), Some(9)));
            assert_eq!(
                text,
                format!(
                    r#"{{"actionType":"START","consumerGroupId":null,"createdAt":1,"data":{{"n":1.10}},"eventId":"e1","eventName":"customerAdded","eventType":"{event_type}","orgId":9,"timeStamp":2}}"#
                )
            );
        }
    }

    #[test]
    fn the_envelopes_type_names_the_event_only_where_nothing_else_does() {
        let name = |body: &str| told(body).1.unwrap();
        assert_eq!(name(r#"{"eventId":"e","eventType":"150698_customerAdded","attributes":{"data":{}}}"#), "customerAdded");
        assert_eq!(told(r#"{"eventId":"e","eventType":"150698_x","attributes":{"data":{}}}"#).2, Some(150_698));
        assert_eq!(told(r#"{"eventId":"e","eventType":"150698_x","attributes":{"orgId":7,"data":{}}}"#).2, Some(7));
        assert_eq!(name(r#"{"eventId":"e","eventType":"PP_EXPIRY_JOB","attributes":{"data":{}}}"#), "PP_EXPIRY_JOB");
        assert_eq!(name(r#"{"eventId":"e","eventType":"1_a","attributes":{"eventName":"1_b","data":{}}}"#), "1_b");
    }

    #[test]
    fn an_envelope_that_contradicts_itself_keeps_both_words() {
        let (id, _, _, text) = told(r#"{"eventId":"outer","attributes":{"eventId":"inner","eventName":"x","data":{}}}"#);
        assert_eq!(id.as_deref(), Some("outer"));
        assert!(text.contains(r#""attributes":{"eventId":"inner""#), "{text}");
    }

    #[test]
    fn the_ids_inside_data_are_never_the_events() {
        for body in [
            r#"{"eventName":"targetValueAchieved","data":{"eventId":15,"eventName":"TransactionAdd"}}"#,
            r#"{"eventType":"9_targetValueAchieved","attributes":{"data":{"eventId":15,"eventName":"TransactionAdd"}}}"#,
        ] {
            let (id, name, ..) = told(body);
            assert_eq!((id, name.as_deref()), (None, Some("targetValueAchieved")), "{body}");
        }
        let (id, name, ..) = told(r#"{"eventId":"e1","data":{"eventId":15,"eventName":"TransactionAdd"}}"#);
        assert_eq!((id.as_deref(), name), (Some("e1"), None));
    }

    #[test]
    fn everything_inside_data_is_a_wrapper() {
        let (id, name, org, _) =
            told(r#"{"data":{"eventId":"e1","eventName":"issuedalternateCurrenciesReversed","orgId":9,"loyaltyProgramId":1}}"#);
        assert_eq!((id.as_deref(), name.as_deref(), org), (Some("e1"), Some("issuedalternateCurrenciesReversed"), Some(9)));
    }

    #[test]
    fn an_object_of_unknown_shape_is_an_event_all_the_same() {
        let (id, name, org, text) = told(r#"{"hello": "world"}"#);
        assert_eq!((id, name, org, text.as_str()), (None, None, None, r#"{"hello": "world"}"#));
    }
}
