//! A long redrive: by rate, ended half way, and beside another one.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Barrier;

use super::{Letter, ids};
use crate::support::fault_proxy::Fault;
use crate::support::wait::poll;
use crate::support::world::World;

async fn with_letters(count: usize) -> World {
    let world = World::new().await;
    let letters: Vec<Letter> = (0..count).map(|n| Letter::new(&format!("letter-{n:04}"), Some("panic"))).collect();
    world.bury(&letters).await;
    world
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_letters_go_by_rate_and_after_ctrl_c_the_rest() {
    let world = with_letters(1000).await;
    let begun = Instant::now();
    let running = world.start_capctl(&["dlq", "redrive", "--all", "--rate", "60", "--json"], "", &[]).await;
    let half_way = poll(Duration::from_secs(60), async || (world.queue_length().await >= 240).then_some(())).await;
    assert!(half_way.is_some(), "{} letters in the events queue", world.queue_length().await);
    running.interrupt();
    let ended = running.end().await.json(4);
    let took = begun.elapsed();
    let first = usize::try_from(ended["letters"].as_u64().expect("a number")).expect("a small one");
    assert!((240..1000).contains(&first) && ended["interrupted"] == true, "{ended}");
    // The first ten go at once, the last ten need not wait for their time.
    let at_least = Duration::from_millis(u64::try_from(first - 20).expect("a small one") * 1000 / 60);
    assert!(took >= at_least, "{first} letters in {took:?}");
    assert_eq!(world.queue_length().await, first, "what was said to be sent was sent");
    let left = ids(&world.dead_letters().await);
    assert_eq!(left.len(), 1000 - first, "the rest can be seen at once");

    let rest = world.capctl(&["dlq", "redrive", "--all", "--rate", "1000", "--json"]).await.json(0);
    assert_eq!(rest["letters"], 1000 - first);
    let all = ids(&world.queue_messages().await);
    assert_eq!(all.len(), 1000, "each once");
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 1000);
    assert!(world.dead_letters().await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_redrives_at_once_send_each_letter_once() {
    let world = with_letters(200).await;
    let words = ["dlq", "redrive", "--all", "--rate", "100", "--json"];
    let (one, other) = (world.start_capctl(&words, "", &[]).await, world.start_capctl(&words, "", &[]).await);
    let (one, other) = tokio::join!(one.end(), other.end());
    let letters = [one, other].map(|ran| ran.json(0)["letters"].as_u64().expect("a number"));
    assert!(letters.iter().all(|letters| *letters > 0), "both have their share: {letters:?}");
    assert_eq!(letters.iter().sum::<u64>(), 200);
    let all = ids(&world.queue_messages().await);
    assert_eq!((all.len(), all.iter().collect::<BTreeSet<_>>().len()), (200, 200));
    assert!(world.dead_letters().await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_dies_anew_meanwhile_does_not_go_round() {
    let world = with_letters(40).await;
    let running = world.start_capctl(&["dlq", "redrive", "--all", "--rate", "10", "--json"], "", &[]).await;
    let begun = poll(Duration::from_secs(60), async || (world.queue_length().await > 0).then_some(())).await;
    assert!(begun.is_some());
    world.bury(&[Letter::new("anew", Some("panic"))]).await;
    let ended = running.end().await.json(1);
    assert_eq!((&ended["letters"], &ended["new"]), (&40.into(), &1.into()));
    assert_eq!(ids(&world.dead_letters().await), ["anew"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_while_letters_are_dropped_stays() {
    let world = with_letters(40).await;
    let (first, resumed) = held_call(&world, "DeleteMessageBatch");
    let running = world.start_capctl(&["dlq", "drop", "--all", "--yes", "--json"], "", &[]).await;
    first.await;
    world.bury(&[Letter::new("anew", Some("panic"))]).await;
    resumed.wait().await;
    let ended = running.end().await.json(1);
    assert_eq!((&ended["letters"], &ended["new"]), (&40.into(), &1.into()));
    assert_eq!(ids(&world.dead_letters().await), ["anew"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_looked_for_may_be_there_although_ctrl_c_was_pressed() {
    for signal in ["INT", "TERM"] {
        let world = with_letters(40).await;
        let (first, resumed) = held_call(&world, "ReceiveMessage");
        let running = world.start_capctl(&["dlq", "show", "nobody"], "", &[]).await;
        first.await;
        running.signal(signal);
        resumed.wait().await;
        let text = running.end().await.text(4);
        assert!(
            text.contains("interrupted: it may be there all the same") && !text.contains("no letter with this id is"),
            "{text}"
        );
        assert_eq!(world.dead_letters().await.len(), 40, "all were given back");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_right_to_give_letters_back_that_is_told() {
    let world = with_letters(3).await;
    world.proxy.always("ChangeMessageVisibilityBatch", Fault::Refused(403, "AccessDenied"));
    let text = world.capctl(&["dlq", "list"]).await.text(1);
    assert!(text.contains("SQS.ChangeMessageVisibilityBatch: AccessDenied") && text.contains("within five minutes"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn letters_are_hidden_and_given_back_by_several_calls_at_once() {
    let world = with_letters(30).await;
    let (operation, barrier) = ("ChangeMessageVisibilityBatch", Arc::new(Barrier::new(4)));
    world.proxy.times(operation, 3, Fault::Rendezvous(Arc::clone(&barrier)));
    let running = world.start_capctl(&["dlq", "list"], "", &[]).await;
    let come = poll(Duration::from_secs(60), async || Some(world.proxy.calls(operation)).filter(|calls| calls.len() >= 3)).await;
    assert!(come.expect("three calls").iter().all(|call| !call.is_done()), "one waits for another");
    barrier.wait().await;
    running.end().await.text(1);
}

/// Holds one call of an operation: when it has come, and what lets it go on.
fn held_call(world: &World, operation: &'static str) -> (impl Future<Output = ()>, Arc<Barrier>) {
    let barrier = Arc::new(Barrier::new(2));
    world.proxy.once(operation, Fault::Rendezvous(Arc::clone(&barrier)));
    let come = async move {
        let come = poll(Duration::from_secs(60), async || (!world.proxy.calls(operation).is_empty()).then_some(())).await;
        assert!(come.is_some(), "no {operation}");
    };
    (come, barrier)
}
