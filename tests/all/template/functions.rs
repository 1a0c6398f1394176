//! How the functions run, and what they are told.

use serde_json::{Map, Value};

use super::{granted, integer, mapping, properties, template};

const FUNCTIONS: [&str; 2] = ["ReceiverFunction", "EnricherFunction"];

#[test]
fn functions_write_to_their_own_log_groups_which_forget() {
    for (function, role, group) in
        [("ReceiverFunction", "ReceiverRole", "ReceiverLogGroup"), ("EnricherFunction", "EnricherRole", "EnricherLogGroup")]
    {
        assert_eq!(properties(function)["LoggingConfig"]["LogGroup"]["Ref"], group);
        assert_eq!(properties(function)["LoggingConfig"]["LogFormat"], "JSON");
        for action in ["logs:CreateLogStream", "logs:PutLogEvents"] {
            assert!(granted(role).contains(&(action.to_owned(), group.to_owned())), "{function} can't write its logs");
        }
        assert_eq!(properties(group)["RetentionInDays"]["Ref"], "LogRetentionDays", "{group} would keep logs for ever");
    }
}

#[test]
fn the_enricher_takes_small_batches_and_reports_failures_by_message() {
    assert_eq!(mapping()["EventSourceArn"]["Fn::GetAtt"][0], "EventsQueue");
    assert_eq!(mapping()["FunctionName"]["Ref"], "EnricherFunction");
    assert_eq!(
        mapping()["FunctionResponseTypes"],
        serde_json::json!(["ReportBatchItemFailures"]),
        "otherwise one failure sends the whole batch back"
    );
    assert_eq!(integer(&mapping()["BatchSize"]), 10);
    assert!(integer(&mapping()["MaximumBatchingWindowInSeconds"]) <= 1);
    assert_ne!(mapping()["Enabled"], false);
}

#[test]
fn the_enrichers_concurrency_is_bounded_by_a_parameter_of_at_least_two() {
    let parameter = &template()["Parameters"]["EnricherMaximumConcurrency"];
    assert_eq!(integer(&parameter["MinValue"]), 2, "Lambda refuses less");
    let bound = &mapping()["ScalingConfig"]["MaximumConcurrency"]["Fn::If"];
    assert_eq!(bound[1], parameter["Default"], "the number that stands for the default must be the default");
    assert_eq!(bound[2]["Ref"], "EnricherMaximumConcurrency");
}

#[test]
fn functions_run_as_designed() {
    for function in FUNCTIONS {
        let function_properties = properties(function);
        assert_eq!(function_properties["Runtime"], "provided.al2023", "{function}");
        assert_eq!(function_properties["Architectures"][0]["Ref"], "Architecture", "{function}");
        assert_eq!(function_properties["TracingConfig"]["Mode"], "Active", "{function}");
    }
    assert_eq!(template()["Parameters"]["Architecture"]["Default"], "x86_64");
    let receiver_timeout = integer(&properties("ReceiverFunction")["Timeout"]);
    assert!((11..=15).contains(&receiver_timeout), "more than the 10 s it answers in, not more than a lease: {receiver_timeout}");
}

fn environment(function: &str) -> &'static Map<String, Value> {
    properties(function)["Environment"]["Variables"].as_object().expect("variables")
}

/// Each variable of design section 6 with the resource or parameter that it must come from.
fn assert_environment(function: &str, expected: &[(&str, &str)]) {
    for (variable, source) in expected {
        let value = environment(function).get(*variable).unwrap_or_else(|| panic!("{function} lacks {variable}"));
        assert_eq!(value["Ref"], *source, "{function}: {variable}");
    }
    for variable in environment(function).keys() {
        assert!(expected.iter().any(|(name, _)| name == variable), "{function}: {variable} is not in the design");
    }
}

#[test]
fn the_receiver_has_every_variable_of_the_design() {
    assert_environment(
        "ReceiverFunction",
        &[
            ("EVENTS_TABLE", "EventsTable"),
            ("EVENTS_QUEUE_URL", "EventsQueue"),
            ("DEAD_LETTER_QUEUE_URL", "DeadLetterQueue"),
            ("EVENT_TTL_DAYS", "EventTtlDays"),
            ("WEBHOOK_SECRET_ID", "WebhookSecret"),
        ],
    );
}

#[test]
fn the_enricher_has_every_variable_of_the_design() {
    assert_environment(
        "EnricherFunction",
        &[
            ("EVENTS_TABLE", "EventsTable"),
            ("EVENTS_QUEUE_URL", "EventsQueue"),
            ("DEAD_LETTER_QUEUE_URL", "DeadLetterQueue"),
            ("EVENT_TTL_DAYS", "EventTtlDays"),
            ("SNAPSHOTS_TABLE", "SnapshotsTable"),
            ("SNAPSHOT_TTL_DAYS", "SnapshotTtlDays"),
            ("VOLATILE_FIELDS", "VolatileFields"),
            ("EVENT_RULES", "EventRules"),
            ("DROP_PATHS", "DropPaths"),
            ("HASH_PATHS", "HashPaths"),
            ("EVENT_BUS_NAME", "EventBus"),
            ("MAX_ATTEMPTS", "MaxAttempts"),
            ("MAX_ENTRY_KIB", "MaxEntryKib"),
            ("ENRICH_MAX_ENTITIES", "EnrichMaxEntities"),
            ("CAPILLARY_SECRET_ID", "CapillarySecret"),
            ("CAPILLARY_BASE_URL", "CapillaryBaseUrl"),
            ("CAPILLARY_MAX_CONCURRENCY", "CapillaryMaxConcurrency"),
            ("CAPILLARY_REQUESTS_PER_MINUTE", "CapillaryRequestsPerMinute"),
            ("CAPILLARY_REPLICA_LAG_SECONDS", "CapillaryReplicaLagSeconds"),
            ("CAPILLARY_CUSTOMER_SOURCE", "CapillaryCustomerSource"),
            ("CAPILLARY_CUSTOMER_EMBED", "CapillaryCustomerEmbed"),
        ],
    );
}

#[test]
fn no_endpoint_stands_in_the_template() {
    assert!(!template().to_string().contains("AWS_ENDPOINT_URL"), "the functions would not reach AWS");
}
