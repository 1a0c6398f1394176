//! What there is to look at.

use std::collections::BTreeSet;

use serde_json::Value;

use super::alarms::words;
use super::known_metrics::{Asked, written_by};
use super::{integer, properties, resource, resources_of_type, template};

const COLUMNS: i64 = 24;

/// The dashboard as CloudWatch gets it, if all conditions hold, or none. What the template refers to stays as `${…}`; numbers have
/// their defaults.
fn body(conditions_hold: bool) -> Value {
    let given = &properties("Dashboard")["DashboardBody"]["Fn::Sub"];
    let text = given[0].as_str().expect("a text");
    let mut parts = text.split("${");
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once('}').expect("a name");
        filled += &value_of(name, &given[1], conditions_hold);
        filled += rest;
    }
    serde_json::from_str(&filled).unwrap_or_else(|error| panic!("{error} in {filled}"))
}

fn value_of(name: &str, variables: &Value, conditions_hold: bool) -> String {
    if let Some(branches) = variables[name]["Fn::If"].as_array() {
        let branch = if conditions_hold { &branches[1]["Fn::Sub"] } else { &branches[2] };
        return branch.as_str().unwrap_or_else(|| panic!("{name}: {branch}")).to_owned();
    }
    let parameter = &template()["Parameters"][name];
    if parameter["Type"] == "Number" {
        return integer(&parameter["Default"]).to_string();
    }
    let resource_name = name.split('.').next().unwrap_or_default();
    let is_there = name.starts_with("AWS::") || parameter.is_object() || resource(resource_name).is_object();
    assert!(is_there, "{name} is nothing in the template");
    format!("${{{name}}}")
}

fn widgets(body: &Value) -> &Vec<Value> {
    body["widgets"].as_array().expect("widgets")
}

/// Rows of the widgets with metrics: metrics, and expressions of them.
fn rows(widget: &Value) -> Vec<&Vec<Value>> {
    widget["properties"]["metrics"].as_array().into_iter().flatten().map(|row| row.as_array().expect("a row")).collect()
}

fn is_expression(row: &[Value]) -> bool {
    row.len() == 1 && row[0]["expression"].is_string()
}

/// The questions, and what follows each of them.
fn questions(body: &Value) -> Vec<&str> {
    let headings = widgets(body).iter().filter(|widget| widget["type"] == "text");
    headings.filter_map(|widget| widget["properties"]["markdown"].as_str()?.strip_prefix("## ")).collect()
}

#[test]
fn it_answers_four_questions() {
    let body = body(true);
    let asked = ["Are we receiving?", "Are we keeping up?", "Is Capillary healthy?", "What is broken?"];
    assert_eq!(questions(&body), asked);
    let kinds: Vec<&str> = widgets(&body).iter().filter_map(|widget| widget["type"].as_str()).collect();
    let answers: Vec<usize> = kinds.split(|kind| *kind == "text").map(<[_]>::len).collect();
    assert_eq!(answers[0], 0, "something stands before the first question");
    assert!(answers[1..].iter().all(|count| *count >= 3), "{answers:?}");
    assert_eq!(resource("Dashboard")["Condition"], "HasDashboardAndQueries");
    let name = properties("Dashboard")["DashboardName"]["Fn::Sub"].as_str();
    assert!(name.is_some_and(|name| name.contains("${AWS::Region}")), "names are the account's, not the region's: {name:?}");
}

#[test]
fn every_widget_has_its_place_and_says_what_it_shows() {
    let body = body(true);
    let mut taken = BTreeSet::new();
    let mut top = 0;
    for widget in widgets(&body) {
        let [x, y, width, height] = ["x", "y", "width", "height"].map(|member| integer(&widget[member]));
        assert!(y >= top, "not in the order of reading: {widget}");
        top = y;
        assert!(x >= 0 && x + width <= COLUMNS, "{widget}");
        for place in (x..x + width).flat_map(|column| (y..y + height).map(move |line| (column, line))) {
            assert!(taken.insert(place), "two at {place:?}: {widget}");
        }
        let says = widget["properties"]["title"].as_str().or_else(|| widget["properties"]["markdown"].as_str());
        assert!(says.is_some_and(|text| !text.is_empty()), "{widget}");
        let here = widget["properties"]["region"].as_str();
        assert!(matches!(widget["type"].as_str(), Some("text" | "alarm")) || here == Some("${AWS::Region}"), "{widget}");
    }
}

#[test]
fn it_asks_for_metrics_that_there_are() {
    let body = body(true);
    let all = widgets(&body).iter().flat_map(rows).filter(|row| !is_expression(row));
    let asked: Vec<Asked> = all.map(|row| Asked::of_row(row)).collect();
    assert!(!asked.is_empty());
    for metric in &asked {
        metric.assert_known();
    }
}

#[test]
fn it_shows_whatever_the_functions_count() {
    let body = body(true);
    let is_shown = |row: &&Vec<Value>| !is_expression(row) && row.last().is_none_or(|options| options["visible"] != false);
    let all = widgets(&body).iter().flat_map(rows).filter(is_shown).map(|row| Asked::of_row(row));
    let shown: BTreeSet<(String, String)> =
        all.filter_map(|metric| metric.own().map(|(function, name)| (function.to_owned(), name))).collect();
    for function in ["${ReceiverFunction}", "${EnricherFunction}"] {
        for metric in written_by(function) {
            assert!(shown.contains(&(function.to_owned(), metric.clone())), "{metric} of {function} is not shown");
        }
    }
}

#[test]
fn what_is_worked_out_is_worked_out_of_what_is_there() {
    let body = body(true);
    for widget in widgets(&body) {
        let ids: Vec<&str> = rows(widget).iter().filter_map(|row| row.last()?["id"].as_str()).collect();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "an id twice: {widget}");
        let expressions: Vec<&str> = rows(widget).iter().filter_map(|row| row[0]["expression"].as_str()).collect();
        for word in expressions.iter().flat_map(|text| words(text)) {
            let is_id = word.starts_with(|letter: char| letter.is_ascii_lowercase());
            assert!(!is_id || ids.contains(&word), "there is no {word}: {expressions:?}");
        }
        for row in rows(widget).iter().filter(|row| row.last().is_some_and(|options| options["visible"] == false)) {
            let id = row.last().and_then(|options| options["id"].as_str()).expect("an id");
            let is_used = expressions.iter().any(|text| words(text).any(|word| word == id));
            assert!(is_used, "{id} is neither shown nor used: {widget}");
        }
    }
}

#[test]
fn its_lines_are_where_functions_end_and_the_alarm_begins() {
    let body = body(true);
    let lines = widgets(&body).iter().flat_map(|widget| widget["properties"]["annotations"]["horizontal"].as_array()).flatten();
    let lines: BTreeSet<(&str, i64)> =
        lines.map(|line| (line["label"].as_str().expect("a label"), integer(&line["value"]))).collect();
    let timeout_ms = |function: &str| 1000 * integer(&properties(function)["Timeout"]);
    let alarm = integer(&template()["Parameters"]["OldestMessageAlarmSeconds"]["Default"]);
    let timeouts =
        [("receiver's timeout", timeout_ms("ReceiverFunction")), ("enricher's timeout", timeout_ms("EnricherFunction"))];
    assert_eq!(lines, timeouts.into_iter().chain([("alarm", alarm)]).collect());
}

#[test]
fn it_shows_every_alarm_that_there_is() {
    for conditions_hold in [true, false] {
        let body = body(conditions_hold);
        let shown = widgets(&body).iter().filter(|widget| widget["type"] == "alarm");
        let shown: BTreeSet<&str> = shown
            .flat_map(|widget| widget["properties"]["alarms"].as_array().expect("alarms"))
            .filter_map(Value::as_str)
            .collect();
        let alarms = resources_of_type("AWS::CloudWatch::Alarm").into_iter().map(|(name, _)| name);
        let there: BTreeSet<String> = alarms
            .filter(|name| conditions_hold || resource(name)["Condition"].is_null())
            .map(|name| format!("${{{name}.Arn}}"))
            .collect();
        assert_eq!(shown, there.iter().map(String::as_str).collect());
    }
    for (variable, value) in properties("Dashboard")["DashboardBody"]["Fn::Sub"][1].as_object().expect("variables") {
        let alarm = format!("{variable}Alarm");
        assert_eq!(value["Fn::If"][0], resource(&alarm)["Condition"], "{alarm} may not be there, or not be shown");
    }
}

/// The queries of its tables, without the logs that they begin with.
pub(super) fn log_widgets() -> Vec<(String, String)> {
    let body = body(true);
    let tables = widgets(&body).iter().filter(|widget| widget["type"] == "log").cloned().collect::<Vec<_>>();
    let query = |widget: &Value| {
        let text = widget["properties"]["query"].as_str().expect("a query");
        let (source, query) = text.strip_prefix("SOURCE '${").and_then(|rest| rest.split_once("}' | ")).expect("its log");
        (source.to_owned(), query.to_owned())
    };
    tables.iter().map(query).collect()
}
