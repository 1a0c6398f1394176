//! CloudWatch's embedded metric format: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>.

use serde_json::{Map, Value, json};

use super::{Collected, Definition};
use crate::clock::rfc3339;

/// The namespace of all metrics.
const NAMESPACE: &str = "CapillaryEvents";
/// The dimension that all metrics have.
const FUNCTION: &str = "Function";
/// So many values may a metric have in one line.
const MAX_VALUES: usize = 100;

/// A line while it is filled: the members that CloudWatch is pointed at, and the pointers.
#[derive(Default)]
struct Line {
    members: Map<String, Value>,
    directives: Vec<Value>,
}

/// What was collected as text, in as few lines as its words and the number of its values allow: a dimension has one value in a line.
pub(super) fn lines(function: &str, collected: &Collected, now_ms: i64) -> String {
    let mut lines: Vec<Line> = Vec::new();
    for (metric, values) in collected {
        let definition = metric.definition();
        for values in values.chunks(MAX_VALUES) {
            if let Some(line) = lines.iter_mut().find(|line| line.has_room_for(&definition)) {
                line.add(&definition, values);
            } else {
                let mut line = Line::default();
                line.add(&definition, values);
                lines.push(line);
            }
        }
    }
    lines.into_iter().map(|line| line.into_text(function, now_ms)).collect()
}

impl Line {
    fn has_room_for(&self, definition: &Definition) -> bool {
        let is_free = |(name, word): (&str, &str)| self.members.get(name).is_none_or(|known| known == word);
        !self.members.contains_key(definition.name) && definition.dimension.is_none_or(is_free)
    }

    fn add(&mut self, definition: &Definition, values: &[u64]) {
        let value = if let [value] = values { Value::from(*value) } else { Value::from(values) };
        self.members.insert(definition.name.to_owned(), value);
        let mut dimensions = vec![FUNCTION];
        if let Some((name, word)) = definition.dimension {
            self.members.insert(name.to_owned(), Value::from(word));
            dimensions.push(name);
        }
        self.directives.push(json!({
            "Namespace": NAMESPACE,
            "Dimensions": [dimensions],
            "Metrics": [{"Name": definition.name, "Unit": definition.unit.as_str()}],
        }));
    }

    /// With level and time as the log's lines have them: Lambda gives lines without them its own.
    fn into_text(self, function: &str, now_ms: i64) -> String {
        let mut line = self.members;
        line.insert("_aws".to_owned(), json!({"Timestamp": now_ms, "CloudWatchMetrics": self.directives}));
        line.insert(FUNCTION.to_owned(), Value::from(function));
        line.insert("timestamp".to_owned(), Value::from(rfc3339(now_ms)));
        line.insert("level".to_owned(), Value::from("INFO"));
        format!("{}\n", Value::Object(line))
    }
}
