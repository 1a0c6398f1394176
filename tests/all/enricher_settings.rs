//! What the settings keep from being enriched, published or told (README, "Configuration" and "Personal data").

mod marks;
mod personal_data;

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::events::{ORG, of_customer, of_nobody};
use crate::support::history::entities;
use crate::support::stage::{NO_LAG, Stage, customer_key};
use crate::support::world::{EVENT_TTL_DAYS, now_ms};

const ANOTHER_ORG: u64 = ORG + 1;
const RULES: &str = "100738/pointsIssued=enrich, 100738/points*=ignore, points*=pass,\nTIER*=ignore somethingNew=ignore";

/// The same event in the other org.
fn elsewhere(mut event: Value) -> Value {
    event["orgId"] = json!(ANOTHER_ORG);
    event
}

#[tokio::test]
async fn the_first_rule_that_fits_says_what_becomes_of_an_event() {
    let stage = Stage::answering(&[("EVENT_RULES", RULES), NO_LAG[0]]).await;
    let passed = of_customer("pointsExpired", "passed", 1);
    let batch = [
        passed.clone(),
        elsewhere(of_customer("pointsIssued", "enriched there", 2)),
        elsewhere(of_customer("pointsExpired", "ignored there", 3)),
        of_customer("tierRenewed", "ignored", 4),
        of_nobody("ignored, of nobody"),
        of_customer("customerUpdated", "of no rule", 5),
    ];
    stage.attempt_all(&batch).await.all_done();
    let detail = stage.told("passed");
    assert_eq!((&detail["data"]["event"], &detail["data"]["enrichment"]["status"]), (&passed, &json!("none")));
    assert_eq!((entities(&detail), detail.get("subject")), (vec![], None));
    assert_eq!(entities(&stage.told("enriched there")), ["customer/2 found"]);
    assert_eq!(entities(&stage.told("of no rule")), ["customer/5 found"]);
    assert_eq!(stage.world.sent_entries().len(), 3);
    let mut asked: Vec<String> = stage.capillary.calls().into_iter().map(|call| call.path).collect();
    asked.retain(|path| path.starts_with("/v2"));
    asked.sort();
    assert_eq!(asked, ["/v2/customers/2", "/v2/customers/5"]);
    assert_eq!(stage.world.snapshot_keys().await, [customer_key(5), format!("{ANOTHER_ORG}#customer#2")]);
    assert!(stage.world.dead_letters().await.is_empty());
}

#[tokio::test]
async fn an_ignored_event_is_marked_so_that_whatever_comes_of_it_again_is_a_duplicate() {
    let stage = Stage::answering(&[("EVENT_RULES", RULES)]).await;
    let receiver = stage.world.receiver().await;
    let delivered = of_customer("tierRenewed", "delivered", 5);
    receiver.deliver(delivered.to_string()).await.accepted();
    // One that the ledger knows, and one that it does not.
    stage.attempt(&of_customer("tierRenewed", "redriven", 5)).await.all_done();
    for id in ["delivered", "redriven"] {
        let row = stage.world.ledger_row(id).await.unwrap();
        assert_eq!((row.status(), row.text("reason"), row.has("detail")), ("PUBLISHED", Some("ignored"), false), "{row:?}");
        assert_eq!((row.text("eventName"), row.number("orgId")), (Some("tierRenewed"), Some(100_737.0)), "{row:?}");
        let expected_s = now_ms() / 1000 + EVENT_TTL_DAYS * 86_400;
        assert!((row.number("expiresAt").unwrap() - expected_s as f64).abs() < 60.0, "{row:?}");
    }
    receiver.deliver(delivered.to_string()).await.duplicate();
    receiver.deliver(of_customer("tierRenewed", "redriven", 5).to_string()).await.duplicate();
    assert_eq!(stage.world.queue_length().await, 0);
    // Who has no such rule does not tell it either.
    let without_rules = stage.world.enricher_asking(stage.capillary.url(), &[]).await;
    stage.world.enqueue(&delivered).await;
    stage.world.enrich(&without_rules).await.all_done();
    assert!(stage.world.sent_entries().is_empty());
    assert!(stage.capillary.calls().is_empty());
}

#[tokio::test]
async fn an_event_that_was_stored_before_it_was_to_be_ignored_goes_out() {
    let stage = Stage::answering(NO_LAG).await;
    stage.world.proxy.always("PutEvents", crate::support::fault_proxy::Fault::EVENTS_DOWN);
    let batch = stage.attempt(&of_customer("tierRenewed", "one", 5)).await;
    batch.all_back();
    stage.world.proxy.heal();
    let with_rules = stage.world.enricher_asking(stage.capillary.url(), &[("EVENT_RULES", RULES)]).await;
    stage.world.enrich_these(&with_rules, stage.world.redelivered(&batch.back).await).await.all_done();
    assert_eq!(entities(&stage.told("one")), ["customer/5 found"]);
    assert_eq!(stage.world.ledger_row("one").await.unwrap().status(), "PUBLISHED");
}

#[tokio::test]
async fn a_rule_or_a_pattern_that_cannot_be_read_is_named_at_the_start() {
    let stage = Stage::answering(&[]).await;
    for (variable, value, named) in [
        ("EVENT_RULES", "points*=pass, tier*=ingore", "tier*=ingore"),
        ("EVENT_RULES", "brand/points*=pass", "brand/points*=pass"),
        ("DROP_PATHS", "mobile, /data/event/mobile", "/data/event/mobile"),
        ("HASH_PATHS", "mobile,identifiers//value", "identifiers//value"),
    ] {
        let enricher = stage.world.enricher_asking(stage.capillary.url(), &[(variable, value)]).await;
        assert_eq!(enricher.0.exit(Duration::from_secs(5)).await, Some(false), "{variable}={value}");
        let logs = enricher.0.logs();
        assert!(logs.contains(variable) && logs.contains(named), "{logs}");
    }
}
