//! Coupons: many by one event and by one call, with their ids or known by their codes.

use serde_json::{Value, json};

use super::customer_call;
use crate::support::capillary::Capillary;
use crate::support::events::{ORG, with_data};
use crate::support::history::{changes, entities, entity, origins};
use crate::support::stage::{LONG_LAG, LONG_LAG_S, NO_LAG, Stage};

/// Coupons, each with the customer who got it.
fn issued(id: &str, coupons: &[(u64, u64)]) -> Value {
    let coupon = |(coupon, customer): &(u64, u64)| json!({"id": coupon, "code": format!("COUPON{coupon}"), "customerIdentifiers": {"customerId": customer}});
    let coupons: Vec<Value> = coupons.iter().map(coupon).collect();
    with_data("CouponIssue", id, &json!({"coupons": coupons, "issualType": "BULK"}))
}

fn coupon_call(ids: &[u64]) -> String {
    let ids: Vec<String> = ids.iter().map(|id| format!("couponIds={id}")).collect();
    format!("/v2/coupon?{}", ids.join("&"))
}

/// Three coupons of one customer.
fn three(id: &str) -> Value {
    issued(id, &[(31, 5), (32, 5), (33, 5)])
}

#[tokio::test]
async fn of_a_bulk_issue_twenty_customers_are_fetched_and_all_else_is_named() {
    // Once with bodies that fit, once with such as do not.
    for (name, truncated) in [("Ana", false), ("Anastasia ".repeat(2000).as_str(), true)] {
        let stage = Stage::sandbox(NO_LAG).await;
        let customers: Vec<u64> = (1..=25).collect();
        for customer in &customers {
            stage.capillary.customer(*customer, json!({"profiles": [{"firstName": name}]})).await;
        }
        let coupons: Vec<(u64, u64)> = customers.iter().map(|customer| (100 + customer, *customer)).collect();
        let detail = stage.tell(&issued("one", &coupons)).await;
        let mut expected: Vec<String> = (1..=20).map(|customer| format!("customer/{customer} found")).collect();
        expected.extend((21..=25).map(|customer| format!("customer/{customer} skipped")));
        expected.extend((101..=125).map(|coupon| format!("coupon/{coupon} skipped")));
        assert_eq!(entities(&detail), expected);
        let enrichment = &detail["data"]["enrichment"];
        assert_eq!((&enrichment["status"], &enrichment["truncated"]), (&json!("partial"), &json!(truncated)));
        assert_eq!(detail["data"]["event"]["data"]["coupons"].as_array().unwrap().len(), 25, "the event itself stays whole");
        let sent = stage.world.sent_details();
        assert_eq!(sent.len(), 1);
        assert!(sent[0].len() < 256 * 1024, "{} bytes", sent[0].len());
        let mut calls: Vec<String> = (1..=20).map(customer_call).collect();
        calls.sort();
        assert_eq!(stage.capillary.new_calls().await, calls);
        assert_eq!(stage.world.snapshot_count().await, 20);
    }
}

#[tokio::test]
async fn several_coupons_of_a_customer_are_brought_by_one_call() {
    let stage = Stage::sandbox(NO_LAG).await;
    let detail = stage.tell(&three("one")).await;
    assert_eq!(entities(&detail), ["customer/5 found", "coupon/31 found", "coupon/32 found", "coupon/33 found"]);
    assert_eq!(detail["data"]["enrichment"]["status"], "complete");
    assert_eq!(stage.capillary.new_calls().await, [coupon_call(&[31, 32, 33]), customer_call(5)]);
    let keys = [31, 32, 33].map(|id| format!("{ORG}#coupon#{id}"));
    assert_eq!(stage.world.snapshot_keys().await, [keys.to_vec(), vec![format!("{ORG}#customer#5")]].concat());
}

#[tokio::test]
async fn coupons_of_several_events_are_brought_by_one_call_and_those_of_another_org_by_another() {
    let stage = Stage::sandbox(NO_LAG).await;
    let redeemed = with_data(
        "CouponRedeem",
        "two",
        &json!({"coupon": {"id": 34, "code": "COUPON34"}, "customerIdentifiers": {"customerId": 5}}),
    );
    let mut elsewhere = issued("elsewhere", &[(35, 6)]);
    elsewhere["orgId"] = json!(ORG + 1);
    stage.attempt_all(&[three("one"), redeemed, elsewhere]).await.all_done();
    let calls = stage.capillary.new_calls().await;
    let ids = |call: &String| {
        let mut ids: Vec<String> = call
            .trim_start_matches("/v2/coupon?")
            .split('&')
            .map(|pair| pair.trim_start_matches("couponIds=").to_owned())
            .collect();
        ids.sort();
        ids
    };
    let mut coupons: Vec<Vec<String>> = calls.iter().filter(|call| call.starts_with("/v2/coupon")).map(ids).collect();
    coupons.sort();
    assert_eq!(coupons, [vec!["31", "32", "33", "34"], vec!["35"]]);
    assert_eq!(calls.len(), 4, "and two customers: {calls:?}");
    assert_eq!(entities(&stage.told("two")), ["customer/5 found", "coupon/34 found"]);
}

#[tokio::test]
async fn coupons_without_ids_are_known_by_the_codes_that_the_event_told() {
    let stage = Stage::sandbox(NO_LAG).await;
    stage.capillary.forms(json!({"couponIds": false})).await;
    let detail = stage.tell(&three("one")).await;
    let coupons: Vec<(&Value, &Value)> = detail["data"]["entities"].as_array().unwrap()[1..]
        .iter()
        .map(|coupon| (&coupon["id"], &coupon["body"]["code"]))
        .collect();
    assert_eq!(
        coupons,
        [(&json!("31"), &json!("COUPON31")), (&json!("32"), &json!("COUPON32")), (&json!("33"), &json!("COUPON33"))]
    );
    assert_eq!(detail["data"]["enrichment"]["status"], "complete");
}

#[tokio::test]
async fn one_that_is_unknown_takes_no_other_along() {
    for ids in [true, false] {
        let stage = Stage::sandbox(NO_LAG).await;
        stage.capillary.forms(json!({"couponIds": ids})).await;
        stage.capillary.entity_is("coupons/32", "missing").await;
        let detail = stage.tell(&three("one")).await;
        assert_eq!(entities(&detail), ["customer/5 found", "coupon/31 found", "coupon/32 not_found", "coupon/33 found"]);
        assert_eq!(detail["data"]["enrichment"]["status"], "partial", "with ids: {ids}");
    }
}

/// A coupon that was redeemed meanwhile.
async fn redeemed(stage: &Stage<Capillary>) {
    stage.tell(&three("one")).await;
    stage.capillary.entity("coupons/32", json!({"redemptionsLeft": 0})).await;
}

#[tokio::test]
async fn a_coupon_changes_by_the_difference() {
    let stage = Stage::sandbox(NO_LAG).await;
    redeemed(&stage).await;
    let detail = stage.tell(&three("two")).await;
    assert_eq!(origins(&detail), [("coupon/32/redemptionsLeft".to_owned(), "snapshot")]);
    assert_eq!(entity(&detail, "coupon")["baseline"], false);
    assert_eq!(changes(&stage.tell(&three("three")).await), &[] as &[Value], "told once");
}

#[tokio::test]
async fn while_replicas_may_lag_a_change_of_a_coupon_waits() {
    let stage = Stage::sandbox(LONG_LAG).await;
    redeemed(&stage).await;
    let batch = stage.attempt(&three("two")).await;
    batch.all_back();
    stage.world.was_seen_before(&format!("{ORG}#coupon#32"), LONG_LAG_S).await;
    stage.again(&batch).await.all_done();
    assert_eq!(changes(&stage.told("two")).len(), 1);
}
