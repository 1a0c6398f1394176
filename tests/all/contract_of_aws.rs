//! The adapters on the local AWS, held to what the doubles of the simulation are held to.

use std::time::Duration;

use aws_lambda_events::sqs::SqsEvent;
use capillary_events::{
    aws::{bus::EventBus, ledger::EventsTable, queue::Queue, secrets::Secret, tables::Tables},
    batch,
};
use serde_json::{Value, json};

use crate::{
    contract::{self, SECRET, Services, Taken},
    support::{messages::Received, stack::configuration, wait, world::World},
};

struct Aws {
    world: World,
    claims: EventsTable,
    tables: Tables,
    events: Queue,
    dead_letters: Queue,
    bus: EventBus,
    secret: Secret,
}

impl Aws {
    async fn new() -> Self {
        let world = World::new().await;
        world.webhook_secret_is(SECRET).await;
        let config = configuration(&world.stack).await;
        let names = &world.names;
        Self {
            claims: EventsTable::new(aws_sdk_dynamodb::Client::new(&config), names.events_table.clone()),
            tables: Tables::new(
                aws_sdk_dynamodb::Client::new(&config),
                names.events_table.clone(),
                names.snapshots_table.clone(),
            ),
            events: Queue::new(aws_sdk_sqs::Client::new(&config), names.events_queue.clone()),
            dead_letters: Queue::new(aws_sdk_sqs::Client::new(&config), names.dead_letter_queue.clone()),
            bus: EventBus::new(aws_sdk_eventbridge::Client::new(&config), names.bus.clone()),
            secret: Secret::new(aws_sdk_secretsmanager::Client::new(&config), names.webhook_secret.clone()),
            world,
        }
    }

    async fn receive(&self, queue: &str, least: usize) -> Vec<Received> {
        let mut all = Vec::new();
        wait::poll(Duration::from_secs(10), async || {
            all.extend(self.world.receive_all(queue).await);
            (all.len() >= least).then_some(())
        })
        .await;
        all
    }

    async fn taken(&self, queue: &str, least: usize) -> Vec<Taken> {
        let taken = |received: Received| {
            let event: SqsEvent = serde_json::from_value(json!({"Records": [received.record("arn")]})).expect("an SQS event");
            Taken {
                incoming: batch::messages(event).remove(0),
                event_name: received.attribute("eventName").map(str::to_owned),
                org_id: received.attribute("orgId").and_then(|text| text.parse().ok()),
                reason: received.attribute("reason").map(str::to_owned),
                detail: received.attribute("detail").map(str::to_owned),
            }
        };
        self.receive(queue, least).await.into_iter().map(taken).collect()
    }
}

impl Services for Aws {
    type Claims = EventsTable;
    type Ledger = Tables;
    type Events = Queue;
    type DeadLetters = Queue;
    type Bus = EventBus;
    type Secret = Secret;

    fn claims(&self) -> &EventsTable {
        &self.claims
    }

    fn ledger(&self) -> &Tables {
        &self.tables
    }

    fn events(&self) -> &Queue {
        &self.events
    }

    fn dead_letters(&self) -> &Queue {
        &self.dead_letters
    }

    fn bus(&self) -> &EventBus {
        &self.bus
    }

    fn secret(&self) -> &Secret {
        &self.secret
    }

    async fn take(&self, least: usize) -> Vec<Taken> {
        self.taken(&self.world.names.events_queue, least).await
    }

    async fn take_dead(&self, least: usize) -> Vec<Taken> {
        self.taken(&self.world.names.dead_letter_queue, least).await
    }

    async fn ids_published(&self, least: usize) -> Vec<String> {
        let id = |received: &Received| {
            let event: Value = serde_json::from_str(&received.body).expect("an EventBridge event");
            event["detail"]["id"].as_str().expect("an id").to_owned()
        };
        self.receive(&self.world.names.bus_queue, least).await.iter().map(id).collect()
    }
}

contract::hold_all!(Aws::new().await);
