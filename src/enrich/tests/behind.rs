//! Stories of what stands behind events: cards and their customers, several entities of a call, orgs, and what never gets ready.

use serde_json::{Value, json};

use super::{super::*, world::*};

const HOUR_MS: i64 = 60 * 60 * 1000;

/// An event with this name and data.
fn event(id: &str, name: &str, data: &Value) -> Incoming {
    let body = json!({"eventId": id, "eventName": name, "orgId": 1, "createdAt": 5, "data": data}).to_string();
    Incoming { message_id: id.to_owned(), receipt_handle: id.to_owned(), body, ..about(1) }
}

fn card(id: &str, number: &str) -> Incoming {
    event(id, "cardUpdated", &json!({"cardNumber": number}))
}

/// Points of a customer, with an entry in the ledger.
fn points(id: &str, customer: u32, ledger: u32) -> Incoming {
    event(id, "pointsIssued", &json!({"customerIdentifiers": {"customerId": customer}, "eventLogId": ledger}))
}

impl World {
    fn card_is(&self, number: &str, label: &str) {
        let body = json!({"id": format!("1{number}"), "customerId": number, "statusInfo": {"label": label}}).to_string();
        self.state().cards.insert(number.to_owned(), body);
    }

    /// The entities of a published event: subject and status.
    fn entities(&self, id: &str) -> Vec<(String, String)> {
        let state = self.state();
        let found = state.published.iter().find(|event| event["id"] == id);
        let entities = found.unwrap_or_else(|| panic!("{id} is not published"))["data"]["entities"].as_array().unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        entities.iter().map(|one| (format!("{}/{}", text(&one["type"]), text(&one["id"])), text(&one["status"]))).collect()
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.state().asked)
    }
}

fn found(subjects: &[&str]) -> Vec<(String, String)> {
    subjects.iter().map(|subject| ((*subject).to_owned(), "found".to_owned())).collect()
}

#[tokio::test(start_paused = true)]
async fn a_card_is_published_with_its_customer_by_two_calls() {
    let world = World::default();
    let enricher = world.enricher();
    world.card_is("5", "ACTIVE");
    assert!(enricher.enrich(vec![card("a", "5")], MINUTE).await.is_empty());
    assert_eq!(world.asked(), ["card/5", "customer/5"]);
    assert_eq!(world.entities("a"), found(&["card/15", "customer/5"]));
    assert_eq!(world.state().published[0]["subject"], "card/15");
    assert_eq!(world.snapshots().keys().map(|key| key.as_str().to_owned()).collect::<Vec<_>>(), ["1#card#15", "1#customer#5"]);

    world.card_is("5", "BLOCKED");
    world.state().passed_ms += 2 * HOUR_MS;
    assert!(enricher.enrich(vec![card("b", "5")], MINUTE).await.is_empty());
    assert_eq!(world.asked(), ["card/5", "customer/5"], "what is known since long needs no second look");
    let change = world.state().published[1]["data"]["changes"][0].clone();
    assert_eq!(
        (&change["entity"], &change["path"], &change["after"]),
        (&json!("card/15"), &json!("/statusInfo/label"), &json!("BLOCKED"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_card_that_was_seen_a_moment_ago_is_asked_for_again_after_its_snapshot_was_read() {
    let world = World::default();
    let enricher = world.enricher();
    world.card_is("5", "ACTIVE");
    enricher.enrich(vec![card("a", "5")], MINUTE).await;
    world.asked();
    world.state().passed_ms += 2 * LAG_MS;
    assert!(enricher.enrich(vec![card("same", "5")], MINUTE).await.is_empty());
    assert_eq!(world.asked(), ["card/5", "customer/5"], "nothing changed");
    world.card_is("5", "BLOCKED");
    assert!(enricher.enrich(vec![card("b", "5")], MINUTE).await.is_empty());
    assert_eq!(world.asked(), ["card/5", "customer/5", "card/15"]);
    assert_eq!(world.state().published[2]["data"]["changes"].as_array().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn cards_and_customers_of_a_batch_are_each_asked_for_once() {
    let world = World::default();
    world.card_is("5", "ACTIVE");
    world.card_is("6", "ACTIVE");
    let customer = event("customer", "customerAdded", &json!({"customerIdentifiers": {"customerId": 5}}));
    assert!(world.enricher().enrich(vec![card("a", "5"), customer, card("b", "5"), card("c", "6")], MINUTE).await.is_empty());
    let mut asked = world.asked();
    asked.sort_unstable();
    assert_eq!(asked, ["card/5", "card/6", "customer/5", "customer/6"]);
    assert_eq!(world.entities("b"), found(&["card/15", "customer/5"]));
    assert_eq!(world.entities("customer"), found(&["customer/5"]));
}

#[tokio::test(start_paused = true)]
async fn a_card_that_nobody_knows_is_told_by_its_number_and_remembered_by_nobody() {
    let world = World::default();
    assert!(world.enricher().enrich(vec![card("a", "7")], MINUTE).await.is_empty());
    assert_eq!(world.entities("a"), [("card/7".to_owned(), "not_found".to_owned())]);
    assert!(world.snapshots().is_empty());
}

#[tokio::test(start_paused = true)]
async fn trouble_with_a_card_sends_only_its_own_event_back() {
    let world = World::default();
    world.card_is("5", "ACTIVE");
    world.state().unready.insert("card/5".to_owned());
    let other = event("other", "customerAdded", &json!({"customerIdentifiers": {"customerId": 6}}));
    assert_eq!(world.enricher().enrich(vec![card("a", "5"), other], MINUTE).await, ["a"]);
    assert_eq!(world.published_ids(), ["other"]);
}

#[tokio::test(start_paused = true)]
async fn the_ledger_of_a_customer_is_asked_once_and_nothing_of_it_is_remembered() {
    let world = World::default();
    let batch = vec![points("a", 5, 31), points("b", 5, 32), points("c", 6, 33), points("d", 5, 31)];
    assert!(world.enricher().enrich(batch, MINUTE).await.is_empty());
    let mut asked = world.asked();
    asked.sort_unstable();
    assert_eq!(asked, ["customer/5", "customer/6", "pointsLedger/31+pointsLedger/32", "pointsLedger/33"]);
    assert_eq!(world.entities("d"), found(&["customer/5", "pointsLedger/31"]));
    assert!(world.snapshots().keys().all(|key| key.as_str().contains("#customer#")));
    let ledger = world.state().published[0]["data"]["entities"][1].clone();
    assert_eq!((ledger.get("version"), ledger.get("baseline")), (None, None));
}

#[tokio::test(start_paused = true)]
async fn an_entity_that_never_gets_ready_keeps_its_event_for_six_hours() {
    let world = World::default();
    let enricher = world.enricher();
    world.state().unready.insert("pointsLedger/31".to_owned());
    assert_eq!(enricher.enrich(vec![points("a", 5, 31)], MINUTE).await, ["a"]);
    world.state().passed_ms += 6 * HOUR_MS;
    assert_eq!(enricher.enrich(vec![points("a", 5, 31)], MINUTE).await, ["a"], "not a moment before");
    world.state().passed_ms += 1;
    assert!(enricher.enrich(vec![points("a", 5, 31)], MINUTE).await.is_empty());
    let expected = [("customer/5".to_owned(), "found".to_owned()), ("pointsLedger/31".to_owned(), "not_found".to_owned())];
    assert_eq!(world.entities("a"), expected);
    assert_eq!(world.state().published[0]["data"]["enrichment"]["status"], "partial");
    assert!(world.attempts() == 0, "none of that is the event's fault");
}

#[tokio::test(start_paused = true)]
async fn a_cards_number_is_not_taken_for_another_cards_id() {
    let world = World::default();
    world.card_is("5", "ACTIVE");
    assert!(world.enricher().enrich(vec![card("a", "15"), card("b", "5")], MINUTE).await.is_empty());
    assert_eq!(world.entities("a"), [("card/15".to_owned(), "not_found".to_owned())]);
    assert_eq!(world.entities("b"), found(&["card/15", "customer/5"]));
}

#[tokio::test(start_paused = true)]
async fn others_do_not_wait_for_a_card_with_their_calls() {
    let world = World::default();
    let enricher = world.enricher();
    world.card_is("5", "ACTIVE");
    enricher.enrich(vec![about(9)], MINUTE).await;
    let begun = tokio::time::Instant::now();
    assert!(enricher.enrich(vec![card("a", "5"), about(6), about(7)], MINUTE).await.is_empty());
    let elapsed = begun.elapsed();
    assert!(elapsed < Duration::from_millis(300), "two calls one after the other, the others beside: {elapsed:?}");
    assert_eq!(world.asked().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn two_who_were_merged_into_the_same_one_bring_him_once() {
    let world = World::default();
    world.state().survivors.extend([("5".to_owned(), "8".to_owned()), ("6".to_owned(), "8".to_owned())]);
    let data = json!({"survivorCustomerIdentifiers": {"customerId": 5}, "victimCustomerIdentifiers": {"customerId": 6}});
    assert!(world.enricher().enrich(vec![event("a", "loyaltyCustomerMerge", &data)], MINUTE).await.is_empty());
    let subjects: Vec<String> = world.entities("a").into_iter().map(|(subject, _)| subject).collect();
    assert_eq!(subjects, ["customer/5", "customer/8", "customer/6"]);
    assert_eq!(world.asked().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_the_api_asks_to_wait_goes_for_all_that_were_not_asked() {
    let world = World::default();
    let enricher = world.enricher();
    world.state().api_down = true;
    assert_eq!(enricher.enrich((1..=9).map(about).collect(), MINUTE).await.len(), 9);
    assert!(world.state().delays.iter().all(|(_, delay_s)| *delay_s >= 77));
}

#[tokio::test(start_paused = true)]
async fn whom_nobody_may_ask_says_nothing_of_the_api() {
    let world = World::default();
    let enricher = world.enricher();
    world.state().orgs_without.insert(Some(7));
    world.state().api_down = true;
    let body = r#"{"eventId":"f","eventName":"customerAdded","orgId":7,"data":{"customerIdentifiers":{"customerId":20}}}"#;
    let forbidden = Incoming { body: body.to_owned(), ..about(20) };
    let mut batch = vec![forbidden];
    batch.extend((1..=8).map(about));
    assert_eq!(enricher.enrich(batch, MINUTE).await.len(), 8);
    assert_eq!(
        world.asked().len(),
        2,
        "one for the org without credentials, which needs no call, and one that finds the API dead"
    );
    assert_eq!(world.published_ids(), ["f"]);
}

#[tokio::test(start_paused = true)]
async fn a_bulk_issue_that_fits_the_bus_alone_goes_out_even_if_its_skipped_entities_do_not_fit_beside() {
    let world = World::default();
    let coupon = |n: u64| json!({"id": 912_345_678 + n, "code": format!("2E1B{n:04}"), "valid_till": 1_634_774_400_000_u64, "issued_on": 1_634_774_400_000_u64, "customerIdentifiers": {"customerId": 728_942_858 + n}});
    let coupons: Vec<Value> = (0..1_500).map(coupon).collect();
    let bulk = event("a", "CouponIssue", &json!({"coupons": coupons}));
    assert!(world.enricher().enrich(vec![bulk], MINUTE).await.is_empty());
    assert!(world.state().dead.is_empty());
    let entities = world.entities("a");
    assert_eq!((entities.len(), entities[20].1.as_str()), (21, "skipped"));
    assert_eq!(world.state().published[0]["data"]["enrichment"], json!({"status": "partial", "late": false, "truncated": true}));
}

#[tokio::test(start_paused = true)]
async fn one_orgs_credentials_are_no_other_orgs_affair() {
    let world = World::default();
    let enricher = world.enricher();
    world.state().orgs_refused.insert(Some(2));
    let of = |org: u32, customer: u32| {
        let id = format!("{org}-{customer}");
        let body = json!({"eventId": id, "eventName": "customerAdded", "orgId": org, "data": {"customerIdentifiers": {"customerId": customer}}});
        Incoming { message_id: id, body: body.to_string(), ..about(customer) }
    };
    let batch = || (1..=4).flat_map(|customer| [of(1, customer), of(2, customer)]).collect::<Vec<_>>();
    assert_eq!(enricher.enrich(batch(), MINUTE).await, ["2-1", "2-2", "2-3", "2-4"]);
    assert_eq!(world.asked().len(), 5, "one call finds it out");
    assert_eq!(world.state().published.len(), 4);
    world.state().orgs_refused.clear();
    assert!(enricher.enrich(batch(), MINUTE).await.is_empty());
    assert_eq!(world.state().published.len(), 8);
}

#[tokio::test(start_paused = true)]
async fn of_no_org_nothing_is_remembered_so_that_no_change_is_told_twice() {
    let world = World::default();
    let workflow = json!({"eventId": "w", "eventName": "requestWorkflowEvent", "orgId": 0, "data": {"requestAttributes": {"body": {"customerId": 5}}}});
    let workflow = Incoming { message_id: "w".to_owned(), body: workflow.to_string(), ..about(5) };
    assert!(world.enricher().enrich(vec![workflow], MINUTE).await.is_empty());
    assert_eq!(world.entities("w"), found(&["customer/5"]));
    assert!(world.snapshots().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_a_day_moves_nothing_to_the_dead_letter_queue_and_costs_a_batch_one_call() {
    let world = World::default();
    let enricher = world.enricher();
    world.state().api_down = true;
    let batch = |receive_count| (1..=5).map(|customer| Incoming { receive_count, ..about(customer) }).collect::<Vec<_>>();
    let mut receive_count = 0;
    while world.state().passed_ms < DAY_MS {
        receive_count += 1;
        let calls = world.state().calls;
        assert_eq!(enricher.enrich(batch(receive_count), MINUTE).await.len(), 5);
        assert_eq!(world.state().calls, calls + 1);
        let delays = std::mem::take(&mut world.state().delays);
        world.state().passed_ms += 1000 * i64::from(delays.iter().map(|(_, delay_s)| *delay_s).min().unwrap());
    }
    world.state().api_down = false;
    assert!(enricher.enrich(batch(receive_count + 1), MINUTE).await.is_empty());
    let state = world.state();
    assert_eq!((state.published.len(), state.dead.len(), world.attempts()), (5, 0, 0));
}
