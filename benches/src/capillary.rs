//! A stub of Capillary's API: it counts, waits, and answers with customers that are others each time.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use hyper::StatusCode;
use serde_json::{Value, json};

use crate::{
    calls::Calls,
    failure::Failure,
    server::{Answer, Call, Service},
};

/// Names under which calls are counted.
pub(crate) const TOKEN: &str = "token";
pub(crate) const CUSTOMER: &str = "customer";
/// How large a customer is.
const BYTES: usize = 20 * 1024;

const ANSWERS: [&str; 3] = [
    include_str!("../../src/bin/sandbox/answers/v2_customers_id_get.json"),
    include_str!("../../src/bin/sandbox/answers/v2_customers_id_get__embed_points.json"),
    include_str!("../../src/bin/sandbox/answers/v2_customers_id_get__embed_subscriptions.json"),
];

/// Capillary's API.
pub(crate) struct Capillary {
    pub(crate) calls: Calls,
    customer: Value,
    latency_ms: AtomicU64,
    states: AtomicU64,
}

impl Capillary {
    pub(crate) fn new() -> Result<Self, Failure> {
        Ok(Self { calls: Calls::default(), customer: customer()?, latency_ms: AtomicU64::new(0), states: AtomicU64::new(0) })
    }

    /// The time that each call for an entity takes from now on.
    pub(crate) fn set_latency(&self, latency: Duration) {
        self.latency_ms.store(u64::try_from(latency.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

impl Service for Capillary {
    async fn answer(&self, call: Call) -> Answer {
        if call.path.ends_with("/token/generate") {
            self.calls.count(TOKEN);
            let token = json!({"data": {"accessToken": "token", "ttlSeconds": 3600}, "errors": null});
            return Answer::json(StatusCode::OK, &token);
        }
        let id = call.path.strip_prefix("/v2/customers/").and_then(|id| id.parse().ok());
        self.calls.count(if id.is_some() { CUSTOMER } else { &call.path });
        match self.latency_ms.load(Ordering::Relaxed) {
            // What answers nothing is at the edge.
            _ if id.is_none() => {}
            0 => {}
            milliseconds => tokio::time::sleep(Duration::from_millis(milliseconds)).await,
        }
        let Some(id) = id else { return Answer::json(StatusCode::NOT_FOUND, &json!({})) };
        let state = self.states.fetch_add(1, Ordering::Relaxed) + 1;
        Answer::json(StatusCode::OK, &in_state(self.customer.clone(), id, state))
    }
}

/// A customer of 20 KB, as the API answers.
pub(crate) fn customer() -> Result<Value, Failure> {
    let mut customer = json!({});
    for answer in ANSWERS {
        let mut answer: Value = serde_json::from_str(answer)?;
        if let (Some(customer), Some(answer)) = (customer.as_object_mut(), answer.as_object_mut()) {
            customer.append(answer);
        }
    }
    let mut missing = BYTES.saturating_sub(customer.to_string().len());
    for number in 0.. {
        let (name, text) = (format!("preference_{number:03}"), format!("answer {number} of the member's questionnaire"));
        // Two pairs of quotes, a colon and a comma.
        let bytes = name.len() + text.len() + 6;
        if bytes > missing {
            break;
        }
        missing -= bytes;
        customer["extendedFields"][name] = text.into();
    }
    Ok(customer)
}

/// The customer with this id, in one of her states: another name, another city, updated later.
pub(crate) fn in_state(mut customer: Value, id: u64, state: u64) -> Value {
    let (hours, minutes, seconds) = (state / 3600, state / 60 % 60, state % 60);
    customer["id"] = id.into();
    customer["profiles"][0]["userId"] = id.into();
    customer["profiles"][0]["firstName"] = format!("Ana {state}").into();
    let at = format!("2025-02-{:02}T{:02}:{minutes:02}:{seconds:02}Z", 1 + hours / 24, hours % 24);
    customer["profiles"][0]["autoUpdateTime"] = at.into();
    customer["extendedFields"]["city"] = format!("Porto {state}").into();
    customer
}
