//! The deployed stack: from a POST to the bus, through the gateway, both functions and the queue between them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::events::{of_customer, of_nobody, of_transaction};
use crate::support::rules::Rule;
use crate::support::stack::{Aws, Stack};
use crate::support::stage::{customer_key, transaction_key};
use crate::support::{detail_schema, http, wait};

/// The deployed stack, listened to by a rule and a queue of this test alone.
struct Deployed {
    stack: Stack,
    aws: Aws,
    client: reqwest::Client,
    rule: Rule,
}

impl Deployed {
    async fn listen() -> Self {
        let stack = Stack::load();
        let aws = Aws::connect(&stack).await;
        let name = format!("listener-{}", &uuid::Uuid::new_v4().simple().to_string()[..12]);
        let bus = stack.text("/outputs/EventBusName");
        let rule = Rule::create(&aws, &bus, &name, &json!({"source": ["capillary.events"]}).to_string()).await;
        Self { stack, aws, client: http::client(), rule }
    }

    async fn post(&self, body: String) -> (u16, Value) {
        self.post_with(self.stack.webhook_headers(), body).await
    }

    async fn post_with(&self, headers: Vec<(String, String)>, body: String) -> (u16, Value) {
        let mut request = self.client.post(self.stack.text("/eventsUrl")).header("content-type", "application/json").body(body);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let answer = request.send().await.expect("the gateway answers");
        let status = answer.status().as_u16();
        let text = answer.text().await.expect("a body");
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// Events on the bus by id, once all of these have come; each id with the number of its copies.
    async fn published(&self, ids: &[&str]) -> BTreeMap<String, Vec<Value>> {
        let mut events: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        let all = wait::poll(Duration::from_secs(30), async || {
            let receive = self.aws.sqs.receive_message().queue_url(&self.rule.queue).max_number_of_messages(10);
            for message in receive.send().await.expect("the queue answers").messages() {
                let event: Value = serde_json::from_str(message.body().unwrap_or_default()).expect("JSON");
                detail_schema::assert_valid(&event["detail"]);
                events.entry(event["detail"]["id"].as_str().unwrap_or_default().to_owned()).or_default().push(event);
            }
            ids.iter().all(|id| events.contains_key(*id)).then_some(())
        })
        .await;
        assert!(all.is_some(), "not all of {ids:?} have come through the bus, only {:?}", events.keys());
        events
    }

    /// Tells the stand-in for Capillary how something is, without an event.
    async fn at_capillary(&self, path: &str, body: Value) {
        let url = format!("{}/sandbox/{path}", self.stack.text("/sandboxUrl"));
        let answer = self.client.put(url).json(&body).send().await.expect("the sandbox answers");
        assert!(answer.status().is_success(), "the sandbox refuses: {}", answer.status());
    }

    /// The names of the attributes of a snapshot, sorted.
    async fn snapshot(&self, key: &str) -> Option<Vec<String>> {
        let get = self.aws.dynamodb.get_item().table_name(self.stack.text("/outputs/SnapshotsTableName")).consistent_read(true);
        let get = get.key("entityKey", aws_sdk_dynamodb::types::AttributeValue::S(key.to_owned()));
        let item = get.send().await.expect("the snapshot is read").item?;
        Some(item.into_keys().collect::<std::collections::BTreeSet<_>>().into_iter().collect())
    }

    async fn stop(self) {
        self.rule.delete(&self.aws).await;
    }
}

fn unique(name: &str) -> String {
    format!("{name}-{}", uuid::Uuid::new_v4())
}

#[tokio::test]
async fn a_post_becomes_an_enriched_event_on_the_bus_and_again_is_a_duplicate() {
    let deployed = Deployed::listen().await;
    let id = unique("deployed");
    let event = of_customer("customerUpdated", &id, 728_942_858);
    let (status, answer) = deployed.post(event.to_string()).await;
    assert_eq!((status, answer), (200, json!({"status": "accepted", "eventId": id})));
    let events = deployed.published(&[&id]).await;
    let detail = &events[&id][0]["detail"];
    assert_eq!(detail["data"]["enrichment"]["status"], "complete", "{detail}");
    assert_eq!(detail["data"]["entities"][0]["status"], "found", "{detail}");
    assert_eq!(detail["subject"], "customer/728942858");
    let again = wait::poll(Duration::from_secs(20), async || {
        let (status, answer) = deployed.post(event.to_string()).await;
        assert!(matches!(status, 200 | 429), "{status} {answer}");
        (status == 200).then_some(answer)
    })
    .await;
    assert_eq!(again, Some(json!({"status": "duplicate", "eventId": id})));
    deployed.stop().await;
}

#[tokio::test]
async fn with_a_deleted_customer_her_bill_goes_from_the_table_that_the_template_makes() {
    let deployed = Deployed::listen().await;
    let (she, bill) = (fastrand::u64(1_000_000_000..2_000_000_000), fastrand::u64(1_000_000_000..2_000_000_000));
    deployed.at_capillary(&format!("transactions/{bill}?event=none"), json!({"customerId": she})).await;
    let (bought, deleted) = (unique("bought"), unique("deleted"));
    assert_eq!(deployed.post(of_transaction("transactionAdded", &bought, bill, she, "REGULAR").to_string()).await.0, 200);
    deployed.published(&[&bought]).await;
    assert!(deployed.snapshot(&transaction_key(bill)).await.expect("her bill").contains(&"customerKey".to_owned()));
    deployed.at_capillary(&format!("customers/{she}/state"), json!({"state": "deleted"})).await;
    assert_eq!(deployed.post(of_customer("customerUpdated", &deleted, she).to_string()).await.0, 200);
    let events = deployed.published(&[&deleted]).await;
    assert_eq!(events[&deleted][0]["detail"]["data"]["entities"][0]["status"], "deleted");
    assert_eq!(deployed.snapshot(&transaction_key(bill)).await, None);
    let tombstone = ["deleted", "entityKey", "expiresAt", "observedAt", "v", "version"].map(str::to_owned);
    assert_eq!(deployed.snapshot(&customer_key(she)).await, Some(tombstone.to_vec()));
    deployed.stop().await;
}

#[tokio::test]
async fn strangers_and_broken_bodies_get_their_answers_through_the_gateway() {
    let deployed = Deployed::listen().await;
    let (status, _) = deployed.post_with(Vec::new(), of_nobody("x").to_string()).await;
    assert_eq!(status, 401);
    let wrong = deployed.stack.webhook_headers().into_iter().map(|(name, value)| (name, format!("{value}x"))).collect();
    assert_eq!(deployed.post_with(wrong, of_nobody("x").to_string()).await.0, 401);
    assert_eq!(deployed.post("not json".into()).await.0, 400);
    deployed.stop().await;
}

#[tokio::test]
async fn bytes_survive_the_gateway() {
    let deployed = Deployed::listen().await;
    let id = unique("bytes");
    let mut event = of_nobody(&id);
    event["data"]["what"] = json!("日本 é ~1* \u{1F600}");
    assert_eq!(deployed.post(event.to_string()).await.0, 200);
    let events = deployed.published(&[&id]).await;
    assert_eq!(events[&id][0]["detail"]["data"]["event"]["data"]["what"], event["data"]["what"]);
    deployed.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_twenty_identical_posts_at_once_one_id_is_published() {
    let deployed = Deployed::listen().await;
    let id = unique("twenty");
    let event = of_nobody(&id).to_string();
    let answers = futures_util::future::join_all((0..20).map(|_| deployed.post(event.clone()))).await;
    let accepted = answers.iter().filter(|(_, answer)| answer["status"] == "accepted").count();
    assert_eq!(accepted, 1, "{answers:?}");
    // A gateway on this machine gives 502 where the real one is set to 429.
    assert!(answers.iter().all(|(status, _)| matches!(status, 200 | 429 | 502)), "{answers:?}");
    let events = deployed.published(&[&id]).await;
    let others: Vec<&String> = events.keys().filter(|key| key.contains(&id) && **key != id).collect();
    assert!(others.is_empty(), "published under another id, too: {others:?}");
    deployed.stop().await;
}

#[tokio::test]
async fn another_event_under_a_known_id_reaches_the_bus_too() {
    let deployed = Deployed::listen().await;
    let id = unique("shared");
    assert_eq!(deployed.post(of_nobody(&id).to_string()).await.0, 200);
    assert_eq!(deployed.post(of_customer("pointsIssued", &id, 5).to_string()).await.0, 200);
    let row = wait::poll(Duration::from_secs(10), async || {
        let scan = deployed
            .aws
            .dynamodb
            .scan()
            .table_name(deployed.stack.text("/outputs/EventsTableName"))
            .send()
            .await
            .expect("the ledger");
        scan.items().iter().filter_map(|item| item["eventId"].as_s().ok().cloned()).find(|key| key.starts_with(&format!("{id}~")))
    })
    .await
    .expect("a second key");
    deployed.published(&[&id, &row]).await;
    deployed.stop().await;
}
