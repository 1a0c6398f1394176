//! What the sender does with each answer, in the order in which it does it.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Barrier;

use super::receiver::{Answer, Receiver};
use super::running::{PATIENCE, TestSandbox};
use crate::support::http::free_port;
use crate::support::wait::poll;

/// So fast that seven days take less than a second.
const FAST: f64 = 1e6;

async fn sandbox_with_one_lane(receiver: &Receiver) -> TestSandbox {
    let sandbox = TestSandbox::start().await;
    sandbox.webhook(json!({"url": receiver.url(), "maxAllowedConnections": 1, "timeScale": FAST})).await;
    sandbox
}

/// What came of each attempt: a status or an error.
fn outcomes(delivery: &Value) -> Vec<Value> {
    let outcome = |attempt: &Value| attempt.get("status").or_else(|| attempt.get("error")).unwrap().clone();
    delivery["attempts"].as_array().unwrap().iter().map(outcome).collect()
}

#[tokio::test]
async fn a_2xx_settles_an_event() {
    let receiver = Receiver::start(|_, _| Answer::Status(204)).await;
    let sandbox = sandbox_with_one_lane(&receiver).await;
    sandbox.event("a").await;
    let delivery = sandbox.until_delivery("a", "delivered").await;
    assert_eq!(outcomes(&delivery), [204]);
    assert_eq!(delivery["eventName"], "hello");
    assert!(delivery["attempts"][0]["at"].as_u64() > Some(1_700_000_000_000));
    assert!(delivery["attempts"][0]["tookMs"].is_u64());
}

#[tokio::test]
async fn a_400_is_final_and_the_next_event_follows() {
    let receiver = Receiver::start(|id, _| Answer::Status(if id == "bad" { 400 } else { 200 })).await;
    let sandbox = sandbox_with_one_lane(&receiver).await;
    // Even with both switches on.
    sandbox.webhook(json!({"resend4xx": true, "resend5xx": true})).await;
    sandbox.event("bad").await;
    sandbox.event("good").await;
    sandbox.until_delivery("good", "delivered").await;
    assert_eq!(receiver.ids(), ["bad", "good"]);
    assert_eq!(outcomes(&sandbox.until_delivery("bad", "refused").await), [400]);
}

#[tokio::test]
async fn after_a_429_the_same_event_comes_before_the_next_of_its_lane_whatever_retry_after_says() {
    let receiver = Receiver::start(|id, before| if id == "a" && before < 3 { Answer::Later } else { Answer::Status(200) }).await;
    let sandbox = sandbox_with_one_lane(&receiver).await;
    for id in ["a", "b", "c"] {
        sandbox.event(id).await;
    }
    sandbox.until_delivery("c", "delivered").await;
    assert_eq!(receiver.ids(), ["a", "a", "a", "a", "b", "c"]);
    assert_eq!(outcomes(&sandbox.until_delivery("a", "delivered").await), [429, 429, 429, 200]);
}

#[tokio::test]
async fn a_blocked_lane_does_not_block_the_others() {
    let receiver = Receiver::start(|id, _| Answer::Status(if id == "blocked" { 429 } else { 200 })).await;
    let sandbox = TestSandbox::start().await;
    sandbox.webhook(json!({"url": receiver.url(), "maxAllowedConnections": 2})).await;
    for id in ["blocked", "b", "c", "d"] {
        sandbox.event(id).await;
    }
    sandbox.until_delivery("d", "delivered").await;
    sandbox.until_delivery("blocked", "waiting").await;
}

#[tokio::test]
async fn as_many_events_are_sent_at_once_as_there_are_lanes() {
    let three = Arc::new(Barrier::new(3));
    let receiver = Receiver::start(move |_, _| Answer::Together(Arc::clone(&three))).await;
    let sandbox = TestSandbox::start().await;
    sandbox.webhook(json!({"url": receiver.url(), "maxAllowedConnections": 3})).await;
    let ids: Vec<String> = (0..12).map(|number| number.to_string()).collect();
    for id in &ids {
        sandbox.event(id).await;
    }
    for id in &ids {
        sandbox.until_delivery(id, "delivered").await;
    }
    assert_eq!(receiver.most_at_once(), 3);
}

#[tokio::test]
async fn a_lane_that_is_shut_leaves_its_event_to_the_others() {
    let receiver = Receiver::start(|_, before| if before == 0 { Answer::Later } else { Answer::Status(200) }).await;
    let sandbox = TestSandbox::start().await;
    // So slow that nothing comes again by itself.
    sandbox.webhook(json!({"url": receiver.url(), "maxAllowedConnections": 2, "timeScale": 0.001})).await;
    sandbox.event("a").await;
    sandbox.event("b").await;
    receiver.until_received(2).await;
    sandbox.webhook(json!({"maxAllowedConnections": 1, "timeScale": FAST})).await;
    for id in ["a", "b"] {
        assert_eq!(outcomes(&sandbox.until_delivery(id, "delivered").await), [429, 200]);
    }
}

#[tokio::test]
async fn a_5xx_is_resent_or_final_as_the_switch_says() {
    let receiver = Receiver::start(|_, before| Answer::Status(if before < 2 { 503 } else { 200 })).await;
    let sandbox = sandbox_with_one_lane(&receiver).await;
    sandbox.event("resent").await;
    assert_eq!(outcomes(&sandbox.until_delivery("resent", "delivered").await), [503, 503, 200]);
    sandbox.webhook(json!({"resend5xx": false})).await;
    sandbox.event("given up").await;
    assert_eq!(outcomes(&sandbox.until_delivery("given up", "refused").await), [503]);
}

#[tokio::test]
async fn another_4xx_is_final_or_resent_as_the_switch_says() {
    let receiver = Receiver::start(|_, before| Answer::Status(if before < 2 { 401 } else { 200 })).await;
    let sandbox = sandbox_with_one_lane(&receiver).await;
    sandbox.event("given up").await;
    assert_eq!(outcomes(&sandbox.until_delivery("given up", "refused").await), [401]);
    sandbox.webhook(json!({"resend4xx": true})).await;
    sandbox.event("resent").await;
    assert_eq!(outcomes(&sandbox.until_delivery("resent", "delivered").await), [401, 401, 200]);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let receiver = Receiver::start(|_, _| Answer::Elsewhere).await;
    let sandbox = sandbox_with_one_lane(&receiver).await;
    sandbox.event("a").await;
    assert_eq!(outcomes(&sandbox.until_delivery("a", "refused").await), [302]);
    let paths: Vec<String> = receiver.received().into_iter().map(|received| received.path).collect();
    assert_eq!(paths, ["/events"]);
}

#[tokio::test]
async fn an_event_without_an_answer_in_time_is_resent() {
    let receiver = Receiver::start(|_, before| if before == 0 { Answer::Never } else { Answer::Status(200) }).await;
    let sandbox = sandbox_with_one_lane(&receiver).await;
    sandbox.webhook(json!({"timeoutMs": 300})).await;
    sandbox.event("a").await;
    let delivery = sandbox.until_delivery("a", "delivered").await;
    assert_eq!(outcomes(&delivery), [json!("timeout"), json!(200)]);
    assert!(delivery["attempts"][0]["tookMs"].as_u64() >= Some(300));
    assert_eq!(receiver.ids(), ["a", "a"]);
}

#[tokio::test]
async fn an_event_for_which_nobody_listens_is_resent() {
    let sandbox = TestSandbox::start().await;
    let port = free_port();
    sandbox.webhook(json!({"url": format!("http://127.0.0.1:{port}/events"), "timeScale": 1000})).await;
    sandbox.event("a").await;
    poll(PATIENCE, async || outcomes(&sandbox.deliveries().await[0]).first().cloned()).await.expect("an attempt");
    let receiver = Receiver::start_on(port, |_, _| Answer::Status(200)).await;
    let delivery = sandbox.until_delivery("a", "delivered").await;
    assert_eq!((outcomes(&delivery).first(), outcomes(&delivery).last()), (Some(&json!("connection")), Some(&json!(200))));
    assert_eq!(receiver.ids(), ["a"]);
}

#[tokio::test]
async fn after_seven_days_of_growing_distances_an_event_is_lost_and_the_next_follows() {
    let receiver = Receiver::start(|id, _| Answer::Status(if id == "poison" { 429 } else { 200 })).await;
    let sandbox = sandbox_with_one_lane(&receiver).await;
    sandbox.event("poison").await;
    sandbox.event("next").await;
    sandbox.until_delivery("next", "delivered").await;
    let lost = sandbox.until_delivery("poison", "lost").await;
    let ages: Vec<u64> =
        lost["attempts"].as_array().unwrap().iter().map(|attempt| attempt["ageSeconds"].as_u64().unwrap()).collect();
    // 1 s, 2 s, 4 s … 2048 s are 12 distances and 4095 s; 167 hours fill the rest of the week.
    assert_eq!(ages.len(), 1 + 12 + 167);
    let week = 7 * 24 * 60 * 60;
    assert!(ages[ages.len() - 2] < week && ages[ages.len() - 1] >= week, "{ages:?}");
    // What an attempt takes in real time is part of the distance.
    const TOOK_AT_MOST: u64 = 10;
    let mut expected = 1;
    for pair in ages.windows(2) {
        let distance = pair[1] - pair[0];
        assert!((expected..=expected + TOOK_AT_MOST).contains(&distance), "{distance} s instead of {expected} s");
        expected = (expected * 2).min(3600);
    }
    assert_eq!(receiver.ids().last().map(String::as_str), Some("next"));
}

#[tokio::test]
async fn the_time_between_attempts_passes_as_fast_as_the_scale_says_from_the_moment_it_is_set() {
    let receiver = Receiver::start(|_, before| if before < 12 { Answer::Later } else { Answer::Status(200) }).await;
    let sandbox = TestSandbox::start().await;
    // More than an hour in real time.
    sandbox.webhook(json!({"url": receiver.url(), "timeScale": 1})).await;
    sandbox.event("a").await;
    receiver.until_received(1).await;
    sandbox.webhook(json!({"timeScale": FAST})).await;
    assert_eq!(sandbox.until_delivery("a", "delivered").await["attempts"].as_array().unwrap().len(), 13);
}
