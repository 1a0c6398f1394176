//! Every name of Capillary's catalogue: what goes out on the bus for its delivery, and which calls it takes.
//!
//! What is expected stands in `catalogue/deliveries.txt`.

mod capillary;
mod expected;
mod names;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::events;
use crate::support::delivery::{Answer, Delivery, Receiver};
use crate::support::world::{Enricher, World};
use capillary::Capillary;
use expected::batches;
use names::NAMES;

/// In no list.
const UNKNOWN: &str = "somethingNobodyKnows";
/// A receiver's timeout in the template.
const RECEIVER_TIMEOUT: Duration = Duration::from_secs(12);

#[test]
fn there_is_a_delivery_for_every_name_and_the_table_tells_of_all() {
    let deliveries = events::accepted();
    let batches = batches();
    let told: Vec<&str> = batches.iter().flat_map(|batch| &batch.deliveries).map(|expected| expected.file.as_str()).collect();
    let files: BTreeSet<&str> = deliveries.keys().map(String::as_str).collect();
    assert_eq!(told.iter().copied().collect::<BTreeSet<_>>(), files);
    assert_eq!(told.len(), files.len(), "each file is told of once");

    let named: BTreeSet<String> = deliveries.values().map(|delivery| name_in(&delivery.body)).collect();
    let known: BTreeSet<String> = NAMES.into_iter().chain([UNKNOWN]).map(str::to_owned).collect();
    assert_eq!(named, known);
}

#[test]
fn the_readme_tells_which_entities_a_delivery_brings() {
    let deliveries = events::accepted();
    for expected in batches().iter().flat_map(|batch| &batch.deliveries) {
        assert_eq!(deliveries[&expected.file].entities, expected.kinds(), "{}", expected.file);
    }
}

#[tokio::test]
async fn every_delivery_goes_out_as_it_came_with_its_entities_and_takes_the_fewest_calls() {
    let stage = Stage::set().await;
    let deliveries = events::accepted();
    for batch in batches() {
        let mut keys = Vec::new();
        for expected in &batch.deliveries {
            let delivery = &deliveries[&expected.file];
            let key = stage.accept(&delivery.request).await;
            // The second event under one id is kept beside the first.
            assert_eq!(key.split('~').next(), Some(delivery.id.as_str()), "{}", expected.file);
            keys.push(key);
        }
        let mut sent = stage.enrich().await;
        for (expected, key) in batch.deliveries.iter().zip(keys) {
            let file = &expected.file;
            let sent = sent.remove(&key).unwrap_or_else(|| panic!("{file}: nothing went out"));
            let body = &deliveries[file].body;
            assert_eq!(sent.detail_type, name_in(body), "{file}");
            assert_eq!(sent.detail["type"], format!("capillary.{}", name_in(body)), "{file}");
            assert_eq!(sent.entities(), expected.entities, "{file}");
            let subject = expected.entities.first().and_then(|entity| entity.split(' ').next());
            assert_eq!(sent.detail["subject"].as_str(), subject, "{file}");
            assert_eq!(sent.detail["data"]["enrichment"]["status"], expected.status, "{file}");
            sent.assert_event_as_in(body);
        }
        assert!(sent.is_empty(), "{}: more went out: {:?}", batch.name, sent.keys());
        assert_eq!(stage.capillary.calls(), batch.calls, "{}", batch.name);
    }
}

/// Names in another case, data with some id, and the entities for 12.
const IN_ANOTHER_CASE: [(&str, &str, &[&str]); 7] = [
    ("customerADDED", r#"{"customerIdentifiers":{"customerId":ID}}"#, &["customer/12 found"]),
    ("pointsissued", r#"{"entityInformation":{"entityType":"USER","entityId":ID}}"#, &["customer/12 found"]),
    (
        "PointsExpired",
        r#"{"entityInformation":{"entityType":"USERGROUP2","entityId":ID},"eventLogId":ID}"#,
        &["group/12 found", "pointsLedger/12 found"],
    ),
    (
        "TRANSACTIONUPDATED",
        r#"{"transactionId":ID,"billType":"REGULAR","customerIdentifiers":{"customerId":ID}}"#,
        &["transaction/12 found", "customer/12 found"],
    ),
    (
        "GroupMemberadded",
        r#"{"groupId":ID,"memberAdded":{"customerIdentifiers":{"customerId":ID}}}"#,
        &["group/12 found", "customer/12 found"],
    ),
    (
        "COUPONISSUE",
        r#"{"coupons":[{"id":ID,"customerIdentifiers":{"customerId":ID}}]}"#,
        &["customer/12 found", "coupon/12 found"],
    ),
    (
        "REQUESTworkflowEVENT",
        r#"{"requestAttributes":{"body":{"customers":[ID]},"queryParams":{"identifierName":"id","identifierValue":ID}}}"#,
        &["customer/12 found"],
    ),
];

#[tokio::test]
async fn a_name_in_another_case_and_an_id_in_another_form_bring_the_same() {
    let stage = Stage::set().await;
    for id in ["12", "\"12\"", "12.0", "1.2E1"] {
        let mut keys = Vec::new();
        for (name, data, _) in IN_ANOTHER_CASE {
            let data = data.replace("ID", id);
            let body = format!(r#"{{"eventName":"{name}","orgId":9240,"createdAt":1631580115710,"data":{data}}}"#);
            keys.push(stage.receiver.send(&Delivery::of(body)).await.accepted());
        }
        let sent = stage.enrich().await;
        for ((name, _, entities), key) in IN_ANOTHER_CASE.into_iter().zip(keys) {
            assert_eq!(sent[&key].detail_type, name);
            assert_eq!(sent[&key].entities(), entities, "{name} with {id}");
        }
        let calls = [
            "/v2/coupon?couponIds=12",
            "/v2/customers/12",
            "/v2/pointsLedger/getLedgerExplodeInfo?eventIds=12&identifierValue=12&type=USERGROUP2",
            "/v2/transactions/12?type=REGULAR",
            "/v2/userGroup2?id=12",
        ];
        assert_eq!(stage.capillary.calls(), calls, "{id}");
    }
}

/// A world with this Capillary, and both functions.
struct Stage {
    world: World,
    capillary: Capillary,
    receiver: Receiver,
    enricher: Enricher,
}

impl Stage {
    async fn set() -> Self {
        let (world, capillary) = tokio::join!(World::new(), Capillary::start());
        let (receiver, enricher) = tokio::join!(world.receiver(), world.enricher_asking(capillary.url(), &[]));
        Self { world, capillary, receiver, enricher }
    }

    /// Hands a delivery to the receiver as the gateway would; the id in its answer.
    async fn accept(&self, request: &Value) -> String {
        let answer = self.receiver.0.invoke(request, RECEIVER_TIMEOUT).await.expect("an answer");
        Answer::of(&answer).accepted()
    }

    /// One batch of all that was accepted, and what was sent to the bus for it, by id.
    async fn enrich(&self) -> BTreeMap<String, Sent> {
        let before = self.world.sent_entries().len();
        self.world.enrich(&self.enricher).await.all_done();
        let entries = self.world.sent_entries().split_off(before);
        let count = entries.len();
        let sent: BTreeMap<String, Sent> = entries.iter().map(Sent::of).collect();
        assert_eq!(sent.len(), count, "each is sent once");
        sent
    }
}

/// What was sent to the bus for an event.
struct Sent {
    detail_type: String,
    text: String,
    detail: Value,
}

impl Sent {
    fn of(entry: &Value) -> (String, Self) {
        let text = entry["Detail"].as_str().expect("a Detail").to_owned();
        let detail: Value = serde_json::from_str(&text).expect("Detail is JSON");
        let detail_type = entry["DetailType"].as_str().expect("a DetailType").to_owned();
        (detail["id"].as_str().expect("an id").to_owned(), Self { detail_type, text, detail })
    }

    /// Each as `type/id status`; who was found has a body of its own.
    fn entities(&self) -> Vec<String> {
        let entities = self.detail["data"]["entities"].as_array().expect("entities").iter();
        let told = entities.map(|entity| {
            let word = |name: &str| entity[name].as_str().unwrap_or_else(|| panic!("no {name}: {entity}"));
            if word("status") == "found" {
                let id_member = match word("type") {
                    "group" => "groupId",
                    "pointsLedger" => "eventLogId",
                    _ => "id",
                };
                assert_eq!(entity["body"][id_member].to_string(), word("id"), "another one's body");
            }
            format!("{}/{} {}", word("type"), word("id"), word("status"))
        });
        told.collect()
    }

    /// The event is the one in a body, freed from what wraps it, to the letter.
    fn assert_event_as_in(&self, body: &str) {
        #[derive(Deserialize)]
        struct Detail<'a> {
            #[serde(borrow)]
            data: Data<'a>,
        }
        #[derive(Deserialize)]
        struct Data<'a> {
            #[serde(borrow)]
            event: &'a RawValue,
        }
        let event = serde_json::from_str::<Detail<'_>>(&self.text).expect("a Detail").data.event.get();
        assert_eq!(texts(&members(event)), texts(&unwrapped(body)));
        // Of an envelope and what is in it, one object is made; whatever else comes stays one piece.
        assert!(members(body).contains_key("attributes") || body.contains(event), "{event}");
    }
}

type Members<'a> = BTreeMap<String, &'a RawValue>;

/// The members of the event in a body.
fn unwrapped(body: &str) -> Members<'_> {
    let mut outer = members(body);
    if let Some(attributes) = outer.remove("attributes") {
        outer.extend(members(attributes.get()));
        return outer;
    }
    let wrapper = ["body", "event", "data"].iter().find_map(|name| outer.get(*name));
    match (outer.contains_key("eventName"), wrapper) {
        (false, Some(inner)) => unwrapped(inner.get()),
        _ => outer,
    }
}

fn members(object: &str) -> Members<'_> {
    serde_json::from_str(object).unwrap_or_else(|error| panic!("no object ({error}): {object}"))
}

fn texts<'a>(members: &Members<'a>) -> BTreeMap<String, &'a str> {
    members.iter().map(|(name, value)| (name.clone(), value.get())).collect()
}

fn name_in(body: &str) -> String {
    let event = unwrapped(body);
    serde_json::from_str(event["eventName"].get()).expect("a name")
}
