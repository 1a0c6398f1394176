//! Each way in which the sandbox can be told to misbehave.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::running::{TestSandbox, error_code};

#[tokio::test]
async fn a_slow_answer_is_right_but_late() {
    let sandbox = TestSandbox::start().await;
    sandbox.faults(json!([{"path": "/v2/customers", "kind": "slow", "delayMs": 300}])).await;
    let begun = Instant::now();
    assert_eq!(sandbox.customer_body(1).await["id"], 1);
    assert!(begun.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn a_status_comes_with_its_body_and_header_as_often_as_told() {
    let sandbox = TestSandbox::start().await;
    sandbox.faults(json!([{"path": "/v2/customers", "kind": "status", "status": 429, "retryAfter": "3", "times": 2}])).await;
    for _ in 0..2 {
        let response = sandbox.customer(1).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.headers()["retry-after"], "3");
        assert_eq!(error_code(response).await, 429);
    }
    assert_eq!(sandbox.customer(1).send().await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn known_refusals_have_their_documented_codes() {
    let sandbox = TestSandbox::start().await;
    for (status, code) in [(403, 4000), (503, 4001), (500, 500), (521, 521)] {
        sandbox.faults(json!([{"path": "/v2", "kind": "status", "status": status}])).await;
        let response = sandbox.customer(1).send().await.unwrap();
        assert_eq!(response.status().as_u16(), status);
        assert_eq!(error_code(response).await, code);
    }
}

#[tokio::test]
async fn a_torn_body_ends_before_its_length() {
    let sandbox = TestSandbox::start().await;
    sandbox.faults(json!([{"path": "/v2/customers", "kind": "torn", "times": 1}])).await;
    let response = sandbox.customer(1).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert!(response.content_length().is_some_and(|length| length > 0));
    assert!(response.bytes().await.is_err());
    assert_eq!(sandbox.customer_body(1).await["id"], 1);
}

#[tokio::test]
async fn a_web_page_can_come_with_200() {
    let sandbox = TestSandbox::start().await;
    sandbox.faults(json!([{"path": "/v2/customers", "kind": "html"}])).await;
    let response = sandbox.customer(1).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    assert!(response.text().await.unwrap().starts_with("<!DOCTYPE html>"));
}

#[tokio::test]
async fn good_credentials_can_be_refused_once() {
    let sandbox = TestSandbox::start().await;
    sandbox.faults(json!([{"path": "/v2/customers", "kind": "unauthorized", "times": 1}])).await;
    assert_eq!(sandbox.customer(1).send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert_eq!(sandbox.customer(1).send().await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn a_hanging_request_is_never_answered() {
    let sandbox = TestSandbox::start().await;
    sandbox.faults(json!([{"path": "/v2/customers", "kind": "hang", "times": 1}])).await;
    let error = sandbox.customer(1).timeout(Duration::from_millis(300)).send().await.unwrap_err();
    assert!(error.is_timeout());
    assert_eq!(sandbox.calls().await[0]["status"], Value::Null);
}

#[tokio::test]
async fn a_connection_can_be_reset() {
    let sandbox = TestSandbox::start().await;
    sandbox.faults(json!([{"path": "/v2/customers", "kind": "reset", "times": 1}])).await;
    let error = sandbox.customer(1).send().await.unwrap_err();
    assert!(!error.is_timeout());
    assert_eq!(sandbox.calls().await[0]["status"], Value::Null);
    assert_eq!(sandbox.customer_body(1).await["id"], 1);
}

#[tokio::test]
async fn faults_strike_only_their_path_in_order_and_can_be_cleared() {
    let sandbox = TestSandbox::start().await;
    sandbox
        .faults(json!([
            {"path": "/v2/customers/7", "kind": "status", "status": 500, "times": 1},
            {"path": "/v2/customers", "kind": "status", "status": 521},
            {"path": "/v3/oauth", "kind": "status", "status": 503},
        ]))
        .await;
    assert_eq!(sandbox.customer(7).send().await.unwrap().status().as_u16(), 500);
    assert_eq!(sandbox.customer(7).send().await.unwrap().status().as_u16(), 521);
    assert_eq!(sandbox.asked("/v2/transactions/1").send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(sandbox.token_answer("sandbox-key", "sandbox-secret").await["errors"][0]["code"], 503);
    sandbox.control(Method::DELETE, "/sandbox/faults", None).await;
    assert_eq!(sandbox.customer(7).send().await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn a_fault_that_makes_no_sense_is_refused() {
    let sandbox = TestSandbox::start().await;
    for fault in [
        json!({"path": "/v2", "kind": "earthquake"}),
        json!({"path": "/v2", "kind": "slow"}),
        json!({"path": "/v2", "kind": "status", "status": 7}),
        json!({"path": "/v2", "kind": "status", "retryAfter": "3\n"}),
        json!({"path": "/v2", "kind": "html", "tims": 2}),
    ] {
        let response = sandbox.request(Method::PUT, "/sandbox/faults").json(&json!([fault])).send().await.unwrap();
        assert!(response.status().is_client_error(), "{fault}");
    }
}
