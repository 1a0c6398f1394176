//! Which element of an array is which in another state of it.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

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

/// Best first: those of line items, payment modes and cards, customers' profiles, subscriptions, identifiers and channels, promotional
/// points, programmes, members of groups, custom fields.
const IDENTITIES: [Identity; 12] = [
    Identity::of(&["id"]),
    Identity { required: &["source"], optional: &["accountId"] },
    Identity { required: &["channel"], optional: &["priority", "sourceName"] },
    Identity::of(&["type", "value"]),
    Identity::of(&["key"]),
    Identity { required: &["issuedOn"], optional: &["programId", "promotionName"] },
    Identity::of(&["programId"]),
    Identity::of(&["userId"]),
    Identity::of(&["fieldName"]),
    Identity::of(&["name"]),
    Identity::of(&["code"]),
    Identity::of(&["type"]),
];

/// Which element of `before` is which of `after`: by identity where all elements have one. Else objects that are the same belong
/// together, and what is left belongs together by place.
pub(super) fn pairs(before: &[Value], after: &[Value]) -> Vec<(usize, usize)> {
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

/// A number's text in one form for each value: sign, digits without zeros at either end, power of ten.
pub(super) fn decimal(text: &str) -> String {
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
