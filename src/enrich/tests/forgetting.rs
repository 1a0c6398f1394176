//! Stories of customers who were deleted, and of what was theirs.

use serde_json::{Value, json};

use super::{super::*, world::*};
use crate::snapshot::{Gone, State as Remembered};

/// Whose data it all is.
const SHE: u32 = 5;

/// A message with this name and data.
fn message(name: &str, id: &str, data: &Value) -> Incoming {
    let body = json!({"eventId": id, "eventName": name, "orgId": 1, "data": data}).to_string();
    Incoming { message_id: id.to_owned(), receipt_handle: id.to_owned(), body, ..about(SHE) }
}

fn of(customer: u32) -> Value {
    json!({"customerId": customer})
}

/// Of a bill: number 40 is hers.
fn bill(id: &str, customer: u32) -> Incoming {
    message("transactionUpdated", id, &json!({"transactionId": 35 + customer, "customerIdentifiers": of(customer)}))
}

/// Of her group, which she leads.
fn group(id: &str) -> Incoming {
    message("groupUpdated", id, &json!({"groupId": 30, "primaryMember": {"customerIdentifiers": of(SHE)}}))
}

/// Of her group, without a word of her.
fn points_of_the_group(id: &str) -> Incoming {
    message("pointsExpired", id, &json!({"entityInformation": {"entityType": "USERGROUP2", "entityId": 30}}))
}

fn coupon(id: &str) -> Incoming {
    message("CouponIssue", id, &json!({"coupons": [{"id": 50, "code": "SPRING", "customerIdentifiers": of(SHE)}]}))
}

fn key(kind: &str, id: u32) -> Key {
    Key::from(format!("1#{kind}#{id}"))
}

impl World {
    /// She and somebody else have a bill each; she leads a group, and has a coupon.
    async fn with_all_that_is_hers() -> (Self, Enricher<Self>) {
        let world = Self::default();
        let bodies = [
            ("30", json!({"groupId": 30, "primaryMemberId": SHE, "firstName": "Ana"})),
            ("40", json!({"id": 40, "customerId": SHE})),
            ("41", json!({"id": 41, "customerId": 6})),
        ];
        world.state().bodies.extend(bodies.map(|(id, body)| (id.to_owned(), body.to_string())));
        let enricher = world.enricher();
        let batch = vec![group("group"), bill("hers", SHE), bill("another's", 6), coupon("coupon")];
        assert!(enricher.enrich(batch, MINUTE).await.is_empty());
        assert_eq!(world.remembered().len(), 6);
        (world, enricher)
    }

    fn is_deleted(&self) {
        self.state().deleted.insert(SHE.to_string());
    }

    fn remembered(&self) -> Vec<Key> {
        self.snapshots().keys().cloned().collect()
    }

    fn has_her_tombstone(&self) -> bool {
        self.snapshots().get(&key("customer", SHE)).is_some_and(|known| matches!(known.state, Remembered::Gone(Gone::Deleted)))
    }

    /// Nothing is remembered but that she is gone, and what is another's.
    fn nothing_of_hers_is_left(&self) {
        assert_eq!(self.remembered(), [key("customer", SHE), key("customer", 6), key("transaction", 41)]);
        assert!(self.has_her_tombstone());
    }

    /// The status of each entity of an event, and whether it is a baseline.
    fn told(&self, id: &str) -> Vec<(String, String, bool)> {
        let state = self.state();
        let event = state.published.iter().find(|event| event["id"] == id).unwrap_or_else(|| panic!("{id} is not published"));
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let entities = event["data"]["entities"].as_array().unwrap().iter();
        entities.map(|entity| (text(&entity["type"]), text(&entity["status"]), entity["baseline"] == true)).collect()
    }
}

/// What becomes of Capillary.
type Happens = fn(&mut State);

fn told(kind: &str, status: &str, baseline: bool) -> (String, String, bool) {
    (kind.to_owned(), status.to_owned(), baseline)
}

#[tokio::test(start_paused = true)]
async fn with_a_customer_all_goes_that_is_hers_and_nothing_else() {
    let (world, enricher) = World::with_all_that_is_hers().await;
    assert!(world.state().forgotten.is_empty(), "nobody was deleted, so nothing is asked");
    world.is_deleted();
    assert!(enricher.enrich(vec![about(SHE)], MINUTE).await.is_empty());
    world.nothing_of_hers_is_left();
    assert_eq!(world.state().forgotten, [key("customer", SHE)]);
}

#[tokio::test(start_paused = true)]
async fn that_she_was_deleted_is_written_down_only_when_all_of_hers_is_gone() {
    let (world, enricher) = World::with_all_that_is_hers().await;
    world.is_deleted();
    world.state().memory_stuck = true;
    assert_eq!(enricher.enrich(vec![about(SHE)], MINUTE).await.len(), 1);
    assert!(!world.has_her_tombstone() && !world.published_ids().contains(&"e5".to_owned()));
    world.state().memory_stuck = false;
    assert!(enricher.enrich(vec![about(SHE)], MINUTE).await.is_empty());
    world.nothing_of_hers_is_left();
}

#[tokio::test(start_paused = true)]
async fn what_is_too_much_for_one_event_goes_at_the_next_attempts() {
    let (world, enricher) = World::with_all_that_is_hers().await;
    world.is_deleted();
    world.state().forgets_at_once = Some(1);
    for _ in 0..2 {
        assert_eq!(enricher.enrich(vec![about(SHE)], MINUTE).await.len(), 1);
        assert!(!world.has_her_tombstone());
    }
    assert_eq!(world.state().delays, [("r5".to_owned(), 1), ("r5".to_owned(), 1)]);
    assert!(enricher.enrich(vec![about(SHE)], MINUTE).await.is_empty());
    world.nothing_of_hers_is_left();
}

#[tokio::test(start_paused = true)]
async fn what_still_bears_her_name_is_told_and_not_remembered() {
    let (world, enricher) = World::with_all_that_is_hers().await;
    world.is_deleted();
    // The first one learns that she is gone, and brings her group along.
    assert!(enricher.enrich(vec![group("first")], MINUTE).await.is_empty());
    assert_eq!(world.told("first"), [told("group", "found", true), told("customer", "deleted", false)]);
    world.nothing_of_hers_is_left();
    for later in [group("later"), points_of_the_group("does not name her")] {
        world.passes_a_moment();
        let id = later.message_id.clone();
        assert!(enricher.enrich(vec![later], MINUTE).await.is_empty());
        assert_eq!(world.told(&id).first(), Some(&told("group", "found", true)), "{id}");
        world.nothing_of_hers_is_left();
    }
}

#[tokio::test(start_paused = true)]
async fn a_state_that_was_stored_beside_her_deletion_goes_with_the_next_event_about_her() {
    let (world, enricher) = World::with_all_that_is_hers().await;
    let left = world.snapshots().get(&key("transaction", 40)).cloned().unwrap();
    world.is_deleted();
    assert!(enricher.enrich(vec![about(SHE)], MINUTE).await.is_empty());
    // Capillary says so once more; has her again, from a replica; does not tell; or names her as the survivor of another.
    let then: [(&str, u32, Happens); 4] = [
        ("deleted", SHE, |_| {}),
        ("found", SHE, |state| state.deleted.clear()),
        ("forbidden", SHE, |state| state.orgs_without.extend([Some(1)])),
        ("survivor", 7, |state| {
            state.orgs_without.clear();
            state.survivors.insert("7".to_owned(), SHE.to_string());
        }),
    ];
    for (id, customer, happens) in then {
        world.put_snapshot(key("transaction", 40), left.clone());
        happens(&mut world.state());
        let later = message("tierRenewed", id, &json!({"customerIdentifiers": of(customer)}));
        assert!(enricher.enrich(vec![later], MINUTE).await.is_empty());
        assert!(!world.remembered().contains(&key("transaction", 40)), "{id}");
        assert!(world.has_her_tombstone(), "{id}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_becomes_hers_is_known_to_be() {
    let (world, enricher) = World::with_all_that_is_hers().await;
    world.passes_a_moment();
    // The coupon's body does not tell whose it is, and neither does its next event.
    world.state().bodies.insert("50".to_owned(), json!({"id": 50, "redeemed": true}).to_string());
    assert!(enricher.enrich(vec![message("CouponRedeem", "nobody's", &json!({"coupon": {"id": 50}}))], MINUTE).await.is_empty());
    // A bill comes to her from another.
    world.state().bodies.insert("41".to_owned(), json!({"id": 41, "customerId": SHE}).to_string());
    assert!(enricher.enrich(vec![bill("to her", 6)], MINUTE).await.is_empty());
    world.is_deleted();
    assert!(enricher.enrich(vec![about(SHE)], MINUTE).await.is_empty());
    assert_eq!(world.remembered(), [key("customer", SHE), key("customer", 6)]);
}

#[tokio::test(start_paused = true)]
async fn who_is_merged_away_leaves_what_was_his_to_the_survivor() {
    let (world, enricher) = World::with_all_that_is_hers().await;
    world.state().survivors.insert(SHE.to_string(), "6".to_owned());
    assert!(enricher.enrich(vec![about(SHE)], MINUTE).await.is_empty());
    assert_eq!(world.remembered().len(), 6);
    assert!(world.state().forgotten.is_empty());
}

impl World {
    /// So long that no answer lags behind.
    fn passes_a_moment(&self) {
        self.state().passed_ms += LAG_MS;
    }
}
