//! Stories of what is remembered of entities.

use serde_json::{Value, json};

use super::{super::*, world::*};
use crate::{
    entity::{FetchFailure, Kind, Scope},
    snapshot::{Gone, State},
    told::{FieldKind, Origin, Told},
};

fn customer(id: u32) -> Key {
    Key::from(format!("1#customer#{id}"))
}

/// An event about a customer with an id and a time of its own.
fn event(id: &str, customer: u32, created_at_ms: i64) -> Incoming {
    let message = about(customer);
    let body = format!(
        r#"{{"eventId":"{id}","eventName":"customerUpdated","orgId":1,"createdAt":{created_at_ms},"apiRequestId":"r","data":{{"customerIdentifiers":{{"customerId":{customer}}}}}}}"#
    );
    Incoming { message_id: id.to_owned(), body, ..message }
}

impl World {
    fn is_named(&self, id: u32, name: &str) {
        let body = json!({"id": id, "profiles": [{"firstName": name}]}).to_string();
        self.state().bodies.insert(id.to_string(), body);
    }

    fn passes(&self, ms: i64) {
        self.state().passed_ms += ms;
    }

    fn published(&self, id: &str) -> Value {
        let state = self.state();
        let found = state.published.iter().find(|event| event["id"] == id);
        found.unwrap_or_else(|| panic!("{id} is not published")).clone()
    }

    fn changes(&self, id: &str) -> Vec<Value> {
        self.published(id)["data"]["changes"].as_array().unwrap().clone()
    }
}

#[tokio::test(start_paused = true)]
async fn first_a_baseline_then_what_changed() {
    let world = World::default();
    let enricher = world.enricher();
    world.is_named(1, "Ana");
    assert!(enricher.enrich(vec![event("a", 1, 1)], MINUTE).await.is_empty());
    assert_eq!((world.changes("a"), &world.published("a")["data"]["entities"][0]["baseline"]), (vec![], &json!(true)));
    world.passes(LAG_MS);
    world.is_named(1, "Anna");
    assert!(enricher.enrich(vec![event("b", 1, 2)], MINUTE).await.is_empty());
    let expected = json!({"entity": "customer/1", "op": "replace", "path": "/profiles/0/firstName", "before": "Ana", "after": "Anna", "origin": "snapshot"});
    assert_eq!(world.changes("b"), [expected]);
    let version = |id: &str| world.published(id)["data"]["entities"][0]["version"].as_i64().unwrap();
    assert_eq!((version("a"), version("b")), (NOW_MS, NOW_MS + 1));
}

#[tokio::test(start_paused = true)]
async fn in_a_batch_the_event_that_happened_first_gets_the_change() {
    let world = World::default();
    let enricher = world.enricher();
    enricher.enrich(vec![event("a", 1, 1)], MINUTE).await;
    world.passes(LAG_MS);
    world.is_named(1, "Anna");
    assert!(enricher.enrich(vec![event("c", 1, 9), event("b", 1, 5), event("d", 1, 7)], MINUTE).await.is_empty());
    assert_eq!(["b", "c", "d"].map(|id| world.changes(id).len()), [1, 0, 0]);
    assert_eq!(world.state().calls, 2);
}

#[tokio::test(start_paused = true)]
async fn a_state_that_may_be_an_older_one_waits_as_long_as_a_replica_may_lag() {
    let world = World::default();
    let enricher = world.enricher();
    world.is_named(1, "Ana");
    enricher.enrich(vec![event("a", 1, 1)], MINUTE).await;
    world.is_named(1, "Anna");
    world.passes(1_500);
    assert_eq!(enricher.enrich(vec![event("b", 1, 2)], MINUTE).await, ["b"]);
    assert_eq!(world.state().delays, [("r1".to_owned(), 4)], "what is left of five seconds, in whole ones");
    world.passes(3_500);
    assert!(enricher.enrich(vec![event("b", 1, 2)], MINUTE).await.is_empty());
    assert_eq!(world.changes("b").len(), 1);
    assert!(world.attempts() == 0);
}

#[tokio::test(start_paused = true)]
async fn whoever_is_refused_reads_and_fetches_anew_and_goes_back_after_three_times() {
    let world = World::default();
    let enricher = world.enricher();
    world.state().commits_refused = 3;
    assert!(enricher.enrich(vec![event("a", 1, 1)], MINUTE).await.is_empty());
    assert_eq!(world.state().calls, 4);
    world.state().commits_refused = 100;
    assert_eq!(enricher.enrich(vec![event("b", 2, 1)], MINUTE).await, ["b"]);
    let state = world.state();
    assert_eq!((state.calls, state.published.len(), state.commits_refused), (8, 1, 96));
}

#[tokio::test(start_paused = true)]
async fn the_survivor_of_a_merge_is_compared_with_what_was_known_of_him() {
    let world = World::default();
    let enricher = world.enricher();
    world.is_named(2, "Ana");
    enricher.enrich(vec![event("a", 2, 1)], MINUTE).await;
    world.passes(LAG_MS);
    world.is_named(2, "Anna");
    world.state().survivors.insert("1".to_owned(), "2".to_owned());
    assert!(enricher.enrich(vec![event("b", 1, 2)], MINUTE).await.is_empty());
    let published = world.published("b");
    let entities = published["data"]["entities"].as_array().unwrap();
    assert_eq!((&entities[0]["id"], &entities[0]["status"]), (&json!("1"), &json!("merged")));
    assert_eq!((&entities[1]["id"], &entities[1]["baseline"]), (&json!("2"), &json!(false)));
    assert_eq!(world.changes("b")[0]["entity"], "customer/2");
    assert!(matches!(world.snapshots()[&customer(1)].state, State::Gone(Gone::Merged)));
}

#[tokio::test(start_paused = true)]
async fn who_was_deleted_is_forgotten_and_does_not_come_back_with_a_late_answer() {
    let world = World::default();
    let enricher = world.enricher();
    world.is_named(1, "Ana");
    enricher.enrich(vec![event("a", 1, 1)], MINUTE).await;
    let says_deleted = event("b", 1, 2);
    let body = says_deleted.body.replace(r#""data":{"#, r#""data":{"customerStatus":{"currentLabel":"Deleted"},"#);
    assert!(enricher.enrich(vec![Incoming { body, ..says_deleted }], MINUTE).await.is_empty());
    assert!(matches!(world.snapshots()[&customer(1)].state, State::Gone(Gone::Deleted)));
    world.passes(LAG_MS);
    assert!(enricher.enrich(vec![event("c", 1, 3)], MINUTE).await.is_empty());
    for (id, late) in [("b", false), ("c", true)] {
        let published = world.published(id);
        assert_eq!(published["data"]["entities"][0]["status"], "deleted");
        assert_eq!(published["data"]["enrichment"]["late"], late);
        assert!(!published.to_string().contains("Ana"));
    }
}

fn renamed_by_audit() -> Told {
    Told {
        about: Kind::Customer,
        field: "FirstName".to_owned(),
        kind: FieldKind::Standard,
        source: None,
        account_id: None,
        element: Vec::new(),
        previous: Some(json!("Ana")),
        current: Some(json!("Anna")),
        origin: Origin::Audit,
    }
}

#[tokio::test(start_paused = true)]
async fn the_audit_log_is_asked_only_where_something_differs_and_the_event_tells_nothing() {
    let world = World::default();
    let enricher = world.enricher();
    world.state().audits = Some(Ok(vec![renamed_by_audit()]));
    world.is_named(1, "Anna");
    enricher.enrich(vec![event("a", 1, 1)], MINUTE).await;
    let change = world.changes("a").remove(0);
    assert_eq!((&change["before"], &change["origin"]), (&json!("Ana"), &json!("audit")), "also at first sight");
    enricher.enrich(vec![event("b", 1, 2)], MINUTE).await;
    let points = event("c", 2, 3);
    enricher.enrich(vec![Incoming { body: points.body.replace("customerUpdated", "pointsIssued"), ..points }], MINUTE).await;
    let telling = event("d", 3, 4);
    let body = telling
        .body
        .replace(r#""data":{"#, r#""data":{"updatedFields":[{"fieldName":"x","previousValue":"1","currentValue":"2"}],"#);
    enricher.enrich(vec![Incoming { body, ..telling }], MINUTE).await;
    assert_eq!(world.published_ids(), ["a", "b", "c", "d"]);
    assert_eq!(world.state().audit_calls, 1);
}

#[tokio::test(start_paused = true)]
async fn an_audit_log_in_trouble_holds_nothing_up_for_long() {
    let world = World::default();
    let enricher = world.enricher();
    let failure = FetchFailure { scope: Scope::Entity, retry_after_s: None, cause: "audits: 500".to_owned() };
    world.state().audits = Some(Err(failure));
    for receive_count in 1..=4 {
        let message = Incoming { receive_count, ..event("a", 1, 1) };
        assert_eq!(enricher.enrich(vec![message], MINUTE).await.is_empty(), receive_count == 4, "receive {receive_count}");
    }
    assert_eq!(world.published_ids(), ["a"]);
}
