//! What somebody is told of.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::known_metrics::Asked;
use super::{integer, properties, resource, resources_of_type, template};
use crate::support::examples;

/// The most characters that CloudWatch takes in a description.
const MAX_DESCRIPTION_CHARS: usize = 1024;
/// How far back CloudWatch looks, in seconds: with periods of an hour or more, and with shorter ones.
const LONGEST_SECONDS: i64 = 7 * 24 * 3600;
const LONGEST_OF_SHORT_PERIODS_SECONDS: i64 = 24 * 3600;

/// The alarm's metric, what it is measured at, and when it goes off.
fn alarm(name: &str) -> (&'static str, &'static Value, &'static str) {
    let alarm_properties = properties(name);
    let text = |key: &str| alarm_properties[key].as_str().unwrap_or_default();
    (text("MetricName"), &alarm_properties["Dimensions"][0]["Value"], text("ComparisonOperator"))
}

/// The pattern of log lines that a filter counts.
pub(crate) fn filter_pattern(filter: &str) -> &'static str {
    properties(filter)["FilterPattern"].as_str().expect("a pattern")
}

/// The metrics that an alarm looks at.
fn metrics(alarm: &Value) -> Vec<Asked> {
    match alarm["Metrics"].as_array() {
        None => vec![Asked::of_alarm(alarm)],
        Some(metrics) => {
            let measured = metrics.iter().map(|metric| &metric["MetricStat"]["Metric"]);
            measured.filter(|metric| metric.is_object()).map(Asked::of_alarm).collect()
        }
    }
}

/// Its one period, and how many of them it looks at.
fn periods(alarm: &Value) -> (i64, i64) {
    let of_metrics = alarm["Metrics"].as_array().into_iter().flatten().map(|metric| &metric["MetricStat"]["Period"]);
    let periods: BTreeSet<i64> = of_metrics.chain([&alarm["Period"]]).filter_map(Value::as_i64).collect();
    assert_eq!(periods.len(), 1, "{alarm}");
    let evaluated = &alarm["EvaluationPeriods"];
    let largest = evaluated["Ref"].as_str().map(|parameter| integer(&template()["Parameters"][parameter]["MaxValue"]));
    (periods.into_iter().next().unwrap_or_default(), largest.unwrap_or_else(|| integer(evaluated)))
}

/// The headings of the README's runbook, as GitHub links to them.
fn runbook() -> BTreeSet<String> {
    let readme = examples::text("README.md");
    let (_, section) = readme.split_once("\n## Watching it\n").expect("the section");
    let section = section.split("\n## ").next().unwrap_or_default();
    let (_, paragraphs) = section.split_once("\n### When an alarm goes off\n").expect("the runbook");
    let paragraphs = paragraphs.split("\n### ").next().unwrap_or_default();
    let headings = paragraphs.lines().filter_map(|line| line.strip_prefix("#### "));
    let anchor = |heading: &str| {
        let kept = heading.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-'));
        kept.collect::<String>().to_lowercase().replace(' ', "-")
    };
    headings.map(anchor).collect()
}

#[test]
fn every_alarm_tells_that_it_begins_and_ends_whoever_shall_be_told() {
    let told = json!([
        { "Fn::If": ["HasAlarmTopic", { "Ref": "AlarmTopicArn" }, { "Ref": "AWS::NoValue" }] },
        { "Fn::If": ["HasAlarmEmail", { "Ref": "AlarmTopic" }, { "Ref": "AWS::NoValue" }] },
    ]);
    let alarms = resources_of_type("AWS::CloudWatch::Alarm");
    assert!(!alarms.is_empty());
    for (name, alarm) in alarms {
        assert_eq!((&alarm["AlarmActions"], &alarm["OKActions"]), (&told, &told), "{name}");
        assert_ne!(alarm["ActionsEnabled"], false, "{name}");
    }
}

#[test]
fn every_alarm_has_a_paragraph_in_the_runbook_and_each_paragraph_an_alarm() {
    let mut told = BTreeSet::new();
    for (name, alarm) in resources_of_type("AWS::CloudWatch::Alarm") {
        let description = alarm["AlarmDescription"].as_str().unwrap_or_default();
        assert!(description.chars().count() <= MAX_DESCRIPTION_CHARS, "{name}");
        let (meaning, anchor) = description.split_once(" Runbook: README.md#").unwrap_or_else(|| panic!("{name}: {description}"));
        assert!(meaning.ends_with('.'), "{name} says what it means: {description}");
        assert!(runbook().contains(anchor), "{name}: the README has no paragraph #{anchor}, only {:?}", runbook());
        told.insert(anchor.to_owned());
    }
    assert_eq!(told, runbook());
}

#[test]
fn every_alarm_asks_for_metrics_that_there_are() {
    for (name, alarm) in resources_of_type("AWS::CloudWatch::Alarm") {
        let asked = metrics(alarm);
        assert!(!asked.is_empty(), "{name}");
        for metric in asked {
            metric.assert_known();
        }
    }
}

#[test]
fn the_readme_tells_what_they_cost() {
    let count: usize = resources_of_type("AWS::CloudWatch::Alarm").into_iter().map(|(_, alarm)| metrics(alarm).len()).sum();
    let told = format!("They look at {count} metrics, at $0.10 a month each");
    assert!(examples::text("README.md").contains(&told), "{told}");
}

#[test]
fn what_is_missing_is_an_alarm_in_silence_only() {
    for (name, alarm) in resources_of_type("AWS::CloudWatch::Alarm") {
        let missing = if name == "SilenceAlarm" { "breaching" } else { "notBreaching" };
        assert_eq!(alarm["TreatMissingData"], missing, "{name}");
    }
}

#[test]
fn no_alarm_looks_further_back_than_cloudwatch_does() {
    for (name, alarm) in resources_of_type("AWS::CloudWatch::Alarm") {
        let (period, count) = periods(alarm);
        let longest = if period < 3600 { LONGEST_OF_SHORT_PERIODS_SECONDS } else { LONGEST_SECONDS };
        assert!(period * count <= longest, "{name} looks {period} s × {count} back");
        let of_these = &alarm["DatapointsToAlarm"];
        assert!(of_these.is_null() || (1..=count).contains(&integer(of_these)), "{name}");
    }
}

#[test]
fn an_alarm_goes_off_for_any_dead_letter() {
    let (metric, queue, comparison) = alarm("DeadLettersAlarm");
    assert_eq!((metric, comparison), ("ApproximateNumberOfMessagesVisible", "GreaterThanThreshold"));
    assert_eq!(queue["Fn::GetAtt"][0], "DeadLetterQueue");
    assert_eq!(integer(&properties("DeadLettersAlarm")["Threshold"]), 0);
}

#[test]
fn an_alarm_goes_off_when_events_grow_old_in_the_queue() {
    let (metric, queue, comparison) = alarm("OldestMessageAlarm");
    assert_eq!((metric, comparison), ("ApproximateAgeOfOldestMessage", "GreaterThanThreshold"));
    assert_eq!(queue["Fn::GetAtt"][0], "EventsQueue");
    assert_eq!(properties("OldestMessageAlarm")["Threshold"]["Ref"], "OldestMessageAlarmSeconds");
}

#[test]
fn an_alarm_goes_off_when_events_come_back_for_long() {
    let (metric, function, comparison) = alarm("OldEventsAlarm");
    assert_eq!((metric, comparison, &function["Ref"]), ("ProcessingAge", "GreaterThanThreshold", &json!("EnricherFunction")));
    let old = properties("OldEventsAlarm");
    assert_eq!((&old["Threshold"]["Fn::Sub"], &old["Statistic"]), (&json!("${OldestMessageAlarmSeconds}000"), &json!("Maximum")));
    // In a shorter period a message that is put back for 45 minutes would not be seen.
    assert!(integer(&old["Period"]) > 45 * 60);
}

#[test]
fn an_alarm_goes_off_for_any_error_or_throttle_of_either_function() {
    for function in ["Receiver", "Enricher"] {
        for kind in ["Errors", "Throttles"] {
            let name = format!("{function}{kind}Alarm");
            let (metric, measured, comparison) = alarm(&name);
            assert_eq!((metric, comparison), (kind, "GreaterThanThreshold"));
            assert_eq!(measured["Ref"], format!("{function}Function"));
            assert_eq!((integer(&properties(&name)["Threshold"]), &properties(&name)["Statistic"]), (0, &json!("Sum")));
        }
    }
}

#[test]
fn an_alarm_goes_off_for_any_5xx_of_the_gateway() {
    let (metric, _, comparison) = alarm("ServerErrorsAlarm");
    assert_eq!((metric, comparison), ("5XXError", "GreaterThanThreshold"));
    assert_eq!(integer(&properties("ServerErrorsAlarm")["Threshold"]), 0);
    assert_eq!(properties("ServerErrorsAlarm")["Statistic"], "Sum");
}

#[test]
fn an_alarm_goes_off_for_deliveries_refused_with_401() {
    let (_, _, comparison) = alarm("UnauthorizedAlarm");
    assert_eq!(comparison, "GreaterThanOrEqualToThreshold");
    let pattern = r#"{ $.message = "delivery" && $.status = 401 }"#;
    assert_eq!(filter_pattern("UnauthorizedDeliveries"), pattern, "it must match the receiver's log line");
    counts_lines_of("UnauthorizedAlarm", "UnauthorizedDeliveries", "ReceiverLogGroup");
}

#[test]
fn an_alarm_goes_off_when_events_that_are_stored_are_not_published() {
    counts_lines_of("UnpublishedAlarm", "UnpublishedEvents", "EnricherLogGroup");
    lasts("UnpublishedAlarm");
}

/// The alarm is about what the filter counts in this log.
#[track_caller]
fn counts_lines_of(alarm: &str, filter: &str, log_group: &str) {
    assert_eq!(properties(filter)["LogGroupName"]["Ref"], log_group);
    let counted = &properties(filter)["MetricTransformations"][0];
    assert_eq!(counted["MetricValue"], "1", "{filter}");
    assert_eq!(counted["MetricName"], properties(alarm)["MetricName"], "filter and alarm must mean the same metric");
    assert_eq!(counted["MetricNamespace"], properties(alarm)["Namespace"]);
    assert_eq!(properties(alarm)["Statistic"], "Sum");
}

/// It goes off for any, if there are some in two of three periods.
#[track_caller]
fn lasts(alarm: &str) {
    let found = ["Threshold", "EvaluationPeriods", "DatapointsToAlarm"].map(|member| integer(&properties(alarm)[member]));
    assert_eq!((found, &properties(alarm)["ComparisonOperator"]), ([0, 3, 2], &json!("GreaterThanThreshold")), "{alarm}");
}

#[test]
fn an_alarm_goes_off_while_capillary_refuses_the_credentials() {
    let (metric, function, _) = alarm("TokenFailuresAlarm");
    assert_eq!((metric, &function["Ref"]), ("TokenFailures", &json!("EnricherFunction")));
    assert_eq!(properties("TokenFailuresAlarm")["Statistic"], "Sum");
    lasts("TokenFailuresAlarm");
}

#[test]
fn an_alarm_goes_off_for_any_delivery_that_is_held() {
    let held = metrics(properties("HoldAlarm"));
    assert_eq!(held[0].own(), Some(("${ReceiverFunction}", "Deliveries held".to_owned())));
    let found = (integer(&properties("HoldAlarm")["Threshold"]), alarm("HoldAlarm").2, &properties("HoldAlarm")["Statistic"]);
    assert_eq!(found, (0, "GreaterThanThreshold", &json!("Sum")));
}

#[test]
fn silence_is_hours_without_one_new_event() {
    let (metric, queue, comparison) = alarm("SilenceAlarm");
    assert_eq!((metric, comparison), ("NumberOfMessagesSent", "LessThanThreshold"));
    assert_eq!(queue["Fn::GetAtt"][0], "EventsQueue");
    let silence = properties("SilenceAlarm");
    assert_eq!((integer(&silence["Threshold"]), integer(&silence["Period"])), (1, 3600));
    assert_eq!((&silence["EvaluationPeriods"]["Ref"], &silence["Statistic"]), (&json!("SilenceAlarmHours"), &json!("Sum")));
    assert!(silence["DatapointsToAlarm"].is_null(), "one hour of all would do");
    switched_off_by("SilenceAlarm", "SilenceAlarmHours", 0);
}

/// There is no such alarm where the parameter has this value.
#[track_caller]
fn switched_off_by(alarm: &str, parameter: &str, value: i64) {
    let condition = resource(alarm)["Condition"].as_str().expect("a condition");
    let other_value = json!({ "Fn::Not": [{ "Fn::Equals": [{ "Ref": parameter }, value] }] });
    assert_eq!(template()["Conditions"][condition], other_value, "{alarm}");
    let (least, most) = (&template()["Parameters"][parameter]["MinValue"], &template()["Parameters"][parameter]["MaxValue"]);
    assert!((integer(least)..=integer(most)).contains(&value), "{parameter} can't be {value}");
    assert_ne!(integer(&template()["Parameters"][parameter]["Default"]), value, "{alarm} is off by default");
}

/// The alarm is about a share, in percent, of these metrics.
#[track_caller]
fn is_a_share(alarm: &str, parameter: &str, expected: &[&str], share: &str) {
    switched_off_by(alarm, parameter, 100);
    assert_eq!(properties(alarm)["Threshold"]["Ref"], parameter);
    assert_eq!(properties(alarm)["ComparisonOperator"], "GreaterThanThreshold");
    let name = |metric: &Asked| metric.own().map_or_else(|| metric.name.clone(), |(_, name)| name);
    let asked: BTreeSet<String> = metrics(properties(alarm)).iter().map(name).collect();
    assert_eq!(asked, expected.iter().map(|name| (*name).to_owned()).collect(), "{alarm}");
    let rows = properties(alarm)["Metrics"].as_array().expect("metrics");
    let told: Vec<&Value> = rows.iter().filter(|row| row["ReturnData"] != false).collect();
    assert_eq!(told.len(), 1, "{alarm}: CloudWatch wants one result");
    assert_eq!(told[0]["Expression"], share, "{alarm}");
    for row in rows {
        assert!(row["MetricStat"].is_null() || row["MetricStat"]["Stat"] == "Sum", "{alarm}: {row}");
        let id = row["Id"].as_str().expect("an id");
        let users = rows.iter().filter_map(|row| row["Expression"].as_str()).filter(|text| words(text).any(|word| word == id));
        assert!(row == told[0] || users.count() >= 1, "{alarm}: nothing is made of {id}");
    }
    let ids: BTreeSet<&str> = rows.iter().filter_map(|row| row["Id"].as_str()).collect();
    for text in rows.iter().filter_map(|row| row["Expression"].as_str()) {
        for word in words(text).filter(|word| word.starts_with(|letter: char| letter.is_ascii_lowercase())) {
            assert!(ids.contains(word), "{alarm}: there is no {word}");
        }
    }
}

/// The names and numbers in an expression.
pub(super) fn words(expression: &str) -> impl Iterator<Item = &str> {
    expression.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').filter(|word| !word.is_empty())
}

#[test]
fn an_alarm_goes_off_when_many_requests_are_answered_429() {
    let expected = ["Deliveries unavailable", "Deliveries in_progress", "Deliveries held", "Count"];
    is_a_share("ResendAlarm", "ResendAlarmPercent", &expected, "IF(resent >= 3, 100 * resent / requests, 0)");
}

#[test]
fn an_alarm_goes_off_when_many_events_are_partial() {
    let expected = ["Enrichments complete", "Enrichments partial"];
    is_a_share("PartialAlarm", "PartialAlarmPercent", &expected, "IF(enriched >= 10, 100 * FILL(partial, 0) / enriched, 0)");
}
