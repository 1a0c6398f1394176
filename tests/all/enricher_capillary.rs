//! Capillary's APIs: credentials, faults that pass, faults that do not (design, section 3; facts 4.2 and 4.3).

use std::time::Duration;

use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::support::events::{of_customer, of_nobody};
use crate::support::stage::{NO_LAG, Stage};
use crate::support::world::{Batch, Enricher, World};

const TOKEN: &str = "/v3/oauth/token/generate";

/// Published, with everything behind it.
#[track_caller]
fn complete(details: &[Value], count: usize) {
    assert_eq!(details.len(), count, "{details:?}");
    for detail in details {
        assert_eq!(detail["data"]["enrichment"]["status"], "complete", "{detail}");
    }
}

async fn heal_and_try_again(world: &World, enricher: &Enricher, batch: &Batch) {
    world.capillary().await.heal().await;
    world.enrich_these(enricher, world.redelivered(&batch.back).await).await.all_done();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_passes_brings_the_message_back_and_then_it_goes_out() {
    let faults = [
        json!({"kind": "status", "status": 429}),
        json!({"kind": "status", "status": 500}),
        json!({"kind": "status", "status": 502}),
        json!({"kind": "status", "status": 503}),
        json!({"kind": "status", "status": 521}),
        json!({"kind": "torn"}),
        json!({"kind": "html"}),
        json!({"kind": "reset"}),
        json!({"kind": "hang"}),
    ];
    let trials = faults.map(|fault| async move {
        let world = World::new().await;
        world.capillary().await.fault("/v2/customers", fault.clone()).await;
        let enricher = world.enricher().await;
        world.enqueue(&of_customer("customerUpdated", "one", 5)).await;
        let batch = world.enrich(&enricher).await;
        batch.all_back();
        assert!(world.sent_entries().is_empty(), "{fault}");
        let row = world.ledger_row("one").await;
        assert!(row.is_none_or(|row| row.status() == "RECEIVED" && row.number("attempts").unwrap_or(0.0) == 0.0), "{fault}");
        let wait = world.delays();
        assert!(!wait.is_empty() && wait.iter().all(|(_, seconds)| *seconds <= 900), "{fault}: {wait:?}");
        heal_and_try_again(&world, &enricher, &batch).await;
        complete(&world.published(1).await, 1);
        assert!(world.dead_letters().await.is_empty(), "{fault}");
    });
    futures_util::future::join_all(trials).await;
}

#[tokio::test]
async fn retry_after_is_respected_and_capped() {
    for (asked, expected) in [("45", 45..=900), ("86400", 800..=900)] {
        let world = World::new().await;
        world.capillary().await.fault("/v2/customers", json!({"kind": "status", "status": 429, "retryAfter": asked})).await;
        let enricher = world.enricher().await;
        world.enqueue(&of_customer("customerUpdated", "one", 5)).await;
        let batch = world.enrich(&enricher).await;
        batch.all_back();
        let wait = world.delay_of(&batch.back[0]);
        assert!(expected.contains(&wait), "Retry-After {asked}: {wait}");
    }
}

#[tokio::test]
async fn transient_trouble_never_uses_up_attempts() {
    let world = World::new().await;
    world.capillary().await.fault("/v2/customers", json!({"kind": "status", "status": 500})).await;
    let enricher = world.enricher_with(&[("MAX_ATTEMPTS", "1")]).await;
    world.enqueue(&of_customer("customerUpdated", "one", 5)).await;
    let mut messages = world.queue_messages().await;
    for receive in 1..=4 {
        messages[0].system.insert("ApproximateReceiveCount".into(), (receive * 200).to_string());
        let batch = world.enrich_these(&enricher, messages).await;
        batch.all_back();
        messages = world.redelivered(&batch.back).await;
    }
    assert!(world.dead_letters().await.is_empty());
    world.capillary().await.heal().await;
    world.enrich_these(&enricher, messages).await.all_done();
    complete(&world.published(1).await, 1);
}

#[tokio::test]
async fn a_dead_api_costs_a_batch_one_probe_and_events_that_need_nothing_go_out() {
    let world = World::new().await;
    world.capillary().await.fault("/v2", json!({"kind": "status", "status": 503})).await;
    let enricher = world.enricher_with(&[("CAPILLARY_MAX_CONCURRENCY", "1")]).await;
    for number in 1..=8 {
        world.enqueue(&of_customer("customerUpdated", &format!("customer-{number}"), number)).await;
    }
    world.enqueue(&of_nobody("nobody")).await;
    let batch = world.enrich(&enricher).await;
    assert_eq!(batch.back.len(), 8);
    assert_eq!(world.published(1).await[0]["id"], "nobody");
    let calls = world.capillary().await.calls("/v2").await;
    assert_eq!(calls.len(), 1, "one probe: {calls:?}");
    heal_and_try_again(&world, &enricher, &batch).await;
    complete(&world.published(8).await, 8);
}

#[tokio::test]
async fn one_customer_that_several_messages_name_is_fetched_once() {
    let world = World::new().await;
    let enricher = world.enricher().await;
    for number in 0..5 {
        world.enqueue(&of_customer("pointsIssued", &format!("event-{number}"), 5)).await;
    }
    world.enqueue(&of_customer("pointsIssued", "other", 6)).await;
    world.enrich(&enricher).await.all_done();
    assert_eq!(world.capillary().await.calls("/v2/customers/5").await.len(), 1);
    complete(&world.published(6).await, 6);
}

#[tokio::test]
async fn an_entity_is_fetched_anew_for_each_batch() {
    // An entity from an earlier batch would be an older state than the event.
    let world = World::new().await;
    let enricher = world.enricher_with(&[("CAPILLARY_REPLICA_LAG_SECONDS", "0")]).await;
    for city in ["Porto", "Lisboa"] {
        world.capillary().await.customer(5, json!({"extendedFields": {"city": city}})).await;
        world.enqueue(&of_customer("customerUpdated", city, 5)).await;
        world.enrich(&enricher).await.all_done();
    }
    for text in world.sent_details() {
        let detail: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(detail["data"]["entities"][0]["body"]["extendedFields"]["city"], detail["id"]);
    }
}

#[tokio::test]
async fn the_token_is_kept_between_batches_and_got_once_for_many_messages() {
    let world = World::new().await;
    let enricher = world.enricher().await;
    for batch in 0..3 {
        for number in 1..=4 {
            world.enqueue(&of_customer("pointsIssued", &format!("event-{batch}-{number}"), number)).await;
        }
        world.enrich(&enricher).await.all_done();
    }
    assert_eq!(world.capillary().await.calls(TOKEN).await.len(), 1);
}

#[tokio::test]
async fn a_401_refreshes_the_token_once() {
    let world = World::new().await;
    let enricher = world.enricher().await;
    world.enqueue(&of_customer("customerUpdated", "warm", 5)).await;
    world.enrich(&enricher).await.all_done();
    world.capillary().await.fault("/v2/customers", json!({"kind": "unauthorized", "times": 1})).await;
    world.enqueue(&of_customer("customerUpdated", "one", 5)).await;
    world.enrich(&enricher).await.all_done();
    assert_eq!(world.capillary().await.calls(TOKEN).await.len(), 2);
    complete(&world.published(2).await, 2);
}

#[tokio::test]
async fn a_token_that_expires_in_the_middle_of_a_batch_is_renewed_once_for_all() {
    let world = World::new().await;
    let enricher = world.enricher().await;
    world.enqueue(&of_customer("customerUpdated", "warm", 5)).await;
    world.enrich(&enricher).await.all_done();
    // The first calls find it good; then it is over for four that are under way.
    for customer in 7..=10 {
        world.capillary().await.fault(&format!("/v2/customers/{customer}"), json!({"kind": "unauthorized", "times": 1})).await;
    }
    for customer in 1..=10 {
        world.enqueue(&of_customer("customerUpdated", &format!("of {customer}"), customer)).await;
    }
    world.enrich(&enricher).await.all_done();
    assert_eq!(world.capillary().await.calls(TOKEN).await.len(), 2);
    complete(&world.published(11).await, 11);
}

#[tokio::test]
async fn when_an_answer_came_is_told_by_capillarys_clock_which_all_processes_share() {
    // Which of two answers is older is judged by these times.
    for (ahead_s, at_least_s, at_most_s) in [(0, -2, 2), (300, 290, 310)] {
        let stage = Stage::answering(NO_LAG).await;
        stage.capillary.answers(move |call| {
            Some(call).filter(|call| call.path != TOKEN).map(|call| call.found().by_a_clock_ahead(Duration::from_secs(ahead_s)))
        });
        let before = OffsetDateTime::now_utc();
        stage.attempt(&of_customer("customerUpdated", "one", 5)).await.all_done();
        let detail = &stage.world.published(1).await[0];
        let fetched_at = detail["data"]["entities"][0]["fetchedAt"].as_str().expect("a time");
        let ahead = (OffsetDateTime::parse(fetched_at, &Rfc3339).expect("RFC 3339") - before).whole_seconds();
        assert!((at_least_s..=at_most_s).contains(&ahead), "{ahead} s for {ahead_s} s");
    }
}

#[tokio::test]
async fn a_second_401_brings_the_message_back() {
    let world = World::new().await;
    world.capillary().await.fault("/v2/customers", json!({"kind": "unauthorized"})).await;
    let enricher = world.enricher().await;
    world.enqueue(&of_customer("customerUpdated", "one", 5)).await;
    let batch = world.enrich(&enricher).await;
    batch.all_back();
    assert!(world.sent_entries().is_empty(), "a wrong key must not publish thin events");
    heal_and_try_again(&world, &enricher, &batch).await;
    complete(&world.published(1).await, 1);
}

#[tokio::test]
async fn without_a_token_nothing_that_needs_one_goes_out() {
    for credentials in [json!({"key": "sandbox-key", "secret": "wrong"}), json!({}), json!({"key": "sandbox-key"})] {
        let world = World::new().await;
        world.capillary_secret_is(&credentials.to_string()).await;
        let enricher = world.enricher().await;
        world.enqueue(&of_customer("customerUpdated", "one", 5)).await;
        world.enqueue(&of_nobody("nobody")).await;
        let batch = world.enrich(&enricher).await;
        assert_eq!(batch.back.len(), 1, "{credentials}");
        assert_eq!(world.published(1).await[0]["id"], "nobody", "{credentials}");
    }
}

#[tokio::test]
async fn a_failing_token_call_is_transient() {
    let world = World::new().await;
    world.capillary().await.fault(TOKEN, json!({"kind": "status", "status": 500})).await;
    let enricher = world.enricher().await;
    world.enqueue(&of_customer("customerUpdated", "one", 5)).await;
    let batch = world.enrich(&enricher).await;
    batch.all_back();
    assert!(world.sent_entries().is_empty());
    heal_and_try_again(&world, &enricher, &batch).await;
    complete(&world.published(1).await, 1);
}

#[tokio::test]
async fn basic_credentials_work_without_a_token() {
    let world = World::new().await;
    world.capillary_secret_is(&json!({"username": "sandbox-user", "password": "sandbox-password"}).to_string()).await;
    let enricher = world.enricher().await;
    world.enqueue(&of_customer("customerUpdated", "one", 5)).await;
    world.enrich(&enricher).await.all_done();
    complete(&world.published(1).await, 1);
    assert!(world.capillary().await.calls(TOKEN).await.is_empty());
}

#[tokio::test]
async fn wrong_basic_credentials_bring_the_message_back() {
    let world = World::new().await;
    world.capillary_secret_is(&json!({"username": "sandbox-user", "password": "wrong"}).to_string()).await;
    let enricher = world.enricher().await;
    world.enqueue(&of_customer("customerUpdated", "one", 5)).await;
    world.enrich(&enricher).await.all_back();
    assert!(world.sent_entries().is_empty());
}

#[tokio::test]
async fn credentials_may_differ_by_org() {
    let right = json!({"key": "sandbox-key", "secret": "sandbox-secret"});
    let wrong = json!({"key": "no", "secret": "no"});
    for secret in [json!({"orgs": {"100737": right}, "default": wrong}), json!({"orgs": {"1": wrong}, "default": right})] {
        let world = World::new().await;
        world.capillary_secret_is(&secret.to_string()).await;
        let enricher = world.enricher().await;
        world.enqueue(&of_customer("customerUpdated", "one", 5)).await;
        world.enrich(&enricher).await.all_done();
        complete(&world.published(1).await, 1);
    }
}

#[tokio::test]
async fn the_store_of_the_credentials_being_down_is_transient() {
    let world = World::new().await;
    world.proxy.always("GetSecretValue", crate::support::fault_proxy::Fault::SECRETS_DOWN);
    let enricher = world.enricher().await;
    world.enqueue(&of_customer("customerUpdated", "one", 5)).await;
    let batch = world.enrich(&enricher).await;
    batch.all_back();
    world.proxy.heal();
    heal_and_try_again(&world, &enricher, &batch).await;
    complete(&world.published(1).await, 1);
}

#[tokio::test]
async fn the_source_of_customers_is_a_setting() {
    let world = World::new().await;
    let enricher = world.enricher_with(&[("CAPILLARY_CUSTOMER_SOURCE", "WECHAT"), ("CAPILLARY_CUSTOMER_EMBED", "points")]).await;
    world.enqueue(&of_customer("customerUpdated", "one", 5)).await;
    world.enrich(&enricher).await.all_done();
    let call = world.capillary().await.calls("/v2/customers/5").await.remove(0);
    let told = call.to_string();
    assert!(told.contains("WECHAT") && told.contains("points"), "{told}");
}

#[tokio::test]
async fn slow_is_not_failed() {
    let world = World::new().await;
    world.capillary().await.fault("/v2/customers", json!({"kind": "slow", "delayMs": 1500})).await;
    let enricher = world.enricher().await;
    world.enqueue(&of_customer("customerUpdated", "one", 5)).await;
    world.enrich(&enricher).await.all_done();
    complete(&world.published(1).await, 1);
}
