//! What changed between two states of an entity: a pure function over two JSON values.
//!
//! Changes are told as RFC 6902 operations with the value before and after. Order is no change: members of objects have none,
//! and objects in arrays are matched by what identifies them, not by their place.

use std::collections::{HashMap, HashSet};

use serde::Serialize;
use serde_json::Value;

/// One difference.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// What happened there.
    pub op: Op,
    /// Where, as a JSON Pointer (RFC 6901). An index is that of the state before; for an addition the last one is that of the state after.
    pub path: String,
    /// The value before; none for an addition. `null` is a value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// The value after; none for a removal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

/// The operations of RFC 6902 that occur here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Op {
    /// Something is there that was not.
    Add,
    /// Something is gone.
    Remove,
    /// Something is another.
    Replace,
}

/// Members by which an object in an array is known.
struct Identity {
    /// Those that it must have.
    required: &'static [&'static str],
    /// Those that tell it from others where it has them.
    optional: &'static [&'static str],
}

impl Identity {
    const fn of(required: &'static [&'static str]) -> Self {
        Self { required, optional: &[] }
    }
}

/// Best first: those of line items and payment modes, customers' profiles, subscriptions, identifiers and channels, cards, custom
/// fields.
const IDENTITIES: [Identity; 10] = [
    Identity::of(&["id"]),
    Identity { required: &["source"], optional: &["accountId"] },
    Identity { required: &["channel"], optional: &["priority", "sourceName"] },
    Identity::of(&["type", "value"]),
    Identity::of(&["key"]),
    Identity::of(&["programId"]),
    Identity::of(&["fieldName"]),
    Identity::of(&["name"]),
    Identity::of(&["code"]),
    Identity::of(&["type"]),
];

/// Fields that change by themselves: they are kept in a state, but are no change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Volatile(Vec<Vec<String>>);

impl Volatile {
    /// From names separated by commas. A name stands for a member anywhere (`autoUpdateTime`), or below another one
    /// (`attribution/modifiedDate`).
    pub fn parse(names: &str) -> Self {
        let names = names.split(',').map(str::trim).filter(|name| !name.is_empty());
        Self(names.map(|name| name.split('/').map(str::to_owned).collect()).collect())
    }

    fn holds(&self, path: &[Token<'_>], name: &str) -> bool {
        self.0.iter().any(|pattern| {
            let mut members = path.iter().rev().filter_map(Token::member);
            pattern
                .iter()
                .rev()
                .enumerate()
                .all(|(depth, wanted)| if depth == 0 { wanted == name } else { members.next() == Some(wanted) })
        })
    }
}

/// A step of a path.
#[derive(Debug, Clone, Copy)]
enum Token<'a> {
    Member(&'a str),
    Index(usize),
}

impl<'a> Token<'a> {
    fn member(&self) -> Option<&'a str> {
        match self {
            Self::Member(name) => Some(name),
            Self::Index(_) => None,
        }
    }
}

/// What came of a comparison.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Difference {
    /// What must be done to the state before to get the state after. Applied in their order, the operations are valid: within an
    /// array first what changes in place, then removals from the end, then additions.
    pub changes: Vec<Change>,
    /// The state after with matched arrays in the order in which those operations leave them, where that is another than the one
    /// it came in. Whoever remembers this one can go on with the next difference's indices.
    pub rearranged: Option<Value>,
}

/// Compares two states of an entity.
pub fn difference(before: &Value, after: &Value, volatile: &Volatile) -> Difference {
    let mut comparison = Comparison { volatile, path: Vec::new(), found: Vec::new(), reordered: false };
    comparison.values(before, after);
    let rearranged = comparison.reordered.then(|| rearranged(before, after));
    Difference { changes: comparison.found, rearranged }
}

struct Comparison<'a> {
    volatile: &'a Volatile,
    path: Vec<Token<'a>>,
    found: Vec<Change>,
    /// Whether elements that are in both states stand in another order.
    reordered: bool,
}

impl<'a> Comparison<'a> {
    fn values(&mut self, before: &'a Value, after: &'a Value) {
        match (before, after) {
            (Value::Object(before), Value::Object(after)) => {
                for (name, old) in before {
                    match after.get(name) {
                        Some(new) => self.member(name, |comparison| comparison.values(old, new)),
                        None => self.member(name, |comparison| comparison.push(Op::Remove, Some(old), None)),
                    }
                }
                for (name, new) in after.iter().filter(|(name, _)| !before.contains_key(*name)) {
                    self.member(name, |comparison| comparison.push(Op::Add, None, Some(new)));
                }
            }
            (Value::Array(before), Value::Array(after)) => self.arrays(before, after),
            (before, after) if same_scalar(before, after) => {}
            (before, after) => self.push(Op::Replace, Some(before), Some(after)),
        }
    }

    fn arrays(&mut self, before: &'a [Value], after: &'a [Value]) {
        let pairs = pairs(before, after);
        for (old, new) in &pairs {
            if let (Some(old_value), Some(new_value)) = (before.get(*old), after.get(*new)) {
                self.element(*old, |comparison| comparison.values(old_value, new_value));
            }
        }
        self.reordered |= !pairs.is_sorted_by_key(|(_, new)| *new);
        let (kept, told): (HashSet<usize>, HashSet<usize>) = pairs.into_iter().unzip();
        for (index, old) in before.iter().enumerate().rev().filter(|(index, _)| !kept.contains(index)) {
            self.element(index, |comparison| comparison.push(Op::Remove, Some(old), None));
        }
        for (index, new) in after.iter().enumerate().filter(|(index, _)| !told.contains(index)) {
            self.element(index, |comparison| comparison.push(Op::Add, None, Some(new)));
        }
    }

    fn member(&mut self, name: &'a str, compare: impl FnOnce(&mut Self)) {
        if !self.volatile.holds(&self.path, name) {
            self.step(Token::Member(name), compare);
        }
    }

    fn element(&mut self, index: usize, compare: impl FnOnce(&mut Self)) {
        self.step(Token::Index(index), compare);
    }

    fn step(&mut self, token: Token<'a>, compare: impl FnOnce(&mut Self)) {
        self.path.push(token);
        compare(self);
        self.path.pop();
    }

    fn push(&mut self, op: Op, before: Option<&Value>, after: Option<&Value>) {
        self.found.push(Change { op, path: pointer(&self.path), before: before.cloned(), after: after.cloned() });
    }
}

/// `after`, its arrays in the order in which the operations that lead there from `before` leave them.
fn rearranged(before: &Value, after: &Value) -> Value {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            let arranged = |(name, new): (&String, &Value)| {
                (name.clone(), before.get(name).map_or_else(|| new.clone(), |old| rearranged(old, new)))
            };
            Value::Object(after.iter().map(arranged).collect())
        }
        (Value::Array(before), Value::Array(after)) => {
            let pairs = pairs(before, after);
            let told: HashSet<usize> = pairs.iter().map(|(_, new)| *new).collect();
            let mut elements: Vec<Value> =
                pairs.iter().filter_map(|(old, new)| Some(rearranged(before.get(*old)?, after.get(*new)?))).collect();
            for (index, new) in after.iter().enumerate().filter(|(index, _)| !told.contains(index)) {
                elements.insert(index.min(elements.len()), new.clone());
            }
            Value::Array(elements)
        }
        (_, after) => after.clone(),
    }
}

/// Which element of `before` is which of `after`: by identity where all elements have one. Else objects that are the same belong
/// together, and what is left belongs together by place.
fn pairs(before: &[Value], after: &[Value]) -> Vec<(usize, usize)> {
    for identity in &IDENTITIES {
        if let (Some(_), Some(places)) = (by_identity(before, identity), by_identity(after, identity)) {
            let place = |value: &Value| places.get(&identity_of(value, identity)?).copied();
            return before.iter().enumerate().filter_map(|(index, value)| Some((index, place(value)?))).collect();
        }
    }
    let (mut pairs, mut old, mut new) = (Vec::new(), Vec::from_iter(0..before.len()), Vec::from_iter(0..after.len()));
    if before.iter().chain(after).all(Value::is_object) {
        let mut places: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, element) in after.iter().enumerate().rev() {
            places.entry(element.to_string()).or_default().push(index);
        }
        for (index, element) in before.iter().enumerate() {
            pairs.extend(places.get_mut(&element.to_string()).and_then(Vec::pop).map(|place| (index, place)));
        }
        let (matched_old, matched_new): (HashSet<usize>, HashSet<usize>) = pairs.iter().copied().unzip();
        old.retain(|index| !matched_old.contains(index));
        new.retain(|index| !matched_new.contains(index));
    }
    pairs.extend(old.into_iter().zip(new));
    pairs.sort_unstable();
    pairs
}

/// The places of elements by their identities; none if one has none or shares it with another.
fn by_identity(elements: &[Value], identity: &Identity) -> Option<HashMap<Vec<String>, usize>> {
    let mut places = HashMap::new();
    for (index, element) in elements.iter().enumerate() {
        if places.insert(identity_of(element, identity)?, index).is_some() {
            return None;
        }
    }
    Some(places)
}

fn identity_of(element: &Value, identity: &Identity) -> Option<Vec<String>> {
    let word = |name: &&str| match element.get(*name)? {
        Value::String(text) => Some(format!("\"{text}")),
        Value::Number(number) => Some(decimal(&number.to_string())),
        _ => None,
    };
    let mut words = identity.required.iter().map(word).collect::<Option<Vec<String>>>()?;
    words.extend(identity.optional.iter().map(|name| word(name).unwrap_or_default()));
    Some(words)
}

/// Whether two values that are not both objects or both arrays are the same: `1` is `1.0`, but `"1"` is not `1`.
pub(crate) fn same_scalar(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => decimal(&one.to_string()) == decimal(&other.to_string()),
        (one, other) => one == other,
    }
}

/// A number's text in one form for each value: sign, digits without zeros at either end, power of ten.
fn decimal(text: &str) -> String {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let Ok(exponent) = exponent.parse::<i64>() else { return text.to_owned() };
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_end_matches('0');
    let zeros = i64::try_from(digits.len() - significant.len()).unwrap_or(i64::MAX);
    let power = exponent.saturating_add(zeros).saturating_sub(i64::try_from(fraction.len()).unwrap_or(i64::MAX));
    match significant.trim_start_matches('0') {
        "" => "0".to_owned(),
        significant => format!("{sign}{significant}e{power}"),
    }
}

/// A member's name as it stands in a JSON Pointer (RFC 6901).
pub(crate) fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// RFC 6901.
fn pointer(path: &[Token<'_>]) -> String {
    path.iter()
        .map(|token| match token {
            Token::Member(name) => format!("/{}", escaped(name)),
            Token::Index(index) => format!("/{index}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
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
        assert_eq!(
            serde_json::to_string(&change).unwrap(),
            r#"{"op":"replace","path":"","before":9007199254740993,"after":3.000}"#
        );
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
        let profiles = |first: &str, second: &str| json!([{"source": first, "x": first}, {"source": second, "accountId": null, "x": second}]);
        assert!(told(&profiles("INSTORE", "WECHAT"), &profiles("INSTORE", "WECHAT")).is_empty());
        let before = json!([{"channel": "SMS", "priority": "BULK", "type": "OPTIN"}, {"channel": "SMS", "priority": "TRANS", "type": "OPTOUT"}]);
        let after = json!([{"channel": "SMS", "priority": "TRANS", "type": "OPTIN"}, {"channel": "SMS", "priority": "BULK", "type": "OPTOUT"}]);
        let expected = [(Op::Replace, "/0/type".to_owned()), (Op::Replace, "/1/type".to_owned())];
        assert_eq!(told(&before, &after), expected);
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
}
