//! Answers that are older than what is remembered, or may be (design, section 3: order).

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::support::events::of_customer;
use crate::support::history::{History, changes, entity, lasting, told};
use crate::support::scripted_capillary::Reply;
use crate::support::stage::{LONG_LAG, LONG_LAG_S, NO_LAG, Stage, customer, customer_key};
use crate::support::wait;
use crate::support::world::{Batch, World, now_ms};

fn updated(id: &str) -> Value {
    of_customer("customerUpdated", id, 5)
}

/// A customer seen with `before`, who answers `after` from now on.
async fn changed(lag: &[(&str, &str)], before: Option<u32>, after: Option<u32>) -> Stage {
    let stage = Stage::with(lag).await;
    stage.capillary.customer(5, &customer(5, "Porto", before));
    stage.tell(&updated("one")).await;
    stage.capillary.customer(5, &customer(5, "Lisboa", after));
    stage
}

/// The seconds for which messages were last put back.
fn last_delays(world: &World) -> Vec<u64> {
    let call = world.proxy.calls("ChangeMessageVisibilityBatch").pop().expect("a message was put back");
    let body: Value = serde_json::from_str(&call.body).expect("SQS speaks JSON");
    body["Entries"]
        .as_array()
        .expect("entries")
        .iter()
        .map(|entry| entry["VisibilityTimeout"].as_u64().expect("seconds"))
        .collect()
}

#[tokio::test]
async fn another_state_of_the_same_time_is_not_believed_before_replicas_have_caught_up() {
    let cases = [(Some(10), Some(10)), (None, None), (None, Some(10)), (Some(10), None)];
    for (before, after) in cases {
        let stage = changed(LONG_LAG, before, after).await;
        let remembered = stage.world.snapshot(&customer_key(5)).await.unwrap();
        let batch = stage.attempt(&updated("two")).await;
        batch.all_back();
        assert!(matches!(last_delays(&stage.world)[..], [880..=901]), "{:?}", last_delays(&stage.world));
        assert_eq!(History::of(&stage.world).ids(), ["one"], "{before:?} {after:?}");
        assert_eq!(stage.world.snapshot(&customer_key(5)).await.unwrap().0, remembered.0);
        let row = stage.world.ledger_row("two").await;
        assert!(row.is_none_or(|row| !row.has("attempts") && !row.has("detail")), "waiting is no failure");
    }
}

#[tokio::test]
async fn it_is_believed_once_the_call_begins_later_and_told_once() {
    for time in [Some(10), None] {
        let stage = changed(LONG_LAG, time, time).await;
        let first = stage.world.snapshot(&customer_key(5)).await.unwrap();
        let mut batch = stage.attempt(&updated("two")).await;
        batch.all_back();
        stage.world.was_seen_before(&customer_key(5), LONG_LAG_S - 60).await;
        batch = stage.again(&batch).await;
        batch.all_back();
        assert!(matches!(last_delays(&stage.world)[..], [1..=61]), "{:?}", last_delays(&stage.world));
        stage.world.was_seen_before(&customer_key(5), 60).await;
        let before_ms = now_ms();
        stage.again(&batch).await.all_done();
        let snapshot = stage.world.snapshot(&customer_key(5)).await.unwrap();
        assert!(snapshot.number("observedAt") >= before_ms, "the next state waits for this one's replicas");
        assert_eq!(snapshot.version(), first.version() + 1);
        assert_eq!(History::of(&stage.world).replay("customer/5"), (snapshot.version(), lasting(&snapshot.body())));
        assert_eq!(changes(&told(&stage.world, "two")).len(), 1);
    }
}

/// The next answer for customer 5 is held until something was done.
async fn answered_after(stage: &Stage, event: &Value, something: impl Future<Output = ()>) -> Batch {
    let gate = Arc::new(Semaphore::new(0));
    stage.capillary.next(5, Reply::Held(Arc::clone(&gate)));
    let calls_before = stage.capillary.customer_calls(5);
    let meanwhile = async {
        let asked = async || (stage.capillary.customer_calls(5) > calls_before).then_some(());
        wait::poll(Duration::from_secs(10), asked).await.expect("the enricher asks");
        something.await;
        gate.add_permits(1);
    };
    tokio::join!(stage.attempt(event), meanwhile).0
}

#[tokio::test]
async fn the_lag_runs_from_the_answer_of_the_one_to_the_beginning_of_the_other() {
    let stage = Stage::with(LONG_LAG).await;
    stage.capillary.customer(5, &customer(5, "Porto", None));
    let mut answered_ms = 0;
    answered_after(&stage, &updated("one"), async { answered_ms = now_ms() }).await.all_done();
    let seen = stage.world.snapshot(&customer_key(5)).await.unwrap().number("observedAt");
    assert!(seen >= answered_ms, "the answer came {} ms later", answered_ms - seen);
    // A call that begins too early is not made better by an answer that comes when the lag is over.
    stage.capillary.customer(5, &customer(5, "Lisboa", None));
    stage.world.was_seen_before(&customer_key(5), LONG_LAG_S - 4).await;
    let over_ms = stage.world.snapshot(&customer_key(5)).await.unwrap().number("observedAt") + LONG_LAG_S * 1000;
    let event = updated("two");
    let batch = answered_after(&stage, &event, async {
        let over = async || (now_ms() > over_ms).then_some(());
        wait::poll(Duration::from_secs(10), over).await.expect("time passes");
    });
    batch.await.all_back();
}

#[tokio::test]
async fn without_lag_it_is_believed_at_once() {
    let stage = changed(NO_LAG, Some(10), Some(10)).await;
    assert_eq!(changes(&stage.tell(&updated("two")).await).len(), 1);
}

#[tokio::test]
async fn the_lag_is_five_seconds_by_default() {
    let stage = changed(&[], None, None).await;
    let batch = stage.attempt(&updated("two")).await;
    batch.all_back();
    assert!(matches!(last_delays(&stage.world)[..], [4..=6]), "{:?}", last_delays(&stage.world));
}

#[tokio::test]
async fn a_newer_time_is_believed_at_once() {
    let stage = changed(LONG_LAG, Some(10), Some(11)).await;
    let detail = stage.tell(&updated("two")).await;
    assert_eq!((changes(&detail).len(), &detail["data"]["enrichment"]["late"]), (1, &json!(false)));
}

#[tokio::test]
async fn what_is_the_same_or_differs_only_by_itself_waits_for_nobody() {
    let stage = changed(LONG_LAG, None, None).await;
    let mut same = customer(5, "Porto", None);
    same["warnings"] = json!([{"code": 1, "message": "another"}]);
    stage.capillary.customer(5, &same);
    let detail = stage.tell(&updated("two")).await;
    assert_eq!((changes(&detail), &detail["data"]["enrichment"]["late"]), (&[][..], &json!(false)));
    assert_eq!(entity(&detail, "customer")["baseline"], false);
}

#[tokio::test]
async fn an_older_state_changes_nothing_and_is_told_as_late_with_the_newer_one() {
    let stage = Stage::with(NO_LAG).await;
    let newest = customer(5, "Lisboa", Some(11));
    stage.capillary.customer(5, &customer(5, "Porto", Some(10)));
    stage.capillary.customer(5, &newest);
    stage.tell(&updated("one")).await;
    let remembered = stage.world.snapshot(&customer_key(5)).await.unwrap();
    stage.capillary.next(5, Reply::State(0));
    let detail = stage.tell(&updated("two")).await;
    let seen = entity(&detail, "customer");
    assert_eq!(detail["data"]["enrichment"], json!({"status": "complete", "late": true, "truncated": false}));
    assert_eq!((&seen["status"], &seen["baseline"], changes(&detail)), (&json!("found"), &json!(false), &[][..]));
    assert_eq!((&seen["body"], &seen["version"]), (&newest, &json!(remembered.version())));
    assert_eq!(stage.world.snapshot(&customer_key(5)).await.unwrap().0, remembered.0);
    // Whatever comes next is compared with the newer one.
    assert_eq!(changes(&stage.tell(&updated("three")).await), &[] as &[Value]);
}

#[tokio::test]
async fn a_replica_that_lags_makes_no_change_go_back_and_forth() {
    let stage = changed(LONG_LAG, None, None).await;
    stage.world.was_seen_before(&customer_key(5), LONG_LAG_S).await;
    assert_eq!(changes(&stage.tell(&updated("two")).await).len(), 1);
    // A replica shows what was; the message waits until none does.
    stage.capillary.next(5, Reply::State(0));
    let batch = stage.attempt(&updated("three")).await;
    batch.all_back();
    stage.again(&batch).await.all_done();
    assert_eq!(changes(&told(&stage.world, "three")), &[] as &[Value]);
    let remembered = stage.world.snapshot(&customer_key(5)).await.unwrap();
    let replayed = History::of(&stage.world).replay("customer/5");
    assert_eq!(replayed, (remembered.version(), lasting(&customer(5, "Lisboa", None))));
}
