//! Metrics that alarms and the dashboard ask for: those that a function writes, a filter counts, or AWS has of a resource of the template.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{properties, resource, resources_of_type};
use crate::metrics::{ENRICHED, RECEIVED};
use crate::support::examples;

/// A metric as it is asked for. Values are written as in the template's texts: `${EventsQueue.QueueName}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Asked {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) dimensions: Vec<(String, String)>,
}

/// What AWS counts of each kind of resource.
const OF_LAMBDA: [&str; 4] = ["Errors", "Throttles", "Duration", "ConcurrentExecutions"];
const OF_SQS: [&str; 5] = [
    "ApproximateAgeOfOldestMessage",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesVisible",
    "NumberOfMessagesDeleted",
    "NumberOfMessagesSent",
];
const OF_API_GATEWAY: [&str; 4] = ["4XXError", "5XXError", "Count", "Latency"];

impl Asked {
    /// From the properties of an alarm, or of a metric in it.
    pub(super) fn of_alarm(metric: &Value) -> Self {
        let dimensions = metric["Dimensions"].as_array().into_iter().flatten();
        Self {
            namespace: text(&metric["Namespace"]),
            name: text(&metric["MetricName"]),
            dimensions: dimensions.map(|dimension| (text(&dimension["Name"]), text(&dimension["Value"]))).collect(),
        }
    }

    /// From a row of a widget: namespace, name, dimensions in turn, and perhaps options.
    pub(super) fn of_row(row: &[Value]) -> Self {
        let texts: Vec<String> = row.iter().filter(|part| part.is_string()).map(text).collect();
        let [namespace, name, dimensions @ ..] = texts.as_slice() else { panic!("no metric: {row:?}") };
        assert!(dimensions.len().is_multiple_of(2), "a dimension without a value: {row:?}");
        let dimensions = dimensions.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect();
        Self { namespace: namespace.clone(), name: name.clone(), dimensions }
    }

    /// The function of ours that counts it, and the metric with the word of its dimension: `Deliveries accepted`.
    pub(super) fn own(&self) -> Option<(&str, String)> {
        let ((_, function), words) = self.dimensions.split_first()?;
        let word = words.first().map(|(_, word)| format!(" {word}")).unwrap_or_default();
        (self.namespace == "CapillaryEvents").then(|| (function.as_str(), format!("{}{word}", self.name)))
    }

    /// There is such a metric.
    #[track_caller]
    pub(super) fn assert_known(&self) {
        let dimensions: Vec<(&str, &str)> = self.dimensions.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        match (self.namespace.as_str(), dimensions.as_slice()) {
            ("CapillaryEvents", []) => assert!(counted_by_a_filter(&self.name), "no filter counts {self:?}"),
            ("CapillaryEvents", [("Function", function), words @ ..]) => {
                let (_, metric) = self.own().expect("one of ours");
                assert!(written_by(function).contains(&metric), "{function} does not write {metric}");
                let names: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
                assert_eq!(names, Vec::from_iter(dimension_in_the_readme(&self.name).as_deref()), "{self:?}");
            }
            ("AWS/Lambda", [("FunctionName", function)]) => {
                assert!(OF_LAMBDA.contains(&self.name.as_str()), "{self:?}");
                assert_eq!(resource(within(function))["Type"], "AWS::Lambda::Function");
            }
            ("AWS/SQS", [("QueueName", queue)]) => {
                assert!(OF_SQS.contains(&self.name.as_str()), "{self:?}");
                let queue = within(queue).strip_suffix(".QueueName").expect("a queue is known by its name");
                assert_eq!(resource(queue)["Type"], "AWS::SQS::Queue");
            }
            ("AWS/ApiGateway", [("ApiName", "${AWS::StackName}"), ("Stage", "v1")]) => {
                assert!(OF_API_GATEWAY.contains(&self.name.as_str()), "{self:?}");
                assert_eq!(properties("EventsApi")["Name"]["Ref"], "AWS::StackName");
                assert_eq!(resources_of_type("AWS::ApiGateway::Stage")[0].1["StageName"], "v1");
            }
            _ => panic!("of which nothing is known: {self:?}"),
        }
    }
}

/// A text of the template, with what it refers to as `${…}`.
fn text(value: &Value) -> String {
    let referred = value["Ref"].as_str().map(|name| format!("${{{name}}}"));
    let part = || {
        let names = value["Fn::GetAtt"].as_array()?;
        Some(format!("${{{}.{}}}", names[0].as_str()?, names[1].as_str()?))
    };
    let put_together = || value["Fn::Sub"].as_str().map(str::to_owned);
    let plain = || value.as_str().map(str::to_owned);
    referred.or_else(part).or_else(put_together).or_else(plain).unwrap_or_else(|| panic!("no text: {value}"))
}

/// What stands between `${` and `}`.
#[track_caller]
fn within(reference: &str) -> &str {
    reference.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')).unwrap_or_else(|| panic!("{reference} is fixed"))
}

/// Metrics with words that a function writes, as its story in the tests of metrics tells.
pub(super) fn written_by(function: &str) -> BTreeSet<String> {
    let story: &[(&str, u64)] = match function {
        "${ReceiverFunction}" => &RECEIVED,
        "${EnricherFunction}" => &ENRICHED,
        _ => panic!("{function} is no function of ours"),
    };
    story.iter().map(|(metric, _)| (*metric).to_owned()).collect()
}

/// The dimension that a metric has beside the function.
fn dimension_in_the_readme(metric: &str) -> Option<String> {
    let readme = examples::text("README.md");
    let row = readme.lines().find(|line| line.starts_with(&format!("| `{metric}` |")));
    let cell = row.and_then(|row| row.split('|').nth(3)).unwrap_or_else(|| panic!("{metric} is not in the README"));
    let name = cell.trim().trim_matches('`');
    (!name.is_empty()).then(|| name.to_owned())
}

fn counted_by_a_filter(metric: &str) -> bool {
    resources_of_type("AWS::Logs::MetricFilter").into_iter().any(|(_, filter)| {
        let counted = &filter["MetricTransformations"][0];
        counted["MetricNamespace"] == "CapillaryEvents" && counted["MetricName"]["Fn::Sub"] == metric
    })
}
