//! What is played: each story by executables that have done something before, so that nothing of a start is in it, but for
//! the two that are about the start.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::listed::Run;
use super::meter::Meter;
use super::tables::item;
use crate::support::delivery::{Delivery, Receiver};
use crate::support::events::ORG;
use crate::support::examples;
use crate::support::stage::{NO_LAG, customer_key};
use crate::support::world::{Enricher, Row, World};

pub(super) const NEW_EVENT: &str = "receiver: a new event";
pub(super) const DUPLICATE: &str = "receiver: a duplicate";
pub(super) const STRANGER: &str = "receiver: a stranger";
/// What lies in the tables.
pub(super) const ROW_RECEIVED: &str = "ledger row, as the receiver writes it";
const ROW_ENRICHED: &str = "ledger row, with the event as it goes out";
const ROW_PUBLISHED: &str = "ledger row, published";
const SNAPSHOT: &str = "snapshot of a customer";

/// A receiver logs a line of its own and one of metrics for each delivery.
const RECEIVER_LINES: usize = 2;

/// A world in which everything is played, and what was counted so far.
struct Player {
    world: World,
    receiver: Receiver,
    enricher: Enricher,
    run: Run,
}

/// Plays all of it.
pub(super) async fn played() -> Run {
    let mut player = Player::begin().await;
    player.deliveries().await;
    player.single_events().await;
    player.batches().await;
    player.run
}

impl Player {
    /// Starts the processes, each of which works on one event.
    async fn begin() -> Self {
        let world = World::new().await;
        let mut run = Run { stories: BTreeMap::new(), stored_bytes: BTreeMap::new() };

        let meter = Meter::start(&world, None).await;
        let receiver = world.receiver().await;
        receiver.deliver(customer_updated("start", 1).to_string()).await.accepted();
        let counted = meter.read(&receiver.0, 1, RECEIVER_LINES).await;
        run.stories.insert("receiver: the first event of a process", counted);

        let messages = world.queue_messages().await;
        let meter = Meter::start(&world, None).await;
        let enricher = world.enricher_with(NO_LAG).await;
        world.enrich_these(&enricher, messages).await.all_done();
        let counted = meter.read(&enricher.0, 1, 2).await;
        run.stories.insert("enricher: the first event of a process", counted);
        Self { world, receiver, enricher, run }
    }

    async fn deliveries(&mut self) {
        let event = customer_updated("delivered", 2);
        self.deliver(NEW_EVENT, &event).await;
        let row = self.row("delivered").await;
        self.run.stored_bytes.insert(ROW_RECEIVED, bytes(row.size()));

        let meter = Meter::start(&self.world, Some(&self.receiver.0)).await;
        self.receiver.deliver(event.to_string()).await.come_again();
        let counted = meter.read(&self.receiver.0, 1, RECEIVER_LINES).await;
        self.run.stories.insert("receiver: a copy while the first waits", counted);

        self.enrich("enricher: a customer seen first", &[]).await;
        let meter = Meter::start(&self.world, Some(&self.receiver.0)).await;
        self.receiver.deliver(event.to_string()).await.duplicate();
        let counted = meter.read(&self.receiver.0, 1, RECEIVER_LINES).await;
        self.run.stories.insert(DUPLICATE, counted);

        let stranger = Delivery::without_headers(event.to_string());
        let meter = Meter::start(&self.world, Some(&self.receiver.0)).await;
        self.receiver.send(&stranger).await.problem(401);
        let counted = meter.read(&self.receiver.0, 1, RECEIVER_LINES).await;
        self.run.stories.insert("receiver: the first stranger in half a minute", counted);
        let meter = Meter::start(&self.world, Some(&self.receiver.0)).await;
        self.receiver.send(&stranger).await.problem(401);
        let counted = meter.read(&self.receiver.0, 1, RECEIVER_LINES).await;
        self.run.stories.insert(STRANGER, counted);
    }

    async fn single_events(&mut self) {
        self.change(2, "Porto").await;
        self.enrich("enricher: a customer who changed", &[customer_updated("changed", 2)]).await;
        let stored = self.stored("changed");
        self.run.stored_bytes.insert(ROW_ENRICHED, bytes(stored.size()));
        let row = self.row("changed").await;
        self.run.stored_bytes.insert(ROW_PUBLISHED, bytes(row.size()));
        let snapshot = self.world.snapshot(&customer_key(2)).await.expect("a snapshot");
        self.run.stored_bytes.insert(SNAPSHOT, bytes(Row(snapshot.0).size()));

        self.enrich("enricher: a customer who did not change", &[customer_updated("unchanged", 2)]).await;
        self.world.capillary().await.transaction(4, json!({"customerId": 2})).await;
        self.enrich("enricher: a bill of hers, seen first", &[transaction_added("bill", 4, 2)]).await;
        self.enrich("enricher: an event without entities", &[unknown("nothing")]).await;
    }

    async fn batches(&mut self) {
        let ten = |what: &str, customer: &dyn Fn(u64) -> u64| -> Vec<Value> {
            (0..10).map(|number| customer_updated(&format!("{what} {number}"), customer(number))).collect()
        };
        let several = |number| 10 + number;
        self.enrich("enricher: ten customers in a batch, seen first", &ten("seen", &several)).await;
        for number in 0..10 {
            self.change(several(number), "Porto").await;
        }
        self.enrich("enricher: ten customers in a batch, who changed", &ten("changed", &several)).await;
        self.change(10, "Faro").await;
        self.enrich("enricher: ten events of one customer in a batch, who changed once", &ten("one", &|_| 10)).await;
    }

    /// A delivery that is taken.
    async fn deliver(&mut self, story: &'static str, event: &Value) {
        let meter = Meter::start(&self.world, Some(&self.receiver.0)).await;
        self.receiver.deliver(event.to_string()).await.accepted();
        let counted = meter.read(&self.receiver.0, 1, RECEIVER_LINES).await;
        self.run.stories.insert(story, counted);
    }

    /// A batch of these events, which the receiver takes first, and of what lies in the queue.
    async fn enrich(&mut self, story: &'static str, events: &[Value]) {
        for event in events {
            self.receiver.deliver(event.to_string()).await.accepted();
        }
        let messages = self.world.queue_messages().await;
        let meter = Meter::start(&self.world, Some(&self.enricher.0)).await;
        let count = messages.len();
        self.world.enrich_these(&self.enricher, messages).await.all_done();
        let mut counted = meter.read(&self.enricher.0, bytes(count), count + 1).await;
        let publishing = counted.aws.get_mut("PutEvents EventBus").expect("something is published");
        assert!(count == 1 || publishing.times < bytes(count), "a call for each event of a batch");
        // Entries are billed, not calls; into how many calls a batch falls depends on how quick Capillary is.
        publishing.times = publishing.units["entry"];
        self.run.stories.insert(story, counted);
    }

    /// The customer moves.
    async fn change(&self, customer: u64, city: &str) {
        self.world.capillary().await.customer(customer, json!({"extendedFields": {"city": city}})).await;
    }

    async fn row(&self, id: &str) -> Row {
        self.world.ledger_row(&full_id(id)).await.expect("a row")
    }

    /// The ledger's row as a transaction has stored it.
    fn stored(&self, id: &str) -> Row {
        let calls = self.world.proxy.calls("TransactWriteItems");
        let bodies = calls.iter().map(|call| serde_json::from_str::<Value>(&call.body).expect("DynamoDB speaks JSON"));
        let parts: Vec<Value> = bodies.flat_map(|body| body["TransactItems"].as_array().cloned().expect("parts")).collect();
        let row = parts.iter().map(|part| &part["Put"]["Item"]).find(|item| item["eventId"]["S"] == full_id(id).as_str());
        Row(item(row.expect("a transaction that stores it")))
    }
}

/// Deliveries of `events/` with ids of one's own.
fn customer_updated(id: &str, customer: u64) -> Value {
    let mut event = body("customerUpdated.flat");
    event["data"]["customerIdentifiers"]["customerId"] = json!(customer);
    event["refId"] = json!(format!("{ORG}_{customer}"));
    with_id(event, id)
}

fn transaction_added(id: &str, transaction: u64, customer: u64) -> Value {
    let mut event = body("transactionAdded.flat");
    event["data"]["transactionId"] = json!(transaction);
    event["data"]["customerIdentifiers"]["customerId"] = json!(customer);
    event["data"]["billType"] = json!("REGULAR");
    with_id(event, id)
}

fn unknown(id: &str) -> Value {
    with_id(body("unknown-name"), id)
}

fn with_id(mut event: Value, id: &str) -> Value {
    event["eventId"] = json!(full_id(id));
    event["orgId"] = json!(ORG);
    event
}

/// As long as Capillary's.
fn full_id(id: &str) -> String {
    format!("{id:.<36}")
}

fn body(file: &str) -> Value {
    let delivery: Value = serde_json::from_str(&examples::text(&format!("events/receiver/{file}.json"))).expect("JSON");
    serde_json::from_str(delivery["body"].as_str().expect("a body")).expect("JSON")
}

fn bytes(count: usize) -> u64 {
    u64::try_from(count).expect("a small number")
}
