//! What the README tells consumers works: its patterns as rules of a bus, its consumer behind one of them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use serde_json::{Value, json};

use crate::support::messages::Received;
use crate::support::rules::Rule;
use crate::support::stack::Stack;
use crate::support::world::{World, create_table};
use crate::support::{examples, wait};

/// Which of `examples/details` each of `examples/patterns` lets through.
const LET_THROUGH: [(&str, &[&str]); 8] = [
    ("by-name", &["customer-deleted", "customer-first-seen", "customer-identifier-changed", "customer-late", "customer-updated"]),
    (
        "by-org",
        &[
            "customer-deleted",
            "customer-identifier-changed",
            "customer-late",
            "customer-truncated",
            "customer-updated",
            "unknown-name",
        ],
    ),
    ("anything-changed", &["customer-identifier-changed", "customer-truncated", "customer-updated", "transaction-updated"]),
    ("extended-field-changed", &["customer-truncated", "customer-updated"]),
    ("first-name-changed", &["customer-updated"]),
    ("identifier-changed", &["customer-identifier-changed"]),
    ("first-sight", &["customer-first-seen", "transaction-updated"]),
    ("partial", &["customer-deleted"]),
];

/// Puts details of these names on the world's bus.
async fn publish(world: &World, names: &[&str]) {
    for name in names {
        let detail = examples::detail(name);
        let detail_type = detail["type"].as_str().and_then(|text| text.strip_prefix("capillary.")).expect("a type");
        let entry = PutEventsRequestEntry::builder()
            .event_bus_name(world.bus_name())
            .source("capillary.events")
            .detail_type(detail_type)
            .detail(detail.to_string());
        let answer = world.aws.events.put_events().entries(entry.build()).send().await.expect("the bus answers");
        assert_eq!(answer.failed_entry_count(), 0, "{name}");
    }
}

/// Messages of a rule's queue, once there are so many.
async fn received(world: &World, rule: &Rule, expected: usize) -> Vec<Received> {
    let mut all = Vec::new();
    wait::poll(Duration::from_secs(10), async || {
        all.extend(world.receive_all(&rule.queue).await);
        (all.len() >= expected).then_some(())
    })
    .await;
    all
}

#[tokio::test]
async fn each_pattern_as_a_rule_lets_through_what_it_is_for_and_nothing_else() {
    let world = World::new().await;
    let patterns = examples::patterns();
    assert_eq!(patterns.keys().map(String::as_str).collect::<BTreeSet<_>>(), LET_THROUGH.map(|(name, _)| name).into());
    let mut rules = BTreeMap::new();
    for (name, pattern) in &patterns {
        rules.insert(name.as_str(), Rule::create(&world.aws, world.bus_name(), &unique(name), pattern).await);
    }
    let details = examples::details();
    let names_by_id: BTreeMap<&str, &str> =
        details.iter().map(|(name, detail)| (detail["id"].as_str().expect("an id"), name.as_str())).collect();
    assert_eq!(names_by_id.len(), details.len(), "each of the details has an id of its own");

    publish(&world, &details.keys().map(String::as_str).collect::<Vec<_>>()).await;
    assert_eq!(world.published(details.len()).await.len(), details.len());
    for (pattern, expected) in LET_THROUGH {
        let messages = received(&world, &rules[pattern], expected.len()).await;
        let came = messages.iter().map(|message| {
            let event: Value = serde_json::from_str(&message.body).expect("an EventBridge event");
            names_by_id[event["detail"]["id"].as_str().expect("an id")]
        });
        assert_eq!(came.collect::<BTreeSet<_>>(), expected.iter().copied().collect(), "{pattern}");
    }
}

/// The README's consumer with a table of its own, behind a rule for all events.
struct Consumer {
    world: World,
    rule: Rule,
    table: String,
}

/// Calls the handler as Lambda does; the answer is the last line.
const INVOKE: &str = "import consumer, json, sys; print(json.dumps(consumer.handler(json.load(sys.stdin), None)))";

impl Consumer {
    async fn start() -> Self {
        let world = World::new().await;
        let pattern = json!({"source": ["capillary.events"]}).to_string();
        let rule = Rule::create(&world.aws, world.bus_name(), &unique("consumer"), &pattern).await;
        let table = create_table(&world.aws, &unique("states"), "entity").await;
        Self { world, rule, table }
    }

    /// Messages for the consumer, made by the bus of details.
    async fn messages(&self, names: &[&str]) -> Vec<Received> {
        publish(&self.world, names).await;
        let messages = received(&self.world, &self.rule, names.len()).await;
        assert_eq!(messages.len(), names.len());
        messages
    }

    /// One batch; the ids of the messages that are to come again.
    fn take(&self, table: &str, messages: &[Received]) -> Vec<String> {
        let stack = Stack::load();
        let records: Vec<Value> = messages.iter().map(|message| message.record("arn:aws:sqs:::consumer")).collect();
        let mut python = Command::new(stack.text("/tools/awsPython"))
            .args(["-c", INVOKE])
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/examples"))
            .env_clear()
            .envs([("PYTHONPATH", "."), ("PYTHONDONTWRITEBYTECODE", "1"), ("STATES_TABLE", table)])
            .envs([("AWS_ENDPOINT_URL", stack.endpoint()), ("AWS_DEFAULT_REGION", stack.region())])
            .envs([("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test"), ("AWS_EC2_METADATA_DISABLED", "true")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python runs");
        let batch = json!({"Records": records}).to_string();
        python.stdin.take().expect("an input").write_all(batch.as_bytes()).expect("the batch is written");
        let output = python.wait_with_output().expect("an end");
        let text = String::from_utf8_lossy(&output.stdout);
        let answer: Value = serde_json::from_str(text.lines().last().unwrap_or_default()).expect("an answer");
        let failures = answer["batchItemFailures"].as_array().expect("failures");
        failures.iter().map(|failure| failure["itemIdentifier"].as_str().expect("an id").to_owned()).collect()
    }

    /// Hands over these details in this order, each in a batch of its own.
    async fn takes(&self, names: &[&str]) {
        for name in names {
            let messages = self.messages(&[name]).await;
            assert_eq!(self.take(&self.table, &messages), Vec::<String>::new(), "{name}");
        }
    }

    /// What the consumer knows of an entity: version, status, body.
    async fn state(&self, entity: &str) -> (u64, String, Option<Value>) {
        let get = self.world.aws.dynamodb.get_item().table_name(&self.table).consistent_read(true);
        let answer = get.key("entity", AttributeValue::S(entity.into())).send().await.expect("the table answers");
        let item = answer.item.unwrap_or_else(|| panic!("{entity} is not known"));
        let body = item.get("body").map(|body| serde_json::from_str(body.as_s().expect("a text")).expect("JSON"));
        let version = item["version"].as_n().expect("a number").parse().expect("a whole one");
        (version, item["status"].as_s().expect("a status").clone(), body)
    }
}

fn unique(name: &str) -> String {
    format!("{name}-{}", &uuid::Uuid::new_v4().simple().to_string()[..12])
}

const CUSTOMER: &str = "/capillary/orgs/100737/customer/728942858";

#[tokio::test]
async fn the_consumer_keeps_the_newest_state_whatever_comes_twice_or_late() {
    let consumer = Consumer::start().await;
    consumer.takes(&["customer-updated"]).await;
    assert_eq!(consumer.state(CUSTOMER).await.0, 1_755_225_721_008);
    consumer.takes(&["customer-identifier-changed", "customer-identifier-changed", "customer-updated", "customer-late"]).await;
    let newest = examples::detail("customer-identifier-changed")["data"]["entities"][0].clone();
    let expected = (newest["version"].as_u64().unwrap(), "found".to_owned(), Some(newest["body"].clone()));
    assert_eq!(consumer.state(CUSTOMER).await, expected);
}

#[tokio::test]
async fn the_consumer_forgets_a_state_that_it_was_not_told_and_a_customer_for_good() {
    let consumer = Consumer::start().await;
    consumer.takes(&["customer-updated", "customer-truncated"]).await;
    assert_eq!(consumer.state(CUSTOMER).await, (1_755_225_721_010, "found".to_owned(), None), "an old body is no state");
    consumer.takes(&["customer-deleted", "customer-identifier-changed", "customer-truncated"]).await;
    let (_, status, body) = consumer.state(CUSTOMER).await;
    assert_eq!((status.as_str(), body), ("deleted", None));
}

#[tokio::test]
async fn the_consumer_reports_the_one_message_that_failed() {
    let consumer = Consumer::start().await;
    let mut messages = consumer.messages(&["unknown-name", "customer-updated", "transaction-updated"]).await;
    let broken = messages.iter_mut().find(|message| message.body.contains("customerUpdated")).expect("it came");
    broken.body = "no JSON".to_owned();
    let broken = broken.id.clone();
    assert_eq!(consumer.take(&consumer.table, &messages), [broken]);
    for entity in ["transaction/846386835", "customer/457713368"] {
        assert_eq!(consumer.state(&format!("/capillary/orgs/9240/{entity}")).await.1, "found");
    }
}

#[tokio::test]
async fn the_consumer_keeps_nothing_for_done_that_its_table_did_not_take() {
    let consumer = Consumer::start().await;
    let messages = consumer.messages(&["customer-updated"]).await;
    assert_eq!(consumer.take(&unique("no-table"), &messages), [messages[0].id.clone()]);
    assert!(consumer.take(&consumer.table, &messages).is_empty());
    assert_eq!(consumer.state(CUSTOMER).await.1, "found");
}
