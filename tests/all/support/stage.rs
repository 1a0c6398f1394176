//! A world with a Capillary and an enricher that asks it; entities with few fields; what was told of them.

use serde_json::{Value, json};

use super::answering_capillary::AnsweringCapillary;
use super::capillary::Capillary;
use super::events::ORG;
use super::history::told;
use super::messages::Received;
use super::scripted_capillary::ScriptedCapillary;
use super::world::{Batch, Enricher, World};

/// Everything that a test of changes stands on, with the one or the other Capillary.
pub(crate) struct Stage<C = ScriptedCapillary> {
    pub(crate) world: World,
    pub(crate) capillary: C,
    pub(crate) enricher: Enricher,
}

/// No replica lags.
pub(crate) const NO_LAG: &[(&str, &str)] = &[("CAPILLARY_REPLICA_LAG_SECONDS", "0")];
/// One may lag by a second.
pub(crate) const SHORT_LAG: &[(&str, &str)] = &[("CAPILLARY_REPLICA_LAG_SECONDS", "1")];
/// One may lag longer than any test lasts.
pub(crate) const LONG_LAG: &[(&str, &str)] = &[("CAPILLARY_REPLICA_LAG_SECONDS", "900")];
/// The same in seconds.
pub(crate) const LONG_LAG_S: u64 = 900;

impl Stage {
    /// An enricher with these variables added or changed.
    pub(crate) async fn with(changes: &[(&str, &str)]) -> Self {
        let (world, capillary) = tokio::join!(World::new(), ScriptedCapillary::start());
        let enricher = world.enricher_asking(capillary.url(), changes).await;
        Self { world, capillary, enricher }
    }

    /// One more enricher, or one in the place of another.
    pub(crate) async fn another_enricher(&self, changes: &[(&str, &str)]) -> Enricher {
        self.world.enricher_asking(self.capillary.url(), changes).await
    }
}

impl Stage<AnsweringCapillary> {
    /// The same with a Capillary that answers as the test says.
    pub(crate) async fn answering(changes: &[(&str, &str)]) -> Self {
        let (world, capillary) = tokio::join!(World::new(), AnsweringCapillary::start());
        let enricher = world.enricher_asking(capillary.url(), changes).await;
        Self { world, capillary, enricher }
    }
}

impl Stage<Capillary> {
    /// The same with the sandbox.
    pub(crate) async fn sandbox(changes: &[(&str, &str)]) -> Self {
        let (world, capillary) = tokio::join!(World::new(), Capillary::start());
        let enricher = world.enricher_asking(capillary.url(), changes).await;
        Self { world, capillary, enricher }
    }
}

impl<C> Stage<C> {
    /// Enriches an event, which must be done at once, and gives its `Detail`.
    pub(crate) async fn tell(&self, event: &Value) -> Value {
        self.attempt(event).await.all_done();
        told(&self.world, event["eventId"].as_str().expect("an eventId"))
    }

    /// Enriches an event that need not be done at once.
    pub(crate) async fn attempt(&self, event: &Value) -> Batch {
        self.world.enqueue(event).await;
        self.world.enrich(&self.enricher).await
    }

    /// Enriches events in one batch, which need not be done at once.
    pub(crate) async fn attempt_all(&self, events: &[Value]) -> Batch {
        self.world.enrich_these(&self.enricher, self.received(events).await).await
    }

    /// The messages of events, in their order. Nobody else gets them before they are put back.
    pub(crate) async fn received(&self, events: &[Value]) -> Vec<Received> {
        for event in events {
            self.world.enqueue(event).await;
        }
        let mut messages = self.world.queue_messages().await;
        let place =
            |message: &Received| events.iter().position(|event| event["eventId"].as_str() == message.attribute("eventId"));
        messages.sort_by_key(place);
        messages
    }

    /// The `Detail` of an event that was sent.
    pub(crate) fn told(&self, id: &str) -> Value {
        told(&self.world, id)
    }

    /// Hands over what came back, as if its time had come.
    pub(crate) async fn again(&self, batch: &Batch) -> Batch {
        self.world.enrich_these(&self.enricher, self.world.redelivered(&batch.back).await).await
    }
}

/// The key of a customer's snapshot.
pub(crate) fn customer_key(id: u64) -> String {
    format!("{ORG}#customer#{id}")
}

/// The key of a transaction's snapshot.
pub(crate) fn transaction_key(id: u64) -> String {
    format!("{ORG}#transaction#{id}")
}

/// A customer in a city, updated at that second of a minute, or who does not say when.
pub(crate) fn customer(id: u64, city: &str, second: Option<u32>) -> Value {
    let mut customer = json!({
        "id": id,
        "profiles": [{"firstName": "Ana", "lastName": "Berg", "source": "INSTORE", "accountId": "",
                      "identifiers": [{"type": "mobile", "value": "915328341890"}]}],
        "extendedFields": {"city": city}, "warnings": []
    });
    if let Some(second) = second {
        customer["profiles"][0]["autoUpdateTime"] = json!(format!("2025-02-06T11:59:{second:02}Z"));
    }
    customer
}

/// A transaction with a line item of each quantity, in the order of their ids from 1.
pub(crate) fn transaction(id: u64, quantities: &[u64], second: u32) -> Value {
    let items = (1..).zip(quantities).map(|(id, quantity)| json!({"id": id, "details": {"itemCode": "tea", "qty": quantity}}));
    let items: Vec<Value> = items.collect();
    json!({"id": id, "type": "REGULAR", "lineItems": items, "autoUpdateTime": format!("2025-02-06T11:59:{second:02}Z")})
}
