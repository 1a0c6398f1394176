//! The queues: how long they keep, hide and move what, and from whom they take it.

use serde_json::json;

use super::{integer, list, mapping, properties, resources_of_type};

const FOURTEEN_DAYS_SECONDS: i64 = 14 * 24 * 60 * 60;
const QUEUES: [&str; 2] = ["EventsQueue", "DeadLetterQueue"];

#[test]
fn both_queues_keep_messages_for_fourteen_days_encrypted_and_up_to_a_mebibyte() {
    for queue in QUEUES {
        assert_eq!(
            integer(&properties(queue)["MessageRetentionPeriod"]),
            FOURTEEN_DAYS_SECONDS,
            "{queue}: less loses acknowledged events"
        );
        // SQS takes its own key or another, and not both.
        let without_key = json!({ "Fn::If": ["HasKmsKey", { "Ref": "AWS::NoValue" }, true] });
        assert_eq!(properties(queue)["SqsManagedSseEnabled"], without_key, "{queue} is not encrypted");
        assert_eq!(integer(&properties(queue)["MaximumMessageSize"]), 1024 * 1024, "{queue}");
        assert_ne!(properties(queue)["FifoQueue"], true, "{queue} is a standard queue");
    }
}

#[test]
fn a_message_stays_invisible_for_six_times_the_enrichers_timeout_and_the_window() {
    let visibility = integer(&properties("EventsQueue")["VisibilityTimeout"]);
    let timeout = integer(&properties("EnricherFunction")["Timeout"]);
    let window = integer(&mapping()["MaximumBatchingWindowInSeconds"]);
    assert!(visibility >= 6 * timeout + window, "visibility {visibility} s < 6 × {timeout} s + {window} s");
}

#[test]
fn sqs_moves_a_message_to_the_dead_letter_queue_only_after_a_thousand_receives() {
    let redrive = &properties("EventsQueue")["RedrivePolicy"];
    assert_eq!(integer(&redrive["maxReceiveCount"]), 1000, "waiting out an outage counts as receiving");
    assert_eq!(redrive["deadLetterTargetArn"]["Fn::GetAtt"][0], "DeadLetterQueue");
}

#[test]
fn only_the_events_queue_may_send_its_messages_to_the_dead_letter_queue() {
    let allow = &properties("DeadLetterQueue")["RedriveAllowPolicy"];
    assert_eq!(allow["redrivePermission"], "byQueue");
    let arn = allow["sourceQueueArns"][0]["Fn::Sub"].as_array().expect("an ARN that is put together");
    assert!(arn[0].as_str().unwrap_or_default().ends_with(":${Name}"));
    assert_eq!(arn[1]["Name"], properties("EventsQueue")["QueueName"], "the ARN must be the events queue's");
}

#[test]
fn queues_refuse_whatever_comes_without_tls() {
    for queue in QUEUES {
        let refuses = resources_of_type("AWS::SQS::QueuePolicy").into_iter().any(|(_, policy)| {
            policy["Queues"] == json!([{ "Ref": queue }])
                && list(&policy["PolicyDocument"]["Statement"]).into_iter().any(|statement| {
                    statement["Effect"] == "Deny"
                        && statement["Principal"] == "*"
                        && statement["Action"] == "sqs:*"
                        && statement["Resource"]["Fn::GetAtt"][0] == queue
                        && statement["Condition"] == json!({ "Bool": { "aws:SecureTransport": "false" } })
                })
        });
        assert!(refuses, "{queue} has no policy that denies requests without TLS");
    }
}

#[test]
fn queue_policies_allow_nothing() {
    for (name, policy) in resources_of_type("AWS::SQS::QueuePolicy") {
        for statement in list(&policy["PolicyDocument"]["Statement"]) {
            assert_eq!(statement["Effect"], "Deny", "{name} opens a queue to others");
        }
    }
}
