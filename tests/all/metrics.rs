//! What the functions count (issue, "Metrics"): each metric of the README's table, in a story that says how often.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};

use crate::support::delivery::Delivery;
use crate::support::events::{CREATED_AT, of_customer, of_nobody};
use crate::support::examples;
use crate::support::fault_proxy::Fault;
use crate::support::metrics::{Totals, totals, values, written};
use crate::support::world::{Batch, Enricher, World, now_ms};

/// What the receiver's story comes to.
pub(crate) const RECEIVED: [(&str, u64); 16] = [
    ("Deliveries accepted", 2),
    ("Deliveries duplicate", 1),
    ("Deliveries in_progress", 2),
    ("Deliveries unauthorized", 1),
    ("Deliveries held", 1),
    ("Deliveries not_json", 1),
    ("Deliveries empty", 1),
    ("Deliveries unstorable", 1),
    ("Deliveries too_large", 1),
    ("Deliveries unavailable", 1),
    ("Deliveries not_found", 1),
    ("Deliveries method_not_allowed", 1),
    ("Duplicates", 1),
    ("IdCollisions", 1),
    ("LeaseConflicts", 2),
    ("AuthFailures", 2),
];

/// What the enricher's story comes to.
pub(crate) const ENRICHED: [(&str, u64); 20] = [
    ("Events published", 9),
    ("Events already_published", 1),
    ("Events ignored", 1),
    ("Events put_back", 3),
    ("Events failed", 1),
    ("Events dead_lettered", 1),
    ("Enrichments complete", 4),
    ("Enrichments partial", 4),
    ("Enrichments none", 1),
    ("ApiCalls found", 4),
    ("ApiCalls not_found", 1),
    ("ApiCalls deleted", 1),
    ("ApiCalls merged", 1),
    ("ApiCalls forbidden", 1),
    ("ApiCalls unauthorized", 2),
    ("ApiCalls later", 1),
    ("TokenFailures", 2),
    ("IdCollisions", 1),
    ("PublishLatency", 9),
    ("ProcessingAge", 16),
];

fn expected(table: &[(&str, u64)]) -> Totals {
    table.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

/// A customer's event with a name in it that no metric may bear.
fn event(name: &str, id: &str, customer: u64) -> Value {
    let mut event = of_customer(name, id, customer);
    event["data"]["firstName"] = json!("Zebrafinch");
    event
}

#[tokio::test]
async fn the_receiver_counts_what_it_answers_in_one_line_a_delivery() {
    let world = World::new().await;
    let receiver = world.receiver().await;
    let delivered = |id: &str| event("customerUpdated", id, 5).to_string();
    receiver.deliver(delivered("one")).await.accepted();
    receiver.deliver(delivered("one")).await.come_again();
    receiver.deliver(delivered("one")).await.come_again();
    world.set("one", "status", AttributeValue::S("PUBLISHED".into())).await;
    receiver.deliver(delivered("one")).await.duplicate();
    receiver.deliver(event("anotherName", "one", 5).to_string()).await.accepted();
    receiver.deliver("Zebrafinch").await.problem(400);
    receiver.deliver("").await.problem(400);
    let mut random = fastrand::Rng::with_seed(7);
    let noise: String = std::iter::repeat_with(|| random.alphanumeric()).take(1_700_000).collect();
    receiver.deliver(json!({"eventName": noise}).to_string()).await.problem(413);
    receiver.send(&Delivery::of("{}").path("/other")).await.problem(404);
    receiver.send(&Delivery::of("{}").method("GET")).await.problem(405);
    for (fault, status) in [(Fault::DYNAMODB_DOWN, 429), (Fault::DYNAMODB_INVALID, 400)] {
        world.proxy.always("PutItem", fault);
        receiver.deliver(delivered("two")).await.problem(status);
        world.proxy.heal();
    }
    let stranger = Delivery::without_headers("{}").header("Authorization", "Basic Numbatwrong");
    receiver.send(&stranger).await.problem(401);
    let mut lines = written(&receiver.0, 13).await;
    assert_eq!(lines.len(), 13, "one line a delivery");

    world.webhook_secret_is(&json!({"headers": {"authorization": ["x"]}, "holdUntil": "2999-01-01T00:00:00Z"}).to_string()).await;
    let holding = world.receiver().await;
    holding.send(&stranger).await.come_again();
    lines.extend(written(&holding.0, 1).await);
    assert_eq!(totals(&lines), expected(&RECEIVED));
    assert_nothing_is_told(&lines);
}

/// Hands over what came back, as if its time had come.
async fn again(world: &World, enricher: &Enricher, batch: &Batch) -> Batch {
    world.enrich_these(enricher, world.redelivered(&batch.back).await).await
}

#[tokio::test]
async fn the_enricher_counts_events_calls_and_times() {
    let world = World::new().await;
    let capillary = world.capillary().await;
    let enricher = world.enricher_with(&[("EVENT_RULES", "badge*=ignore")]).await;

    // One event meets trouble of three kinds, and is published.
    capillary.fault("/v3/oauth", json!({"kind": "status", "status": 500})).await;
    world.enqueue(&event("customerAdded", "one", 5)).await;
    let mut batch = world.enrich(&enricher).await;
    for kind in [json!({"kind": "status", "status": 503}), json!({"kind": "unauthorized"})] {
        batch.all_back();
        capillary.fault("/v2/customers", kind).await;
        batch = again(&world, &enricher, &batch).await;
    }
    batch.all_back();
    capillary.heal().await;
    again(&world, &enricher, &batch).await.all_done();

    // It comes again, and another one with its id.
    for name in ["customerAdded", "tierRenewed"] {
        world.enqueue(&event(name, "one", 5)).await;
        world.enrich(&enricher).await.all_done();
    }

    // Three whom Capillary does not show, one whom it may not, and one event of nobody.
    for (customer, state) in [(7, "missing"), (8, "deleted"), (9, "merged")] {
        capillary.customer_is(customer, state).await;
        world.enqueue(&event("customerAdded", state, customer)).await;
    }
    world.enqueue(&of_nobody("nobody")).await;
    world.enrich(&enricher).await.all_done();
    capillary.fault("/v2/customers", json!({"kind": "status", "status": 403})).await;
    world.enqueue(&event("customerAdded", "forbidden", 10)).await;
    world.enrich(&enricher).await.all_done();
    capillary.heal().await;

    // One that the bus refuses at first, and a message that is no event.
    world.proxy.always("PutEvents", Fault::EntriesRefused("refused", "MalformedDetail"));
    world.enqueue(&event("customerAdded", "refused", 11)).await;
    let batch = world.enrich(&enricher).await;
    batch.all_back();
    world.proxy.heal();
    again(&world, &enricher, &batch).await.all_done();
    world.enqueue(&event("badgeEarned", "ignored", 12)).await;
    world.enqueue_raw("Zebrafinch", &[("v", "Number", "1")]).await;
    world.enrich(&enricher).await.all_done();

    // An ordinary batch comes last: its one line shows that those before are written.
    let before = written(&enricher.0, 1).await;
    world.enqueue(&event("customerAdded", "last", 12)).await;
    world.enrich(&enricher).await.all_done();
    let lines = written(&enricher.0, before.len() + 1).await;
    assert_eq!(totals(&lines), expected(&ENRICHED));
    assert_nothing_is_told(&lines);
    assert!(values(&lines, "ProcessingAge").iter().all(|ms| *ms < 60_000), "{lines:?}");
    let since_created = now_ms() - CREATED_AT;
    let latencies = values(&lines, "PublishLatency");
    assert!(latencies.iter().all(|ms| (since_created - 600_000..=since_created).contains(ms)), "{latencies:?}");
}

#[tokio::test]
async fn an_ordinary_batch_is_one_line_and_one_of_nothing_is_none() {
    let world = World::new().await;
    let enricher = world.enricher().await;
    world.enrich_these(&enricher, Vec::new()).await.all_done();
    for customer in 1..=9 {
        world.enqueue(&event("customerAdded", &format!("event-{customer}"), customer)).await;
    }
    world.enrich(&enricher).await.all_done();
    let lines = written(&enricher.0, 1).await;
    assert_eq!(lines.len(), 1, "{lines:?}");
    let told = ["Events published", "Enrichments complete", "ApiCalls found", "PublishLatency", "ProcessingAge"];
    assert_eq!(totals(&lines), told.map(|name| (name.to_owned(), 9)).into());
}

#[tokio::test]
async fn what_was_counted_is_written_before_lambda_ends_an_invocation_that_hangs() {
    let world = World::new().await;
    let enricher = world.enricher().await;
    world.proxy.always("PutEvents", Fault::Hang);
    let batch: Value = serde_json::from_str(&examples::text("events/enricher/one-customer-added.json")).expect("JSON");
    let time = Duration::from_secs(3);
    let lines = tokio::select! {
        lines = written(&enricher.0, 1) => lines,
        outcome = enricher.0.invoke(&batch, time) => panic!("{outcome:?} before any metrics; its logs:\n{}", enricher.0.logs()),
    };
    assert_eq!(totals(&lines), expected(&[("ApiCalls found", 1), ("ProcessingAge", 1)]));
}

/// Whoever reads the table can rely on each row and word of it, and misses none.
#[test]
fn the_stories_tell_of_everything_in_the_readme() {
    let readme = examples::text("README.md");
    let table = readme.split("| Metric |").nth(1).expect("the table of metrics");
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let documented: BTreeSet<String> = rows.flat_map(documented_in).collect();
    let told = RECEIVED.iter().chain(&ENRICHED).map(|(name, _)| (*name).to_owned());
    assert_eq!(documented, told.collect());
}

/// A metric, or one for each word of its dimension.
fn documented_in(row: &str) -> Vec<String> {
    let code = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let cells: Vec<&str> = row.split('|').skip(1).collect();
    let name = code(cells[0]).remove(0);
    match code(cells[2]).is_empty() {
        true => vec![name],
        false => code(cells[3]).iter().map(|word| format!("{name} {word}")).collect(),
    }
}

/// Everything in a line is a number or one of the words of the table; these are the words that would be easiest to let in.
#[track_caller]
fn assert_nothing_is_told(lines: &[Value]) {
    for line in lines {
        for mark in ["Zebrafinch", "Numbatwrong", "100737", "4d0c6a5e", "customerAdded", "customerUpdated"] {
            assert!(!line.to_string().contains(mark), "{mark} is in {line}");
        }
    }
}
