//! Queries that are saved in Logs Insights. Whether their fields are in the logs is tried on running functions, in `log_queries`.

use std::collections::BTreeSet;

use serde_json::Value;

use super::dashboard::log_widgets;
use super::{resource, resources_of_type};
use crate::support::examples;

/// A question to the logs.
pub(crate) struct Query {
    /// What it is called.
    pub(crate) name: String,
    /// The logs that it reads, by their names in the template.
    pub(crate) logs: BTreeSet<String>,
    /// Its text.
    pub(crate) text: String,
}

/// Those that are saved, and those of the dashboard.
pub(crate) fn queries() -> Vec<Query> {
    let of_dashboard = log_widgets().into_iter().map(|(log, text)| Query {
        name: "dashboard".to_owned(),
        logs: BTreeSet::from([log]),
        text: text.replace('\'', "\""),
    });
    saved().into_iter().chain(of_dashboard).collect()
}

fn saved() -> Vec<Query> {
    let definitions = resources_of_type("AWS::Logs::QueryDefinition").into_iter();
    let query = |(resource_name, definition): (&str, &Value)| {
        let name = definition["Name"]["Fn::Sub"].as_str().and_then(|name| name.strip_prefix("${AWS::StackName}/"));
        let logs = definition["LogGroupNames"].as_array().expect("logs").iter();
        Query {
            name: name.unwrap_or_else(|| panic!("{resource_name} does not bear the stack's name")).to_owned(),
            logs: logs.map(|log| log["Ref"].as_str().expect("a log of the template").to_owned()).collect(),
            text: definition["QueryString"].as_str().expect("a query").to_owned(),
        }
    };
    definitions.map(query).collect()
}

#[test]
fn queries_read_the_functions_logs() {
    assert!(saved().len() >= 5);
    for query in queries() {
        assert!(!query.logs.is_empty(), "{}", query.name);
        for log in &query.logs {
            assert!(matches!(log.as_str(), "ReceiverLogGroup" | "EnricherLogGroup"), "{}: {log}", query.name);
            assert_eq!(resource(log)["Type"], "AWS::Logs::LogGroup");
        }
    }
}

#[test]
fn the_readme_tells_of_every_query() {
    let readme = examples::text("README.md");
    for query in saved() {
        assert!(readme.contains(&format!("| `{}` |", query.name)), "{} is not in the README", query.name);
    }
}
