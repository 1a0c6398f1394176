//! The stand-in for Capillary that runs beside the deployed stack: what happens there, how its APIs fail, what its sender saw.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::http;
use crate::support::stack::Stack;

/// Lanes of the sender.
pub(crate) const LANES: u32 = 20;
/// Sandbox seconds per second: what is not taken comes again after 50 ms, 100 ms, …
const TIME_SCALE: u32 = 20;
const HURRIED_TIME_SCALE: u32 = 200;
/// The receiver answers within ten seconds.
const ANSWER_WITHIN_MS: u32 = 12_000;

pub(crate) struct Sandbox {
    url: String,
    client: reqwest::Client,
}

impl Sandbox {
    /// As if it had just been started, sending to the port of a proxy.
    pub(crate) async fn sending_through(stack: &Stack, port: u16) -> Self {
        let sandbox = Self { url: stack.text("/sandboxUrl"), client: http::client() };
        sandbox.answer(sandbox.client.post(sandbox.address("reset"))).await;
        let url = stack.text("/eventsUrl").replace(&stack.endpoint(), &format!("http://127.0.0.1:{port}"));
        let headers: BTreeMap<String, String> = stack.webhook_headers().into_iter().collect();
        let webhook = json!({"url": url, "headers": headers, "maxAllowedConnections": LANES, "timeScale": TIME_SCALE,
                             "timeoutMs": ANSWER_WITHIN_MS});
        sandbox.put("webhook", &webhook).await;
        sandbox
    }

    /// Events that have waited for long come again soon: the sender's waits, up to an hour, pass faster than before.
    pub(crate) async fn hurry(&self) {
        self.put("webhook", &json!({"timeScale": HURRIED_TIME_SCALE})).await;
    }

    /// Changes an entity (RFC 7396); the id of the event that tells of it.
    pub(crate) async fn change(&self, entity: &str, patch: &Value) -> String {
        let answer = self.client.put(self.address(entity)).json(patch).send().await.expect("the sandbox answers");
        assert!(answer.status().is_success(), "the sandbox refuses: {}", answer.status());
        answer.headers()["x-sandbox-event-id"].to_str().expect("a text").to_owned()
    }

    /// How far its reads lag behind.
    pub(crate) async fn lag(&self, milliseconds: u64) {
        self.put("replica", &json!({"lagMs": milliseconds})).await;
    }

    /// The next calls to paths that begin so go wrong; what was to go wrong before does not any more.
    pub(crate) async fn fail(&self, fault: &Value) {
        self.put("faults", &json!([fault])).await;
    }

    /// How often the last fault may still strike.
    pub(crate) async fn failures_left(&self) -> u64 {
        self.get("faults").await[0]["times"].as_u64().expect("a number")
    }

    /// Nothing goes wrong any more.
    pub(crate) async fn heal(&self) {
        self.answer(self.client.delete(self.address("faults"))).await;
    }

    /// Events that are not delivered yet, or all of them, each with its attempts.
    pub(crate) async fn deliveries(&self, state: Option<&str>) -> Vec<Value> {
        let filter = state.map_or_else(String::new, |state| format!("?state={state}"));
        self.get(&format!("deliveries{filter}")).await.as_array().cloned().expect("a list")
    }

    fn address(&self, path: &str) -> String {
        format!("{}/sandbox/{path}", self.url)
    }

    async fn get(&self, path: &str) -> Value {
        serde_json::from_str(&self.answer(self.client.get(self.address(path))).await).expect("JSON")
    }

    async fn put(&self, path: &str, body: &Value) {
        self.answer(self.client.put(self.address(path)).json(body)).await;
    }

    async fn answer(&self, request: reqwest::RequestBuilder) -> String {
        let answer = request.send().await.expect("the sandbox answers");
        let status = answer.status();
        let text = answer.text().await.expect("with a body");
        assert!(status.is_success(), "the sandbox refuses: {status} {text}");
        text
    }
}
