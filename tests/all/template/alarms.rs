//! What somebody is told of.

use serde_json::Value;

use super::{integer, properties};

/// The alarm's metric, what it is measured at, and when it goes off.
fn alarm(name: &str) -> (&'static str, &'static Value, &'static str) {
    let alarm_properties = properties(name);
    let text = |key: &str| alarm_properties[key].as_str().unwrap_or_default();
    assert_eq!(alarm_properties["TreatMissingData"], "notBreaching", "{name}");
    let tells = alarm_properties["AlarmActions"].to_string();
    assert!(tells.contains("AlarmTopicArn") && tells.contains("AlarmTopic\""), "{name} tells nobody");
    (text("MetricName"), &alarm_properties["Dimensions"][0]["Value"], text("ComparisonOperator"))
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
}

#[test]
fn an_alarm_goes_off_for_any_error_of_either_function() {
    for (name, function) in [("ReceiverErrorsAlarm", "ReceiverFunction"), ("EnricherErrorsAlarm", "EnricherFunction")] {
        let (metric, measured, comparison) = alarm(name);
        assert_eq!((metric, comparison), ("Errors", "GreaterThanThreshold"));
        assert_eq!(measured["Ref"], function);
        assert_eq!(integer(&properties(name)["Threshold"]), 0);
    }
}

#[test]
fn an_alarm_goes_off_for_deliveries_refused_with_401() {
    let (_, _, comparison) = alarm("UnauthorizedAlarm");
    assert_eq!(comparison, "GreaterThanOrEqualToThreshold");
    let filter = properties("UnauthorizedDeliveries");
    assert_eq!(filter["LogGroupName"]["Ref"], "ReceiverLogGroup");
    let pattern = r#"{ $.message = "delivery" && $.status = 401 }"#;
    assert_eq!(filter["FilterPattern"], pattern, "it must match the receiver's log line");
    let counted = &filter["MetricTransformations"][0];
    let watched = properties("UnauthorizedAlarm");
    assert_eq!(counted["MetricName"], watched["MetricName"], "filter and alarm must mean the same metric");
    assert_eq!(counted["MetricNamespace"], watched["Namespace"]);
}
