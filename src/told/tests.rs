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

#[test]
fn a_subscription_is_known_by_its_channel() {
    let state = |sms: &str, email: &str| {
        json!({"subscriptionInfo": {"subscriptions": [
            {"channel": "SMS", "priority": "BULK", "type": sms}, {"channel": "EMAIL", "priority": "BULK", "type": email}]}})
    };
    let (before, after) = (state("OPTIN", "OPTIN"), state("OPTOUT", "OPTOUT"));
    let told = Told {
        field: "SMS".to_owned(),
        kind: FieldKind::Subscription,
        source: None,
        account_id: None,
        previous: None,
        current: Some(json!("OPTOUT")),
        origin: Origin::Audit,
    };
    let changes = difference(&before, &after, &Volatile::default()).changes;
    let origins: Vec<Origin> =
        changes.iter().map(|change| origin(change, std::slice::from_ref(&told), &before, &after)).collect();
    assert_eq!(origins, [Origin::Audit, Origin::Snapshot]);
}
