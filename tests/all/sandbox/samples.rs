//! The documentation's samples, and whether something looks like them.

use std::path::Path;

use serde_json::Value;

/// The body of one of the deliveries in `events/receiver`.
pub(super) fn event(name: &str) -> Value {
    let delivery = read(&format!("events/receiver/{name}.json"));
    serde_json::from_str(delivery["body"].as_str().unwrap()).unwrap()
}

/// One of those beside this file: an answer of the audit API, or the largest form of an event.
pub(super) fn sample(name: &str) -> Value {
    read(&format!("tests/all/sandbox/samples/{name}.json"))
}

/// One of the answers that the sandbox fills in.
pub(super) fn answer(name: &str) -> Value {
    read(&format!("src/bin/sandbox/answers/{name}.json"))
}

fn read(path: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Both have the same members, all the way down, and values of the same types. Of lists the first elements are compared.
pub(super) fn assert_alike(found: &Value, sample: &Value) {
    let differences = unlike("", found, sample);
    assert!(differences.is_empty(), "unlike the sample at {differences:?}\nfound  {found}\nsample {sample}");
}

fn unlike(place: &str, found: &Value, sample: &Value) -> Vec<String> {
    match (found, sample) {
        (Value::Object(found), Value::Object(sample)) => {
            let names = found.keys().chain(sample.keys().filter(|name| !found.contains_key(*name)));
            let compare = |name: &String| match (found.get(name), sample.get(name)) {
                (Some(found), Some(sample)) => unlike(&format!("{place}/{name}"), found, sample),
                _ => vec![format!("{place}/{name}")],
            };
            names.flat_map(compare).collect()
        }
        (Value::Array(found), Value::Array(sample)) => match (found.first(), sample.first()) {
            (Some(found), Some(sample)) => unlike(&format!("{place}/0"), found, sample),
            _ => Vec::new(),
        },
        _ if std::mem::discriminant(found) == std::mem::discriminant(sample) => Vec::new(),
        _ => vec![place.to_owned()],
    }
}

#[test]
fn what_looks_like_the_sample_is_told_from_what_does_not() {
    use serde_json::json;
    let sample = json!({"a": 1, "b": [{"c": "text"}], "d": null});
    assert_eq!(unlike("", &json!({"a": 7, "b": [{"c": "other"}, 3], "d": null}), &sample), Vec::<String>::new());
    assert_eq!(unlike("", &json!({"a": "1", "b": [{}], "e": null}), &sample), ["/a", "/b/0/c", "/e", "/d"]);
}
