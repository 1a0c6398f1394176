//! How Capillary's APIs fail: one fault after the other, each for a few calls.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use fastrand::Rng;
use serde_json::{Value, json};

use crate::sandbox::Sandbox;

/// Less than the lag that the enrichers reckon with.
const LAG_MS: u64 = 1_500;

/// The troubles of one Capillary.
pub(crate) struct Troubles<'a> {
    sandbox: &'a Sandbox,
    random: Rng,
    /// The present fault: its name, and how often it may strike.
    present: Option<(String, u64)>,
    /// Names of the faults that have struck, with how often.
    pub(crate) struck: BTreeMap<String, u64>,
}

impl<'a> Troubles<'a> {
    pub(crate) fn of(sandbox: &'a Sandbox, random: Rng) -> Self {
        Self { sandbox, random, present: None, struck: BTreeMap::new() }
    }

    /// Goes on until nobody waits for it any more.
    pub(crate) async fn go_on(&mut self) -> Infallible {
        self.sandbox.lag(LAG_MS).await;
        loop {
            self.next().await;
            tokio::time::sleep(Duration::from_millis(self.random.u64(1_200..3_500))).await;
        }
    }

    /// Ends them.
    pub(crate) async fn end(&mut self) {
        self.count().await;
        self.sandbox.heal().await;
        self.sandbox.lag(0).await;
    }

    async fn next(&mut self) {
        self.count().await;
        let mut fault = self.draw();
        let times = self.random.u64(1..=3);
        fault["times"] = json!(times);
        self.sandbox.fail(&fault).await;
        let kind = || fault["kind"].as_str().unwrap_or_default().to_owned();
        self.present = Some((fault["status"].as_u64().map_or_else(kind, |status| status.to_string()), times));
    }

    /// Nothing of it is final: what the APIs say of an entity is right, if they say anything.
    fn draw(&mut self) -> Value {
        let random = &mut self.random;
        let mut fault = match random.u8(..10) {
            0 => json!({"kind": "status", "status": 429}),
            1 => json!({"kind": "status", "status": 429, "retryAfter": random.u8(1..4).to_string()}),
            2 => json!({"kind": "status", "status": random.choice([500, 502, 503, 504])}),
            3 => json!({"kind": "status", "status": 521}),
            4 => json!({"kind": "slow", "delayMs": random.u32(500..4_000)}),
            5 => json!({"kind": "torn"}),
            6 => json!({"kind": "html"}),
            7 => json!({"kind": "unauthorized"}),
            8 => json!({"kind": "hang"}),
            _ => json!({"kind": "reset"}),
        };
        fault["path"] = json!(random.choice(["/", "/v2/customers", "/v2/transactions", "/api_gateway", "/v3/oauth"]));
        fault
    }

    /// What strikes between this question and the next fault is not counted.
    async fn count(&mut self) {
        let Some((name, times)) = self.present.take() else { return };
        *self.struck.entry(name).or_default() += times - self.sandbox.failures_left().await;
    }
}
