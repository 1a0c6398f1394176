mod card;
mod expiry;
mod subscriptions;
mod tiers;

use super::*;
use crate::{
    change::{Volatile, difference},
    event::Event,
};
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
    told_by("customerUpdated", &data)
}

/// What an event of a name tells with its `data`.
fn told_by(name: &str, data: &Value) -> Vec<Told> {
    let body = json!({"eventName": name, "data": data}).to_string();
    by_event(&Event::parse(body.as_bytes()).unwrap())
}

/// Path to origin of each difference between two bodies, sorted.
fn origins(told: &[Told], kind: Kind, before: &Value, after: &Value) -> Vec<(String, Origin)> {
    let changes = difference(before, after, &Volatile::default()).changes;
    let mut origins: Vec<(String, Origin)> =
        changes.iter().map(|change| (change.path.clone(), origin(change, told, kind, before, after))).collect();
    origins.sort_by(|one, other| one.0.cmp(&other.0));
    origins
}

/// Those of them that an event tells.
fn by_events(told: &[Told], kind: Kind, before: &Value, after: &Value) -> Vec<String> {
    let origins = origins(told, kind, before, after);
    origins.into_iter().filter(|(_, origin)| *origin == Origin::Event).map(|(path, _)| path).collect()
}

/// Path, value before and after of what is told at first sight.
fn at_first_sight(told: &[Told], kind: Kind, body: &Value) -> Vec<Value> {
    shown(told, kind, body).into_iter().map(|(change, _)| json!([change.path, change.before, change.after])).collect()
}

/// A body with members changed, by JSON Pointer.
fn with(body: &Value, members: &[(&str, Value)]) -> Value {
    let mut body = body.clone();
    for (pointer, value) in members {
        let (parent, member) = pointer.rsplit_once('/').unwrap();
        match body.pointer_mut(parent).unwrap() {
            Value::Array(elements) => elements[member.parse::<usize>().unwrap()] = value.clone(),
            parent => parent[member] = value.clone(),
        }
    }
    body
}

fn field(kind: &str, name: &str, previous: &str, current: &str) -> Value {
    json!({"fieldName": name, "previousValue": previous, "currentValue": current, "source": "INSTORE", "fieldType": kind})
}

fn shown_paths(fields: &Value) -> Vec<String> {
    shown(&told(fields, &json!({})), Kind::Customer, &customer()).into_iter().map(|(change, _)| change.path).collect()
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
    let added =
        shown(&told(&json!([field("CustomField", "city", "NA", "Kochi")]), &json!({})), Kind::Customer, &customer()).remove(0);
    assert_eq!((added.0.op, added.0.before, added.1), (Op::Add, None, Origin::Event));
}

#[test]
fn a_status_is_told_by_its_word_and_by_its_label() {
    let status = json!({"customerStatus": {"previousStatus": "ACTIVE", "currentStatus": "ACTIVE", "previousLabel": "Silver", "currentLabel": "Gold"}});
    let changes = shown(&told(&json!([]), &status), Kind::Customer, &customer());
    assert_eq!((changes.len(), changes[0].0.path.as_str(), &changes[0].0.before), (1, "/statusLabel", &Some(json!("Silver"))));
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
    let origins: Vec<(String, Op, Origin)> = changes
        .iter()
        .map(|change| (change.path.clone(), change.op, origin(change, &told, Kind::Customer, &before, &after)))
        .collect();
    let expected = [
        ("/extendedFields/age_group", Op::Replace, Origin::Snapshot),
        ("/profiles/0/fields/city", Op::Replace, Origin::Snapshot),
        ("/profiles/1/fields/city", Op::Replace, Origin::Event),
        ("/profiles/1/identifiers/0", Op::Remove, Origin::Event),
        ("/profiles/1/identifiers/0", Op::Add, Origin::Event),
    ];
    assert_eq!(origins, expected.map(|(path, op, origin)| (path.to_owned(), op, origin)));
}

#[test]
fn the_first_extended_fields_come_with_their_map() {
    let before = json!({"id": 1});
    let after = |city: &str| json!({"id": 1, "extendedFields": {"city": city, "age_group": 30}});
    let told = told(
        &json!([field("ExtendedField", "city", "NA", "Porto"), field("ExtendedField", "age_group", "NA", "30")]),
        &json!({}),
    );
    assert_eq!(origins(&told, Kind::Customer, &before, &after("Porto")), [("/extendedFields".to_owned(), Origin::Event)]);
    assert_eq!(origins(&told, Kind::Customer, &before, &after("Faro")), [("/extendedFields".to_owned(), Origin::Snapshot)]);
    let null = json!({"id": 1, "extendedFields": null});
    assert_eq!(origins(&told, Kind::Customer, &null, &after("Porto")), [("/extendedFields".to_owned(), Origin::Event)]);
    assert_eq!(origins(&told, Kind::Customer, &after("Porto"), &null), [("/extendedFields".to_owned(), Origin::Snapshot)]);
    let gone = ["city", "age_group"].map(|name| field("ExtendedField", name, "x", "NA"));
    let gone = self::told(&json!(gone), &json!({}));
    assert_eq!(by_events(&gone, Kind::Customer, &after("Porto"), &null), ["/extendedFields"]);
    assert_eq!(by_events(&gone, Kind::Customer, &after("Porto"), &before), ["/extendedFields"]);
    let scalar = json!({"id": 1, "extendedFields": "none"});
    assert_eq!(origins(&told, Kind::Customer, &scalar, &after("Porto")), [("/extendedFields".to_owned(), Origin::Snapshot)]);
    let nothing_in_it = json!({"id": 1, "extendedFields": {}});
    assert_eq!(origins(&told, Kind::Customer, &before, &nothing_in_it), [("/extendedFields".to_owned(), Origin::Snapshot)]);
}

#[test]
fn a_time_is_known_in_any_of_its_forms() {
    let told = told(&json!([field("ExtendedField", "wedding_date", "NA", "Tue Mar 04 15:27:00 GMT 2025")]), &json!({}));
    let before = json!({"extendedFields": {}});
    for (found, is_it) in [
        (json!("2025-03-04T20:57:00+05:30"), true),
        (json!("2025-03-04 15:27:00.0"), true),
        (json!("2025-03-04"), true),
        (json!(1_741_102_020_000_i64), true),
        (json!("2025-03-04T15:28:00Z"), false),
        (json!("2025-03-05"), false),
        (json!(null), false),
    ] {
        let after = json!({"extendedFields": {"wedding_date": found}});
        assert_eq!(!by_events(&told, Kind::Customer, &before, &after).is_empty(), is_it, "{after}");
        assert_eq!(!shown(&told, Kind::Customer, &after).is_empty(), is_it, "{after}");
    }
}

#[test]
fn what_is_told_of_one_kind_of_entity_says_nothing_of_another() {
    let told = told(&json!([field("ExtendedField", "city", "NA", "Porto")]), &json!({}));
    let (before, after) = (json!({"extendedFields": {}}), json!({"extendedFields": {"city": "Porto"}}));
    assert_eq!(by_events(&told, Kind::Customer, &before, &after), ["/extendedFields/city"]);
    assert!(by_events(&told, Kind::Transaction, &before, &after).is_empty());
    assert!(shown(&told, Kind::Transaction, &after).is_empty());
}

#[test]
fn only_some_events_tell_and_only_two_have_an_audit_log() {
    let fields = json!({"updatedFields": [field("", "city", "a", "b")], "previousTierNumber": 1, "upgradedTierNumber": 2});
    for (name, tells) in [
        ("customerUpdated", true),
        ("CUSTOMERUPDATED", true),
        ("tierUpgraded", true),
        ("requestUpdated", false),
        ("tierDowngradeReminder", false),
    ] {
        assert_eq!(!told_by(name, &fields).is_empty(), tells, "{name}");
    }
    let asks = |name: &str| asks_audits(&Event::parse(json!({ "eventName": name }).to_string().as_bytes()).unwrap());
    assert_eq!((asks("customerUpdated"), asks("cardupdated")), (Some(Kind::Customer), Some(Kind::Card)));
    assert_eq!((asks("tierUpgraded"), asks("")), (None, None));
}

#[test]
fn nonsense_tells_nothing() {
    for name in TELLING {
        for nonsense in
            [json!(null), json!(7), json!("x"), json!([]), json!([7, null, {}, [{}]]), json!({}), json!({"tiers": 7, "id": {}})]
        {
            let members = [
                "updatedFields",
                "customerStatus",
                "subscriptions",
                "previousStatusLabel",
                "currentExtendedFields",
                "previousCustomFields",
                "loyaltyProgramDetails",
                "updatedPointsExpiry",
                "updatedPointsExpiryBreakup",
            ];
            let data: Value = members.iter().map(|member| ((*member).to_owned(), nonsense.clone())).collect();
            for told in told_by(name, &data) {
                assert!(shown(std::slice::from_ref(&told), told.about, &customer()).is_empty(), "{name} {nonsense}");
            }
        }
        assert!(told_by(name, &json!({})).is_empty(), "{name}");
    }
}

const TELLING: [&str; 8] = [
    "customerUpdated",
    "customerSubscription",
    "cardUpdated",
    "tierUpgraded",
    "tierDowngraded",
    "tierRenewed",
    "singlePointsExpiryUpdated",
    "pointsExpiryChange",
];
