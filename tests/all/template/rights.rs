//! Who may do what: the roles, to the letter.

use std::collections::BTreeSet;

use serde_json::json;

use super::{
    granted, list, only_if, properties, resources_of_type, role_statements, role_statements_if, template, written_statements,
};

/// The kinds of resources that these tests judge. Another kind may open another way in, or keep something somewhere else.
const KINDS: [&str; 21] = [
    "AWS::ApiGateway::BasePathMapping",
    "AWS::ApiGateway::Deployment",
    "AWS::ApiGateway::DomainName",
    "AWS::ApiGateway::RestApi",
    "AWS::ApiGateway::Stage",
    "AWS::CloudWatch::Alarm",
    "AWS::CloudWatch::Dashboard",
    "AWS::DynamoDB::Table",
    "AWS::Events::Archive",
    "AWS::Events::EventBus",
    "AWS::IAM::Role",
    "AWS::Lambda::EventSourceMapping",
    "AWS::Lambda::Function",
    "AWS::Lambda::Permission",
    "AWS::Logs::LogGroup",
    "AWS::Logs::MetricFilter",
    "AWS::Logs::QueryDefinition",
    "AWS::SNS::Topic",
    "AWS::SQS::Queue",
    "AWS::SQS::QueuePolicy",
    "AWS::SecretsManager::Secret",
];

/// What both functions may do besides their own calls: Lambda itself writes their logs and traces, with their roles.
const LOGS_AND_TRACES: [&str; 4] =
    ["logs:CreateLogStream", "logs:PutLogEvents", "xray:PutTelemetryRecords", "xray:PutTraceSegments"];

fn rights(of: &[(&str, &[&str])], log_group: &str) -> BTreeSet<(String, String)> {
    let own = of.iter().flat_map(|(target, actions)| actions.iter().map(|action| ((*action).to_owned(), (*target).to_owned())));
    let beside = LOGS_AND_TRACES.map(|action| {
        let target = if action.starts_with("logs:") { log_group } else { "*" };
        (action.to_owned(), target.to_owned())
    });
    own.chain(beside).collect()
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
fn what_a_role_may_besides_hangs_on_the_key_or_the_vpc() {
    for (role, statement) in written_statements() {
        let known = ["HasKmsKey", "IsInVpc"].iter().any(|condition| only_if(statement, condition).is_some());
        assert!(statement["Fn::If"].is_null() || known, "{role}: {statement}");
    }
    for (condition, sid) in [("HasKmsKey", "UseKmsKey"), ("IsInVpc", "ConnectToVpc")] {
        let statements = role_statements_if(condition);
        let roles: BTreeSet<&str> = statements.iter().map(|(role, _)| *role).collect();
        assert_eq!((roles, statements.len()), (["EnricherRole", "ReceiverRole"].into(), 2), "{condition}");
        assert!(statements.iter().all(|(_, statement)| statement["Sid"] == sid && statement["Effect"] == "Allow"), "{condition}");
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
fn only_lambda_may_take_a_role() {
    for (name, role) in resources_of_type("AWS::IAM::Role") {
        let statements = list(&role["AssumeRolePolicyDocument"]["Statement"]);
        let expected = json!({"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"});
        assert_eq!(statements, [&expected], "{name}");
    }
}

#[test]
fn the_receiver_may_do_its_three_calls_and_no_more() {
    let expected = rights(
        &[
            ("EventsTable", &["dynamodb:PutItem"]),
            ("EventsQueue", &["sqs:SendMessage"]),
            ("DeadLetterQueue", &["sqs:SendMessage"]),
            ("WebhookSecret", &["secretsmanager:GetSecretValue"]),
        ],
        "ReceiverLogGroup",
    );
    assert_eq!(granted("ReceiverRole"), expected);
}

#[test]
fn the_enricher_may_do_what_the_design_says_and_no_more() {
    let expected = rights(
        &[
            ("EventsTable", &["dynamodb:BatchGetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]),
            ("SnapshotsTable", &["dynamodb:BatchGetItem", "dynamodb:PutItem", "dynamodb:BatchWriteItem"]),
            ("SnapshotsTable/index/byCustomer", &["dynamodb:Query"]),
            (
                "EventsQueue",
                &["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"],
            ),
            ("DeadLetterQueue", &["sqs:SendMessage"]),
            ("EventBus", &["events:PutEvents"]),
            ("CapillarySecret", &["secretsmanager:GetSecretValue"]),
        ],
        "EnricherLogGroup",
    );
    assert_eq!(granted("EnricherRole"), expected);
}

#[test]
fn the_gateway_and_nobody_else_may_call_a_function() {
    let permissions = resources_of_type("AWS::Lambda::Permission");
    assert_eq!(permissions.len(), 1);
    let (_, permission) = permissions[0];
    assert_eq!(permission["FunctionName"]["Ref"], "ReceiverFunction");
    assert_eq!(
        (&permission["Action"], &permission["Principal"]),
        (&json!("lambda:InvokeFunction"), &json!("apigateway.amazonaws.com"))
    );
    let source = &permission["SourceArn"]["Fn::Sub"];
    assert!(source[0].as_str().is_some_and(|arn| arn.ends_with(":${__ApiId__}/${__Stage__}/POST/events")), "{source}");
    // The star stands for the API's stages, of which there is one. It is SAM's.
    assert_eq!(source[1], json!({"__ApiId__": {"Ref": "EventsApi"}, "__Stage__": "*"}));
}

#[test]
fn there_is_no_other_way_in() {
    for (name, resource) in template()["Resources"].as_object().expect("resources") {
        let kind = resource["Type"].as_str().unwrap_or_default();
        assert!(KINDS.contains(&kind), "{name} is a {kind}, of which no test knows anything");
        // Queues have policies of their own, which deny.
        for policy in ["Policy", "ResourcePolicy", "FunctionUrlConfig"] {
            assert!(resource["Properties"][policy].is_null(), "{name} lets others in");
        }
    }
}
