//! A sandbox process of one's own, and what can be asked of it.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::{http, wait};

/// The one user who is let in without a token; the password goes as its MD5.
const BASIC: &str = "Basic c2FuZGJveC11c2VyOjkxMWI3YmY1NWI3YjAzY2RmZTJhZjlkMWU2OGU0ODk3";

/// A running stand-in for Capillary's APIs.
pub(crate) struct Capillary {
    child: Child,
    url: String,
    client: reqwest::Client,
}

impl Capillary {
    pub(crate) async fn start() -> Self {
        let address = format!("127.0.0.1:{}", http::free_port());
        let executable = std::env::var_os("CAPILLARY_EVENTS_SANDBOX").unwrap_or_else(|| env!("CARGO_BIN_EXE_sandbox").into());
        let child = Command::new(executable)
            .env("SANDBOX_ADDRESS", &address)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the sandbox starts");
        let sandbox = Self { child, url: format!("http://{address}"), client: http::client() };
        let health = format!("{}/sandbox/health", sandbox.url);
        wait::poll(Duration::from_secs(10), async || {
            sandbox.client.get(&health).send().await.ok().filter(|answer| answer.status().is_success())
        })
        .await
        .expect("the sandbox listens");
        sandbox
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Merges fields into an entity (RFC 7396): `customers/5`, `cards/CARD7?event=none`, `groups/3`, `coupons/3`, `ledger/3`.
    pub(crate) async fn entity(&self, entity: &str, fields: Value) {
        self.put(&format!("/sandbox/{entity}"), fields).await;
    }

    /// The same; the request under which the audit log knows it.
    pub(crate) async fn change(&self, entity: &str, fields: Value) -> String {
        let request = self.client.put(format!("{}/sandbox/{entity}", self.url)).json(&fields);
        let answer = request.send().await.expect("the sandbox answers");
        assert!(answer.status().is_success(), "the sandbox refuses: {}", answer.status());
        answer.headers()["x-cap-requestid"].to_str().expect("a text").to_owned()
    }

    /// Which of the documented forms answers have: `{"couponIds": false}`, `{"groups": "object"}`.
    pub(crate) async fn forms(&self, forms: Value) {
        self.put("/sandbox/forms", forms).await;
    }

    /// How an entity is found from now on: `missing`, `deleted`, `pending`, …
    pub(crate) async fn entity_is(&self, entity: &str, state: &str) {
        self.put(&format!("/sandbox/{entity}/state"), json!({"state": state})).await;
    }

    pub(crate) async fn customer(&self, id: u64, fields: Value) {
        self.entity(&format!("customers/{id}"), fields).await;
    }

    pub(crate) async fn transaction(&self, id: u64, fields: Value) {
        self.entity(&format!("transactions/{id}"), fields).await;
    }

    pub(crate) async fn customer_is(&self, id: u64, state: &str) {
        self.entity_is(&format!("customers/{id}"), state).await;
    }

    pub(crate) async fn transaction_is(&self, id: u64, state: &str) {
        self.entity_is(&format!("transactions/{id}"), state).await;
    }

    /// One fault on a path prefix: `{"kind": …, …}`; it replaces those that were there.
    pub(crate) async fn fault(&self, path: &str, mut fault: Value) {
        fault["path"] = json!(path);
        self.put("/sandbox/faults", json!([fault])).await;
    }

    pub(crate) async fn heal(&self) {
        self.checked(self.client.delete(format!("{}/sandbox/faults", self.url))).await;
    }

    /// Paths with queries of the calls since this was asked last, sorted; those for tokens are left out.
    pub(crate) async fn new_calls(&self) -> Vec<String> {
        let calls = self.calls("/").await;
        self.forget_calls().await;
        let mut calls: Vec<String> = calls
            .iter()
            .map(|call| format!("{}?{}", call["path"].as_str().unwrap_or_default(), call["query"].as_str().unwrap_or_default()))
            .filter(|call| !call.starts_with("/v3/oauth"))
            .collect();
        calls.sort();
        calls
    }

    pub(crate) async fn forget_calls(&self) {
        self.checked(self.client.delete(format!("{}/sandbox/calls", self.url))).await;
    }

    /// Paths of the calls so far that begin so, in order.
    pub(crate) async fn calls(&self, path: &str) -> Vec<Value> {
        let answer = self.checked(self.client.get(format!("{}/sandbox/calls", self.url))).await;
        let calls: Vec<Value> = serde_json::from_str(&answer).expect("a list of calls");
        calls.into_iter().filter(|call| call["path"].as_str().is_some_and(|text| text.starts_with(path))).collect()
    }

    /// Says something to Capillary's API itself; the answer's `data`.
    pub(crate) async fn say(&self, method: reqwest::Method, path: &str, body: Option<Value>) -> Value {
        let mut request = self.client.request(method, format!("{}{path}", self.url)).header("authorization", BASIC);
        request = request.header("content-type", "application/json");
        if let Some(body) = body {
            request = request.body(body.to_string());
        }
        let answer: Value = serde_json::from_str(&self.checked(request).await).expect("an answer in JSON");
        answer["data"].clone()
    }

    /// The webhooks that are registered, header values included.
    pub(crate) async fn webhooks(&self) -> Vec<Value> {
        self.say(reqwest::Method::GET, "/v3/webHooks", None).await.as_array().expect("a list").clone()
    }

    async fn put(&self, path: &str, body: Value) {
        self.checked(self.client.put(format!("{}{path}", self.url)).json(&body)).await;
    }

    async fn checked(&self, request: reqwest::RequestBuilder) -> String {
        let answer = request.send().await.expect("the sandbox answers");
        let status = answer.status();
        let text = answer.text().await.expect("with a body");
        assert!(status.is_success(), "the sandbox refuses: {status} {text}");
        text
    }
}

impl Drop for Capillary {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
