//! `capctl doctor`: what is as it should be, and each fault with its remedy.

use serde_json::Value;

use crate::support::capctl::{Capctl, Ran};
use crate::support::stack::Stack;
use crate::support::world::World;

/// The findings about something, as state and words.
fn findings(ran: &Ran, what: &str) -> Vec<(String, String)> {
    let told = ran.object();
    let text = |finding: &Value, name: &str| finding[name].as_str().unwrap_or_default().to_owned();
    let about = told["findings"].as_array().expect("findings").iter().filter(|finding| finding["what"] == what);
    about.map(|finding| (text(finding, "state"), text(finding, "words"))).collect()
}

#[track_caller]
fn assert_found(ran: &Ran, what: &str, state: &str, words: &str) {
    let found = findings(ran, what);
    assert!(found.iter().any(|(is, says)| is == state && says.contains(words)), "{what} is not {state} ({words}): {found:?}");
}

/// A world whose tables forget, as those of the template do.
async fn world() -> World {
    let world = World::new().await;
    for table in [&world.names.events_table, &world.names.snapshots_table] {
        world.forgets(table).await;
    }
    world
}

async fn doctor(world: &World) -> Ran {
    let capillary = world.capillary().await.url();
    Capctl::of(world, capillary).with("EVENTS_URL", "http://127.0.0.1:9/events").run(&["--json", "doctor"]).await
}

#[tokio::test]
async fn the_deployed_stack_is_well() {
    let ran = Capctl::of_stack(&Stack::load()).run(&["--json", "doctor"]).await;
    for (what, words) in [
        ("ledger", "forgets"),
        ("snapshots", "forgets"),
        ("webhook key", "authorization and x-webhook-key"),
        ("API key", "readable"),
        ("receiver", "takes deliveries"),
        ("Capillary", "open to the credentials: customers, transactions, cards, groups, coupons, points ledger"),
        ("clock", "agrees"),
        ("alarms", "is on"),
        ("webhook", "Capillary sends here"),
    ] {
        assert_found(&ran, what, "good", words);
    }
    // Other tests may leave something in its queues meanwhile.
    let told = ran.object();
    let bad: Vec<&Value> =
        told["findings"].as_array().expect("findings").iter().filter(|finding| finding["state"] == "bad").collect();
    assert!(bad.iter().all(|finding| finding["what"] == "dead letters"), "{bad:?}");
    ran.keeps_secret(&Stack::load().webhook_headers().iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_table_that_never_forgets_is_found() {
    let world = World::new().await;
    let ran = doctor(&world).await;
    assert_found(&ran, "ledger", "bad", "TTL on `expiresAt` is off");
    assert_eq!(ran.code, 1);
}

#[tokio::test]
async fn a_table_that_is_gone_is_found() {
    let world = world().await;
    let capillary = world.capillary().await.url();
    let ran = Capctl::of(&world, capillary).with("SNAPSHOTS_TABLE", "no-such-table").run(&["--json", "doctor"]).await;
    assert_found(&ran, "snapshots", "bad", "there is no table no-such-table");
    assert_found(&ran, "ledger", "good", "forgets");
}

#[tokio::test]
async fn a_secret_that_nobody_can_read_is_found_without_telling_what_is_in_it() {
    let world = world().await;
    world.webhook_secret_is(r#"{"headers": {"authorization": "Marker-1"}}"#).await;
    world.capillary_secret_is(r#"{"key": "Marker-2"}"#).await;
    let ran = doctor(&world).await;
    assert_found(&ran, "webhook key", "bad", "every delivery is answered 429");
    assert_found(&ran, "API key", "bad", "every event waits");
    ran.keeps_secret(&["Marker-1", "Marker-2"]);
    assert_eq!(ran.code, 1);
}

#[tokio::test]
async fn a_rotation_under_way_and_a_hold_are_hints() {
    let world = world().await;
    let secret = r#"{"headers": {"authorization": ["Marker-new", "Marker-old"]}, "holdUntil": "2999-01-01T00:00:00Z"}"#;
    world.webhook_secret_is(secret).await;
    let ran = doctor(&world).await;
    assert_found(&ran, "webhook key", "hint", "authorization may have any of 2 values");
    assert_found(&ran, "webhook key", "hint", "answered 429 until 2999-01-01");
    ran.keeps_secret(&["Marker-new", "Marker-old"]);
}

#[tokio::test]
async fn credentials_that_capillary_refuses_are_found() {
    let world = world().await;
    world.capillary_secret_is(r#"{"key": "sandbox-key", "secret": "Marker"}"#).await;
    let ran = doctor(&world).await;
    assert_found(&ran, "Capillary", "bad", "the credentials bring nothing");
    ran.keeps_secret(&["Marker"]);
}

#[tokio::test]
async fn an_api_that_is_closed_to_the_credentials_is_named() {
    let world = world().await;
    let capillary = world.capillary().await;
    capillary.fault("/v2/coupon", serde_json::json!({"kind": "status", "status": 403})).await;
    let ran = doctor(&world).await;
    assert_found(&ran, "Capillary", "bad", "closed to the credentials: coupons");
    assert_found(&ran, "Capillary", "good", "customers, transactions, cards, groups, points ledger");
}

#[tokio::test]
async fn a_webhook_that_was_never_registered_or_is_switched_off_is_found() {
    let world = world().await;
    assert_found(&doctor(&world).await, "webhook", "bad", "no webhook sends to this deployment");
    let capctl = Capctl::of(&world, world.capillary().await.url()).with("EVENTS_URL", "http://127.0.0.1:9/events");
    assert_eq!(capctl.run(&["webhook", "register"]).await.code, 0);
    assert_found(&doctor(&world).await, "webhook", "good", "with the headers of the secret");
    capctl.run(&["webhook", "pause"]).await;
    assert_found(&doctor(&world).await, "webhook", "bad", "it is switched off");
}

#[tokio::test]
async fn dead_letters_and_a_receiver_out_of_reach_are_found() {
    let world = world().await;
    let send = world.aws.sqs.send_message().queue_url(&world.names.dead_letter_queue).message_body("x");
    send.send().await.expect("a letter is sent");
    let ran = doctor(&world).await;
    assert_found(&ran, "dead letters", "bad", "about 1");
    assert_found(&ran, "receiver", "bad", "no connection");
    assert_eq!(ran.code, 1);
}

#[tokio::test]
async fn each_org_with_credentials_is_looked_at_and_named() {
    let world = world().await;
    let each = r#"{"key": "sandbox-key", "secret": "sandbox-secret"}"#;
    world.capillary_secret_is(&format!(r#"{{"orgs": {{"7": {each}, "8": {each}}}, "default": {each}}}"#)).await;
    let ran = doctor(&world).await;
    for org in ["org 7", "org 8", "all other orgs"] {
        assert_found(&ran, "webhook", "bad", &format!("{org}: no webhook sends to this deployment"));
    }
    let capctl = Capctl::of(&world, world.capillary().await.url()).with("EVENTS_URL", "http://127.0.0.1:9/events");
    let one = capctl.run(&["--json", "doctor", "--org", "8"]).await;
    let words: Vec<String> = findings(&one, "webhook").into_iter().map(|(_, words)| words).collect();
    assert_eq!(words, ["org 8: no webhook sends to this deployment"]);
}

#[tokio::test]
async fn trouble_at_capillary_is_no_sign_that_the_credentials_are_taken() {
    let world = world().await;
    let capillary = world.capillary().await;
    capillary.fault("/api_gateway/v2/audits", serde_json::json!({"kind": "status", "status": 503})).await;
    let ran = doctor(&world).await;
    assert_found(&ran, "Capillary", "bad", "Capillary answers 503");
    assert!(!ran.all().contains("are taken"), "{}", ran.all());
}

#[tokio::test]
async fn a_secret_that_is_refused_is_told_by_the_code_alone() {
    let world = world().await;
    let name = &world.names.webhook_secret;
    world.aws.secrets.delete_secret().secret_id(name).recovery_window_in_days(7).send().await.expect("a secret is deleted");
    let ran = doctor(&world).await;
    let expected = ("unknown".to_owned(), "SecretsManager.GetSecretValue: InvalidRequestException".to_owned());
    assert_eq!(findings(&ran, "webhook key"), [expected]);
}

/// A stack of one alarm that is on, with one who is told.
struct AlarmedStack<'a> {
    world: &'a World,
    name: String,
}

impl<'a> AlarmedStack<'a> {
    fn deploy(world: &'a World, name: &str) -> Self {
        let alarm = serde_json::json!({"Type": "AWS::CloudWatch::Alarm", "Properties": {
            "MetricName": "m", "Namespace": "n", "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 1, "Threshold": 1,
            "ComparisonOperator": "GreaterThanThreshold",
            "AlarmActions": [{"Ref": "Topic"}, "arn:aws:lambda:eu-west-1:123456789012:function:told"],
        }});
        let template = serde_json::json!({
            "Resources": {"HoldAlarm": alarm, "Topic": {"Type": "AWS::SNS::Topic"}},
            "Outputs": {"EventsUrl": {"Value": "http://127.0.0.1:9/events"}, "Topic": {"Value": {"Ref": "Topic"}}},
        });
        let stack = Self { world, name: name.to_owned() };
        stack.aws(&format!("cloudformation create-stack --stack-name {name} --template-body '{template}'"));
        stack
    }

    fn aws(&self, command: &str) -> Value {
        self.world.aws_command(&format!("aws {command}")).unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    /// CloudFormation's name of one of its resources.
    fn resource(&self, logical: &str) -> String {
        let told = self.aws(&format!("cloudformation list-stack-resources --stack-name {}", self.name));
        let resources = told["StackResourceSummaries"].as_array().expect("resources");
        let found = resources.iter().find(|resource| resource["LogicalResourceId"] == logical).expect("the resource");
        found["PhysicalResourceId"].as_str().expect("a name").to_owned()
    }

    fn alarm_is(&self, state: &str) {
        let name = self.resource("HoldAlarm");
        self.aws(&format!("cloudwatch set-alarm-state --alarm-name {name} --state-value {state} --state-reason test"));
    }

    async fn doctor(&self) -> Ran {
        Capctl::of_stack(&Stack::load()).with("CAPCTL_STACK", &self.name).run(&["--json", "doctor", "--without-capillary"]).await
    }
}

impl Drop for AlarmedStack<'_> {
    fn drop(&mut self) {
        // Other tests ask the same local AWS.
        let _ = self.world.aws_command(&format!("aws cloudformation delete-stack --stack-name {}", self.name));
    }
}

#[tokio::test]
async fn alarms_are_those_of_the_stack_and_not_of_another_whose_name_begins_the_same() {
    let world = World::new().await;
    let name = format!("doctor-{}", std::process::id());
    let (ours, theirs) = (AlarmedStack::deploy(&world, &name), AlarmedStack::deploy(&world, &format!("{name}-eu")));
    ours.alarm_is("OK");
    theirs.alarm_is("ALARM");
    assert_found(&ours.doctor().await, "alarms", "good", "none of 1 is on");
    assert_found(&theirs.doctor().await, "alarms", "bad", "on: HoldAlarm");
}

#[tokio::test]
async fn an_action_that_is_no_topic_is_told_and_is_no_riddle() {
    let world = World::new().await;
    let stack = AlarmedStack::deploy(&world, &format!("told-{}", std::process::id()));
    let ran = stack.doctor().await;
    assert_found(&ran, "alarms", "bad", "nobody listens");
    assert_found(&ran, "alarms", "good", "which is no topic");
    assert!(findings(&ran, "alarms").iter().all(|(state, _)| state != "unknown"), "{}", ran.all());
    let topic = stack.resource("Topic");
    stack.aws(&format!("sns subscribe --topic-arn {topic} --protocol sqs --endpoint {}", world.names.events_queue_arn));
    assert_found(&stack.doctor().await, "alarms", "good", "1 listening");
}

/// An SNS whose only confirmed subscription is on the second page.
async fn sns_with_two_pages() -> String {
    let page = async |asked: String| {
        let (subscription, next) = if asked.contains("NextToken=second") {
            ("arn:aws:sns:us-east-1:000000000000:topic:1", "")
        } else {
            ("PendingConfirmation", "<NextToken>second</NextToken>")
        };
        let member = format!("<member><SubscriptionArn>{subscription}</SubscriptionArn></member>");
        let result = format!("<Subscriptions>{member}</Subscriptions>{next}");
        let result = format!("<ListSubscriptionsByTopicResult>{result}</ListSubscriptionsByTopicResult>");
        format!("<ListSubscriptionsByTopicResponse>{result}</ListSubscriptionsByTopicResponse>")
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(axum::serve(listener, axum::Router::new().fallback(page)).into_future());
    url
}

#[tokio::test]
async fn who_is_told_of_alarms_is_looked_for_on_every_page() {
    let world = World::new().await;
    let stack = AlarmedStack::deploy(&world, &format!("paged-{}", std::process::id()));
    let capctl = Capctl::of_stack(&Stack::load()).with("CAPCTL_STACK", &stack.name);
    let capctl = capctl.with("AWS_ENDPOINT_URL_SNS", &sns_with_two_pages().await);
    let ran = capctl.run(&["--json", "doctor", "--without-capillary"]).await;
    assert_found(&ran, "alarms", "good", "1 listening");
}
