//! Coupons: several by one call, with and without their ids.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::running::TestSandbox;
use super::samples::{self, assert_alike};

impl TestSandbox {
    async fn coupons(&self, query: &str) -> Value {
        self.body(&format!("/v2/coupon?{query}")).await["data"].clone()
    }
}

fn members(coupons: &Value, name: &str) -> Vec<Value> {
    coupons.as_array().unwrap().iter().map(|coupon| coupon[name].clone()).collect()
}

#[tokio::test]
async fn each_coupon_that_is_known_has_an_element_in_the_order_asked_for() {
    let sandbox = TestSandbox::start().await;
    sandbox.stand("/sandbox/coupons/2/state", json!({"state": "not_found"})).await;
    sandbox.change("coupons/3", json!({"code": "2E1BBN81"})).await;
    for query in ["couponIds=3,2,1", "couponIds=3&couponIds=2&couponIds=1"] {
        let coupons = sandbox.coupons(query).await;
        assert_eq!(members(&coupons, "id"), [3, 1], "{query}");
        assert_eq!(members(&coupons, "code"), ["2E1BBN81", "COUPON1"], "{query}");
    }
    let none = sandbox.body("/v2/coupon?couponIds=2").await;
    assert_eq!(none, json!({"data": [], "warnings": [], "errors": []}));
}

#[tokio::test]
async fn without_ids_they_look_like_the_sample() {
    let sandbox = TestSandbox::start().await;
    sandbox.forms(json!({"couponIds": false})).await;
    let answer = sandbox.body("/v2/coupon?couponIds=1,2").await;
    assert_alike(&answer, &samples::answer("v2_coupon_get"));
    assert_eq!(members(&answer["data"], "code"), ["COUPON1", "COUPON2"]);
}

#[tokio::test]
async fn no_event_tells_how_a_coupon_is() {
    let (sandbox, receiver) = super::changes::sandbox_and_receiver(json!({})).await;
    assert_eq!(sandbox.change("coupons/3", json!({"detailedInfo": "Weekday"})).await.event_id, None);
    sandbox.event("the only one").await;
    receiver.until_received(1).await;
    assert_eq!(receiver.ids(), ["the only one"]);
}

#[tokio::test]
async fn coupons_are_asked_for_by_numbers() {
    let sandbox = TestSandbox::start().await;
    for query in ["", "?couponIds=", "?couponIds=1,two", "?couponCodes=COUPON1"] {
        let response = sandbox.asked(&format!("/v2/coupon{query}")).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{query}");
    }
}
