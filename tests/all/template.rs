//! Holds the template, as CloudFormation will see it after the SAM transform, against the design.
//!
//! The local AWS ignores much of what stands there (gateway responses, encryption, recovery, roles), so a deployment
//! that works locally proves nothing about it; these tests do.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::{Map, Value};

const FOURTEEN_DAYS_SECONDS: i64 = 14 * 24 * 60 * 60;
/// CloudFormation refuses longer ones.
const MAX_DESCRIPTION_CHARS: usize = 4000;
const STORES: [&str; 6] = ["EventsTable", "SnapshotsTable", "EventsQueue", "DeadLetterQueue", "WebhookSecret", "CapillarySecret"];
const TABLES: [(&str, &str); 2] = [("EventsTable", "eventId"), ("SnapshotsTable", "entityKey")];
const QUEUES: [&str; 2] = ["EventsQueue", "DeadLetterQueue"];
const FUNCTIONS: [&str; 2] = ["ReceiverFunction", "EnricherFunction"];

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

fn gateway_responses() -> &'static Map<String, Value> {
    properties("EventsApi")["Body"]["x-amazon-apigateway-gateway-responses"]
        .as_object()
        .expect("the API's body has gateway responses")
}

/// Every statement of every role, with the role's name.
fn role_statements() -> Vec<(&'static str, &'static Value)> {
    let mut statements = Vec::new();
    for (name, role) in resources_of_type("AWS::IAM::Role") {
        for policy in list(&role["Policies"]) {
            statements.extend(list(&policy["PolicyDocument"]["Statement"]).into_iter().map(|statement| (name, statement)));
        }
    }
    statements
}

/// The actions that a role may take on a resource of this template, sorted.
fn allowed(role: &str, target: &str) -> Vec<String> {
    let names = |value: &Value| value["Fn::GetAtt"][0] == target || value["Ref"] == target;
    let mut actions: Vec<String> = role_statements()
        .into_iter()
        .filter(|(name, statement)| *name == role && list(&statement["Resource"]).into_iter().any(names))
        .flat_map(|(_, statement)| list(&statement["Action"]))
        .map(|action| action.as_str().expect("an action is a text").to_owned())
        .collect();
    actions.sort();
    actions
}

#[test]
fn every_gateway_answer_to_trouble_that_passes_is_429_with_retry_after() {
    for kind in [
        "DEFAULT_5XX",
        "API_CONFIGURATION_ERROR",
        "INTEGRATION_FAILURE",
        "INTEGRATION_TIMEOUT",
        "THROTTLED",
        "QUOTA_EXCEEDED",
        "ACCESS_DENIED",
        "WAF_FILTERED",
    ] {
        let response =
            gateway_responses().get(kind).unwrap_or_else(|| panic!("no gateway response {kind}: the sender would not resend"));
        assert_eq!(response["statusCode"], "429", "{kind}");
        let retry_after = response["responseParameters"]["gatewayresponse.header.Retry-After"].as_str().unwrap_or_default();
        let seconds: Option<u32> =
            retry_after.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')).and_then(|text| text.parse().ok());
        assert!(seconds.is_some_and(|seconds| seconds > 0), "{kind}: Retry-After is {retry_after:?}, should be quoted seconds");
    }
}

#[test]
fn gateway_answers_that_stay_final_are_404_and_no_others_are_set() {
    for (kind, response) in gateway_responses() {
        let status = &response["statusCode"];
        if kind == "MISSING_AUTHENTICATION_TOKEN" || kind == "INVALID_SIGNATURE" {
            assert_eq!(status, "404", "{kind} is what the gateway says where there is no such path");
        } else {
            assert_eq!(status, "429", "{kind} is neither a missing path nor trouble that passes");
        }
    }
    // It would turn 413 and malformed requests into 429, and so block the sender's lane for a week.
    assert!(!gateway_responses().contains_key("DEFAULT_4XX"), "DEFAULT_4XX changes every 4xx that has no response of its own");
    assert!(gateway_responses().contains_key("MISSING_AUTHENTICATION_TOKEN"));
}

#[test]
fn gateway_answers_have_json_bodies_that_say_their_own_status() {
    for (kind, response) in gateway_responses() {
        let text =
            response["responseTemplates"]["application/json"].as_str().unwrap_or_else(|| panic!("{kind} has no JSON body"));
        let body: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{kind}: {error} in {text}"));
        assert_eq!(body["status"].to_string(), response["statusCode"].as_str().unwrap_or_default(), "{kind}");
    }
}

#[test]
fn the_api_is_regional_takes_bytes_and_has_one_path_and_method() {
    let api = properties("EventsApi");
    assert_eq!(api["EndpointConfiguration"]["Types"][0], "REGIONAL");
    assert_eq!(
        api["Body"]["x-amazon-apigateway-binary-media-types"],
        serde_json::json!(["*/*"]),
        "bodies must come as the bytes they are"
    );
    let paths = api["Body"]["paths"].as_object().expect("paths");
    assert_eq!(paths.keys().collect::<Vec<_>>(), ["/events"]);
    assert_eq!(paths["/events"].as_object().expect("methods").keys().collect::<Vec<_>>(), ["post"]);
}

#[test]
fn the_stage_is_throttled_and_traced_and_the_only_one() {
    let stages = resources_of_type("AWS::ApiGateway::Stage");
    assert_eq!(stages.len(), 1, "a second stage would be a way in without limits");
    let (_, stage) = stages[0];
    let settings = &stage["MethodSettings"][0];
    assert_eq!((&settings["ResourcePath"], &settings["HttpMethod"]), (&Value::from("/*"), &Value::from("*")));
    for limit in ["ThrottlingRateLimit", "ThrottlingBurstLimit"] {
        assert_eq!(settings[limit]["Ref"], limit, "{limit} is a parameter");
    }
    assert_eq!(stage["TracingEnabled"], true);
}

#[test]
fn both_queues_keep_messages_for_fourteen_days_encrypted_and_up_to_a_mebibyte() {
    for queue in QUEUES {
        assert_eq!(
            integer(&properties(queue)["MessageRetentionPeriod"]),
            FOURTEEN_DAYS_SECONDS,
            "{queue}: less loses acknowledged events"
        );
        assert_eq!(properties(queue)["SqsManagedSseEnabled"], true, "{queue} is not encrypted");
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
            policy["Queues"] == serde_json::json!([{ "Ref": queue }])
                && list(&policy["PolicyDocument"]["Statement"]).into_iter().any(|statement| {
                    statement["Effect"] == "Deny"
                        && statement["Principal"] == "*"
                        && statement["Action"] == "sqs:*"
                        && statement["Resource"]["Fn::GetAtt"][0] == queue
                        && statement["Condition"]["Bool"]["aws:SecureTransport"] == "false"
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

#[test]
fn tables_are_keyed_as_designed_on_demand_recoverable_encrypted_and_forget() {
    for (table, key) in TABLES {
        let table_properties = properties(table);
        assert_eq!(table_properties["KeySchema"], serde_json::json!([{ "AttributeName": key, "KeyType": "HASH" }]), "{table}");
        assert_eq!(
            table_properties["AttributeDefinitions"],
            serde_json::json!([{ "AttributeName": key, "AttributeType": "S" }]),
            "{table}"
        );
        assert_eq!(table_properties["BillingMode"], "PAY_PER_REQUEST", "{table}");
        assert_eq!(
            table_properties["TimeToLiveSpecification"],
            serde_json::json!({ "AttributeName": "expiresAt", "Enabled": true }),
            "{table}"
        );
        assert_eq!(
            table_properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"], true,
            "{table} can't be recovered"
        );
        assert_eq!(table_properties["SSESpecification"]["SSEEnabled"], true, "{table} is not encrypted");
    }
}

#[test]
fn what_holds_events_or_credentials_outlives_the_stack() {
    for store in STORES {
        for policy in ["DeletionPolicy", "UpdateReplacePolicy"] {
            assert_eq!(resource(store)[policy], "Retain", "{store} {policy}");
        }
    }
}

#[test]
fn no_deploy_can_overwrite_a_filled_secret() {
    for secret in ["WebhookSecret", "CapillarySecret"] {
        for value in ["SecretString", "GenerateSecretString"] {
            assert!(
                properties(secret)[value].is_null(),
                "{secret} has a {value}, which a deploy could write over the filled one"
            );
        }
    }
}

#[test]
fn an_event_id_is_never_forgotten_within_fourteen_days() {
    let parameter = &template()["Parameters"]["EventTtlDays"];
    assert_eq!(parameter["Type"], "Number", "a minimum works on numbers only");
    assert_eq!(integer(&parameter["MinValue"]), 15, "less than the queues' 14 days and a day must be refused");
    assert_eq!(integer(&parameter["Default"]), 21);
}

#[test]
fn nothing_is_archived_unless_days_are_given_and_then_for_those_days_only() {
    let parameter = &template()["Parameters"]["ArchiveDays"];
    assert_eq!((integer(&parameter["Default"]), integer(&parameter["MinValue"])), (0, 0));
    let archives = resources_of_type("AWS::Events::Archive");
    assert_eq!(archives.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["EventArchive"]);
    let condition = resource("EventArchive")["Condition"].as_str().expect("the archive has a condition");
    let given = serde_json::json!({ "Fn::Not": [{ "Fn::Equals": [{ "Ref": "ArchiveDays" }, 0] }] });
    assert_eq!(template()["Conditions"][condition], given, "0 days would mean for ever to EventBridge");
    let archive = archives[0].1;
    assert_eq!(archive["RetentionDays"]["Ref"], "ArchiveDays");
    assert_eq!(archive["SourceArn"]["Fn::GetAtt"], serde_json::json!(["EventBus", "Arn"]));
    assert_eq!(archive["EventPattern"], serde_json::json!({ "source": ["capillary.events"] }), "the source of the bus's entries");
    assert_eq!(resource("EventArchive")["DeletionPolicy"], Value::Null, "one that is switched off must not go on archiving");
}

#[test]
fn no_role_has_a_star_in_actions_or_resources_except_x_ray() {
    let statements = role_statements();
    assert!(!statements.is_empty());
    for (role, statement) in statements {
        assert_eq!(statement["Effect"], "Allow", "{role}");
        assert!(
            statement["NotAction"].is_null() && statement["NotResource"].is_null(),
            "{role}: a list of what is not meant is a star too"
        );
        let actions = list(&statement["Action"]);
        for action in &actions {
            assert!(!action.to_string().contains('*'), "{role} may {action}");
        }
        // X-Ray has no resources that these two actions could be narrowed to.
        let is_x_ray = actions.iter().all(|action| *action == "xray:PutTraceSegments" || *action == "xray:PutTelemetryRecords");
        for target in list(&statement["Resource"]) {
            assert!(is_x_ray || !target.to_string().contains('*'), "{role}: {actions:?} on {target}");
        }
    }
}

#[test]
fn roles_are_those_written_in_the_template_with_no_managed_policies() {
    let mut names: Vec<_> = resources_of_type("AWS::IAM::Role").into_iter().map(|(name, _)| name).collect();
    names.sort_unstable();
    assert_eq!(names, ["EnricherRole", "ReceiverRole"], "a role made by the transform may do more than needed");
    for (name, role) in resources_of_type("AWS::IAM::Role") {
        assert!(role["ManagedPolicyArns"].is_null(), "{name} has managed policies");
    }
    assert!(resources_of_type("AWS::IAM::Policy").is_empty() && resources_of_type("AWS::IAM::ManagedPolicy").is_empty());
    assert_eq!(properties("ReceiverFunction")["Role"]["Fn::GetAtt"][0], "ReceiverRole");
    assert_eq!(properties("EnricherFunction")["Role"]["Fn::GetAtt"][0], "EnricherRole");
}

#[test]
fn the_receiver_may_do_its_three_calls_and_no_more() {
    assert_eq!(allowed("ReceiverRole", "EventsTable"), ["dynamodb:PutItem"]);
    assert_eq!(allowed("ReceiverRole", "EventsQueue"), ["sqs:SendMessage"]);
    assert_eq!(allowed("ReceiverRole", "DeadLetterQueue"), ["sqs:SendMessage"]);
    assert_eq!(allowed("ReceiverRole", "WebhookSecret"), ["secretsmanager:GetSecretValue"]);
    for other in ["SnapshotsTable", "EventBus", "CapillarySecret"] {
        assert!(allowed("ReceiverRole", other).is_empty(), "the receiver has no business with {other}");
    }
}

#[test]
fn the_enricher_may_do_what_the_design_says_and_no_more() {
    assert_eq!(allowed("EnricherRole", "EventsTable"), ["dynamodb:BatchGetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]);
    assert_eq!(allowed("EnricherRole", "SnapshotsTable"), ["dynamodb:BatchGetItem", "dynamodb:PutItem"]);
    assert_eq!(
        allowed("EnricherRole", "EventsQueue"),
        ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
    );
    assert_eq!(allowed("EnricherRole", "DeadLetterQueue"), ["sqs:SendMessage"]);
    assert_eq!(allowed("EnricherRole", "EventBus"), ["events:PutEvents"]);
    assert_eq!(allowed("EnricherRole", "CapillarySecret"), ["secretsmanager:GetSecretValue"]);
    assert!(allowed("EnricherRole", "WebhookSecret").is_empty());
}

#[test]
fn functions_write_to_their_own_log_groups_which_forget() {
    for (function, role, group) in
        [("ReceiverFunction", "ReceiverRole", "ReceiverLogGroup"), ("EnricherFunction", "EnricherRole", "EnricherLogGroup")]
    {
        assert_eq!(properties(function)["LoggingConfig"]["LogGroup"]["Ref"], group);
        assert_eq!(properties(function)["LoggingConfig"]["LogFormat"], "JSON");
        assert_eq!(allowed(role, group), ["logs:CreateLogStream", "logs:PutLogEvents"]);
        assert_eq!(properties(group)["RetentionInDays"]["Ref"], "LogRetentionDays", "{group} would keep logs for ever");
    }
}

fn mapping() -> &'static Value {
    let mappings = resources_of_type("AWS::Lambda::EventSourceMapping");
    assert_eq!(mappings.len(), 1, "one queue feeds one function");
    mappings[0].1
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
fn the_defaults_are_the_designs() {
    for (parameter, value) in
        [("SnapshotTtlDays", 400), ("MaxAttempts", 8), ("MaxEntryKib", 256), ("CapillaryReplicaLagSeconds", 5)]
    {
        assert_eq!(integer(&template()["Parameters"][parameter]["Default"]), value, "{parameter}");
    }
}

#[test]
fn everything_is_enriched_and_nothing_redacted_unless_somebody_says_so() {
    for parameter in ["EventRules", "DropPaths", "HashPaths"] {
        let parameter_properties = &template()["Parameters"][parameter];
        assert_eq!(
            (&parameter_properties["Type"], &parameter_properties["Default"]),
            (&"String".into(), &"".into()),
            "{parameter}"
        );
        let description = parameter_properties["Description"].as_str().unwrap_or_default();
        assert!(!description.is_empty() && description.chars().count() <= MAX_DESCRIPTION_CHARS, "{parameter}: {description}");
    }
    let groups = template()["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"].to_string();
    for parameter in template()["Parameters"].as_object().expect("parameters").keys() {
        assert!(groups.contains(&format!("\"{parameter}\"")), "{parameter} is in no group of the console");
    }
}

#[test]
fn no_endpoint_stands_in_the_template() {
    assert!(!template().to_string().contains("AWS_ENDPOINT_URL"), "the functions would not reach AWS");
}

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

#[test]
fn the_outputs_that_tools_read_are_there() {
    let outputs = template()["Outputs"].as_object().expect("outputs");
    for name in [
        "EventsUrl",
        "EventsTableName",
        "SnapshotsTableName",
        "EventsQueueUrl",
        "EventsQueueArn",
        "DeadLetterQueueUrl",
        "DeadLetterQueueArn",
        "EventBusName",
        "EventBusArn",
        "WebhookSecretArn",
        "CapillarySecretArn",
        "ReceiverFunctionName",
        "EnricherFunctionName",
    ] {
        assert!(outputs.contains_key(name), "no output {name}");
    }
}
