//! Reads that do not know the last changes yet.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use super::running::{PATIENCE, TestSandbox, error_code};
use crate::support::wait::poll;

const AN_HOUR_MS: u64 = 60 * 60 * 1000;

impl TestSandbox {
    async fn lag(&self, lag_ms: u64) {
        self.control(Method::PUT, "/sandbox/replica", Some(json!({"lagMs": lag_ms}))).await;
    }

    async fn stale(&self, entity: &str, revisions: u64, times: u64) {
        let stale = json!({"revisions": revisions, "times": times});
        self.control(Method::PUT, &format!("/sandbox/{entity}/stale"), Some(stale)).await;
    }

    async fn city(&self, id: u64, city: &str) {
        self.change(&format!("customers/{id}"), json!({"extendedFields": {"city": city}})).await;
    }

    async fn city_read(&self, id: u64) -> Value {
        self.customer_body(id).await["extendedFields"]["city"].clone()
    }

    async fn transaction_body(&self, path: &str) -> Value {
        self.asked(&format!("/v2/transactions/{path}")).send().await.unwrap().json().await.unwrap()
    }
}

#[tokio::test]
async fn reads_lag_behind_changes_until_the_time_has_passed() {
    let sandbox = TestSandbox::start().await;
    sandbox.lag(500).await;
    assert_eq!(sandbox.control(Method::GET, "/sandbox/replica", None).await, json!({"lagMs": 500}));
    let begun = Instant::now();
    sandbox.city(5, "Porto").await;
    poll(PATIENCE, async || (sandbox.city_read(5).await == "Porto").then_some(())).await.expect("the change to be read");
    assert!(begun.elapsed() >= Duration::from_millis(500));
}

#[tokio::test]
async fn before_the_first_change_is_the_template_and_the_control_paths_do_not_lag() {
    let sandbox = TestSandbox::start().await;
    sandbox.lag(AN_HOUR_MS).await;
    sandbox.city(5, "Porto").await;
    assert_eq!(sandbox.city_read(5).await, "Garden");
    assert_eq!(sandbox.control(Method::GET, "/sandbox/customers/5", None).await["extendedFields"]["city"], "Porto");
}

#[tokio::test]
async fn how_an_entity_is_found_lags_too() {
    let sandbox = TestSandbox::start().await;
    sandbox.city(5, "Porto").await;
    sandbox.lag(AN_HOUR_MS).await;
    sandbox.delete_customer(5).await;
    sandbox.merge(9, json!({"into": 5})).await;
    assert_eq!(sandbox.city_read(5).await, "Garden");
    assert_eq!(sandbox.customer_body(9).await["id"], 9);
    sandbox.lag(0).await;
    assert_eq!(sandbox.customer_body(9).await["id"], 5);
    assert_eq!(error_code(sandbox.customer(5).send().await.unwrap()).await, 8109);
}

#[tokio::test]
async fn a_transaction_lags_too_and_was_of_any_type_before() {
    let sandbox = TestSandbox::start().await;
    sandbox.lag(AN_HOUR_MS).await;
    sandbox.change("transactions/3", json!({"type": "RETURN", "customerId": 7})).await;
    assert_eq!(sandbox.transaction_body("3").await["type"], "REGULAR");
    assert_ne!(sandbox.transaction_body("3?type=RETURN").await["customerId"], 7);
    sandbox.lag(0).await;
    assert_eq!(sandbox.transaction_body("3?type=RETURN").await["customerId"], 7);
}

#[tokio::test]
async fn the_next_reads_can_be_made_to_miss_the_last_changes() {
    let sandbox = TestSandbox::start().await;
    for city in ["Porto", "Lisbon", "Braga"] {
        sandbox.city(5, city).await;
    }
    sandbox.stale("customers/5", 1, 2).await;
    assert_eq!(sandbox.city_read(6).await, "Garden", "another customer's read does not count");
    let read = [sandbox.city_read(5).await, sandbox.city_read(5).await, sandbox.city_read(5).await];
    assert_eq!(read, ["Lisbon", "Lisbon", "Braga"]);
    sandbox.stale("customers/5", 2, 1).await;
    assert_eq!(sandbox.city_read(5).await, "Porto");
    sandbox.stale("customers/5", 9, 1).await;
    assert_eq!(sandbox.city_read(5).await, "Garden", "before the first change is the template");
}

#[tokio::test]
async fn a_transaction_can_be_stale_once() {
    let sandbox = TestSandbox::start().await;
    for amount in [1, 2] {
        sandbox.change("transactions/3", json!({"billDetails": {"amount": amount}})).await;
    }
    sandbox.stale("transactions/3", 1, 1).await;
    assert_eq!(sandbox.transaction_body("3").await["billDetails"]["amount"], 1);
    assert_eq!(sandbox.transaction_body("3").await["billDetails"]["amount"], 2);
}

#[tokio::test]
async fn reset_ends_all_lag() {
    let sandbox = TestSandbox::start().await;
    sandbox.lag(AN_HOUR_MS).await;
    sandbox.stale("customers/5", 1, 100).await;
    sandbox.control(Method::POST, "/sandbox/reset", None).await;
    sandbox.city(5, "Porto").await;
    assert_eq!(sandbox.city_read(5).await, "Porto");
}
