//! AWS failing, hanging, losing answers, and processes killed, at each of the receiver's steps.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::Barrier;

use crate::support::fault_proxy::Fault;
use crate::support::runtime_api::FunctionError;
use crate::support::world::World;

fn event(id: &str) -> String {
    json!({"eventName": "customerAdded", "eventId": id, "orgId": 100_737, "data": {}}).to_string()
}

#[tokio::test]
async fn trouble_with_the_ledger_is_429_and_the_next_attempt_goes_through() {
    for fault in [Fault::DYNAMODB_DOWN, Fault::DYNAMODB_THROTTLED, Fault::Cut, Fault::Refused(503, "ServiceUnavailable")] {
        let world = World::new().await;
        let receiver = world.receiver().await;
        world.proxy.always("PutItem", fault);
        let begun = Instant::now();
        receiver.deliver(event("one")).await.come_again();
        assert!(begun.elapsed() < Duration::from_secs(10));
        assert_eq!(world.queue_length().await, 0);
        world.proxy.heal();
        receiver.deliver(event("one")).await.accepted();
        assert_eq!(world.queue_length().await, 1);
    }
}

#[tokio::test]
async fn permissions_and_missing_tables_are_trouble_of_ours_too() {
    for fault in [
        Fault::Refused(400, "AccessDeniedException"),
        Fault::Refused(400, "ResourceNotFoundException"),
        Fault::Refused(400, "UnrecognizedClientException"),
    ] {
        let world = World::new().await;
        let receiver = world.receiver().await;
        world.proxy.always("PutItem", fault.clone());
        receiver.deliver(event("one")).await.come_again();
        world.proxy.heal();
        world.proxy.always("SendMessage", fault);
        receiver.deliver(event("two")).await.come_again();
    }
}

#[tokio::test]
async fn trouble_with_the_queue_is_429_and_the_row_waits_for_its_lease() {
    for fault in [Fault::SQS_DOWN, Fault::SQS_THROTTLED, Fault::Cut] {
        let world = World::new().await;
        let receiver = world.receiver().await;
        world.proxy.always("SendMessage", fault);
        receiver.deliver(event("one")).await.come_again();
        assert_eq!(world.ledger_row("one").await.expect("the claim").status(), "RECEIVED");
        world.proxy.heal();
        receiver.deliver(event("one")).await.come_again();
        assert_eq!(world.queue_length().await, 0);
        world.lease_runs_out("one").await;
        receiver.deliver(event("one")).await.accepted();
        assert_eq!(world.queue_length().await, 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_hangs_the_answer_comes_within_10_seconds() {
    let operations = ["PutItem", "SendMessage", "GetSecretValue"];
    let trials = operations.map(|operation| async move {
        let world = World::new().await;
        // From before the start, which reads the secret.
        world.proxy.always(operation, Fault::Hang);
        let receiver = world.receiver().await;
        let begun = Instant::now();
        let answer = receiver.deliver(event("one")).await;
        let elapsed = begun.elapsed();
        answer.come_again();
        assert!(elapsed <= Duration::from_secs(10), "{operation} hangs and the answer took {elapsed:?}");
        assert_eq!(world.queue_length().await, 0, "{operation}");
        world.proxy.heal();
        if operation == "SendMessage" {
            world.lease_runs_out("one").await;
        }
        receiver.deliver(event("one")).await.accepted();
    });
    futures_util::future::join_all(trials).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_calls_that_hang_together_do_not_add_up_to_more_than_10_seconds() {
    // The store is slow to the last moment, then the ledger, then the queue: each alone would be in time.
    let bodies = [event("one"), "not json".to_owned()];
    let trials = bodies.map(|body| async move {
        let world = World::new().await;
        for operation in ["PutItem", "SendMessage", "GetSecretValue"] {
            world.proxy.times(operation, 1, Fault::Hang);
        }
        let receiver = world.receiver().await;
        let begun = Instant::now();
        let answer = receiver.deliver(body).await;
        assert!(begun.elapsed() <= Duration::from_secs(10), "{:?}", begun.elapsed());
        assert!(matches!(answer.status, 200 | 400 | 429), "{answer:?}");
        if answer.status == 200 {
            assert_eq!(world.queue_length().await, 1);
        }
        if answer.status == 400 {
            assert_eq!(world.dead_letters().await.len(), 1);
        }
    });
    futures_util::future::join_all(trials).await;
}

#[tokio::test]
async fn what_the_ledger_calls_invalid_is_dead_lettered_and_400() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    world.proxy.always("PutItem", Fault::DYNAMODB_INVALID);
    receiver.deliver(event("one")).await.problem(400);
    unstorable_is_kept(&world).await;
}

#[tokio::test]
async fn what_the_queue_calls_invalid_is_dead_lettered_and_400() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    // The dead-letter queue takes it: only sends to the events queue are refused.
    world.proxy.times("SendMessage", 1, Fault::SQS_INVALID);
    receiver.deliver(event("one")).await.problem(400);
    unstorable_is_kept(&world).await;
}

async fn unstorable_is_kept(world: &World) {
    let letters = world.dead_letters().await;
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].attribute("reason"), Some("unstorable"));
    assert_eq!(letters[0].delivered_bytes(), event("one").into_bytes());
    assert_eq!(world.queue_length().await, 0);
}

#[tokio::test]
async fn while_the_dead_letter_queue_is_down_nothing_is_refused_for_good() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    world.proxy.always("SendMessage", Fault::SQS_DOWN);
    receiver.deliver("not json").await.come_again();
    world.proxy.always("PutItem", Fault::DYNAMODB_INVALID);
    receiver.deliver(event("one")).await.come_again();
    world.proxy.heal();
    receiver.deliver("not json").await.problem(400);
    assert_eq!(world.dead_letters().await.len(), 1);
}

#[tokio::test]
async fn killed_between_put_and_send_the_next_attempt_after_the_lease_enqueues() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    receiver.deliver(event("warm")).await.accepted();
    world.proxy.once("SendMessage", Fault::KillBefore(receiver.0.process()));
    let outcome = receiver.attempt(&crate::support::delivery::Delivery::of(event("one"))).await;
    assert!(matches!(outcome, Err(FunctionError::Died)), "{outcome:?}");
    assert_eq!(world.ledger_row("one").await.expect("the claim").status(), "RECEIVED");
    let receiver = world.receiver().await;
    receiver.deliver(event("one")).await.come_again();
    assert_eq!(world.queue_length().await, 1, "only the first event's");
    world.lease_runs_out("one").await;
    receiver.deliver(event("one")).await.accepted();
    assert_eq!(world.queue_length().await, 2);
}

#[tokio::test]
async fn killed_after_the_send_nothing_is_lost() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    world.proxy.once("SendMessage", Fault::KillAfter(receiver.0.process()));
    let outcome = receiver.attempt(&crate::support::delivery::Delivery::of(event("one"))).await;
    assert!(matches!(outcome, Err(FunctionError::Died)), "{outcome:?}");
    assert_eq!(world.queue_length().await, 1);
    let receiver = world.receiver().await;
    receiver.deliver(event("one")).await.come_again();
    world.lease_runs_out("one").await;
    receiver.deliver(event("one")).await.accepted();
}

#[tokio::test]
async fn a_retry_of_the_sdk_that_meets_its_own_claim_goes_on() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    world.proxy.once("PutItem", Fault::AnswerLost);
    receiver.deliver(event("one")).await.accepted();
    assert_eq!(world.proxy.calls("PutItem").len(), 2, "the test has not met its case");
    assert_eq!(world.queue_length().await, 1);
}

#[tokio::test]
async fn a_lost_answer_of_the_send_loses_no_event() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    world.proxy.once("SendMessage", Fault::AnswerLost);
    let answer = receiver.deliver(event("one")).await;
    assert!(matches!(answer.status, 200 | 429), "{answer:?}");
    let messages = world.queue_messages().await;
    assert!(!messages.is_empty());
    assert!(messages.iter().all(|message| message.attribute("eventId") == Some("one")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_identical_deliveries_at_the_same_moment_one_is_accepted() {
    let world = World::new().await;
    let (one, two) = tokio::join!(world.receiver(), world.receiver());
    one.deliver(event("warm-1")).await.accepted();
    two.deliver(event("warm-2")).await.accepted();
    for round in 0..5 {
        // Both have come to the put before either of them goes on.
        let barrier = Arc::new(Barrier::new(2));
        world.proxy.times("PutItem", 2, Fault::Rendezvous(barrier));
        let body = event(&format!("round-{round}"));
        let (first, second) = tokio::join!(one.deliver(body.clone()), two.deliver(body));
        let (winner, other) = if first.status == 200 { (first, second) } else { (second, first) };
        winner.accepted();
        other.come_again();
    }
    assert_eq!(world.queue_length().await, 7, "one message each");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_take_overs_at_the_same_moment_one_wins() {
    let world = World::new().await;
    let (one, two) = tokio::join!(world.receiver(), world.receiver());
    one.deliver(event("one")).await.accepted();
    two.deliver(event("warm")).await.accepted();
    world.lease_runs_out("one").await;
    world.proxy.times("PutItem", 2, Fault::Rendezvous(Arc::new(Barrier::new(2))));
    let (first, second) = tokio::join!(one.deliver(event("one")), two.deliver(event("one")));
    let (winner, other) = if first.status == 200 { (first, second) } else { (second, first) };
    winner.accepted();
    other.come_again();
}

#[tokio::test]
async fn a_second_key_meets_the_same_faults() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    let other = json!({"eventName": "pointsIssued", "eventId": "one", "orgId": 100_737}).to_string();
    receiver.deliver(event("one")).await.accepted();
    world.proxy.whenever("PutItem", "one~", Fault::DYNAMODB_DOWN);
    receiver.deliver(other.clone()).await.come_again();
    world.proxy.heal();
    receiver.deliver(other.clone()).await.accepted();
    receiver.deliver(other).await.come_again();
}

#[tokio::test]
async fn retry_after_has_jitter() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    world.proxy.always("PutItem", Fault::Refused(400, "AccessDeniedException"));
    let mut waits = std::collections::BTreeSet::new();
    for number in 0..24 {
        waits.insert(receiver.deliver(event(&format!("event-{number}"))).await.come_again());
    }
    assert!(waits.len() > 1, "always the same Retry-After: {waits:?}");
}
