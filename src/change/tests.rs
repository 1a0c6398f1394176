use super::*;
use proptest::prelude::*;
use serde_json::json;

fn told(before: &Value, after: &Value) -> Vec<(Op, String)> {
    difference(before, after, &Volatile::default()).changes.into_iter().map(|change| (change.op, change.path)).collect()
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_renamed_customer() {
    let before = json!({"id": 1, "profiles": [{"firstName": "Ana", "source": "INSTORE", "accountId": ""}]});
    let after = json!({"id": 1, "profiles": [{"firstName": "Anna", "source": "INSTORE", "accountId": ""}]});
    let change = difference(&before, &after, &Volatile::default()).changes.remove(0);
    assert_eq!(
        serde_json::to_value(change).unwrap(),
        json!({"op": "replace", "path": "/profiles/0/firstName", "before": "Ana", "after": "Anna"})
    );
}

#[test]
fn null_is_a_value_and_not_absence() {
    let change = |before: &str, after: &str| {
        serde_json::to_value(difference(&parse(before), &parse(after), &Volatile::default()).changes).unwrap()
    };
    assert_eq!(change(r#"{"a":null}"#, "{}"), json!([{"op": "remove", "path": "/a", "before": null}]));
    assert_eq!(change("{}", r#"{"a":null}"#), json!([{"op": "add", "path": "/a", "after": null}]));
    assert_eq!(change(r#"{"a":null}"#, r#"{"a":1}"#), json!([{"op": "replace", "path": "/a", "before": null, "after": 1}]));
}

#[test]
fn numbers_are_compared_by_value_and_told_by_text() {
    for (one, other) in [("1", "1.0"), ("0", "-0.00"), ("1e2", "100"), ("1.50", "15e-1"), ("1E400", "10e399")] {
        assert!(told(&parse(one), &parse(other)).is_empty(), "{one} {other}");
    }
    for (one, other) in
        [("9007199254740992", "9007199254740993"), ("1", "-1"), ("1", "\"1\""), ("\"3.000\"", "\"3.0\""), ("1e1", "1e2")]
    {
        assert_eq!(told(&parse(one), &parse(other)).len(), 1, "{one} {other}");
    }
    let change = difference(&parse("9007199254740993"), &parse("3.000"), &Volatile::default()).changes.remove(0);
    assert_eq!(serde_json::to_string(&change).unwrap(), r#"{"op":"replace","path":"","before":9007199254740993,"after":3.000}"#);
}

#[test]
fn objects_in_arrays_are_known_by_what_identifies_them() {
    let items = |items: Value| json!({ "lineItems": items });
    let (one, two, three) = (json!({"id": 1, "qty": 1}), json!({"id": 2, "qty": 1}), json!({"id": 3, "qty": 1}));
    assert!(told(&items(json!([one, two])), &items(json!([two, one]))).is_empty());
    assert_eq!(told(&items(json!([one, two])), &items(json!([two]))), [(Op::Remove, "/lineItems/0".into())]);
    assert_eq!(
        told(&items(json!([two])), &items(json!([three, one, two]))),
        [(Op::Add, "/lineItems/0".into()), (Op::Add, "/lineItems/1".into())]
    );
    assert_eq!(
        told(&items(json!([one, two])), &items(json!([{"id": 2, "qty": 5}, one]))),
        [(Op::Replace, "/lineItems/1/qty".into())]
    );
    let identifiers = |value: &str| json!([{"type": "mobile", "value": "1"}, {"type": "email", "value": value}]);
    assert_eq!(told(&identifiers("a"), &identifiers("b")), [(Op::Remove, "/1".into()), (Op::Add, "/1".into())]);
}

#[test]
fn a_part_of_an_identity_may_be_missing() {
    let profiles =
        |first: &str, second: &str| json!([{"source": first, "x": first}, {"source": second, "accountId": null, "x": second}]);
    assert!(told(&profiles("INSTORE", "WECHAT"), &profiles("INSTORE", "WECHAT")).is_empty());
    let before = json!([{"channel": "SMS", "priority": "BULK", "type": "OPTIN"}, {"channel": "SMS", "priority": "TRANS", "type": "OPTOUT"}]);
    let after = json!([{"channel": "SMS", "priority": "TRANS", "type": "OPTIN"}, {"channel": "SMS", "priority": "BULK", "type": "OPTOUT"}]);
    let expected = [(Op::Replace, "/0/type".to_owned()), (Op::Replace, "/1/type".to_owned())];
    assert_eq!(told(&before, &after), expected);
}

#[test]
fn promotional_points_are_known_by_when_they_were_issued() {
    let award = |issued: &str, expiry: &str| json!({"points": 2.0, "issuedOn": issued, "expiryDate": expiry, "programId": 4708});
    let before = json!([award("2020-05-03", "2021-05-23"), award("2020-03-22", "2021-03-23")]);
    let after = json!([award("2020-03-22", "2021-04-23")]);
    assert_eq!(told(&before, &after), [(Op::Replace, "/1/expiryDate".into()), (Op::Remove, "/0".into())]);
    let another = json!([award("2020-06-01", "2021-04-23")]);
    assert_eq!(told(&after, &another), [(Op::Remove, "/0".into()), (Op::Add, "/0".into())], "of the same programme, but others");
}

#[test]
fn a_groups_members_are_known_by_their_ids() {
    let member =
        |id: u32, is_active: bool| json!({"userId": id, "groupId": 48_015, "primaryMember": id == 1, "active": is_active});
    let (before, after) =
        (json!([member(1, true), member(2, true)]), json!([member(3, true), member(2, false), member(1, true)]));
    assert_eq!(told(&before, &after), [(Op::Replace, "/1/active".into()), (Op::Add, "/0".into())]);
    assert_eq!(told(&before, &json!([member(2, true)])), [(Op::Remove, "/0".into())]);
}

#[test]
fn a_cards_lists_and_maps() {
    let card = |actions: Value, fields: Value| json!({"id": 328_623, "customFields": fields, "statusInfo": {"actions": actions, "label": "ACTIVE"}});
    let before = card(json!([{"name": "a", "value": 1}, {"name": "b", "value": 2}]), json!({"state": "Kerala"}));
    let after = card(json!([{"name": "b", "value": 3}, {"name": "a", "value": 1}]), json!({"state": "Kerala", "pin": 1}));
    assert_eq!(
        told(&before, &after),
        [(Op::Add, "/customFields/pin".into()), (Op::Replace, "/statusInfo/actions/1/value".into())]
    );
}

#[test]
fn a_set_of_objects_without_identity_has_no_order() {
    assert!(told(&json!([{"a": 1}, {"b": 2}, {"a": 1}]), &json!([{"b": 2}, {"a": 1}, {"a": 1}])).is_empty());
    assert_eq!(told(&json!([{"a": 1}, {"b": 2}]), &json!([{"b": 2}, {"a": 3}])), [(Op::Replace, "/0/a".into())]);
    assert_eq!(told(&json!(["a", "b"]), &json!(["b", "a"])).len(), 2, "a list of texts may have one");
}

#[test]
fn an_order_that_no_change_tells_is_not_taken_over() {
    let (one, two, three) = (json!({"id": 1}), json!({"id": 2, "x": 1}), json!({"id": 3}));
    let moved = difference(&json!([one, two]), &json!([{"id": 2, "x": 9}, three, one]), &Volatile::default());
    assert_eq!(moved.rearranged, Some(json!([one, three, {"id": 2, "x": 9}])));
    assert_eq!(difference(&json!([one, two]), &json!([three, one, two]), &Volatile::default()).rearranged, None);
}

#[test]
fn what_has_no_identity_is_known_by_its_place() {
    assert_eq!(
        told(&json!([{"id": 1}, {"id": 1, "x": 1}]), &json!([{"id": 1}, {"id": 1, "x": 2}])),
        [(Op::Replace, "/1/x".into())]
    );
    assert_eq!(told(&json!(["a", "b", "c"]), &json!(["a", "x"])), [(Op::Replace, "/1".into()), (Op::Remove, "/2".into())]);
}

#[test]
fn names_are_escaped_in_paths() {
    assert_eq!(told(&json!({"a/b": {"c~d": 1}}), &json!({"a/b": {"c~d": 2}})), [(Op::Replace, "/a~1b/c~0d".into())]);
}

#[test]
fn fields_that_change_by_themselves_are_no_change() {
    let volatile = Volatile::parse("autoUpdateTime, attribution/modifiedDate");
    let state = |time: u32, date: u32| json!({"autoUpdateTime": time, "modifiedDate": 1, "profiles": [{"autoUpdateTime": time, "attribution": {"modifiedDate": date, "x": 1}}]});
    assert!(difference(&state(1, 1), &state(2, 2), &volatile).changes.is_empty());
    let told = difference(&json!({"modifiedDate": 1}), &json!({"modifiedDate": 2}), &volatile).changes;
    assert_eq!(told[0].path, "/modifiedDate");
}

/// Applies one operation as RFC 6902 says.
fn apply(state: &mut Value, change: &Change) {
    let Some((parent, last)) = change.path.rsplit_once('/') else {
        *state = change.after.clone().unwrap();
        return;
    };
    let last = last.replace("~1", "/").replace("~0", "~");
    match (state.pointer_mut(parent).unwrap(), change.op) {
        (Value::Object(members), Op::Remove) => assert_eq!(members.remove(&last), change.before),
        (Value::Object(members), _) => drop(members.insert(last, change.after.clone().unwrap())),
        (Value::Array(elements), Op::Add) => elements.insert(last.parse().unwrap(), change.after.clone().unwrap()),
        (Value::Array(elements), Op::Remove) => assert_eq!(Some(elements.remove(last.parse().unwrap())), change.before),
        (Value::Array(elements), Op::Replace) => elements[last.parse::<usize>().unwrap()] = change.after.clone().unwrap(),
        (other, _) => panic!("{other} has no members"),
    }
}

fn state() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3..3_i64).prop_map(Value::from),
        "[a-c]{0,2}".prop_map(Value::from)
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-c~/]{1,2}", inner.clone(), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
            prop::collection::btree_map(0..5_u32, inner, 0..5)
                .prop_map(|items| { items.into_iter().map(|(id, value)| json!({"id": id, "value": value})).collect() }),
        ]
    })
}

/// JSON text in which all objects have their members the other way round.
fn with_members_reversed(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| format!("{}:{}", json!(name), with_members_reversed(value));
            format!("{{{}}}", members.iter().rev().map(member).collect::<Vec<_>>().join(","))
        }
        Value::Array(elements) => format!("[{}]", elements.iter().map(with_members_reversed).collect::<Vec<_>>().join(",")),
        other => other.to_string(),
    }
}

proptest! {
    #[test]
    fn applying_the_changes_to_before_gives_after(before in state(), after in state()) {
        let difference = difference(&before, &after, &Volatile::default());
        let mut replayed = before.clone();
        for change in &difference.changes {
            apply(&mut replayed, change);
        }
        prop_assert_eq!(told(&replayed, &after), []);
        prop_assert_eq!(replayed, difference.rearranged.unwrap_or(after), "also in the order of arrays");
    }

    #[test]
    fn the_order_of_members_is_no_change(state in state(), other in state()) {
        let reversed: Value = serde_json::from_str(&with_members_reversed(&state)).unwrap();
        prop_assert_eq!(told(&state, &reversed), []);
        prop_assert_eq!(told(&state, &other), told(&reversed, &other));
    }

    #[test]
    fn what_changes_by_itself_stays_as_it_was_when_changes_are_applied(before in state(), after in state()) {
        let volatile = Volatile::parse("a,b/c");
        let mut replayed = before.clone();
        for change in difference(&before, &after, &volatile).changes {
            prop_assert!(!change.path.ends_with("/a") && !change.path.ends_with("/b/c"), "{}", change.path);
            apply(&mut replayed, &change);
        }
        prop_assert_eq!(difference(&replayed, &after, &volatile).changes, []);
    }

    #[test]
    fn equal_states_have_no_changes(state in state()) {
        prop_assert_eq!(told(&state, &state.clone()), []);
    }
}
