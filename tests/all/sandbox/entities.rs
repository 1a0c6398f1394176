//! Customers and transactions: what is found, under which conditions, and what is said otherwise.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::running::{TestSandbox, error_code};

#[tokio::test]
async fn a_customer_nobody_spoke_of_is_found_and_always_the_same() {
    let sandbox = TestSandbox::start().await;
    let (first, again) = (sandbox.customer_body(728_942_858).await, sandbox.customer_body(728_942_858).await);
    assert_eq!(first, again);
    assert_eq!(first["id"], 728_942_858);
    assert_eq!(first["profiles"][0]["userId"], 728_942_858);
    assert_eq!(first["warnings"], json!([]));
    assert_ne!(first["profiles"], sandbox.customer_body(1).await["profiles"]);
}

#[tokio::test]
async fn the_source_of_a_customer_is_required_and_checked() {
    let sandbox = TestSandbox::start().await;
    assert_eq!(error_code(sandbox.asked("/v2/customers/1").send().await.unwrap()).await, 8016);
    assert_eq!(error_code(sandbox.asked("/v2/customers/1?source=PIGEON").send().await.unwrap()).await, 8012);
}

#[tokio::test]
async fn an_id_that_is_no_number_gets_400_without_a_body() {
    let sandbox = TestSandbox::start().await;
    for path in ["/v2/customers/abc?source=INSTORE", "/v2/transactions/abc"] {
        let response = sandbox.asked(path).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{path}");
        assert_eq!(response.text().await.unwrap(), "", "{path}");
    }
}

#[tokio::test]
async fn embedded_parts_come_only_when_asked_for() {
    let sandbox = TestSandbox::start().await;
    let plain = sandbox.customer_body(1).await;
    assert_eq!((plain.get("pointsSummary"), plain.get("subscriptionInfo")), (None, None));
    let asked = sandbox.asked("/v2/customers/1?source=INSTORE&embed=points,subscriptions").send().await.unwrap();
    let full: Value = asked.json().await.unwrap();
    assert!(full["pointsSummary"]["loyaltyPoints"].is_number());
    assert!(full["subscriptionInfo"]["subscriptions"].is_array());
    assert_eq!(full.get("loyaltyProgramDetails"), None);
}

#[tokio::test]
async fn a_customer_is_changed_by_a_merge_patch() {
    let sandbox = TestSandbox::start().await;
    let patch = json!({"extendedFields": {"city": "Porto", "gender": null}, "loyaltyInfo": {"loyaltyType": "loyalty"}});
    let told = sandbox.control(Method::PUT, "/sandbox/customers/5", Some(patch)).await;
    let found = sandbox.customer_body(5).await;
    assert_eq!(found["extendedFields"], json!({"city": "Porto"}));
    assert_eq!(found["loyaltyInfo"]["loyaltyType"], "loyalty");
    assert_eq!(found["loyaltyInfo"]["lifetimePurchases"], 230, "what the patch does not name stays");
    assert_eq!(told["profiles"], found["profiles"]);
    assert_eq!(sandbox.control(Method::GET, "/sandbox/customers/5", None).await, told);
}

#[tokio::test]
async fn a_changed_customer_gets_a_new_time_unless_the_patch_brings_one() {
    let sandbox = TestSandbox::start().await;
    let before = sandbox.customer_body(5).await["profiles"][0]["autoUpdateTime"].clone();
    sandbox.control(Method::PUT, "/sandbox/customers/5", Some(json!({"segments": {"a": "b"}}))).await;
    let mut profiles = sandbox.customer_body(5).await["profiles"].clone();
    assert_ne!(profiles[0]["autoUpdateTime"], before);
    profiles[0]["autoUpdateTime"] = json!("2024-02-03T04:05:06+05:30");
    sandbox.control(Method::PUT, "/sandbox/customers/5", Some(json!({"profiles": profiles}))).await;
    assert_eq!(sandbox.customer_body(5).await["profiles"], profiles);
}

#[tokio::test]
async fn missing_deleted_and_merged_customers_are_told_in_the_body() {
    let sandbox = TestSandbox::start().await;
    for (state, code) in [("missing", 8015), ("deleted", 8109)] {
        sandbox.stand("/sandbox/customers/9/state", json!({"state": state})).await;
        let response = sandbox.customer(9).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{state}: the body tells");
        assert_eq!(error_code(response).await, code, "{state}");
    }
    sandbox.stand("/sandbox/customers/9/state", json!({"state": "merged"})).await;
    let merged = sandbox.customer_body(9).await;
    assert_eq!((&merged["id"], &merged["warnings"][0]["code"]), (&json!(9), &json!(8069)));
    sandbox.stand("/sandbox/customers/9/state", json!({"state": "found"})).await;
    assert_eq!(sandbox.customer_body(9).await["warnings"], json!([]));
}

#[tokio::test]
async fn a_refusal_can_come_with_another_status() {
    let sandbox = TestSandbox::start().await;
    sandbox.stand("/sandbox/customers/9/state", json!({"state": "missing", "httpStatus": 404})).await;
    let response = sandbox.customer(9).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(error_code(response).await, 8015);
}

#[tokio::test]
async fn a_victim_is_answered_with_its_survivor_and_a_warning() {
    let sandbox = TestSandbox::start().await;
    sandbox.stand("/sandbox/customers/9/state", json!({"state": "survivor", "survivor": 10})).await;
    let answer = sandbox.customer_body(9).await;
    assert_eq!(answer["id"], 10);
    assert_eq!(answer["warnings"][0]["code"], 91009);
    assert_eq!(answer["profiles"], sandbox.customer_body(10).await["profiles"]);
}

#[tokio::test]
async fn a_transaction_nobody_spoke_of_is_found_under_the_type_asked_for() {
    let sandbox = TestSandbox::start().await;
    for (path, expected) in [("/v2/transactions/93961300", "REGULAR"), ("/v2/transactions/93961300?type=RETURN", "RETURN")] {
        let body: Value = sandbox.asked(path).send().await.unwrap().json().await.unwrap();
        assert_eq!((&body["id"], &body["type"]), (&json!(93_961_300), &json!(expected)));
    }
}

#[tokio::test]
async fn a_stored_transaction_is_not_found_under_another_type() {
    let sandbox = TestSandbox::start().await;
    let patch = json!({"type": "RETURN", "customerId": 7, "billDetails": {"amount": 12.5}});
    sandbox.control(Method::PUT, "/sandbox/transactions/3", Some(patch)).await;
    assert_eq!(error_code(sandbox.asked("/v2/transactions/3").send().await.unwrap()).await, 620);
    let found: Value = sandbox.asked("/v2/transactions/3?type=RETURN").send().await.unwrap().json().await.unwrap();
    assert_eq!((&found["customerId"], &found["billDetails"]["amount"]), (&json!(7), &json!(12.5)));
}

#[tokio::test]
async fn a_transaction_can_be_missing() {
    let sandbox = TestSandbox::start().await;
    for word in ["missing", "not_found"] {
        sandbox.stand("/sandbox/transactions/3/state", json!({"state": word})).await;
        assert_eq!(error_code(sandbox.asked("/v2/transactions/3").send().await.unwrap()).await, 620, "{word}");
    }
}

#[tokio::test]
async fn each_kind_has_states_of_its_own() {
    let sandbox = TestSandbox::start().await;
    let state = |state: &str| json!({"state": state});
    for (entity, nonsense) in [
        ("customers/3", state("pending")),
        ("customers/3", state("survivor")),
        ("customers/3", json!({"state": "missing", "survivor": 4})),
        ("transactions/3", state("merged")),
        ("cards/CARD3", state("deleted")),
        ("groups/3", state("pending")),
        ("coupons/3", state("merged")),
        ("coupons/3", json!({"state": "missing", "httpStatus": 404})),
        ("ledger/3", state("deleted")),
        ("ledger/3", json!({"state": "missing", "httpStatus": 404})),
    ] {
        let status = sandbox.put_status(&format!("/sandbox/{entity}/state"), nonsense.clone()).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{entity} {nonsense}");
    }
}

#[tokio::test]
async fn what_there_is_not_can_neither_be_changed_nor_deleted_nor_merged() {
    let sandbox = TestSandbox::start().await;
    for entity in ["tills/3", "customers/three", "ledger/abc", "coupons/3?event=CouponRedeem", "ledger/3?event=pointsIssued"] {
        assert_eq!(sandbox.put_status(&format!("/sandbox/{entity}"), json!({})).await, StatusCode::BAD_REQUEST, "{entity}");
    }
    for entity in ["transactions/3", "cards/CARD3"] {
        let path = format!("/sandbox/{entity}");
        let deleted = sandbox.request(Method::DELETE, &path).send().await.unwrap();
        assert_eq!(deleted.status(), StatusCode::BAD_REQUEST, "{entity}");
        let merged = sandbox.request(Method::POST, &format!("{path}/merge")).json(&json!({"into": 4})).send().await.unwrap();
        assert_eq!(merged.status(), StatusCode::BAD_REQUEST, "{entity}");
    }
}
