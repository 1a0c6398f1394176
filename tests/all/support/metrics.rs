//! What CloudWatch would make of a function's log: the lines in its embedded metric format, read as strictly as the specification
//! allows (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use super::runtime_api::Function;
use super::wait;
use super::world::now_ms;

/// Metrics with the words of their dimension, as `Deliveries accepted`; what was counted, or how many times were measured.
pub(crate) type Totals = BTreeMap<String, u64>;

/// The name that these functions are given.
const FUNCTION: &str = "function-under-test";

/// The metric lines in a log.
pub(crate) fn lines(log: &str) -> Vec<Value> {
    log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).filter(|line| line.get("_aws").is_some()).collect()
}

/// Waits until a function has written as many metric lines, which is before its answer, but may be read after it.
pub(crate) async fn written(function: &Function, count: usize) -> Vec<Value> {
    let enough = async || Some(lines(&function.logs())).filter(|lines| lines.len() >= count);
    wait::poll(Duration::from_secs(10), enough).await.unwrap_or_else(|| panic!("no {count} lines in {}", function.logs()))
}

/// What some lines sum up to.
#[track_caller]
pub(crate) fn totals(lines: &[Value]) -> Totals {
    let mut totals = Totals::new();
    for line in lines {
        for (name, values) in read(line) {
            *totals.entry(name).or_default() += values;
        }
    }
    totals
}

/// Values of a metric without words, in all lines.
pub(crate) fn values(lines: &[Value], name: &str) -> Vec<u64> {
    let all = lines.iter().filter_map(|line| line.get(name));
    all.flat_map(|value| value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]))
        .map(|value| value.as_u64().unwrap_or_else(|| panic!("{value} of {name}")))
        .collect()
}

#[track_caller]
fn read(line: &Value) -> Totals {
    let members = line.as_object().expect("an object");
    let metadata = members["_aws"].as_object().expect("metadata");
    let age_ms = now_ms().abs_diff(metadata["Timestamp"].as_u64().expect("milliseconds since 1970"));
    assert!(age_ms < 10 * 60 * 1000, "not of now: {line}");
    let mut known = BTreeSet::from(["_aws", "level", "timestamp"]);
    let mut totals = Totals::new();
    for directive in metadata["CloudWatchMetrics"].as_array().expect("directives") {
        assert_eq!(directive.as_object().expect("a directive").len(), 3, "members that the specification does not know: {line}");
        assert_eq!(directive["Namespace"], "CapillaryEvents");
        let sets = directive["Dimensions"].as_array().expect("sets of dimensions");
        assert_eq!(sets.len(), 1, "each set is billed: {line}");
        let mut words = Vec::new();
        for dimension in sets[0].as_array().expect("a set of dimensions") {
            let dimension = dimension.as_str().expect("a member's name");
            known.insert(dimension);
            words.push(members[dimension].as_str().unwrap_or_else(|| panic!("{dimension} is no text in {line}")));
        }
        assert_eq!(words.remove(0), FUNCTION);
        for metric in directive["Metrics"].as_array().expect("metrics") {
            let name = metric["Name"].as_str().expect("a name");
            known.insert(name);
            let count = match (metric["Unit"].as_str(), &members[name]) {
                (Some("Count"), value) => value.as_u64().expect("a count"),
                (Some("Milliseconds"), Value::Array(values)) => {
                    assert!((1..=100).contains(&values.len()) && values.iter().all(Value::is_u64), "{line}");
                    u64::try_from(values.len()).expect("a few")
                }
                (Some("Milliseconds"), Value::Number(_)) => 1,
                other => panic!("{name}: {other:?}"),
            };
            let key = [&[name], words.as_slice()].concat().join(" ");
            assert!(totals.insert(key, count).is_none(), "{name} twice: {line}");
        }
    }
    // Words of a dimension are compared by whoever sums up; so nothing in a line goes unread.
    for (name, value) in members {
        assert!(known.contains(name.as_str()), "{name}, of which nobody tells: {line}");
        assert!(name != "level" || value == "INFO", "{line}");
    }
    totals
}
