//! Who was merged away or deleted, behind events of the other kinds of entities: told so, forgotten, and by the fewest calls.

use serde_json::{Value, json};

use super::{AUDITS, customer_call, ledger_call};
use crate::support::answering_capillary::Answer;
use crate::support::capillary::Capillary;
use crate::support::events::{of_card, of_customer, of_points, with_data};
use crate::support::history::{changes, entities};
use crate::support::stage::{NO_LAG, Stage, customer_key};

const AN_HOUR_S: u64 = 3600;

/// Points that go from customer 5 to customer 6.
fn transfer(id: &str) -> Value {
    let data = json!({"customerIdentifiers": {"customerId": 5}, "transferReceivingCustomerIdentifiers": {"customerId": 6}});
    let mut event = with_data("pointsTransferredInitiated", id, &data);
    event["eventLogId"] = json!(31);
    event
}

impl Stage<Capillary> {
    async fn merged(&self, customer: u64, survivor: u64) {
        self.capillary.entity(&format!("customers/{customer}/state"), json!({"state": "survivor", "survivor": survivor})).await;
    }

    async fn is_forgotten(&self, customer: u64) -> bool {
        self.world.snapshot(&customer_key(customer)).await.is_some_and(|kept| kept.is_tombstone() && !kept.has("body"))
    }
}

#[tokio::test]
async fn points_for_somebody_who_was_merged_away_come_with_both_and_with_the_survivor_by_one_call_for_the_two() {
    let stage = Stage::sandbox(NO_LAG).await;
    stage.merged(6, 7).await;
    let detail = stage.tell(&transfer("one")).await;
    let expected = ["customer/5 found", "customer/6 merged", "customer/7 found", "pointsLedger/31 found"];
    assert_eq!(entities(&detail), expected);
    assert_eq!((&detail["subject"], &detail["data"]["enrichment"]["status"]), (&json!("customer/5"), &json!("partial")));
    let calls = [customer_call(5), customer_call(6), ledger_call("5", "CUSTOMER", &[31])];
    assert_eq!(stage.capillary.new_calls().await, calls);
    assert!(stage.is_forgotten(6).await && !stage.is_forgotten(7).await);
}

#[tokio::test]
async fn a_survivor_who_was_not_seen_for_an_hour_changes_by_the_same_one_call() {
    let stage = Stage::sandbox(NO_LAG).await;
    stage.tell(&of_customer("customerAdded", "survivor", 7)).await;
    stage.merged(6, 7).await;
    stage.capillary.customer(7, json!({"extendedFields": {"city": "Faro"}})).await;
    stage.world.was_seen_before(&customer_key(7), AN_HOUR_S).await;
    stage.capillary.new_calls().await;
    let detail = stage.tell(&of_points("one", 6, 31)).await;
    assert_eq!(entities(&detail), ["customer/6 merged", "customer/7 found", "pointsLedger/31 found"]);
    assert_eq!(stage.capillary.new_calls().await, [customer_call(6), ledger_call("6", "CUSTOMER", &[31])]);
    let told: Vec<(&Value, &Value)> = changes(&detail).iter().map(|change| (&change["entity"], &change["path"])).collect();
    assert_eq!(told, [(&json!("customer/7"), &json!("/extendedFields/city"))]);
}

#[tokio::test]
async fn a_survivor_who_was_seen_just_now_is_looked_at_a_second_time_but_not_the_ledger() {
    let stage = Stage::sandbox(NO_LAG).await;
    stage.tell(&of_customer("customerAdded", "survivor", 7)).await;
    stage.merged(6, 7).await;
    stage.capillary.customer(7, json!({"extendedFields": {"city": "Faro"}})).await;
    stage.capillary.new_calls().await;
    let detail = stage.tell(&of_points("one", 6, 31)).await;
    assert_eq!(changes(&detail).len(), 1);
    let calls = [customer_call(6), customer_call(6), ledger_call("6", "CUSTOMER", &[31])];
    assert_eq!(stage.capillary.new_calls().await, calls);
    assert_eq!(changes(&stage.tell(&of_points("two", 6, 31)).await), &[] as &[Value], "told once");
}

#[tokio::test]
async fn a_survivor_who_is_asked_for_by_another_event_of_the_batch_tells_his_change_once() {
    let stage = Stage::sandbox(NO_LAG).await;
    stage.tell(&of_customer("customerAdded", "survivor", 7)).await;
    stage.merged(6, 7).await;
    stage.capillary.customer(7, json!({"extendedFields": {"city": "Faro"}})).await;
    stage.world.was_seen_before(&customer_key(7), AN_HOUR_S).await;
    stage.capillary.new_calls().await;
    stage.attempt_all(&[of_points("of the victim", 6, 31), of_points("of the survivor", 7, 32)]).await.all_done();
    let told = ["of the victim", "of the survivor"].map(|id| changes(&stage.told(id)).len());
    assert_eq!(told.iter().sum::<usize>(), 1, "{told:?}");
    assert!(stage.is_forgotten(6).await);
}

#[tokio::test]
async fn of_a_survivor_who_is_asked_for_himself_that_answer_counts() {
    let stage = Stage::answering(NO_LAG).await;
    stage.capillary.answers(|call| {
        let survivor = |city: &str, code: u32| {
            let warnings = json!([{"code": code, "message": "as wanted"}]);
            Answer::json(&json!({"id": 6, "profiles": [], "extendedFields": {"city": city}, "warnings": warnings}))
        };
        match call.path.as_str() {
            "/v2/customers/5" => Some(survivor("Porto", 91_009)),
            "/v2/customers/6" => Some(survivor("Faro", 777)),
            _ => None,
        }
    });
    let detail = stage.tell(&transfer("one")).await;
    assert_eq!(entities(&detail), ["customer/5 merged", "customer/6 found", "pointsLedger/31 found"]);
    assert_eq!(detail["data"]["entities"][1]["body"]["extendedFields"]["city"], "Faro");
}

#[tokio::test]
async fn two_who_became_one_bring_the_survivor_once() {
    let stage = Stage::sandbox(NO_LAG).await;
    stage.merged(5, 7).await;
    stage.merged(6, 7).await;
    let detail = stage.tell(&transfer("one")).await;
    assert_eq!(entities(&detail), ["customer/5 merged", "customer/7 found", "customer/6 merged", "pointsLedger/31 found"]);
    assert_eq!(stage.capillary.calls("/v2/customers").await.len(), 2);
}

/// Events of all kinds about a customer, with what stands before and after her.
fn about(customer: u64) -> [(Value, Vec<String>, Vec<String>); 4] {
    let of = json!({"customerId": customer});
    let coupon = json!({"coupon": {"id": customer, "code": "SPRING"}, "customerIdentifiers": of});
    let member = json!({"groupId": customer, "memberRemoved": {"customerIdentifiers": of}});
    let found = |kind: &str| vec![format!("{kind}/{customer} found")];
    [
        (of_card(&format!("card {customer}"), &format!("CARD{customer}")), found("card"), vec![]),
        (with_data("groupMemberRemoved", &format!("group {customer}"), &member), found("group"), vec![]),
        (with_data("CouponRedeem", &format!("coupon {customer}"), &coupon), vec![], found("coupon")),
        (of_points(&format!("points {customer}"), customer, customer), vec![], found("pointsLedger")),
    ]
}

#[tokio::test]
async fn behind_an_event_of_any_kind_it_is_told_who_is_gone() {
    let stage = Stage::sandbox(NO_LAG).await;
    let fates: [(Value, &[&str]); 3] = [
        (json!({"state": "deleted"}), &["deleted"]),
        (json!({"state": "merged"}), &["merged"]),
        (json!({"state": "survivor", "survivor": 7}), &["merged", "survivor"]),
    ];
    for (number, (fate, words)) in (1..).zip(fates) {
        for (kind, _) in about(0).iter().enumerate() {
            let customer = 10 * number + u64::try_from(kind).unwrap();
            let (event, before, after) = about(customer).into_iter().nth(kind).unwrap();
            stage.capillary.entity(&format!("cards/CARD{customer}"), json!({"id": customer, "cardId": customer})).await;
            stage.tell(&of_customer("customerAdded", &format!("before {customer}"), customer)).await;
            stage.capillary.entity(&format!("customers/{customer}/state"), fate.clone()).await;
            stage.capillary.new_calls().await;
            let detail = stage.tell(&event).await;
            let mut calls = stage.capillary.new_calls().await;
            calls.retain(|call| !call.starts_with(AUDITS));
            assert_eq!(calls.len(), 2, "{fate}: {calls:?}");
            let told = words.iter().map(|word| match *word {
                "survivor" => "customer/7 found".to_owned(),
                word => format!("customer/{customer} {word}"),
            });
            assert_eq!(entities(&detail), [before, told.collect(), after].concat(), "{fate}");
            assert_eq!(detail["data"]["enrichment"]["status"], "partial", "{fate}");
            let gone = detail["data"]["entities"].as_array().unwrap().iter().find(|entity| entity["status"] != "found").unwrap();
            assert!(gone.get("body").is_none() && gone["version"].is_u64(), "{gone}");
            assert!(stage.is_forgotten(customer).await, "{fate}");
        }
    }
}
