//! One test's own tables, queues, bus, secrets and processes, with verbs so that a test reads as a story.

pub(crate) mod snapshots;

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType, TimeToLiveSpecification,
};
use aws_sdk_sqs::types::{MessageAttributeValue, MessageSystemAttributeName, QueueAttributeName};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::capillary::Capillary;
use super::delivery::{AUTHORIZATION, Receiver, WEBHOOK_KEY};
use super::detail_schema;
use super::fault_proxy::FaultProxy;
use super::messages::Received;
use super::rules::{Rule, create_queue};
use super::runtime_api::{Function, FunctionError};
use super::stack::{Aws, Stack};

/// Everything that one test stands on. Its processes end with it.
pub(crate) struct World {
    pub(crate) aws: Aws,
    /// Stands between the executables and AWS.
    pub(crate) proxy: FaultProxy,
    pub(crate) stack: Stack,
    pub(crate) names: Names,
    capillary: OnceCell<Capillary>,
}

/// What the parts of a world are called.
pub(crate) struct Names {
    pub(crate) events_table: String,
    pub(crate) snapshots_table: String,
    pub(crate) events_queue: String,
    pub(crate) events_queue_arn: String,
    pub(crate) dead_letter_queue: String,
    pub(crate) bus: String,
    pub(crate) bus_queue: String,
    pub(crate) webhook_secret: String,
    pub(crate) capillary_secret: String,
}

/// A running enricher.
pub(crate) struct Enricher(pub(crate) Function);

/// A row of the ledger.
#[derive(Debug, Clone)]
pub(crate) struct Row(pub(crate) HashMap<String, AttributeValue>);

/// Days that the rows of these worlds live.
pub(crate) const EVENT_TTL_DAYS: u64 = 21;

/// The enricher's timeout in the template.
const ENRICHER_TIMEOUT: Duration = Duration::from_secs(60);

impl World {
    /// A new world on the local AWS, with both secrets filled.
    pub(crate) async fn new() -> Self {
        let stack = Stack::load();
        let aws = Aws::connect(&stack).await;
        let proxy = FaultProxy::start(&stack.endpoint()).await;
        let names = Names::create(&aws).await;
        Self { aws, proxy, stack, names, capillary: OnceCell::new() }
    }

    /// This world's stand-in for Capillary, started when first asked for.
    pub(crate) async fn capillary(&self) -> &Capillary {
        self.capillary.get_or_init(Capillary::start).await
    }

    /// Starts a receiver whose AWS calls go through the proxy.
    pub(crate) async fn receiver(&self) -> Receiver {
        Receiver(Function::start(&self.stack.receiver(), &self.receiver_environment()).await)
    }

    /// The same with variables added or changed.
    pub(crate) async fn receiver_with(&self, changes: &[(&str, &str)]) -> Receiver {
        let environment = changed(self.receiver_environment(), changes);
        Receiver(Function::start(&self.stack.receiver(), &environment).await)
    }

    /// Starts an enricher whose AWS calls go through the proxy.
    pub(crate) async fn enricher(&self) -> Enricher {
        self.enricher_with(&[]).await
    }

    /// The same with variables added or changed.
    pub(crate) async fn enricher_with(&self, changes: &[(&str, &str)]) -> Enricher {
        let environment = changed(self.enricher_environment().await, changes);
        Enricher(Function::start(&self.stack.enricher(), &environment).await)
    }

    pub(crate) fn receiver_environment(&self) -> Vec<(String, String)> {
        let mut environment = self.common_environment();
        environment.push(("WEBHOOK_SECRET_ID".into(), self.names.webhook_secret.clone()));
        environment
    }

    /// The same for an enricher that asks another Capillary than this world's own.
    pub(crate) async fn enricher_asking(&self, capillary: &str, changes: &[(&str, &str)]) -> Enricher {
        let environment = changed(self.environment_asking(capillary), changes);
        Enricher(Function::start(&self.stack.enricher(), &environment).await)
    }

    pub(crate) async fn enricher_environment(&self) -> Vec<(String, String)> {
        self.environment_asking(self.capillary().await.url())
    }

    pub(crate) fn environment_asking(&self, capillary: &str) -> Vec<(String, String)> {
        let mut environment = self.common_environment();
        environment.extend([
            ("SNAPSHOTS_TABLE".into(), self.names.snapshots_table.clone()),
            ("EVENT_BUS_NAME".into(), self.names.bus.clone()),
            ("CAPILLARY_SECRET_ID".into(), self.names.capillary_secret.clone()),
            ("CAPILLARY_BASE_URL".into(), capillary.into()),
            ("CAPILLARY_REQUESTS_PER_MINUTE".into(), "6000".into()),
        ]);
        environment
    }

    fn common_environment(&self) -> Vec<(String, String)> {
        vec![
            ("AWS_REGION".into(), self.stack.region()),
            ("AWS_DEFAULT_REGION".into(), self.stack.region()),
            ("AWS_ENDPOINT_URL".into(), self.proxy.url().into()),
            ("EVENTS_TABLE".into(), self.names.events_table.clone()),
            ("EVENTS_QUEUE_URL".into(), self.names.events_queue.clone()),
            ("DEAD_LETTER_QUEUE_URL".into(), self.names.dead_letter_queue.clone()),
            ("EVENT_TTL_DAYS".into(), EVENT_TTL_DAYS.to_string()),
        ]
    }

    /// Replaces the webhook's secret.
    pub(crate) async fn webhook_secret_is(&self, secret: &str) {
        self.put_secret(&self.names.webhook_secret, secret).await;
    }

    /// Replaces the credentials for Capillary.
    pub(crate) async fn capillary_secret_is(&self, secret: &str) {
        self.put_secret(&self.names.capillary_secret, secret).await;
    }

    async fn put_secret(&self, id: &str, secret: &str) {
        self.aws.secrets.put_secret_value().secret_id(id).secret_string(secret).send().await.expect("the secret is put");
    }

    /// The ledger's row of an id.
    pub(crate) async fn ledger_row(&self, id: &str) -> Option<Row> {
        let answer = self
            .aws
            .dynamodb
            .get_item()
            .table_name(&self.names.events_table)
            .key("eventId", AttributeValue::S(id.into()))
            .consistent_read(true)
            .send()
            .await
            .expect("the ledger is read");
        answer.item.map(Row)
    }

    /// All rows of the ledger.
    pub(crate) async fn ledger_rows(&self) -> Vec<Row> {
        let scan = self.aws.dynamodb.scan().table_name(&self.names.events_table).consistent_read(true);
        let answer = scan.send().await.expect("the ledger is read");
        answer.items.unwrap_or_default().into_iter().map(Row).collect()
    }

    /// Sets one attribute of a row, as time or another process would.
    pub(crate) async fn set(&self, id: &str, attribute: &str, value: AttributeValue) {
        self.aws
            .dynamodb
            .update_item()
            .table_name(&self.names.events_table)
            .key("eventId", AttributeValue::S(id.into()))
            .update_expression("SET #a = :v")
            .expression_attribute_names("#a", attribute)
            .expression_attribute_values(":v", value)
            .send()
            .await
            .expect("the row is changed");
    }

    /// Lets the lease of a row run out, as if time had passed.
    pub(crate) async fn lease_runs_out(&self, id: &str) {
        self.set(id, "leaseUntil", number(now_ms() - 1)).await;
    }

    /// Puts a whole row.
    pub(crate) async fn put_row(&self, row: &Row) {
        let put = self.aws.dynamodb.put_item().table_name(&self.names.events_table).set_item(Some(row.0.clone()));
        put.send().await.expect("the row is put");
    }

    /// Switches on that a table forgets what is past its time.
    pub(crate) async fn forgets(&self, table: &str) {
        let ttl = TimeToLiveSpecification::builder().attribute_name("expiresAt").enabled(true).build().expect("a setting");
        let update = self.aws.dynamodb.update_time_to_live().table_name(table).time_to_live_specification(ttl);
        update.send().await.expect("the table's setting is changed");
    }

    /// Deletes a row, as DynamoDB does some time after its expiry.
    pub(crate) async fn delete_row(&self, id: &str) {
        let delete = self.aws.dynamodb.delete_item().table_name(&self.names.events_table);
        delete.key("eventId", AttributeValue::S(id.into())).send().await.expect("the row is deleted");
    }

    /// Everything that is visible in the events queue at this moment; it is then in flight.
    pub(crate) async fn queue_messages(&self) -> Vec<Received> {
        self.receive_all(&self.names.events_queue).await
    }

    /// Everything in the dead-letter queue.
    pub(crate) async fn dead_letters(&self) -> Vec<Received> {
        let messages = self.receive_all(&self.names.dead_letter_queue).await;
        self.make_visible(&self.names.dead_letter_queue, &messages).await;
        messages
    }

    /// How many messages the events queue holds, visible or not.
    pub(crate) async fn queue_length(&self) -> usize {
        use QueueAttributeName::{ApproximateNumberOfMessages, ApproximateNumberOfMessagesNotVisible};
        let names = [ApproximateNumberOfMessages, ApproximateNumberOfMessagesNotVisible];
        let ask = self.aws.sqs.get_queue_attributes().queue_url(&self.names.events_queue);
        let answer = ask.set_attribute_names(Some(names.to_vec())).send().await.expect("the queue's attributes");
        names.iter().filter_map(|name| answer.attributes()?.get(name)?.parse::<usize>().ok()).sum()
    }

    /// What Lambda would hand over next, with these once more.
    pub(crate) async fn redelivered(&self, messages: &[Received]) -> Vec<Received> {
        self.come_back(messages).await;
        self.queue_messages().await
    }

    /// Messages that are in flight come back at once, as after their visibility timeout.
    pub(crate) async fn come_back(&self, messages: &[Received]) {
        self.make_visible(&self.names.events_queue, messages).await;
    }

    async fn make_visible(&self, queue: &str, messages: &[Received]) {
        for message in messages {
            let change = self.aws.sqs.change_message_visibility().queue_url(queue);
            let change = change.receipt_handle(&message.receipt_handle).visibility_timeout(0);
            change.send().await.expect("the message is in flight");
        }
    }

    /// What one of this world's resources, as calls name it, is called in the template.
    pub(crate) fn in_the_template(&self, name: &str) -> &'static str {
        let names = &self.names;
        let known = [
            (&names.events_table, "EventsTable"),
            (&names.snapshots_table, "SnapshotsTable"),
            (&names.events_queue, "EventsQueue"),
            (&names.dead_letter_queue, "DeadLetterQueue"),
            (&names.bus, "EventBus"),
            (&names.webhook_secret, "WebhookSecret"),
            (&names.capillary_secret, "CapillarySecret"),
        ];
        let found = known.into_iter().find(|(known, _)| *known == name);
        found.unwrap_or_else(|| panic!("{name} is nothing of this world")).1
    }

    /// What the outputs of a stack with these resources would be.
    pub(crate) fn output(&self, name: &str) -> Option<String> {
        let names = &self.names;
        match name {
            "EventsTableName" => Some(names.events_table.clone()),
            "SnapshotsTableName" => Some(names.snapshots_table.clone()),
            "EventsQueueUrl" => Some(names.events_queue.clone()),
            "DeadLetterQueueUrl" => Some(names.dead_letter_queue.clone()),
            "EventBusArn" => Some(format!("arn:aws:events:{}:000000000000:event-bus/{}", self.stack.region(), names.bus)),
            _ => None,
        }
    }

    /// Does what a command line of the AWS CLI says; its answer.
    pub(crate) fn aws_command(&self, line: &str) -> Result<Value, String> {
        let output = std::process::Command::new(self.stack.text("/tools/awsPython"))
            .arg(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/all/support/aws_command.py"))
            .arg(line)
            .env_clear()
            .envs([("AWS_ENDPOINT_URL", self.stack.endpoint()), ("AWS_DEFAULT_REGION", self.stack.region())])
            .envs([("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test"), ("PYTHONDONTWRITEBYTECODE", "1")])
            .output()
            .expect("the Python of the local AWS runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() {
            Ok(serde_json::from_slice(&output.stdout).expect("an answer in JSON"))
        } else {
            Err(text(&output.stderr))
        }
    }

    /// All of the queues: of events, of dead letters, and of the rule that takes all from the bus.
    pub(crate) fn queues(&self) -> [&str; 3] {
        [&self.names.events_queue, &self.names.dead_letter_queue, &self.names.bus_queue]
    }

    /// Everything that is visible in a queue at this moment.
    pub(crate) async fn receive_all(&self, queue: &str) -> Vec<Received> {
        let mut all = Vec::new();
        loop {
            let receive = self.aws.sqs.receive_message().queue_url(queue).max_number_of_messages(10);
            let receive = receive.message_attribute_names("All").visibility_timeout(300);
            let receive = receive.message_system_attribute_names(MessageSystemAttributeName::All);
            let answer = receive.send().await.expect("the queue answers");
            if answer.messages().is_empty() {
                return all;
            }
            all.extend(answer.messages().iter().map(Received::of));
        }
    }

    /// Puts a message into the events queue, as the receiver does for an event with an `eventId` of its own.
    pub(crate) async fn enqueue(&self, event: &Value) {
        let name = event["eventName"].as_str().unwrap_or("unknown").to_owned();
        let id = event["eventId"].as_str().expect("an eventId").to_owned();
        let org = event["orgId"].to_string();
        let received_at = now_ms().to_string();
        let attributes = [
            ("v", "Number", "1"),
            ("eventId", "String", &id),
            ("eventName", "String", &name),
            ("orgId", "Number", &org),
            ("receivedAt", "Number", &received_at),
        ];
        self.enqueue_raw(&event.to_string(), &attributes).await;
    }

    /// Puts any text with any attributes (name, data type, value) into the events queue.
    pub(crate) async fn enqueue_raw(&self, body: &str, attributes: &[(&str, &str, &str)]) {
        let mut send = self.aws.sqs.send_message().queue_url(&self.names.events_queue).message_body(body);
        for (name, data_type, value) in attributes {
            let value = MessageAttributeValue::builder().data_type(*data_type).string_value(*value).build();
            send = send.message_attributes(*name, value.expect("a data type"));
        }
        send.send().await.expect("the message is sent");
    }

    /// One batch: receives everything visible, hands it over, and deletes what was not reported as failed, as Lambda does.
    pub(crate) async fn enrich(&self, enricher: &Enricher) -> Batch {
        let messages = self.queue_messages().await;
        assert!(!messages.is_empty(), "there is nothing to enrich");
        self.enrich_these(enricher, messages).await
    }

    /// The same with given messages.
    pub(crate) async fn enrich_these(&self, enricher: &Enricher, messages: Vec<Received>) -> Batch {
        let batch = self.attempt(enricher, messages).await;
        batch.unwrap_or_else(|error| panic!("no answer ({error:?}); its logs:\n{}", enricher.0.logs()))
    }

    /// The same where there may be no answer.
    pub(crate) async fn attempt(&self, enricher: &Enricher, messages: Vec<Received>) -> Result<Batch, FunctionError> {
        let records: Vec<Value> = messages.iter().map(|message| message.record(&self.names.events_queue_arn)).collect();
        let answer = enricher.0.invoke(&json!({"Records": records}), ENRICHER_TIMEOUT).await?;
        let failed: Vec<String> = answer["batchItemFailures"]
            .as_array()
            .unwrap_or_else(|| panic!("no batchItemFailures in {answer}"))
            .iter()
            .map(|failure| failure["itemIdentifier"].as_str().expect("an itemIdentifier").to_owned())
            .collect();
        for id in &failed {
            assert!(messages.iter().any(|message| message.id == *id), "a failure of a message that was not there: {answer}");
        }
        let (back, done): (Vec<_>, Vec<_>) = messages.into_iter().partition(|message| failed.contains(&message.id));
        for message in &done {
            let delete = self.aws.sqs.delete_message().queue_url(&self.names.events_queue);
            // A twin may have deleted it before.
            let _ = delete.receipt_handle(&message.receipt_handle).send().await;
        }
        Ok(Batch { back, done })
    }

    /// `Detail`s that have come through the bus by now, once each. Waits for the first `expected` of them.
    pub(crate) async fn published(&self, expected: usize) -> Vec<Value> {
        let mut all = Vec::new();
        super::wait::poll(Duration::from_secs(10), async || {
            for message in self.receive_all(&self.names.bus_queue).await {
                let event: Value = serde_json::from_str(&message.body).expect("an EventBridge event");
                assert_eq!(event["source"], "capillary.events");
                assert_eq!(event["detail-type"], detail_type_of(&event["detail"]), "{event}");
                detail_schema::assert_valid(&event["detail"]);
                all.push(event["detail"].clone());
            }
            (all.len() >= expected).then_some(())
        })
        .await;
        assert!(all.len() >= expected, "{} of {expected} events have come through the bus: {all:?}", all.len());
        all
    }

    /// `Detail` texts of every `PutEvents` request so far, exactly as sent, whatever became of them.
    pub(crate) fn sent_details(&self) -> Vec<String> {
        self.sent_entries().iter().map(|entry| entry["Detail"].as_str().expect("a Detail").to_owned()).collect()
    }

    /// Entries of every `PutEvents` request so far, each with a `Detail` that its schema allows.
    pub(crate) fn sent_entries(&self) -> Vec<Value> {
        let calls = self.proxy.calls("PutEvents");
        let bodies = calls.iter().map(|call| serde_json::from_str::<Value>(&call.body).expect("PutEvents speaks JSON"));
        let entries: Vec<Value> = bodies.flat_map(|body| body["Entries"].as_array().cloned().unwrap_or_default()).collect();
        for entry in &entries {
            let detail = serde_json::from_str(entry["Detail"].as_str().expect("a Detail")).expect("Detail is JSON");
            detail_schema::assert_valid(&detail);
        }
        entries
    }

    /// How long the enricher has asked SQS to wait with its messages so far: each receipt handle with seconds.
    pub(crate) fn delays(&self) -> Vec<(String, u64)> {
        let bodies =
            ["ChangeMessageVisibility", "ChangeMessageVisibilityBatch"].map(|operation| self.proxy.calls(operation)).concat();
        let bodies = bodies.iter().map(|call| serde_json::from_str::<Value>(&call.body).expect("SQS speaks JSON"));
        let entries = bodies.flat_map(|body| body["Entries"].as_array().cloned().unwrap_or_else(|| vec![body]));
        let delay = |entry: Value| Some((entry["ReceiptHandle"].as_str()?.to_owned(), entry["VisibilityTimeout"].as_u64()?));
        entries.filter_map(delay).collect()
    }

    /// How long it has asked SQS to wait with this message, in seconds.
    #[track_caller]
    pub(crate) fn delay_of(&self, message: &Received) -> u64 {
        let delay = self.delays().into_iter().find(|(handle, _)| *handle == message.receipt_handle);
        delay.unwrap_or_else(|| panic!("no delay of {message:?}")).1
    }

    pub(crate) fn bus_name(&self) -> &str {
        &self.names.bus
    }
}

/// What became of a batch.
#[derive(Debug)]
pub(crate) struct Batch {
    /// Reported as failed: SQS will hand them over again.
    pub(crate) back: Vec<Received>,
    /// Done and deleted.
    pub(crate) done: Vec<Received>,
}

impl Batch {
    #[track_caller]
    pub(crate) fn all_done(&self) {
        assert!(self.back.is_empty(), "messages came back: {:?}", self.back);
    }

    #[track_caller]
    pub(crate) fn all_back(&self) {
        assert!(self.done.is_empty(), "messages count as done: {:?}", self.done);
    }
}

impl Row {
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.as_s().unwrap_or_else(|value| panic!("{name} is no string: {value:?}")).as_str())
    }

    pub(crate) fn number(&self, name: &str) -> Option<f64> {
        let value = self.0.get(name)?;
        let text = value.as_n().unwrap_or_else(|value| panic!("{name} is no number: {value:?}"));
        Some(text.parse().expect("a number"))
    }

    pub(crate) fn status(&self) -> &str {
        self.text("status").expect("every row has a status")
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Bytes as DynamoDB counts an item: names and values.
    pub(crate) fn size(&self) -> usize {
        let value_size = |value: &AttributeValue| match value {
            AttributeValue::S(text) => text.len(),
            AttributeValue::N(digits) => digits.len() / 2 + 2,
            AttributeValue::B(bytes) => bytes.as_ref().len(),
            _ => 1,
        };
        self.0.iter().map(|(name, value)| name.len() + value_size(value)).sum()
    }
}

impl Names {
    async fn create(aws: &Aws) -> Self {
        let world = format!("world-{}", &uuid::Uuid::new_v4().simple().to_string()[..12]);
        let events_table = create_table(aws, &format!("{world}-events"), "eventId").await;
        let snapshots_table = snapshots::create_table(aws, &format!("{world}-snapshots")).await;
        let (events_queue, events_queue_arn) = create_queue(aws, &format!("{world}-queue")).await;
        let (dead_letter_queue, _) = create_queue(aws, &format!("{world}-dead")).await;
        aws.events.create_event_bus().name(&world).send().await.expect("the bus is made");
        let all = json!({"source": ["capillary.events"]}).to_string();
        let bus_queue = Rule::create(aws, &world, &format!("{world}-all"), &all).await.queue;
        let webhook = json!({"headers": {"authorization": [AUTHORIZATION], "x-webhook-key": [WEBHOOK_KEY]}});
        let webhook_secret = create_secret(aws, &format!("{world}-webhook"), &webhook).await;
        let credentials = json!({"key": "sandbox-key", "secret": "sandbox-secret"});
        let capillary_secret = create_secret(aws, &format!("{world}-capillary"), &credentials).await;
        Self {
            events_table,
            snapshots_table,
            events_queue,
            events_queue_arn,
            dead_letter_queue,
            bus: world,
            bus_queue,
            webhook_secret,
            capillary_secret,
        }
    }
}

/// A new table with a string as its key.
pub(crate) async fn create_table(aws: &Aws, name: &str, key: &str) -> String {
    let attribute = AttributeDefinition::builder().attribute_name(key).attribute_type(ScalarAttributeType::S).build();
    let schema = KeySchemaElement::builder().attribute_name(key).key_type(KeyType::Hash).build();
    aws.dynamodb
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(attribute.expect("a key attribute"))
        .key_schema(schema.expect("a key"))
        .send()
        .await
        .expect("the table is made");
    name.to_owned()
}

async fn create_secret(aws: &Aws, name: &str, value: &Value) -> String {
    let create = aws.secrets.create_secret().name(name).secret_string(value.to_string());
    create.send().await.expect("the secret is made").arn.expect("its ARN")
}

/// What `DetailType` has to be, as far as the detail itself tells.
fn detail_type_of(detail: &Value) -> String {
    detail["type"].as_str().and_then(|text| text.strip_prefix("capillary.")).unwrap_or("unknown").to_owned()
}

fn changed(mut environment: Vec<(String, String)>, changes: &[(&str, &str)]) -> Vec<(String, String)> {
    environment.retain(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
    environment.extend(changes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    environment
}

/// A DynamoDB number.
pub(crate) fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    u64::try_from(elapsed.as_millis()).expect("before the year 584 million")
}
