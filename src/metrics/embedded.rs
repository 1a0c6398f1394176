//! CloudWatch's embedded metric format: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>.

use serde::{Serialize, Serializer, ser::SerializeMap};

use super::{Collected, Definition};
use crate::clock::rfc3339;

/// The namespace of all metrics.
const NAMESPACE: &str = "CapillaryEvents";
/// The dimension that all metrics have.
const FUNCTION: &str = "Function";
/// So many values may a metric have in one line.
const MAX_VALUES: usize = 100;

/// A line while it is filled: each metric with its values. As JSON: the members that CloudWatch is pointed at, and the pointers; with
/// level and time as the log's lines have them, since Lambda gives lines without them its own.
struct Line<'a> {
    function: &'a str,
    now_ms: i64,
    metrics: Vec<(Definition, &'a [u64])>,
}

/// What points CloudWatch at the members.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Pointers<'a> {
    timestamp: i64,
    cloud_watch_metrics: Vec<Directive<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Directive<'a> {
    namespace: &'static str,
    dimensions: [Dimensions<'a>; 1],
    metrics: [Pointer<'a>; 1],
}

#[derive(Serialize)]
#[serde(untagged)]
enum Dimensions<'a> {
    Function([&'a str; 1]),
    FunctionAnd([&'a str; 2]),
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Pointer<'a> {
    name: &'a str,
    unit: &'a str,
}

/// What was collected as text, in as few lines as its words and the number of its values allow: a dimension has one value in a line.
pub(super) fn lines(function: &str, collected: &Collected, now_ms: i64) -> String {
    let mut lines: Vec<Line<'_>> = Vec::new();
    for (metric, values) in collected {
        for values in values.chunks(MAX_VALUES) {
            let definition = metric.definition();
            match lines.iter_mut().find(|line| line.has_room_for(&definition)) {
                Some(line) => line.metrics.push((definition, values)),
                None => lines.push(Line { function, now_ms, metrics: vec![(definition, values)] }),
            }
        }
    }
    // There is nothing in a line that could not be written.
    lines.iter().filter_map(|line| Some(serde_json::to_string(line).ok()? + "\n")).collect()
}

impl Line<'_> {
    fn has_room_for(&self, definition: &Definition) -> bool {
        self.metrics.iter().all(|(known, _)| {
            let same_dimension = known.dimension.zip(definition.dimension).filter(|((one, _), (other, _))| one == other);
            known.name != definition.name && same_dimension.is_none_or(|(one, other)| one == other)
        })
    }

    fn pointers(&self) -> Pointers<'_> {
        let directive = |(metric, _): &(Definition, &[u64])| Directive {
            namespace: NAMESPACE,
            dimensions: [match metric.dimension {
                Some((name, _)) => Dimensions::FunctionAnd([FUNCTION, name]),
                None => Dimensions::Function([FUNCTION]),
            }],
            metrics: [Pointer { name: metric.name, unit: metric.unit.as_str() }],
        };
        Pointers { timestamp: self.now_ms, cloud_watch_metrics: self.metrics.iter().map(directive).collect() }
    }
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_map(None)?;
        members.serialize_entry("level", "INFO")?;
        members.serialize_entry("timestamp", &rfc3339(self.now_ms))?;
        members.serialize_entry(FUNCTION, self.function)?;
        let mut written: Vec<&str> = Vec::new();
        for (metric, values) in &self.metrics {
            match values {
                [value] => members.serialize_entry(metric.name, value)?,
                values => members.serialize_entry(metric.name, values)?,
            }
            // Several metrics may share a dimension, which then has one value in the line.
            if let Some((name, word)) = metric.dimension.filter(|(name, _)| !written.contains(name)) {
                members.serialize_entry(name, word)?;
                written.push(name);
            }
        }
        members.serialize_entry("_aws", &self.pointers())?;
        members.end()
    }
}
