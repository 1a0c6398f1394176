//! A sandbox that runs for one test, and the ways to talk to it.

use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::support::wait::poll;

/// How long to wait for what has to come.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

const TOKEN_HEADER: &str = "X-CAP-API-OAUTH-TOKEN";
/// The MD5 of `sandbox-password`, worked out by another program.
const PASSWORD_MD5: &str = "911b7bf55b7b03cdfe2af9d1e68e4897";

/// What a change through the control paths is told as.
pub(super) struct Changed {
    pub(super) entity: Value,
    pub(super) request_id: String,
    pub(super) event_id: Option<String>,
}

/// A sandbox of one's own on a free port; it ends with the test.
pub(super) struct TestSandbox {
    process: Child,
    url: String,
    client: Client,
}

impl TestSandbox {
    pub(super) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    pub(super) async fn start_with(environment: &[(&str, &str)]) -> Self {
        // No TLS is spoken here, but the client wants a provider when it is built. A second install changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut command = executable();
        command.env("SANDBOX_ADDRESS", "127.0.0.1:0").envs(environment.iter().copied());
        let mut process = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).await.unwrap();
        let url = line.split_whitespace().last().unwrap_or_default().to_owned();
        assert!(url.starts_with("http://127.0.0.1:"), "said: {line:?}");
        Self { process, url, client: Client::builder().no_proxy().build().unwrap() }
    }

    /// Where it listens.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// As bare as it can be.
    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    /// Asks Capillary's API as it wants to be asked.
    pub(super) fn asked(&self, path: &str) -> RequestBuilder {
        let request = self.request(Method::GET, path).header("authorization", basic_authorization());
        request.header("content-type", "application/json")
    }

    /// What is answered to a question, with whatever status.
    pub(super) async fn body(&self, path: &str) -> Value {
        self.asked(path).send().await.unwrap().json().await.unwrap()
    }

    /// Says something to Capillary's API; with which status it is answered, and what.
    pub(super) async fn say(&self, method: Method, path: &str, body: &Value) -> (StatusCode, Value) {
        let response = self.request(method, path).header("authorization", basic_authorization()).json(body).send().await.unwrap();
        (response.status(), response.json().await.unwrap())
    }

    /// Registers a webhook as Capillary's API takes it; its entry.
    pub(super) async fn register(&self, name: &str, url: &str, event_names: &[&str]) -> Value {
        let (status, answer) = self.say(Method::POST, "/v3/webHooks", &registration(name, url, event_names)).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        answer["data"].clone()
    }

    /// The status of a control path that may refuse.
    pub(super) async fn put_status(&self, path: &str, body: Value) -> StatusCode {
        self.request(Method::PUT, path).json(&body).send().await.unwrap().status()
    }

    pub(super) fn customer(&self, id: u64) -> RequestBuilder {
        self.asked(&format!("/v2/customers/{id}?source=INSTORE"))
    }

    pub(super) async fn customer_body(&self, id: u64) -> Value {
        self.customer(id).send().await.unwrap().json().await.unwrap()
    }

    pub(super) async fn with_token(&self, token: &str) -> Response {
        let request = self.request(Method::GET, "/v2/customers/1?source=INSTORE").header(TOKEN_HEADER, token);
        request.header("content-type", "application/json").send().await.unwrap()
    }

    pub(super) async fn token_answer(&self, key: &str, secret: &str) -> Value {
        let request = self.request(Method::POST, "/v3/oauth/token/generate").json(&json!({"key": key, "secret": secret}));
        request.send().await.unwrap().json().await.unwrap()
    }

    /// A control path that must succeed; its body, or null where there is none.
    pub(super) async fn control(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        assert!(response.status().is_success(), "{path}: {}", response.status());
        serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default()
    }

    pub(super) async fn stand(&self, path: &str, standing: Value) {
        self.control(Method::PUT, path, Some(standing)).await;
    }

    pub(super) async fn forms(&self, forms: Value) {
        self.control(Method::PUT, "/sandbox/forms", Some(forms)).await;
    }

    pub(super) async fn faults(&self, faults: Value) {
        self.control(Method::PUT, "/sandbox/faults", Some(faults)).await;
    }

    pub(super) async fn calls(&self) -> Value {
        self.control(Method::GET, "/sandbox/calls", None).await
    }

    pub(super) async fn until_calls(&self, count: usize) {
        let begun = Instant::now();
        while self.calls().await.as_array().unwrap().len() < count {
            assert!(begun.elapsed() < Duration::from_secs(5), "{count} calls did not come");
        }
    }

    /// Changes an entity: `customers/5`, `customers/5?event=none`, `transactions/3`, `cards/CARD7`.
    pub(super) async fn change(&self, entity: &str, patch: Value) -> Changed {
        changed(self.request(Method::PUT, &format!("/sandbox/{entity}")).json(&patch)).await
    }

    pub(super) async fn merge(&self, victim: u64, merge: Value) -> Changed {
        changed(self.request(Method::POST, &format!("/sandbox/customers/{victim}/merge")).json(&merge)).await
    }

    pub(super) async fn delete_customer(&self, id: u64) -> Changed {
        changed(self.request(Method::DELETE, &format!("/sandbox/customers/{id}"))).await
    }

    pub(super) async fn webhook(&self, settings: Value) -> Value {
        self.control(Method::PUT, "/sandbox/webhook", Some(settings)).await
    }

    /// Has an event sent; it needs an `eventId` to be recognised by.
    pub(super) async fn event(&self, id: &str) {
        self.control(Method::POST, "/sandbox/events", Some(json!({"eventId": id, "eventName": "hello"}))).await;
    }

    pub(super) async fn deliveries(&self) -> Vec<Value> {
        let list = self.control(Method::GET, "/sandbox/deliveries", None).await;
        list.as_array().unwrap().clone()
    }

    /// The delivery of an event, once it has come to this state.
    pub(super) async fn until_delivery(&self, event_id: &str, state: &str) -> Value {
        let wanted = |delivery: &Value| delivery["eventId"] == event_id && delivery["state"] == state;
        let found = poll(PATIENCE, async || self.deliveries().await.into_iter().find(wanted)).await;
        match found {
            Some(delivery) => delivery,
            None => panic!("{event_id} is not {state}: {:?}", self.deliveries().await),
        }
    }

    pub(super) async fn terminate(mut self) -> ExitStatus {
        let id = self.process.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().await.unwrap().success());
        let ended = tokio::time::timeout(Duration::from_secs(5), self.process.wait());
        ended.await.expect("the sandbox goes on after SIGTERM").unwrap()
    }
}

/// All that Capillary asks for in a registration.
pub(super) fn registration(name: &str, url: &str, event_names: &[&str]) -> Value {
    json!({
        "name": name,
        "eventNames": event_names,
        "webHookUrl": url,
        "webHookType": "HTTP",
        "methodType": "POST",
        "webHookHeaders": {"x-webhook-key": "k"},
        "maxAllowedConnections": 1,
        "active": true,
        "customerIdentifiersToBeEnriched": [],
    })
}

async fn changed(request: RequestBuilder) -> Changed {
    let response = request.send().await.unwrap();
    assert!(response.status().is_success(), "{}", response.status());
    let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let (request_id, event_id) = (header("x-cap-requestid").unwrap(), header("x-sandbox-event-id"));
    Changed { entity: response.json().await.unwrap(), request_id, event_id }
}

pub(super) fn executable() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sandbox"));
    command.env_clear();
    command
}

pub(super) fn basic_authorization() -> String {
    format!("Basic {}", STANDARD.encode(format!("sandbox-user:{PASSWORD_MD5}")))
}

/// The code of the first error in a v2 body.
pub(super) async fn error_code(response: Response) -> u64 {
    let body: Value = response.json().await.unwrap();
    body["errors"][0]["code"].as_u64().unwrap_or_else(|| panic!("no error in {body}"))
}
