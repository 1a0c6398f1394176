//! The sandbox answers and sends as Capillary's documentation says, and breaks as it is told.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on shall panic; these are its helpers"
)]

mod audits;
mod cards;
mod changes;
mod coupons;
mod entities;
mod event_log;
mod faults;
mod groups;
mod ledger;
mod receiver;
mod replica;
mod retries;
mod running;
mod samples;
mod traced;
mod webhook;
mod webhooks;

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use running::{TestSandbox, basic_authorization, executable};

/// One question to each of Capillary's paths that answer about an entity or about webhooks.
const PATHS: [&str; 8] = [
    "/v2/customers/1?source=INSTORE",
    "/v2/transactions/1",
    "/v2/card?number=CARD1",
    "/v2/userGroup2?id=1",
    "/v2/coupon?couponIds=1",
    "/v2/pointsLedger/getLedgerExplodeInfo?identifierName=id&identifierValue=1&source=ALL&eventIds=1",
    "/v3/webHooks",
    "/v3/webHooks/eventLog/requestId/1",
];

#[tokio::test]
async fn it_says_where_it_listens_and_is_healthy() {
    let sandbox = TestSandbox::start().await;
    assert_eq!(sandbox.control(Method::GET, "/sandbox/health", None).await, json!({"status": "ok"}));
}

#[tokio::test]
async fn it_refuses_to_listen_where_others_could_reach_it() {
    for address in ["0.0.0.0:0", "[::]:0", "localhost", "nonsense"] {
        let output = executable().env("SANDBOX_ADDRESS", address).output().await.unwrap();
        assert!(!output.status.success(), "{address}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("SANDBOX_ADDRESS"), "{address}");
    }
}

#[tokio::test]
async fn it_explains_itself() {
    let output = executable().arg("--help").output().await.unwrap();
    assert!(output.status.success());
    let help = String::from_utf8_lossy(&output.stdout);
    for word in
        ["SANDBOX_ADDRESS", "SANDBOX_TOKEN_TTL_SECONDS", "SANDBOX_WEBHOOK_URL", "/sandbox/deliveries", "/v2/customers/{id}"]
    {
        assert!(help.contains(word), "{word}");
    }
}

#[tokio::test]
async fn it_ends_when_told_to_even_with_a_request_that_hangs() {
    let sandbox = TestSandbox::start().await;
    sandbox.faults(json!([{"path": "/v2", "kind": "hang"}])).await;
    let hanging = tokio::spawn(sandbox.customer(1).send());
    sandbox.until_calls(1).await;
    assert!(sandbox.terminate().await.success());
    assert!(hanging.await.unwrap().is_err());
}

#[tokio::test]
async fn the_token_has_the_documented_form_and_opens_the_api() {
    let sandbox = TestSandbox::start().await;
    let answer = sandbox.token_answer("sandbox-key", "sandbox-secret").await;
    assert_eq!(answer["data"]["ttlSeconds"], 300);
    assert_eq!(answer["errors"], Value::Null);
    let token = answer["data"]["accessToken"].as_str().unwrap();
    assert_eq!(token.split('.').count(), 3);
    assert_eq!(sandbox.with_token(token).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_wrong_pair_gets_an_error_in_the_v3_frame() {
    let sandbox = TestSandbox::start().await;
    for (key, secret) in [("sandbox-key", "wrong"), ("wrong", "sandbox-secret")] {
        let answer = sandbox.token_answer(key, secret).await;
        assert_eq!(answer["data"], Value::Null);
        assert!(answer["errors"][0]["code"].is_number());
    }
}

#[tokio::test]
async fn key_and_secret_can_be_set() {
    let sandbox = TestSandbox::start_with(&[("SANDBOX_KEY", "another"), ("SANDBOX_SECRET", "pair")]).await;
    assert!(sandbox.token_answer("another", "pair").await["data"]["accessToken"].is_string());
}

#[tokio::test]
async fn tokens_expire() {
    let sandbox = TestSandbox::start_with(&[("SANDBOX_TOKEN_TTL_SECONDS", "1")]).await;
    let answer = sandbox.token_answer("sandbox-key", "sandbox-secret").await;
    let token = answer["data"]["accessToken"].as_str().unwrap();
    let begun = Instant::now();
    while sandbox.with_token(token).await.status() == StatusCode::OK {
        assert!(begun.elapsed() < Duration::from_secs(5), "the token outlived its time");
    }
    assert_eq!(sandbox.with_token(token).await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn nobody_gets_in_without_credentials() {
    let sandbox = TestSandbox::start().await;
    for path in PATHS {
        let bare = sandbox.request(Method::GET, path).header("content-type", "application/json");
        assert_eq!(bare.send().await.unwrap().status(), StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(sandbox.asked(path).send().await.unwrap().status(), StatusCode::OK, "{path}");
    }
    assert_eq!(sandbox.with_token("made-up").await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn each_path_breaks_and_is_counted_and_takes_parameters_that_nobody_knows() {
    let sandbox = TestSandbox::start().await;
    for path in PATHS {
        let (name, _) = path.split_once('?').unwrap_or((path, ""));
        sandbox.faults(json!([{"path": name, "kind": "status", "status": 429, "times": 1}])).await;
        assert_eq!(sandbox.asked(path).send().await.unwrap().status(), StatusCode::TOO_MANY_REQUESTS, "{path}");
        let separator = if path.contains('?') { '&' } else { '?' };
        let curious = format!("{path}{separator}format=json&offset=0");
        assert_eq!(sandbox.asked(&curious).send().await.unwrap().status(), StatusCode::OK, "{curious}");
    }
    assert_eq!(sandbox.calls().await.as_array().unwrap().len(), 2 * PATHS.len());
}

#[tokio::test]
async fn a_request_that_does_not_say_json_gets_415() {
    let sandbox = TestSandbox::start().await;
    let request = sandbox.request(Method::GET, "/v2/customers/1?source=INSTORE");
    let response = request.header("authorization", basic_authorization()).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[tokio::test]
async fn an_unknown_path_gets_404() {
    let sandbox = TestSandbox::start().await;
    let response = sandbox.asked("/v2/nothing").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn calls_are_listed_until_forgotten() {
    let sandbox = TestSandbox::start().await;
    sandbox.customer_body(1).await;
    sandbox.asked("/v2/nothing").send().await.unwrap();
    let calls = sandbox.calls().await;
    assert_eq!(calls.as_array().unwrap().len(), 2, "Sandbox's own paths are not listed");
    assert_eq!(calls[0]["method"], "GET");
    assert_eq!(calls[0]["path"], "/v2/customers/1");
    assert_eq!(calls[0]["query"], "source=INSTORE");
    assert_eq!((&calls[0]["status"], &calls[1]["status"]), (&json!(200), &json!(404)));
    assert!(calls[0]["at"].as_u64() <= calls[1]["at"].as_u64());
    sandbox.control(Method::DELETE, "/sandbox/calls", None).await;
    assert_eq!(sandbox.calls().await, json!([]));
}

#[tokio::test]
async fn reset_forgets_everything_but_tokens() {
    let sandbox = TestSandbox::start().await;
    let answer = sandbox.token_answer("sandbox-key", "sandbox-secret").await;
    let before = sandbox.customer_body(5).await;
    sandbox.control(Method::PUT, "/sandbox/customers/5", Some(json!({"segments": {"a": "b"}}))).await;
    sandbox.stand("/sandbox/transactions/3/state", json!({"state": "missing"})).await;
    sandbox.forms(json!({"couponIds": false, "groups": "object", "refIdLog": "array", "eventNames": "fixed"})).await;
    sandbox.faults(json!([{"path": "/v2", "kind": "html"}])).await;
    sandbox.control(Method::POST, "/sandbox/reset", None).await;
    assert_eq!(sandbox.calls().await, json!([]));
    assert_eq!(sandbox.customer_body(5).await, before);
    assert_eq!(sandbox.body("/v2/transactions/3").await["id"], 3);
    let forms = sandbox.control(Method::GET, "/sandbox/forms", None).await;
    assert_eq!(forms, json!({"couponIds": true, "groups": "page", "refIdLog": "object", "eventNames": "changeable"}));
    assert_eq!(sandbox.with_token(answer["data"]["accessToken"].as_str().unwrap()).await.status(), StatusCode::OK);
}
