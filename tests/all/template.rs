//! Holds the template, as CloudFormation will see it after the SAM transform, against the design.
//!
//! The local AWS ignores much of what stands there (gateway responses, encryption, recovery, roles), so a deployment
//! that works locally proves nothing about it; these tests do.

mod alarms;
mod dashboard;
mod functions;
mod gateway;
mod key;
mod known_metrics;
mod network;
mod parameters;
mod queries;
mod queues;
mod rights;
mod stores;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

fn template() -> &'static Value {
    static TEMPLATE: OnceLock<Value> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = std::env::var_os("LOCAL_AWS_PYTHON").map_or_else(|| root.join(".tools/aws/bin/python"), PathBuf::from);
        let output = Command::new(&python)
            .arg(root.join("local/transform.py"))
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .output()
            .unwrap_or_else(|error| panic!("{} does not run ({error}); `make tools` installs it", python.display()));
        assert!(output.status.success(), "local/transform.py failed:\n{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("local/transform.py prints JSON")
    })
}

/// The names of the outputs.
pub(crate) fn outputs() -> Vec<&'static str> {
    template()["Outputs"].as_object().expect("outputs").keys().map(String::as_str).collect()
}

fn resource(name: &str) -> &'static Value {
    let found = &template()["Resources"][name];
    assert!(found.is_object(), "the template has no resource {name}");
    found
}

fn properties(name: &str) -> &'static Value {
    &resource(name)["Properties"]
}

fn resources_of_type(kind: &str) -> Vec<(&'static str, &'static Value)> {
    let resources = template()["Resources"].as_object().expect("resources");
    resources
        .iter()
        .filter(|(_, resource)| resource["Type"] == kind)
        .map(|(name, resource)| (name.as_str(), &resource["Properties"]))
        .collect()
}

fn integer(value: &Value) -> i64 {
    value.as_i64().unwrap_or_else(|| panic!("{value} should be a whole number"))
}

/// A list, or the one thing that stands for a list of one.
fn list(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Null => Vec::new(),
        one => vec![one],
    }
}

/// What stands there only under this condition, and is left out otherwise.
fn only_if<'a>(value: &'a Value, condition: &str) -> Option<&'a Value> {
    let branches = value["Fn::If"].as_array()?;
    let otherwise_nothing = branches.len() == 3 && branches[2]["Ref"] == "AWS::NoValue";
    (otherwise_nothing && branches[0] == condition).then_some(&branches[1])
}

/// Every statement of every role, with the role's name, as they stand in the policies.
fn written_statements() -> Vec<(&'static str, &'static Value)> {
    let mut statements = Vec::new();
    for (name, role) in resources_of_type("AWS::IAM::Role") {
        for policy in list(&role["Policies"]) {
            statements.extend(list(&policy["PolicyDocument"]["Statement"]).into_iter().map(|statement| (name, statement)));
        }
    }
    statements
}

/// The statements that hold whatever the parameters are.
fn role_statements() -> Vec<(&'static str, &'static Value)> {
    written_statements().into_iter().filter(|(_, statement)| statement["Fn::If"].is_null()).collect()
}

/// The statements that hold under this condition only.
fn role_statements_if(condition: &str) -> Vec<(&'static str, &'static Value)> {
    let under = |(name, statement)| Some((name, only_if(statement, condition)?));
    written_statements().into_iter().filter_map(under).collect()
}

/// All that a role may do, whatever the parameters are: actions, each with the resource of the template that it is about; `*` where
/// there is none to name.
pub(crate) fn granted(role: &str) -> BTreeSet<(String, String)> {
    let statements = role_statements().into_iter().filter(|(name, _)| *name == role);
    let rights = statements.flat_map(|(_, statement)| {
        let targets: Vec<String> = list(&statement["Resource"]).into_iter().map(target).collect();
        let of_action = |action: &Value| {
            let action = action.as_str().expect("an action is a text").to_owned();
            targets.iter().map(|target| (action.clone(), target.clone())).collect::<Vec<_>>()
        };
        list(&statement["Action"]).into_iter().flat_map(of_action).collect::<Vec<_>>()
    });
    rights.collect()
}

pub(crate) use alarms::filter_pattern;
pub(crate) use queries::{Query, queries};

/// What a right is about: a resource of the template by its name, or what is in it behind a slash.
fn target(resource: &Value) -> String {
    if resource == "*" {
        return "*".to_owned();
    }
    let arn = resource["Fn::GetAtt"].as_array().filter(|names| names.len() == 2 && names[1] == "Arn");
    let name = arn.and_then(|names| names[0].as_str()).or_else(|| resource["Ref"].as_str());
    let inside = || resource["Fn::Sub"].as_str()?.strip_prefix("${")?.split_once(".Arn}/");
    match (name, inside()) {
        (Some(name), _) => name.to_owned(),
        (None, Some((name, place))) => format!("{name}/{place}"),
        (None, None) => panic!("a right about something that is not in the template: {resource}"),
    }
}

fn mapping() -> &'static Value {
    let mappings = resources_of_type("AWS::Lambda::EventSourceMapping");
    assert_eq!(mappings.len(), 1, "one queue feeds one function");
    mappings[0].1
}
