//! The sandbox answers as Capillary's documentation says, and breaks as it is told.

use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

const TOKEN_HEADER: &str = "X-CAP-API-OAUTH-TOKEN";
/// The MD5 of `sandbox-password`, worked out by another program.
const PASSWORD_MD5: &str = "911b7bf55b7b03cdfe2af9d1e68e4897";

#[tokio::test]
async fn it_says_where_it_listens_and_is_healthy() {
    let sandbox = TestSandbox::start().await;
    assert_eq!(
        sandbox.control(Method::GET, "/sandbox/health", None).await,
        json!({"status": "ok"})
    );
}

#[tokio::test]
async fn it_refuses_to_listen_where_others_could_reach_it() {
    for address in ["0.0.0.0:0", "[::]:0", "localhost", "nonsense"] {
        let output = executable().env("SANDBOX_ADDRESS", address).output().await.unwrap();
        assert!(!output.status.success(), "{address}");
        assert!(
            String::from_utf8_lossy(&output.stderr).contains("SANDBOX_ADDRESS"),
            "{address}"
        );
    }
}

#[tokio::test]
async fn it_explains_itself() {
    let output = executable().arg("--help").output().await.unwrap();
    assert!(output.status.success());
    let help = String::from_utf8_lossy(&output.stdout);
    for word in [
        "SANDBOX_ADDRESS",
        "SANDBOX_TOKEN_TTL_SECONDS",
        "/sandbox/faults",
        "/v2/customers/{id}",
    ] {
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
    for path in ["/v2/customers/1?source=INSTORE", "/v2/transactions/1"] {
        let bare = sandbox.request(Method::GET, path).header("content-type", "application/json");
        assert_eq!(bare.send().await.unwrap().status(), StatusCode::UNAUTHORIZED, "{path}");
    }
    assert_eq!(sandbox.with_token("made-up").await.status(), StatusCode::UNAUTHORIZED);
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
async fn a_customer_nobody_spoke_of_is_found_and_always_the_same() {
    let sandbox = TestSandbox::start().await;
    let (first, again) = (
        sandbox.customer_body(728_942_858).await,
        sandbox.customer_body(728_942_858).await,
    );
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
    assert_eq!(
        error_code(sandbox.asked("/v2/customers/1?source=PIGEON").send().await.unwrap()).await,
        8012
    );
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
    let asked = sandbox
        .asked("/v2/customers/1?source=INSTORE&embed=points,subscriptions")
        .send()
        .await
        .unwrap();
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
    assert_eq!(
        found["loyaltyInfo"]["lifetimePurchases"], 230,
        "what the patch does not name stays"
    );
    assert_eq!(told["profiles"], found["profiles"]);
    assert_eq!(sandbox.control(Method::GET, "/sandbox/customers/5", None).await, told);
}

#[tokio::test]
async fn a_changed_customer_gets_a_new_time_unless_the_patch_brings_one() {
    let sandbox = TestSandbox::start().await;
    let before = sandbox.customer_body(5).await["profiles"][0]["autoUpdateTime"].clone();
    sandbox
        .control(Method::PUT, "/sandbox/customers/5", Some(json!({"segments": {"a": "b"}})))
        .await;
    let mut profiles = sandbox.customer_body(5).await["profiles"].clone();
    assert_ne!(profiles[0]["autoUpdateTime"], before);
    profiles[0]["autoUpdateTime"] = json!("2024-02-03T04:05:06+05:30");
    sandbox
        .control(Method::PUT, "/sandbox/customers/5", Some(json!({"profiles": profiles})))
        .await;
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
    sandbox
        .stand("/sandbox/customers/9/state", json!({"state": "missing", "httpStatus": 404}))
        .await;
    let response = sandbox.customer(9).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(error_code(response).await, 8015);
}

#[tokio::test]
async fn a_victim_is_answered_with_its_survivor_and_a_warning() {
    let sandbox = TestSandbox::start().await;
    sandbox
        .stand("/sandbox/customers/9/state", json!({"state": "survivor", "survivor": 10}))
        .await;
    let answer = sandbox.customer_body(9).await;
    assert_eq!(answer["id"], 10);
    assert_eq!(answer["warnings"][0]["code"], 91009);
    assert_eq!(answer["profiles"], sandbox.customer_body(10).await["profiles"]);
}

#[tokio::test]
async fn a_transaction_nobody_spoke_of_is_found_under_the_type_asked_for() {
    let sandbox = TestSandbox::start().await;
    for (path, expected) in [
        ("/v2/transactions/93961300", "REGULAR"),
        ("/v2/transactions/93961300?type=RETURN", "RETURN"),
    ] {
        let body: Value = sandbox.asked(path).send().await.unwrap().json().await.unwrap();
        assert_eq!((&body["id"], &body["type"]), (&json!(93_961_300), &json!(expected)));
    }
}

#[tokio::test]
async fn a_stored_transaction_is_not_found_under_another_type() {
    let sandbox = TestSandbox::start().await;
    let patch = json!({"type": "RETURN", "customerId": 7, "billDetails": {"amount": 12.5}});
    sandbox.control(Method::PUT, "/sandbox/transactions/3", Some(patch)).await;
    assert_eq!(
        error_code(sandbox.asked("/v2/transactions/3").send().await.unwrap()).await,
        620
    );
    let found: Value = sandbox
        .asked("/v2/transactions/3?type=RETURN")
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(
        (&found["customerId"], &found["billDetails"]["amount"]),
        (&json!(7), &json!(12.5))
    );
}

#[tokio::test]
async fn a_transaction_can_be_missing_but_not_merged() {
    let sandbox = TestSandbox::start().await;
    sandbox
        .stand("/sandbox/transactions/3/state", json!({"state": "missing"}))
        .await;
    assert_eq!(
        error_code(sandbox.asked("/v2/transactions/3").send().await.unwrap()).await,
        620
    );
    let merged = sandbox
        .request(Method::PUT, "/sandbox/transactions/3/state")
        .json(&json!({"state": "merged"}));
    assert_eq!(merged.send().await.unwrap().status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_slow_answer_is_right_but_late() {
    let sandbox = TestSandbox::start().await;
    sandbox
        .faults(json!([{"path": "/v2/customers", "kind": "slow", "delayMs": 300}]))
        .await;
    let begun = Instant::now();
    assert_eq!(sandbox.customer_body(1).await["id"], 1);
    assert!(begun.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn a_status_comes_with_its_body_and_header_as_often_as_told() {
    let sandbox = TestSandbox::start().await;
    sandbox
        .faults(json!([{"path": "/v2/customers", "kind": "status", "status": 429, "retryAfter": "3", "times": 2}]))
        .await;
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
        sandbox
            .faults(json!([{"path": "/v2", "kind": "status", "status": status}]))
            .await;
        let response = sandbox.customer(1).send().await.unwrap();
        assert_eq!(response.status().as_u16(), status);
        assert_eq!(error_code(response).await, code);
    }
}

#[tokio::test]
async fn a_torn_body_ends_before_its_length() {
    let sandbox = TestSandbox::start().await;
    sandbox
        .faults(json!([{"path": "/v2/customers", "kind": "torn", "times": 1}]))
        .await;
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
    sandbox
        .faults(json!([{"path": "/v2/customers", "kind": "unauthorized", "times": 1}]))
        .await;
    assert_eq!(sandbox.customer(1).send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert_eq!(sandbox.customer(1).send().await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn a_hanging_request_is_never_answered() {
    let sandbox = TestSandbox::start().await;
    sandbox
        .faults(json!([{"path": "/v2/customers", "kind": "hang", "times": 1}]))
        .await;
    let error = sandbox
        .customer(1)
        .timeout(Duration::from_millis(300))
        .send()
        .await
        .unwrap_err();
    assert!(error.is_timeout());
    assert_eq!(sandbox.calls().await[0]["status"], Value::Null);
}

#[tokio::test]
async fn a_connection_can_be_reset() {
    let sandbox = TestSandbox::start().await;
    sandbox
        .faults(json!([{"path": "/v2/customers", "kind": "reset", "times": 1}]))
        .await;
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
    assert_eq!(
        sandbox.asked("/v2/transactions/1").send().await.unwrap().status(),
        StatusCode::OK
    );
    assert_eq!(
        sandbox.token_answer("sandbox-key", "sandbox-secret").await["errors"][0]["code"],
        503
    );
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
        let response = sandbox
            .request(Method::PUT, "/sandbox/faults")
            .json(&json!([fault]))
            .send()
            .await
            .unwrap();
        assert!(response.status().is_client_error(), "{fault}");
    }
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
    sandbox
        .control(Method::PUT, "/sandbox/customers/5", Some(json!({"segments": {"a": "b"}})))
        .await;
    sandbox
        .stand("/sandbox/transactions/3/state", json!({"state": "missing"}))
        .await;
    sandbox.faults(json!([{"path": "/v2", "kind": "html"}])).await;
    sandbox.control(Method::POST, "/sandbox/reset", None).await;
    assert_eq!(sandbox.calls().await, json!([]));
    assert_eq!(sandbox.customer_body(5).await, before);
    let transaction: Value = sandbox
        .asked("/v2/transactions/3")
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(transaction["id"], 3);
    assert_eq!(
        sandbox
            .with_token(answer["data"]["accessToken"].as_str().unwrap())
            .await
            .status(),
        StatusCode::OK
    );
}

/// A sandbox of one's own on a free port; it ends with the test.
struct TestSandbox {
    process: Child,
    url: String,
    client: Client,
}

impl TestSandbox {
    async fn start() -> Self {
        Self::start_with(&[]).await
    }

    async fn start_with(environment: &[(&str, &str)]) -> Self {
        // No TLS is spoken here, but the client wants a provider when it is built. A second install changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut command = executable();
        command
            .env("SANDBOX_ADDRESS", "127.0.0.1:0")
            .envs(environment.iter().copied());
        let mut process = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut line)
            .await
            .unwrap();
        let url = line.split_whitespace().last().unwrap_or_default().to_owned();
        assert!(url.starts_with("http://127.0.0.1:"), "said: {line:?}");
        Self {
            process,
            url,
            client: Client::builder().no_proxy().build().unwrap(),
        }
    }

    /// As bare as it can be.
    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    /// Asks Capillary's API as it wants to be asked.
    fn asked(&self, path: &str) -> RequestBuilder {
        let request = self.request(Method::GET, path).header("authorization", basic_authorization());
        request.header("content-type", "application/json")
    }

    fn customer(&self, id: u64) -> RequestBuilder {
        self.asked(&format!("/v2/customers/{id}?source=INSTORE"))
    }

    async fn customer_body(&self, id: u64) -> Value {
        self.customer(id).send().await.unwrap().json().await.unwrap()
    }

    async fn with_token(&self, token: &str) -> Response {
        let request = self
            .request(Method::GET, "/v2/customers/1?source=INSTORE")
            .header(TOKEN_HEADER, token);
        request.header("content-type", "application/json").send().await.unwrap()
    }

    async fn token_answer(&self, key: &str, secret: &str) -> Value {
        let request = self
            .request(Method::POST, "/v3/oauth/token/generate")
            .json(&json!({"key": key, "secret": secret}));
        request.send().await.unwrap().json().await.unwrap()
    }

    /// A control path that must succeed; its body, or null where there is none.
    async fn control(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        assert!(response.status().is_success(), "{path}: {}", response.status());
        serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default()
    }

    async fn stand(&self, path: &str, standing: Value) {
        self.control(Method::PUT, path, Some(standing)).await;
    }

    async fn faults(&self, faults: Value) {
        self.control(Method::PUT, "/sandbox/faults", Some(faults)).await;
    }

    async fn calls(&self) -> Value {
        self.control(Method::GET, "/sandbox/calls", None).await
    }

    async fn until_calls(&self, count: usize) {
        let begun = Instant::now();
        while self.calls().await.as_array().unwrap().len() < count {
            assert!(begun.elapsed() < Duration::from_secs(5), "{count} calls did not come");
        }
    }

    async fn terminate(mut self) -> ExitStatus {
        let id = self.process.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().await.unwrap().success());
        let ended = tokio::time::timeout(Duration::from_secs(5), self.process.wait());
        ended.await.expect("the sandbox goes on after SIGTERM").unwrap()
    }
}

fn executable() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sandbox"));
    command.env_clear();
    command
}

fn basic_authorization() -> String {
    format!("Basic {}", STANDARD.encode(format!("sandbox-user:{PASSWORD_MD5}")))
}

/// The code of the first error in a v2 body.
async fn error_code(response: Response) -> u64 {
    let body: Value = response.json().await.unwrap();
    body["errors"][0]["code"]
        .as_u64()
        .unwrap_or_else(|| panic!("no error in {body}"))
}
